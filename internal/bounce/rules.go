package bounce

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed data/bounce_rules.tsv
var bounceRules string

//go:embed data/log_rules.tsv
var logRules string

// Rule is one text by which a refusal is known.
type Rule struct {
	ID    string
	Class Class
	Codes string // the reply codes seen with it
	re    *regexp.Regexp
}

// logRule is one form of a log line.
type logRule struct {
	id, program string
	re          *regexp.Regexp
}

// Reader reads bounces by the rules that come with arpagate. It is safe for
// concurrent use.
type Reader struct {
	rules []Rule
	logs  []logRule
}

// Open compiles the rules.
func Open() (*Reader, error) {
	r := &Reader{}
	err := eachRow(bounceRules, 4, func(f []string, re *regexp.Regexp) {
		r.rules = append(r.rules, Rule{ID: f[0], Class: Class(f[1]), Codes: f[3], re: re})
	})
	if err != nil {
		return nil, err
	}
	err = eachRow(logRules, 3, func(f []string, re *regexp.Regexp) {
		r.logs = append(r.logs, logRule{id: f[0], program: f[1], re: re})
	})
	return r, err
}

// Rules returns the rules in their order.
func (r *Reader) Rules() []Rule { return append([]Rule(nil), r.rules...) }

// Operator names who runs the servers that refuse in the words of a rule; empty
// where they are those of a program, or common ones.
func Operator(rule string) string { return operators[rule] }

// operators are the receivers that a rule is known by.
var operators = map[string]string{
	"gmail-ptr": "Gmail", "gmail-ptr-rate": "Gmail", "gmail-fcrdns": "Gmail", "gmail-v6": "Gmail",
	"exo-v6": "Exchange Online", "exo-helo": "Exchange Online", "freenet": "Freenet", "gmx-webde": "GMX, WEB.DE or a server of IONOS",
	"comcast-ptr": "Comcast", "comcast-dyn": "Comcast", "comcast-temp": "Comcast", "cox": "Cox", "cox-temp": "Cox", "spectrum": "Spectrum",
	"godaddy": "GoDaddy", "facebook-noptr": "Facebook", "facebook-temp": "Facebook", "aol-nr": "AOL", "aol-generic": "AOL", "aol-dynamic": "AOL",
	"rackspace": "Rackspace", "interoute": "Interoute", "mailru-generic": "Mail.ru", "tonline-dial": "T-Online", "netease-rdn": "NetEase", "free-fr": "Free",
}

// eachRow calls add for each row of a table whose third field is a pattern.
func eachRow(table string, fields int, add func([]string, *regexp.Regexp)) error {
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != fields {
			return fmt.Errorf("bounce: rule %q has %d fields, want %d", f[0], len(f), fields)
		}
		re, err := regexp.Compile(f[2])
		if err != nil {
			return fmt.Errorf("bounce: rule %q: %w", f[0], err)
		}
		add(f, re)
	}
	return nil
}

// classify finds the first rule that a refusal fits. A general rule gives way
// where the text speaks of something else in the same words.
func (r *Reader) classify(text string) (Class, string) {
	text = normalise(text)
	other := lookalike.MatchString(text)
	for i := range r.rules {
		rule := &r.rules[i]
		if rule.re.MatchString(text) && !(other && general[rule.ID]) {
			return rule.Class, rule.ID
		}
	}
	return Other, ""
}

// general are the rules made of common words.
var general = map[string]bool{
	"rdns-words": true, "unverifyable": true, "helo-words": true, "ip-unresolved": true, "rdns-none": true, "rdns-none-after": true,
	"rdns-bad-words": true, "rdns-mismatch-words": true, "rdns-generic-words": true, "rdns-temp-words": true,
}

// lookalike finds refusals for the sender's domain, by SPF or DMARC, by a list,
// or for now only: they may name PTR records, and mean none.
var lookalike = regexp.MustCompile(`\b(spf|dkim|dmarc)\b|gr[ae]y-?list|dns ?[bw]l|\brbl\b|(block|black) ?list|spamhaus|` +
	`(sender|from) (address|domain)|domain of sender`)

var (
	firstCode = regexp.MustCompile(`^(?:smtp; ?)?([245][0-9]{2})[ -]`)
	spaces    = regexp.MustCompile(`[\s\x{00a0}]+`)
	// escapedBreaks are line ends as logs write them.
	escapedBreaks = strings.NewReplacer(`\n`, " ", `\r`, " ", `\t`, " ", "[nl]", " ", "’", "'")
)

// oneLine folds a text to one line.
func oneLine(text string) string {
	return strings.TrimSpace(spaces.ReplaceAllString(escapedBreaks.Replace(text), " "))
}

// normalise folds a reply to one line in lower case, without the codes that a
// reply of several lines repeats on each (RFC 5321 §4.2.1): they stand in the
// midst of its sentences.
func normalise(text string) string { return uncoded(strings.ToLower(oneLine(text)), false) }

// uncoded takes the repeated codes out of a reply on one line. Where it is for
// people to read, a number alone stays unless other lines show that the reply has
// several.
func uncoded(text string, keep bool) string {
	m := firstCode.FindStringSubmatchIndex(text)
	if m == nil {
		return text
	}
	code, rest := text[m[2]:m[3]], text[m[1]:]
	if keep && !strings.Contains(text, code+"-") {
		return text
	}
	again := regexp.MustCompile(`(^| )` + code + `(-| |$)([245]\.[0-9]{1,3}\.[0-9]{1,3}( |$))?`)
	start := text[:m[1]]
	if keep {
		start = strings.Replace(start, code+"-", code+" ", 1)
		if m := enhancedAtStart.FindString(rest); m != "" {
			start, rest = start+m, rest[len(m):]
		}
	}
	return strings.TrimSpace(spaces.ReplaceAllString(start+again.ReplaceAllString(rest, " "), " "))
}

var enhancedAtStart = regexp.MustCompile(`^[245]\.[0-9]{1,3}\.[0-9]{1,3} `)

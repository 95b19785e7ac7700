package receivers

import (
	_ "embed"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//go:embed data/receivers.tsv
var table string

//go:embed data/rspamd_words.tsv
var words string

// Book holds the receivers; it is never changed.
type Book struct {
	receivers []Receiver
	weights   []*regexp.Regexp // rspamd's word lists, by weight from 1
}

// Open reads the data that comes with arpagate.
func Open() (*Book, error) {
	b, err := parse(table)
	if err != nil {
		return nil, err
	}
	b.weights, err = parseWords(words)
	return b, err
}

// otherwise is the condition of a receiver's last rule.
const otherwise = "otherwise"

func parse(text string) (*Book, error) {
	b := &Book{}
	n := 0
	for line := range strings.Lines(text) {
		if n++; strings.HasPrefix(line, "#") {
			continue
		}
		name, rule, err := parseRule(strings.TrimRight(line, "\n"))
		if err != nil {
			return nil, fmt.Errorf("receivers: line %d: %w", n, err)
		}
		if len(b.receivers) == 0 || b.receivers[len(b.receivers)-1].Name != name {
			b.receivers = append(b.receivers, Receiver{Name: name})
		}
		r := &b.receivers[len(b.receivers)-1]
		r.Rules = append(r.Rules, rule)
	}
	for _, r := range b.receivers {
		for i, rule := range r.Rules {
			if (rule.When == otherwise) != (i == len(r.Rules)-1) {
				return nil, fmt.Errorf("receivers: %s: wants one rule %q, as the last", r.Name, otherwise)
			}
		}
	}
	return b, nil
}

// columns is the number of fields of a line.
const columns = 10

func parseRule(line string) (string, Rule, error) {
	f := strings.Split(line, "\t")
	if len(f) != columns {
		return "", Rule{}, fmt.Errorf("%d fields, want %d", len(f), columns)
	}
	r := Rule{ID: f[1], When: f[2], Effect: Effect(f[3]), Reply: f[5], Note: f[6], Source: f[7], Date: f[8], Confirmed: f[9] == "yes"}
	if err := r.setPoints(f[4]); err != nil {
		return "", Rule{}, err
	}
	for _, word := range strings.Fields(r.When) {
		c, ok := conditionOf(word)
		if !ok && word != otherwise {
			return "", Rule{}, fmt.Errorf("unknown condition %q", word)
		}
		r.when = append(r.when, c)
	}
	_, err := time.Parse(time.DateOnly, r.Date)
	switch {
	case err != nil:
		return "", Rule{}, fmt.Errorf("bad date %q", r.Date)
	case f[0] == "" || r.ID == "" || r.When == "" || r.Source == "":
		return "", Rule{}, fmt.Errorf("an empty field in %q", line)
	case f[9] != "yes" && f[9] != "no":
		return "", Rule{}, fmt.Errorf("confirmed is %q, want yes or no", f[9])
	case !r.Effect.worse(Nothing) && r.Effect != Nothing:
		return "", Rule{}, fmt.Errorf("unknown effect %q", f[3])
	}
	return f[0], r, nil
}

// setPoints reads a number, four with "/" between them, or "computed".
func (r *Rule) setPoints(field string) error {
	switch field {
	case "":
		return nil
	case "computed":
		r.computed = true
		return nil
	}
	for number := range strings.SplitSeq(field, "/") {
		n, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return fmt.Errorf("bad points %q", field)
		}
		r.Sets = append(r.Sets, n)
	}
	r.Points = r.Sets[len(r.Sets)-1]
	switch len(r.Sets) {
	case 1:
		r.Sets = nil
	case 4:
	default:
		return fmt.Errorf("bad points %q: one number, or four", field)
	}
	if r.Effect != Score {
		return fmt.Errorf("points %q with effect %s", field, r.Effect)
	}
	return nil
}

// forms are the places of a word in a name by which rspamd knows it: the word
// stands for %s.
var forms = map[rune]string{
	'a': `[.-]%s[.-]`,
	'b': `%s[.-][0-9]`,
	'c': `[-.0-9][0-9][.-]?%s`,
	'd': `[-.0-9][0-9][.-]%s`,
	'e': `[0-9][.-]?%s`,
	'f': `%s[0-9]`,
	'g': `%s[.-][0-9]{2}`,
	'h': `%s[.-][0-9][-.0-9]`,
	'i': `[-.0-9][0-9]{3,}[.-]?%s`,
}

// parseWords makes one expression for each weight from 1 to 5.
func parseWords(text string) ([]*regexp.Regexp, error) {
	alternatives := make([][]string, 6)
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if strings.HasPrefix(line, "#") {
			continue
		}
		weight := 0
		if len(f) == 3 {
			weight, _ = strconv.Atoi(f[1])
		}
		if weight < 1 || weight > 5 {
			return nil, fmt.Errorf("receivers: bad word %q", line)
		}
		for _, form := range f[2] {
			pattern, ok := forms[form]
			if !ok {
				return nil, fmt.Errorf("receivers: unknown form in %q", line)
			}
			alternatives[weight] = append(alternatives[weight], fmt.Sprintf(pattern, regexp.QuoteMeta(f[0])))
		}
	}
	out := make([]*regexp.Regexp, 0, 5)
	for _, list := range alternatives[1:] {
		re, err := regexp.Compile(strings.Join(list, "|"))
		if err != nil || len(list) == 0 {
			return nil, fmt.Errorf("receivers: words: %w", err)
		}
		out = append(out, re)
	}
	return out, nil
}

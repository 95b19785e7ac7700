package bounce

import (
	"regexp"
	"strings"
)

// maxLines is the number of log lines that are looked at.
const maxLines = 5000

// The heads of log lines: syslog by RFC 3164 §4.1 and with ISO times, by RFC
// 5424 §6, and a bare time as Exim and OpenSMTPD write it to their own files.
var heads = []*regexp.Regexp{
	regexp.MustCompile(`^<\d{1,3}>1 \S+ \S+ \S+ \S+ \S+ (?:-|\[[^\]]*\]) ?`),
	regexp.MustCompile(`^(?:<\d{1,3}>)?(?:[A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d+)?|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?) \S+ [\w./-]+(?:\[\d+\])?: (?:\[ID \d+ [\w.]+\] )?`),
	regexp.MustCompile(`^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z| ?[+-]\d\d:?\d\d)? `),
	// The process alone, where somebody cut the rest away.
	regexp.MustCompile(`^(?:postfix[\w-]*/[\w/-]+|sendmail|sm-mta|exim4?|smtpd)(?:\[\d+\])?: `),
}

// bare strips what a log puts before its line, in up to two layers: Exim's own
// time may stand behind that of syslog.
func bare(line string) string {
	for range 2 {
		before := line
		for _, re := range heads {
			if at := re.FindStringIndex(line); at != nil {
				line = line[at[1]:]
				break
			}
		}
		if line == before {
			break
		}
	}
	return pid.ReplaceAllString(line, "")
}

// pid is what Exim's log_selector = +pid writes behind the time.
var pid = regexp.MustCompile(`^\[\d+\] `)

// mdaemonTime begins the lines of an MDaemon log; its rules are too general to
// be tried on anything else.
var mdaemonTime = regexp.MustCompile(`^[A-Z][a-z]{2} \d{4}-\d\d-\d\d \d\d:\d\d:\d\d`)

// match is a log line that a rule knows.
type match struct {
	id, program string
	group       map[string]string
}

func (r *Reader) matchLine(line string) (match, bool) {
	stripped := bare(line)
	for i := range r.logs {
		rule := &r.logs[i]
		text := stripped
		switch rule.program {
		case "exchange", "hmailserver":
			text = line
		case "mdaemon(K)":
			if text = line; !mdaemonTime.MatchString(line) {
				continue
			}
		}
		if rule.id == "ex-host" { // a piece of other rules' lines
			continue
		}
		if m := rule.re.FindStringSubmatch(text); m != nil {
			group := map[string]string{"0": text}
			for i, name := range rule.re.SubexpNames() {
				if name != "" {
					group[name] = m[i]
				}
			}
			return match{rule.id, strings.TrimSuffix(rule.program, "(K)"), group}, true
		}
	}
	return match{}, false
}

// readLog reads lines of a mail log; nil means that no line is one.
func (r *Reader) readLog(text string) *report {
	var l logReader
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > maxLines {
			l.rep.notes = append(l.rep.notes, "only the first 5000 lines were read")
			break
		}
		line = strings.TrimRight(line[:min(len(line), maxLine)], "\n")
		m, ok := r.matchLine(line)
		if !ok {
			l.rep.delivered = l.rep.delivered || eximDelivered.MatchString(bare(line))
			continue
		}
		if l.rep.format == "" {
			l.rep.format = m.program
		}
		l.read(m, r)
	}
	l.end()
	if l.rep.format == "mdaemon" && len(l.rep.refusals) > 0 {
		l.rep.notes = append(l.rep.notes, "the form of MDaemon's log is known from descriptions only: check what was read")
	}
	if len(l.rep.refusals) == 0 && !l.rep.delivered {
		return nil
	}
	return &l.rep
}

// eximDelivered finds Exim's lines of a delivery: => for the first recipient, ->
// for others, and the end.
var eximDelivered = regexp.MustCompile(`^[0-9A-Za-z]{6}-[0-9A-Za-z]{6,11}-[0-9A-Za-z]{2,4} (?:[=-]> \S|Completed)`)

// logReader puts together what stands on several lines.
type logReader struct {
	rep report
	// dialogue is the reply of several lines under way (Exchange).
	dialogue    refusal
	dialogueKey string
	helo        map[string]string // the EHLO names by session
	client      string            // MDaemon: the address that connected
}

func (l *logReader) add(f refusal) {
	if len(l.rep.refusals) < maxRefusals {
		l.rep.refusals = append(l.rep.refusals, f)
	}
}

// knownPTR drops the words that logs write where there is no name.
func knownPTR(s string) string {
	if s == "unknown" || s == "<unknown>" || strings.HasPrefix(s, "[") {
		return ""
	}
	return s
}

// read adds what one line says. Lines of the sender's log hold the receiver's
// address, lines of the receiver's log that of the client.
func (l *logReader) read(m match, r *Reader) {
	g := m.group
	switch m.id {
	case "pf-reject":
		l.add(refusal{text: joinReply(g["code"], g["dsn"], g["text"]), client: addr(g["ip"]), ptr: knownPTR(g["rdns"]), helo: g["helo"], from: g["from"], to: g["to"]})
	case "pf-host-said":
		l.add(refusal{text: g["text"], receiver: g["mx"], at: addr(g["ip"])})
	case "pf-delivery":
		l.delivery(g)
	case "pf-warn-fcrdns", "pf-warn-fcrdns-old":
		class := Class("fcrdns")
		if why := strings.ToLower(g["why"]); strings.Contains(why, "temporary") || strings.Contains(why, "try again") {
			class = "rdns_tempfail"
		}
		l.add(refusal{client: addr(g["ip"]), ptr: g["ptr"], class: class, rule: m.id, text: "hostname " + g["ptr"] + " does not resolve to address " + g["ip"]})
	case "ex-reject":
		l.eximReject(m, r)
	case "ex-nohost":
		l.add(refusal{client: addr(g["ip"]), class: "missing", rule: m.id, text: "no host name found for IP address " + g["ip"]})
	case "ex-fail":
		l.add(refusal{text: g["text"], receiver: first(g["mx"], g["mx2"]), at: addr(first(g["ip"], g["ip2"])), to: g["to"]})
	case "sm-to":
		l.rep.delivered = l.rep.delivered || strings.HasPrefix(g["stat"], "Sent")
		if text := first(g["text"], g["stat"]); group(codeAtStart, text) != "" {
			l.add(refusal{text: text, receiver: g["mx"], at: addr(g["ip"]), to: strings.Trim(g["to"], "<>")})
		}
	case "sm-reject":
		l.add(refusal{text: g["text"], client: addr(g["ip"]), ptr: knownPTR(g["rdns"])})
	case "os-delivery":
		l.openSMTPD(g)
	case "xc-proto":
		l.exchange(g)
	case "hm-smtpd":
		l.hMailServer(g)
	case "md-accept":
		l.client = g["ip"]
	case "md-line":
		l.mdaemon(g)
	}
}

var codeAtStart = regexp.MustCompile(`^([45]\d\d)[ -]`)

func joinReply(code, enhanced, text string) string {
	return strings.TrimSpace(strings.TrimSpace(code+" "+enhanced) + " " + text)
}

// delivery reads Postfix's last word on a recipient: it quotes the reply like a
// report does.
func (l *logReader) delivery(g map[string]string) {
	if g["status"] == "sent" {
		l.rep.delivered = true
		return
	}
	found := refusalsIn(g["text"])
	if len(found) == 0 {
		return
	}
	f := found[0]
	f.to = g["to"]
	if f.receiver == "" {
		f.receiver, f.at = g["mx"], addr(g["ip"])
	}
	l.add(f)
}

// eximReject reads a refusal by Exim itself, whose H= field names the client.
func (l *logReader) eximReject(m match, r *Reader) {
	f := refusal{text: m.group["text"], from: m.group["from"], to: m.group["arg"]}
	for i := range r.logs {
		if r.logs[i].id != "ex-host" {
			continue
		}
		re := r.logs[i].re
		if h := re.FindStringSubmatch(m.group["0"]); h != nil {
			f.ptr, f.helo, f.client = h[re.SubexpIndex("rdns")], h[re.SubexpIndex("helo")], addr(h[re.SubexpIndex("ip")])
		}
	}
	l.add(f)
}

func (l *logReader) openSMTPD(g map[string]string) {
	if g["result"] == "Ok" {
		l.rep.delivered = true
		return
	}
	f := refusal{text: g["text"], from: g["from"], to: g["to"]}
	// relay="ADDRESS (NAME)"
	address, name, _ := strings.Cut(g["mx"], " ")
	f.at, f.receiver = addr(address), strings.Trim(name, "()")
	l.add(f)
}

// exchange joins the lines of a reply by their session.
func (l *logReader) exchange(g map[string]string) {
	data := strings.ReplaceAll(strings.Trim(g["data"], `"`), `""`, `"`)
	key := g["session"] + g["ev"]
	if verb, name, ok := strings.Cut(data, " "); ok && (strings.EqualFold(verb, "EHLO") || strings.EqualFold(verb, "HELO")) {
		l.setHelo(g["session"], name)
		return
	}
	if group(codeAtStart, data) == "" {
		return
	}
	if key != l.dialogueKey || l.dialogue.text == "" {
		l.end()
		l.dialogueKey = key
		l.dialogue = refusal{helo: l.helo[g["session"]]}
		host, _, _ := strings.Cut(g["remote"], "%")
		if i := strings.LastIndexByte(host, ':'); i > 0 {
			host = host[:i]
		}
		if g["ev"] == "<" {
			l.dialogue.at = addr(host)
		} else {
			l.dialogue.client = addr(host)
		}
	}
	if len(l.dialogue.text) < maxReply {
		l.dialogue.text = strings.TrimSpace(l.dialogue.text + " " + data)
	}
	// RFC 5321 §4.2.1: the last line of a reply has a space behind the code.
	if data[3] == ' ' {
		l.end()
	}
}

func (l *logReader) setHelo(session, name string) {
	if l.helo == nil {
		l.helo = map[string]string{}
	}
	if len(l.helo) < maxRefusals {
		l.helo[session] = strings.TrimSpace(name)
	}
}

// end closes a reply of several lines.
func (l *logReader) end() {
	if l.dialogue.text != "" {
		l.add(l.dialogue)
	}
	l.dialogue, l.dialogueKey = refusal{}, ""
}

func (l *logReader) hMailServer(g map[string]string) {
	text := g["text"]
	session := g["kind"] + g["sess"]
	verb, name, _ := strings.Cut(text, " ")
	switch {
	case strings.EqualFold(verb, "EHLO"), strings.EqualFold(verb, "HELO"):
		l.setHelo(session, name)
	case group(codeAtStart, text) == "":
	case g["kind"] == "SMTPC" && g["dir"] == "RECEIVED":
		l.add(refusal{text: text, at: addr(g["ip"]), helo: l.helo[session]})
	case g["kind"] == "SMTPD" && g["dir"] == "SENT":
		l.add(refusal{text: text, client: addr(g["ip"]), helo: l.helo[session]})
	}
}

func (l *logReader) mdaemon(g map[string]string) {
	text := g["text"]
	if group(codeAtStart, text) == "" {
		return
	}
	f := refusal{text: text}
	if g["dir"] == "-->" {
		f.client = addr(l.client)
	}
	l.add(f)
}

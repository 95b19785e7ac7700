package bounce

import (
	"io"
	"mime/quotedprintable"
	"net/netip"
	"regexp"
	"strings"
)

// plainText brings line ends to "\n" and takes out what no mail or log holds.
func plainText(text string) string {
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case r < ' ' && r != '\n' && r != '\t', r == 0x7f:
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// unquote takes away the ">" of a forwarded mail, where most lines have it.
func unquote(text string) string {
	for range 5 {
		lines := strings.Split(text, "\n")
		quoted, full := 0, 0
		for _, l := range lines {
			if l = strings.TrimSpace(l); l != "" {
				full++
				if strings.HasPrefix(l, ">") && !strings.HasPrefix(l, ">>>") || strings.HasPrefix(l, "> >") {
					quoted++
				}
			}
		}
		if quoted*2 <= full {
			return text
		}
		for i, l := range lines {
			if l, found := strings.CutPrefix(strings.TrimLeft(l, " \t"), ">"); found {
				lines[i] = strings.TrimPrefix(l, " ")
			}
		}
		text = strings.Join(lines, "\n")
	}
	return text
}

// The lengths beyond which a paragraph, a log line and a reply are cut: no server
// writes as much. Of all replies together maxReplies octets are held against the
// rules: that costs most.
const (
	maxParagraph = 16 << 10
	maxLine      = 8 << 10
	maxReply     = 4 << 10
	maxReplies   = 64 << 10
)

// lastLine and anyLine find the last line of a reply, and any (RFC 5321 §4.2.1).
var (
	lastLine = regexp.MustCompile(`^(?:<<< )?[45]\d\d (?:[^ ]|$)`)
	anyLine  = regexp.MustCompile(`^(?:<<< )?[45]\d\d[- ]`)
)

// paragraphs folds each run of lines to one line. A paragraph that announces the
// reply ("… was:") takes the next one with it, and behind the last line of a reply
// another one begins.
func paragraphs(text string) []string {
	var out []string
	var run []string
	length := 0
	ended := false // the run holds the last line of a reply
	flush := func() {
		ended = false
		if len(run) > 0 {
			out = append(out, oneLine(strings.Join(run, " ")))
			run, length = nil, 0
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			if ended && anyLine.MatchString(line) {
				flush()
			}
			ended = lastLine.MatchString(line) || ended && len(run) > 0
			line = line[:min(len(line), maxParagraph-length)]
			run, length = append(run, line), length+len(line)
			continue
		}
		if len(run) > 0 && strings.HasSuffix(run[len(run)-1], ":") {
			continue
		}
		flush()
	}
	flush()
	return out
}

// The ways in which servers quote the reply of another, on folded text.
var (
	// Postfix: host NAME[ADDRESS] said: REPLY (in reply to RCPT TO command)
	hostSaid = regexp.MustCompile(`(?i)(?:host|connect to) (\S+?)\[([0-9a-f.:]+)\](?::\d+)?:? (?:said|(?:server )?refused to talk to me): (.*?)(?: \(in reply to [^)]*\)|$)`)
	// Exim: host NAME [ADDRESS] SMTP error from remote mail server after X: REPLY
	eximError = regexp.MustCompile(`(?i)(?:host (\S+) \[([0-9a-f.:]+)\](?::\d+)?:? )?SMTP error from remote mail(?:er| server) after .{1,300}?: (?:host (\S+) \[([0-9a-f.:]+)\]: )?([245]\d\d[ -].*)`)
	// qmail: ADDRESS does not like recipient. Remote host said: REPLY Giving up on ADDRESS.
	qmailSaid = regexp.MustCompile(`(?i)(?:([0-9a-f.:]+[0-9a-f]) (?:does not like|failed|but|said)[^:]*?)?Remote host said: (.*?)(?: Giving up on ([0-9a-f.:]+[0-9a-f])\.?|$)`)
	// Sendmail: ... while talking to NAME.: >>> COMMAND <<< REPLY
	whileTalking = regexp.MustCompile(`(?i)while talking to ([^\s:]+?)\.?:`)
	gotReply     = regexp.MustCompile(`<<< ([245]\d\d[ -].*?)(?: (?:>>>|\.\.\. while|(?:[245]\d\d [245]\.\d+\.\d+ )?<[^<>]+>\.\.\.)|$)`)
	// hMailServer: Remote server (ADDRESS) issued an error. … Remote server replied: REPLY
	remoteReplied = regexp.MustCompile(`(?i)Remote server \(([0-9a-f.:]+)\) issued an error.*?Remote server replied: (.*)`)
	// Exchange: Remote server returned 'REPLY'
	returned = regexp.MustCompile(`(?i)(?:remote )?server (?:at \S+ )?(?:\(([0-9a-f.:]+)\) )?returned '(?:[^']{0,80}?#)?(?:<[^>]*>; )?(?:[^']{0,40}?)([245]\d\d[ -][^']*|[245]\.\d+\.\d+ [^']*)'`)
	// Gmail: by NAME. [ADDRESS]. … the response was: REPLY
	byHost      = regexp.MustCompile(`(?i)\bby ([a-z0-9_.-]+?)\.? ?\[([0-9a-f.:]+)\]`)
	anyReply    = regexp.MustCompile(`(?:^|[\s:"'(])([45]\d\d(?:[ -][245]\.\d{1,3}\.\d{1,3}\b|[ -]\S).*)`)
	bareReply   = regexp.MustCompile(`(?:^|[\s:"'(#])([45]\.\d{1,3}\.\d{1,3}[ ;:].*)`)
	recipientIs = regexp.MustCompile(`(?:^|[\s<])([^\s<>@"]{1,64}@[a-zA-Z0-9_.-]+\.[a-zA-Z0-9-]+)>?`)
)

// contact finds that the address before which the text ends is one to complain to.
var contact = regexp.MustCompile(`(?i)\bcontact(?:ing)?:? (?:us |the \S+ |your \S+ )?(?:at |via |by mail to )?<?$`)

// recipientsIn finds the mail addresses in a text, without those to complain to.
func recipientsIn(text string) []string {
	var out []string
	for _, at := range recipientIs.FindAllStringSubmatchIndex(text, 10) {
		if !contact.MatchString(text[max(0, at[2]-64):at[2]]) {
			out = append(out, text[at[2]:at[3]])
		}
	}
	return out
}

// ofReceiver finds the receiver in the words of a sending server that got no
// reply: connect to NAME[ADDRESS], Server at NAME (ADDRESS) returned.
var ofReceiver = regexp.MustCompile(`(?i)(?:connect(?:ion|ed|ing)? to|server at|relay) ([a-z0-9_.-]+?)\.? ?[\[(]([0-9a-f.:]+)[\])]`)

// refusalsIn finds the replies quoted in a text for people.
func refusalsIn(text string) []refusal {
	var out, loose []refusal
	talking := ""
	for _, p := range paragraphs(text) {
		if name := group(whileTalking, p); name != "" {
			talking = name
		}
		found := quotedIn(p, talking)
		out = append(out, found...)
		if len(found) > 0 {
			continue
		}
		for _, re := range []*regexp.Regexp{anyReply, bareReply} {
			if reply := group(re, p); reply != "" {
				f := refusal{text: reply}
				f.setHost(byHost.FindStringSubmatch(p))
				loose = append(loose, f)
				break
			}
		}
		if len(out)+len(loose) > maxRefusals {
			break
		}
	}
	return append(out, loose...)
}

// maxRefusals bounds what is kept of a text.
const maxRefusals = 100

func quotedIn(p, talking string) []refusal {
	var out []refusal
	to := first(recipientsIn(p)...)
	add := func(f refusal) {
		f.to = to
		out = append(out, f)
	}
	for _, m := range hostSaid.FindAllStringSubmatch(p, 20) {
		add(refusal{text: m[3], receiver: m[1], at: addr(m[2])})
	}
	if m := eximError.FindStringSubmatch(p); m != nil {
		add(refusal{text: m[5], receiver: first(m[1], m[3]), at: addr(first(m[2], m[4]))})
	}
	if m := remoteReplied.FindStringSubmatch(p); m != nil {
		add(refusal{text: m[2], at: addr(m[1])})
	}
	if m := qmailSaid.FindStringSubmatch(p); m != nil {
		add(refusal{text: m[2], at: addr(first(m[1], m[3]))})
	}
	for _, m := range gotReply.FindAllStringSubmatch(p, 20) {
		add(refusal{text: strings.ReplaceAll(m[1], " <<< ", " "), receiver: talking})
	}
	if m := returned.FindStringSubmatch(p); m != nil {
		add(refusal{text: m[2], at: addr(m[1])})
	}
	return out
}

// setHost takes the name and address of a match of byHost.
func (f *refusal) setHost(m []string) {
	if m != nil {
		f.receiver, f.at = m[1], addr(m[2])
	}
}

// addr reads an address with or without brackets, the zero Addr where it is none.
func addr(s string) netip.Addr {
	s = strings.Trim(s, "[]() ")
	if len(s) > 5 && strings.EqualFold(s[:5], "ipv6:") {
		s = s[5:]
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return a.WithZone("").Unmap()
}

// softBreaks are a sign of quoted-printable text that was pasted undecoded.
var softBreaks = regexp.MustCompile(`(?m)=(3D|20|0A|[C-F][0-9A-F]=[89AB][0-9A-F])|=$`)

func unprintable(text string) string {
	if len(softBreaks.FindAllStringIndex(text, 3)) < 3 {
		return text
	}
	decoded, err := io.ReadAll(io.LimitReader(quotedprintable.NewReader(strings.NewReader(text)), maxText))
	if err != nil {
		return text
	}
	return strings.ToValidUTF8(string(decoded), "?")
}

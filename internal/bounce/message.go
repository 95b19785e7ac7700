package bounce

import (
	"encoding/base64"
	"html"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// Bounds of a message with parts in parts.
const (
	maxDepth  = 6
	maxParts  = 60
	maxFields = 1000 // of a header, or of a report
)

var (
	headerLine = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{1,40}:`)
	mailHeader = regexp.MustCompile(`(?mi)^(return-path|received|from|to|subject|mime-version|content-type|message-id|delivered-to|date|x-[a-z-]+):`)
)

// looksLikeMessage reports whether a text begins with a header (RFC 5322 §2.2).
func looksLikeMessage(text string) bool {
	text = strings.TrimLeft(text, "\n \t")
	if first, _, _ := strings.Cut(text, "\n"); !headerLine.MatchString(first) && !strings.HasPrefix(first, "From ") {
		return false
	}
	head, _, _ := strings.Cut(text, "\n\n")
	return len(mailHeader.FindAllStringIndex(head, 4)) >= 3
}

// wholeMail is the subtype of a message in a message (RFC 2046 §5.2.1).
const wholeMail = "rf" + "c822"

// pieces are the parts of a message by what they are.
type pieces struct {
	words    []string // text for people
	pages    []string // HTML
	status   []string // message/delivery-status
	returned []string // the headers of the returned message
	parts    int
}

// readMessage reads a whole message. RFC 3464 §2: a report has a part for
// people, one for programs, and the returned message or its headers.
func readMessage(text string) *report {
	p := &pieces{}
	text = strings.TrimLeft(text, "\n \t")
	p.message(text, 0)
	rep := &report{format: "dsn", known: len(p.status) > 0}
	for _, s := range p.status {
		rep.readStatus(s)
	}
	for _, s := range p.words {
		rep.readWords(s)
	}
	if len(rep.refusals) == 0 {
		for _, s := range p.pages {
			rep.readWords(plainHTML(s))
		}
	}
	// Parts that could not be told apart are read as one text.
	if _, body, _ := strings.Cut(text, "\n\n"); len(rep.refusals) == 0 && rep.status == "" {
		rep.readBody(unprintable(body))
	}
	for _, s := range p.returned {
		rep.readReturned(s)
	}
	if p.parts > maxParts {
		rep.notes = append(rep.notes, "the message has more parts than were read")
	}
	return rep
}

// message takes a message apart; one that can't be read counts as text.
func (p *pieces) message(text string, depth int) {
	// An mbox line before the header is no field.
	if strings.HasPrefix(text, "From ") {
		_, text, _ = strings.Cut(text, "\n")
	}
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		p.words = append(p.words, text)
		return
	}
	p.part(m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body, depth)
}

// part sorts one part, and those in it.
func (p *pieces) part(contentType, encoding string, body io.Reader, depth int) {
	if p.parts++; depth > maxDepth || p.parts > maxParts {
		return
	}
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		kind = "text/plain"
	}
	if strings.HasPrefix(kind, "multipart/") && params["boundary"] != "" {
		p.multi(multipart.NewReader(body, params["boundary"]), depth)
		return
	}
	text := decode(encoding, body)
	switch {
	case kind == "message/delivery-status", kind == "message/global-delivery-status":
		p.status = append(p.status, text)
	case kind == "text/"+wholeMail+"-headers", kind == "message/global-headers":
		p.returned = append(p.returned, text)
	case kind == "message/"+wholeMail, kind == "message/global":
		if isReport(text) {
			p.message(text, depth+1) // a report that was forwarded as a whole
			return
		}
		p.returned = append(p.returned, text)
	case kind == "text/html":
		p.pages = append(p.pages, text)
	case strings.HasPrefix(kind, "text/"):
		p.words = append(p.words, text)
	}
}

func (p *pieces) multi(r *multipart.Reader, depth int) {
	for p.parts <= maxParts {
		part, err := r.NextRawPart()
		if err != nil {
			return
		}
		p.part(part.Header.Get("Content-Type"), part.Header.Get("Content-Transfer-Encoding"), part, depth+1)
	}
}

// isReport reports whether a message inside of another is itself a report.
func isReport(text string) bool {
	head, _, _ := strings.Cut(text, "\n\n")
	head = strings.ToLower(head)
	return strings.Contains(head, "multipart/report") || strings.Contains(head, "x-failed-recipients:") || strings.Contains(head, "from: mailer-daemon")
}

// decode undoes a transfer encoding (RFC 2045 §6); what comes before a fault is kept.
func decode(encoding string, body io.Reader) string {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	text, _ := io.ReadAll(io.LimitReader(body, maxText))
	return plainText(string(text))
}

var (
	htmlBreak = regexp.MustCompile(`(?i)<(br|/p|/div|/tr|/li|/h[1-6])[^>]{0,200}>`)
	htmlSkip  = regexp.MustCompile(`(?is)<(style|script|head)\b.*?</(style|script|head)>`)
	htmlTag   = regexp.MustCompile(`(?s)<[/!a-zA-Z][^<>]{0,900}>`)
)

func plainHTML(page string) string {
	page = htmlSkip.ReplaceAllString(page, " ")
	page = htmlBreak.ReplaceAllString(page, "\n")
	return html.UnescapeString(htmlTag.ReplaceAllString(page, " "))
}

// copyFollows finds the line above a returned message in a report without parts.
var copyFollows = regexp.MustCompile(`(?mi)^[ -]*(?:content-type: (?:message|text)/` + wholeMail + `(?:-headers)?|below this line is a copy of the message|this is a copy of (?:your|the) message|original message (?:headers|follows)|` +
	`undelivered message headers|(?:the )?header and (?:first|top) .* follows?|unsent message follows|returned message|-+ ?original message).{0,100}$`)

// statusField finds the fields of a delivery status in a pasted text.
var statusField = regexp.MustCompile(`(?mi)^[ \t]*(reporting-mta|remote-mta|received-from-mta|final-recipient|original-recipient|diagnostic-code|status):[ \t]*\S`)

// readText reads the body of a report, or a reply, that was pasted.
func readText(text string) *report {
	rep := &report{format: "reply"}
	if rep.readBody(unprintable(text)) {
		rep.format = "dsn"
	}
	return rep
}

// readBody reads a text in which the parts of a report may stand as they are,
// and says whether it is a report.
func (rep *report) readBody(text string) bool {
	words, rest := text, ""
	if at := copyFollows.FindStringIndex(text); at != nil {
		words, rest = text[:at[0]], text[at[1]:]
	}
	at := statusField.FindStringIndex(words)
	if at != nil {
		rep.readStatus(words[at[0]:])
	}
	rep.readWords(words)
	rep.readReturned(rest)
	rep.known = rep.known || at != nil
	return rep.known || rest != ""
}

// reportWords are words of reports, not of replies.
var reportWords = []string{
	"mail system at host", "mail delivery subsystem", "mail delivery system", "delivery has failed", "delivery failed", "could not be delivered",
	"undeliverable", "delivery status notification", "wasn't able to deliver", "unable to deliver", "diagnostic information",
	"transcript of session", "mail delivery software", "following address", "following recipient", "did not reach",
}

func isReportText(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(reportWords, func(words string) bool { return strings.Contains(text, words) })
}

func (rep *report) readWords(text string) {
	words := text
	if at := copyFollows.FindStringIndex(text); at != nil {
		words = text[:at[0]]
		rep.readReturned(text[at[1]:])
	}
	rep.known = rep.known || isReportText(words)
	rep.add(refusalsIn(words)...)
	for _, f := range rep.refusals {
		rep.to = first(rep.to, f.to)
	}
	for _, to := range recipientsIn(words) {
		if who := strings.ToLower(to); rep.to == "" && !strings.HasPrefix(who, "postmaster@") && !strings.HasPrefix(who, "mailer-daemon@") {
			rep.to = to
		}
	}
}

// fields unfolds the header-like lines of a text: name in lower case, value. A
// value is cut where no server writes more, however often it is folded.
func fields(text string, each func(name, value string)) {
	name := ""
	var value strings.Builder
	add := func(more string) { value.WriteString(more[:min(len(more), maxParagraph-value.Len())]) }
	flush := func() {
		if name != "" {
			each(name, strings.TrimSpace(value.String()))
		}
		name = ""
		value.Reset()
	}
	n := 0
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if name != "" && (strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")) {
			add(" ")
			add(strings.TrimSpace(line))
			continue
		}
		flush()
		if n++; n > maxFields {
			break
		}
		if n, v, ok := strings.Cut(line, ":"); ok && headerLine.MatchString(line) {
			name = strings.ToLower(n)
			add(v)
		}
	}
	flush()
}

// readStatus reads the fields of a delivery status (RFC 3464 §2.2, §2.3).
func (rep *report) readStatus(text string) {
	var diagnostics []refusal
	receiver, at := "", netip.Addr{}
	fields(text, func(name, value string) {
		_, data, typed := strings.Cut(value, ";")
		if data = strings.TrimSpace(data); !typed {
			data = value
		}
		switch name {
		case "remote-mta":
			receiver, at = strings.Trim(firstWord(data), ".[]"), netip.Addr{}
			if list := addressesIn(data); len(list) > 0 {
				at = list[0]
			}
			rep.receiver, rep.at = receiver, at
			for i := range diagnostics {
				if diagnostics[i].receiver == "" {
					diagnostics[i].receiver, diagnostics[i].at = receiver, at
				}
			}
		case "received-from-mta":
			if len(rep.clients) < maxAddresses {
				rep.clients = append(rep.clients, addressesIn(data)...)
			}
		case "final-recipient", "original-recipient":
			rep.to = first(rep.to, data)
		case "status":
			rep.status = first(rep.status, group(enhancedIn, data))
		case "diagnostic-code":
			// Exchange and Postfix quote the whole dialogue; the reply begins at its code.
			reply := first(group(anyReply, data), data)
			if len(diagnostics) < maxRefusals {
				diagnostics = append(diagnostics, refusal{text: reply, receiver: receiver, at: at, to: rep.to})
			}
		}
	})
	rep.add(diagnostics...)
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(s), " ")
	return word
}

// receivedFrom finds the client in a Received field (RFC 5321 §4.4).
var receivedFrom = regexp.MustCompile(`(?i)^from \S.{0,400}?[\[(](?:ipv6:)?([0-9a-f.:]+)[\])]`)

// readReturned reads the headers of the returned message: the first block of
// lines that looks like them, for those of a part may stand before.
func (rep *report) readReturned(text string) {
	head := ""
	for range 3 {
		head, text, _ = strings.Cut(strings.TrimLeft(text, "\n"), "\n\n")
		if len(mailHeader.FindAllStringIndex(head, 2)) >= 2 {
			break
		}
	}
	fields(head, func(name, value string) {
		switch name {
		case "received":
			if a := addr(group(receivedFrom, oneLine(value))); a.IsValid() && len(rep.received) < maxAddresses {
				rep.received = append(rep.received, a)
			}
		case "from", "return-path":
			if rep.from == "" {
				rep.from = group(recipientIs, value)
			}
		case "to":
			rep.to = first(rep.to, group(recipientIs, value))
		}
	})
}

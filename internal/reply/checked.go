package reply

import "strings"

// maxHeader bounds the body of the Authentication-Results field: RFC 5322
// §2.1.1 allows lines of 998 octets, and ours is not folded.
const maxHeader = 998 - len("Authentication-Results: ")

// NotNow is the answer where there is none in time, or a broken one: trouble in
// us is temporary (RFC 3463 §3.4).
func NotNow() Reply {
	return Reply{Verb: Defer, Code: "451", Enhanced: "4.3.0", Text: "Temporary failure, please try again later"}
}

// Checked returns the reply as listeners may send it, whoever made it: it keeps
// the promises of Reply about octets and lengths. A header that is too long is
// left out, for half of one would be a malformed one. It is false, and the
// reply NotNow, where verb, code and enhanced code are not of one class:
// Postfix drops such a reply, and a Defer must never become a 5xx.
func (r Reply) Checked() (Reply, bool) {
	if !r.consistent() {
		return NotNow(), false
	}
	if len(r.Header) > maxHeader {
		r.Header = ""
	}
	r.Header, r.Warning = strings.Map(printable, r.Header), clip(r.Warning, maxLine)
	if r.Verb != Pass {
		r.Text = clip(r.Text, maxLine-len(r.Code)-len(r.Enhanced)-2)
	}
	return r, true
}

// consistent reports whether the codes are of the verb's class; a Pass has none.
func (r Reply) consistent() bool {
	var class string
	switch r.Verb {
	case Pass:
		return true
	case Defer:
		class = "4"
	case Reject:
		class = "5"
	default:
		return false
	}
	// RFC 5321 §4.2
	if len(r.Code) != 3 || r.Code[:1] != class || !digits(r.Code) {
		return false
	}
	// RFC 3463 §2: class "." subject "." detail, of at most three digits.
	first, rest, _ := strings.Cut(r.Enhanced, ".")
	subject, detail, _ := strings.Cut(rest, ".")
	return first == class && digits(subject) && digits(detail)
}

// digits reports whether s is a number of one to three digits.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 3
}

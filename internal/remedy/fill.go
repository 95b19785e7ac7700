package remedy

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
)

// placeName stands where the mail server's name is not known.
const placeName = "MAIL.YOUR-DOMAIN"

// filler puts address and name into the recipes. What it puts in are addresses
// and host names only, whose characters mean nothing to a shell.
type filler struct{ r *strings.Replacer }

// placeholders are the words in braces that a recipe may use.
func placeholders(addr netip.Addr, name dnsname.Name) map[string]string {
	ip, arpa, fourth := "ADDRESS", "ADDRESS-REVERSED", "D"
	if addr.IsValid() {
		ip = addr.String()
		arpa = dnsname.Reverse(addr).String()
		if addr.Is4() {
			b := addr.As4()
			fourth = itoa(int(b[3]))
		}
	}
	full, domain, host := placeName, "YOUR-DOMAIN", "MAIL"
	if safe(name) {
		full, domain = name.String(), name.Org().String()
		host = strings.TrimSuffix(strings.TrimSuffix(full, domain), ".")
		if host == "" {
			host = "@"
		}
	}
	return map[string]string{
		"{ip}":     ip,     // 203.0.113.9
		"{last}":   fourth, // 9, the last octet
		"{arpa}":   arpa,   // 9.113.0.203.in-addr.arpa
		"{name}":   full,   // mail.example.org
		"{domain}": domain, // example.org
		"{host}":   host,   // mail
	}
}

// newFiller makes a filler; more are further words and what they stand for.
func newFiller(addr netip.Addr, name dnsname.Name, more ...string) filler {
	pairs := slices.Clone(more)
	words := placeholders(addr, name)
	for _, word := range slices.Sorted(maps.Keys(words)) {
		pairs = append(pairs, word, words[word])
	}
	return filler{strings.NewReplacer(pairs...)}
}

func (f filler) step(s Step) Step {
	return Step{
		Say: f.r.Replace(s.Say), Command: strings.TrimSpace(f.r.Replace(s.Command)), Console: f.r.Replace(s.Console),
		File: f.r.Replace(s.File), Lines: f.r.Replace(s.Lines),
	}
}

// steps fills in the steps of a recipe that are meant for the address's family.
func (f filler) steps(data []stepData, fill map[string]string, addr netip.Addr) []Step {
	var out []Step
	for _, d := range data {
		if d.Family == 4 && addr.Is6() || d.Family == 6 && addr.Is4() {
			continue
		}
		s := f.step(Step{Say: d.Say, Command: d.Command, Console: d.Console, File: d.File, Lines: d.Lines})
		for _, word := range slices.Sorted(maps.Keys(fill)) {
			if hasWord(s.Command+" "+s.Lines+" "+s.Console, word) && !told(out, word) {
				s.Say += " " + word + " is " + f.r.Replace(fill[word]) + "."
			}
		}
		out = append(out, s)
	}
	return out
}

func told(steps []Step, word string) bool {
	return slices.ContainsFunc(steps, func(s Step) bool { return strings.Contains(s.Say, " "+word+" is ") })
}

// hasWord reports whether the upper-case word stands in the text by itself.
func hasWord(text, word string) bool {
	for rest := text; ; {
		i := strings.Index(rest, word)
		if i < 0 {
			return false
		}
		end := i + len(word)
		if (i == 0 || !wordByte(rest[i-1])) && (end == len(rest) || !wordByte(rest[end])) {
			return true
		}
		rest = rest[end:]
	}
}

func wordByte(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

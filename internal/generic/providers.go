package generic

import (
	_ "embed"
	"strings"
)

// template is a pattern of a provider's names: what stands before its domain,
// and the sign that a name of that form has.
type template struct {
	host string
	sign Sign
}

//go:embed providers.txt
var providersFile string

var providers = newProviders(providersFile)

// newProviders reads the patterns, by registered domain.
func newProviders(file string) map[string][]template {
	m := map[string][]template{}
	for line := range strings.Lines(file) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		sign := providerOwn
		switch fields[0] {
		case "dynamic":
			sign = providerDynamic
		case "static":
			sign = providerStatic
		}
		for _, pattern := range fields[1:] {
			c := cutUp(pattern)
			m[pattern[c.org:]] = append(m[pattern[c.org:]], template{c.s[:c.host], sign})
		}
	}
	return m
}

// ofProvider looks the registered domain up among the providers.
func (x *Signs) ofProvider(name string) { x.ofTemplates(providers, name) }

func (x *Signs) ofTemplates(providers map[string][]template, name string) {
	if x.c.host == 0 || len(name) > maxName {
		return
	}
	for _, t := range providers[name[x.c.org:]] {
		if glob(t.host, x.c.s[:x.c.host]) {
			x.add(t.sign, span{int16(x.c.org), int16(len(x.c.s))})
			return
		}
	}
}

// glob reports whether the pattern fits all of s: "*" stands for any
// characters, "#" for digits, "%" for at least five hexadecimal digits.
func glob(pattern, s string) bool {
	for {
		if pattern == "" {
			return s == ""
		}
		switch pattern[0] {
		case '*':
			if pattern == "*" {
				return true
			}
			for i := 0; i <= len(s); i++ {
				if glob(pattern[1:], s[i:]) {
					return true
				}
			}
			return false
		case '#':
			i := 0
			for i < len(s) && digit(s[i]) {
				i++
			}
			if i == 0 {
				return false
			}
			pattern, s = pattern[1:], s[i:]
		case '%':
			i := 0
			for i < len(s) && nibble(s[i]) >= 0 {
				i++
			}
			if i < 5 {
				return false
			}
			pattern, s = pattern[1:], s[i:]
		default:
			if s == "" || s[0] != pattern[0] {
				return false
			}
			pattern, s = pattern[1:], s[1:]
		}
	}
}

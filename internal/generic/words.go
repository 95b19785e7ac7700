package generic

import (
	_ "embed"
	"strings"
)

// class is what a word says of a host.
type class uint8

const (
	mail       class = iota // is there for mail
	role                    // has another task of its own
	server                  // is a server
	dynamic                 // has an address anew each time
	unassigned              // has no name of its own
	access                  // is on a line of this kind
	nat                     // stands for many
	guest                   // is a visitor's, or a student's
	customer                // is somebody's
	reverse                 // has a name for the sake of having one
	static                  // keeps its address
	business                // is a business's
	hosting                 // is a machine for rent
	provider                // is of a provider; said by the domain alone
	classCount
)

var classNames = [classCount]string{
	"mail", "role", "server", "dynamic", "unassigned", "access", "nat", "guest", "customer", "reverse", "static",
	"business", "hosting", "provider",
}

//go:embed words.txt
var wordsFile string

var lexicon = newLexicon(wordsFile)

// newLexicon reads the words: a class and its words on each line.
func newLexicon(file string) *trie {
	t := &trie{}
	for line := range strings.Lines(file) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		c := class(0)
		for classNames[c] != fields[0] {
			c++
		}
		for _, word := range fields[1:] {
			t.add(word, c)
		}
	}
	return t
}

// ofWords finds the words of the lexicon.
func (x *Signs) ofWords() {
	s := x.c.s
	for i := 0; i < len(s); i++ {
		if !letter(s[i]) {
			continue
		}
		start := i
		for i < len(s) && letter(s[i]) {
			i++
		}
		zone := firstWord
		if start >= x.c.org {
			zone = orgWord
		} else if start >= x.c.first {
			zone = restWord
		}
		if x.taken.holds(start) {
			continue
		}
		if run := s[start:i]; !x.ofVersion(run, start, i, zone) {
			x.ofRun(run, start, zone)
		}
	}
}

// ofVersion takes "v4", "v6", "ip4" and the like for words.
func (x *Signs) ofVersion(run string, start, end int, zone Sign) bool {
	s := x.c.s
	if end == len(s) || s[end] != '4' && s[end] != '6' || end+1 < len(s) && digit(s[end+1]) {
		return false
	}
	switch run {
	case "v", "ip", "ipv", "dyn", "dhcp", "dynamicip", "fixed":
		x.add(zone+Sign(reverse), span{int16(start), int16(end + 1)})
		if run == "dyn" || run == "dhcp" || run == "fixed" {
			return false
		}
		return true
	}
	return false
}

// ofRun finds the words in a run of letters.
func (x *Signs) ofRun(run string, start int, zone Sign) {
	fresh := true
	for i := 0; i < len(run); {
		found, end := lexicon.at(run, i, fresh)
		if found == 0 {
			i, fresh = i+1, false
			continue
		}
		at := span{int16(start + i), int16(start + end)}
		for c := range classCount {
			if found>>c&1 != 0 && (c != provider || zone == orgWord) {
				if c == mail && zone != orgWord && (x.Has(firstWord+Sign(mail)) || x.Has(restWord+Sign(mail))) {
					x.add(severalMail, at)
				}
				x.add(zone+Sign(c), at)
			}
		}
		i, fresh = end, true
	}
}

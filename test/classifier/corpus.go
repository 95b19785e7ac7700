package main

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/generic"
)

// example is one name of the corpus.
type example struct {
	name, label, domain string
	addr                netip.Addr

	generic bool
	signs   []int   // in order
	weight  float64 // how much it counts in training
	fold    int
	turn    int // in which the domain joins its fold
}

// has reports whether the example has one of the signs.
func (e *example) has(names ...string) bool {
	for _, s := range e.signs {
		for _, name := range names {
			if generic.Sign(s).String() == name {
				return true
			}
		}
	}
	return false
}

// load reads the corpus: address, name, label (generic, mail or other-static),
// weight (1 / names of that domain and label) and registrable domain, parted by
// tabs.
func load(path string) ([]*example, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("classifier: the corpus of labelled names is not part of this repository; say where it is with CORPUS=FILE: %w", err)
	}
	defer f.Close()
	return read(f)
}

func read(r io.Reader) ([]*example, error) {
	var out []*example
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		e, err := parse(lines.Text())
		if err != nil {
			return nil, fmt.Errorf("classifier: corpus line %d: %w", n, err)
		}
		out = append(out, e)
	}
	return out, lines.Err()
}

func parse(line string) (*example, error) {
	f := strings.Split(line, "\t")
	if len(f) != 5 {
		return nil, fmt.Errorf("%d fields, not 5", len(f))
	}
	addr, err := netip.ParseAddr(f[0])
	if err != nil {
		return nil, err
	}
	name, err := dnsname.Parse(f[1])
	if err != nil {
		return nil, err
	}
	weight, err := strconv.ParseFloat(f[3], 64)
	if err != nil {
		return nil, err
	}
	e := &example{name: name.String(), label: f[2], domain: f[4], addr: addr, generic: f[2] == "generic"}
	switch e.label {
	case "generic", "mail", "other-static":
	default:
		return nil, fmt.Errorf("label %q", e.label)
	}
	// The root lies between a vote for each name and a vote for each domain.
	e.weight = math.Sqrt(weight)
	x := generic.Examine(name, addr)
	for s := range generic.Sign(generic.SignCount) {
		if x.Has(s) {
			e.signs = append(e.signs, int(s))
		}
	}
	return e, nil
}

// hard reports whether a mail name is one that is easily taken for generic: it
// holds digits of the address, several numbers, or words of access lines.
func (e *example) hard() bool {
	if e.label != "mail" {
		return false
	}
	return e.has("octets", "three octets", "network's octets", "last two octets", "last two octets, short", "two octets",
		"last octet of 3 digits", "last octet of 2 digits", "hex", "hex of the last octets", "groups", "some groups", "more numbers", "two other numbers",
		"letters and digits mixed", "line with number", "customer with number")
}

// addressless reports whether the name holds no address: less than two octets
// of it, in any spelling.
func (e *example) addressless() bool {
	return !e.has("octets", "three octets", "network's octets", "last two octets", "last two octets, short", "two octets",
		"hex", "hex of the last octets", "groups", "some groups", "one group")
}

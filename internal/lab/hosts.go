package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/evidence"
)

// Host is one host of a World, as its zone text describes it.
type Host struct {
	Address netip.Addr
	Helo    string // the HELO argument, "" for none
	Title   string // what the host shows
	Expect  string // the iprev result, in the words of RFC 8601 §2.7.3
}

// Hosts returns the hosts that the text described, in its order.
func (w *World) Hosts() []Host { return slices.Clone(w.hosts) }

func parseHost(fields []string) (Host, error) {
	if len(fields) < 4 {
		return Host{}, errors.New("want ;= ADDRESS HELO RESULT TITLE")
	}
	addr, err := netip.ParseAddr(fields[0])
	if err != nil {
		return Host{}, fmt.Errorf("bad address %q", fields[0])
	}
	h := Host{Address: addr, Helo: fields[1], Expect: fields[2], Title: strings.Join(fields[3:], " ")}
	if h.Helo == "-" {
		h.Helo = ""
	}
	var result evidence.Result
	if err := result.UnmarshalText([]byte(h.Expect)); err != nil {
		return Host{}, err
	}
	return h, nil
}

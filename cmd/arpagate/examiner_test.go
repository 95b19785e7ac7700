package main

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/config"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/lab"
)

// machine is one with these addresses.
type machine []netip.Addr

func (m machine) Interfaces() ([]netip.Addr, error) { return m, nil }

func (m machine) Source(netip.Addr) (netip.Addr, error) { return netip.Addr{}, errors.New("no route") }

// TestEgress asks a service for the address that others see.
func TestEgress(t *testing.T) {
	world, err := lab.Parse("whoami.example.net A 203.0.113.9\nwhoami.example.net TXT \"203.0.113.10\"\n")
	if err != nil {
		t.Fatal(err)
	}
	server := serving(t, world)
	private := netip.MustParseAddr("10.0.0.5")
	for _, test := range []struct {
		name, kind string
		machine    machine
		servers    []netip.AddrPort
		want       []netip.Addr
	}{
		{"behind a gateway", "A", machine{private}, []netip.AddrPort{server}, []netip.Addr{netip.MustParseAddr("203.0.113.9"), private}},
		{"by a text", "TXT", machine{private}, []netip.AddrPort{server}, []netip.Addr{netip.MustParseAddr("203.0.113.10"), private}},
		{"nobody is asked", "A", machine{private}, nil, []netip.Addr{private}},
		{"a service that is down", "A", machine{private}, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:1")}, []netip.Addr{private}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := config.Default()
			c.DNS.Timeout = time.Second
			c.Doctor.Egress = config.Egress{Servers: test.servers, Name: dnsname.MustParse("whoami.example.net"), Type: test.kind}
			x := examiner{config: c, machine: test.machine, now: time.Now}
			if got, err := x.egress(t.Context()); err != nil || !slices.Equal(got, test.want) {
				t.Errorf("got %v, %v; want %v", got, err, test.want)
			}
		})
	}
	x := examiner{config: config.Default(), machine: machine{netip.MustParseAddr("127.0.0.1")}, now: time.Now}
	var f *failure
	if got, err := x.egress(t.Context()); !errors.As(err, &f) || f.hint == "" {
		t.Errorf("a machine that sends nothing: got %v, %v", got, err)
	}
}

// TestOwnName wants something to say in EHLO from every machine.
func TestOwnName(t *testing.T) {
	for _, test := range []struct{ helo, site, want string }{
		{"doctor.example.org", "mx.example.org", "doctor.example.org"},
		{"", "mx.example.org", "mx.example.org"},
	} {
		c := config.Default()
		c.Doctor.Helo, c.Site.Name = test.helo, test.site
		if got := (&examiner{config: c, machine: machine{}}).helo(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// TestProgress wants one line that is rewritten, no wider than the terminal and
// gone at the end, and nothing where nobody watches.
func TestProgress(t *testing.T) {
	var screen bytes.Buffer
	now := time.Unix(0, 0)
	p := &progress{to: &screen, width: 40, now: func() time.Time { now = now.Add(time.Second); return now }}
	p.begin("203.0.113.9", 2, 3)
	p.tell(doctor.Event{Part: "the reverse zone of 203.0.113.9 \x1b[2J", Parts: 1})
	p.tell(doctor.Event{Part: "port 25 of 203.0.113.9", Parts: 2})
	p.tell(doctor.Event{Part: "the reverse zone of 203.0.113.9 \x1b[2J", Ended: true, Done: 1, Parts: 2})
	p.clear()
	said := screen.String()
	if strings.ContainsAny(said, "\n\x1b") || !strings.Contains(said, "203.0.113.9 (2 of 3): 0 of 1 done, wait") {
		t.Errorf("said %q", said)
	}
	lines := strings.Split(said, "\r")
	for _, line := range lines {
		if len(line) > 39 {
			t.Errorf("%d columns: %q", len(line), line)
		}
	}
	if last := lines[len(lines)-2]; strings.TrimSpace(last) != "" {
		t.Errorf("it ends with %q", last)
	}
	p.tell(doctor.Event{Part: "late"})
	if screen.String() != said {
		t.Errorf("said after the end: %q", screen.String()[len(said):])
	}
	silent := (&app{stderr: &screen, env: nothing, now: time.Now}).newProgress()
	silent.begin("x", 1, 1)
	silent.tell(doctor.Event{Part: "y"})
	silent.clear()
	if screen.String() != said {
		t.Error("said something without a terminal")
	}
}

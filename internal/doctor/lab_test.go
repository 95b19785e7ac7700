package doctor_test

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dialer"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/gate"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/resolver/authority"
	"github.com/arpagate/arpagate/internal/smtpprobe"
	"github.com/arpagate/arpagate/internal/spf"
)

// TestLabHosts examines every host of the lab world with the real authority and
// the real prober, over loopback sockets: each shows what its title says.
func TestLabHosts(t *testing.T) {
	const golden = "testdata/labhosts.txt"
	world := lab.Default()
	// A machine under load delays each greeting, so that no delay counts here.
	d := doctorOf(t, world, time.Minute)
	hosts := world.Hosts()
	lines := make([]string, len(hosts))
	var all sync.WaitGroup
	turns := make(chan struct{}, 16)
	for i, h := range hosts {
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			target := doctor.Target{Address: h.Address, Own: true, Relay: true}
			if h.Helo != "" {
				target.Helo = &h.Helo
			}
			_, found, _ := strings.Cut(summary(d.Examine(ctx, target)), "\n")
			lines[i] = fmt.Sprintf("%s\n%s", h.Title, found)
		})
	}
	all.Wait()
	got := strings.Join(lines, "\n")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	held, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(string(held), "\n\n")
	for i, line := range strings.Split(got, "\n\n") {
		if i >= len(want) || strings.TrimSpace(line) != strings.TrimSpace(want[i]) {
			t.Errorf("not in %s (go test -update writes it anew):\n%s", golden, line)
		}
	}
}

// TestDelayedGreeting: a server that greets late on purpose is told as that, and
// as nothing else.
func TestDelayedGreeting(t *testing.T) {
	t.Parallel()
	world, err := lab.Parse(`
ptr 203.0.113.103 tarpit.example.org
tarpit.example.org A 203.0.113.103
smtp 203.0.113.103 name=tarpit.example.org delay=2s
`)
	if err != nil {
		t.Fatal(err)
	}
	x := doctorOf(t, world, time.Second).Examine(t.Context(), doctor.Target{Address: netip.MustParseAddr("203.0.113.103")})
	if len(x.Servers) != 1 || x.Verdict != doctor.Pass || len(x.Servers[0].Problems) != 1 || x.Servers[0].Problems[0].Cause.Code != finding.SMTPDelayed {
		t.Errorf("found:\n%s", summary(x))
	}
}

// doctorOf makes a doctor for whom the world is all there is.
func doctorOf(t *testing.T, world *lab.World, delay time.Duration) *doctor.Doctor {
	t.Helper()
	servers, err := world.ListenNameServers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Close)
	mail, err := world.ListenSMTP(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mail.Close)
	at := servers.Map()
	maps.Copy(at, mail.Map())
	dial, err := dialer.New(dialer.Config{Map: at})
	if err != nil {
		t.Fatal(err)
	}
	zones, err := authority.New(authority.Config{DNS: world, Dial: dial.Dial, Try: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	probe, err := smtpprobe.New(smtpprobe.Config{
		Dialer: dial, Name: "doctor.example.net", Roots: mail.Roots(), Delay: delay, Step: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	rules, err := decision.Preset("careful")
	if err != nil {
		t.Fatal(err)
	}
	return doctor.New(doctor.Config{
		Gate: gate.New(gate.Config{
			DNS: world, Policy: gate.Policy{Rules: rules}, Now: time.Now, Rand: func() uint64 { return 1 }, Budget: time.Minute, Thorough: true,
		}),
		DNS: world, Authority: zones, Prober: probe, SPF: spf.Senders, Now: time.Now,
	})
}

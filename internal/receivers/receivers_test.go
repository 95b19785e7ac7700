package receivers_test

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/lab"
	"github.com/arpagate/arpagate/internal/receivers"
	"github.com/arpagate/arpagate/internal/untrusted"
)

var update = flag.Bool("update", false, "write testdata/verdicts.txt anew: read the difference")

// world holds an address for each kind of identity.
const world = `
ptr 192.0.2.25 mail.example.org
mail.example.org A 192.0.2.25
ptr 192.0.2.26 other.example.org
other.example.org A 198.51.100.26
good.example.org A 192.0.2.26
ptr 192.0.2.27 dsl-192-0-2-27.pool.example.net
dsl-192-0-2-27.pool.example.net A 192.0.2.27
ptr 192.0.2.28 static-192-0-2-28.example.net
static-192-0-2-28.example.net A 192.0.2.28
!servfail 192.0.2.29
ptr 192.0.2.30 slow.example.org
!timeout slow.example.org
ptr 192.0.2.31 192.0.2.31
ptr 192.0.2.32 mail.example.com
ptr 192.0.2.32 gone.example.net
mail.example.com A 192.0.2.32
ptr 2001:db8::25 mail6.example.org
mail6.example.org AAAA 2001:db8::25
ptr 2001:db8::26 gone.example.org
bare.example.org A 192.0.2.1
bare.example.org AAAA 2001:db8::1
mail6.example.org AAAA 2001:db8::26
elsewhere.example.org A 198.51.100.1
!servfail trouble.example.org
`

// identity asks the world about a client, as the doctor does.
func identity(t testing.TB, addr, helo string) receivers.Identity {
	t.Helper()
	w, err := lab.Parse(world)
	if err != nil {
		t.Fatal(err)
	}
	conn := facts.Conn{Client: netip.MustParseAddr(addr), Helo: untrusted.New(helo), HeloKnown: helo != "-"}
	g := evidence.Gatherer{DNS: w, Now: func() time.Time { return time.Unix(1_800_000_000, 0) }, Thorough: true}
	view := g.View(t.Context(), conn)
	return receivers.Identity{View: view, Findings: finding.Of(conn, view)}
}

func open(t testing.TB) *receivers.Book {
	t.Helper()
	b, err := receivers.Open()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// identities are the columns of testdata/verdicts.txt.
var identities = []struct{ title, addr, helo string }{
	{"in order", "192.0.2.25", "mail.example.org"},
	{"in order, HELO not known", "192.0.2.25", "-"},
	{"no PTR record", "192.0.2.1", "bare.example.org"},
	{"no PTR record, IPv6", "2001:db8::1", "bare.example.org"},
	{"in order, IPv6", "2001:db8::25", "mail6.example.org"},
	{"name leads elsewhere", "192.0.2.26", "good.example.org"},
	{"name does not exist, IPv6", "2001:db8::26", "mail6.example.org"},
	{"generic name", "192.0.2.27", "dsl-192-0-2-27.pool.example.net"},
	{"generic name of a server", "192.0.2.28", "mail.example.org"},
	{"PTR record names no host", "192.0.2.31", "mail.example.org"},
	{"several names, one confirmed", "192.0.2.32", "mail.example.com"},
	{"PTR query fails", "192.0.2.29", "mail.example.org"},
	{"forward query fails", "192.0.2.30", "mail.example.org"},
	{"HELO is a bare address", "192.0.2.25", "192.0.2.25"},
	{"HELO is another's bare address", "192.0.2.25", "198.51.100.25"},
	{"HELO is a literal", "192.0.2.25", "[192.0.2.25]"},
	{"HELO of one label", "192.0.2.25", "mail"},
	{"HELO localhost", "192.0.2.25", "localhost"},
	{"HELO of a private suffix", "192.0.2.25", "mail.example.local"},
	{"HELO does not exist", "192.0.2.25", "nobody.example.org"},
	{"HELO leads elsewhere", "192.0.2.25", "elsewhere.example.org"},
	{"HELO of another organization", "192.0.2.25", "mail.example.com"},
	{"HELO query fails", "192.0.2.25", "trouble.example.org"},
	{"no HELO name", "192.0.2.25", ""},
}

// TestVerdicts holds each receiver against each identity.
func TestVerdicts(t *testing.T) {
	const path = "testdata/verdicts.txt"
	b := open(t)
	var out strings.Builder
	for _, who := range identities {
		fmt.Fprintf(&out, "# %s (%s, HELO %q)\n", who.title, who.addr, who.helo)
		for _, v := range b.Judge(identity(t, who.addr, who.helo)) {
			fmt.Fprintf(&out, "%-50s %s\n", v.Receiver, short(v))
		}
		out.WriteString("\n")
	}
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, wanted := strings.Split(out.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(got), len(wanted)) {
		if i >= len(got) || i >= len(wanted) || got[i] != wanted[i] {
			t.Fatalf("line %d of %s differs: got %q", i+1, path, got[min(i, len(got)-1)])
		}
	}
}

func short(v receivers.Verdict) string {
	s := string(v.Effect)
	if v.Points != 0 {
		s += fmt.Sprintf(" %.4g", v.Points)
	}
	for _, r := range v.Rules {
		s += " " + r.ID
		if r.Code != "" {
			s += "(" + string(r.Code) + ")"
		}
	}
	if len(v.Open) > 0 {
		s += "; open: " + strings.Join(v.Open, " ")
	}
	return s
}

// Package doctor_test proves the examination on a small world that is broken in
// known ways: each target has one planted fault, and the report must name that
// fault, the party that can mend it, and nothing else. Where the report prints
// a remedy, the remedy is applied as it is printed, and the next examination
// has to pass at the time that was promised. All of it is in one network
// namespace without a way out:
//
//	┌──────────────────────────────────────────────────────────────────────────┐
//	│ arpagate check ──── 127.0.0.1:53 unbound (caches, validates)             │
//	│   │  guarded dialer:                 │                                   │
//	│   │  192.0.2.53 is 127.0.2.53        ├── 192.0.2.1   NSD: root, signed   │
//	│   │                                  ├── 192.0.2.51, .52  NSD: files     │
//	│   │                                  ├── 192.0.2.53  Knot: takes updates │
//	│   ├─ each name server by itself ─────┼── 192.0.2.54  NSD: follows Knot   │
//	│   │                                  ├── 192.0.2.55  NSD: lame           │
//	│   │                                  └── 192.0.2.56  silence             │
//	│   │                                                                      │
//	│   └─ port 25 ── 203.0.113.x, 198.51.100.x, 2001:db8:113::x               │
//	│                 Postfix with a service for each, Postfix, Exim, OpenSMTPD│
//	└──────────────────────────────────────────────────────────────────────────┘
//
// The addresses of documentation are addresses of the loopback device there, so
// that unbound walks down from the root as it does in the world, and tools that
// know nothing of labs can be run beside the doctor.
package doctor_test

import (
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/arpagate/arpagate/internal/testneed"
	"github.com/arpagate/arpagate/test/netlab"
)

// site is the whole set-up.
type site struct {
	*netlab.World
	universe *universe
	hosts    []host
	ca       *authority
	fixed    *nsd
	exim     *netlab.Process
	smtpd    *netlab.Process
	local    map[netip.Addr]bool
}

// eximUser is the user that Debian's package would make, had it been installed.
const eximUser = 64901

// need ends the test on machines that can't run it.
func need(t *testing.T) {
	t.Helper()
	testneed.Root(t)
	testneed.Command(t, "ip", "nft", "nsd", "unbound", "knotd", "nsupdate", "ldns-keygen", "ldns-signzone", "postfix")
	for _, program := range []string{"usr/sbin/exim4", "usr/sbin/smtpd"} {
		if _, err := os.Stat(debian(t, program)); err != nil {
			testneed.Missing(t, "bin/debian/"+program+" (test/setup unpacks it)")
		}
	}
	// Debian keeps daemons where an ordinary user's PATH does not look.
	t.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
}

func newSite(t *testing.T, worlds []world) *site {
	t.Helper()
	need(t)
	s := &site{World: netlab.New(t), universe: newUniverse(), local: map[netip.Addr]bool{}}
	s.BuildGate(t) // first, for what doesn't build needs no world
	s.ca = s.newAuthority(t)
	s.users(t)
	for i := range worlds {
		worlds[i].plant(s)
	}
	for _, h := range s.hosts {
		s.addLocal(t, h.addr)
		if h.second.IsValid() {
			s.addLocal(t, h.second)
		}
	}
	s.startDNS(t, s.universe)
	s.startMail(t)
	return s
}

// startMail runs the mail servers of all hosts.
func (s *site) startMail(t *testing.T) {
	t.Helper()
	var farm []host
	for _, h := range s.hosts {
		switch h.mta {
		case "":
			farm = append(farm, h)
		case "none":
		case "postfix":
			s.startPostfix(t, h, h.says)
		case "exim":
			s.exim = s.startExim(t, h, "primary_hostname = "+h.says)
		case "opensmtpd":
			s.smtpd = s.startSMTPD(t, h, "hostname "+h.says)
		}
	}
	s.startFarm(t, farm)
}

// users are added for processes of the namespace alone.
func (s *site) users(t *testing.T) {
	t.Helper()
	for file, lines := range map[string]string{
		"passwd": "Debian-exim:x:64901:64901::/nonexistent:/usr/sbin/nologin\n" +
			"opensmtpd:x:64902:64902::/nonexistent:/usr/sbin/nologin\nopensmtpq:x:64903:64903::/nonexistent:/usr/sbin/nologin\n",
		"group": "Debian-exim:x:64901:\nopensmtpd:x:64902:\nopensmtpq:x:64903:\n",
	} {
		b, err := os.ReadFile("/etc/" + file)
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, s.etc(file), string(b)+lines)
	}
}

// etc is a path that processes of the namespace see in /etc (ip-netns(8)).
func (s *site) etc(elem ...string) string {
	return filepath.Join(append([]string{"/etc/netns", s.Server.Name}, elem...)...)
}

// addLocal gives the namespace an address, on its loopback device.
func (s *site) addLocal(t *testing.T, a netip.Addr) {
	t.Helper()
	if s.local[a] {
		return
	}
	s.local[a] = true
	args := []string{"-n", s.Server.Name, "addr", "add", netip.PrefixFrom(a, a.BitLen()).String(), "dev", "lo"}
	if a.Is6() {
		args = append(args, "nodad")
	}
	run(t, exec.Command("ip", args...))
}

// write puts a file below the world's directory and returns its path.
func (s *site) write(t *testing.T, text string, elem ...string) string {
	t.Helper()
	path := s.Path(elem...)
	writeFile(t, path, text)
	return path
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run executes a short command and fails the test with its output.
func run(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

package dialer_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dialer"
)

func open(t *testing.T, c dialer.Config) *dialer.Dialer {
	t.Helper()
	d, err := dialer.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// why names the reason for which a connection is barred.
func why(err error) string {
	var barred *dialer.Barred
	var over *dialer.OverBudget
	switch {
	case err == nil:
		return "allowed"
	case errors.As(err, &barred):
		return barred.Why
	case errors.As(err, &over):
		return "over " + over.Scope
	}
	return err.Error()
}

// TestBarredNeverConnects: a listener that would take everybody gets no
// connection from a barred attempt; the first one that it gets is a later one.
func TestBarredNeverConnects(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	at := listener.Addr().(*net.TCPAddr).AddrPort()
	d := open(t, dialer.Config{Services: []dialer.Service{{Network: "tcp", Port: at.Port(), PerAddress: 9, PerNetwork: 9, AtOnce: 9}}})
	for _, to := range []netip.AddrPort{at, netip.AddrPortFrom(netip.MustParseAddr("::ffff:127.0.0.1"), at.Port())} {
		if c, err := d.Dial(t.Context(), "tcp", to); why(err) != "loopback" {
			t.Fatalf("%s: %v, %v", to, c, err)
		}
	}
	if n := d.Remembered(); n != 0 {
		t.Errorf("%d targets charged for connections that were barred", n)
	}
	var plain net.Dialer
	mine, err := plain.DialContext(t.Context(), "tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer mine.Close()
	first, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if first.RemoteAddr().String() != mine.LocalAddr().String() {
		t.Errorf("the listener was reached from %s before", first.RemoteAddr())
	}
}

func TestPorts(t *testing.T) {
	d := open(t, dialer.Config{})
	for _, tt := range []struct{ network, to, want string }{
		{"tcp", "127.0.0.1:25", "loopback"},
		{"tcp", "127.0.0.1:53", "loopback"},
		{"udp", "127.0.0.1:53", "loopback"},
		{"udp", "127.0.0.1:25", "port"},
		{"tcp", "127.0.0.1:587", "port"},
		{"tcp", "127.0.0.1:443", "port"},
		{"tcp", "127.0.0.1:0", "port"},
		{"unix", "127.0.0.1:25", "port"},
		{"ip4:icmp", "127.0.0.1:25", "port"},
	} {
		if _, err := d.Dial(t.Context(), tt.network, netip.MustParseAddrPort(tt.to)); why(err) != tt.want {
			t.Errorf("%s %s: %v, want %s", tt.network, tt.to, err, tt.want)
		}
	}
	if _, err := d.Dial(t.Context(), "tcp", netip.AddrPort{}); why(err) != "none" {
		t.Errorf("no address: %v", err)
	}
}

// lab serves TCP and UDP on loopback, and returns the map that leads to it.
func lab(t *testing.T, addrs ...string) map[netip.AddrPort]netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		for c, err := listener.Accept(); err == nil; c, err = listener.Accept() {
			_ = c.Close()
		}
	})
	t.Cleanup(func() { listener.Close(); wait.Wait() })
	m := map[netip.AddrPort]netip.AddrPort{}
	for _, a := range addrs {
		m[netip.MustParseAddrPort(a)] = listener.Addr().(*net.TCPAddr).AddrPort()
	}
	return m
}

func TestMap(t *testing.T) {
	d := open(t, dialer.Config{
		Map:     lab(t, "192.0.2.1:25", "[2001:db8::1]:25", "10.0.0.1:25", "[::ffff:192.0.2.2]:25", "192.0.2.1:587"),
		Sources: []netip.Addr{netip.MustParseAddr("192.0.2.200"), netip.MustParseAddr("2001:db8::200")}, // never bound to loopback
	})
	for addr, want := range map[string]string{
		"192.0.2.1:25": "allowed", "[2001:db8::1]:25": "allowed", "10.0.0.1:25": "allowed",
		"192.0.2.2:25": "allowed", "[::ffff:192.0.2.1]:25": "allowed",
		"192.0.2.1:587": "port", // a map opens no other port
		"192.0.2.3:25":  "documentation",
	} {
		c, err := d.Dial(t.Context(), "tcp", netip.MustParseAddrPort(addr))
		if got := why(err); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
		if err == nil {
			_ = c.Close()
		}
	}
}

func TestConfig(t *testing.T) {
	lead := func(from, to string) map[netip.AddrPort]netip.AddrPort {
		f, _ := netip.ParseAddrPort(from)
		a, _ := netip.ParseAddrPort(to)
		return map[netip.AddrPort]netip.AddrPort{f: a}
	}
	for want, c := range map[string]dialer.Config{
		"loopback address":               {Map: lead("192.0.2.1:25", "192.0.2.2:25")},
		`"10.0.0.1:25": want a port`:     {Map: lead("192.0.2.1:25", "10.0.0.1:25")},
		`"127.0.0.1:0": want a port`:     {Map: lead("192.0.2.1:25", "127.0.0.1:0")},
		`map of "invalid AddrPort"`:      {Map: lead("", "127.0.0.1:25")},
		`to "invalid AddrPort"`:          {Map: lead("192.0.2.1:25", "")},
		"service icmp/25":                {Services: []dialer.Service{{Network: "icmp", Port: 25}}},
		"service tcp/0":                  {Services: []dialer.Service{{Network: "tcp"}}},
		"service tcp/25: a budget":       {Services: []dialer.Service{{Network: "tcp", Port: 25, PerAddress: 1, AtOnce: 1}}},
		`own address "0.0.0.0:25"`:       {Own: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:25")}},
		`own address "invalid AddrPort"`: {Own: []netip.AddrPort{{}}},
		`source address "invalid IP"`:    {Sources: []netip.Addr{{}}},
		`source address "192.0.2.2"`:     {Sources: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}},
	} {
		if _, err := dialer.New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want one with %q", err, want)
		}
	}
}

// clock is set by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) pass(d time.Duration) { c.mu.Lock(); defer c.mu.Unlock(); c.now = c.now.Add(d) }

// dial opens a connection and closes it.
func dial(t *testing.T, d *dialer.Dialer, to string) error {
	t.Helper()
	c, err := d.Dial(t.Context(), "tcp", netip.MustParseAddrPort(to))
	if err == nil {
		_ = c.Close()
	}
	return err
}

func TestBudgets(t *testing.T) {
	clk := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	d := open(t, dialer.Config{
		Services: []dialer.Service{{Network: "tcp", Port: 25, PerAddress: 2, PerNetwork: 3, AtOnce: 5}},
		Window:   time.Minute, Now: clk.Now,
		Map: lab(t, "192.0.2.1:25", "192.0.2.2:25", "192.0.2.203:25", "198.51.100.1:25",
			"[2001:db8:1::1]:25", "[2001:db8:1:ffff::1]:25", "[2001:db8:1:2::1]:25", "[2001:db8:2::1]:25"),
	})
	steps := []struct {
		after time.Duration
		to    string
		want  string
	}{
		{0, "192.0.2.1:25", "allowed"},
		{10 * time.Second, "192.0.2.1:25", "allowed"},
		{0, "192.0.2.1:25", "over address"},
		{0, "192.0.2.2:25", "allowed"},
		{0, "192.0.2.203:25", "over network"},
		{0, "198.51.100.1:25", "allowed"},
		{49 * time.Second, "192.0.2.1:25", "over address"},
		{time.Second, "192.0.2.1:25", "allowed"}, // the first is a minute old
		{0, "192.0.2.1:25", "over address"},
		{0, "[2001:db8:1::1]:25", "allowed"},
		{0, "[2001:db8:1:ffff::1]:25", "allowed"},
		{0, "[2001:db8:1:2::1]:25", "allowed"},
		{0, "[2001:db8:1:ffff::1]:25", "over network"},
		{0, "[2001:db8:2::1]:25", "allowed"},
	}
	for i, s := range steps {
		clk.pass(s.after)
		if got := why(dial(t, d, s.to)); got != s.want {
			t.Errorf("step %d, %s: %s, want %s", i, s.to, got, s.want)
		}
	}
	var over *dialer.OverBudget
	if err := dial(t, d, "192.0.2.1:25"); !errors.As(err, &over) || over.Limit != 2 || !over.Until.Equal(clk.Now().Add(10*time.Second)) {
		t.Errorf("%+v, want the limit of 2 and the time at which the second is a minute old", over)
	}
}

func TestOpenAtOnce(t *testing.T) {
	d := open(t, dialer.Config{
		Services: []dialer.Service{{Network: "tcp", Port: 25, PerAddress: 99, PerNetwork: 99, AtOnce: 2}},
		AtOnce:   3, Map: lab(t, "192.0.2.1:25", "192.0.2.2:25"),
	})
	var held []net.Conn
	for i, want := range []string{"allowed", "allowed", "over open"} {
		c, err := d.Dial(t.Context(), "tcp", netip.MustParseAddrPort("192.0.2.1:25"))
		if why(err) != want {
			t.Fatalf("%d: %v, want %s", i, err, want)
		}
		held = append(held, c)
	}
	other, err := d.Dial(t.Context(), "tcp", netip.MustParseAddrPort("192.0.2.2:25"))
	if err != nil {
		t.Fatal(err)
	}
	if err := dial(t, d, "192.0.2.2:25"); why(err) != "over open" {
		t.Errorf("a fourth of three: %v", err)
	}
	for range 3 { // closing twice gives one place back
		_ = held[0].Close()
	}
	again, err := d.Dial(t.Context(), "tcp", netip.MustParseAddrPort("192.0.2.1:25"))
	if err != nil {
		t.Fatal(err)
	}
	if err := dial(t, d, "192.0.2.2:25"); why(err) != "over open" {
		t.Errorf("a fourth of three, after one was closed three times: %v", err)
	}
	_ = again.Close()
	_, _ = held[1].Close(), other.Close()
	for range 5 {
		if err := dial(t, d, "192.0.2.1:25"); err != nil {
			t.Error(err)
		}
	}
}

// TestRefused: a connection that fails gives its place back, and stays charged.
func TestRefused(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := listener.Addr().(*net.TCPAddr).AddrPort()
	_ = listener.Close()
	to := netip.MustParseAddrPort("192.0.2.1:25")
	d := open(t, dialer.Config{
		Services: []dialer.Service{{Network: "tcp", Port: 25, PerAddress: 3, PerNetwork: 9, AtOnce: 1}},
		Map:      map[netip.AddrPort]netip.AddrPort{to: at},
	})
	for range 3 {
		if _, err := d.Dial(t.Context(), "tcp", to); err == nil || strings.HasPrefix(why(err), "over") {
			t.Fatalf("%v, want an error of the network", err)
		}
	}
	if _, err := d.Dial(t.Context(), "tcp", to); why(err) != "over address" {
		t.Errorf("fourth of three: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := d.Dial(ctx, "tcp", to); err == nil {
		t.Error("dialled after the end of the context")
	}
}

func TestDatagrams(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	to := netip.MustParseAddrPort("192.0.2.53:53")
	d := open(t, dialer.Config{Map: map[netip.AddrPort]netip.AddrPort{to: server.LocalAddr().(*net.UDPAddr).AddrPort()}})
	c, err := d.Dial(t.Context(), "udp", to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("?")); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 9)
	if n, _, err := server.ReadFrom(buf); err != nil || string(buf[:n]) != "?" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	if _, err := d.Dial(t.Context(), "udp", netip.MustParseAddrPort("127.0.0.53:53")); why(err) != "loopback" {
		t.Errorf("a datagram to loopback: %v", err)
	}
}

// TestMemory: a walk through many networks is bounded, and forgotten.
func TestMemory(t *testing.T) {
	clk := &clock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	d := open(t, dialer.Config{Window: time.Minute, Now: clk.Now})
	ask := func(i int) error {
		peer := netip.MustParseAddrPort(fmt.Sprintf("[2600:%x:%x::1]:25", i/65536, i%65536))
		return d.Control(peer, peer)
	}
	for i := range dialer.MaxTargets/2 + 10 {
		if got, want := why(ask(i)), i < dialer.MaxTargets/2; (got == "allowed") != want {
			t.Fatalf("target %d: %s", i, got)
		}
	}
	if got := why(ask(1 << 20)); got != "over table" {
		t.Errorf("one target too many: %s", got)
	}
	clk.pass(time.Minute)
	if got := why(ask(1 << 20)); got != "allowed" || d.Remembered() != 2 {
		t.Errorf("after the window: %s, %d targets", got, d.Remembered())
	}
}

// TestSecondSocket: the system's library may try one connection with two sockets,
// which is charged once.
func TestSecondSocket(t *testing.T) {
	d := open(t, dialer.Config{Services: []dialer.Service{{Network: "tcp", Port: 25, PerAddress: 1, PerNetwork: 1, AtOnce: 1}}})
	peer := netip.MustParseAddrPort("192.175.48.1:25")
	if err := d.Control(peer, peer, peer); err != nil {
		t.Error(err)
	}
	if got := why(d.Control(peer, peer)); got != "over address" {
		t.Errorf("another connection: %s", got)
	}
}

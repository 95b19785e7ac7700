package milterd_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/milterd"
	"github.com/arpagate/arpagate/internal/reply"
)

const forged = "Authentication-Results\x00mx.example.org; iprev=pass policy.iprev=192.0.2.66\x00"

// fields begins a message that passes, sends the header fields and returns
// what is to be deleted from it.
func fields(t *testing.T, send ...string) ([]uint32, *peer) {
	t.Helper()
	p := dial(t, always(pass))
	p.begin()
	for _, field := range send {
		p.send('L', field)
	}
	p.send('E')
	indices, inserted := p.deletions()
	if !slices.Equal(inserted, []string{resultHeader}) {
		t.Errorf("inserted %q, want our field once", inserted)
	}
	if got := p.h.Stats().Headers; got != int64(len(send)) {
		t.Errorf("%d fields counted, want %d", got, len(send))
	}
	if got := p.h.Stats().ForgedRemoved; got != int64(len(indices)) {
		t.Errorf("%d removals counted, want %d", got, len(indices))
	}
	return indices, p
}

func TestOddFields(t *testing.T) {
	rows := []struct {
		name  string
		field string
		times int
	}{
		{"M092 empty name", "\x00mx.example.org\x00", 1},
		{"M092 nothing", "", 1},
		{"M093 name with colon", "Authentication-Results:\x00mx.example.org\x00", 1},
		{"M094 name with blank", "Authentication Results\x00mx.example.org\x00", 1},
		{"M095 value of 1 MiB", "Subject\x00" + strings.Repeat("x", 1<<20) + "\x00", 1},
		{"M096 10000 fields", "Subject\x00hello\x00", 10000},
		{"M097 bare CR", "Subject\x00hello\rworld\x00", 1},
		{"M098 NUL", "Subject\x00hello\x00world\x00", 1},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			indices, p := fields(t, slices.Repeat([]string{row.field}, row.times)...)
			if len(indices) > 0 {
				t.Errorf("deletes %v", indices)
			}
			p.alive()
		})
	}
}

// TestForged puts forged fields between honest ones.
func TestForged(t *testing.T) {
	rows := []struct {
		name string
		n    int
	}{
		{"M099 1 of them", 1},
		{"M100 2 of them", 2},
		{"M101 5 of them", 5},
		{"M102 50 of them", 50},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			var send []string
			var want []uint32
			for i := range row.n {
				send = append(send, "Received\x00by mx.example.org\x00", "Authentication-Results\x00relay.example.net; none\x00", forged)
				want = append(want, uint32(2*i+2))
			}
			slices.Reverse(want)
			if indices, _ := fields(t, send...); !slices.Equal(indices, want) {
				t.Errorf("deletes %v, want %v: from the last to the first", indices, want)
			}
		})
	}
}

// TestIdentifier is about what identifies us in a field.
func TestIdentifier(t *testing.T) {
	const name = "Authentication-Results\x00"
	rows := []struct {
		name  string
		field string
		ours  bool
	}{
		{"M103 other case", name + "MX.Example.ORG; iprev=pass\x00", true},
		{"M104 quoted", name + `"mx.example.org"; iprev=pass` + "\x00", true},
		{"M104 quoted, with quoted pairs", name + `"mx\.example.\o\rg" 1; iprev=pass` + "\x00", true},
		{"M104 quoted, open", name + `"mx.example.org; iprev=pass` + "\x00", false},
		{"M105 comment", name + "(x) mx.example.org; iprev=pass\x00", true},
		{"M105 nested comment", name + `(x (y\)) z)(w)mx.example.org(v);` + "\x00", true},
		{"M105 in a comment only", name + "(mx.example.org) relay.example.net; none\x00", false},
		{"M105 open comment", name + "(mx.example.org; iprev=pass\x00", false},
		{"M106 folded over 3 lines", name + "\r\n\t\n (x\n y)\r\n mx.example.org\n\t; iprev=pass\x00", true},
		{"M107 version", name + "mx.example.org 1; iprev=pass\x00", true},
		{"M107 version in a comment's company", name + "mx.example.org (x) 1 (y); iprev=pass\x00", true},
		{"M108 trailing dot", name + "mx.example.org.; iprev=pass\x00", true},
		{"M109 sub-domain", name + "a.mx.example.org; iprev=pass\x00", false},
		{"M109 longer name", name + "mx.example.org.example.net; iprev=pass\x00", false},
		{"M110 homograph", name + "mx.example.or\u0261; iprev=pass\x00", false},
		{"M110 sign for kelvin", name + "m\u212a.example.org; iprev=pass\x00", false},
		{"M111 blank after the name", "Authentication-Results \x00mx.example.org; iprev=pass\x00", false},
		{"M112 lower case", "authentication-results\x00mx.example.org; iprev=pass\x00", true},
		{"M113 underscore", "Authentication_Results\x00mx.example.org; iprev=pass\x00", false},
		{"no result", name + "mx.example.org\x00", true},
		{"no identifier", name + "; iprev=pass\x00", false},
		{"empty", name + "\x00", false},
		{"NUL within", name + "mx.example.org\x00; iprev=pass\x00", true},
		{"hidden behind 64 KiB", name + "(" + strings.Repeat("x", 80<<10) + ")mx.example.org; iprev=pass\x00", true},
		{"long, but of another", name + "relay.example.net;" + strings.Repeat(" x", 80<<10) + "\x00", false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			indices, _ := fields(t, row.field)
			if got := slices.Equal(indices, []uint32{1}); got != row.ours || len(indices) > 1 {
				t.Errorf("deletes %v, ours: %v", indices, row.ours)
			}
		})
	}
}

// TestIdentifierOfReply shows that a reply may name another identifier: the
// configuration was read anew.
func TestIdentifierOfReply(t *testing.T) {
	renamed := pass
	renamed.AuthservID, renamed.Header = "new.example.org.", "new.example.org; iprev=pass"
	p := dial(t, always(renamed))
	p.begin()
	p.send('L', forged)
	p.send('L', "Authentication-Results\x00new.example.org; iprev=pass\x00")
	p.send('E')
	indices, inserted := p.deletions()
	if !slices.Equal(indices, []uint32{2}) || !slices.Equal(inserted, []string{"new.example.org; iprev=pass"}) {
		t.Errorf("deletes %v, inserts %q", indices, inserted)
	}
}

// TestUnjudged shows that forged fields go even where no field of ours comes.
func TestUnjudged(t *testing.T) {
	p := dial(t, always(reply.Reply{Verb: reply.Pass}))
	p.begin()
	p.send('L', forged)
	p.send('E')
	if indices, inserted := p.deletions(); !slices.Equal(indices, []uint32{1}) || len(inserted) > 0 {
		t.Errorf("deletes %v, inserts %q", indices, inserted)
	}
}

// TestTooManyForged shows that a message is put off rather than passed on with
// some of its forged fields.
func TestTooManyForged(t *testing.T) {
	p := dial(t, always(pass))
	p.begin()
	frames := strings.Repeat(encode('L', forged), 4096)
	p.raw(frames)
	p.send('E')
	indices, _ := p.deletions()
	if len(indices) != 4096 || indices[0] != 4096 || indices[4095] != 1 {
		t.Errorf("%d deletions", len(indices))
	}
	p.envelope()
	p.want('c', "")
	p.raw(frames)
	p.send('L', forged)
	p.send('E')
	p.want('y', "451 4.7.1 Too many forged Authentication-Results fields\x00")
	p.alive()
}

// TestBody shows that a body that comes unasked is read and dropped.
func TestBody(t *testing.T) {
	rows := []struct {
		name string
		size int
	}{
		{"M114 65535 octets", 65535},
		{"M115 65536 octets", 65536},
		{"M116 1048576 octets", 1 << 20},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := dial(t, always(pass))
			p.begin()
			chunk := []byte(encode('B', strings.Repeat("x", row.size)))
			before := allocated()
			for range 4 {
				if _, err := p.c.Write(chunk); err != nil {
					t.Fatal(err)
				}
			}
			p.send('E')
			if _, inserted := p.deletions(); len(inserted) != 1 {
				t.Errorf("inserted %q", inserted)
			}
			if grown := allocated() - before; grown > 64<<10 {
				t.Errorf("%d octets allocated for a body", grown)
			}
		})
	}
}

func TestWithoutLeave(t *testing.T) {
	rows := []struct {
		name    string
		actions uint32
		want    string
	}{
		{"M123 nothing may be changed", 0, "c"},
		{"M123 fields may be added", 1 << 0, "ic"},
		{"M123 fields may be changed", 1 << 4, "mc"},
		{"M123 both", 1<<0 | 1<<4, "mic"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := dial(t, always(pass))
			p.offer(offerVersion, row.actions, offerProtocol)
			p.read()
			p.connect("203.0.113.9")
			p.envelope()
			p.want('c', "")
			p.send('L', forged)
			p.send('E')
			for _, want := range []byte(row.want) {
				if got, body := p.read(); got != want {
					t.Fatalf("answer %q %q, want %q", got, body, want)
				}
			}
		})
	}
}

// TestNoIdentifier shows that without an identifier no field is removed.
func TestNoIdentifier(t *testing.T) {
	p := dial(t, always(reply.Reply{}), func(h *milterd.Handler) { h.AuthservID = "" })
	p.begin()
	p.send('L', "Authentication-Results\x00; iprev=pass\x00")
	p.send('E')
	if indices, inserted := p.deletions(); len(indices)+len(inserted) > 0 {
		t.Errorf("deletes %v, inserts %q", indices, inserted)
	}
}

// TestIdentifierComesLater gives a site its first identifier while an MTA keeps
// the socket: the header must have been asked for from the beginning.
func TestIdentifierComesLater(t *testing.T) {
	g := always(reply.Reply{})
	p := dial(t, g, func(h *milterd.Handler) { h.AuthservID = "" })
	const message = `
		> M <alice@example.net>
		> R <bob@example.org>
		< c
		> L Authentication-Results relay.example.net; none
		> L Authentication-Results mx.example.org; iprev=pass policy.iprev=203.0.113.9
		> L Authentication-Results MX.example.org.; spf=pass
		> E
	`
	play(p, `
		> O 6 0x1ff 0x1fffff
		< O 6 0x111 0xf73d0 [0 {client_addr} {daemon_name} {daemon_addr} {daemon_port}] [2 {auth_authen}]
		> C mail.example.net 4 40123 203.0.113.9
		> H mail.example.net
	`+message+`
		< c
	`)
	g.answer = always(pass).answer
	play(p, message+`
		< m 3 Authentication-Results
		< m 2 Authentication-Results
		< i 0 Authentication-Results `+resultHeader+`
		< c
	`)
	g.answer = always(reply.Reply{}).answer // and loses it again
	play(p, message+`
		< c
		> Q
		< closed
	`)
}

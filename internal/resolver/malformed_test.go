package resolver_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/resolver"
)

// rr is a record by hand: the question's name as owner, class IN, TTL 300.
func rr(typ uint16, rdata ...byte) []byte {
	b := []byte{0xc0, 12}
	b = binary.BigEndian.AppendUint16(b, typ)
	b = append(b, 0, 1, 0, 0, 1, 0x2c)
	b = binary.BigEndian.AppendUint16(b, uint16(len(rdata)))
	return append(b, rdata...)
}

// label is one label on the wire.
func label(s string) []byte { return append([]byte{byte(len(s))}, s...) }

// wireName is a name of the given length in octets, all labels "a".
func wireName(octets int) []byte {
	var b []byte
	for len(b)+1 < octets {
		b = append(b, label(strings.Repeat("a", min(63, octets-len(b)-2)))...)
	}
	return append(b, 0)
}

const typePTR = 12

func TestMalformed(t *testing.T) {
	// answer sends one answer record whose octets are given; at is the offset
	// of its data in the message.
	answer := func(record func(at uint16) []byte) func(*call) {
		return func(c *call) {
			at := uint16(len(c.craft([3]uint16{}))) + 12
			c.send(c.craft([3]uint16{1, 0, 0}, record(at)...))
		}
	}
	data := func(make func(at uint16) []byte) func(*call) {
		return answer(func(at uint16) []byte { return rr(typePTR, make(at)...) })
	}
	pointer := func(to uint16) []byte { return []byte{0xc0 | byte(to>>8), byte(to)} }
	count := func(section int) func(*call) {
		var counts [3]uint16
		counts[section] = 65535
		return func(c *call) { c.send(c.craft(counts)) }
	}
	soon := func(t *testing.T, a evidence.Answer, _ *script, stats resolver.Stats) {
		if a.Took > 5*time.Second {
			t.Errorf("took %s", a.Took)
		}
		if stats.Malformed != 1 {
			t.Errorf("not counted: %+v", stats)
		}
	}
	bad := func(name string, do func(*call)) row { return row{name, do, evidence.Malformed, soon} }
	run(t, []row{
		bad("D053 ANCOUNT 65535 without a body", count(0)),
		bad("D054 NSCOUNT 65535 without a body", count(1)),
		bad("D055 ARCOUNT 65535 without a body", count(2)),
		bad("D056 pointer to itself", data(func(at uint16) []byte { return pointer(at) })),
		bad("D057 pointer forward", data(func(at uint16) []byte { return append(pointer(at+2), 0) })),
		bad("D058 two pointers in a loop", data(func(at uint16) []byte { return append(pointer(at+2), pointer(at)...) })),
		bad("D059 pointer past the end", data(func(uint16) []byte { return pointer(0x3fff) })),
		bad("D060 pointer into the header", data(func(uint16) []byte { return append([]byte{63}, pointer(0)...) })),
		bad("D061 chain of 127 pointers that end nowhere", data(func(at uint16) []byte {
			b := pointer(at)
			for i := range uint16(127) {
				b = append(b, pointer(at+2*i)...)
			}
			return b
		})),
		bad("D062 label type 0x40", data(func(uint16) []byte { return []byte{0x41, 'a', 0} })),
		bad("D063 label type 0x80", data(func(uint16) []byte { return []byte{0x81, 'a', 0} })),
		bad("D065 name of 256 octets", data(func(uint16) []byte { return wireName(256) })),
		bad("D066 name of 1000 octets", data(func(uint16) []byte { return wireName(1000) })),
		bad("D067 RDLENGTH larger than the packet", answer(func(uint16) []byte {
			b := rr(typePTR, label("a")...)
			b[11] = 200
			return b
		})),
		bad("D068 RDLENGTH 0", data(func(uint16) []byte { return nil })),
		bad("D069 RDLENGTH longer than the name", data(func(uint16) []byte { return append(label("a"), 0, 1, 2, 3) })),
		{"D070 1 octet of garbage behind", garbage(1), evidence.Found, nil},
		{"D071 512 octets of garbage behind", garbage(512), evidence.Found, nil},
		{"D072 60000 octets of garbage behind", garbage(60_000), evidence.Found, nil},
	})
}

// garbage appends octets to the right answer, over UDP and TCP.
func garbage(n int) func(*call) {
	return func(c *call) {
		b := c.pack(c.reply(0, "@ 300 IN PTR mail.example.org."))
		c.send(append(b, bytes.Repeat([]byte{0xff}, n)...))
	}
}

// TestNames sends PTR records with hostile or odd names: they must arrive,
// printable and unchanged but for their case.
func TestNames(t *testing.T) {
	long := strings.Repeat("a", 63)
	tests := []struct {
		name   string
		labels []string
		want   string
	}{
		{"D064 255 octets", []string{long, long, long, long[:61]}, long + "." + long + "." + long + "." + long[:61]},
		{"D085 the root", nil, "."},
		{"D086 localhost", []string{"localhost"}, "localhost"},
		{"D087 one label", []string{"mail"}, "mail"},
		{"D088 numeric", []string{"192", "0", "2", "1"}, "192.0.2.1"},
		{"D089 a reverse name", []string{"1", "2", "0", "192", "in-addr", "arpa"}, "1.2.0.192.in-addr.arpa"},
		{"D090 a star", []string{"*", "example"}, "*.example"},
		{"D091 hyphens", []string{"-h-", "example"}, "-h-.example"},
		{"D092 an underscore", []string{"a_b", "example"}, "a_b.example"},
		{"D093 markup", []string{"<script>alert(1)</script>"}, "<script>alert(1)</script>"},
		{"D094 a blank", []string{"a b"}, `a\032b`},
		{"D095 LF", []string{"a\nb"}, `a\010b`},
		{"D096 CR LF", []string{"a\r\nX-Evil: 1"}, `a\013\010x-evil:\0321`},
		{"D097 ESC", []string{"\x1b[2J"}, `\027[2j`},
		{"D098 NUL", []string{"\x00"}, `\000`},
		{"D099 a dot inside a label", []string{"a.b", "example"}, `a\.b.example`},
		{"D100 backslash", []string{`a\b`}, `a\\b`},
		{"D101 0xFF", []string{"\xff"}, `\255`},
		{"D102 UTF-8", []string{"é"}, `\195\169`},
		{"D103 a lookup", []string{"${jndi:ldap://x}"}, "${jndi:ldap://x}"},
		{"D104 SQL", []string{"'; DROP TABLE x;--"}, `';\032drop\032table\032x;--`},
		{"D105 a shell", []string{"$(reboot)"}, "$(reboot)"},
		{"D106 a set", []string{"{ 0.0.0.0/0 }"}, `{\0320\.0\.0\.0/0\032}`},
		{"D107 a pipe", []string{"|pipe|"}, "|pipe|"},
		{"D108 a format", []string{"%s%n"}, "%s%n"},
		{"D109 an empty A-label", []string{"xn--"}, "xn--"},
		{"D110 a broken A-label", []string{"xn--a"}, "xn--a"},
		{"D111 a homograph", []string{"xn--80ak6aa92e", "example"}, "xn--80ak6aa92e.example"},
		{"D112 an override", []string{"xn--\u202e"}, `xn--\226\128\174`},
		{"D113 63 octets", []string{strings.Repeat("a", 63)}, strings.Repeat("a", 63)},
		{"D114 mixed case", []string{"MaIl", "Example"}, "mail.example"},
	}
	s := serve(t, nil)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var name []byte
			for _, l := range tt.labels {
				name = append(name, label(l)...)
			}
			s.set(func(c *call) { c.send(c.craft([3]uint16{1, 0, 0}, rr(typePTR, append(name, 0)...)...)) })
			r := open(t, nil, s)
			for _, a := range []evidence.Answer{ask(t, r, ptr), ask(t, r, ptr)} {
				if a.State != evidence.Found || len(a.Names) != 1 || a.Names[0].String() != tt.want {
					t.Fatalf("cached %t: got %s %v, want %s", a.Cached, a.State, a.Names, tt.want)
				}
			}
		})
	}
}

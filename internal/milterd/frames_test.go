package milterd_test

import (
	"encoding/binary"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/milterd"
)

// The tests of this file and of sessions_test.go are the rows M of the list of
// hostile inputs; each subtest begins with the number of its row.

// quick shortens the wait for the rest of a frame.
func quick(h *milterd.Handler) { h.FrameTimeout = 200 * time.Millisecond }

func length(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }

// TestRefusedFrames sends what no MTA sends: the filter hangs up, with one line
// in the log, and holds no memory for it.
func TestRefusedFrames(t *testing.T) {
	const clientHello = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
	rows := []struct {
		name string
		send string
		// negotiated says that it comes after a good negotiation.
		negotiated bool
	}{
		{"M001 length 0", length(0), false},
		{"M001 length 0 later", length(0), true},
		{"M002 unknown command", length(1) + "z", true},
		{"M003 length 0xFFFFFFFF", length(0xFFFFFFFF) + "L", true},
		{"M004 length 0x7FFFFFFF", length(0x7FFFFFFF) + "L", true},
		{"M005 length 512 MiB", length(512<<20) + "L", true},
		{"M006 length 1 MiB and more than the slack", length(1<<20+65) + "L", true},
		{"M006 length 1 MiB + 1, never sent", length(1<<20+1) + "L", true},
		{"M007 length 128 MiB", length(128<<20) + "L", true},
		{"M008 one octet of the length", length(13)[:1], false},
		{"M009 two octets of the length", length(13)[:2], false},
		{"M010 three octets of the length", length(13)[:3], true},
		{"M013 C first", encode('C', "mail.example.net\x00", "4\x00\x19203.0.113.9\x00"), false},
		{"M014 D first", encode('D', "Cj\x00mx.example.org\x00"), false},
		{"M015 0x00 first", length(1) + "\x00", false},
		{"M016 0xFF first", length(1) + "\xff", false},
		{"M017 HTTP", "GET / HTTP/1.1\r\nHost: mx.example.org\r\n\r\n", false},
		{"M018 SMTP", "EHLO x\r\n", false},
		{"M019 TLS", clientHello, false},
		{"M020 PROXY", "PROXY TCP4 203.0.113.9 192.0.2.1 40000 25\r\n", false},
		{"M021 O of 0 octets", encode('O'), false},
		{"M022 O of 4 octets", encode('O', number(6)), false},
		{"M023 O of 8 octets", encode('O', number(6), number(0x1ff)), false},
		{"M024 O of 11 octets", encode('O', number(6), number(0x1ff), "\x00\x1f\xff"), false},
		{"M027 O version 0", encode('O', number(0), number(0x1ff), number(0x1fffff)), false},
		{"M028 O version 1", encode('O', number(1), number(0x1ff), number(0x1fffff)), false},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := dial(t, always(pass), quick)
			if row.negotiated {
				p.negotiate()
			}
			before := allocated()
			p.raw(row.send)
			p.closed()
			if grown := allocated() - before; grown > 1<<20 {
				t.Errorf("%d octets allocated for a bad frame", grown)
			}
			if logs := p.logged(); len(logs) != 1 {
				t.Errorf("%d lines logged, want one: %v", len(logs), logs)
			}
			if got := p.h.Stats().FramesRefused; got != 1 {
				t.Errorf("%d frames refused, want 1", got)
			}
			if len(p.gate.questions()) > 0 {
				t.Error("a bad frame led to a question")
			}
		})
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestSlowFrame(t *testing.T) {
	t.Run("M011 one octet at a time", func(t *testing.T) {
		p := dial(t, always(pass), quick)
		p.negotiate()
		body := encode('H', strings.Repeat("x", 5000))
		start := time.Now()
		for i := range len(body) {
			if _, err := p.c.Write([]byte(body[i : i+1])); err != nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		p.closed()
		if took := time.Since(start); took > patience/2 {
			t.Errorf("held the connection for %v", took)
		}
		if got := p.h.Stats().FramesRefused; got != 1 {
			t.Errorf("%d frames refused, want 1", got)
		}
	})
}

func TestSilence(t *testing.T) {
	p := dial(t, always(pass), func(h *milterd.Handler) { h.IdleTimeout = 50 * time.Millisecond })
	p.closed()
	if logs := p.logged(); len(logs) != 1 || p.h.Stats().FramesRefused != 0 {
		t.Errorf("logged %v, %d frames refused: silence is no bad frame", logs, p.h.Stats().FramesRefused)
	}
}

func TestCutStream(t *testing.T) {
	whole := encode('O', number(6), number(0x1ff), number(0x1fffff)) +
		encode('C', "mail.example.net\x00", "4\x00\x19", "203.0.113.9\x00") +
		encode('H', "mail.example.net\x00") +
		encode('M', "<alice@example.net>\x00") +
		encode('R', "<bob@example.org>\x00")
	t.Run("M012 EOF at every position", func(t *testing.T) {
		for n := range len(whole) + 1 {
			p := dial(t, always(pass))
			p.raw(whole[:n])
			if err := p.c.(*net.UnixConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			for {
				if _, _, err := readFrame(p.r); err != nil {
					break
				}
			}
			p.closed()
		}
	})
}

func TestNegotiation(t *testing.T) {
	const (
		actions  = 1<<0 | 1<<4 | 1<<8 // add and change headers, name macros
		protocol = 0x3d0 | 0xf7000    // neither body nor end of header …; no answer but to RCPT and end
		macros   = "\x00\x00\x00\x00{client_addr} {daemon_name} {daemon_addr} {daemon_port}\x00" +
			"\x00\x00\x00\x02{auth_authen}\x00"
	)
	rows := []struct {
		name string
		// offer and the extra octets after it; agreed is the answer.
		offer  [3]uint32
		extra  string
		agreed [3]uint32
		lists  string
	}{
		{"M025 O of 13 octets", [3]uint32{6, 0x1ff, 0x1fffff}, "\x00", [3]uint32{6, actions, protocol}, macros},
		{"M026 O of 4096 octets", [3]uint32{6, 0x1ff, 0x1fffff}, strings.Repeat("x", 4084), [3]uint32{6, actions, protocol}, macros},
		{"M029 O version 2", [3]uint32{2, 0x3f, 0x7f}, "", [3]uint32{2, 0x11, 0x50}, ""},
		{"M030 O version 3", [3]uint32{3, 0x3f, 0x17f}, "", [3]uint32{3, 0x11, 0x150}, ""},
		{"M031 O version 4", [3]uint32{4, 0x3f, 0x37f}, "", [3]uint32{4, 0x11, 0x350}, ""},
		{"M032 O version 5", [3]uint32{5, 0x3f, 0x3ff}, "", [3]uint32{5, 0x11, 0x3d0}, ""},
		{"M033 O version 6", [3]uint32{6, 0x1ff, 0x1fffff}, "", [3]uint32{6, actions, protocol}, macros},
		{"M034 O version 7", [3]uint32{7, 0x1ff, 0x1fffff}, "", [3]uint32{6, actions, protocol}, macros},
		{"M035 O version 4294967295", [3]uint32{0xFFFFFFFF, 0x1ff, 0x1fffff}, "", [3]uint32{6, actions, protocol}, macros},
		{"M036 O offering no actions", [3]uint32{6, 0, 0x1fffff}, "", [3]uint32{6, 0, protocol | 0x20}, ""},
		{"M037 O with unknown actions", [3]uint32{6, 0xFFFFFFFF, 0x1fffff}, "", [3]uint32{6, actions, protocol}, macros},
		{"M038 O with unknown protocol bits", [3]uint32{6, 0x1ff, 0xFFFFFFFF}, "", [3]uint32{6, actions, protocol}, macros},
		{"M039 O with 256K data", [3]uint32{6, 0x1ff, 0x101fffff}, "", [3]uint32{6, actions, protocol}, macros},
		{"M040 O with 1M data", [3]uint32{6, 0x1ff, 0x201fffff}, "", [3]uint32{6, actions, protocol}, macros},
		{"nothing may be left out", [3]uint32{6, 0x1ff, 0}, "", [3]uint32{6, actions, 0}, macros},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := dial(t, always(pass))
			p.send('O', number(row.offer[0]), number(row.offer[1]), number(row.offer[2]), row.extra)
			p.want('O', number(row.agreed[0])+number(row.agreed[1])+number(row.agreed[2])+row.lists)
		})
	}
}

func TestNegotiationTwice(t *testing.T) {
	t.Run("M041 O twice", func(t *testing.T) {
		p := dial(t, always(pass))
		p.begin()
		p.offer(6, 0, 0)
		p.want('O', number(6)+number(0)+number(0))
		p.send('R', "<carol@example.org>\x00")
		p.want('c', "")
		q := p.gate.last(t)
		if q.Client.IsValid() || q.HeloKnown || !q.Sender.IsZero() {
			t.Errorf("state of the first negotiation in the second: %+v", q)
		}
		p.send('E')
		if indices, inserted := p.deletions(); len(indices)+len(inserted) > 0 {
			t.Errorf("changes %v %q without leave", indices, inserted)
		}
	})
}

// TestNoActions shows that the verdict does not need leave to change headers.
func TestNoActions(t *testing.T) {
	t.Run("M036 O offering no actions", func(t *testing.T) {
		p := dial(t, always(reject))
		p.offer(6, 0, offerProtocol)
		p.read()
		p.connect("203.0.113.9")
		p.envelope()
		p.want('y', "550 5.7.25 Reverse DNS validation failed: 203.0.113.9 has no PTR record.\x00")
	})
}

package milterd_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/milterd"
	"github.com/arpagate/arpagate/internal/reply"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of the tests; nothing that works takes it.
const patience = 20 * time.Second

const resultHeader = "mx.example.org; iprev=pass policy.iprev=203.0.113.9 (mail.example.net)"

var (
	pass   = reply.Reply{Verb: reply.Pass, AuthservID: "mx.example.org", Header: resultHeader}
	reject = reply.Reply{
		Verb: reply.Reject, Code: "550", Enhanced: "5.7.25",
		Text: "Reverse DNS validation failed: 203.0.113.9 has no PTR record.",
	}
)

// what the MTAs offer today.
const (
	offerVersion  = 6
	offerActions  = 0x1ff
	offerProtocol = 0x1fffff
)

// gate is a canned Ask that remembers the questions.
type gate struct {
	answer func(context.Context, facts.Conn) reply.Reply

	mu    sync.Mutex
	asked []facts.Conn
}

func always(r reply.Reply) *gate {
	return &gate{answer: func(context.Context, facts.Conn) reply.Reply { return r }}
}

func (g *gate) Ask(ctx context.Context, q facts.Conn) reply.Reply {
	g.mu.Lock()
	g.asked = append(g.asked, q)
	g.mu.Unlock()
	return g.answer(ctx, q)
}

func (g *gate) questions() []facts.Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]facts.Conn(nil), g.asked...)
}

// last returns the latest question.
func (g *gate) last(t *testing.T) facts.Conn {
	t.Helper()
	asked := g.questions()
	if len(asked) == 0 {
		t.Fatal("nothing was asked")
	}
	return asked[len(asked)-1]
}

// peer is the MTA's end of a connection to a Handler.
type peer struct {
	t    *testing.T
	h    *milterd.Handler
	gate *gate
	c    net.Conn
	r    *bufio.Reader
	stop context.CancelFunc // as SIGTERM does
	done chan struct{}      // closed when Serve has returned

	mu   sync.Mutex
	logs []error
}

// dial starts a Handler with the answers of g on one end of a socket pair.
func dial(t *testing.T, g *gate, tweaks ...func(*milterd.Handler)) *peer {
	t.Helper()
	h := &milterd.Handler{Ask: g.Ask, AuthservID: "mx.example.org"}
	for _, tweak := range tweaks {
		tweak(h)
	}
	return serve(t, g, h)
}

// serve lets h serve one end of a socket pair, and returns the other.
func serve(t *testing.T, g *gate, h *milterd.Handler) *peer {
	t.Helper()
	ours, theirs := socketPair(t)
	ctx, stop := context.WithCancel(context.Background())
	p := &peer{t: t, h: h, gate: g, c: ours, r: bufio.NewReader(ours), stop: stop, done: make(chan struct{})}
	if h.Log == nil {
		h.Log = p.log
	}
	if err := ours.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		h.Serve(ctx, theirs)
	}()
	t.Cleanup(func() {
		_ = ours.Close()
		stop()
		<-p.done
	})
	return p
}

func socketPair(t *testing.T) (ours, theirs net.Conn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var ends [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socketpair")
		ends[i], err = net.FileConn(f)
		_ = f.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
	return ends[0], ends[1]
}

func (p *peer) log(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.logs = append(p.logs, err)
}

func (p *peer) logged() []error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]error(nil), p.logs...)
}

// raw sends octets. That the other end has gone is not its business.
func (p *peer) raw(b string) {
	p.t.Helper()
	if _, err := io.WriteString(p.c, b); err != nil && !gone(err) {
		p.t.Fatalf("send: %v", err)
	}
}

func gone(err error) bool {
	return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrClosedPipe)
}

// encode makes a frame; the parts are joined as they are.
func encode(command byte, parts ...string) string {
	body := strings.Join(parts, "")
	return string(binary.BigEndian.AppendUint32(nil, uint32(1+len(body)))) + string(command) + body
}

// number is n as frames carry it.
func number(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }

// send sends a frame.
func (p *peer) send(command byte, parts ...string) {
	p.t.Helper()
	p.raw(encode(command, parts...))
}

// read returns the next answer.
func (p *peer) read() (byte, string) {
	p.t.Helper()
	command, body, err := readFrame(p.r)
	if err != nil {
		p.t.Fatalf("no answer: %v (logged: %v)", err, p.logged())
	}
	return command, body
}

func readFrame(r io.Reader) (byte, string, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, "", err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:])-1)
	_, err := io.ReadFull(r, body)
	return head[4], string(body), err
}

// want demands the next answer.
func (p *peer) want(command byte, body string) {
	p.t.Helper()
	c, b := p.read()
	if c != command || b != body {
		p.t.Fatalf("answer %q %q, want %q %q", c, b, command, body)
	}
}

// closed demands that the filter hangs up without a word.
func (p *peer) closed() {
	p.t.Helper()
	if c, b, err := readFrame(p.r); err == nil {
		p.t.Fatalf("answer %q %q, want the end", c, b)
	} else if !errors.Is(err, io.EOF) && !gone(err) {
		p.t.Fatalf("want the end, got: %v", err)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatal("Serve did not return")
	}
}

// alive demands that the session still judges: a whole good message.
func (p *peer) alive() {
	p.t.Helper()
	before := len(p.gate.questions())
	p.connect("203.0.113.9")
	p.envelope()
	p.want('c', "")
	if len(p.gate.questions()) != before+1 {
		p.t.Fatal("the session does not judge any more")
	}
}

// negotiate offers what MTAs offer today; only RCPT and the end of the message
// are then answered.
func (p *peer) negotiate() {
	p.t.Helper()
	p.offer(offerVersion, offerActions, offerProtocol)
	if c, _ := p.read(); c != 'O' {
		p.t.Fatalf("answer %q to the negotiation", c)
	}
}

func (p *peer) offer(version, actions, protocol uint32) {
	p.t.Helper()
	p.send('O', number(version), number(actions), number(protocol))
}

// connect sends the connect command for an address of either family.
func (p *peer) connect(addr string) {
	p.t.Helper()
	family := "4"
	if strings.Contains(addr, ":") {
		family = "6"
	}
	p.send('C', "mail.example.net\x00", family, "\x02\x01", addr, "\x00")
}

// envelope sends HELO, MAIL and one RCPT.
func (p *peer) envelope() {
	p.t.Helper()
	p.send('H', "mail.example.net\x00")
	p.send('M', "<alice@example.net>\x00")
	p.send('R', "<bob@example.org>\x00")
}

// begin negotiates, connects and sends an envelope that passes.
func (p *peer) begin() {
	p.t.Helper()
	p.negotiate()
	p.connect("203.0.113.9")
	p.envelope()
	p.want('c', "")
}

// deletions reads the answer to the end of a message and returns the indices
// of the Authentication-Results fields to delete, in their order, and the
// fields to insert.
func (p *peer) deletions() (indices []uint32, inserted []string) {
	p.t.Helper()
	for {
		switch c, body := p.read(); c {
		case 'm':
			if body[4:] != "Authentication-Results\x00\x00" {
				p.t.Fatalf("change of %q", body[4:])
			}
			indices = append(indices, binary.BigEndian.Uint32([]byte(body)))
		case 'i':
			if !strings.HasPrefix(body, "\x00\x00\x00\x00Authentication-Results\x00") {
				p.t.Fatalf("insertion of %q", body)
			}
			inserted = append(inserted, strings.TrimSuffix(body[len("\x00\x00\x00\x00Authentication-Results\x00"):], "\x00"))
		case 'c':
			return indices, inserted
		default:
			p.t.Fatalf("answer %q %q at the end of the message", c, body)
		}
	}
}

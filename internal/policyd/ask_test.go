package policyd_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/arpagate/arpagate/internal/facts"
	"github.com/arpagate/arpagate/internal/policyd"
	"github.com/arpagate/arpagate/internal/reply"
)

// A panic behind Ask is a temporary failure, and ends nothing else.
func TestAskPanics(t *testing.T) {
	t.Run("P092 panic behind Ask", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := &policyd.Handler{Ask: func(context.Context, facts.Conn) reply.Reply { panic("store\n") }}
			o := talk(t, h, 0, request()+request("protocol_state=MAIL")+request())
			if o.out != notNow+dunno+notNow || o.closed || o.stats.AsksFailed != 2 || o.stats.Trouble != 0 {
				t.Errorf("answer %q, closed %v, %+v", o.out, o.closed, o.stats)
			}
			if len(o.troubles) != 1 || !strings.HasPrefix(o.troubles[0].Error(), `policyd: panic at a question: "store\n"`) {
				t.Errorf("troubles %v, want the first panic", o.troubles)
			}
		})
	})
}

// asleep is an Ask that takes d, whatever becomes of its context.
func asleep(d time.Duration) func(context.Context, facts.Conn) reply.Reply {
	return func(ctx context.Context, c facts.Conn) reply.Reply {
		time.Sleep(d)
		return judge(ctx, c)
	}
}

// Nobody waits for an Ask that hangs: the question gets an answer, what came
// before it too, and Postfix another connection.
func TestAskHangs(t *testing.T) {
	for _, tt := range []struct {
		name    string
		timeout time.Duration
		want    time.Duration
	}{
		{"P092 the default is 8 s", 0, 8 * time.Second},
		{"P092 another time", 3 * time.Second, 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var troubles []error
				h := &policyd.Handler{
					Ask: asleep(time.Minute), AskTimeout: tt.timeout,
					OnTrouble: func(_ net.Addr, err error) { troubles = append(troubles, err) },
				}
				begin := time.Now()
				near, served := serve(t, h)
				send(t, near, request("protocol_state=MAIL")+request()+request())
				got, err := io.ReadAll(near)
				if string(got) != dunno+notNow || err != nil {
					t.Errorf("answer %q, %v", got, err)
				}
				if d := time.Since(begin); d != tt.want {
					t.Errorf("closed after %v", d)
				}
				synctest.Wait()
				if len(troubles) != 1 || troubles[0].Error() != "policyd: no decision within "+tt.want.String() {
					t.Errorf("troubles %v while Ask hangs", troubles)
				}
				<-served
				if s := h.Stats(); len(troubles) != 1 || s.AsksFailed != 1 || s.Trouble != 1 {
					t.Errorf("troubles %v, %+v", troubles, s)
				}
			})
		})
	}
}

// The context of a late question ends, and a late panic does no harm.
func TestAskGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &policyd.Handler{Ask: func(ctx context.Context, _ facts.Conn) reply.Reply {
			<-ctx.Done()
			panic("too late")
		}}
		near, served := serve(t, h)
		send(t, near, request())
		if got, err := io.ReadAll(near); string(got) != notNow || err != nil {
			t.Errorf("answer %q, %v", got, err)
		}
		<-served
	})
}

// Each question has the whole time for itself.
func TestAskIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, served := serve(t, &policyd.Handler{Ask: asleep(7 * time.Second)})
		for range 5 {
			exchange(t, near, request(), rejected)
			time.Sleep(time.Minute)
		}
		_ = near.Close()
		<-served
	})
}

// serve lets h serve one end of a pipe, and returns the other and what is closed
// when Serve has returned.
func serve(t *testing.T, h *policyd.Handler) (net.Conn, <-chan struct{}) {
	near, far := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		h.Serve(t.Context(), far)
		_ = far.Close()
	}()
	return near, served
}

func send(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Fatal(err)
	}
}

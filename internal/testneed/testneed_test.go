package testneed_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/arpagate/arpagate/internal/testneed"
)

// recorder is a test that remembers how it was ended.
type recorder struct {
	testing.TB
	ended string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.ended = "failed: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skipf(format string, args ...any) {
	r.ended = "skipped: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

// outcome runs what a test would run, in a goroutine that may end early.
func outcome(f func(testing.TB)) string {
	r := &recorder{ended: "went on"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	return r.ended
}

func TestMissing(t *testing.T) {
	lacking := func(tb testing.TB) { testneed.Command(tb, "sh", "no-such-command") }
	for _, tc := range []struct {
		name, all string
		f         func(testing.TB)
		want      string
	}{
		{"command there", "1", func(tb testing.TB) { testneed.Command(tb, "sh") }, "went on"},
		{"command missing", "", lacking, "skipped: needs the command no-such-command (test/setup installs it)"},
		{"command missing, all needed", "1", lacking, "failed: needs the command no-such-command (test/setup installs it), and ARPAGATE_NEED_ALL=1 allows no skip"},
		{"other value", "0", lacking, "skipped: needs the command no-such-command (test/setup installs it)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv(testneed.Variable, tc.all)
			if got := outcome(tc.f); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

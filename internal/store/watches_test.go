package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/arpagate/arpagate/internal/store"
)

// TestWatches keeps states over a restart, the last one of each target.
func TestWatches(t *testing.T) {
	path, ctx := newPath(t), timeout(t, time.Minute)
	first := open(t, path, store.Options{})
	for _, state := range [][2]string{
		{"mail.example.org", `{"known":false}`},
		{"203.0.113.9", `{"known":true}`},
		{"mail.example.org", `{"known":true}`},
	} {
		if err := first.Watches().Save(ctx, state[0], []byte(state[1])); err != nil {
			t.Fatal(err)
		}
	}
	shut(t, first)

	got, err := open(t, path, store.Options{}).Watches().Load(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"mail.example.org": []byte(`{"known":true}`), "203.0.113.9": []byte(`{"known":true}`)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

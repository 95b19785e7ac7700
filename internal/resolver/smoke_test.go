package resolver_test

import (
	"testing"

	"github.com/arpagate/arpagate/internal/resolver"
)

func TestSmoke(t *testing.T) {
	s := serve(t, (*call).good)
	r := open(t, nil, s)
	a := ask(t, r, ptr)
	wantGood(t, a)
	b := ask(t, r, ptr)
	wantGood(t, b)
	t.Logf("%+v\n%+v\n%+v", a, b, r.Stats())
	_ = resolver.Health{}
}

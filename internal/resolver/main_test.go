package resolver_test

import (
	"testing"

	"go.uber.org/goleak"
)

// Every test closes its resolver, after which no goroutine may be left.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

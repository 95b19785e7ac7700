package remedy_test

import (
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
)

// BenchmarkFor is a whole remedy: recognition, records, texts and ticket.
func BenchmarkFor(b *testing.B) {
	book := open(b)
	in := missing("203.0.113.9", "mail.example.org")
	in.Reverse, in.Forward = reverse(none()), []*evidence.Zone{forward(addrs(time.Hour, "198.51.100.7"))}
	in.Origin = &evidence.Origin{ASN: 64500}
	b.ReportAllocs()
	for b.Loop() {
		book.For(in)
	}
}

package doctor_test

import (
	"testing"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/remedy"
)

// TestRemedyKnowsTheDomain: the MX records that stay, and their TTL, are those of
// the answer that the finding was made from.
func TestRemedyKnowsTheDomain(t *testing.T) {
	c := open(t, "").config()
	book, asked := c.Remedy, 0
	c.Remedy = func(in remedy.Input) *remedy.Remedy {
		if asked++; in.Domain == nil || in.Domain.Name.String() != "nowhere.example.org" {
			t.Errorf("%s: the remedy is told of the domain %+v", in.Finding.Code, in.Domain)
		}
		return book(in)
	}
	doctor.New(c).Examine(t.Context(), doctor.Target{Name: dnsname.MustParse("nowhere.example.org"), Mailbox: true})
	if asked == 0 {
		t.Error("no remedy was asked for")
	}
}

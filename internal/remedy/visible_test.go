package remedy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/remedy"
)

func TestWhen(t *testing.T) {
	lagging := func(a evidence.Answer) *evidence.Zone {
		z := reverse(a)
		z.Servers[1].SOA = soa(0)
		return z
	}
	cached := reverse(ptrs(24*time.Hour, "old.example.net"))
	cached.Servers[0].Answer.TTL = 5 * time.Minute // one of two servers, with a shorter TTL
	lame := reverse(none())
	lame.Servers[0].State, lame.Servers[1].State = evidence.Lame, evidence.Silent
	endless := reverse(ptrs(1000*24*time.Hour, "old.example.net"))
	mixed := reverse(ptrs(5*time.Minute, "old.example.net")) // one server has no record, and caches keep that longer
	mixed.Servers[1].Answer = evidence.Answer{State: evidence.NXDomain, TTL: 10 * time.Minute}
	shorter := reverse(none())
	shorter.Servers[0].SOA = &evidence.StartOfAuthority{Serial: 1, TTL: 60, Minimum: 600}
	shorter.Servers[1].SOA = &evidence.StartOfAuthority{Serial: 1, TTL: 600, Minimum: 120}
	for i := range shorter.Servers {
		shorter.Servers[i].Answer.TTL = 0 // so that the SOA record counts
	}
	hour, day := time.Hour, 24*time.Hour
	for label, tc := range map[string]struct {
		changes     []remedy.Change
		inOrder     bool
		first, last time.Duration
	}{
		"no record before: the negative TTL":               {[]remedy.Change{{Zone: reverse(none())}}, false, 0, 10 * time.Minute},
		"a record before: its TTL":                         {[]remedy.Change{{Zone: reverse(ptrs(2*hour, "old.example.net"))}}, false, 0, 2 * hour},
		"the greatest TTL among the servers":               {[]remedy.Change{{Zone: cached}}, false, 0, day},
		"the provider's delay comes before":                {[]remedy.Change{{Zone: reverse(none()), Least: 6 * hour, Most: 12 * hour}}, false, 6 * hour, 12*hour + 10*time.Minute},
		"servers that lag: refresh and retry":              {[]remedy.Change{{Zone: lagging(none())}}, false, 0, 2*hour + 15*time.Minute + 10*time.Minute},
		"nothing known: a day":                             {[]remedy.Change{{}}, false, 0, day},
		"no server answers: a day":                         {[]remedy.Change{{Zone: lame}}, false, 0, day},
		"a TTL beyond what caches keep":                    {[]remedy.Change{{Zone: endless}}, false, 0, 7 * day},
		"side by side: the later one counts":               {[]remedy.Change{{Zone: forward(addrs(3 * hour))}, {Zone: reverse(none()), Least: hour, Most: 2 * hour}}, false, hour, 3 * hour},
		"in order: the second begins when the first shows": {[]remedy.Change{{Zone: forward(addrs(3 * hour))}, {Zone: reverse(none()), Least: hour, Most: 2 * hour}}, true, hour, 5*hour + 10*time.Minute},
		"in order: the delays add up":                      {[]remedy.Change{{Zone: reverse(none()), Least: hour, Most: hour}, {Zone: reverse(none()), Least: hour, Most: hour}}, true, 2 * hour, 2*hour + 20*time.Minute},
		"a record here and none there: the longer one":     {[]remedy.Change{{Zone: mixed}}, false, 0, 10 * time.Minute},
		"the lesser of SOA TTL and minimum, the greatest":  {[]remedy.Change{{Zone: shorter}}, false, 0, 2 * time.Minute},
	} {
		t.Run(label, func(t *testing.T) {
			for i := range tc.changes {
				tc.changes[i].What = "record"
			}
			v := remedy.When(noon, tc.inOrder, tc.changes...)
			if v.First.Sub(noon) != tc.first || v.Last.Sub(noon) != tc.last {
				t.Errorf("first +%s, last +%s; want +%s, +%s\n%s", v.First.Sub(noon), v.Last.Sub(noon), tc.first, tc.last, strings.Join(v.Because, "\n"))
			}
			if len(v.Because) == 0 {
				t.Error("no reasons")
			}
		})
	}
}

// TestWhenIsUTC: a clock that is put back in the middle changes nothing.
func TestWhenIsUTC(t *testing.T) {
	summer := time.FixedZone("CEST", 2*3600)
	v := remedy.When(time.Date(2026, 10, 25, 2, 30, 0, 0, summer), false, remedy.Change{What: "record", Zone: reverse(ptrs(2*time.Hour, "old.example.net"))})
	if v.First.Location() != time.UTC || v.Last.Location() != time.UTC {
		t.Errorf("%v %v", v.First, v.Last)
	}
	if v.First.Format(time.RFC3339) != "2026-10-25T00:30:00Z" || v.Last.Format(time.RFC3339) != "2026-10-25T02:30:00Z" {
		t.Errorf("%v %v", v.First, v.Last)
	}
	if remedy.When(time.Time{}, false, remedy.Change{}) != nil || remedy.When(noon, false) != nil {
		t.Error("without a time, or a change, there is nothing to say")
	}
}

func TestReady(t *testing.T) {
	b := open(t)
	good := addrs(time.Hour, "203.0.113.9")
	both := forward(addrs(time.Hour, "198.51.100.7", "203.0.113.9"))
	half := forward(good)
	half.Servers[1].Answer = none()
	other := forward(good)
	other.Servers[1].Answer = addrs(time.Hour, "198.51.100.7")
	lame := forward(good)
	lame.Servers[1].State = evidence.Lame
	silent := forward(good)
	silent.Servers[1].State = evidence.Silent
	// The same server over IPv6, which can't be reached from here.
	twoFamilies := forward(good)
	twoFamilies.Servers = append(twoFamilies.Servers, server("ns2.example.org", "2001:db8::12", 7, evidence.Answer{}))
	twoFamilies.Servers[2].State = evidence.Unreachable
	more := forward(good)
	more.More = 3
	wrong := forward(good)
	wrong.Question.Type = evidence.AAAA
	for label, tc := range map[string]struct {
		zone *evidence.Zone
		ok   bool
		why  string
	}{
		"all servers have it":                   {forward(good), true, ""},
		"beside another address":                {both, true, ""},
		"one server has no such record":         {half, false, "ns2.example.org (198.51.100.12) has no A record"},
		"one server has another address":        {other, false, "ns2.example.org (198.51.100.12) answers with other addresses"},
		"one server is lame":                    {lame, false, "ns2.example.org (198.51.100.12) does not answer for the zone"},
		"one server is silent":                  {silent, false, "ns2.example.org (198.51.100.12) did not answer in time"},
		"one server at one of its addresses":    {twoFamilies, true, ""},
		"servers that were not asked":           {more, false, "3 more addresses"},
		"no servers":                            {zone("mail.example.org", evidence.A, "example.org"), false, "No name server"},
		"the other family's record":             {wrong, false, "were not asked for its A record"},
		"nobody was asked":                      {nil, false, "were not asked for its A record"},
		"an IPv4-mapped address in the answers": {forward(addrs(time.Hour, "::ffff:203.0.113.9")), true, ""},
	} {
		t.Run(label, func(t *testing.T) {
			in := missing("203.0.113.9", "mail.example.org")
			in.Forward = []*evidence.Zone{nil, tc.zone}
			r := b.For(in).Ready
			if r.OK != tc.ok || tc.ok != (len(r.Why) == 0) || !strings.Contains(strings.Join(r.Why, " "), tc.why) {
				t.Errorf("%+v", r)
			}
		})
	}
}

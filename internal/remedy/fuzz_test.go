package remedy_test

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/remedy"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// dice takes small choices out of the fuzzer's octets.
type dice struct {
	data []byte
	text string
}

func (d *dice) roll(n int) int {
	if len(d.data) == 0 {
		return 0
	}
	v := int(d.data[0])
	d.data = d.data[1:]
	return v % n
}

func (d *dice) name() dnsname.Name {
	switch d.roll(6) {
	case 0:
		return dnsname.Name{}
	case 1:
		return name(".")
	case 2:
		n, err := dnsname.Parse(d.text)
		if err != nil {
			return dnsname.Name{}
		}
		return n
	case 3:
		return name("9.0/25.113.0.203.in-addr.arpa")
	case 4:
		return name("ns1.example.net")
	default:
		return name("mail.example.org")
	}
}

func (d *dice) addr() netip.Addr {
	return []netip.Addr{{}, netip.MustParseAddr("203.0.113.9"), netip.MustParseAddr("2001:db8::1%eth0"), netip.MustParseAddr("::ffff:203.0.113.9")}[d.roll(4)]
}

func (d *dice) answer() evidence.Answer {
	a := evidence.Answer{State: evidence.State(d.roll(11)), TTL: time.Duration(d.roll(256)-8) * time.Hour}
	for range d.roll(3) {
		a.Names = append(a.Names, d.name())
		a.Addrs = append(a.Addrs, d.addr())
	}
	return a
}

func (d *dice) soa() *evidence.StartOfAuthority {
	if d.roll(3) == 0 {
		return nil
	}
	return &evidence.StartOfAuthority{MName: d.name(), RName: d.name(), Serial: uint32(d.roll(2)), Refresh: uint32(d.roll(2)) * 4294967295, TTL: uint32(d.roll(2)) * 4294967295}
}

func (d *dice) zone() *evidence.Zone {
	if d.roll(4) == 0 {
		return nil
	}
	z := &evidence.Zone{Question: evidence.Question{Name: d.name(), Type: evidence.Type(d.roll(30))}, Name: d.name(), Apex: d.name(), SOA: d.soa(), More: d.roll(2)}
	for range d.roll(3) {
		z.Chain = append(z.Chain, evidence.Alias{Owner: d.name(), Target: d.name(), Zone: d.name()})
	}
	states := []evidence.ServerState{evidence.Authoritative, evidence.Lame, evidence.Silent, evidence.Addressless, "what"}
	for range d.roll(4) {
		z.Servers = append(z.Servers, evidence.NameServer{Name: d.name(), Address: d.addr(), State: states[d.roll(len(states))], SOA: d.soa(), Answer: d.answer()})
	}
	return z
}

// FuzzFor: whatever was found and whatever is missing, there is a remedy, it
// can be written as JSON, and what strangers chose reaches no command.
func FuzzFor(f *testing.F) {
	b := open(f)
	codes := []finding.Code{"", "no-such-code"}
	for _, e := range finding.All() {
		codes = append(codes, e.Code)
	}
	for i := range codes {
		f.Add([]byte{byte(i), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25}, "a;b$(reboot).example.org")
		f.Add([]byte{byte(i)}, "")
		f.Add([]byte{byte(i), 5, 1, 5, 1, 5, 3, 3, 1, 3, 1, 5, 1, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2}, `x\010y`)
	}
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		d := &dice{data, text}
		in := remedy.Input{Now: noon, MTA: text}
		in.Finding.Code = codes[d.roll(len(codes))]
		in.Address, in.Wanted = d.addr(), d.name()
		in.Finding.Args = finding.Args{Address: d.addr(), Name: d.name(), Zone: d.name(), Others: []netip.Addr{d.addr()}, Said: untrusted.New(text)}
		in.Reverse, in.Forward = d.zone(), []*evidence.Zone{d.zone(), nil}
		in.Names = []dnsname.Name{d.name()}
		if d.roll(2) == 1 {
			in.View = &evidence.View{IPRev: evidence.IPRev{Result: evidence.Result(d.roll(5)), Confirmed: d.name(), Names: []evidence.PTRName{{Name: d.name(), State: evidence.Confirmed}}}}
			in.View.Helo = evidence.Helo{Kind: evidence.HeloName, Name: d.name(), Said: untrusted.New(text), Answers: []evidence.Answer{d.answer()}}
			in.View.Generic = evidence.Generic{Name: d.name(), Parts: []string{text}}
		}
		if d.roll(2) == 1 {
			in.Origin = &evidence.Origin{ASN: uint32(d.roll(256)), Holder: untrusted.New(text), Org: untrusted.New(text), Prefix: netip.PrefixFrom(d.addr(), d.roll(40))}
			in.SMTP = &evidence.SMTP{Greeting: &evidence.SMTPReply{Lines: []untrusted.Text{untrusted.New(text)}}, EHLO: &evidence.SMTPReply{}, EHLOName: untrusted.New(text)}
		}
		r := b.For(in)
		if r == nil || r.Who == "" || r.Do == "" || r.Party == "" {
			t.Fatalf("%+v", r)
		}
		if _, err := json.Marshal(r); err != nil {
			t.Fatal(err)
		}
		if v := r.Visible; v != nil && (v.Last.Before(v.First) || v.First.Before(noon)) {
			t.Fatalf("%+v", v)
		}
		if c := r.Classless; c != nil {
			if err := remedy.Agree(c.ParentText, c.OwnText); err != nil {
				t.Fatalf("%v\n%s%s", err, c.ParentText, c.OwnText)
			}
		}
		for _, s := range r.Steps {
			for _, c := range []byte(s.Say + s.Command + s.Console) {
				if c < ' ' || c > '~' && c < 0x80 {
					t.Fatalf("octet %#x in %+v", c, s)
				}
			}
		}
	})
}

package remedy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// mx adds the MX records to a remedy: the set as it should be, with those that
// stay. Which host is to be named is not always known.
func (j *job) mx() {
	d := j.Domain
	if d == nil || !d.MX.State.Complete() {
		return
	}
	host := j.Finding.Args.Host
	switch string(j.Finding.Code) {
	case "mx-missing":
		if d.MX.State == evidence.NXDomain {
			j.noDomain()
			return
		}
		target := placeName + "."
		if len(d.Hosts) > 0 && (d.Hosts[0].A.State == evidence.Found || d.Hosts[0].AAAA.State == evidence.Found) {
			target = d.Name.String() + "."
			j.caution("The record below names %s itself, which takes its mail by now; name another host if the mail server runs there.", d.Name)
		}
		j.setMX("", target)
	case "mx-cname":
		if aliases := j.Finding.Args.Names; len(aliases) > 0 && safe(aliases[len(aliases)-1]) {
			j.setMX(master(host)+".", aliases[len(aliases)-1].String()+".")
		}
	case "mx-literal", "mx-unusable":
		j.setMX(master(host)+".", placeName+".")
	default:
		return
	}
	j.out.Texts = texts(j.out.Records, replaced{})
}

// noDomain is for a domain that does not exist, which mostly is another one than
// was meant.
func (j *job) noDomain() {
	r := j.out
	r.Do = fmt.Sprintf("See whether %s is spelled right and still registered: the name does not exist (NXDOMAIN).", j.Domain.Name)
	r.Who, r.Steps = fmt.Sprintf("whoever registered %s, or wrote it down", j.Domain.Name.Org()), nil
	j.say("If the name is right, look at the registration of %s: an expired one is taken out of the DNS, and so is one without name servers.", j.Domain.Name.Org())
	j.say("Then publish an MX record for %s that names the mail server.", j.Domain.Name)
}

// setMX has the MX record of the old host replaced by one of the new host, or
// one added where there is none.
func (j *job) setMX(old, target string) {
	mx := &j.Domain.MX
	r := Record{Owner: j.Domain.Name, Type: evidence.MX, TTL: known{ours: mx}.ttl(), open: mx.Total > len(mx.Names)}
	preference := uint16(10)
	for i, n := range mx.Names {
		if i >= len(mx.Preferences) {
			break
		}
		data := fmt.Sprintf("%d %s.", mx.Preferences[i], master(n))
		if master(n)+"." == old {
			preference, r.drop = mx.Preferences[i], data
			continue
		}
		there := r
		there.Data, there.Held, there.drop = data, true, ""
		j.out.Records = append(j.out.Records, there)
	}
	r.Data = fmt.Sprintf("%d %s", preference, target)
	if slices.ContainsFunc(j.out.Records, func(have Record) bool { return have.Data == r.Data }) {
		j.say("Take the MX record with %s out: the host at its end is named by another one already.", r.drop)
		return
	}
	j.out.Records = append(j.out.Records, r)
}

// mailChange is the change of the record that a finding about a domain speaks of,
// as our own DNS server knows it: its servers are not asked for it one by one.
func (j *job) mailChange() Change {
	c := Change{What: "record"}
	d := j.Domain
	if d == nil {
		return c
	}
	switch string(j.Finding.Code) {
	case "mx-private", "mx-no-address":
		for i := range d.Hosts {
			if h := &d.Hosts[i]; h.Name == j.Finding.Args.Host {
				if c.What, c.Ours = "address record", &h.A; h.A.State != evidence.Found && h.AAAA.State == evidence.Found {
					c.Ours = &h.AAAA
				}
			}
		}
	case "spf-unreadable":
		if d.SPF != nil {
			for i := range d.SPF.Answers {
				if a := &d.SPF.Answers[i]; a.Name == d.Name && a.Type == evidence.TXT {
					c.What, c.Ours = "TXT record", a
				}
			}
		}
	default:
		c.What, c.Ours = "MX record", &d.MX
	}
	return c
}

// exchange takes the data of an MX record apart.
func exchange(data string) (preference, host string) {
	preference, host, _ = strings.Cut(data, " ")
	return preference, host
}

// mxTinydns is a line of tinydns-data for an MX record without an address.
func mxTinydns(r Record) string {
	preference, host := exchange(r.Data)
	target := placeName
	if n, err := dnsname.Parse(host); err == nil && host != placeName+"." {
		target = octal(n)
	}
	return fmt.Sprintf("@%s::%s:%s:%d\n", octal(r.Owner), target, preference, r.TTL)
}

// mxOctodns are the values of a set of MX records.
func mxOctodns(s set) string {
	var b strings.Builder
	b.WriteString("  values:\n")
	for _, d := range s.data {
		preference, host := exchange(d)
		fmt.Fprintf(&b, "    - exchange: %s\n      preference: %s\n", quote(host), preference)
	}
	return b.String()
}

// mxTerraform are the blocks of a set of MX records.
func mxTerraform(s set) string {
	var b strings.Builder
	for _, d := range s.data {
		preference, host := exchange(d)
		fmt.Fprintf(&b, "  mx {\n    preference = %s\n    exchange   = %s\n  }\n", preference, hcl(host))
	}
	return b.String()
}

package remedy

import (
	"fmt"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
)

// unsure leaves out a set of which not all records are known: as these formats
// describe it as a whole, the others would be taken out.
func (s set) unsure(b *strings.Builder) bool {
	if s.open {
		fmt.Fprintf(b, "# %s: not all %s records that are there are known. Add the new one to the set by hand;\n# a set written here would take the others out.\n", s.Owner, s.Type)
	}
	return s.open
}

// byOthers is a comment on a record that whoever runs the zone has to publish.
func (r Record) byOthers(mark string) string {
	if !r.foreign {
		return ""
	}
	return mark + " by whoever runs this zone, not in a zone of your own domain:\n"
}

// takeOut is a comment on the record that has to go.
func (r Record) takeOut(mark string) string {
	switch {
	case r.drop != "":
		return fmt.Sprintf("%s take out: %s %s %s\n", mark, r.Owner, r.Type, r.drop)
	case r.Instead.IsZero():
		return ""
	}
	return fmt.Sprintf("%s take out: %s CNAME %s\n", mark, r.Owner, r.Instead)
}

// replaced are the PTR records that are there now: their names, as far as they
// were told, and the number of them all.
type replaced struct {
	names []dnsname.Name
	total int
}

// replaced are the present PTR records.
func (j *job) replaced() replaced {
	var r replaced
	r.names, r.total = j.reverse().names()
	return r
}

// bind has a comment for each record that has to go.
func (old replaced) bind(b *strings.Builder, r Record) {
	more := old.total - len(old.names)
	for _, n := range old.names {
		if n.String()+"." != r.Data {
			fmt.Fprintf(b, "; take out: %s. IN PTR %s.\n", master(r.Owner), master(n))
		}
	}
	if more > 0 {
		fmt.Fprintf(b, "; take out all other PTR records of that name too: %d more than those shown here\n", more)
	}
}

package remedy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
)

// Book holds the recipes. It is never changed once it is open.
type Book struct {
	providers []provider
	servers   []server
}

// Open reads the recipes that are built into the program.
func Open() (*Book, error) {
	providers, err := readProviders()
	if err != nil {
		return nil, err
	}
	servers, err := readServers()
	if err != nil {
		return nil, err
	}
	return &Book{providers: providers, servers: servers}, nil
}

// For returns how to put the finding right. It never fails: what it does not
// know it leaves to the sentence of the catalogue.
func (b *Book) For(in Input) *Remedy {
	j := b.newJob(in)
	if write, ok := writers[string(in.Finding.Code)]; ok {
		write(j)
	} else {
		j.fallback()
	}
	j.finish()
	return j.out
}

// job is the making of one remedy.
type job struct {
	Input
	book   *Book
	choice Choice
	holder holder
	server *server // the recipe of the mail server, nil for an unknown one
	sure   bool    // it was named, or its banner is its own
	out    *Remedy
	fill   filler
	// noName says that no name fit for the host was found.
	noName bool
	// instead is the alias in whose place the PTR record has to come.
	instead evidence.Alias
}

func (b *Book) newJob(in Input) *job {
	in.Address = in.Address.Unmap().WithZone("")
	if !in.Address.IsValid() {
		in.Address = in.Finding.Args.Address.Unmap().WithZone("")
	}
	in.Now = in.Now.UTC()
	j := &job{Input: in, book: b, out: &Remedy{}}
	j.choice = Choose(b.candidates(in))
	j.holder = b.holderOf(in, j.choice.Name)
	j.server, j.sure = b.serverOf(in)
	j.fill = newFiller(in.Address, j.choice.Name)
	j.noName = j.choice.Name.IsZero()
	return j
}

// fallback says what the catalogue says, for findings without a recipe.
func (j *job) fallback() {
	j.out.Party, j.out.Who = Nobody, "nobody in particular"
	j.out.Do = j.Finding.Entry().Remedy
	if j.out.Do == "" {
		j.out.Do = "There is no recipe for this; read the finding."
	}
}

// finish adds what all remedies have in common.
func (j *job) finish() {
	r := j.out
	if r.Who == "" {
		r.Who = whoOf[r.Party]
	}
	said := r.Ticket + r.Texts["bind"]
	for _, s := range r.Steps {
		said += s.Command + s.Lines + s.Console
	}
	if strings.Contains(said, placeName) {
		j.caution("No good name for the host was found: put its own full name in the place of %s, or give it with --name.", placeName)
	}
	r.Cautions = once(r.Cautions)
}

// once keeps the first of equal sentences.
func once(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// note says of a recipe that nobody has confirmed it.
func (r *Recipe) note() []string {
	if r.Confirmed {
		return nil
	}
	return []string{fmt.Sprintf("Not confirmed: nobody has checked these steps against %s (%s, %s); menus and commands may differ.", r.Title, r.Source, r.Date)}
}

// whoOf names a party of which nothing else is known.
var whoOf = map[Party]string{
	AddressHolder: "the holder of the address: your provider, hoster, or whoever runs its reverse zone",
	ZoneOperator:  "whoever runs the DNS zone of the name",
	MailAdmin:     "whoever configures the mail server",
	ListOperator:  "the operator of the list",
	OurDNS:        "whoever runs the DNS server that was asked",
	Nobody:        "nobody",
}

// step adds a step with its placeholders filled in.
func (j *job) step(s Step) { j.out.Steps = append(j.out.Steps, j.fill.step(s)) }

func (j *job) say(format string, args ...any) {
	j.out.Steps = append(j.out.Steps, Step{Say: fmt.Sprintf(format, args...)})
}

func (j *job) caution(format string, args ...any) {
	j.out.Cautions = append(j.out.Cautions, fmt.Sprintf(format, args...))
}

// name is the wanted name for a sentence.
func (j *job) name() string {
	if j.noName {
		return "the mail server's own name"
	}
	return j.choice.Name.String()
}

// address is the address for a sentence.
func (j *job) address() string { return addressText(j.Address) }

func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return "the address"
	}
	return a.String()
}

// family is the type of the record that holds the address.
func family(a netip.Addr) evidence.Type {
	if a.Is4() {
		return evidence.A
	}
	return evidence.AAAA
}

// safe reports whether a name may stand in a command or a configuration file:
// letters, digits, hyphen and underscore only.
func safe(n dnsname.Name) bool { return n.HostFault() == dnsname.Usable }

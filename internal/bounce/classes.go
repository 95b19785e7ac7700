package bounce

// meaning is what is known of a class.
type meaning struct {
	class    Class
	says     string
	explains []string // codes of findings that would cause it
}

// Codes of findings; finding stands further along the corridor.
const (
	ptrMissing     = "ptr-missing"
	ptrUnusable    = "ptr-unusable"
	ptrUnconfirmed = "ptr-unconfirmed"
	ptrTooMany     = "ptr-too-many"
	ptrSeveral     = "ptr-several"
	ptrGeneric     = "ptr-generic"
	ptrStatic      = "ptr-generic-static"
	dnsTrouble     = "dns-trouble"
	heloMissing    = "helo-missing"
	heloNotFQDN    = "helo-not-fqdn"
	heloBareIP     = "helo-bare-ip"
	heloLiteral    = "helo-literal-mismatch"
	heloNowhere    = "helo-unresolvable"
	heloNotClient  = "helo-not-client"
	heloNotPTR     = "helo-not-ptr"
)

var meanings = []meaning{
	{"missing", "The receiver found no PTR record for the sending address.", []string{ptrMissing, ptrUnusable}},
	{"fcrdns", "The receiver found a PTR record whose name does not lead back to the sending address.", []string{ptrUnconfirmed, ptrTooMany, ptrSeveral}},
	{"missing_or_fcrdns", "The receiver found no PTR record, or one whose name does not lead back to the sending address; the text does not tell which.", []string{ptrMissing, ptrUnusable, ptrUnconfirmed, ptrTooMany, ptrSeveral}},
	{"generic", "The receiver takes the PTR name for that of a dial-in or unconfigured host.", []string{ptrGeneric, ptrStatic}},
	{"missing_or_generic", "The receiver found no PTR record, or takes its name for that of a dial-in or unconfigured host.", []string{ptrMissing, ptrUnusable, ptrGeneric, ptrStatic}},
	{"rdns_tempfail", "The receiver could not look the sending address up, and asks to come back later.", []string{dnsTrouble, ptrMissing}},
	{"v6_missing", "The receiver found no PTR record for the sending IPv6 address.", []string{ptrMissing, ptrUnusable}},
	{"v6_missing_or_fcrdns", "The receiver demands a PTR record that leads back, and authentication, of IPv6 senders; one of them is missing.", []string{ptrMissing, ptrUnusable, ptrUnconfirmed}},
	{"helo_bad", "The receiver does not accept the HELO name.", []string{heloMissing, heloNotFQDN, heloBareIP, heloLiteral, heloNowhere, heloNotClient}},
	{"helo_unresolvable", "The receiver found no address for the HELO name.", []string{heloNowhere, heloNotFQDN}},
	{"helo_not_fqdn", "The HELO name is not fully qualified.", []string{heloNotFQDN, heloBareIP, heloMissing}},
	{"helo_syntax", "The HELO name has characters or a form that no host name has.", []string{heloNotFQDN, heloBareIP, heloMissing}},
	{"helo_policy", "A rule of the receiver's own refuses the HELO name.", []string{heloMissing, heloNotFQDN, heloBareIP, heloLiteral, heloNowhere, heloNotClient, heloNotPTR, ptrGeneric, ptrStatic}},
	{"helo_ne_ptr", "The HELO name (or the sender's domain) is not the name that the receiver found for the sending address.", []string{heloNotPTR, heloNotClient, ptrMissing, ptrUnconfirmed}},
	{Other, "The refusal does not speak of reverse DNS or HELO.", nil},
}

// beyond says of a class what no examination of the sender can tell.
var beyond = map[Class]string{
	"generic":              ownNames,
	"missing_or_generic":   "It has a PTR record. " + ownNames,
	"v6_missing_or_fcrdns": "The PTR record is in order. The receiver asks for authentication as well, which was not examined: if the record was in order before, SPF or DKIM is what it misses.",
	"helo_bad":             ownHelo,
	"helo_policy":          ownHelo,
}

const (
	ownNames = "The name does not look generic to us, but the rule is the receiver's own: if the name was changed since, send the mail again; if not, give the address a name of its own domain without numbers of the address in it, or ask the receiver."
	ownHelo  = "No fault was found in the HELO name, but the rule is the receiver's own: if the name was changed since, send the mail again; if not, say the PTR name in HELO, or ask the receiver."
)

// Beyond says what of a refusal no examination of the sender can tell, because
// the receiver goes by a rule of its own or asks for more; empty where the DNS
// tells all.
func (b *Reading) Beyond() string {
	if b.Rule == "domain-ip-mismatch" {
		return "The receiver may mean the HELO name or the sender's domain: the SPF record of that domain should name the address."
	}
	return beyond[b.Class]
}

// Explain says in a sentence what a refusal of the class means, for people.
func Explain(c Class) string { return c.meaning().says }

// Explains returns the codes of the findings that would earn such a refusal: when
// an examination shows one of them, the fault is still there; when it shows
// none, the receiver sees something else, or no longer does.
func (c Class) Explains() []string { return append([]string(nil), c.meaning().explains...) }

func (c Class) meaning() meaning {
	for _, m := range meanings {
		if m.class == c {
			return m
		}
	}
	return meanings[len(meanings)-1]
}

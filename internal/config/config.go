// Package config is the configuration file: TOML 1.0, one table (schema.go)
// from which the file is read, checked, shown and documented. Every setting is
// optional, an unknown one is an error, and all errors are told at once, each
// with its place. The environment has no influence on it. The only setting
// that may hold a secret is the URL of a webhook.
package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/listen"
)

// DefaultPath is where the file is looked for when no other one is named.
const DefaultPath = "/etc/arpagate/arpagate.toml"

// Config is the whole configuration. Default makes a complete one.
type Config struct {
	Site   Site
	Listen Listen
	DNS    DNS
	Store  Store
	Policy Policy
	Log    Log
	Watch  Watch
	Doctor Doctor
}

// Site says who is gated.
type Site struct {
	// Name is the fully qualified name of this host, in lower case; empty
	// until Complete where the file names none.
	Name string
	// URL is the base of the links in replies, without a final slash; empty
	// for replies without a link.
	URL string
	// AuthservID identifies this site in Authentication-Results (RFC 8601
	// §2.5); empty for none, and no such field is added.
	AuthservID string
	// OwnNetworks are never refused.
	OwnNetworks []netip.Prefix
}

// Listen says where the doors are.
type Listen struct {
	Policy []listen.Address
	Milter []listen.Address
	HTTP   []listen.Address
	// PolicyStage is where the policy doors decide, as Postfix spells it
	// ("RCPT").
	PolicyStage string
	// MaxConnections bounds the open connections of each door.
	MaxConnections int
	// UnixMode holds the permission bits of the UNIX sockets.
	UnixMode uint32
}

// DNS says whom the resolver asks, and how long it waits.
type DNS struct {
	// Servers to ask; empty for those of /etc/resolv.conf.
	Servers []netip.AddrPort
	// Timeout bounds all questions of one decision together, StressTimeout
	// those of a decision for an MTA under stress.
	Timeout       time.Duration
	StressTimeout time.Duration
	// CacheSize is in octets.
	CacheSize int64
	// Canaries tell a broken resolver from a broken sender; none for off.
	Canaries []Canary
}

// Canary is a question whose answer is known.
type Canary struct {
	// Name is asked for with a new random label for each label "*".
	Name dnsname.Name
	// Type is "A", "AAAA", "MX", "NS", "PTR" or "TXT".
	Type string
	// Expect is Found or NXDomain.
	Expect string
}

// The expectations of a Canary.
const (
	Found    = "found"
	NXDomain = "nxdomain"
)

// Store says where cases and lists are kept, and for how long.
type Store struct {
	// URL is "sqlite:" and an absolute path.
	URL string
	// Retention is the time after which the details of a case are deleted.
	Retention time.Duration
	// KeepMailAddresses stores senders and recipients too.
	KeepMailAddresses bool
}

// Path returns the path of the SQLite file.
func (s Store) Path() string { return strings.TrimPrefix(s.URL, sqliteScheme) }

// Policy says what findings earn. Rules makes the decision's rules of it.
type Policy struct {
	Preset        string
	TagAt         int
	DeferAt       int
	RejectAt      int
	PatienceTimes int
	PatienceOver  time.Duration
	// OnError is OnErrorAccept or OnErrorTempfail.
	OnError string
	// Rule holds the site's own rules, which replace those of the preset.
	Rule []decision.Rule
}

// What a client gets while the gate itself is in trouble. There is no
// "reject": our trouble is not the sender's guilt.
const (
	OnErrorAccept   = "accept"
	OnErrorTempfail = "tempfail"
)

// Log says what is logged and how.
type Log struct {
	Format string // "logfmt" or "json"
	Level  string // "debug", "info", "warn" or "error"
	Cases  string // "all", "refused" or "none"
}

// Default returns the configuration of an empty file.
func Default() *Config {
	return &Config{
		Listen: Listen{
			Policy:         addresses("tcp:127.0.0.1:10040"),
			Milter:         addresses("tcp:127.0.0.1:10041"),
			HTTP:           addresses("tcp:127.0.0.1:10042"),
			PolicyStage:    "RCPT",
			MaxConnections: listen.DefaultMaxConns,
			UnixMode:       uint32(listen.DefaultMode),
		},
		DNS: DNS{
			Timeout:       5 * time.Second,
			StressTimeout: 2 * time.Second,
			CacheSize:     64 << 20,
			Canaries: []Canary{
				{Name: dnsname.MustParse("a.root-servers.net"), Type: "A", Expect: Found},
				// Only the servers of the zone know that a random name does not
				// exist; what is under invalid (RFC 6761 §6.4) a resolver denies
				// without them, and the root servers it knows by heart.
				{Name: dnsname.MustParse("*.example.org"), Type: "A", Expect: NXDomain},
			},
		},
		Store:  Store{URL: sqliteScheme + "/var/lib/arpagate/arpagate.db", Retention: 30 * day},
		Policy: presetPolicy("careful"),
		Log:    Log{Format: "logfmt", Level: "info", Cases: "all"},
		Watch:  Watch{Every: time.Hour, Confirm: 2},
		Doctor: defaultDoctor(),
	}
}

// presetPolicy returns the policy of a preset without further settings, the
// zero Policy for an unknown one.
func presetPolicy(name string) Policy {
	rules, err := decision.Preset(name)
	if err != nil {
		return Policy{}
	}
	onError := OnErrorTempfail
	if rules.Monitor {
		onError = OnErrorAccept
	}
	return Policy{
		Preset:        name,
		TagAt:         rules.TagAt,
		DeferAt:       rules.DeferAt,
		RejectAt:      rules.RejectAt,
		PatienceTimes: rules.Patience.Times,
		PatienceOver:  rules.Patience.Over,
		OnError:       onError,
	}
}

// Rules returns the preset with the site's own settings. It fails only for a
// Config that did not come from Default, Parse or Load.
func (c *Config) Rules() (decision.Rules, error) {
	rules, err := decision.Preset(c.Policy.Preset)
	if err != nil {
		return decision.Rules{}, err
	}
	rules.TagAt, rules.DeferAt, rules.RejectAt = c.Policy.TagAt, c.Policy.DeferAt, c.Policy.RejectAt
	rules.Patience = decision.Patience{Times: c.Policy.PatienceTimes, Over: c.Policy.PatienceOver}
	for _, rule := range c.Policy.Rule {
		if err := rules.Override(rule); err != nil {
			return decision.Rules{}, err
		}
	}
	return rules, nil
}

// Complete fills in what the file leaves to the machine: the site's name, and
// with it the authserv-id. A host name that is not fully qualified is not used:
// a warning says what goes without.
func (c *Config) Complete(hostname string) []Warning {
	var warnings []Warning
	if c.Site.Name == "" {
		name, err := fqdn(hostname)
		if err != nil {
			warnings = append(warnings, Warning{
				Key:  "site.name",
				Text: "this machine's name " + err.Error() + `: set site.name, such as "mx.example.org"`,
			})
		}
		c.Site.Name = name
	}
	if c.Site.AuthservID == "" {
		c.Site.AuthservID = c.Site.Name
	}
	if c.Site.AuthservID == "" {
		warnings = append(warnings, Warning{
			Key:  "site.authserv_id",
			Text: "no Authentication-Results field is added without site.name or site.authserv_id (RFC 8601 §2.5)",
		})
	}
	return warnings
}

func addresses(specs ...string) []listen.Address {
	var out []listen.Address
	for _, spec := range specs {
		if a, err := listen.Parse(spec); err == nil {
			out = append(out, a)
		}
	}
	return out
}

// codes returns the codes of the catalogue, in its order.
func codes() []string {
	var out []string
	for _, e := range finding.Catalogue() {
		out = append(out, string(e.Code))
	}
	return out
}

// clone returns a deep copy.
func (c *Config) clone() *Config {
	d := *c
	d.Site.OwnNetworks = slices.Clone(c.Site.OwnNetworks)
	d.Listen.Policy = slices.Clone(c.Listen.Policy)
	d.Listen.Milter = slices.Clone(c.Listen.Milter)
	d.Listen.HTTP = slices.Clone(c.Listen.HTTP)
	d.DNS.Servers = slices.Clone(c.DNS.Servers)
	d.DNS.Canaries = slices.Clone(c.DNS.Canaries)
	d.Policy.Rule = slices.Clone(c.Policy.Rule)
	d.Watch.Targets = slices.Clone(c.Watch.Targets)
	d.Watch.MailTo = slices.Clone(c.Watch.MailTo)
	d.Doctor.List = slices.Clone(c.Doctor.List)
	d.Doctor.RDAP = slices.Clone(c.Doctor.RDAP)
	d.Doctor.Egress.Servers = slices.Clone(c.Doctor.Egress.Servers)
	d.Doctor.Map = slices.Clone(c.Doctor.Map)
	return &d
}

package remedy

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/arpagate/arpagate/internal/dnsname"
)

// The recipes: a file for each provider and for each mail server.
//
//go:embed data
var files embed.FS

// origin says where a recipe comes from.
type origin struct {
	Date      string `toml:"date"`      // of the source, 2026-08-21
	Source    string `toml:"source"`    // a public document: its URL, or title
	Confirmed bool   `toml:"confirmed"` // read in the source; false: general knowledge
}

// provider is a party that holds addresses.
type provider struct {
	ID    string
	Title string `toml:"title"`
	// Chosen says that nothing tells its addresses: it must be named.
	Chosen bool  `toml:"chosen"`
	Known  marks `toml:"known"`
	Ways   []way `toml:"way"`
}

// marks are what a provider is recognised by.
type marks struct {
	ASN  []uint32       `toml:"asn"`
	Zone []dnsname.Name `toml:"zone"` // suffixes of its name servers and SOA names
	PTR  []dnsname.Name `toml:"ptr"`  // suffixes of its default names
	// Pattern are regular expressions on its default names, where no suffix is
	// common to them.
	Pattern []string `toml:"pattern"`
	Holder  []string `toml:"holder"` // words in the registration, lower case
	// Example is a name as the provider assigns it, for 203.0.113.9.
	Example string `toml:"example"`

	patterns []*regexp.Regexp
}

// way is how to set a PTR record at one product of a provider.
type way struct {
	origin
	ID    string `toml:"id"`
	Title string `toml:"title"`
	// PTR are suffixes that tell this product from the others.
	PTR []dnsname.Name `toml:"ptr"`
	// By says who can do it: "customer", "support" (on request only), "nobody".
	By string `toml:"by"`
	// IPv6: "yes", "no" or "unknown".
	IPv6 string `toml:"ipv6"`
	// Delay is the least and the most time that the provider takes; absent where
	// it is not known.
	Delay []string `toml:"delay"`
	// ForwardFirst says that the provider looks at the address record first.
	ForwardFirst bool              `toml:"forward_first"`
	Fill         map[string]string `toml:"fill"` // what the upper-case words stand for
	Cautions     []string          `toml:"cautions"`
	Steps        []stepData        `toml:"step"`
}

// stepData is a Step with placeholders.
type stepData struct {
	Say     string `toml:"say"`
	Command string `toml:"command"`
	Console string `toml:"console"`
	File    string `toml:"file"`
	Lines   string `toml:"lines"`
	Family  int    `toml:"family"` // 4 or 6: for such addresses only
}

// server is a mail server, or a product around one.
type server struct {
	origin
	ID    string
	Title string `toml:"title"`
	// Banner are regular expressions on the text of the 220 and EHLO replies;
	// Also are other words for --mta.
	Banner  []string `toml:"banner"`
	Example string   `toml:"example"`
	Also    []string `toml:"also"`
	// Over names the mail server that this product is built around, whose tasks
	// it takes over where it has none of its own.
	Over  string            `toml:"over"`
	Fill  map[string]string `toml:"fill"`
	Tasks map[string]task   `toml:"task"`

	patterns []*regexp.Regexp
}

// task is one thing that can be set at a mail server: "helo", "banner",
// "relay", "bind" …
type task struct {
	Steps    []stepData `toml:"step"`
	Cautions []string   `toml:"cautions"`
	// Confirmed overrides that of the file, for a task that is known less well.
	Confirmed *bool             `toml:"confirmed"`
	Fill      map[string]string `toml:"fill"`
}

func readProviders() ([]provider, error) {
	var out []provider
	err := each("data/providers", func(id string, body []byte) error {
		p := provider{ID: id}
		err := strict(body, &p)
		if err == nil && len(p.Ways) == 0 {
			err = errors.New("no way")
		}
		if err == nil {
			p.Known.patterns, err = compile(p.Known.Pattern)
		}
		if err != nil {
			return err
		}
		out = append(out, p)
		return nil
	})
	return out, err
}

func readServers() ([]server, error) {
	var out []server
	err := each("data/servers", func(id string, body []byte) error {
		s := server{ID: id}
		err := strict(body, &s)
		if err == nil {
			s.patterns, err = compile(s.Banner)
		}
		if err != nil {
			return err
		}
		out = append(out, s)
		return nil
	})
	return out, err
}

func compile(patterns []string) ([]*regexp.Regexp, error) {
	var out []*regexp.Regexp
	for _, p := range patterns {
		re, err := regexp.Compile(p)
		if err != nil {
			return nil, err
		}
		out = append(out, re)
	}
	return out, nil
}

func each(dir string, read func(id string, body []byte) error) error {
	names, err := fs.Glob(files, dir+"/*.toml")
	if err != nil {
		return fmt.Errorf("remedy: %w", err)
	}
	for _, name := range names {
		body, err := files.ReadFile(name)
		if err == nil {
			err = read(strings.TrimSuffix(path.Base(name), ".toml"), body)
		}
		if err != nil {
			return fmt.Errorf("remedy: %s: %w", name, err)
		}
	}
	return nil
}

func strict(body []byte, to any) error {
	return toml.NewDecoder(strings.NewReader(string(body))).DisallowUnknownFields().Decode(to)
}

// delay returns the provider's own delay; known is false where it is assumed.
func (w *way) delay() (least, most time.Duration, known bool) {
	if w == nil || len(w.Delay) != 2 {
		return 0, 24 * time.Hour, false
	}
	least, err := time.ParseDuration(w.Delay[0])
	if err != nil {
		return 0, 24 * time.Hour, false
	}
	if most, err = time.ParseDuration(w.Delay[1]); err != nil {
		return 0, 24 * time.Hour, false
	}
	return least, most, true
}

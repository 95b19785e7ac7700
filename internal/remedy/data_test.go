package remedy_test

import (
	"bytes"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/evidence"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/remedy"
	"github.com/arpagate/arpagate/internal/untrusted"
)

// These are the data files as a contributor sees them.
type (
	step struct {
		Say, Command, Console, File, Lines string
		Family                             int
	}
	way struct {
		ID, Title, Date, Source, By, IPv6 string
		Confirmed                         *bool
		PTR, Delay, Cautions              []string
		ForwardFirst                      bool `toml:"forward_first"`
		Fill                              map[string]string
		Steps                             []step `toml:"step"`
	}
	provider struct {
		Title  string
		Chosen bool
		Known  struct {
			ASN                        []uint32
			Zone, PTR, Pattern, Holder []string
			Example                    string
		}
		Ways []way `toml:"way"`
	}
	task struct {
		Steps     []step `toml:"step"`
		Cautions  []string
		Confirmed *bool
		Fill      map[string]string
	}
	mailServer struct {
		Title, Date, Source, Over, Example string
		Confirmed                          *bool
		Banner, Also                       []string
		Fill                               map[string]string
		Tasks                              map[string]task `toml:"task"`
	}
)

// load reads every file of a folder of data, and refuses unknown keys.
func load[T any](t *testing.T, dir string) map[string]T {
	t.Helper()
	files, err := filepath.Glob("data/" + dir + "/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %d files", err, len(files))
	}
	out := map[string]T{}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var v T
		if err := toml.NewDecoder(bytes.NewReader(body)).DisallowUnknownFields().Decode(&v); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out[strings.TrimSuffix(filepath.Base(file), ".toml")] = v
	}
	return out
}

var (
	plainID     = regexp.MustCompile(`^[a-z0-9]+$`)
	placeholder = regexp.MustCompile(`\{[a-z]+\}`)
	upper       = regexp.MustCompile(`\b[A-Z][A-Z0-9]+(-[A-Z0-9]+)*\b`)
	ours        = []string{"{ip}", "{last}", "{arpa}", "{name}", "{domain}", "{host}"}
	// own are upper-case words that belong to a program's own language.
	own = strings.Fields(`LSW PUT POST PATCH GET PRIMARY_HOSTNAME MAILCOW_HOSTNAME MAIN_HARDCODE_PRIMARY_HOSTNAME TCP MTA PTR ESMTP CNAME TXT AUTHORITY LOGON ANONYMOUS NT
		SMTP PLAIN AI EC2 IP IPS DNS VPS EIP GPU CPU EAC WHM IIS UI HELO EHLO MX OCI IPAM TLS SMART_HOST RELAY_MAILER_ARGS CLIENT_OPTIONS FEATURE DEFAULT_RELAY_HOST RELAY_USER RELAY_PASSWORD SMTPD FQDN EHLO_Hostname`)
)

// checkSteps holds steps to the placeholders and the explained words.
func checkSteps(t *testing.T, where string, steps []step, fill map[string]string) {
	t.Helper()
	if len(steps) == 0 {
		t.Errorf("%s: no steps", where)
	}
	var all strings.Builder
	for _, s := range steps {
		if s.Say == "" || !strings.HasSuffix(s.Say, ".") && !strings.HasSuffix(s.Say, ":") {
			t.Errorf("%s: say %q is no sentence", where, s.Say)
		}
		if s.Family != 0 && s.Family != 4 && s.Family != 6 {
			t.Errorf("%s: family %d", where, s.Family)
		}
		if s.Lines != "" && s.File == "" && s.Console == "" && !strings.Contains(s.Say, "body") {
			t.Errorf("%s: lines without a file", where)
		}
		text := s.Command + "\n" + s.Lines + "\n" + s.Console
		for _, word := range placeholder.FindAllString(text+s.Say, -1) {
			if !slices.Contains(ours, word) {
				t.Errorf("%s: unknown placeholder %s", where, word)
			}
		}
		for _, word := range upper.FindAllString(s.Command+"\n"+s.Lines, -1) {
			if fill[word] == "" && !slices.Contains(own, word) {
				t.Errorf("%s: nothing says what %s stands for", where, word)
			}
		}
		all.WriteString(text)
	}
	for word := range fill {
		if !upper.MatchString(word) {
			t.Errorf("%s: %q is no upper-case word", where, word)
		}
	}
}

func checkOrigin(t *testing.T, where, date, source string, confirmed *bool) {
	t.Helper()
	day, err := time.Parse(time.DateOnly, date)
	if err != nil || day.After(noon) {
		t.Errorf("%s: date %q", where, date)
	}
	if len(source) < 10 || confirmed == nil {
		t.Errorf("%s: source %q, confirmed %v", where, source, confirmed)
	}
	if confirmed != nil && *confirmed && !strings.Contains(source, ".") && !strings.Contains(source, ":") && !strings.Contains(source, "(") {
		t.Errorf("%s: confirmed, but the source %q names no document", where, source)
	}
}

func TestProviderFiles(t *testing.T) {
	providers := load[provider](t, "providers")
	if len(providers) < 28 {
		t.Errorf("%d providers", len(providers))
	}
	for id, p := range providers {
		if !plainID.MatchString(id) || p.Title == "" || len(p.Ways) == 0 {
			t.Errorf("%s: title %q, %d ways", id, p.Title, len(p.Ways))
		}
		k := p.Known
		if recognised := len(k.ASN)+len(k.Zone)+len(k.PTR)+len(k.Pattern)+len(k.Holder) > 0; recognised == p.Chosen {
			t.Errorf("%s: recognisers and chosen contradict each other", id)
		}
		if (len(k.PTR)+len(k.Pattern) > 0) != (k.Example != "") {
			t.Errorf("%s: PTR suffixes and example go together", id)
		}
		for _, word := range k.Holder {
			if word != strings.ToLower(word) || len(word) < 3 {
				t.Errorf("%s: holder %q", id, word)
			}
		}
		for _, w := range p.Ways {
			where := id + "/" + w.ID
			checkOrigin(t, where, w.Date, w.Source, w.Confirmed)
			checkSteps(t, where, w.Steps, w.Fill)
			if w.ID == "" || w.Title == "" || !slices.Contains([]string{"customer", "support", "nobody"}, w.By) || !slices.Contains([]string{"yes", "no", "unknown"}, w.IPv6) {
				t.Errorf("%s: %q, by %q, ipv6 %q", where, w.Title, w.By, w.IPv6)
			}
			for _, d := range w.Delay {
				if v, err := time.ParseDuration(d); err != nil || v < 0 || v > 7*24*time.Hour {
					t.Errorf("%s: delay %q", where, d)
				}
			}
			if n := len(w.Delay); n != 0 && n != 2 {
				t.Errorf("%s: delay has the least and the most", where)
			}
			for _, c := range w.Cautions {
				if !strings.HasSuffix(c, ".") {
					t.Errorf("%s: caution %q is no sentence", where, c)
				}
			}
		}
	}
}

// TestRecognisersDoNotCollide keeps two providers from claiming one address.
func TestRecognisersDoNotCollide(t *testing.T) {
	type claim struct{ id, suffix string }
	asns := map[uint32]string{}
	var zones, ptrs []claim
	providers := load[provider](t, "providers")
	for _, id := range slices.Sorted(maps.Keys(providers)) {
		k := providers[id].Known
		for _, asn := range k.ASN {
			if other := asns[asn]; other != "" {
				t.Errorf("AS%d: %s and %s", asn, other, id)
			}
			asns[asn] = id
		}
		for _, s := range k.Zone {
			zones = append(zones, claim{id, s})
		}
		for _, s := range k.PTR {
			ptrs = append(ptrs, claim{id, s})
		}
	}
	for _, claims := range [][]claim{zones, ptrs} {
		for _, a := range claims {
			if _, err := dnsname.Parse(a.suffix); err != nil || !strings.Contains(a.suffix, ".") {
				t.Errorf("%s: suffix %q", a.id, a.suffix)
			}
			for _, b := range claims {
				if a.id != b.id && name(a.suffix).Under(name(b.suffix)) {
					t.Errorf("%s of %s lies under %s of %s", a.suffix, a.id, b.suffix, b.id)
				}
			}
		}
	}
}

// recognitions are all ways in which the provider's address shows.
func recognitions(p provider) map[string]func(*remedy.Input) {
	out := map[string]func(*remedy.Input){}
	for _, asn := range p.Known.ASN {
		out[fmt.Sprintf("AS%d", asn)] = func(in *remedy.Input) { in.Origin = &evidence.Origin{ASN: asn} }
	}
	for _, word := range p.Known.Holder {
		out["holder "+word] = func(in *remedy.Input) {
			in.Origin = &evidence.Origin{Holder: untrusted.New("The " + strings.ToUpper(word) + " Company")}
		}
	}
	for _, suffix := range p.Known.Zone {
		ns := "ns1." + suffix
		if strings.HasPrefix(suffix, "ns") {
			ns = suffix
		}
		out["name server "+suffix] = func(in *remedy.Input) {
			in.Reverse = zone("9.113.0.203.in-addr.arpa", evidence.PTR, "113.0.203.in-addr.arpa", server(ns, "198.51.100.1", 1, none()))
		}
		out["SOA "+suffix] = func(in *remedy.Input) {
			in.Reverse = reverse(none())
			in.Reverse.SOA.MName = name(ns)
		}
	}
	if e := p.Known.Example; e != "" {
		out["PTR "+e] = func(in *remedy.Input) {
			in.View = &evidence.View{IPRev: evidence.IPRev{Names: []evidence.PTRName{{Name: name(e), State: evidence.Confirmed}}}, Generic: evidence.Generic{Name: name(e), Parts: []string{"octets"}}}
		}
	}
	return out
}

// TestEveryProvider recognises each provider by all that it is known by, and
// shows its commands filled in.
func TestEveryProvider(t *testing.T) {
	b := open(t)
	providers := load[provider](t, "providers")
	var all strings.Builder
	for _, id := range slices.Sorted(maps.Keys(providers)) {
		p := providers[id]
		for how, set := range recognitions(p) {
			in := about(finding.PTRGeneric, "203.0.113.9", "mail.example.org")
			set(&in)
			r := b.For(in)
			if r.Recipe == nil || !strings.HasPrefix(r.Recipe.ID, id+"/") || !strings.Contains(r.Who, p.Title) {
				t.Errorf("%s by %s: recipe %v, who %q", id, how, r.Recipe, r.Who)
			}
		}
		for _, addr := range []string{"203.0.113.9", "2001:db8::25"} {
			in := missing(addr, "mail.example.org")
			in.Provider = id
			r := b.For(in)
			fmt.Fprintf(&all, "==== %s, %s\n%s\n", p.Title, addr, r.Do)
			showSteps(&all, r.Steps)
			for _, c := range r.Cautions {
				fmt.Fprintf(&all, "! %s\n", c)
			}
			for _, o := range r.Others {
				fmt.Fprintf(&all, "or %s:\n", o.Recipe.Title)
				showSteps(&all, o.Steps)
			}
			checkFilled(t, id, all.String())
		}
	}
	if !slices.Equal(b.Providers(), slices.Sorted(maps.Keys(providers))) {
		t.Errorf("Providers: %q", b.Providers())
	}
	golden(t, "testdata/providers.golden", all.String())
}

func checkFilled(t *testing.T, id, text string) {
	t.Helper()
	for _, word := range ours {
		if strings.Contains(text, word) {
			t.Errorf("%s: %s was not filled in", id, word)
		}
	}
}

// TestEveryServer recognises each mail server by its greeting and by its word,
// and shows what its recipes say.
func TestEveryServer(t *testing.T) {
	b := open(t)
	servers := load[mailServer](t, "servers")
	codes := map[string]finding.Code{
		"helo": finding.HeloNotFQDN, "banner": "banner-name", "relay": finding.PTRGeneric, "bind": "ipv6-no-ptr", "tls": "tls-missing",
		"vrfy": "vrfy-open", "roles": "postmaster-refused", "closed": "relay-open",
	}
	var all strings.Builder
	for _, id := range slices.Sorted(maps.Keys(servers)) {
		s := servers[id]
		where := "servers/" + id
		checkOrigin(t, where, s.Date, s.Source, s.Confirmed)
		if s.Title == "" || !plainID.MatchString(id) || s.Over != "" && servers[s.Over].Title == "" || (len(s.Banner) > 0) != (s.Example != "") {
			t.Errorf("%s: title %q, over %q, example %q", where, s.Title, s.Over, s.Example)
		}
		if s.Over == "" && (len(s.Tasks["helo"].Steps) == 0) {
			t.Errorf("%s: no EHLO recipe", where)
		}
		if s.Example != "" {
			in := about(finding.HeloNotFQDN, "203.0.113.9", "mail.example.org")
			in.SMTP = banner(s.Example)
			if r := b.For(in); r.Recipe == nil || !strings.HasPrefix(r.Recipe.ID, id+"/") {
				t.Errorf("%s: the greeting %q leads to %+v", where, s.Example, r.Recipe)
			}
		}
		for _, task := range slices.Sorted(maps.Keys(s.Tasks)) {
			if codes[task] == "" {
				t.Errorf("%s: no finding leads to the task %q", where, task)
				continue
			}
			fill := maps.Clone(s.Tasks[task].Fill)
			if fill == nil {
				fill = map[string]string{}
			}
			maps.Copy(fill, s.Fill)
			checkSteps(t, where+"/"+task, s.Tasks[task].Steps, fill)
			for _, word := range append(s.Also, id) {
				in := about(codes[task], "203.0.113.9", "mail.example.org")
				in.MTA = strings.ToUpper(word)
				r := b.For(in)
				if word == id {
					fmt.Fprintf(&all, "==== %s, %s\n", s.Title, task)
					showSteps(&all, r.Steps)
					checkFilled(t, id, all.String())
				}
			}
		}
	}
	if !slices.Equal(b.Servers(), slices.Sorted(maps.Keys(servers))) {
		t.Errorf("Servers: %q", b.Servers())
	}
	golden(t, "testdata/servers.golden", all.String())
}

// TestHostileNames: what a stranger chose never reaches a command.
func TestHostileNames(t *testing.T) {
	b := open(t)
	for _, evil := range []string{`a;reboot.example.org`, "$(reboot).example.org", "`reboot`.example.org", `x\010y.example.org`, `a'b.example.org`, `-rf.example.org`, `..%`} {
		n, err := dnsname.Parse(evil)
		if err != nil {
			continue
		}
		for _, p := range b.Providers() {
			in := missing("203.0.113.9", "")
			in.Wanted, in.Names, in.Provider, in.MTA = n, []dnsname.Name{n}, p, "postfix"
			in.View = &evidence.View{IPRev: evidence.IPRev{Names: []evidence.PTRName{{Name: n}}}, Helo: evidence.Helo{Kind: evidence.HeloName, Name: n, Said: untrusted.New(evil)}}
			in.Address = netip.MustParseAddr("203.0.113.9")
			for _, s := range b.For(in).Steps {
				if strings.Contains(s.Command+s.Lines, "reboot") || strings.Contains(s.Command+s.Lines, n.String()) {
					t.Fatalf("%s: %+v", evil, s)
				}
			}
		}
	}
}

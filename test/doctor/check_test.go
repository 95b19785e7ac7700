package doctor_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// report is the JSON document of check, as far as it is looked at.
type report struct {
	Target  string `json:"target"`
	Verdict string `json:"verdict"`
	Partial bool   `json:"partial"`
	Now     *struct {
		State string `json:"state"`
	} `json:"now"`
	Problems  []problem `json:"problems"`
	Addresses []struct {
		Address  netip.Addr `json:"address"`
		Problems []problem  `json:"problems"`
	} `json:"addresses"`
	Servers []struct {
		Problems []problem `json:"problems"`
	} `json:"servers"`
}

type problem struct {
	Cause   cause   `json:"cause"`
	Effects []cause `json:"effects"`
	Remedy  *remedy `json:"remedy"`
}

type cause struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Text     string `json:"text"`
}

type remedy struct {
	Party string            `json:"party"`
	Do    string            `json:"do"`
	Texts map[string]string `json:"texts"`
	Steps []struct {
		Say     string `json:"say"`
		Command string `json:"command"`
		File    string `json:"file"`
		Lines   string `json:"lines"`
	} `json:"steps"`
	Ready *struct {
		OK  bool     `json:"ok"`
		Why []string `json:"why"`
	} `json:"ready"`
	Visible *struct {
		First time.Time `json:"first"`
		Last  time.Time `json:"last"`
	} `json:"visible"`
}

// all are the problems of the target, its addresses and servers.
func (r *report) all() []problem {
	out := slices.Clone(r.Problems)
	for i := range r.Addresses {
		out = append(out, r.Addresses[i].Problems...)
	}
	for i := range r.Servers {
		out = append(out, r.Servers[i].Problems...)
	}
	return out
}

// faults are the causes with their parties, and info the codes of those that
// are information only; each once.
func (r *report) faults() (faults []fault, info []string) {
	for _, p := range r.all() {
		f := fault{code: p.Cause.Code}
		if p.Remedy != nil {
			f.party = p.Remedy.Party
		}
		switch {
		case p.Cause.Severity == "info":
			if !slices.Contains(info, f.code) {
				info = append(info, f.code)
			}
		case !slices.Contains(faults, f):
			faults = append(faults, f)
		}
	}
	return faults, info
}

// find returns the problem with the code, nil without.
func (r *report) find(code string) *problem {
	all := r.all()
	for i := range all {
		if all[i].Cause.Code == code {
			return &all[i]
		}
	}
	return nil
}

const config = `[dns]
servers = ["127.0.0.1:53"]

[store]
url = "sqlite:%s"

[doctor]
helo = "probe.example.org"
map = [
%s]

[[doctor.list]]
zone = %q
`

// writeConfig writes the configuration with which a world is examined, and
// returns the path. It maps every address to its twin, and asks one DNS list.
func (s *site) writeConfig(t *testing.T, w *world) string {
	t.Helper()
	var pairs strings.Builder
	for a := range s.local {
		for _, port := range []uint16{25, 53} {
			fmt.Fprintf(&pairs, "    \"%s=%s\",\n", netip.AddrPortFrom(a, port), netip.AddrPortFrom(twin(a), port))
		}
	}
	name := "config-" + w.name + ".toml"
	return s.write(t, fmt.Sprintf(config, s.Path("arpagate.db"), pairs.String(), cmp.Or(w.list, "bl.example.org")), name)
}

// exitCodes are those of check, by verdict.
var exitCodes = map[string]int{"pass": 0, "warn": 1, "fail": 2, "unknown": 3}

// check examines a world with the built program.
func (s *site) check(t *testing.T, w *world) *report {
	t.Helper()
	args := append([]string{"check", w.target, "--json", "--timeout", "60s", "--config", s.writeConfig(t, w)}, w.args...)
	cmd := s.Server.Command(s.BuildGate(t), args...)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+s.ca.file)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var r report
	if jsonErr := json.Unmarshal(stdout.Bytes(), &r); jsonErr != nil {
		t.Fatalf("%q: %v, %v\n%s\n%s", cmd.Args, err, jsonErr, stdout.Bytes(), stderr.Bytes())
	}
	if code := cmd.ProcessState.ExitCode(); code != exitCodes[r.Verdict] {
		t.Errorf("exit code %d with the verdict %q", code, r.Verdict)
	}
	return &r
}

// describe is a report in a few lines, for a test that fails.
func (r *report) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s, partial %v\n", r.Target, r.Verdict, r.Partial)
	for _, p := range r.all() {
		fmt.Fprintf(&b, "  %s %s: %s\n", p.Cause.Severity, p.Cause.Code, p.Cause.Text)
		for _, e := range p.Effects {
			fmt.Fprintf(&b, "    effect %s %s\n", e.Severity, e.Code)
		}
		if p.Remedy != nil {
			fmt.Fprintf(&b, "    %s: %s\n", p.Remedy.Party, p.Remedy.Do)
		}
	}
	return b.String()
}

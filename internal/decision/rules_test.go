package decision_test

import (
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/decision"
	"github.com/arpagate/arpagate/internal/finding"
)

func TestPresetsHaveARuleForEveryFinding(t *testing.T) {
	for _, name := range decision.Presets() {
		rules, err := decision.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		seen := make(map[finding.Code]int)
		for _, rule := range rules.Rules {
			seen[rule.Code]++
		}
		for _, entry := range finding.Catalogue() {
			if seen[entry.Code] != 1 {
				t.Errorf("%s has %d rules for %s", name, seen[entry.Code], entry.Code)
			}
		}
	}
	if _, err := decision.Preset("lenient"); err == nil || !strings.Contains(err.Error(), "monitor, careful, strict") {
		t.Errorf("unknown preset: %v", err)
	}
}

func TestOverride(t *testing.T) {
	for _, tt := range []struct {
		name string
		rule decision.Rule
		err  string
	}{
		{"stricter", decision.Rule{Code: finding.PTRGeneric, Action: decision.Defer}, ""},
		{"off", decision.Rule{Code: finding.HeloMissing}, ""},
		{"trouble accepted", decision.Rule{Code: finding.DNSTrouble, Action: decision.Tag}, ""},
		{"trouble rejected", decision.Rule{Code: finding.DNSTrouble, Action: decision.Reject}, "never rejected"},
		{"trouble scored", decision.Rule{Code: finding.DNSTrouble, Points: 1}, "never rejected or scored"},
		{"unknown code", decision.Rule{Code: "ptr-mising"}, `"ptr-mising"`},
		{"points below zero", decision.Rule{Code: finding.PTRGeneric, Points: -1}, "between 0 and 100"},
		{"points beyond", decision.Rule{Code: finding.PTRGeneric, Points: 101}, "between 0 and 100"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rules, err := decision.Preset("careful")
			if err != nil {
				t.Fatal(err)
			}
			before := len(rules.Rules)
			err = rules.Override(tt.rule)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("error %v, want %q", err, tt.err)
			}
			if len(rules.Rules) != before {
				t.Errorf("%d rules, were %d", len(rules.Rules), before)
			}
		})
	}
}

func TestActionText(t *testing.T) {
	for action := decision.Accept; action <= decision.Reject; action++ {
		text, err := action.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back decision.Action
		if err := back.UnmarshalText(text); err != nil || back != action {
			t.Errorf("%s came back as %s: %v", text, back, err)
		}
	}
	var a decision.Action
	if err := a.UnmarshalText([]byte("drop")); err == nil {
		t.Error(`"drop" is no action`)
	}
}

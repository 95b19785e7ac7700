package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/receivers"
)

// group is receivers that do the same.
type group struct {
	Effect receivers.Effect
	Names  []string // with their points
}

// effectOrder is from bad to good.
var effectOrder = []receivers.Effect{receivers.Reject, receivers.Defer, receivers.Score, receivers.Unsure, receivers.Nothing}

// effectWords say what an effect means for the sender.
var effectWords = map[receivers.Effect]string{
	receivers.Reject:  "refuse",
	receivers.Defer:   "put off",
	receivers.Score:   "add to a spam score",
	receivers.Unsure:  "can't be told",
	receivers.Nothing: "don't mind",
}

// Says returns the effect in words.
func (g group) Says() string { return effectWords[g.Effect] }

// Receivers joins the names.
func (g group) Receivers() string { return strings.Join(g.Names, "; ") }

// grouped puts together the receivers that do the same.
func grouped(list []receivers.Verdict) []group {
	var out []group
	for _, effect := range effectOrder {
		g := group{Effect: effect}
		for _, v := range list {
			if v.Effect == effect {
				g.Names = append(g.Names, v.Receiver+points(v.Effect, v.Points))
			}
		}
		if len(g.Names) > 0 {
			out = append(out, g)
		}
	}
	return out
}

func points(effect receivers.Effect, n float64) string {
	if effect != receivers.Score || n == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s)", strings.TrimPrefix("+"+strconv.FormatFloat(n, 'f', -1, 64), "+-"))
}

// refusing counts the receivers that refuse or put off mail from any of the
// addresses, of those that are known.
func refusing(x *doctor.Examination) (refuse, of int) {
	worst := map[string]bool{}
	for i := range x.Addresses {
		for _, v := range x.Addresses[i].Receivers {
			worst[v.Receiver] = worst[v.Receiver] || slices.Contains([]receivers.Effect{receivers.Reject, receivers.Defer}, v.Effect)
		}
	}
	for _, bad := range worst {
		refuse += btoi(bad)
	}
	return refuse, len(worst)
}

// ruleDetails lists the rules that fired, with their sources.
func ruleDetails(list []receivers.Verdict) []detail {
	var entries []entry
	for _, v := range list {
		for _, r := range v.Rules {
			said := joinNonEmpty("; ", string(r.Effect)+points(r.Effect, r.Points), quoted(r.Reply), r.Note)
			source := joinNonEmpty(", ", r.Source, r.Date)
			if !r.Confirmed {
				source += "; not confirmed"
			}
			entries = append(entries, entry{Head: v.Receiver + ": " + r.ID, Said: said, Note: source})
		}
	}
	if len(entries) == 0 {
		return nil
	}
	return []detail{{Title: "Rules of receivers", Entries: entries}}
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return `"` + s + `"`
}

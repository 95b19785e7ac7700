package doctor

import "github.com/arpagate/arpagate/internal/finding"

// Rule is a rule of folding, for its test.
type Rule struct {
	Cause, Effect finding.Code
	Always        bool // it holds wherever both are found
}

// Rules returns the rules in their order.
func Rules() []Rule {
	var out []Rule
	for _, r := range rules {
		out = append(out, Rule{r.cause, r.effect, r.when == nil})
	}
	return out
}

// Folds reports whether e is folded under c, found in these scopes, where 0 is
// the target itself.
func Folds(c, e finding.Finding, scopeC, scopeE int) bool {
	nodes := []node{{Finding: c, scope: scopeC}, {Finding: e, scope: scopeE}}
	fold(nodes)
	return nodes[1].cause == 0 && root(nodes, 1) == 0
}

// Told folds and merges findings in their scopes, and returns the problems.
func Told(found []finding.Finding, scopes []int) []Problem {
	nodes := make([]node, len(found))
	for i := range found {
		nodes[i] = node{Finding: found[i], scope: scopes[i]}
	}
	fold(nodes)
	var out []Problem
	for _, g := range merge(grouped(nodes)) {
		out = append(out, g.Problem)
	}
	return out
}

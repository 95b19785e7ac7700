package main

import (
	"math/rand/v2"
	"slices"

	"github.com/arpagate/arpagate/internal/generic"
)

const (
	folds   = 5
	penalty = 1.5
	// caution is taken off the score of every name: a mail server that is taken
	// for a dial-in host costs more than the reverse.
	caution = 0.6
)

// deal gives each registrable domain a fold, so that no domain is judged by
// weights that were trained on it.
func deal(examples []*example, seed uint64) {
	fold := map[string]int{}
	var domains []string
	for _, e := range examples {
		if _, seen := fold[e.domain]; !seen {
			fold[e.domain] = 0
			domains = append(domains, e.domain)
		}
	}
	slices.Sort(domains)
	r := rand.New(rand.NewPCG(seed, 0))
	r.Shuffle(len(domains), func(i, j int) { domains[i], domains[j] = domains[j], domains[i] })
	for i, d := range domains {
		fold[d] = i
	}
	for _, e := range examples {
		e.fold = fold[e.domain] % folds
		e.turn = fold[e.domain] / folds
	}
}

// train returns the weights, less caution.
func train(examples []*example) []float64 {
	w := fit(examples, prior(), penalty)
	w[0] -= caution
	return w
}

// judged is an example with the score that weights trained on other domains
// give it.
type judged struct {
	*example
	score float64
}

// crossValidate judges every example by weights that were trained on the other
// folds, or on that share of their domains.
func crossValidate(examples []*example, share float64) []judged {
	last := 0
	for _, e := range examples {
		last = max(last, e.turn)
	}
	var out []judged
	for f := range folds {
		var others []*example
		for _, e := range examples {
			if e.fold != f && float64(e.turn) <= share*float64(last) {
				others = append(others, e)
			}
		}
		w := train(others)
		for _, e := range examples {
			if e.fold == f {
				out = append(out, judged{e, logit(w, e)})
			}
		}
	}
	return out
}

// without returns copies of the examples that lack the signs.
func without(examples []*example, lacks func(name string) bool) []*example {
	out := make([]*example, len(examples))
	for i, e := range examples {
		c := *e
		c.signs = slices.DeleteFunc(slices.Clone(e.signs), func(s int) bool { return lacks(generic.Sign(s).String()) })
		out[i] = &c
	}
	return out
}

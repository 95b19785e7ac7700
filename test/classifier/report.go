package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// seeds are the ways of dealing the domains that the report is made of; the
// first is that of the main figures.
const seeds = 5

// published are the figures of other classifiers on the same names, as they
// were measured.
const published = `| Botnet.pm (client words and address) | .969 | .906 | .936 | 35 | 31 | .55 | .44 |
| SQLgrey smart | .952 | .864 | .906 | 47 | 34 | 0 | .46 |
| S25R, six rules | .815 | .970 | .886 | 264 | 253 | .96 | .80 |
| Haraka is_ip_in_str | .927 | .820 | .870 | 79 | 76 | 0 | .05 |
| two octets in the name | .940 | .751 | .835 | 58 | 58 | 0 | 0 |
| SpamAssassin RDNS_DYNAMIC | .990 | .676 | .804 | 8 | 8 | .56 | .23 |
| four octets in the name | .993 | .667 | .798 | 6 | 6 | 0 | 0 |
| policyd-weight | .988 | .482 | .648 | 7 | 6 | .33 | .32 |
| rspamd hfilter (any hostname pattern) | .926 | .358 | .517 | 28 | 16 | .21 | .32 |
| fqrdns.pcre | 1.000 | .198 | .330 | 0 | 0 | 0 | .09 |
`

// tally counts what was right and wrong of the examples that it takes.
type tally struct{ hit, miss, wrong, right float64 }

func (t *tally) add(generic, said bool, weight float64) {
	switch {
	case generic && said:
		t.hit += weight
	case generic:
		t.miss += weight
	case said:
		t.wrong += weight
	default:
		t.right += weight
	}
}

func (t tally) precision() float64 { return t.hit / (t.hit + t.wrong) }
func (t tally) recall() float64    { return t.hit / (t.hit + t.miss) }
func (t tally) f1() float64        { return 2 * t.hit / (2*t.hit + t.wrong + t.miss) }

// figures are those of one run.
type figures struct {
	all, weighted          tally
	mail, hard, six, plain tally // mail, hard mail; generic names of IPv6, without address
}

func count(list []judged) (f figures) {
	for _, j := range list {
		said := j.score > 0
		f.all.add(j.generic, said, 1)
		f.weighted.add(j.generic, said, j.weight*j.weight)
		if j.label == "mail" {
			f.mail.add(false, said, 1)
		}
		if j.hard() {
			f.hard.add(false, said, 1)
		}
		if j.generic && j.addr.Is6() {
			f.six.add(true, said, 1)
		}
		if j.generic && j.addressless() {
			f.plain.add(true, said, 1)
		}
	}
	return f
}

// row is a line of the table, in the form of the published figures.
func (f figures) row(title string) string {
	return fmt.Sprintf("| %s | %s | %s | %s | %.0f | %.0f | %s | %s |\n", title, short(f.all.precision(), 3), short(f.all.recall(), 3),
		short(f.all.f1(), 3), f.mail.wrong, f.hard.wrong, short(f.six.recall(), 2), short(f.plain.recall(), 2))
}

// short writes a share as ".984".
func short(v float64, digits int) string {
	text := fmt.Sprintf("%.*f", digits, v)
	if digits > 0 {
		text = strings.TrimPrefix(text, "0")
	}
	return text
}

// writeReport prints the tables of docs/classifier.md.
func writeReport(w io.Writer, examples []*example, errors int) {
	deal(examples, 1)
	main := crossValidate(examples, 1)
	f := count(main)
	head := fmt.Sprintf("| classifier | P | R | F1 | FP mail of %.0f | FP hard of %.0f | R IPv6 of %.0f | R no address of %.0f |\n|---|---|---|---|---|---|---|---|\n",
		f.mail.wrong+f.mail.right, f.hard.wrong+f.hard.right, f.six.hit+f.six.miss, f.plain.hit+f.plain.miss)
	fmt.Fprintf(w, "%s%s%s\n", head, f.row("**arpagate**, cross-validated"), published)
	fmt.Fprintf(w, "Each domain counted once: P %.3f, R %.3f, F1 %.3f.\n\n", f.weighted.precision(), f.weighted.recall(), f.weighted.f1())
	writeSpread(w, examples, main)

	fmt.Fprintf(w, "What each group of signs is worth:\n\n%s", head)
	for _, ablation := range ablations {
		fmt.Fprint(w, count(crossValidate(without(examples, ablation.lacks), 1)).row(ablation.title))
	}
	fmt.Fprintf(w, "\nHow the number of domains to learn from matters:\n\n%s", head)
	for _, share := range []float64{0.1, 0.25, 0.5, 0.75, 1} {
		fmt.Fprint(w, count(crossValidate(examples, share)).row(fmt.Sprintf("%.0f %% of the other folds", 100*share)))
	}
	weights := train(examples)
	var known []judged
	for _, e := range examples {
		known = append(known, judged{e, logit(weights, e)})
	}
	fmt.Fprint(w, count(known).row("the names it was trained on"))
	writeErrors(w, main, errors)
}

// ablations are what is left out to see what it is worth.
var ablations = []struct {
	title string
	lacks func(name string) bool
}{
	{"all signs", func(string) bool { return false }},
	{"without the providers", ofProviders},
	{"without words", func(name string) bool { return ofProviders(name) || ofWords(name) }},
	{"words and shape, no address", ofAddress},
}

func ofProviders(name string) bool {
	return strings.HasSuffix(name, " of a provider") || name == "pool of a sender"
}

func ofWords(name string) bool {
	for _, word := range []string{" word", "mail", "line", "machine", "hoster", "customer", "static", "dynamic", "placeholder"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

func ofAddress(name string) bool {
	for _, word := range []string{"octet", "hex", "group", "address"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// writeSpread prints how far the folds, and other ways of dealing them, lie
// apart.
func writeSpread(w io.Writer, examples []*example, main []judged) {
	var inFolds, inSeeds []figures
	for fold := range folds {
		inFolds = append(inFolds, count(slices.DeleteFunc(slices.Clone(main), func(j judged) bool { return j.fold != fold })))
	}
	inSeeds = append(inSeeds, count(main))
	for seed := uint64(2); seed <= seeds; seed++ {
		deal(examples, seed)
		inSeeds = append(inSeeds, count(crossValidate(examples, 1)))
	}
	deal(examples, 1)
	fmt.Fprintf(w, "| spread | P | R | F1 | FP mail | FP hard | R IPv6 | R no address |\n|---|---|---|---|---|---|---|---|\n")
	for _, s := range []struct {
		title string
		list  []figures
	}{{"the five folds", inFolds}, {"five ways of dealing", inSeeds}} {
		span := func(digits int, of func(figures) float64) string {
			least, most := 1e9, -1.0
			for _, f := range s.list {
				least, most = min(least, of(f)), max(most, of(f))
			}
			return short(least, digits) + "–" + short(most, digits)
		}
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", s.title,
			span(3, func(f figures) float64 { return f.all.precision() }), span(3, func(f figures) float64 { return f.all.recall() }),
			span(3, func(f figures) float64 { return f.all.f1() }), span(0, func(f figures) float64 { return f.mail.wrong }),
			span(0, func(f figures) float64 { return f.hard.wrong }), span(2, func(f figures) float64 { return f.six.recall() }),
			span(2, func(f figures) float64 { return f.plain.recall() }))
	}
	fmt.Fprintln(w)
}

// writeErrors lists the worst errors of each kind, which stay on the terminal:
// they are names of real hosts.
func writeErrors(w io.Writer, list []judged, most int) {
	slices.SortStableFunc(list, func(a, b judged) int { return cmp.Compare(b.score, a.score) })
	show := func(j judged) { fmt.Fprintf(w, "%+.2f %s %s %s\n", j.score, j.label, j.addr, j.name) }
	for shown, i := 0, 0; shown < most && i < len(list) && list[i].score > 0; i++ {
		if !list[i].generic {
			show(list[i])
			shown++
		}
	}
	for shown, i := 0, len(list)-1; shown < most && i >= 0 && list[i].score <= 0; i-- {
		if list[i].generic {
			show(list[i])
			shown++
		}
	}
}

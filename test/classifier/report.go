package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/arpagate/arpagate/internal/generic"
)

// figures counts what was right and wrong.
type figures struct {
	hit, miss, wrong    float64
	mail, hard          int // wrong ones
	mails, hards        int
	hit6, all6          int // generic names of IPv6 addresses
	hitPlain, allPlain  int // generic names without address
	wHit, wMiss, wWrong float64
}

func count(all []judged) (f figures) {
	for _, j := range all {
		yes := j.score > 0
		w := j.weight * j.weight
		if j.label == "mail" {
			f.mails++
			if j.hard() {
				f.hards++
			}
		}
		switch {
		case yes && j.generic:
			f.hit++
			f.wHit += w
		case j.generic:
			f.miss++
			f.wMiss += w
		case yes:
			f.wrong++
			f.wWrong += w
			if j.label == "mail" {
				f.mail++
				if j.hard() {
					f.hard++
				}
			}
		}
		if j.generic && j.addr.Is6() {
			f.all6++
			if yes {
				f.hit6++
			}
		}
		if j.generic && j.addressless() {
			f.allPlain++
			if yes {
				f.hitPlain++
			}
		}
	}
	return f
}

func (f figures) String() string {
	return fmt.Sprintf("%.3f | %.3f | %.3f | %d | %d | %.2f | %.2f", f.hit/(f.hit+f.wrong), f.hit/(f.hit+f.miss),
		2*f.hit/(2*f.hit+f.wrong+f.miss), f.mail, f.hard, float64(f.hit6)/float64(f.all6), float64(f.hitPlain)/float64(f.allPlain))
}

func writeReport(w io.Writer, examples []*example, errors int) {
	deal(examples, 1)
	all := crossValidate(examples, 1)
	f := count(all)
	fmt.Fprintf(w, "mails %d hard %d v6 %d plain %d\n", f.mails, f.hards, f.all6, f.allPlain)
	fmt.Fprintln(w, "all", f)
	fmt.Fprintf(w, "weighted %.3f %.3f\n", f.wHit/(f.wHit+f.wWrong), f.wHit/(f.wHit+f.wMiss))
	for seed := range uint64(5) {
		deal(examples, seed+2)
		fmt.Fprintln(w, "seed", seed+2, count(crossValidate(examples, 1)))
	}
	deal(examples, 1)
	fmt.Fprintln(w, "noprov", count(crossValidate(without(examples, func(s generic.Sign) bool {
		return strings.HasSuffix(s.String(), "of a provider") || s.String() == "pool of a sender"
	}), 1)))
	if errors == 0 {
		return
	}
	slices.SortFunc(all, func(a, b judged) int { return cmp.Compare(b.score, a.score) })
	for _, j := range all {
		if j.score > -1 && !j.generic {
			show(w, j)
		}
	}
	fmt.Fprintln(w)
	for _, j := range all {
		if j.score < 1 && j.generic {
			show(w, j)
		}
	}
}

func show(w io.Writer, j judged) {
	var s []string
	for _, i := range j.signs[1:] {
		s = append(s, generic.Sign(i).String())
	}
	fmt.Fprintf(w, "%+.2f %s %s %s [%s]\n", j.score, j.label, j.addr, j.name, strings.Join(s, "; "))
}

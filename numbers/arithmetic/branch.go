package arithmetic

import (
	"math"
	"slices"
)

// Branch is a place where a program decides between two values: inside a clip or at its bound. What
// decides it, the margin, errs like everything else; where the runs say that it may fall either
// way, the program is run again with the decision turned round, and both are right.
type Branch struct {
	margins []float64
	forced  []float64 // NaN: by its margin
	shares  []float64
}

// Branch returns a place of n decisions. A decision in doubt may be taken as far as one of the
// shares says: not at all (0), wholly (1), by half where a maximum shares its gradient out, by
// three quarters where the clamp before it does, too.
func (r *Run) Branch(n int, shares ...float64) *Branch {
	b := &Branch{margins: make([]float64, n), shares: shares}
	for i := range b.margins {
		b.margins[i] = math.NaN() // not met
	}
	r.branches = append(r.branches, b)
	if r.forced != nil {
		r.forced(len(r.branches)-1, b)
	}
	return b
}

// Taken returns how far decision i is taken: 1 where its margin is above 0, else 0; and what lies
// between where frameworks share a gradient out between equal branches.
func (b *Branch) Taken(i int, margin float64) float64 {
	b.margins[i] = margin
	if b.forced != nil && !math.IsNaN(b.forced[i]) {
		return b.forced[i]
	}
	if margin > 0 {
		return 1
	}
	return 0
}

// Doubts are the decisions of a program that may fall either way, place by place.
type Doubts struct {
	places [][]bool
	exact  [][]float64 // how the exact run decides
	shares [][]float64
}

// doubt is how many standard deviations from 0 a margin is no longer in doubt: more than any
// element is allowed.
const doubt = 8

// FindDoubts compares the margins of many runs with those of the exact one.
func FindDoubts(exact *Run, runs []*Run) Doubts {
	d := Doubts{}
	for p, b := range exact.branches {
		doubtful, decided := make([]bool, len(b.margins)), make([]float64, len(b.margins))
		d.places, d.exact, d.shares = append(d.places, doubtful), append(d.exact, decided), append(d.shares, b.shares)
		for i, margin := range b.margins {
			var squares, n float64
			for _, r := range runs {
				if e := r.branches[p].margins[i] - margin; !math.IsNaN(e) && !math.IsInf(e, 0) {
					squares, n = squares+e*e, n+1
				}
			}
			if margin > 0 {
				decided[i] = 1
			}
			doubtful[i] = math.Abs(margin) <= doubt*math.Sqrt(squares/max(n, 1))
		}
	}
	return d
}

// None tells whether no decision is in doubt.
func (d Doubts) None() bool { return len(d.doubtful()) == 0 }

// doubtful lists the places with a decision in doubt.
func (d Doubts) doubtful() (places []int) {
	for p, in := range d.places {
		if slices.Contains(in, true) {
			places = append(places, p)
		}
	}
	return places
}

// Settle makes a run decide what is in doubt as the exact run did, or wholly.
func (d Doubts) Settle(r *Run, wholly bool) *Run {
	return d.settle(r, func(int) (float64, bool) { return 1, wholly })
}

// settle makes a run decide what is in doubt at a place as far as share says, or as the exact run
// did.
func (d Doubts) settle(r *Run, share func(at int) (float64, bool)) *Run {
	r.forced = func(at int, b *Branch) {
		how := d.exact[at]
		if s, in := share(at); in {
			how = slices.Repeat([]float64{s}, len(how))
		}
		b.force(d.places[at], how)
	}
	return r
}

// together is how many ways to decide are tried; beyond, each place is decided by itself.
const together = 64

// Each calls f with an exact run for every way to decide what is in doubt, and with the number of
// decisions that are taken where it is.
func (d Doubts) Each(f func(r *Run, decisions int)) {
	places, ways := d.doubtful(), 1
	for _, p := range places {
		ways *= len(d.shares[p])
	}
	if ways <= together {
		d.combine(places, map[int]float64{}, f)
		return
	}
	for _, p := range places {
		d.combine([]int{p}, map[int]float64{}, f)
	}
}

// combine decides the first of the places in every way, and goes on to the others.
func (d Doubts) combine(places []int, decided map[int]float64, f func(r *Run, decisions int)) {
	if len(places) > 0 {
		for _, share := range d.shares[places[0]] {
			decided[places[0]] = share
			d.combine(places[1:], decided, f)
		}
		return
	}
	if len(decided) == 0 {
		return
	}
	decisions := 0
	for p := range decided {
		decisions = max(decisions, len(d.places[p]))
	}
	f(d.settle(NewExact(), func(at int) (float64, bool) { share, in := decided[at]; return share, in }), decisions)
}

// force decides what is in doubt.
func (b *Branch) force(which []bool, how []float64) {
	b.forced = make([]float64, len(which))
	for i, in := range which {
		if b.forced[i] = math.NaN(); in {
			b.forced[i] = how[i]
		}
	}
}

// Times returns x as far as a decision is taken: of what is not taken, nothing, even if it is
// infinite.
func Times(share, x float64) float64 {
	if share == 0 {
		return 0
	}
	return share * x
}

package diagnosis

import (
	"math"
	"slices"

	gonum "gonum.org/v1/gonum/floats"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// Where each number of an output hangs on one of a tensor alone, as in a loss of tokens, what that
// must have been follows from what was recorded: place by place, for all of them at once. What was
// found so is then described by what is known, in described.go.

// solving is a tensor that is solved for at each place of an output.
type solving struct {
	*subject
	of    operand
	v     *view
	unit  float64     // how far from each other its numbers are
	roots [][]float64 // of each place: what it may have been
	free  []bool      // any number in some range
}

// A place is solved for between grid numbers, up to mostRoots times, in so many steps; fewSolved is
// how many places have to be solved.
const (
	mostRoots   = 4
	rootSteps   = 16
	fewSolved   = 12
	solvedShare = 4 // the part of what is left of the budget that solving may take, over one
)

// tryDescribed tries tensors that are some other function, with up to two numbers fitted, of what
// is known.
func (s *subject) tryDescribed() {
	var all []candidate
	left := s.budget - s.budget/solvedShare
	targets := s.targets()
	for _, v := range s.views {
		if v.want.Choice != nil || !v.failed || len(v.places()) < fewSolved {
			continue
		}
		var solved []*solving
		for _, t := range targets {
			o := &solving{subject: s, of: t, v: v}
			if s.budget > left && o.fits() && o.alone() && o.solve() && !slices.ContainsFunc(solved, o.same) {
				solved, all = append(solved, o), append(all, o.descriptions()...)
			}
		}
	}
	s.try(all)
	s.settle()
}

// same tells whether another tensor holds the same numbers and must have been the same, as an input
// that a quantity is.
func (o *solving) same(other *solving) bool {
	near := func(x, y float64) bool { return math.Abs(x-y) <= nearLine*o.unit }
	for i, found := range o.roots {
		if o.free[i] != other.free[i] || !o.free[i] && !slices.EqualFunc(found, other.roots[i], near) {
			return false
		}
	}
	return o.holds(other.of.x.Data)
}

// holds tells whether other numbers are the tensor's own, wherever something was solved for.
func (o *solving) holds(x []float64) bool {
	for i, found := range o.roots {
		if len(found) > 0 && !o.free[i] && x[i] != o.of.x.Data[i] {
			return false
		}
	}
	return true
}

// fits tells whether the tensor has the axes of the output.
func (o *solving) fits() bool {
	letters := o.bound.Op.Output(o.v.want.Name).Shape
	x := o.of.x
	if !slices.Equal(letters, o.of.letters) || x.Len() != len(o.v.got) || x.Len() > mostTarget {
		return false
	}
	mean := sum(x.Data) / float64(x.Len())
	for _, v := range x.Data {
		o.unit += (v - mean) * (v - mean) / float64(x.Len())
	}
	o.unit = math.Sqrt(o.unit)
	return o.unit > 0 && dtype.Finite(o.unit)
}

// gives returns the output of another tensor, nil if there is none.
func (o *solving) gives(x []float64) []float64 {
	o.budget -= o.each
	y, err := o.of.as("", func() *tensor.Tensor { return tensor.Of(x, o.of.x.Shape...) }).give()
	if w := y[o.v.want.Name]; err == nil && len(w) == len(x) {
		return w
	}
	return nil
}

// alone tells whether numbers of the output hang on those of the tensor at their own place alone,
// and most of the wrong ones do: where every other one is changed.
func (o *solving) alone() bool {
	x := slices.Clone(o.of.x.Data)
	before := o.gives(slices.Clone(x))
	for i := 1; i < len(x); i += 2 {
		x[i] += 3 * o.unit
	}
	after := o.gives(x)
	if before == nil || after == nil {
		return false
	}
	hanging, wrong := 0, 0
	for i := range before {
		moved := before[i] != after[i] && !(math.IsNaN(before[i]) && math.IsNaN(after[i]))
		if i%2 == 0 && moved {
			return false
		}
		if i%2 == 1 && o.v.loss[i] > 2*rightLoss {
			wrong++
			if moved {
				hanging++
			}
		}
	}
	return hanging >= fewSolved/2 && 2*hanging > wrong
}

// outwards are how far from its number, in units, each place is looked at.
func outwards() (all []float64) {
	for u := 0.01; u < 40; u *= 1.5 {
		all = append(all, u, -u)
	}
	all = append(all, 0)
	slices.Sort(all)
	return all
}

// off returns how far the output of another tensor is from what was recorded, and nothing where
// that is less than its last bits; NaN everywhere if there is none.
func (o *solving) off(x []float64) []float64 {
	y := o.gives(x)
	if y == nil {
		return filled(math.NaN(), len(x)).Data
	}
	for i, got := range o.v.got {
		if y[i] -= got; math.Abs(y[i]) <= 8*o.v.want.Type.Spacing(got) {
			y[i] = 0
		}
	}
	return y
}

// solve looks for what each place may have been, and tells whether enough of those that are wrong
// may have been something.
func (o *solving) solve() bool {
	n := o.of.x.Len()
	o.roots, o.free = make([][]float64, n), make([]bool, n)
	brackets := o.brackets()
	for k := range mostRoots {
		o.refine(brackets, k)
	}
	solved, wrong, none := 0, 0, 0
	for i, found := range o.roots {
		if !o.v.want.Judged(i) || o.v.loss[i] < 2*rightLoss {
			continue
		}
		switch wrong++; {
		case o.free[i]:
		case len(found) > 0:
			solved++
		default:
			none++
		}
	}
	return solved >= fewSolved && 20*none <= wrong
}

// bracket is where a place is solved between, with how far off the output is at both ends.
type bracket struct{ low, high, atLow, atHigh float64 }

// brackets returns those of each place, and keeps what needs no more solving.
func (o *solving) brackets() [][]bracket {
	all := make([][]bracket, len(o.roots))
	var before, was []float64
	for _, u := range outwards() {
		x := slices.Clone(o.of.x.Data)
		gonum.AddConst(u*o.unit, x)
		off := o.off(slices.Clone(x))
		for i, d := range off {
			switch {
			case d == 0 && was != nil && was[i] == 0:
				o.free[i] = true
			case d == 0:
				o.roots[i] = append(o.roots[i], x[i])
			case was != nil && was[i]*d < 0 && len(all[i]) < mostRoots:
				all[i] = append(all[i], bracket{before[i], x[i], was[i], d})
			}
		}
		before, was = x, off
	}
	return all
}

// refine solves for one bracket of each place, by the rule of false position with halved ends, and
// keeps where the output is what was recorded.
func (o *solving) refine(all [][]bracket, k int) {
	if !slices.ContainsFunc(all, func(b []bracket) bool { return len(b) > k }) {
		return
	}
	for range rootSteps {
		x := slices.Clone(o.of.x.Data)
		for i, b := range all {
			if len(b) > k {
				x[i] = b[k].between()
			}
		}
		off := o.off(slices.Clone(x))
		for i, b := range all {
			if len(b) > k {
				b[k].narrow(x[i], off[i])
			}
		}
	}
	for i, b := range all {
		if len(b) > k && math.Abs(b[k].high-b[k].low) < 1e-3*o.unit || len(b) > k && b[k].atLow == 0 {
			o.roots[i] = append(o.roots[i], b[k].between())
		}
	}
}

// between is where a line through the ends is nothing.
func (b *bracket) between() float64 {
	if b.atLow == 0 || b.atLow == b.atHigh {
		return b.low
	}
	return b.low - b.atLow*(b.high-b.low)/(b.atHigh-b.atLow)
}

// narrow takes a place for one of the ends: of nothing for both.
func (b *bracket) narrow(x, off float64) {
	switch {
	case b.atLow == 0 || math.IsNaN(off):
	case off == 0:
		*b = bracket{x, x, 0, 0}
	case off*b.atHigh < 0:
		b.low, b.atLow = b.high, b.atHigh
		b.high, b.atHigh = x, off
	default:
		b.atLow /= 2
		b.high, b.atHigh = x, off
	}
}

package diagnosis

import (
	"fmt"
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/verdict"
)

// outputCandidates are what the right outputs alone tell, without computing anything anew.
func outputCandidates(s *subject) []candidate {
	all := layoutCandidates(s)
	for _, v := range s.views {
		if v.failed && (v.want.Choice != nil || !v.want.Type.Float()) {
			all = append(all, v.answerCandidates(s)...)
		}
		if v.want.Choice != nil || !v.failed {
			continue
		}
		all = slices.Concat(all, v.rowCandidates(), v.reorderedCandidate(), v.displacedCandidates(),
			s.mixedCandidates(v), v.blockCandidates(s), v.valueCandidates(s), v.copyCandidates(s),
			v.termCandidates(s), v.collectedCandidates())
	}
	return slices.Concat(all, factorCandidates(s), sumCandidates(s))
}

// propose is an explanation of a kind, with what a kernel that does it gives.
func propose(kind, id, said string, give giver) candidate {
	return candidate{Finding: verdict.Finding{Kind: kind, ID: id, Sentence: said}, give: give}
}

// instead is an explanation of one output, of which the others are as they should be.
func (v *view) instead(kind, id, said string, give func() []float64) candidate {
	return propose(kind, id, said, func() (outputs, error) { return outputs{v.want.Name: give()}, nil })
}

// placed is the explanation of one output that its elements stand in other places.
func (v *view) placed(id, said string, moves func(x []float64) []float64) candidate {
	c := v.instead("rows", id, said, func() []float64 { return moves(v.truth) })
	c.moves = func(_ *view, x []float64) []float64 { return moves(x) }
	return c
}

// rowCandidates are rows out of place: each the next or the one before along an axis, the order
// reversed, axes exchanged in memory, and rows wherever one of them is that of another.
func (v *view) rowCandidates() []candidate {
	var all []candidate
	shape, name := v.want.Truth.Shape, v.want.Name
	for a := len(shape) - 1; a >= 0; a-- {
		n, axis := shape[a], v.want.Axes[a]
		if n < 2 {
			continue
		}
		for _, by := range []int{1, -1} {
			said := fmt.Sprintf("each %s of %s is that of the %s %s", axis, name, next(by), axis)
			c := v.placed(fmt.Sprintf("%s %+d", axis, by), said, func(x []float64) []float64 {
				return v.moved(x, a, func(i int) int { return i + by })
			})
			c.family, c.about = name+" "+axis, fmt.Sprintf("each %s of %s is that of another", axis, name)
			c.short = fmt.Sprintf("the %s", next(by))
			all = append(all, c)
		}
		said := fmt.Sprintf("%s stands in reverse order of its %ss", name, axis)
		all = append(all, v.placed(axis+" reversed", said, func(x []float64) []float64 {
			return v.moved(x, a, func(i int) int { return n - 1 - i })
		}))
	}
	said := fmt.Sprintf("rows of %s are right rows in another order", name)
	return append(all, v.permutedCandidate(said))
}

func next(by int) string {
	if by > 0 {
		return "next"
	}
	return "previous"
}

// moved returns an output's numbers with entry i of an axis taken from another, if there is one.
func (v *view) moved(x []float64, a int, from func(i int) int) []float64 {
	return moved(tensor.Of(x, v.want.Truth.Shape...), a, from).Data
}

// moved returns a tensor with entry i of an axis taken from another, where there is one.
func moved(x *tensor.Tensor, a int, from func(i int) int) *tensor.Tensor {
	n := x.Shape[a]
	return entries(x, a, n, func(i int) int {
		if to := from(i); 0 <= to && to < n {
			return to
		}
		return i
	})
}

// shifted returns a tensor with entry i of an axis taken from another, zeros if there is none.
func shifted(x *tensor.Tensor, a int, from func(i int) int) *tensor.Tensor {
	return entries(x, a, x.Shape[a], from)
}

// blockCandidates are parts that hold one number, or zeros, as if they were never written.
func (v *view) blockCandidates(s *subject) []candidate {
	where := v.unwrittenWhere(s)
	if where == "" {
		return nil
	}
	said := fmt.Sprintf("a part of %s was never written, or comes out as one number: %s", v.want.Name, where)
	c := propose("unwritten", "unwritten", said, v.unwritten)
	if places := v.stale(); math.IsNaN(v.got[places[0]]) {
		c.unsettled = !v.empty(places)
		if !c.unsettled {
			c.Sentence += "; all of these should be 0, or −Inf: it is 0/0, where there is nothing to add up"
		}
	}
	for _, m := range s.bound.Op.Mistakes() {
		if m.ID == "tile-unwritten" || m.ID == "output-unwritten" && c.ID != "tile-unwritten" {
			c.ID, c.Numbers, c.Thread = m.ID, m.Numbers, m.Thread
		}
	}
	return []candidate{c}
}

// empty tells whether there is nothing in some places that could be added up.
func (v *view) empty(places []int) bool {
	return !slices.ContainsFunc(places, func(i int) bool { return v.truth[i] != 0 && !math.IsInf(v.truth[i], -1) })
}

// valueCandidates are simple functions of the right output.
func (v *view) valueCandidates(s *subject) []candidate {
	name := v.want.Name
	all := []candidate{
		v.instead("factor", "negative", name+" has the other sign", func() []float64 {
			return v.each(func(t float64) float64 { return -t })
		}),
		v.instead("factor", "inverse", name+" is the reciprocal of what it should be", func() []float64 {
			return v.each(func(t float64) float64 { return 1 / t })
		}),
		v.instead("factor", "squared", name+" is the square of what it should be", func() []float64 {
			return v.each(func(t float64) float64 { return t * t })
		}),
	}
	all = append(all, v.roundingCandidates()...)
	all = append(all, v.truncated(s)...)
	return all
}

// truncated is the mistake of cutting off toward zero in the place of the last rounding: half a
// spacing on the mean.
func (v *view) truncated(s *subject) []candidate {
	for _, m := range s.bound.Op.Mistakes() {
		if m.ID == "output-truncated" {
			return []candidate{{Finding: findingOf(m), give: func() (outputs, error) {
				return outputs{v.want.Name: v.each(v.cut)}, nil
			}}}
		}
	}
	return nil
}

// cut returns what a number that is cut off is on the mean, half a spacing less; below a power of
// two, where the next lie closer, it is cut off to that.
func (v *view) cut(t float64) float64 {
	if !dtype.Finite(t) {
		return t
	}
	less := t - math.Copysign(v.want.Type.Spacing(t)/2, t)
	if v.want.Type.Spacing(less) < v.want.Type.Spacing(t) {
		return v.want.Type.Truncate(t)
	}
	return less
}

// roundingCandidates are narrower types that every recorded number is one of, as none is by chance.
func (v *view) roundingCandidates() []candidate {
	var all []candidate
	for _, t := range []dtype.Type{dtype.F8E4M3, dtype.BF16, dtype.F16} {
		numbers := 0
		if t.Size() >= v.want.Type.Size() || slices.ContainsFunc(v.got, func(x float64) bool {
			if dtype.Finite(x) && x != 0 {
				numbers++
			}
			return dtype.Finite(x) && t.Round(x) != x
		}) || numbers < fewParts {
			continue
		}
		said := fmt.Sprintf("%s was rounded to %s before it was stored: every number is one of it", v.want.Name, t)
		all = append(all, v.instead("rounding", "rounded to "+t.String(), said, func() []float64 {
			return v.each(t.Round)
		}))
		break
	}
	return all
}

// each returns a function of the truth.
func (v *view) each(f func(t float64) float64) []float64 {
	w := make([]float64, len(v.truth))
	for i, t := range v.truth {
		w[i] = f(t)
	}
	return w
}

// factor is what the truth has to be multiplied by to come nearest, in deviations: the median of
// r/t over what is not small, so that a few that are wrong in another way change nothing.
func (v *view) factor() float64 {
	var ratios []float64
	for i, t := range v.truth {
		if v.want.Judged(i) && dtype.Finite(t) && dtype.Finite(v.got[i]) && math.Abs(t) > 8*v.scale[i] {
			ratios = append(ratios, v.got[i]/t)
		}
	}
	if len(ratios) == 0 {
		return 0
	}
	return median(ratios)
}

// median sorts numbers and returns the one in the middle, of two the larger.
func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

package diagnosis

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	gonum "gonum.org/v1/gonum/floats"

	"plumbline/internal/parallel"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// open tells whether the error is still a question: what takes nearly all of it away, as much as
// was recorded, is an answer, unless it was fitted number by number.
func (s *subject) open() bool {
	return !slices.ContainsFunc(s.trials, func(t *trial) bool { return t.near() && t.says() })
}

// near tells whether a trial takes nearly all of the error away, as much as was recorded.
func (t *trial) near() bool { return t.Explains > nearlyAll && math.Abs(t.Share-1) < asMuch }

// nearest returns the trial that takes nearly all of the error away, if one does.
func (s *subject) nearest() *trial {
	if i := slices.IndexFunc(s.trials, (*trial).near); i >= 0 {
		return s.trials[i]
	}
	return nil
}

// tryFits fits one number where nothing that is known explains: how much of a mistake is made, and
// what an attribute was.
func (s *subject) tryFits() {
	s.try(s.shares())
	s.settle()
	if s.told() {
		return
	}
	s.fitQuantities()
	for _, a := range s.bound.Op.Attrs {
		if x := s.bound.Number(a); a.Kind == op.Number && x != 0 {
			s.fitAttribute(a, x)
			s.fitGiven(a, x)
		}
	}
	s.settle()
}

// strongest is how many of the trials are looked at once more.
const strongest = 6

// shares are mistakes made in part or several times: the shared experts once for each of eight
// devices, say. The amount is that of the matched filter.
func (s *subject) shares() (all []candidate) {
	for _, t := range s.trials {
		if t.Kind != "mistake" || math.Abs(t.Share-1) < 0.02 || math.Abs(t.Share) < 0.02 || t.Strength < 4*Visible {
			continue
		}
		c := candidate{Finding: t.Finding, fitted: 1}
		c.give = func() (outputs, error) { return s.partly(t, t.Share), nil }
		c.Kind, c.Sentence = "share", fmt.Sprintf("%s, %.3g times as much", t.Sentence, t.Share)
		all = append(all, c)
	}
	return all
}

// partly returns the right outputs moved by a share of what a trial moves them.
func (s *subject) partly(t *trial, share float64) outputs {
	all := outputs{}
	if t.forgotten {
		if again := s.weigh(t.candidate); again != nil {
			t = again
		}
	}
	for _, v := range s.views {
		if w := t.gives[v.want.Name]; w != nil && v.want.Choice == nil {
			all[v.want.Name] = slices.Clone(v.truth)
			v.move(all[v.want.Name], w, share)
		}
	}
	return all
}

// move adds to an output a share of what another moves it from the truth, where that is a number.
func (v *view) move(x, w []float64, share float64) {
	for i := range w {
		if d := w[i] - v.truth[i]; dtype.Finite(d) {
			x[i] += share * d
		}
	}
}

// fitQuantities looks for a multiple of each quantity that leaves least of the error.
func (s *subject) fitQuantities() {
	for _, h := range s.hung() {
		if best := s.fitMultiple(h.Quantity, h.x); best != nil && slices.Max(best.shares) > leastShare {
			s.trials = append(s.trials, best)
		}
	}
}

// fitMultiple looks for the multiple that leaves least of the error.
func (s *subject) fitMultiple(q emulate.Quantity, x *tensor.Tensor) *trial {
	return s.fittest(func(by float64) candidate { return s.multiple(q, x, by) })
}

// A factor is looked for between 1/mostFactor and mostFactor, in so many steps, and near 1, where
// small ones hide between these; then fineRounds times in fineSteps between the neighbours of the
// best, or where it is good up to finestRound.
const (
	mostFactor  = 4096
	coarseSteps = 48
	fineSteps   = 12
	fineRounds  = 4
	finestRound = 12
)

// nearOne are logarithms of factors beside 1.
var nearOne = []float64{0.001, 0.003, 0.01, 0.03, 0.1}

// coarse lists the logarithms of the factors that are tried first, in order.
func coarse() []float64 {
	all := gonum.Span(make([]float64, coarseSteps+1), -math.Log(mostFactor), math.Log(mostFactor))
	for _, x := range nearOne {
		all = append(all, x, -x)
	}
	slices.Sort(all)
	return all
}

// fittest returns the trial of the factor that leaves least of the error, nil if none leaves less.
func (s *subject) fittest(with func(by float64) candidate) (best *trial) {
	places, at := coarse(), 0.0
	for round := 0; round <= fineRounds || round <= finestRound && best.Explains > mostOf; round++ {
		if s.budget -= s.each * float64(len(places)); s.budget < 0 {
			return best
		}
		trials := make([]*trial, len(places))
		parallel.Each(len(places), func(i int) { trials[i] = s.weigh(with(math.Exp(places[i]))) })
		for i, t := range trials {
			if t != nil && t.loss < s.loss-leastGain && (best == nil || sum(t.losses) < sum(best.losses)) {
				best, at = t, places[i]
			}
		}
		if best == nil {
			return nil
		}
		places = nextTo(places, at)
	}
	return best
}

// nextTo returns fineSteps between the neighbours of a place among others.
func nextTo(places []float64, at float64) []float64 {
	low, high := places[0], places[len(places)-1]
	for _, x := range places {
		if x < at {
			low = max(low, x)
		} else if x > at {
			high = min(high, x)
		}
	}
	return gonum.Span(make([]float64, fineSteps+1), low, high)
}

func (s *subject) multiple(q emulate.Quantity, x *tensor.Tensor, by float64) candidate {
	c := s.taken(q, fmt.Sprintf("takes %s times %.4g%s", q.Name, by, s.constant(by)), func() *tensor.Tensor {
		return eachOf(x, func(v float64) float64 { return by * v })
	})
	c.Kind, c.fitted = "fit", 1
	return c
}

// fitAttribute looks for the value of an attribute that leaves least of the error.
func (s *subject) fitAttribute(a op.Attr, x float64) {
	if best := s.fittest(func(by float64) candidate { return s.withFitted(a, by*x) }); best != nil {
		s.trials = append(s.trials, best)
	}
}

func (s *subject) withFitted(a op.Attr, value float64) candidate {
	c := s.withAttribute(a, recording.Number(value))
	c.Kind, c.ID, c.fitted = "fit", fmt.Sprintf("%s %.4g", a.Name, value), 1
	c.Sentence = fmt.Sprintf("with %s %.4g, %.4g times what the recording has%s", a.Name, value,
		value/s.bound.Number(a), s.constant(value/s.bound.Number(a)))
	return c
}

// tryPairs tries two mistakes at once, or two attributes: those that together, as if they added up,
// leave least.
func (s *subject) tryPairs() {
	all := append(s.pairsOfAttributes(), s.pairsWithMistakes()...)
	made := s.strongestOf("mistake", pairedShare)
	for i, a := range made {
		for _, b := range made[i+1:] {
			if a.ID == b.ID { // the same, as two structures of kernels make it
				continue
			}
			all = append(all, candidate{
				Finding: pairOf(a.Finding, b.Finding), give: s.kernel(a.ID, also(b.ID)), others: []giver{
					s.kernel(b.ID, also(a.ID)), func() (outputs, error) { return s.both(a, b), nil },
				},
			})
		}
	}
	s.try(all)
	s.settle()
}

// pairOf is what is found where two things are.
func pairOf(a, b verdict.Finding) verdict.Finding {
	both := a
	both.Kind, both.ID, both.Numbers = "pair", a.ID+" and "+b.ID, slices.Concat(a.Numbers, b.Numbers)
	both.Sentence, both.Hidden, both.Thread = a.Sentence+", and "+b.Sentence, "", ""
	return both
}

// strongestOf lists the trials of a kind that take most of the error away, of those that take more
// than a share.
func (s *subject) strongestOf(kind string, share float64) (made []*trial) {
	for _, t := range s.trials {
		if t.Kind == kind && t.of == nil && t.Explains > share {
			made = append(made, t)
		}
	}
	slices.SortStableFunc(made, func(a, b *trial) int { return cmp.Compare(a.loss, b.loss) })
	return made[:min(len(made), strongest)]
}

// pairsOfAttributes lists two other attributes at once.
func (s *subject) pairsOfAttributes() (all []candidate) {
	made := s.strongestOf("attribute", math.Inf(-1))
	for i, a := range made {
		for _, b := range made[i+1:] {
			if a.changes == nil || b.changes == nil {
				continue
			}
			c := s.otherwise("attribute", a.ID+" and "+b.ID, a.Sentence+", and "+b.Sentence,
				func(r *recording.Recording) { a.changes(r); b.changes(r) })
			all = append(all, c)
		}
	}
	return all
}

// pairsWithMistakes lists mistakes of kernels that are called, or read, otherwise too.
func (s *subject) pairsWithMistakes() (all []candidate) {
	for _, kind := range []string{"attribute", "input", "misread"} {
		for _, a := range s.strongestOf(kind, pairedShare) {
			for _, b := range s.strongestOf("mistake", pairedShare) {
				if a.changes == nil {
					continue
				}
				all = append(all, candidate{
					Finding: pairOf(b.Finding, a.Finding), give: a.made(emulate.Exact(b.ID)),
				})
			}
		}
	}
	return all
}

// pairedShare is the share of the error that each of two has to take away to be tried with another.
const pairedShare = 0.02

// also is a kernel that rounds nothing and makes another mistake too.
func also(other string) emulate.Config {
	c := emulate.Exact("")
	c.Also = other
	return c
}

// both returns the right outputs moved by what two trials move them.
func (s *subject) both(a, b *trial) outputs {
	all := s.partly(a, 1)
	for _, v := range s.views {
		if x := all[v.want.Name]; x != nil {
			v.move(x, b.gives[v.want.Name], 1)
		}
	}
	return all
}

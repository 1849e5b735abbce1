package diagnosis

import (
	"fmt"
	"math"
	"slices"

	gonum "gonum.org/v1/gonum/floats"

	"plumbline/internal/parallel"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

// A sum that races, or a statistic of too few elements, is wrong by something of its own in each
// row. What an output then has in a row may tell by how much: that is fitted row by row, for all
// rows at once.

// tryRowwise tries quantities that are a multiple of what they should be in each row.
func (s *subject) tryRowwise() {
	for _, h := range s.hung() {
		if r := s.rowwise(h); r != nil {
			s.trials = append(s.trials, r.fit()...)
		}
	}
	s.settle()
}

// rowwise is a quantity of which each output has one in each part.
type rowwise struct {
	*subject
	hung
	at     map[string][]int // which of the quantity each element of a failed output has
	factor []float64        // of each
	least  []float64        // loss of what has it, with that factor
}

// rowwise returns it for a quantity that has its axes with each failed output, and elements enough
// in each to tell; nil for another.
func (s *subject) rowwise(h hung) *rowwise {
	r := &rowwise{subject: s, hung: h, at: map[string][]int{}, factor: filled(1, h.x.Len()).Data}
	for _, v := range s.views {
		if !v.failed {
			continue
		}
		letters, shape := s.bound.Op.Output(v.want.Name).Shape, v.shape()
		var axes []int
		for _, l := range h.Shape {
			a := slices.Index(letters, l)
			if a < 0 || len(letters) != len(shape) {
				return nil
			}
			axes = append(axes, a)
		}
		if v.want.Choice != nil || len(v.got) < perFactor*h.x.Len() {
			return nil
		}
		places := make([]int, len(v.got))
		for i := range places {
			places[i] = placeOf(i, shape, axes)
		}
		r.at[v.want.Name] = places
	}
	return r
}

// fit looks for the factors that leave least of the error in what has each, and keeps those that
// leave less than 1 does.
func (r *rowwise) fit() []*trial {
	first := r.losses(r.factor)
	if r.least = slices.Clone(first); r.least == nil || !r.search() {
		return nil
	}
	var fitted []float64
	for i, l := range r.least {
		if first[i]-l < leastGain {
			r.factor[i] = 1
		} else {
			fitted = append(fitted, r.factor[i])
		}
	}
	if len(fitted) < 2 {
		return nil
	}
	said := fmt.Sprintf("takes %s of each for another number, %s times what it is", r.Name, between(fitted))
	c := r.taken(r.Quantity, said, func() *tensor.Tensor { return r.times(r.factor) })
	c.fitted = len(fitted)
	if t := r.weigh(c); t != nil && t.Explains > worthJudging {
		return []*trial{t}
	}
	return nil
}

// search looks for factors ever nearer to each other, and tells whether the budget was enough.
func (r *rowwise) search() bool {
	places, width := coarse(), 2*math.Log(mostFactor)/coarseSteps
	for range finestRound {
		if r.budget -= r.each * float64(len(places)); r.budget < 0 {
			return false
		}
		r.refine(places)
		places = gonum.Span(make([]float64, fineSteps+1), -width, width)
		width *= 2. / fineSteps
	}
	return true
}

// refine looks for better factors among some times what each has by now, by their logarithms.
func (r *rowwise) refine(places []float64) {
	tried := make([][]float64, len(places))
	losses := make([][]float64, len(places))
	parallel.Each(len(places), func(k int) {
		by := math.Exp(places[k])
		tried[k] = make([]float64, len(r.factor))
		for i, f := range r.factor {
			tried[k][i] = f * by
		}
		losses[k] = r.losses(tried[k])
	})
	for k, loss := range losses {
		for i, l := range loss {
			if l < r.least[i]-finer*(1+r.least[i]) {
				r.least[i], r.factor[i] = l, tried[k][i]
			}
		}
	}
}

// finer is by how much less, in parts of it, another factor has to leave.
const finer = 1e-6

// times returns the quantity times factors.
func (r *rowwise) times(factor []float64) *tensor.Tensor {
	y := tensor.New(r.x.Shape...)
	for i, f := range factor {
		y.Data[i] = f * r.x.Data[i]
	}
	return y
}

// losses returns the loss of what has each of the quantity, with factors on it.
func (r *rowwise) losses(factor []float64) []float64 {
	gives, err := r.between(&emulate.Quantities{Instead: map[string]*tensor.Tensor{r.Name: r.times(factor)}})
	if err != nil {
		return nil
	}
	loss := make([]float64, len(factor))
	for _, v := range r.views {
		w := v.aligned(r.subject, gives[v.want.Name], gives)
		if places := r.at[v.want.Name]; places != nil && w != nil {
			for i, l := range v.lossBeside(w) {
				loss[places[i]] += l
			}
		}
	}
	return loss
}

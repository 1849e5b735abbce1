package diagnosis

import (
	"fmt"
	"math"
	"slices"

	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// otherValues are inputs whose numbers are taken for others: scales for powers of two or for their
// inverses, indices that wrap around or count from 1, and whole numbers that are taken to stand in
// order, as groups of samples do in one process.
func (s *subject) otherValues() (all []candidate) {
	for _, t := range s.bound.Op.Inputs {
		switch {
		case s.axesOf(t) == nil:
		case t.Scales:
			all = append(all,
				s.mapped(t, "is rounded down to powers of two", func(x float64) float64 {
					return math.Exp2(math.Floor(math.Log2(x)))
				}),
				s.mapped(t, "is rounded up to powers of two", func(x float64) float64 {
					return math.Exp2(math.Ceil(math.Log2(x)))
				}),
				s.mapped(t, "is divided by where it should multiply", func(x float64) float64 { return 1 / x }))
		case !t.Integer && !t.Any && len(t.Shape) <= 2:
			for _, f := range functionsOf() {
				all = append(all, s.mapped(t, "is taken "+f.said, f.of))
			}
		case t.Integer:
			all = slices.Concat(all, s.wrapped(t), s.inOrderOf(t))
		}
	}
	return all
}

// mapped is an input with a function of its numbers.
func (s *subject) mapped(t op.Tensor, said string, of func(x float64) float64) candidate {
	return s.otherwise("input", t.Name+" "+said, t.Name+" "+said, s.numbers(t.Name, of))
}

// numbers is the change that an input has a function of its numbers.
func (s *subject) numbers(name string, of func(x float64) float64) func(r *recording.Recording) {
	return func(r *recording.Recording) {
		if x, err := s.rec.Tensor(name); err == nil {
			r.Set(name, s.rec.Type(name), eachOf(x, of))
		}
	}
}

// eachOf returns a function of every number of a tensor.
func eachOf(x *tensor.Tensor, of func(x float64) float64) *tensor.Tensor {
	y := tensor.New(x.Shape...)
	for i, v := range x.Data {
		y.Data[i] = of(v)
	}
	return y
}

// mostWraps is how many powers of two are tried at which numbers of an input may wrap around.
const mostWraps = 4

// wrapped are whole numbers that are one less, or wrap around at a power of two below the largest.
func (s *subject) wrapped(t op.Tensor) (all []candidate) {
	x, err := s.rec.Tensor(t.Name)
	if err != nil {
		return nil
	}
	all = append(all, s.mapped(t, "is one less than it should be", func(x float64) float64 { return max(0, x-1) }))
	largest := slices.Max(x.Data)
	for at, k := math.Exp2(math.Floor(math.Log2(max(1, largest)))), 0; k < mostWraps && at > 1; at, k = at/2, k+1 {
		all = append(all, s.mapped(t, fmt.Sprintf("wraps around at %v", at), func(x float64) float64 {
			return x - math.Floor(x/at)*at
		}))
	}
	return all
}

// inOrderOf is an input whose numbers are taken to stand in order.
func (s *subject) inOrderOf(t op.Tensor) []candidate {
	said := t.Name + " is taken to stand in order, whatever its numbers are"
	return []candidate{s.otherwise("input", t.Name+" in order", said, func(r *recording.Recording) {
		if x, err := s.rec.Tensor(t.Name); err == nil {
			y := tensor.Of(slices.Sorted(slices.Values(x.Data)), x.Shape...)
			r.Set(t.Name, s.rec.Type(t.Name), y)
		}
	})}
}

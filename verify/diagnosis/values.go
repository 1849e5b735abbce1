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
			for _, f := range s.functionsOf() {
				all = append(all, s.mapped(t, "is taken "+f.said, f.of).asFactor(f, func(by float64) candidate {
					return s.mapped(t, "is taken "+f.said, func(x float64) float64 { return by * x })
				}))
			}
		case t.Any:
			all = append(all, s.mapped(t, "is taken for its opposite: what is 0 counts, and nothing else", opposite))
			all = append(all, s.ranked(t)...)
		case t.Integer:
			oneLess := func(x float64) float64 { return max(0, x-1) }
			all = append(all, s.mapped(t, "is one less than it should be", oneLess))
			all = slices.Concat(all, s.bounded(t), s.inOrderOf(t), s.counted(t))
		}
	}
	return all
}

// opposite is 1 of 0, and 0 of all else.
func opposite(x float64) float64 {
	if x == 0 {
		return 1
	}
	return 0
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

// mostWraps is how many powers of two are tried at which numbers of an input may stop.
const mostWraps = 4

// bounded are whole numbers that stop at a bound, or are lost or begin again beyond it, as where a
// table ends: a power of two below the largest, or the number beyond which outputs are wrong.
func (s *subject) bounded(t op.Tensor) (all []candidate) {
	x, err := s.rec.Tensor(t.Name)
	if err != nil {
		return nil
	}
	for _, most := range s.bounds(t, x) {
		all = append(all,
			s.mapped(t, fmt.Sprintf("stops at %v: what is above is taken for that", most),
				func(x float64) float64 { return min(x, most) }),
			s.mapped(t, fmt.Sprintf("is taken for 0 above %v", most), func(x float64) float64 {
				if x > most {
					return 0
				}
				return x
			}),
			s.mapped(t, fmt.Sprintf("wraps around at %v", most+1), func(x float64) float64 {
				return x - math.Floor(x/(most+1))*(most+1)
			}))
	}
	return all
}

// bounds lists at which numbers an input may stop: where outputs begin to be wrong, powers of two,
// and one less.
func (s *subject) bounds(t op.Tensor, x *tensor.Tensor) (all []float64) {
	largest := slices.Max(x.Data)
	add := func(most float64) {
		if 0 < most && most < largest && !slices.Contains(all, most) {
			all = append(all, most)
		}
	}
	for _, v := range s.views {
		if most, ok := v.rightUpTo(s, t, x); ok {
			add(most)
		}
	}
	for at, k := math.Exp2(math.Ceil(math.Log2(max(1, largest)))), 0; k <= mostWraps && at > 1; at, k = at/2, k+1 {
		add(at)
		add(at - 1)
	}
	return all
}

// rightUpTo returns up to which number of an input an output is right that has its axis, if beyond
// it all is wrong.
func (v *view) rightUpTo(s *subject, t op.Tensor, x *tensor.Tensor) (most float64, ok bool) {
	letters := s.axesOf(t)
	axes := s.bound.Op.Output(v.want.Name).Shape
	if v.want.Choice != nil || len(letters) == 0 || len(axes) != len(v.want.Truth.Shape) {
		return 0, false
	}
	at := make([]int, len(letters))
	for i, l := range letters {
		if at[i] = slices.Index(axes, l); at[i] < 0 || v.want.Truth.Shape[at[i]] != x.Shape[i] {
			return 0, false
		}
	}
	wrong, count := v.wrongPlaces(len(x.Data), at)
	low, _, above := feature{name: t.Name, of: x.Data}.threshold(wrong)
	return low, count > 0 && above
}

// counted is an input of whole numbers that are taken to count along an axis, as positions that are
// those of a sequence from its beginning.
func (s *subject) counted(t op.Tensor) (all []candidate) {
	for a, letter := range s.axesOf(t) {
		for from, how := range []string{"0", "its first number"} {
			said := fmt.Sprintf("%s is taken to count from %s along %s, whatever else it holds", t.Name, how,
				s.word(letter))
			change := s.changing([]op.Tensor{t}, func(x *tensor.Tensor) *tensor.Tensor {
				y := entries(x, a, x.Shape[a], func(int) int { return from - 1 }) // of −1 zeros
				for i := range y.Data {
					y.Data[i] += float64(placeOf(i, x.Shape, []int{a}))
				}
				return y
			})
			all = append(all, s.otherwise("input", said, said, change))
		}
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

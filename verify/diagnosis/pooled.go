package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

// What is asked for place by place may be formed of whole rows, as ratios are of the sums of a
// response's log-probabilities. Then each place has what its row has, and gradients are pooled too.

// pool is what each place of a row is taken for.
type pool struct {
	said     string
	mean     bool
	counting bool // of what the mask keeps alone
}

var pools = []pool{
	{"the sum over %s", false, false}, {"the sum over %s, of what counts", false, true},
	{"the mean over %s", true, false}, {"the mean over %s, of what counts", true, true},
}

// pooledCandidates are inputs of which each place has the sum or the mean of its row: each by
// itself, and those whose names end alike.
func (s *subject) pooledCandidates() (all []candidate) {
	for _, set := range s.endingAlike() {
		counts := s.counting(set[0])
		masked := slices.ContainsFunc(emulate.Indices(set[0].x.Len()), func(i int) bool { return !counts(i) })
		for a, n := range set[0].x.Shape {
			for _, p := range pools {
				if n > 1 && (masked || !p.counting) {
					all = append(all, s.pooled(set, a, p, counts)...)
				}
			}
		}
	}
	return all
}

// endingAlike lists small inputs, each by itself and those of the same axes whose last words are
// the same.
func (s *subject) endingAlike() (sets [][]operand) {
	small := slices.DeleteFunc(s.inputOperands(floating), func(o operand) bool { return o.x.Len() > mostTarget })
	last := func(o operand) string { return o.name[strings.LastIndex(o.name, "_")+1:] }
	for i, o := range small {
		sets = append(sets, small[i:i+1])
		alike := slices.DeleteFunc(slices.Clone(small), func(other operand) bool {
			return last(other) != last(o) || !slices.Equal(other.letters, o.letters)
		})
		if len(alike) > 1 && alike[0].name == o.name {
			sets = append(sets, alike)
		}
	}
	return sets
}

// pooled are explanations that inputs are taken for what their rows come to along an axis, with
// gradients of the places that each number has come to, or of its own.
func (s *subject) pooled(set []operand, a int, p pool, counts func(i int) bool) []candidate {
	if !p.counting {
		counts = everywhere
	}
	var names []string
	for _, o := range set {
		names = append(names, o.name)
	}
	said := fmt.Sprintf("the kernel takes %s in each place for "+p.said, inWords(names), set[0].words[a])
	plain := propose("input", said, said, nil)
	plain.made = func(k emulate.Config) giver {
		return func() (outputs, error) {
			return s.run(s.changed(func(r *recording.Recording) {
				for _, o := range set {
					r.Set(o.name, dtype.F64, pooledAlong(o.x, a, p.mean, counts, everywhere, k))
				}
			}), k)
		}
	}
	plain.give = plain.made(emulate.Exact(""))
	if !slices.ContainsFunc(names, func(name string) bool { return s.rec.Has("out.d" + name) }) {
		return []candidate{plain}
	}
	through := plain
	through.made = func(k emulate.Config) giver {
		return func() (outputs, error) {
			gives, err := plain.made(k)()
			for _, o := range set {
				if g := gives["d"+o.name]; len(g) == o.x.Len() {
					gives["d"+o.name] = pooledAlong(tensor.Of(g, o.x.Shape...), a, p.mean, everywhere, counts, k).Data
				}
			}
			return gives, err
		}
	}
	through.give = through.made(emulate.Exact(""))
	plain.Sentence += ", and not their gradients"
	return []candidate{through, plain}
}

// pooledAlong returns at the places of a tensor, those that are to have it, the sum or the mean
// along an axis of numbers that count, as a kernel adds; a mean is over the fewer of both, as its
// gradient has it too.
func pooledAlong(
	x *tensor.Tensor, a int, mean bool, counts, has func(i int) bool, k emulate.Config,
) *tensor.Tensor {
	y := tensor.New(x.Shape...)
	for row := range placesAlong(x.Shape, a) {
		var some []float64
		for _, i := range row {
			if counts(i) {
				some = append(some, x.Data[i])
			}
		}
		row = slices.DeleteFunc(row, func(i int) bool { return !has(i) })
		total := addedUp(some, k)
		if mean && total != 0 {
			total /= float64(max(1, min(len(some), len(row))))
		}
		for _, i := range row {
			y.Data[i] = total
		}
	}
	return y
}

// addedUp returns a sum as a kernel adds.
func addedUp(x []float64, k emulate.Config) float64 {
	if k.Accumulate == arithmetic.F64 {
		return sum(x)
	}
	narrow := make([]float32, len(x))
	for i, v := range x {
		narrow[i] = float32(v)
	}
	return float64(emulate.NewSummer[float32](&k, dtype.F32).Sum(narrow))
}

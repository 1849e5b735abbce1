package diagnosis

import (
	"fmt"
	"iter"
	"math"
	"slices"

	gonum "gonum.org/v1/gonum/floats"

	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
)

// What a loop carries from one turn to the next, and should not, makes of each entry what all
// before it come to: sums that are not set back, a largest one that is kept.

// running are what rows may be taken for that are carried on.
var running = []struct {
	said string
	of   func(row []float64)
}{
	{"its running sum along %s", func(row []float64) { gonum.CumSum(row, slices.Clone(row)) }},
	{"its running sum along %s, without each itself", func(row []float64) {
		total := 0.0
		for i, x := range row {
			row[i], total = total, total+x
		}
	}},
	{"its running sum along %s, from the end", fromEnd(func(row []float64) { gonum.CumSum(row, slices.Clone(row)) })},
	{"its running product along %s", func(row []float64) { gonum.CumProd(row, slices.Clone(row)) }},
	{"the largest so far along %s", func(row []float64) { carry(row, math.Max) }},
	{"the least so far along %s", func(row []float64) { carry(row, math.Min) }},
	{"the largest so far along %s, from the end", fromEnd(func(row []float64) { carry(row, math.Max) })},
	{"what it is more than the one before along %s", func(row []float64) {
		for i := len(row) - 1; i > 0; i-- {
			row[i] -= row[i-1]
		}
	}},
}

// fromEnd does something with a row from its end on.
func fromEnd(of func(row []float64)) func(row []float64) {
	return func(row []float64) {
		slices.Reverse(row)
		of(row)
		slices.Reverse(row)
	}
}

// carry makes of each number what it is with that of the one before.
func carry(row []float64, with func(before, x float64) float64) {
	for i := 1; i < len(row); i++ {
		row[i] = with(row[i-1], row[i])
	}
}

// tryRunning tries quantities and inputs of which more is carried on than should be.
func (s *subject) tryRunning() {
	var all []candidate
	for _, t := range s.targets() {
		for a, n := range t.x.Shape {
			if n == 1 || t.x.Len() > mostTarget {
				continue
			}
			for _, r := range running {
				said := fmt.Sprintf("takes for %s "+r.said, within(t.name), t.words[a])
				all = append(all, t.as(said, func() *tensor.Tensor { return rowsAlong(t.x, a, r.of) }))
			}
		}
	}
	s.try(all)
	s.settle()
}

// rowsAlong returns a tensor with what its rows along an axis are made to.
func rowsAlong(x *tensor.Tensor, a int, of func(row []float64)) *tensor.Tensor {
	y := tensor.New(x.Shape...)
	for places := range placesAlong(x.Shape, a) {
		row := emulate.Picked(x.Data, places)
		of(row)
		for i, at := range places {
			y.Data[at] = row[i]
		}
	}
	return y
}

// placesAlong goes through the places of each row along an axis. A row is good until the next.
func placesAlong(shape []int, a int) iter.Seq[[]int] {
	return func(yield func(row []int) bool) {
		row, inner := make([]int, shape[a]), inside(shape, a)
		for first := range int(op.Elements(shape)) {
			if first/inner%len(row) > 0 {
				continue
			}
			for i := range row {
				row[i] = first + i*inner
			}
			if !yield(row) {
				return
			}
		}
	}
}

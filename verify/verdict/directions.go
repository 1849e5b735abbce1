package verdict

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"

	"plumbline/internal/parallel"
	"plumbline/numbers/dtype"
)

// Direction is a shape that an error may have which no element shows: what the truth moves by if
// one number is another.
type Direction struct {
	Name     string                      // what it is a factor of: "the scale of the scores"
	Values   []float64                   // what the truth moves by for all of it, in the order of Truth.Data
	says     func(factor float64) string // nil: that Name is too large or too small by so much
	oneSided bool                        // no mistake goes the other way
}

// at says how far an output has gone along the direction.
func (d Direction) at(factor float64) string {
	if d.says != nil {
		return d.says(factor)
	}
	return d.Name + " is " + tooLarge(factor)
}

// directions lists those that the op names, and for each axis but the last the truth of the next
// index: a kernel that reads a neighbour's row, wholly or in part, has gone that way.
func (j *judgement) directions() []Direction {
	all := j.want.Directions
	shape, inner := j.want.Truth.Shape, 1
	for a := len(shape) - 2; a >= 0; a-- {
		if shape[a] > 1 {
			axis := j.want.Axes[a]
			all = append(all[:len(all):len(all)], Direction{
				Values: j.towardNext(inner, shape[a]), oneSided: true,
				says: func(factor float64) string {
					return fmt.Sprintf("each %s is %.2g %% of the way to the next", axis, 100*factor)
				},
			})
		}
		inner *= shape[a]
	}
	return all
}

// towardNext returns for each element the truth of the next of n rows, so many rows apart, less its
// own; 0 for the last, and where there is no number.
func (j *judgement) towardNext(apart, n int) []float64 {
	truth := j.want.Truth.Data
	values := make([]float64, len(truth))
	j.eachRow(func(row, from, to int) {
		if row/apart%n == n-1 {
			return
		}
		next := truth[from+apart*j.columns:]
		for k, t := range truth[from:to] {
			if d := next[k] - t; dtype.Finite(d) {
				values[from+k] = d
			}
		}
	})
	return values
}

// eachRow calls f for every row and its elements from … to−1, for many side by side.
func (j *judgement) eachRow(f func(row, from, to int)) {
	n, each := len(j.scores)/j.columns, max(1, 1<<14/j.columns) // so many are worth another goroutine
	parallel.Each((n+each-1)/each, func(i int) {
		for r := i * each; r < min(n, (i+1)*each); r++ {
			f(r, r*j.columns, (r+1)*j.columns)
		}
	})
}

// unit is a direction in units of the deviations, of norm 1.
type unit struct {
	values  []float64 // each as much of it as it counts
	norm    float64   // that it had
	largest float64   // the share Σ u⁴ that, in effect, one element has
}

// unit returns a direction over the elements that are judged, less what is along the truth: a
// factor on all has a test of its own.
func (j *judgement) unit(d Direction, g *geometry) unit {
	u := unit{values: make([]float64, len(d.Values))}
	g.eachRow(func(from, to int) {
		for i := from; i < to; i++ {
			if g.judged[i] {
				u.values[i] = d.Values[i] / j.scale[i]
			}
		}
	})
	if h2 := g.dot(g.h, g.h); h2 > 0 {
		less := -g.dot(u.values, g.h) / h2
		g.eachRow(func(from, to int) { floats.AddScaled(u.values[from:to], less, g.h[from:to]) })
	}
	u.norm = math.Sqrt(g.dot(u.values, u.values))
	if u.norm == 0 || math.IsInf(u.norm, 0) || math.IsNaN(u.norm) {
		return unit{values: make([]float64, len(d.Values))}
	}
	g.eachRow(func(from, to int) {
		for i, v := range u.values[from:to] {
			v /= u.norm
			share := shareOf(g.share[0], from+i)
			u.values[from+i] = share * v
			u.largest += share * v * v * v * v
		}
	})
	return u
}

// directionOf judges the error along a direction. Of errors in common the elements that were not
// run have as much as the others.
func (j *judgement) directionOf(out *Output, k kin, got statistics, d int, chance float64) {
	toward, ran := k.geometry.toward[d], k.sampled.toward[d]
	if ran.norm == 0 {
		return
	}
	along := func(s statistics) float64 { return s.along[d] }
	more := toward.norm * toward.norm / (ran.norm * ran.norm)
	mean, variance := k.moments(along, 1)
	runs := float64(len(k.runs))
	variance = 1 + max(0, variance-1)*more
	l := line{
		nearer(got.along[d], mean*math.Sqrt(more), k.native.along[d]*math.Sqrt(more)),
		k.reach(variance, extent{1, toward.largest, more, k.plainScatter}, studentQuantile(runs-1, chance), chance),
	}
	factor := l.value / toward.norm
	if l.beyond() > 1 && !(k.directions[d].oneSided && factor < 0) {
		out.fail(k.directions[d].at(factor), l.beyond())
	}
}

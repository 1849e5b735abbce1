package diagnosis

import (
	"fmt"
	"slices"

	gonum "gonum.org/v1/gonum/floats"

	"plumbline/numbers/tensor"
)

// reduction makes one number of several.
type reduction struct {
	said string
	of   func(x []float64) float64
}

var reductions = []reduction{
	{"the sum of %s over %s", sum},
	{"the mean of %s over %s", func(x []float64) float64 { return sum(x) / float64(len(x)) }},
	{"the largest of %s over %s", slices.Max[[]float64]},
	{"the root of the sum of squares of %s over %s", func(x []float64) float64 { return gonum.Norm(x, 2) }},
}

// fitted is a tensor in the shape of another, made only where it is looked at.
type fitted struct {
	name string
	x    func() *tensor.Tensor
}

// fitting returns another tensor in the shape of this one: the same along axes that it lacks, and
// reduced over those that this one lacks.
func (o operand) fitting(other operand) []fitted {
	var over []int
	for a, l := range other.letters {
		if !slices.Contains(o.letters, l) && other.x.Shape[a] > 1 {
			over = append(over, a)
		}
	}
	return o.reduced(other, over)
}

// overItsAxes returns this tensor reduced over each of its axes, in its own shape.
func (o operand) overItsAxes() (all []fitted) {
	for a, n := range o.x.Shape {
		if n > 1 {
			all = append(all, o.reduced(o, []int{a})...)
		}
	}
	return all
}

// reduced returns another tensor, reduced over some of its axes, in the shape of this one; none
// where an axis is there twice, or has another length here.
func (o operand) reduced(other operand, over []int) (all []fitted) {
	var from, to []int // axes that both have, there and here
	for a, l := range other.letters {
		at := slices.Index(o.letters, l)
		switch {
		case slices.Contains(over, a), at < 0:
			continue
		case slices.Contains(to, at), o.x.Shape[at] != other.x.Shape[a]:
			return nil
		}
		from, to = append(from, a), append(to, at)
	}
	as := func(name string, of func(x []float64) float64) fitted {
		return fitted{name, func() *tensor.Tensor { return o.spread(grouped(other.x, from), to, of) }}
	}
	if len(over) == 0 {
		return []fitted{as(other.name, func(x []float64) float64 { return x[0] })}
	}
	var words []string
	for _, a := range over {
		words = append(words, other.words[a])
	}
	for _, r := range reductions {
		all = append(all, as(fmt.Sprintf(r.said, other.name, inWords(words)), r.of))
	}
	return all
}

// grouped returns the numbers of a tensor by their place along some axes.
func grouped(x *tensor.Tensor, axes []int) [][]float64 {
	n := 1
	for _, a := range axes {
		n *= x.Shape[a]
	}
	groups, all, each := make([][]float64, n), make([]float64, len(x.Data)), len(x.Data)/max(n, 1)
	for at := range groups {
		groups[at] = all[at*each : at*each : (at+1)*each]
	}
	places := placesOf(x.Shape, axes)
	for i, v := range x.Data {
		groups[places[i]] = append(groups[places[i]], v)
	}
	return groups
}

// spread returns one number of each group, in the shape of the tensor: at every place that has the
// group's along some axes.
func (o operand) spread(groups [][]float64, axes []int, of func(x []float64) float64) *tensor.Tensor {
	each := make([]float64, len(groups))
	for i, g := range groups {
		each[i] = of(g)
	}
	y := tensor.New(o.x.Shape...)
	for i, at := range placesOf(y.Shape, axes) {
		y.Data[i] = each[at]
	}
	return y
}

package emulate

import (
	"cmp"
	"math"
	"math/bits"

	"plumbline/numbers/dtype"
)

// RMS is a root-mean-square norm. Squares are summed in the accumulator; the inverse root is
// rounded to the working type; the normalised row is rounded to middle before the weight multiplies
// it, as an eager framework does, or left in the working type by a fused kernel. The result is not
// rounded.
type RMS[T Number] struct {
	*Job
	sums   *Summer[T]
	eps    float64
	middle dtype.Type
	Place  int    // of the row among all
	Named  string // what the roots are, where a kernel has several norms; "" is Roots
}

// What a norm has for each row: the root of the mean square, and the row over that.
const (
	Roots      = "the root mean square"
	Normalised = "x over its root mean square"
)

// NewRMS returns the norm of a kernel.
func NewRMS[T Number](j *Job, sums *Summer[T], middle dtype.Type) *RMS[T] {
	n := &RMS[T]{Job: j, sums: sums, eps: j.Float("eps"), middle: middle}
	if j.Makes("squares-bf16") {
		n.sums.Narrow(dtype.BF16)
	}
	return n
}

// Row returns x·weight/√(mean x² + eps).
func (n *RMS[T]) Row(x, weight []T) []T {
	x, weight = n.early(n.centred(x), weight)
	mean := n.sums.Dot(x, x) / T(len(x))
	n.Show(n.Makes("squares-bf16") && len(x) > 1)
	if n.Makes("sum-for-mean") {
		mean *= T(len(x))
		n.Show(len(x) > 1)
	}
	if n.Makes("mean-of-block") {
		block := 1 << bits.Len(uint(len(x)-1))
		mean *= T(len(x)) / T(block)
		n.Show(block > len(x))
	}
	inverse := PassOne(n.Job, cmp.Or(n.Named, Roots), n.Place, n.inverseRoot(mean))
	y := make([]T, len(x))
	for i := range x {
		y[i] = Round(n.middle, flushed(n.Job, x[i]*inverse))
	}
	Pass(n.Job, Normalised, n.Place*len(x), y)
	for i := range y {
		y[i] *= n.weight(weight[i])
	}
	return y
}

// early returns what is normalised, and what multiplies it then: by mistake the weight multiplies
// before.
func (n *RMS[T]) early(x, weight []T) (before, after []T) {
	if !n.Makes("weight-before-norm") {
		return x, weight
	}
	before, after = make([]T, len(x)), make([]T, len(x))
	for i := range x {
		before[i], after[i] = x[i]*weight[i], 1
		n.Show(weight[i] != weight[0] && x[i] != 0)
	}
	return before, after
}

// weight returns what a normalised element is multiplied by.
func (n *RMS[T]) weight(w T) T {
	switch {
	case n.Makes("weight-plus-one"):
		n.Show(true)
		return w + 1
	case n.Makes("weight-missing"):
		n.Show(w != 1)
		return 1
	}
	return w
}

// inverseRoot returns 1/√(mean + eps). What is done with eps shows only where it is not negligible.
func (n *RMS[T]) inverseRoot(mean T) T {
	matters := float64(mean) < 100*n.eps
	root := math.Sqrt(float64(mean + T(n.eps)))
	switch n.Mistake {
	case "eps-missing":
		root = math.Sqrt(float64(mean))
		n.Show(matters)
	case "root-missing":
		root = float64(mean + T(n.eps))
		n.Show(mean != 0 && math.Abs(root-1) > 1e-3)
	case "eps-outside-root":
		root = math.Sqrt(float64(mean)) + n.eps
		n.Show(matters)
	case "root-bf16":
		inverse := dtype.BF16.Round(1 / root)
		n.Show(inverse != 1/root)
		return T(inverse)
	case "eps-floored":
		root = math.Sqrt(float64(mean) + max(n.eps, 1e-4))
		n.Show(float64(mean) < 1e-2 && n.eps < 1e-4)
	case "eps-default":
		root = math.Sqrt(float64(mean + 1e-5))
		n.Show(matters && n.eps != 1e-5)
	}
	return T(1 / root)
}

// centred returns x, less its mean where LayerNorm stands for RMSNorm.
func (n *RMS[T]) centred(x []T) []T {
	if !n.Makes("mean-subtracted") {
		return x
	}
	mean := n.sums.Sum(x) / T(len(x))
	n.Show(mean != 0)
	y := make([]T, len(x))
	for i := range x {
		y[i] = x[i] - mean
	}
	return y
}

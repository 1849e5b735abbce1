package emulate

import (
	"math"

	"plumbline/numbers/dtype"
)

// rms is a root-mean-square norm. Squares are summed in the accumulator; the inverse root is
// rounded to the working type; the normalised row is rounded to middle before the weight multiplies
// it, as an eager framework does, or left in the working type by a fused kernel. The result is not
// rounded.
type rms[T number] struct {
	*job
	sums   *summer[T]
	eps    float64
	middle dtype.Type
}

func newRMS[T number](j *job, sums *summer[T], middle dtype.Type) *rms[T] {
	n := &rms[T]{job: j, sums: sums, eps: j.Float("eps"), middle: middle}
	if j.makes("squares-bf16") {
		n.sums.mode, n.sums.keep = narrow, dtype.BF16
	}
	return n
}

// row returns x·weight/√(mean x² + eps).
func (n *rms[T]) row(x, weight []T) []T {
	x = n.centred(x)
	mean := n.sums.dot(x, x) / T(len(x))
	n.show(n.makes("squares-bf16") && len(x) > 1)
	if n.makes("sum-for-mean") {
		mean *= T(len(x))
		n.show(len(x) > 1)
	}
	inverse := n.inverseRoot(mean)
	y := make([]T, len(x))
	for i := range x {
		w := weight[i]
		if n.makes("weight-plus-one") {
			w++
			n.show(true)
		}
		y[i] = to(n.middle, flushed(n.job, x[i]*inverse)) * w
	}
	return y
}

// inverseRoot returns 1/√(mean + eps). What is done with eps shows only where it is not negligible.
func (n *rms[T]) inverseRoot(mean T) T {
	matters := float64(mean) < 100*n.eps
	root := math.Sqrt(float64(mean + T(n.eps)))
	switch n.Mistake {
	case "eps-missing":
		root = math.Sqrt(float64(mean))
		n.show(matters)
	case "eps-outside-root":
		root = math.Sqrt(float64(mean)) + n.eps
		n.show(matters)
	case "eps-default":
		root = math.Sqrt(float64(mean + 1e-5))
		n.show(matters && n.eps != 1e-5)
	}
	return T(1 / root)
}

// centred returns x, less its mean where LayerNorm stands for RMSNorm.
func (n *rms[T]) centred(x []T) []T {
	if !n.makes("mean-subtracted") {
		return x
	}
	mean := n.sums.sum(x) / T(len(x))
	n.show(mean != 0)
	y := make([]T, len(x))
	for i := range x {
		y[i] = x[i] - mean
	}
	return y
}

package emulate

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

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
	all    []T    // all rows, where a mistake has one mean square of them
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

// Whole makes the mistake of one mean square for all rows.
func (n *RMS[T]) Whole(rows []T) {
	if n.Makes("mean-of-all") {
		n.all = rows
	}
}

// Row returns x·weight/√(mean x² + eps).
func (n *RMS[T]) Row(x, weight []T) []T {
	if half := len(x) / 2; n.Makes("halves-apart") && half > 0 {
		n.Show(true)
		return append(n.row(x[:half], weight[:half]), n.row(x[half:], weight[half:])...)
	}
	return n.row(x, weight)
}

func (n *RMS[T]) row(x, weight []T) []T {
	x = n.centred(n.weighted(x, weight))
	inverse := n.passRoot(n.inverseRoot(n.meanSquare(x), x))
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

// passRoot passes the root on whose inverse a row is multiplied by.
func (n *RMS[T]) passRoot(inverse T) T {
	if n.Quantities == nil {
		return inverse
	}
	return 1 / PassOne(n.Job, cmp.Or(n.Named, Roots), n.Place, 1/inverse)
}

// meanSquare returns the mean of the squares of a row, with the mistakes that are made with it.
func (n *RMS[T]) meanSquare(x []T) T {
	mean, width := n.sums.Dot(x, x)/T(len(x)), len(x)
	n.Show(n.Makes("squares-bf16") && width > 1)
	switch {
	case n.Makes("sum-for-mean"):
		mean *= T(width)
		n.Show(width > 1)
	case n.Makes("mean-of-block"):
		block := 1 << bits.Len(uint(width-1))
		mean *= T(width) / T(block)
		n.Show(block > width)
	case n.Makes("squares-f16"):
		sum := Round(dtype.F16, mean*T(width))
		n.Show(math.IsInf(float64(sum), 1))
		mean = sum / T(width)
	case n.Makes("variance-for-mean-square"):
		centre := n.sums.Sum(x) / T(width)
		n.Show(float64(centre*centre) > 0.01*float64(mean))
		mean = max(mean-centre*centre, 0)
	case n.all != nil:
		n.Show(len(n.all) > width)
		mean = n.sums.Dot(n.all, n.all) / T(len(n.all))
	}
	return n.ofPart(x, mean)
}

// ofPart makes the mistakes of a mean square that part of a row counts in.
func (n *RMS[T]) ofPart(x []T, mean T) T {
	part := x
	switch width := len(x); {
	case n.Makes("squares-of-tail-missing"):
		part = x[:width/64*64]
	case n.Makes("squares-of-partial-warp-missing") && width > 256:
		part = x[:width/256*256]
	case n.Makes("squares-of-last-tile"):
		part = x[(width-1)/128*128:]
	default:
		return mean
	}
	n.Show(len(part) < len(x))
	return n.sums.Dot(part, part) / T(len(x))
}

// weighted returns x, times the weight where that is done before the norm.
func (n *RMS[T]) weighted(x, weight []T) []T {
	if !n.Makes("weight-before-norm") {
		return x
	}
	n.Show(len(x) > 1)
	y := make([]T, len(x))
	for i := range x {
		y[i] = x[i] * weight[i]
	}
	return y
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
	case n.Makes("weight-before-norm"):
		return 1
	}
	return w
}

// inverseRoot returns 1/√(mean + eps) of a row.
func (n *RMS[T]) inverseRoot(mean T, x []T) T {
	root := math.Sqrt(float64(mean + T(n.eps)))
	switch {
	case n.First("root-missing"):
		root = float64(mean + T(n.eps))
		n.Show(mean != 0 && math.Abs(root-1) > 1e-3)
	case n.First("eps-added-to-reciprocal"):
		inverse := T(1/math.Sqrt(float64(mean)) + n.eps)
		n.Show(math.Abs(float64(inverse)*root-1) > 1e-3 && dtype.Finite(float64(inverse)))
		return inverse
	case n.First("root-bf16"):
		inverse := dtype.BF16.Round(1 / root)
		n.Show(inverse != 1/root)
		return T(inverse)
	}
	return T(1 / n.otherEps(root, float64(mean), x))
}

// otherEps returns the root with what is done to eps by mistake, which shows only where eps is not
// negligible.
func (n *RMS[T]) otherEps(root, mean float64, x []T) float64 {
	shows := mean < 100*n.eps
	switch {
	case n.First("eps-missing"):
		root = math.Sqrt(mean)
	case n.First("eps-outside-root"):
		root = math.Sqrt(mean) + n.eps
	case n.First("eps-floored"):
		root, shows = math.Sqrt(mean+max(n.eps, 1e-4)), mean < 1e-2 && n.eps < 1e-4
	case n.First("eps-default"):
		root, shows = math.Sqrt(float64(T(mean)+1e-5)), shows && n.eps != 1e-5
	case n.First("eps-as-floor"):
		root = math.Sqrt(max(mean, n.eps))
	case n.First("eps-before-mean"):
		root, shows = math.Sqrt(mean+n.eps/float64(len(x))), shows && len(x) > 1
	case n.First("eps-times-largest"):
		largest := max(float64(slices.Max(x)), -float64(slices.Min(x)))
		root = math.Sqrt(mean + n.eps*largest*largest)
	default:
		return root
	}
	n.Show(shows)
	return root
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

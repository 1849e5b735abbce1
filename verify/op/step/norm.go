package step

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
)

// Norm has the places of a norm.
type Norm struct {
	square, mean, root, scaled, kept, last arithmetic.Grid
	sum                                    arithmetic.Adder
	inverse                                arithmetic.Function
	narrow                                 bool       // normalised rows have a type of their own
	out                                    dtype.Type // of the result
}

// NewNorm returns the places of a norm whose normalised rows are rounded to inter and whose results
// to out.
func NewNorm(r *arithmetic.Run, sums arithmetic.Accumulator, inter, out dtype.Type) Norm {
	work := sums.Working()
	return Norm{
		sum: r.Adder(sums), square: r.Grid(work), mean: r.Grid(work), root: r.Grid(work), inverse: r.Function(work, 2),
		scaled: r.Grid(work), kept: r.Grid(inter), last: r.Grid(work), out: out,
		narrow: inter.UnitRoundoff() > work.UnitRoundoff(),
	}
}

// Row returns x·weight/√(mean x² + ε).
func (n *Norm) Row(x, weight []float64, eps float64) []float64 {
	y := make([]float64, len(x))
	squares := n.square.RoundAll(floats.MulTo(y, x, x))
	whole := n.root.Round(n.mean.Round(n.sum.Sum(squares)/float64(len(x))) + eps)
	inverse := n.inverse.Of(1/math.Sqrt(whole), whole)
	n.scaled.RoundAll(floats.ScaleTo(y, inverse, x))
	if n.narrow {
		n.keep(y, weight)
	}
	if floats.Mul(y, weight); n.out != n.scaled.Type() {
		n.last.RoundAll(y)
	}
	return y
}

// keep rounds normalised numbers, but for those of which that is the last rounding.
func (n *Norm) keep(y, weight []float64) {
	for i, kept := range n.kept.RoundAll(slices.Clone(y)) {
		if !n.lastOf(y[i], weight[i]) {
			y[i] = kept
		}
	}
}

// lastOf tells whether the rounding of a normalised number is the last one: its product with the
// weight has the same mantissa, and is no smaller than the normal numbers.
func (n *Norm) lastOf(y, weight float64) bool {
	if n.kept.Type() != n.out || !powerOfTwo(weight) {
		return false
	}
	return math.Abs(weight) == 1 || min(math.Abs(y), math.Abs(y*weight)) >= n.out.MinNormal()
}

// EpsAttr is ε.
var EpsAttr = op.Attr{Name: "eps", Kind: op.Number, Default: 1e-6, Doc: "added to the mean square"}

// CheckEps refuses a negative ε.
func CheckEps(c *op.Case) error {
	if c.Float("eps") < 0 {
		return fmt.Errorf("attrs: %q: found %v, want 0 or more", "eps", c.Float("eps"))
	}
	return nil
}

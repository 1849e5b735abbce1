package op

import (
	"fmt"
	"math"

	"plumbline/internal/parallel"
	"plumbline/norm"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/verdict"
)

var epsAttr = Attr{Name: "eps", Kind: Number, Default: 1e-6, Doc: "added to the mean square"}

func init() {
	register(&Op{
		Name:      "norm.rms",
		Doc:       "Divides each row by its root mean square and multiplies it by the weight.",
		Equations: []string{"norm.RMS"},
		Inputs: []Tensor{
			{Name: "x", Shape: []string{"N", "d"}, Parts: true, Doc: "rows"},
			{Name: "weight", Shape: []string{"d"}, Doc: "learned weight"},
		},
		Outputs: []Tensor{{
			Name: "y", Shape: []string{"N", "d"}, Axes: []string{"token", "column"}, Doc: "normalised rows",
		}},
		Attrs: []Attr{epsAttr},
		Arithmetic: []Key{accumulateKey, subnormalsKey,
			{"intermediate", "the input type", "the normalised row before the weight, which many libraries round"}},
		check: checkEps,
		truth: normRMS,
	})
}

func checkEps(c *Case) error {
	if c.Float("eps") < 0 {
		return fmt.Errorf("attrs: %q: found %v, want 0 or more", "eps", c.Float("eps"))
	}
	return nil
}

// normRMS calls norm.RMS row by row.
func normRMS(c *Case) ([]verdict.Expected, error) {
	rows, width, w := c.Dim("N"), c.Dim("d"), c.Input("weight").Row()
	y := make([]float64, rows*width)
	parallel.Each(rows, func(n int) {
		copy(y[n*width:], norm.RMS(c.Rows("x", n, n+1).Row(0), w, c.Float("eps")))
	})
	return c.run(
		c.eitherWay((*Case).normProgram), float64(8*len(y)),
		expectation{name: "y", truth: y, shape: []int{rows, width}},
	), nil
}

// normProgram is the norm as kernels compute it: squares are summed, the inverse root and each
// product are rounded, and the normalised row is rounded to the intermediate type before the weight
// multiplies it. Where the weight is a power of two and the result has that type, this is the last
// rounding, of which the verdict knows.
func (c *Case) normProgram() program {
	weight, eps := c.Input("weight").Row(), c.Float("eps")
	inter, out := c.typeOr(c.Arithmetic.Intermediate, "x"), c.rec.Type("out.y")
	return func(r *arithmetic.Run) map[string][]float64 {
		n := newNormRun(r, c.Arithmetic.Accumulate, inter, out)
		y := make([]float64, 0, c.Dim("N")*c.Dim("d"))
		for i := range c.Dim("N") {
			y = append(y, n.row(c.Rows("x", i, i+1).Row(0), weight, eps)...)
		}
		return map[string][]float64{"y": y}
	}
}

// normRun has the places of a norm.
type normRun struct {
	square, mean, root, scaled, kept, last arithmetic.Grid
	sum                                    arithmetic.Adder
	inverse                                arithmetic.Function
	narrow                                 bool       // normalised rows have a type of their own
	out                                    dtype.Type // of the result
}

func newNormRun(r *arithmetic.Run, sums arithmetic.Accumulator, inter, out dtype.Type) normRun {
	work := sums.Working()
	return normRun{
		sum: r.Adder(sums), square: r.Grid(work), mean: r.Grid(work), root: r.Grid(work), inverse: r.Function(work, 2),
		scaled: r.Grid(work), kept: r.Grid(inter), last: r.Grid(work), out: out,
		narrow: inter.UnitRoundoff() > work.UnitRoundoff(),
	}
}

// row returns x·weight/√(mean x² + ε).
func (n *normRun) row(x, weight []float64, eps float64) []float64 {
	squares := make([]float64, len(x))
	for i, v := range x {
		squares[i] = n.square.Round(v * v)
	}
	whole := n.root.Round(n.mean.Round(n.sum.Sum(squares)/float64(len(x))) + eps)
	inverse := n.inverse.Of(1/math.Sqrt(whole), whole)
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = n.scaled.Round(v * inverse)
		if n.narrow && !n.lastOf(y[i], weight[i]) {
			y[i] = n.kept.Round(y[i])
		}
		y[i] *= weight[i]
		if n.out != n.scaled.Type() {
			y[i] = n.last.Round(y[i])
		}
	}
	return y
}

// lastOf tells whether the rounding of a normalised number is the last one: its product with the
// weight has the same mantissa, and is no smaller than the normal numbers.
func (n *normRun) lastOf(y, weight float64) bool {
	if n.kept.Type() != n.out || !powerOfTwo(weight) {
		return false
	}
	return math.Abs(weight) == 1 || min(math.Abs(y), math.Abs(y*weight)) >= n.out.MinNormal()
}

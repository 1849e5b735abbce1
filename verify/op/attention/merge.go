package attention

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/internal/loops"
	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

// attentionMerge joins the parts row by row.
func attentionMerge(c *op.Case) ([]verdict.Expected, error) {
	parts, rows, width, unit := c.Dim("P"), c.Dim("N"), c.Dim("V"), LSEUnit(c)
	outputs, logs := make([]*mat.Dense, parts), make([][]float64, parts)
	for p := range parts {
		outputs[p] = c.Input("o").View(1, p)
		logs[p] = scaled(c.Input("lse").Row(p), unit)
	}
	out, lse := attention.Merge(outputs, logs)
	return c.Run(c.EitherWay(mergeProgram), float64(4*parts*rows*width),
		op.Expectation{Name: "o", Truth: out.RawMatrix().Data, Shape: []int{rows, width}},
		op.Expectation{Name: "lse", Truth: scaled(lse, 1/unit), Shape: []int{rows}}), nil
}

// mergeProgram is the merge as kernels compute it: a weight for each part from its log-sum-exp,
// their sum, and the weighted sum, divided before or after.
func mergeProgram(c *op.Case) op.Program {
	n, width := c.Dim("N"), c.Dim("V")
	return func(r *arithmetic.Run) map[string][]float64 {
		m := newMergeRun(c, r)
		o, lse := make([]float64, n*width), make([]float64, n)
		for row := range n {
			lse[row] = m.row(c, row, o[row*width:(row+1)*width])
		}
		return map[string][]float64{"o": o, "lse": lse}
	}
}

// mergeRun has the places of a merge.
type mergeRun struct {
	natural, shifted, product, divided arithmetic.Grid
	lse, added                         arithmetic.Grid
	exp, log                           arithmetic.Function
	sum, total                         arithmetic.Adder
	dividesFirst                       bool
	unit                               float64
}

func newMergeRun(c *op.Case, r *arithmetic.Run) *mergeRun {
	acc := c.Arithmetic.Accumulate
	work := acc.Working()
	m := &mergeRun{
		natural: r.Grid(work), shifted: r.Grid(work), product: r.Grid(work), divided: r.Grid(work), lse: r.Grid(work),
		added: r.Grid(work), exp: r.Function(work, 2), log: r.Function(work, 2), sum: r.Adder(acc),
		total: r.Adder(acc), dividesFirst: r.Coin(), unit: LSEUnit(c),
	}
	if c.Arithmetic.Exp == "approx" {
		m.exp = r.Function(work, 4)
	}
	return m
}

// row merges row n into o and returns its log-sum-exp. A part that saw no key does not count.
func (m *mergeRun) row(c *op.Case, n int, o []float64) float64 {
	var parts []int
	var x []float64
	lse := c.Input("lse")
	for p := range c.Dim("P") {
		if v := lse.At(p, n); !math.IsInf(v, -1) {
			parts, x = append(parts, p), append(x, m.natural.Round(v*m.unit))
		}
	}
	if len(parts) == 0 {
		return math.Inf(-1)
	}
	largest := loops.Largest(x)
	for i, v := range x {
		x[i] = m.exp.Exp(m.shifted.Round(v - largest))
	}
	total := m.total.Sum(x)
	if m.dividesFirst {
		for i, w := range x {
			x[i] = m.divided.Round(w / total)
		}
	}
	m.weigh(c, n, parts, x, total, o)
	return m.lse.Round(m.added.Round(largest+m.log.Log(total)) / m.unit)
}

// weigh fills in the weighted sum of the parts' outputs, divided by the total if the weights are
// not.
func (m *mergeRun) weigh(c *op.Case, n int, parts []int, weights []float64, total float64, o []float64) {
	outputs, terms, product := c.Input("o"), mat.NewDense(len(o), len(parts), nil), make([]float64, len(o))
	for i, p := range parts {
		terms.SetCol(i, m.product.RoundAll(floats.ScaleTo(product, weights[i], outputs.Row(p, n))))
	}
	if m.sum.SumAll(o[:0], rowsOf(terms)...); m.dividesFirst {
		return
	}
	step.Divide(o, total)
	m.divided.RoundAll(o)
}

func scaled(x []float64, by float64) []float64 {
	y := make([]float64, len(x))
	for i := range x {
		y[i] = x[i] * by
	}
	return y
}

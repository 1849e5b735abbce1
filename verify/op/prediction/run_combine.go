package prediction

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/parallel"
	"plumbline/mtp"
	"plumbline/norm"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

// combiner has what all runs of mtp.combine share: rows, weights, and how many rows are run.
type combiner struct {
	c                         *op.Case
	hidden, embedding         *mat.Dense
	normHidden, normEmbedding []float64
	inter                     dtype.Type
	eps                       float64
	rows, width               int
	runs                      []*combineRun // the native one first
	sampled                   []int         // rows that are run
	product                   *step.Product
	truth                     []float64
	hiddenPart                [][]float64 // row by row
	inRuns                    [][]float64 // products of the rows that are run, one after the other in every run
}

// combineRun has the places of one run.
type combineRun struct {
	normHidden, normEmbedding step.Norm
	kept                      [2]arithmetic.Grid
	sum                       arithmetic.Noise
}

// combine is mtp.combine.
func combine(c *op.Case) ([]verdict.Expected, error) {
	m := combinerOf(c)
	m.drawRuns()
	m.multiply()
	want := verdict.Expected{Name: "y", Truth: tensor.Of(m.truth, m.rows, m.width), Directions: m.directions()}
	m.addSample(&want)
	return c.Wanted(want), nil
}

func combinerOf(c *op.Case) *combiner {
	m := &combiner{
		c: c, hidden: c.Input("hidden").View(0), embedding: c.Input("embedding").View(0),
		normHidden: c.Input("norm_hidden").Row(), normEmbedding: c.Input("norm_embedding").Row(),
		inter: c.TypeOr(c.Arithmetic.Intermediate, "hidden"), eps: c.Float("eps"), rows: c.Dim("N"), width: c.Dim("d"),
	}
	if c.Flag("mask_first") {
		m.embedding = mtp.MaskFirst(m.embedding, positions(m.rows))
	}
	return m
}

// positions returns 0 … n−1.
func positions(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// runProducts is how many products all runs together may take. A test lowers it.
var runProducts float64 = step.RunProducts

// drawRuns draws the places of all runs, and chooses the rows that are run, evenly spaced.
func (m *combiner) drawRuns() {
	perRow := 2 * float64(m.width) * float64(m.width)
	n := m.rows * m.width
	m.runs = []*combineRun{m.in(arithmetic.NewNative())}
	for k := range op.RunsOf(n, n, float64(m.rows)*perRow/step.ProductsForARounding) {
		m.runs = append(m.runs, m.in(arithmetic.NewRun(k+1)))
	}
	count := max(1, min(m.rows, int(runProducts/(float64(len(m.runs))*perRow))))
	for i := range count {
		m.sampled = append(m.sampled, i*m.rows/count)
	}
}

// in returns the places of a run. The accumulator is that of the product; squares of a norm are
// scalar sums.
func (m *combiner) in(r *arithmetic.Run) *combineRun {
	acc := m.c.Arithmetic.Accumulate
	return &combineRun{
		normHidden:    step.NewNorm(r, acc.Scalar(), m.inter, m.inter),
		normEmbedding: step.NewNorm(r, acc.Scalar(), m.inter, m.inter),
		kept:          [2]arithmetic.Grid{r.Grid(m.inter), r.Grid(m.inter)}, sum: r.Noise(acc.Truncates()),
	}
}

// row returns row i as it is multiplied in a run.
func (m *combiner) row(r *combineRun, i int) []float64 {
	h := r.kept[0].RoundAll(r.normHidden.Row(m.hidden.RawRowView(i), m.normHidden, m.eps))
	e := r.kept[1].RoundAll(r.normEmbedding.Row(m.embedding.RawRowView(i), m.normEmbedding, m.eps))
	return concat(h, e, OrderOf(m.c))
}

// concat returns a row of both halves.
func concat(hidden, embedding []float64, order mtp.Order) []float64 {
	row := func(x []float64) *mat.Dense { return mat.NewDense(1, len(x), x) }
	return mtp.Concat(row(hidden), row(embedding), order).RawRowView(0)
}

// multiply computes the product exactly, that of the halves of hidden alone, and those of the rows
// that are run.
func (m *combiner) multiply() {
	h, e := norm.RMSRows(m.hidden, m.normHidden, m.eps), norm.RMSRows(m.embedding, m.normEmbedding, m.eps)
	further := make([][]float64, m.rows+len(m.sampled)*len(m.runs))
	zeros := make([]float64, m.width)
	parallel.Each(m.rows, func(i int) {
		further[i] = concat(h.RawRowView(i), zeros, OrderOf(m.c))
	})
	parallel.Each(len(m.sampled)*len(m.runs), func(at int) {
		further[m.rows+at] = m.row(m.runs[at%len(m.runs)], m.sampled[at/len(m.runs)])
	})
	operands := step.Operands{Accumulate: m.c.Arithmetic.Accumulate, X: m.inter, W: m.c.Recording.Type("projection")}
	projection := step.WeightsOf(m.c, "projection", 0)
	product, others := operands.Multiply(mtp.Concat(h, e, OrderOf(m.c)), projection, further...)
	m.product, m.truth = product, product.Y.RawMatrix().Data
	m.hiddenPart, m.inRuns = others[:m.rows], others[m.rows:]
}

// directions returns the parts of the output that come from either half: a factor on one of them
// shows in no element.
func (m *combiner) directions() (all []verdict.Direction) {
	fromHidden := make([]float64, 0, len(m.truth))
	for _, row := range m.hiddenPart {
		fromHidden = append(fromHidden, row...)
	}
	fromEmbedding := floats.SubTo(make([]float64, len(m.truth)), m.truth, fromHidden)
	for _, part := range []verdict.Direction{
		{Name: "the part of the hidden state", Values: fromHidden},
		{Name: "the part of the embedding", Values: fromEmbedding},
	} {
		if size := floats.Norm(part.Values, 2); size > 0 && !math.IsInf(size, 0) && !math.IsNaN(size) {
			all = append(all, part)
		}
	}
	return all
}

// roundingsOfRow is how many roundings to the intermediate type a row has before the product.
const roundingsOfRow = 2

// shape returns what errors go with: the roundings of the rows, whose errors are summed as the
// products are, and the sums themselves.
func (m *combiner) shape() (variances []float64) {
	rho := arithmetic.Rho(m.inter)
	for i := range m.rows {
		for j, v := range m.product.Moments(i) {
			variances = append(variances, v+rho*rho*roundingsOfRow*m.product.Squares.At(i, j))
		}
	}
	return variances
}

// addSample adds what the runs deviate by.
func (m *combiner) addSample(want *verdict.Expected) {
	deviations, elements := make([][]float64, len(m.runs)), []int(nil)
	for at, i := range m.sampled {
		for j := range m.width {
			elements = append(elements, i*m.width+j)
		}
		first := i * m.width
		for k, r := range m.runs {
			y := m.product.Err(&r.sum, i, m.inRuns[at*len(m.runs)+k], 1)
			d := op.RowDeviations(want, first, y, m.truth[first:first+m.width])
			deviations[k] = append(deviations[k], d...)
		}
	}
	if len(m.sampled) == m.rows {
		elements = nil
	}
	want.AddForm(verdict.NewSample(deviations[1:], deviations[0], elements, m.truth, m.shape(), m.width))
}

package fp8

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/fp8"
	"plumbline/internal/parallel"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
	"plumbline/verify/verdict"
)

// products collects the output of one product, or of one for each expert, while they are computed:
// the truth of all elements, and what runs of some of them deviate by.
type products struct {
	model
	c            *op.Case
	a            fp8.Blocked
	truth, shape *mat.Dense // [M × N]; the shape is what second moments of errors go with
	*sample
}

// gemm is the truth of fp8.gemm and fp8.grouped_gemm.
func gemm(c *op.Case) ([]verdict.Expected, error) {
	p := newProducts(c)
	eachProduct(c, p.multiply)
	return p.expected(), nil
}

// eachProduct calls f for each product with its rows, from … to−1: for the one of fp8.gemm, or
// those of experts. Only experts that have rows are read.
func eachProduct(c *op.Case, f func(from, to int, b fp8.Blocked)) {
	counts, from := c.Input("counts"), 0
	if counts == nil {
		f(0, c.Dim("M"), weights(c.Input("b"), c.Input("b_scale")))
		return
	}
	for e, count := range counts.Data {
		if to := from + int(count); to > from {
			f(from, to, weights(c.Rows("b", e, e+1), c.Rows("b_scale", e, e+1)))
			from = to
		}
	}
}

func newProducts(c *op.Case) *products {
	rows, cols, m := c.Dim("M"), c.Dim("N"), newModel(c)
	return &products{
		model: m, c: c, a: blocked(c.Input("a"), c.Input("a_scale"), 1), truth: mat.NewDense(rows, cols, nil),
		shape: mat.NewDense(rows, cols, nil), sample: newSample(m, budgetOf(c), rows, cols, c.Dim("K")),
	}
}

// weights returns B of one product, whose blocks are squares.
func weights(codes, scales *tensor.Tensor) fp8.Blocked { return blocked(codes, scales, fp8.Width) }

// blocked returns a matrix in FP8 whose blocks have so many rows.
func blocked(codes, scales *tensor.Tensor, rows int) fp8.Blocked {
	return fp8.Blocked{
		Codes: matrix(codes), Scales: matrix(scales), Block: fp8.BlockSize{Rows: rows, Cols: fp8.Width},
	}
}

// matrix returns a tensor as a matrix of its last two axes.
func matrix(x *tensor.Tensor) *mat.Dense {
	n := len(x.Shape)
	return mat.NewDense(x.Shape[n-2], x.Shape[n-1], x.Data)
}

// multiply computes rows from … to−1 of the output, those of one B.
func (p *products) multiply(from, to int, b fp8.Blocked) {
	cols, _ := b.Codes.Dims()
	squaredA, squaredB := squared(rowsOf(p.a, from, to)), squared(b)
	across, down := (cols+fp8.Width-1)/fp8.Width, (to-from+fp8.Width-1)/fp8.Width
	parallel.Each(across*down, func(i int) {
		left, top := i/down*fp8.Width, from+i%down*fp8.Width
		right, bottom := min(left+fp8.Width, cols), min(top+fp8.Width, to)
		t := newTile(p, top, bottom, left, right)
		t.add(
			rowsOf(p.a, top, bottom), rowsOf(b, left, right), rowsOf(squaredA, top-from, bottom-from),
			rowsOf(squaredB, left, right),
		)
		t.shape.Copy(step.FiniteOrZero(t.shape))
	})
	p.run(p, from, to, b)
}

// rowsOf returns some rows of a matrix, whole blocks of them from the first on.
func rowsOf(m fp8.Blocked, from, to int) fp8.Blocked {
	_, cols := m.Codes.Dims()
	_, scaleCols := m.Scales.Dims()
	last := (to + m.Block.Rows - 1) / m.Block.Rows
	m.Codes = m.Codes.Slice(from, to, 0, cols).(*mat.Dense)
	m.Scales = m.Scales.Slice(from/m.Block.Rows, last, 0, scaleCols).(*mat.Dense)
	return m
}

// blockOf returns one block of the columns of a matrix.
func blockOf(m fp8.Blocked, block int) fp8.Blocked {
	rows, cols := m.Codes.Dims()
	scaleRows, _ := m.Scales.Dims()
	m.Codes = m.Codes.Slice(0, rows, block*fp8.Width, min((block+1)*fp8.Width, cols)).(*mat.Dense)
	m.Scales = m.Scales.Slice(0, scaleRows, block, block+1).(*mat.Dense)
	return m
}

// squared returns the matrix whose products are the sums of the squares of a product's terms.
func squared(m fp8.Blocked) fp8.Blocked {
	m.Codes, m.Scales = step.Squares(m.Codes), step.Squares(m.Scales)
	return m
}

// expected hands over the output.
func (p *products) expected() []verdict.Expected {
	rows, cols := p.truth.Dims()
	e := verdict.Expected{Name: "c", Truth: tensor.Of(p.truth.RawMatrix().Data, rows, cols)}
	for form := range p.runs {
		e.AddForm(verdict.NewRareSample(
			p.deviations[form], p.native[form], p.elements(cols), e.Truth.Data, p.shape.RawMatrix().Data, cols,
		))
	}
	for at, values := range p.others {
		for _, v := range values {
			e.AddOther(at, v)
		}
	}
	return []verdict.Expected{e}
}

// productWork counts the products of truth and shape, and of the elements that are run.
func productWork(c *op.Case) float64 {
	return 2*c.Extent("M")*c.Extent("N")*c.Extent("K") + termWork*math.Min(workOfRuns, runCost(c)*fewestRuns)
}

// productOnce counts those of a kernel, whose sums go on block by block.
func productOnce(c *op.Case) float64 { return 12 * c.Extent("M") * c.Extent("N") * c.Extent("K") }

package step

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/parallel"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
)

// Product is a product of matrices x·wᵀ, and what its sums hang on: their squares, and the second
// moments of what they err by, each by itself and all together.
type Product struct {
	Y, Squares      *mat.Dense
	apart, together *mat.Dense
}

// RunProducts is how many products all runs of an op together may take. Beyond, some rows are run
// for all. ProductsForARounding is how many take as long as a rounding is let to take where runs
// are counted.
const (
	RunProducts          = 1 << 35
	ProductsForARounding = 1 << 9
)

// Operands are the two of a product of matrices: their types, and the accumulator that sums it.
type Operands struct {
	Accumulate arithmetic.Accumulator
	X, W       dtype.Type
}

// Weights are a matrix w [m × k] that is read in blocks of rows, so that it never stands in memory
// whole.
type Weights struct {
	Rows, Columns int
	Block         func(from, to int) *mat.Dense
}

// Whole returns a matrix as weights.
func Whole(w *mat.Dense) Weights {
	rows, columns := w.Dims()
	return Weights{rows, columns, func(from, to int) *mat.Dense { return RowsBetween(w, from, to) }}
}

// WeightsOf returns matrix number of an input [E,R,C], or an input [R,C] itself, as weights.
func WeightsOf(c *op.Case, name string, number int) Weights {
	shape := c.Recording.Shape(name)
	return Weights{Rows: shape[len(shape)-2], Columns: shape[len(shape)-1], Block: func(from, to int) *mat.Dense {
		return c.Block(name, number, from, to)
	}}
}

// blockElements is how many elements of weights are read at a time: 4 MiB, so that what is made of
// them stays in a cache.
const blockElements = 1 << 19

// blocks returns how many blocks there are, and the function that reads one.
func (w Weights) blocks() (n int, read func(i int) (from, to int, block *mat.Dense)) {
	rows := max(1, min(blockElements/w.Columns, (w.Rows+1)/2))
	return (w.Rows + rows - 1) / rows, func(i int) (from, to int, block *mat.Dense) {
		from, to = i*rows, min((i+1)*rows, w.Rows)
		return from, to, w.Block(from, to)
	}
}

// each calls f for every block of rows.
func (w Weights) each(f func(from, to int, block *mat.Dense)) {
	n, read := w.blocks()
	parallel.Each(n, func(i int) { f(read(i)) })
}

// Multiply returns x·wᵀ, x being [n × k], and rows·wᵀ for further rows, which runs have in the
// place of x.
func (o Operands) Multiply(x *mat.Dense, w Weights, rows ...[]float64) (p *Product, others [][]float64) {
	n, terms := x.Dims()
	p = &Product{
		Y: mat.NewDense(n, w.Rows, nil), Squares: mat.NewDense(n, w.Rows, nil),
		apart: mat.NewDense(n, w.Rows, nil), together: mat.NewDense(n, w.Rows, nil),
	}
	all := x
	if len(rows) > 0 {
		all = mat.NewDense(n+len(rows), terms, nil)
		all.Slice(0, n, 0, terms).(*mat.Dense).Copy(x)
		for i, row := range rows {
			all.SetRow(n+i, row)
			others = append(others, make([]float64, w.Rows))
		}
	}
	x2 := Squares(FiniteOrZero(x))
	w.each(func(from, to int, block *mat.Dense) {
		var y mat.Dense
		y.Mul(all, block.T())
		squares := TimesSquares(x2, FiniteOrZero(block).T())
		for i := range n {
			o.fill(p, i, from, terms, y.RawRowView(i), squares.RawRowView(i))
		}
		for i, row := range others {
			copy(row[from:to], y.RawRowView(n+i))
		}
	})
	return p, others
}

// together is how many blocks are in work at a time where their sums are added up in order.
const together = 8

// Contract returns x·w, x being [n × m] for w of m rows, and rows·w for further rows [k × m], which
// runs have in the place of x.
func (o Operands) Contract(x *mat.Dense, w Weights, rows *mat.Dense) (p *Product, others *mat.Dense) {
	n, terms := x.Dims()
	k, _ := rows.Dims()
	y, squares := mat.NewDense(n+k, w.Columns, nil), mat.NewDense(n, w.Columns, nil)
	var all mat.Dense
	all.Stack(x, rows)
	x2 := Squares(FiniteOrZero(x))
	blocks, read := w.blocks()
	for first := 0; first < blocks; first += together {
		var sums, sumsOfSquares [together]*mat.Dense
		inWork := min(together, blocks-first)
		parallel.Each(inWork, func(i int) {
			from, to, block := read(first + i)
			sums[i] = new(mat.Dense)
			sums[i].Mul(ColumnsBetween(&all, from, to), block)
			sumsOfSquares[i] = TimesSquares(ColumnsBetween(x2, from, to), FiniteOrZero(block))
		})
		for i := range inWork {
			y.Add(y, sums[i])
			squares.Add(squares, sumsOfSquares[i])
		}
	}
	return o.Of(RowsBetween(y, 0, n), squares, terms), RowsBetween(y, n, n+k)
}

// Of returns what is known of a product y of so many terms, whose squares add up to squares.
func (o Operands) Of(y, squares *mat.Dense, terms int) *Product {
	n, columns := y.Dims()
	p := &Product{
		Y: mat.NewDense(n, columns, nil), Squares: mat.NewDense(n, columns, nil),
		apart: mat.NewDense(n, columns, nil), together: mat.NewDense(n, columns, nil),
	}
	for i := range n {
		o.fill(p, i, 0, terms, y.RawRowView(i), squares.RawRowView(i))
	}
	return p
}

// fill stores a part of row i, from column first on.
func (o Operands) fill(p *Product, i, first, terms int, y, squares []float64) {
	copy(p.Y.RawRowView(i)[first:], y)
	copy(p.Squares.RawRowView(i)[first:], squares)
	apart, together := p.apart.RawRowView(i)[first:], p.together.RawRowView(i)[first:]
	sums := o.Accumulate.Products(o.X, o.W, terms)
	for j, sum := range y {
		apart[j], together[j] = sums.Error(sum, squares[j])
	}
}

// Err adds to a row of the product, which a run may have with operands of its own, what the sums of
// row i err by in that run; operands are times as large as those of the product.
func (p *Product) Err(n *arithmetic.Noise, i int, y []float64, times float64) []float64 {
	apart, together := p.apart.RawRowView(i), p.together.RawRowView(i)
	for j, v := range y {
		y[j] = v + n.Of(v, times*times*apart[j], times*times*together[j])
	}
	return y
}

// Moments returns the second moments of what the sums of row i err by.
func (p *Product) Moments(i int) []float64 {
	return floats.AddTo(make([]float64, len(p.apart.RawRowView(i))), p.apart.RawRowView(i), p.together.RawRowView(i))
}

// Row returns row i of the product in a run.
func (p *Product) Row(n *arithmetic.Noise, i int) []float64 {
	return p.Err(n, i, mat.Row(nil, i, p.Y), 1)
}

package fp8

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/fp8"
	"plumbline/numbers/arithmetic"
)

// tile is a part of the output while it is computed, block of K by block.
type tile struct {
	model
	truth, shape *mat.Dense // views of the output's
	pull         *mat.Dense // what tensor cores lose on average
	partial      *mat.Dense // squares of the sums of blocks
}

func newTile(p *products, top, bottom, left, right int) *tile {
	t := &tile{
		model: p.model, truth: p.truth.Slice(top, bottom, left, right).(*mat.Dense),
		shape: p.shape.Slice(top, bottom, left, right).(*mat.Dense),
	}
	if t.core != nil {
		t.pull, t.partial = mat.NewDense(bottom-top, right-left, nil), mat.NewDense(bottom-top, right-left, nil)
	}
	return t
}

// add computes the truth and what second moments of errors go with: the squares of the terms or,
// of a tensor core, which loses bits of every sum toward zero, what that loses of the sum of each
// block, and what the sums of blocks lose when they are added.
func (t *tile) add(a, b, squaredA, squaredB fp8.Blocked) {
	_, blocks := a.Scales.Dims()
	for block := range blocks {
		x := blockOf(a, block)
		sums := fp8.Product(x, blockOf(b, block))
		squares := fp8.Product(blockOf(squaredA, block), blockOf(squaredB, block))
		t.truth.Add(t.truth, sums)
		if t.core == nil {
			t.shape.Add(t.shape, squares)
			continue
		}
		_, width := x.Codes.Dims()
		t.lose(sums, squares, width)
	}
	if t.core == nil {
		return
	}
	t.shape.Apply(func(m, n int, scatter float64) float64 {
		pull := t.pull.At(m, n)
		return scatter + pull*pull + arithmetic.F32.Sum(blocks, t.truth.At(m, n), t.partial.At(m, n))
	}, t.shape)
}

// lose adds what a tensor core loses of the sums of one block, of so many products.
func (t *tile) lose(sums, squares *mat.Dense, width int) {
	rows, cols := sums.Dims()
	for m := range rows {
		pulls, scatters, partials := t.pull.RawRowView(m), t.shape.RawRowView(m), t.partial.RawRowView(m)
		terms := squares.RawRowView(m)
		for n, sum := range sums.RawRowView(m)[:cols] {
			pull, scatter := t.core.Loss(min(width, t.every), sum, terms[n])
			pulls[n] += math.Copysign(pull, sum)
			scatters[n] += scatter
			partials[n] += sum * sum
		}
	}
}

package fp8

import (
	"slices"

	"plumbline/fp8"
	"plumbline/verify/op"
)

// Tile is one row of the first block of a cast, for what shows it step by step.
type Tile struct {
	X                  []float64 // the row within the block
	Amax, Floor, Scale float64
	Codes              []float64
	Largest            float64
	Recipe             fp8.Recipe
	PowerOfTwo         bool
	Recorded           bool // the codes are those of the scale that is recorded
}

// FirstTile returns the first row of the first block, cast as fp8.cast has it.
func FirstTile(c *op.Case) Tile {
	q := newCast(c)
	n := min(q.block.Cols, q.cols)
	t := Tile{
		X: q.x[:n], Amax: q.amax[0], Floor: q.floor, Scale: q.right[0][0], Largest: q.largestCode,
		Recipe: q.recipes[0], PowerOfTwo: q.ue8m0, Recorded: q.recorded != nil,
	}
	for i, x := range t.X {
		t.Codes = append(t.Codes, q.code(x, q.scalesFor(q.blockOf(i))[0], q.amax[0], t.Recipe))
	}
	return t
}

// FirstProduct returns the first row of A, and the first rows of the B that it meets, up to most of
// them.
func FirstProduct(c *op.Case, most int) (a, b fp8.Blocked) {
	a = rowsOf(blocked(c.Input("a"), c.Input("a_scale"), 1), 0, 1)
	if c.Input("counts") == nil {
		b = weights(c.Input("b"), c.Input("b_scale"))
	} else {
		e := slices.IndexFunc(c.Input("counts").Data, func(n float64) bool { return n > 0 })
		b = weights(c.Rows("b", e, e+1), c.Rows("b_scale", e, e+1))
	}
	rows, _ := b.Codes.Dims()
	return a, rowsOf(b, 0, min(rows, most))
}

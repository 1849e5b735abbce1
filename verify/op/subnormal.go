package op

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

// subnormalsKey is for ops whose inputs may be flushed.
var subnormalsKey = Key{"subnormals", "kept",
	"kept (results below the normal float32 numbers may still be 0), or flushed: such inputs may count as 0 too"}

// eitherWay returns a program that in half of its runs takes inputs below the normal float32 numbers
// for zero, if the recording says that they may be.
func (c *Case) eitherWay(of func(*Case) program) program {
	p, other := of(c), c.flushing()
	if other == c {
		return p
	}
	q := of(other)
	return func(r *arithmetic.Run) map[string][]float64 {
		if r.Coin() {
			return q(r)
		}
		return p(r)
	}
}

// flushing returns the case in which inputs below the normal float32 numbers are 0, if there are any
// and the recording says that they may be; else the case itself.
func (c *Case) flushing() *Case {
	if c.Arithmetic.Subnormals != "flushed" {
		return c
	}
	if other, found := c.withoutSubnormals(); found {
		return other
	}
	return c
}

// withoutSubnormals returns a case whose inputs below the normal float32 numbers are 0, and whether
// there are any.
func (c *Case) withoutSubnormals() (*Case, bool) {
	if !slices.ContainsFunc(c.Op.Inputs, c.hasSubnormals) {
		return nil, false
	}
	other := *c
	other.inputs, other.flush = newInputs(c.Op, c.rec), true
	return &other, true
}

// flush returns a matrix whose numbers below the normal float32 numbers are 0.
func flush(m *mat.Dense) *mat.Dense {
	var y mat.Dense
	y.Apply(func(_, _ int, v float64) float64 {
		if math.Abs(v) < dtype.F32.MinNormal() {
			return 0
		}
		return v
	}, m)
	return &y
}

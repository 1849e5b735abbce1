package op

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

// SubnormalsKey is for ops whose inputs may be flushed.
var SubnormalsKey = Key{Name: "subnormals", Default: "kept",
	Doc: "kept (results below the normal float32 numbers may still be 0), or flushed: such inputs may count as 0 too"}

// EitherWay returns a program that in half of its runs takes inputs below the normal float32
// numbers for zero, if the recording says that they may be.
func (c *Case) EitherWay(of func(*Case) Program) Program {
	p, other := of(c), c.Flushing()
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

// Flushing returns the case in which inputs below the normal float32 numbers are 0, if there are
// any and the recording says that they may be; else the case itself.
func (c *Case) Flushing() *Case {
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
	other.inputs, other.flush = newInputs(c.Op, c.Recording), true
	return &other, true
}

// Flush returns a matrix whose numbers below the normal float32 numbers are 0.
func Flush(m *mat.Dense) *mat.Dense {
	var y mat.Dense
	y.Apply(func(_, _ int, v float64) float64 {
		if math.Abs(v) < dtype.F32.MinNormal() {
			return 0
		}
		return v
	}, m)
	return &y
}

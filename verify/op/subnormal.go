package op

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/verdict"
)

// subnormalsKey is for ops whose inputs may be flushed.
var subnormalsKey = Key{"subnormals", "kept",
	"kept (results below the normal float32 numbers may still be 0), or flushed: such inputs may count as 0 too"}

// addFlushed adds to σ what the outputs move by where inputs below the normal float32 numbers count
// as zero, if the recording says that they do. The op is computed again on such inputs: kernels
// flush all of them, or those that pass through one kind of instruction, so that any part of the
// move is right.
func (c *Case) addFlushed(expected []verdict.Expected) error {
	if c.Arithmetic.Subnormals != "flushed" {
		return nil
	}
	other, found := c.withoutSubnormals()
	if !found {
		return nil
	}
	moved, err := c.Op.truth(other)
	if err != nil {
		return err
	}
	for i := range expected {
		if expected[i].Sample != nil || expected[i].Choice != nil {
			continue // its runs have it, or its bounds
		}
		widen(&expected[i], moved[i].Truth)
	}
	return nil
}

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

// widen takes another truth into σ. An element that is finite in one of the two alone may be
// either.
func widen(e *verdict.Expected, other *tensor.Tensor) {
	for i, t := range e.Truth.Data {
		o := other.Data[i]
		switch {
		case o == t || math.IsNaN(o) && math.IsNaN(t):
		case dtype.Finite(o) && dtype.Finite(t):
			e.Sigma[i] = math.Hypot(e.Sigma[i], o-t)
		default:
			if e.Others == nil {
				e.Others = map[int][]float64{}
			}
			e.Others[i] = append(e.Others[i], o)
		}
	}
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

package objective

import (
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
)

// eager makes the places of an objective's scalar work: differences, exponentials, products. The
// result of each is rounded to one type, as eager frameworks do with narrow tensors; what is inside
// of an exponential, a logarithm or a sum keeps working precision.
type eager struct {
	*arithmetic.Run
	c         *op.Case
	typ, work dtype.Type
	sums      arithmetic.Accumulator
}

// newEager returns the scalar work of a run.
func newEager(c *op.Case, r *arithmetic.Run) eager {
	e := eager{r, c, c.Arithmetic.Intermediate, c.Arithmetic.Accumulate.Working(), c.Arithmetic.Accumulate}
	if e.typ == dtype.Invalid {
		e.typ = e.work
	}
	return e
}

// place returns the grid of a place.
func (e eager) place() arithmetic.Grid { return e.Grid(e.typ) }

// constant returns an attribute as a kernel holds it.
func (e eager) constant(x float64) float64 {
	g := e.place()
	return g.Round(x)
}

// inside returns the grid of a place within a function, which has working precision.
func (e eager) inside() arithmetic.Grid { return e.Grid(e.work) }

// last returns the grid of the result that becomes an output. A rounding to the type of the output
// is the last, of which the verdict knows.
func (e eager) last(output string) arithmetic.Grid {
	return e.beside(e.c.Recording.Type("out." + output))
}

// beside returns the grid of a result that is rounded to t as well: none, if that is its type.
func (e eager) beside(t dtype.Type) arithmetic.Grid {
	g := e.place()
	if e.typ == t {
		return arithmetic.Grid{}
	}
	return g
}

// power is an exponential, whose result is rounded once more if the type is narrow.
type power struct {
	arithmetic.Function
	kept arithmetic.Grid
}

func (e eager) power() power { return power{e.Function(e.work, 2), e.narrow()} }

// narrow returns the grid of a result that a function has in working precision.
func (e eager) narrow() arithmetic.Grid { return e.beside(e.work) }

// of returns e^x.
func (p *power) of(x float64) float64 { return p.kept.Round(p.Exp(x)) }

// summation is a sum whose result is an element-wise one.
type summation struct {
	arithmetic.Adder
	kept arithmetic.Grid
}

func (e eager) summation() summation { return summation{e.Adder(e.sums), e.narrow()} }

// of adds up terms.
func (t *summation) of(terms []float64) float64 { return t.kept.Round(t.Sum(terms)) }

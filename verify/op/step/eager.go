package step

import (
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
)

// Eager makes the places of scalar work: differences, exponentials, products. The result of each is
// rounded to one type, as eager frameworks do with narrow tensors; what is inside of an
// exponential, a logarithm or a sum keeps working precision.
type Eager struct {
	*arithmetic.Run
	Case *op.Case
	Work dtype.Type // working precision
	typ  dtype.Type // of results
	sums arithmetic.Accumulator
}

// NewEager returns the scalar work of a run, its results of the intermediate type where one is
// declared.
func NewEager(c *op.Case, r *arithmetic.Run) Eager {
	return Eager{
		Run: r, Case: c, Work: c.Arithmetic.Accumulate.Working(), typ: ResultType(c), sums: c.Arithmetic.Accumulate,
	}
}

// ResultType returns the type of results: the intermediate one, or where none is declared that of
// working precision.
func ResultType(c *op.Case) dtype.Type {
	if t := c.Arithmetic.Intermediate; t != dtype.Invalid {
		return t
	}
	return c.Arithmetic.Accumulate.Working()
}

// Place returns the grid of a place.
func (e Eager) Place() arithmetic.Grid { return e.Grid(e.typ) }

// Constant returns an attribute as a kernel holds it.
func (e Eager) Constant(x float64) float64 {
	g := e.Place()
	return g.Round(x)
}

// Inside returns the grid of a place within a function, which has working precision.
func (e Eager) Inside() arithmetic.Grid { return e.Grid(e.Work) }

// Last returns the grid of the result that becomes an output. A rounding to the type of the output
// is the last, of which the verdict knows.
func (e Eager) Last(output string) arithmetic.Grid {
	return e.Beside(e.Case.Recording.Type("out." + output))
}

// Beside returns the grid of a result that is rounded to t as well: none, if that is its type.
func (e Eager) Beside(t dtype.Type) arithmetic.Grid {
	g := e.Place()
	if e.typ == t {
		return arithmetic.Grid{}
	}
	return g
}

// Power is an exponential, whose result is rounded once more if the type is narrow.
type Power struct {
	arithmetic.Function
	kept arithmetic.Grid
}

// Power returns a place of exponentials.
func (e Eager) Power() Power { return Power{e.Function(e.Work, 2), e.Narrow()} }

// Narrow returns the grid of a result that a function has in working precision.
func (e Eager) Narrow() arithmetic.Grid { return e.Beside(e.Work) }

// Of returns e^x.
func (p *Power) Of(x float64) float64 { return p.kept.Round(p.Exp(x)) }

// Summation is a sum whose result is an element-wise one.
type Summation struct {
	arithmetic.Adder
	kept arithmetic.Grid
}

// Summation returns a place of sums.
func (e Eager) Summation() Summation { return Summation{e.Adder(e.sums), e.Narrow()} }

// Of adds up terms.
func (t *Summation) Of(terms []float64) float64 { return t.kept.Round(t.Sum(terms)) }

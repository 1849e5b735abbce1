package step

import (
	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
)

// ExpKey says how good exponentials are.
var ExpKey = op.Key{
	Name: "exp", Default: "exact",
	Doc: "exponentials: exact, good to 2 ulp as ex2.approx is, or approx, as __expf, good to 4; of rounded x·log₂e",
}

// Exponential returns a place of exponentials as good as the recording says.
func Exponential(c *op.Case, r *arithmetic.Run) arithmetic.Function {
	ulp := 2.0
	if c.Arithmetic.Exp == "approx" {
		ulp = 4
	}
	return r.Function(c.Arithmetic.Accumulate.Working(), ulp)
}

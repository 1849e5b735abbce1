package step

import (
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
)

// AngleVariance returns the mean square of what runs err by in the angle of a pair at a position.
func AngleVariance(c *op.Case, dim int, position float64, pair int) (variance float64) {
	const runs = 64
	exact := angle(c, arithmetic.NewExact(), dim, position, pair)
	for k := range runs {
		d := angle(c, arithmetic.NewRun(k+1), dim, position, pair) - exact
		variance += d * d / runs
	}
	return variance
}

func angle(c *op.Case, r *arithmetic.Run, dim int, position float64, pair int) float64 {
	return NewRotation(c, r, dim, dtype.F32, dtype.F32, dtype.F32).angles(position)[pair]
}

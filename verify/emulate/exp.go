package emulate

import (
	"math"

	"plumbline/numbers/dtype"
)

// Exponential returns e^x as the configuration has exponentials.
func Exponential[T Number](j *Job, x T) T {
	if j.FastExp {
		return T(FastExp(float32(x)))
	}
	y := T(math.Exp(float64(x)))
	if j.Base2 {
		y = T(math.Exp2(float64(T(x * T(math.Log2E)))))
	}
	if j.Approximate && dtype.Finite(y) {
		y *= 1 + T(Wobble(float64(x))*0x1p-22)
	}
	return y
}

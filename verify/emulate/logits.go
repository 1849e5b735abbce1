package emulate

import (
	"math"
	"math/bits"
	"slices"
)

// Mistakes that every softmax over a vocabulary may make.

// OfLogits returns e^x of a logit less the largest; by mistake 2^x, where x was not multiplied by
// log₂ e.
func OfLogits[T Number](j *Job, x T) T {
	if j.Makes("exponentials-to-base-two") {
		j.Show(x != 0)
		x *= math.Ln2
	}
	return Exponential(j, x)
}

// LogOfSum returns the logarithm of a sum of exponentials; by mistake to base 2.
func LogOfSum[T Number](j *Job, sum T) T {
	if j.Makes("logarithm-to-base-two") {
		j.Show(sum != 1)
		return T(math.Log2(float64(sum)))
	}
	return T(math.Log(float64(sum)))
}

// Padded returns logits with as many zeros behind them as a mistake pads them with, which show
// where no logit is far above them.
func Padded[T Number](j *Job, x []T, zeros int) []T {
	j.Show(zeros > 0 && slices.Max(x) < 12)
	return append(slices.Clone(x), make([]T, zeros)...)
}

// ToPowerOfTwo is how many are missing from n to the next power of two.
func ToPowerOfTwo(n int) int { return 1<<bits.Len(uint(n-1)) - n }

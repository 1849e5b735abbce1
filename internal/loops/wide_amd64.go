package loops

import (
	"math"
	"unsafe"

	"golang.org/x/sys/cpu"
)

// wide tells whether the processor takes eight numbers at a time.
var wide = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ

// group is how many numbers are taken one by one where some of them are not ordinary.
var group = func() int {
	if wide {
		return 8
	}
	return math.MaxInt32
}()

// whole returns how many of n numbers are in groups, 0 on processors without.
func whole(n int) int {
	if wide {
		return n &^ 7
	}
	return 0
}

// Round rounds x in place up to the first group in which a number is not ordinary, and returns how
// many that are.
func (r *Rounding) Round(x []float64) int {
	if n := whole(len(x)); n > 0 {
		return roundAVX512(&x[0], n, (*uint64)(unsafe.Pointer(r)))
	}
	return 0
}

// Sums adds up eight lists of equally many terms side by side, from term first on and then each
// stride terms later, around the end; a sum is rounded after each term, to float32 whatever the
// bits say, and is 0 below Tiny. It is not done where a sum is not finite, and where the processor
// takes one number at a time.
func (r *Rounding) Sums(lists *[8][]float64, first, stride int) (sums [8]float64, done bool) {
	n := len(lists[0])
	if !wide || n == 0 {
		return sums, false
	}
	var addresses [8]*float64
	for i, terms := range lists {
		addresses[i] = &terms[:n][0]
	}
	sumsAVX512(
		&sums[0], (*uint64)(unsafe.Pointer(&addresses)), n, first, stride, (*uint64)(unsafe.Pointer(r)),
	)
	for _, sum := range sums {
		if !(math.Abs(sum) <= math.MaxFloat64) {
			return sums, false
		}
	}
	return sums, true
}

// Err makes y err, which is a function of x, up to the first group in which a number is not
// ordinary, and returns how many that are.
func (w *Wave) Err(y, x []float64) int {
	if n := whole(len(x)); n > 0 {
		y = y[:n]
		return wavesAVX512(&y[0], &x[0], n, (*uint64)(unsafe.Pointer(w)))
	}
	return 0
}

// AddTo stores sums with what they err by up to the first group in which a number is not ordinary,
// and returns how many that are.
func (e *Noise) AddTo(to, sums, apart, together []float64) int {
	if n := whole(len(to)); n > 0 {
		sums, apart, together = sums[:n], apart[:n], together[:n]
		return noiseAVX512(&to[0], &sums[0], &apart[0], &together[0], n, (*uint64)(unsafe.Pointer(e)),
			(*uint64)(unsafe.Pointer(&noise)))
	}
	return 0
}

// WidenBF16 decodes little-endian BF16 codes, as many as fill groups, and returns how many that
// are.
func WidenBF16(dst []float64, src []byte) int {
	n := whole(len(dst))
	if n > 0 {
		src = src[:2*n]
		widenBF16AVX512(&dst[0], &src[0], n)
	}
	return n
}

// WidenF32 is WidenBF16 for float32 numbers.
func WidenF32(dst []float64, src []byte) int {
	n := whole(len(dst))
	if n > 0 {
		src = src[:4*n]
		widenF32AVX512(&dst[0], &src[0], n)
	}
	return n
}

// powers is PowersOfTwo up to the first group in which a number is not ordinary.
func powers(x []float64) int {
	if n := whole(len(x)); n > 0 {
		return powersAVX512(&x[0], n, (*uint64)(unsafe.Pointer(&powersOfTwo)))
	}
	return 0
}

package emulate

import (
	"testing"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
)

func TestTensorSumsGoInStepsOfSixteen(t *testing.T) {
	hopper := core(arithmetic.F32Hopper, dtype.BF16)
	// 1 at the end of the first step; then sixteen 2^-26, each lost beside the accumulator; in the
	// first step they would be whole.
	small := repeat(0x1p-26, 16)
	a := append(append(repeat(0, 15), 1), small...)
	if got := tensorDot(&hopper, a, repeat(1, 32)); got != 1 {
		t.Errorf("dot is %v, want 1", got)
	}
	b := append(append([]float64{}, small...), append(repeat(0, 15), 1)...)
	if got := tensorDot(&hopper, b, repeat(1, 32)); got != 1+0x1p-22 {
		t.Errorf("dot is %v, want 1 + 2^-22", got)
	}
	out := []float64{1}
	rows := make([][]float64, 32)
	for i := range rows {
		rows[i] = []float64{0x1p-25}
	}
	tensorCombine(&hopper, out, repeat(1, 32), rows)
	if out[0] != 1+0x1p-20 {
		t.Errorf("combine is %v, want 1 + 2^-20", out[0])
	}
}

func repeat(x float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = x
	}
	return out
}

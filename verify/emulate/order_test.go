package emulate

import (
	"math"
	"testing"

	"plumbline/numbers/dtype"
)

func sums[T Number](c Config) *Summer[T] { return NewSummer[T](&c, dtype.BF16) }

func TestEveryOrderSumsEverything(t *testing.T) {
	for _, order := range []Order{Sequential, Reversed, Pairwise, Strided, Shuffled} {
		for n := range 70 {
			s := sums[float32](Config{Order: order, Seed: 5})
			a, b := make([]float32, n), make([]float32, n)
			rows := make([][]float32, n)
			var want float32
			for i := range n {
				a[i], b[i] = float32(i+1), float32(3-i)
				rows[i] = []float32{b[i], 1}
				want += a[i] * b[i]
			}
			if got := s.Dot(a, b); got != want {
				t.Errorf("%v: dot of %d terms is %v, want %v", order, n, got, want)
			}
			out := []float32{7, 0}
			s.Combine(out, a, rows)
			if out[0] != want+7 || out[1] != float32(n*(n+1)/2) {
				t.Errorf("%v: combination of %d rows is %v, want %v and %v", order, n, out, want+7, n*(n+1)/2)
			}
			if got := s.Sum(a); got != float32(n*(n+1)/2) {
				t.Errorf("%v: sum of %d terms is %v", order, n, got)
			}
		}
	}
}

// 2^24 takes no more ones in float32: what becomes of them tells the order.
func TestOrdersRoundDifferently(t *testing.T) {
	a := make([]float32, 65)
	for i := range a {
		a[i] = 1
	}
	a[0] = 0x1p24
	for order, want := range map[Order]float32{
		Sequential: 0x1p24,      // every one is lost
		Reversed:   0x1p24 + 64, // the ones come first
		// three are lost in the first leaf of four, 61 remain, and 2^24 + 61 goes to the even
		// neighbour
		Pairwise: 0x1p24 + 60,
		Strided:  0x1p24 + 62, // the first lane loses its other two, 62 remain in the others
	} {
		if got := sums[float32](Config{Order: order}).Sum(a); got != want {
			t.Errorf("%v: 2^24 + %v, want 2^24 + %v", order, got-0x1p24, want-0x1p24)
		}
	}
}

func TestFusedRoundsOnce(t *testing.T) {
	x := float32(1 + 0x1p-12) // x² = 1 + 2^-11 + 2^-24
	a, b := []float32{1, x}, []float32{-1, x}
	if got := sums[float32](Config{}).Dot(a, b); got != 0x1p-11 {
		t.Errorf("apart: %v, want 2^-11", got)
	}
	if got := sums[float32](Config{Fused: true}).Dot(a, b); got != 0x1p-11+0x1p-24 {
		t.Errorf("fused: %v, want 2^-11 + 2^-24", got)
	}
}

func TestNarrowSumsStick(t *testing.T) {
	s := sums[float32](Config{Accumulate: 0})
	s.Narrow(dtype.BF16)
	ones := make([]float32, 300)
	for i := range ones {
		ones[i] = 1
	}
	if got := s.Sum(ones); got != 256 { // 257 is a tie that goes to the even 256
		t.Errorf("300 ones are %v in BF16, want 256", got)
	}
}

func TestTruncated(t *testing.T) {
	for _, x := range []float64{1, 1 + 0x1p-9, 1 + 0x1p-7, 2 - 0x1p-20, -1.999, 3e-40, -65504.9, 0} {
		for _, typ := range []dtype.Type{dtype.BF16, dtype.F16, dtype.F32} {
			got := typ.Truncate(x)
			if typ.Round(got) != got || math.Abs(got) > math.Abs(x) || math.Abs(x)-math.Abs(got) >= typ.Spacing(got) {
				t.Errorf("%v truncated to %v is %v", x, typ, got)
			}
		}
	}
}

package arithmetic

import (
	"math"
	"testing"

	"plumbline/numbers/dtype"
)

func TestHopperStep(t *testing.T) {
	bf16 := mustCore(F32Hopper, dtype.BF16, dtype.F32)
	cases := []struct {
		name      string
		acc       float64
		a, b      []float64
		want      float64
		subnormal bool
	}{
		{name: "nothing is nothing", want: 0},
		{name: "small products are exact", acc: 1, a: []float64{2, 3}, b: []float64{5, -1}, want: 8},
		// emax = 0: 2^-25 is the last bit that counts; eight of them make 2^-22, which float32
		// keeps.
		{name: "the twenty-fifth bit counts", acc: 1, a: repeat(0x1p-25, 8), b: repeat(1, 8), want: 1 + 0x1p-22},
		{name: "the twenty-sixth does not", acc: 1, a: repeat(0x1p-26, 16), b: repeat(1, 16), want: 1},
		// Truncation of each term is toward zero: −2^-26 vanishes rather than taking a unit away.
		{name: "truncation is toward zero", acc: 1, a: repeat(-0x1p-26, 16), b: repeat(1, 16), want: 1},
		// The sum 1 + 3·2^-25 lies between float32's 1 and 1 + 2^-23; the result is cut off, as is
		// 1 + 7·2^-25 = 1 + 2^-23 + 3·2^-25.
		{name: "the result is truncated", acc: 1, a: repeat(0x1p-25, 3), b: repeat(1, 3), want: 1},
		{name: "the result is not rounded up", acc: 1, a: repeat(0x1p-25, 7), b: repeat(1, 7), want: 1 + 0x1p-23},
		// −1 + 2^-25 = −(1 − 2^-25) has 25 significant bits; toward zero leaves 1 − 2^-24.
		{name: "negative results too", acc: -1, a: []float64{0x1p-25}, b: []float64{1}, want: -(1 - 0x1p-24)},
		// 1.5·1.5 = 2.25 counts as 2⁰, so that 2^-25 still does: 2.25 + 16·… needs 2^-22 to show in
		// float32.
		{
			name: "a product's exponent is the sum of its operands'", a: append(repeat(0x1p-25, 8), 1.5),
			b: append(repeat(1, 8), 1.5), want: 2.25 + 0x1p-22,
		},
		{
			name: "twice that product drops it", a: append(repeat(0x1p-25, 8), 3), b: append(repeat(1, 8), 1.5),
			want: 4.5,
		},
		// FTTN's cancellation: the accumulator sets the scale although it cancels.
		{
			name: "what cancels has cost its bits", acc: 0x1p30, a: []float64{-0x1p15, 1.25}, b: []float64{0x1p15, 1},
			want: 0,
		},
		{name: "infinity stays", acc: 0, a: []float64{math.Inf(1), 1}, b: []float64{1, 1}, want: math.Inf(1)},
	}
	for _, c := range cases {
		if got := bf16.Step(c.acc, c.a, c.b); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	if got := bf16.Step(0, []float64{math.Inf(1), math.Inf(-1)}, []float64{1, 1}); !math.IsNaN(got) {
		t.Errorf("∞ − ∞ is %v, want NaN", got)
	}
}

// A subnormal f16 operand counts with exponent −14, so that a product with it costs bits that its
// value would not.
func TestHopperCountsSubnormalsWithTheSmallestExponent(t *testing.T) {
	a, b := []float64{0x1p-24, 0x1p-14}, []float64{0x1p15, 0x1p-14}
	// The first product is 2^-9 at exponent 1; the second, 2^-28, lies below 2^-24.
	f16, bf16 := mustCore(F32Hopper, dtype.F16, dtype.F32), mustCore(F32Hopper, dtype.BF16, dtype.F32)
	if got := f16.Step(0, a, b); got != 0x1p-9 {
		t.Errorf("f16: %v, want 2^-9", got)
	}
	if got := bf16.Step(0, a, b); got != 0x1p-9+0x1p-28 {
		t.Errorf("bf16: %v, want 2^-9 + 2^-28", got)
	}
}

// Below 2⁻¹²⁶ nothing lowers the scale: sixteen times 2⁻¹⁵² would be 2⁻¹⁴⁸, but each is cut off at
// 2⁻¹⁵¹.
func TestSmallTermsAreAlignedToTheSmallestExponent(t *testing.T) {
	core := mustCore(F32Hopper, dtype.BF16, dtype.F32)
	if got := core.Step(0, repeat(0x1p-76, 16), repeat(0x1p-76, 16)); got != 0 {
		t.Errorf("16·2⁻¹⁵² is %v, want 0", got)
	}
	if got := core.Step(0, repeat(0x1p-76, 16), repeat(0x1p-75, 16)); got != 0x1p-147 {
		t.Errorf("16·2⁻¹⁵¹ is %v, want 2⁻¹⁴⁷", got)
	}
}

// TestDevices has the rows of the table at TensorCore once more, as data.
func TestDevices(t *testing.T) {
	const f16, bf16, tf32, e4m3, e5m2 = dtype.F16, dtype.BF16, dtype.F32, dtype.F8E4M3, dtype.F8E5M2
	rows := 0
	for _, c := range []struct {
		devices  []Accumulator
		operands []dtype.Type
		want     TensorCore
	}{
		{
			[]Accumulator{F32Hopper, F32Blackwell}, []dtype.Type{f16, bf16},
			TensorCore{Products: 16, Fraction: 25, Result: dtype.F32, Kept: 23},
		},
		{
			[]Accumulator{F32Hopper, F32Blackwell}, []dtype.Type{tf32},
			TensorCore{Products: 8, Fraction: 25, Result: dtype.F32, Kept: 23},
		},
		{
			[]Accumulator{F32Ampere, F32Ada}, []dtype.Type{f16, bf16},
			TensorCore{Products: 8, Fraction: 24, Result: dtype.F32, Kept: 23},
		},
		{
			[]Accumulator{F32Ampere, F32Ada}, []dtype.Type{tf32},
			TensorCore{Products: 4, Fraction: 24, Result: dtype.F32, Kept: 23},
		},
		{
			[]Accumulator{F32Volta}, []dtype.Type{f16},
			TensorCore{Products: 4, Fraction: 23, Result: dtype.F32, Kept: 23},
		},
		{
			[]Accumulator{F32Hopper}, []dtype.Type{e4m3, e5m2},
			TensorCore{Products: 32, Fraction: 13, Result: dtype.F32, Kept: 13},
		},
		{
			[]Accumulator{F32Ada}, []dtype.Type{e4m3, e5m2},
			TensorCore{Products: 16, Fraction: 13, Result: dtype.F32, Kept: 13},
		},
		{
			[]Accumulator{F32Blackwell}, []dtype.Type{e4m3, e5m2},
			TensorCore{Products: 32, Fraction: 25, Result: dtype.F32, Kept: 23, Late: 32},
		},
		{
			[]Accumulator{F32Hopper, F32Blackwell}, []dtype.Type{f16},
			TensorCore{Products: 16, Fraction: 25, Result: f16},
		},
		{[]Accumulator{F32Ampere, F32Ada}, []dtype.Type{f16}, TensorCore{Products: 8, Fraction: 24, Result: f16}},
		{[]Accumulator{F32Volta}, []dtype.Type{f16}, TensorCore{Products: 4, Fraction: 23, Result: f16}},
		{[]Accumulator{F32Ada}, []dtype.Type{e4m3, e5m2}, TensorCore{Products: 16, Fraction: 13, Result: f16}},
		{
			[]Accumulator{F32Hopper, F32Blackwell}, []dtype.Type{e4m3, e5m2},
			TensorCore{Products: 16, Fraction: 25, Result: f16, Late: 32, Paired: true},
		},
	} {
		for _, a := range c.devices {
			for _, operands := range c.operands {
				got := mustCore(a, operands, c.want.Result)
				got.lowest, got.bits = 0, 0
				if c.want.Result == f16 {
					got.Kept = 0 // means nothing
				}
				if rows++; got != c.want {
					t.Errorf("%v of %v: %+v, want %+v", a, operands, got, c.want)
				}
			}
		}
	}
	everyCore(t, func(*testing.T, TensorCore, dtype.Type) { rows-- })
	if rows != 0 {
		t.Errorf("%d rows more here than there", rows)
	}
}

func repeat(x float64, n int) []float64 {
	r := make([]float64, n)
	for i := range r {
		r[i] = x
	}
	return r
}

func mustCore(a Accumulator, operands, result dtype.Type) TensorCore {
	t, err := a.TensorCore(operands, result)
	if err != nil {
		panic(err)
	}
	return t
}

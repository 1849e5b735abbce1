package loops

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// numbers are of all sizes, with some that are special, so many that groups of 8 do not fit.
func numbers(rng *rand.Rand) []float64 {
	x := make([]float64, 4003)
	for i := range x {
		x[i] = rng.NormFloat64() * math.Exp2(float64(rng.IntN(40)-30))
		if rng.IntN(50) == 0 {
			x[i] = float64(float32(x[i]))
		}
	}
	special := []float64{
		0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64, 5e-324, 1e-310, 1e-45, 1e-38,
		math.MaxFloat32, 1000, -1000, 1e18,
	}
	for i, v := range special {
		x[97*i+13*(i%3)] = v
	}
	return x
}

// sameBits demands the same bits, where a NaN is a NaN.
func sameBits(t *testing.T, what string, x, got, want []float64) {
	t.Helper()
	for i, v := range want {
		if math.Float64bits(got[i]) != math.Float64bits(v) && !(math.IsNaN(got[i]) && math.IsNaN(v)) {
			t.Fatalf("%s: number %d, %v, becomes %v, want %v", what, i, x[i], got[i], v)
		}
	}
}

// TestPowersOfTwo: 2^x is good to 4 ulp of float64, exact for whole numbers, and math's beyond
// 1000.
func TestPowersOfTwo(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	x := numbers(rng)
	for range 200_000 {
		x = append(x, math.Ldexp(2000*(rng.Float64()-0.5), -rng.IntN(2)*rng.IntN(40)))
	}
	got, each := slices.Clone(x), slices.Clone(x)
	PowersOfTwo(got)
	for i, v := range x {
		each[i] = PowerOfTwo(v)
		if want := math.Exp2(v); math.Abs(got[i]-want) > 0x1p-50*want {
			t.Fatalf("2^%v is %v, want %v", v, got[i], want)
		}
	}
	sameBits(t, "eight at a time", x, got, each)
	for n := -1100.0; n <= 1100; n++ {
		if got := PowerOfTwo(n); got != math.Exp2(n) {
			t.Errorf("2^%v is %v", n, got)
		}
	}
}

// roundings are to F32 and to BF16, with a factor and without, with numbers that become 0.
var roundings = []Rounding{
	{1.37, 1 / 1.37, 0x1p-30, 0, 897, 253, 29, 1<<28 - 1, ^uint64(1<<29 - 1)},
	{1, 1, 0x1p-30, 0x1p-126, 897, 253, 29, 1<<28 - 1, ^uint64(1<<29 - 1)},
	{1.93, 1 / 1.93, 0x1p-20, 0x1p-126, 897, 253, 45, 1<<44 - 1, ^uint64(1<<45 - 1)},
}

// one is Rounding's formula; ok is false for what is not ordinary.
func (r *Rounding) one(x float64) (y float64, ok bool) {
	nearest := func(x float64) (float64, bool) {
		b := math.Float64bits(x)
		return math.Float64frombits((b + r.Half + b>>r.Drop&1) & r.Keep), b>>52&0x7FF-r.First < r.Count
	}
	near, normal := nearest(x)
	y, ok = nearest(x * r.Stretch)
	if y *= r.Inverse; math.Abs(near-x) <= r.Noise*math.Abs(x) {
		y = near
	}
	return y, ok && normal && math.Abs(y) >= r.Tiny
}

// TestGroups: what is done eight at a time has the bits of the formulas, and ends before a group
// with a number that is not ordinary.
func TestGroups(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, r := range roundings {
		x := numbers(rng)
		checkGroups(t, "Round", x, r.Round, r.one)
	}
	w := Wave{Frequency: 1234.5, Phase: 0.3, Amplitude: 0x1p-22, Steep: 1 << 20}
	checkGroups(t, "Err", numbers(rng), func(x []float64) int { return w.Err(x, slices.Clone(x)) },
		func(x float64) (float64, bool) {
			turn := float64(x*w.Frequency) + w.Phase
			wave := 4*math.Abs(turn-math.Floor(turn)-0.5) - 1
			near := min(1, w.Steep*math.Abs(x))
			return x * (1 + float64(near*w.Amplitude*wave)), math.Abs(x) <= math.MaxFloat64
		})
	e := Noise{Sizes: [8]float64{1, 2, 3, 4, 5, 6, 7, 8}, Seed: 77, Common: -0.7}
	checkGroups(t, "AddTo", numbers(rng), func(x []float64) int {
		return e.AddTo(x, x, slices.Repeat([]float64{0.25}, len(x)), slices.Repeat([]float64{0.125}, len(x)))
	}, func(x float64) (float64, bool) {
		h := Mix(uint64(math.Float32bits(float32(x))) ^ e.Seed)
		err := float64(math.Copysign(0.125, x)*e.Common) + float64(Bell(h)*0.25*e.Sizes[(h>>7^h)%8])
		return x + err, x != 0 && math.Abs(x) <= math.MaxFloat64
	})
}

// checkGroups compares a loop with a formula, from wherever it goes on after it has ended.
func checkGroups(
	t *testing.T, name string, x []float64, groups func([]float64) int, one func(float64) (float64, bool),
) {
	t.Helper()
	got, want := slices.Clone(x), slices.Clone(x)
	odd := func(v float64) bool { _, ok := one(v); return !ok }
	for i := 0; i < len(x) && group < len(x); i += min(group, len(x)-i) {
		n := groups(got[i:])
		for ; n > 0; n, i = n-1, i+1 {
			y, ok := one(x[i])
			if want[i] = y; !ok {
				t.Fatalf("%s: %v is not ordinary, and was not left", name, x[i])
			}
		}
		if left := x[i:min(i+group, len(x))]; len(left) == group && !slices.ContainsFunc(left, odd) {
			t.Fatalf("%s: ends before number %d, and the next 8 are ordinary", name, i)
		}
	}
	sameBits(t, name, x, got, want)
}

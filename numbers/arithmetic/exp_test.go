package arithmetic

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestPowersOfTwo: 2^x is good to 2 ulp of float64, exact for whole numbers, and math's beyond.
func TestPowersOfTwo(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 200_000 {
		x := 2000 * (rng.Float64() - 0.5)
		if rng.IntN(2) > 0 {
			x = math.Ldexp(x, -rng.IntN(40))
		}
		got, want := exp2(x), math.Exp2(x)
		if math.Abs(got-want) > 0x1p-51*want {
			t.Fatalf("2^%v is %v, want %v", x, got, want)
		}
	}
	for n := -1100.0; n <= 1100; n++ {
		if got := exp2(n); got != math.Exp2(n) {
			t.Errorf("2^%v is %v", n, got)
		}
	}
	if !math.IsNaN(exp2(math.NaN())) || exp2(math.Inf(-1)) != 0 || !math.IsInf(exp2(math.Inf(1)), 1) {
		t.Error("not a number, or infinities")
	}
}

func BenchmarkExp2(b *testing.B) {
	x := samples()
	for i, v := range x {
		x[i] = -20 * math.Abs(v-math.Floor(v))
	}
	var sum float64
	for _, f := range []struct {
		name string
		of   func(float64) float64
	}{{"runs", exp2}, {"math", math.Exp2}, {"math.Exp", math.Exp}} {
		b.Run(f.name, func(b *testing.B) {
			for b.Loop() {
				for _, v := range x {
					sum += f.of(v)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N*len(x)), "ns/power")
		})
	}
}

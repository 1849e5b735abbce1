package exercise

import (
	"math"
	"testing"

	"plumbline/internal/check"
)

func TestApart(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{1, 1, 1}, 0}, {[]float64{1, 3, 2}, 2}, {[]float64{nan, nan}, 0}, {[]float64{nan, 1}, inf},
		{[]float64{1, nan}, inf}, {[]float64{-inf, -inf}, 0}, {[]float64{-inf, 2}, inf},
	} {
		var outputs [][]float64
		for _, v := range c.values {
			outputs = append(outputs, []float64{0, v})
		}
		if got := apart(outputs, 1); got != c.want {
			t.Errorf("%v: apart by %v, want %v", c.values, got, c.want)
		}
	}
	if got := largestOf([][]float64{{-3, nan}, {2, -inf}}); got != 3 {
		t.Errorf("largest %v, want 3", got)
	}
}

// What is asked can be seen: the printed digits of some output differ.
func TestMistakesOfQuizzesShow(t *testing.T) {
	names := []string{"moe.gate"} // whose first mistake of seed 3 nobody would see
	if *check.Long {
		names = Ops()
	}
	for _, name := range names {
		for seed := range uint64(4) {
			q, err := Ask(name, seed)
			if err != nil {
				t.Fatal(err)
			}
			var widest float64
			for _, output := range q.Kernels[0].Outputs() {
				p, err := MostApart(q.Kernels, "out."+output)
				if err != nil {
					t.Fatal(err)
				}
				widest = max(widest, p.Gap)
			}
			if widest < seen {
				t.Errorf("%s, seed %d: the kernels part by %.2g at most", name, seed, widest)
			}
		}
	}
}

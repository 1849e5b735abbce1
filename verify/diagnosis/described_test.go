package diagnosis

import (
	"math"
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

// What stands for an input may be on another scale, or have something added that is known.
func TestTensorsThatAreLinesOfWhatIsKnown(t *testing.T) {
	right := given("ppo.value_loss", func(r *recording.Recording) {
		for i, name := range []string{"values", "old_values", "returns"} {
			random := emulate.NewRand(uint64(i+1), name)
			r.Set(name, dtype.F32, eachOf(tensor.New(2, 14), func(float64) float64 { return random.NormFloat64() }))
		}
		r.Set("mask", dtype.U8, filled(1, 2, 14))
		r.Attrs["clip"] = recording.Number(0.2)
	})
	with := func(name string, of func(x, other float64) float64, other string) *recording.Recording {
		return confused(right, func(r *recording.Recording) {
			x, y := numbersOf(r, name), numbersOf(r, other)
			for i := range x.Data {
				x.Data[i] = of(x.Data[i], y.Data[i])
			}
			r.Set(name, dtype.F64, x)
		})
	}
	wrongs{
		{"a curve", "the kernel takes returns for 0.7 times it taken for its exponential and 0.2 less: explains",
			with("returns", func(x, _ float64) float64 { return 0.7*math.Exp(x) - 0.2 }, "values")},
		{
			"another scale", "the kernel takes old_values for 3.1 times it and 2.4 more: explains everything",
			with("old_values", func(x, _ float64) float64 { return 3.1*x + 2.4 }, "values"),
		},
		{
			"something else", "the kernel takes returns and in addition 0.3 times old_values: explains everything",
			with("returns", func(x, y float64) float64 { return x + 0.3*y }, "old_values"),
		},
	}.check(t)
}

package diagnosis

import (
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// Devices that have other numbers of tokens each may average their means.
func TestMeansOfParts(t *testing.T) {
	right := given("policy.cross_entropy", func(r *recording.Recording) {
		for i, shape := range [][]int{{24, 8}, {12, 8}} {
			recipe := recording.Recipe{Type: dtype.F32, Shape: shape, Dist: "normal", Seed: uint64(i + 1)}
			optest.Must(r.Generate([]string{"hidden", "weight"}[i], recipe))
		}
		targets := tensor.New(24)
		for i := range targets.Data {
			if targets.Data[i] = float64(i * 5 % 12); i%6 > i/6 {
				targets.Data[i] = -100
			}
		}
		r.Set("targets", dtype.I32, targets)
	})
	wrong := withQuantity(right, "the divisor of each token", func(x *tensor.Tensor) *tensor.Tensor {
		y := tensor.New(24)
		for i, d := range x.Data {
			if d != 0 {
				y.Data[i] = float64(4 * (i/6 + 1))
			}
		}
		return y
	})
	wrongs{{"of devices", "the kernel averages the means of 4 parts, each 6 in a row, where one mean is over all " +
		"tokens: explains everything", wrong}}.check(t)
}

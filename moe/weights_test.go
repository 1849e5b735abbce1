package moe

import (
	"testing"

	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"

	"plumbline/internal/check"
)

func TestBiasedScores(t *testing.T) {
	t.Run("no bias adds nothing", func(t *testing.T) {
		check.NearAll(t, "s + b", BiasedScores([]float64{1, 2}, nil), []float64{1, 2}, 0)
	})
	t.Run("a factor of 1 for all is no bias", func(t *testing.T) {
		check.NearAll(t, "s b", BiasedScoresMultiplicative([]float64{.3, .2}, []float64{1, 1}), []float64{.3, .2}, 0)
	})
	t.Run("added and multiplied bias choose otherwise", func(t *testing.T) {
		// Of scores .1 and .4 a bias that doubles the first one's weight on either way.
		same(t, "added", TopK(BiasedScores([]float64{.1, .4}, []float64{.4, 0}), 1), []int{0})
		same(t, "multiplied", TopK(BiasedScoresMultiplicative([]float64{.1, .4}, []float64{2, 1}), 1), []int{1})
	})
	t.Run("a bias of another length is refused", func(t *testing.T) {
		check.Panics(t, "moe: lengths of scores and bias differ", func() {
			BiasedScores([]float64{1}, []float64{1, 2})
		})
	})
}

func TestGateValues(t *testing.T) {
	t.Run("they are the scores of the chosen, in their order", func(t *testing.T) {
		check.NearAll(t, "g", GateValues([]float64{.1, .2, .3}, []int{2, 0}), []float64{.3, .1}, 0)
	})
	t.Run("they do not sum to 1", func(t *testing.T) {
		// 2 of 4 equal shares.
		check.Near(t, "Σg", floats.Sum(GateValues(SoftmaxScores(make([]float64, 4)), []int{0, 1})), 0.5, 0)
	})
}

func TestNormalizeWeights(t *testing.T) {
	t.Run("weights that are equal become 1/K, to the bit", func(t *testing.T) {
		check.NearAll(t, "g", NormalizeWeights([]float64{.5, .5, .5, .5}, 0), []float64{.25, .25, .25, .25}, 0)
	})
	t.Run("they sum to 1", rapid.MakeCheck(func(t *rapid.T) {
		w := rapid.SliceOfN(rapid.Float64Range(1e-9, 1), 1, 9).Draw(t, "g′")
		check.Near(t, "Σg", floats.Sum(NormalizeWeights(w, 0)), 1, 4*u*float64(len(w)))
	}))
	t.Run("a factor on all of them goes, to the bit for powers of two", func(t *testing.T) {
		w := []float64{.3, .1, .7}
		check.NearAll(t, "g", NormalizeWeights(ScaleWeights(w, 1./8), 0), NormalizeWeights(w, 0), 0)
	})
	t.Run("ε in the sum takes its part; beside the quotient it would be another weight", func(t *testing.T) {
		// 1/(2+2), and not 1/2 + 2.
		check.NearAll(t, "g", NormalizeWeights([]float64{1, 1}, 2), []float64{.25, .25}, 0)
	})
	t.Run("ε of 1e-20 shows only where the sum is next to nothing", func(t *testing.T) {
		check.NearAll(t, "g", NormalizeWeights([]float64{.1, .3}, 1e-20), NormalizeWeights([]float64{.1, .3}, 0), 0)
		check.NearAll(t, "g", NormalizeWeights([]float64{0, 0}, 1e-20), []float64{0, 0}, 0)
		check.NaN(t, "g", NormalizeWeights([]float64{0, 0}, 0)...)
	})
}

func TestNormalizeWeightsFloor(t *testing.T) {
	t.Run("above the floor there is no ε", func(t *testing.T) {
		check.NearAll(t, "g", NormalizeWeightsFloor([]float64{1, 1}, 2), []float64{.5, .5}, 0)
	})
	t.Run("at a sum of ε the two conventions are a factor of two apart", func(t *testing.T) {
		check.NearAll(t, "max", NormalizeWeightsFloor([]float64{0x1p-60}, 0x1p-60), []float64{1}, 0)
		check.NearAll(t, "sum", NormalizeWeights([]float64{0x1p-60}, 0x1p-60), []float64{.5}, 0)
	})
}

func TestNormalizeWeightsBackward(t *testing.T) {
	w, d := []float64{.3, .9, .5}, check.Random(1, 3, 1)
	for name, eps := range map[string]float64{"without ε": 0, "with ε": 0.25} {
		t.Run("it is the slope of NormalizeWeights, "+name, func(t *testing.T) {
			want := check.Gradient(func(w []float64) float64 { return floats.Dot(d, NormalizeWeights(w, eps)) }, w)
			check.NearAll(t, "dg′", NormalizeWeightsBackward(w, eps, d), want, check.DifferenceBound(20, 100))
		})
	}
	t.Run("without ε nothing moves along the weights themselves", func(t *testing.T) {
		// Their common factor goes: g′·dg′ = Σ g (dg − Σ g dg) = 0.
		check.Near(t, "g′·dg′", floats.Dot(w, NormalizeWeightsBackward(w, 0, d)), 0, 20*u)
	})
}

func TestScaleWeights(t *testing.T) {
	t.Run("DeepSeek-V3's eight equal weights are 0.3125 each", func(t *testing.T) {
		w := ScaleWeights(NormalizeWeights([]float64{.5, .5, .5, .5, .5, .5, .5, .5}, 0), 2.5)
		check.NearAll(t, "g", w, []float64{.3125, .3125, .3125, .3125, .3125, .3125, .3125, .3125}, 0)
	})
	t.Run("before the normalisation the factor would be lost", func(t *testing.T) {
		check.NearAll(t, "g", NormalizeWeights(ScaleWeights([]float64{.5, .5}, 2.5), 0), []float64{.5, .5}, 0)
	})
}

package moe

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/internal/check"
)

func TestNoisyLogits(t *testing.T) {
	t.Run("without noise they are the logits", func(t *testing.T) {
		check.NearAll(t, "H", NoisyLogits([]float64{1, 2}, []float64{3, 4}, []float64{0, 0}), []float64{1, 2}, 0)
	})
	t.Run("W_noise = 0 still has noise of standard deviation log 2", func(t *testing.T) {
		check.Near(t, "H", NoisyLogits([]float64{0}, []float64{0}, []float64{1})[0], math.Ln2, u)
		check.Near(t, "log 2", math.Ln2, 0.6931, 5e-5)
	})
}

func TestTopKSoftmax(t *testing.T) {
	t.Run("all of n is the dense gate", func(t *testing.T) {
		z := check.Random(1, 6, 3)
		check.NearAll(t, "G", TopKSoftmax(z, 6), SoftmaxScores(z), 0)
	})
	t.Run("others than the k highest have weight 0, exactly", func(t *testing.T) {
		inf := math.Inf(1)
		check.NearAll(t, "KeepTopK", KeepTopK([]float64{1, 3, 2}, 2), []float64{-inf, 3, 2}, 0)
		check.NearAll(t, "G", TopKSoftmax([]float64{1, 3, 3}, 2), []float64{0, .5, .5}, 0)
	})
	t.Run("it is the softmax over all, normalised over the chosen", rapid.MakeCheck(func(t *rapid.T) {
		z := check.Random(rapid.Uint64().Draw(t, "seed"), 8, 10)
		chosen := TopK(z, 3)
		check.NearAll(t, "G", GateValues(TopKSoftmax(z, 3), chosen),
			NormalizeWeights(GateValues(SoftmaxScores(z), chosen), 0), 50*u)
	}))
}

func TestSquaredVariation(t *testing.T) {
	t.Run("it is 0 where all are the same", func(t *testing.T) {
		check.Near(t, "CV²", SquaredVariation([]float64{3, 3, 3}), 0, 0)
	})
	t.Run("it is n − 1 where one has all", func(t *testing.T) {
		// With mean 1: ((n−1)² + (n−1)·1)/n = n − 1.
		check.Near(t, "CV²", SquaredVariation([]float64{0, 8, 0, 0, 0, 0, 0, 0}), 7, 0)
	})
	t.Run("a factor on all does not show", func(t *testing.T) {
		check.Near(t, "CV²", SquaredVariation([]float64{2, 4, 12}), SquaredVariation([]float64{1, 2, 6}), 0)
	})
	t.Run("its gradient is the slope", func(t *testing.T) {
		x := []float64{1, 2, 6, 4}
		check.NearAll(t, "dx", SquaredVariationBackward(x), check.Gradient(SquaredVariation, x),
			check.DifferenceBound(20, 100))
	})
	t.Run("along x itself it has no slope", func(t *testing.T) {
		x := []float64{1, 2, 6, 4}
		check.Near(t, "x·dx", floats.Dot(x, SquaredVariationBackward(x)), 0, 40*u)
	})
}

func TestImportanceLoss(t *testing.T) {
	gates := mat.NewDense(2, 3, []float64{.5, .5, 0, 0, .25, .75})
	t.Run("importance is what an expert weighs in all, not how often it is chosen", func(t *testing.T) {
		check.NearAll(t, "importance", Importance(gates), []float64{.5, .75, .75}, 0)
		same(t, "loads", Loads([][]int{{0, 1}, {1, 2}}, 3), []int{1, 2, 1})
	})
	t.Run("even importance costs nothing", func(t *testing.T) {
		check.Near(t, "L", ImportanceLoss(mat.NewDense(2, 2, []float64{.25, .75, .75, .25}), 0.1), 0, 0)
	})
	t.Run("all on one of n costs w (n − 1)", func(t *testing.T) {
		check.Near(t, "L", ImportanceLoss(mat.NewDense(2, 4, []float64{0, 1, 0, 0, 0, 1, 0, 0}), 0.5), 1.5, 0)
	})
}

func TestSmoothLoad(t *testing.T) {
	t.Run("what an expert has to be above is the k-th of the others", func(t *testing.T) {
		h := []float64{4, 3, 2, 1}
		for i, want := range []float64{2, 2, 3, 3} {
			check.Near(t, "kth", KthExcluding(h, 2, i), want, 0)
		}
		check.Near(t, "kth of none", KthExcluding(h, 4, 0), math.Inf(-1), 0)
	})
	t.Run("as high as what it has to be above, it has one half", func(t *testing.T) {
		check.Near(t, "P", ChosenProbability([]float64{1, 1}, []float64{0, 0}, []float64{0, 0}, 1, 0), 0.5, 0)
	})
	t.Run("one standard deviation above, it has Φ(1) = 0.8413", func(t *testing.T) {
		p := ChosenProbability([]float64{math.Ln2, 0}, []float64{0, 0}, []float64{0, 0}, 1, 0)
		check.Near(t, "P", p, 0.8413447460685429, 8*u)
	})
	t.Run("its own noise does not count, that of the others does", func(t *testing.T) {
		p := func(noise ...float64) float64 {
			return ChosenProbability([]float64{1, 0}, []float64{0, 0}, noise, 1, 0)
		}
		check.Near(t, "own", p(9, 0), p(0, 0), 0)
		check.Apart(t, "others", p(0, 1), p(0, 0), 0.1)
	})
	t.Run("all of n are chosen for certain", func(t *testing.T) {
		check.NearAll(
			t, "load", SmoothLoad(random(2, 5, 3), random(3, 5, 3), random(4, 5, 3), 3), []float64{5, 5, 5}, 0,
		)
	})
	t.Run("with next to no noise it is the count", func(t *testing.T) {
		// softplus(−200) = e⁻²⁰⁰.
		z, quiet := random(5, 6, 4), mat.NewDense(6, 4, nil)
		quiet.Apply(func(_, _ int, _ float64) float64 { return -200 }, quiet)
		load := SmoothLoad(z, quiet, random(6, 6, 4), 2)
		for i, c := range Loads(TopKRows(z, 2), 4) {
			check.Near(t, "load", load[i], float64(c), 0)
		}
	})
	t.Run("even loads cost nothing, one for all w (n − 1)", func(t *testing.T) {
		check.Near(t, "L", LoadLoss([]float64{2, 2, 2}, 0.1), 0, 0)
		check.Near(t, "L", LoadLoss([]float64{0, 9, 0}, 0.5), 1, 4*u)
	})
}

package model

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/numbers/tensor"
)

func TestLanguageLoss(t *testing.T) {
	t.Run("logits that are all equal expect each of V tokens alike: log V", func(t *testing.T) {
		for vocabulary, want := range map[int]float64{129280: 11.769735, 102400: 11.536642, 6: math.Log(6)} {
			logits := mat.NewDense(2, vocabulary, nil)
			check.Near(t, "L", LanguageLoss(logits, []int{0, 1, 2}), want, 1e-6)
		}
	})
	t.Run("a token that is sure costs nothing, one that is excluded everything", func(t *testing.T) {
		sure := mat.NewDense(1, 2, []float64{0, math.Inf(-1)})
		check.Near(t, "sure", LanguageLoss(sure, []int{1, 0}), 0, 0)
		check.Near(t, "excluded", LanguageLoss(sure, []int{0, 1}), math.Inf(1), 0)
	})
	// −(log 3/4 + log 1/4)/2 with logits (log 3, 0) in both rows.
	t.Run("it is the mean over the sequence", func(t *testing.T) {
		logits := mat.NewDense(2, 2, []float64{math.Log(3), 0, math.Log(3), 0})
		check.Near(t, "L", LanguageLoss(logits, []int{1, 0, 1}), (math.Log(4.0/3)+math.Log(4))/2, 8*check.U)
	})
	t.Run("LanguageLossBackward is its derivative", func(t *testing.T) {
		logits, tokens := normals(7, 4, 6), []int{0, 2, 5, 2, 1}
		loss := func() float64 { return LanguageLoss(logits, tokens) }
		got := LanguageLossBackward(logits, tokens).RawMatrix().Data
		check.NearAll(t, "dz", got, check.Moved(loss, logits.RawMatrix().Data), check.DifferenceBound(5, 32))
	})
}

func TestLoss(t *testing.T) {
	// Of V equal logits each of the T−k rows of depth k costs log V, and the sum is divided by T.
	t.Run("a model that expects all alike loses log V, and of its modules λ/D Σ (T−k)/T log V", func(t *testing.T) {
		c := small()
		want := math.Log(6) * (1 + 0.3/2*(4.0/5+3.0/5))
		check.Near(t, "L", lossOf(NewWeights(c), c), want, 32*check.U)
	})
	t.Run("without modules it is the main loss, whatever λ", func(t *testing.T) {
		logits := []*mat.Dense{normals(1, 5, 6)}
		check.Near(t, "L", Loss(logits, sentence, 7), LanguageLoss(logits[0], sentence), 0)
	})
	t.Run("LossBackward is its derivative, for all depths", func(t *testing.T) {
		logits := []*mat.Dense{normals(1, 5, 6), normals(2, 4, 6), normals(3, 3, 6)}
		loss := func() float64 { return Loss(logits, sentence, 0.3) }
		for k, d := range LossBackward(logits, sentence, 0.3) {
			want := check.Moved(loss, logits[k].RawMatrix().Data)
			check.NearAll(t, "dz", d.RawMatrix().Data, want, check.DifferenceBound(5, 32))
		}
	})
}

func TestDescend(t *testing.T) {
	c := small()
	// L(θ − η g/|g|) = L(θ) − η|g| + O(η²): the derivative for η at 0 is −|g|.
	t.Run("a small step lowers the loss by its length times that of the gradient", func(t *testing.T) {
		dw := gradientOf(random(c, 1), c)
		var square float64
		dw.Each(func(_ string, d *tensor.Tensor) { square += floats.Dot(d.Data, d.Data) })
		length := math.Sqrt(square)
		got := check.Derivative(func(step float64) float64 {
			w := random(c, 1)
			Descend(w, dw, step/length)
			return lossOf(w, c)
		}, 0)
		check.Near(t, "dL/dη", got, -length, slope)
	})
	t.Run("many steps learn a sentence by heart", func(t *testing.T) {
		w := random(c, 5)
		before := lossOf(w, c)
		for range 100 {
			Descend(w, gradientOf(w, c), 0.1)
		}
		if after := lossOf(w, c); after > before/20 {
			t.Errorf("loss %v, before %v", after, before)
		}
	})
	t.Run("biases of gates stay where they are", func(t *testing.T) {
		w := random(c, 5)
		bias := slices.Clone(w.Blocks[1].Feed.Bias)
		Descend(w, gradientOf(w, c), 0.1)
		check.NearAll(t, "bias", w.Blocks[1].Feed.Bias, bias, 0)
	})
}

package model

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"

	"plumbline/internal/check"
	"plumbline/numbers/tensor"
)

// roundings is what a gradient is made of: some 80 steps one after the other, there and back, each
// of sums of at most 64 products. At random they come to the root of their number, and four times
// that is allowed.
var roundings = 4 * math.Sqrt(80*64)

// What autograd has, in float64, for the loss of the first sequence: of every weight Σ W∘dW and
// |dW|.
func TestAutograd(t *testing.T) {
	w, c := tiny(t)
	file := tensors(t, "gradients")
	tokens := prompt(t, file, 0)
	given := tokens[:len(tokens)-1]
	logits := Forward(given, w, c, nil)
	t.Run("the loss is Hugging Face's, of the main model and with that of its module", func(t *testing.T) {
		want := read(t, file, "loss").Data
		check.Near(t, "loss", Loss(logits, tokens, 0.3), want[0], 64*check.U*want[0])
		check.Near(t, "main loss", LanguageLoss(logits[0], tokens), want[1], 64*check.U*want[1])
	})
	t.Run("so are the gradients of all weights", func(t *testing.T) {
		dw := byName(Backward(given, w, c, LossBackward(logits, tokens, 0.3)))
		w.Each(func(name string, x *tensor.Tensor) {
			if !file.Has(name) { // biases of gates have no gradient
				check.NearAll(t, name, dw[name].Data, make([]float64, len(x.Data)), 0)
				return
			}
			want, d := read(t, file, name).Data, dw[name].Data
			bound := roundings * check.U * want[1]
			check.Near(t, name+", |dW|", floats.Norm(d, 2), want[1], bound)
			check.Near(t, name+", Σ W∘dW", floats.Dot(x.Data, d), want[0], bound*floats.Norm(x.Data, 2))
		})
	})
}

package model

import (
	"math/rand/v2"

	"plumbline/mla"
	"plumbline/moe"
	"plumbline/mtp"
	"plumbline/numbers/tensor"
	"plumbline/rope"
)

// small is a model to be differentiated: a dense layer, one of experts, and two modules; nearly all
// widths differ. An ε of this size keeps third derivatives small where a row is near 0.
func small() Config {
	gate := moe.DeepSeekV3Gate()
	gate.TopK, gate.Groups, gate.TopGroups = 2, 2, 1
	yarn := rope.YaRN{Factor: 40, OriginalContext: 64, BetaFast: 32, BetaSlow: 1, MScale: 1, MScaleAllDim: 0.5}
	return Config{
		Vocabulary: 6, Width: 5, Layers: 2, Dense: 1, Inner: 4, ExpertInner: 2, Experts: 6, SharedExperts: 2,
		QueryLatent: 4, Latent: 3, Depths: 2, Eps: 0.1, Gate: gate, Order: mtp.EmbeddingFirst,
		Attention: mla.Config{
			Heads: 2, NopeDim: 2, RopeDim: 4, ValueDim: 3, Eps: 0.2, Base: 100, Layout: rope.InterleavedToHalf,
			YaRN: &yarn, Causal: true,
		},
	}
}

// sentence is what the small model reads and predicts: five tokens and the one after them, of a
// vocabulary of six.
var sentence = []int{3, 1, 4, 1, 5, 2}

// random returns weights of a model: bells as wide as keeps rows at their size, and weights of
// norms, which are vectors, around 1.
func random(c Config, seed uint64) Weights {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := NewWeights(c)
	w.Each(func(_ string, x *tensor.Tensor) {
		for i := range x.Data {
			x.Data[i] = rng.NormFloat64() / 2
			if len(x.Shape) == 1 {
				x.Data[i] = 1 + x.Data[i]/2
			}
		}
	})
	return w
}

// lossOf returns the loss of a model for the sentence, with λ of 0.3.
func lossOf(w Weights, c Config) float64 {
	return Loss(Forward(sentence[:5], w, c, nil), sentence, 0.3)
}

// gradientOf returns the gradients of lossOf.
func gradientOf(w Weights, c Config) Weights {
	dlogits := LossBackward(Forward(sentence[:5], w, c, nil), sentence, 0.3)
	return Backward(sentence[:5], w, c, dlogits)
}

// byName returns all weights under their names.
func byName(w Weights) map[string]*tensor.Tensor {
	all := map[string]*tensor.Tensor{}
	w.Each(func(name string, x *tensor.Tensor) { all[name] = x })
	return all
}

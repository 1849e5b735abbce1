package grpo

import (
	"math"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/policy"
	"plumbline/ppo"
)

// world is a batch of four outputs to one question, with all that any of the objectives wants to
// know of it.
type world struct {
	logprob, old, ref, mask *mat.Dense
	rewards                 []float64
}

// lengths of the outputs; the longest a batch may have is 6.
var ragged, even, single = []int{2, 6, 3, 5}, []int{6, 6, 6, 6}, []int{1, 1, 1, 1}

// newWorld returns outputs of the given lengths whose policy has drifted from the one that sampled
// by up to drift in each log-probability.
func newWorld(lengths []int, drift float64) world {
	n := len(lengths)
	w := world{
		logprob: mat.NewDense(
			n, 6, check.Random(21, 6*n, 1),
		), old: mat.NewDense(n, 6, nil), ref: mat.NewDense(n, 6, check.Random(22, 6*n, 1)),
		mask: mat.NewDense(n, 6, nil), rewards: []float64{1, 0, 0, 0.5},
	}
	w.logprob.Apply(func(_, _ int, x float64) float64 { return x - 2 }, w.logprob)
	w.old.Sub(w.logprob, mat.NewDense(n, 6, check.Random(23, 6*n, drift)))
	for i, length := range lengths {
		for t := range length {
			w.mask.Set(i, t, 1)
		}
	}
	return w
}

// spread returns one number for each output as one for each token.
func (w world) spread(x []float64) *mat.Dense {
	n, length := w.mask.Dims()
	m := mat.NewDense(n, length, nil)
	m.Apply(func(i, _ int, _ float64) float64 { return x[i] }, m)
	return m
}

// batch returns what the objectives of tokens want, with advantages divided by the population's
// deviation.
func (w world) batch(how policy.Aggregation) Batch {
	return Batch{
		LogProb: w.logprob, Old: w.old, Mask: w.mask,
		Advantage: w.spread(Normalize(w.rewards, Population, 0)), Weights: policy.TokenWeights(w.mask, how, 6),
	}
}

// centered is batch with advantages that are not divided.
func (w world) centered(how policy.Aggregation) Batch {
	b := w.batch(how)
	b.Advantage = w.spread(Centered(w.rewards))
	return b
}

// objective is a way to train on a world: its loss, and the gradient for the log-probabilities.
type objective struct {
	name string
	loss func(w world) (float64, *mat.Dense)
}

// objectives are those of this package as their papers have them, without a divergence, and PPO's
// with the advantages of the outputs.
var objectives = []objective{
	{"ppo", func(w world) (float64, *mat.Dense) {
		o := ppo.Options{Low: 0.2, High: 0.2, Aggregation: policy.SequenceMean}
		return ppo.Loss(w.logprob, w.old, w.spread(Normalize(w.rewards, Population, 0)), w.mask, o)
	}},
	{"grpo", func(w world) (float64, *mat.Dense) { return w.batch(policy.SequenceMean).TokenLoss(clipEven) }},
	{"unclipped", func(w world) (float64, *mat.Dense) {
		return w.batch(policy.SequenceMean).TokenLoss(policy.Unclipped)
	}},
	{"gspo", func(w world) (float64, *mat.Dense) { return w.batch(policy.SequenceMean).SequenceLoss(clipEven) }},
	{"gspo_token", func(w world) (float64, *mat.Dense) {
		return w.batch(policy.SequenceMean).SequenceTokenLoss(clipEven)
	}},
	{"dapo", func(w world) (float64, *mat.Dense) { return w.batch(policy.TokenMean).TokenLoss(clipHigher) }},
	{"dapo_dual", func(w world) (float64, *mat.Dense) {
		return w.batch(policy.TokenMean).TokenLoss(func(r, a float64) (float64, float64) {
			loss, d := clipHigher(r, a)
			return policy.Bounded(loss, d, a, 1.5)
		})
	}},
	{"gppo", func(w world) (float64, *mat.Dense) { return w.batch(policy.TokenMean).TokenLoss(gppo) }},
	{"cispo", func(w world) (float64, *mat.Dense) {
		b := w.batch(policy.TokenMean)
		return b.WeightedLoss(b.TokenRatios(), func(r, logprob, a float64) (float64, float64) {
			return CISPO(r, logprob, a, low, high)
		})
	}},
	{"cispo_upper", func(w world) (float64, *mat.Dense) {
		b := w.batch(policy.TokenMean)
		return b.WeightedLoss(b.TokenRatios(), func(r, logprob, a float64) (float64, float64) {
			return CISPOUpper(r, logprob, a, high)
		})
	}},
	{"dr_grpo", func(w world) (float64, *mat.Dense) { return w.centered(policy.SequenceSum).TokenLoss(clipEven) }},
	{"dr_grpo_constant", func(w world) (float64, *mat.Dense) {
		return w.centered(policy.Constant).TokenLoss(clipEven)
	}},
	{"v3", sequences},
}

// clipEven is the clip of GRPO, 0.2 either way.
func clipEven(r, advantage float64) (loss, dlogratio float64) {
	return ClipHigher(r, advantage, 0.2, 0.2)
}

// sequences is the objective of DeepSeek-V2, V3 and R1: the mean over outputs of Sequence.
func sequences(w world) (float64, *mat.Dense) {
	n, length := w.mask.Dims()
	gradient, total := mat.NewDense(n, length, nil), 0.0
	for i, a := range Normalize(w.rewards, Population, 0) {
		l, d := Sequence(
			w.logprob.RawRowView(i), w.old.RawRowView(i), w.ref.RawRowView(i), w.mask.RawRowView(i), a, 0.2, 0,
		)
		total += l / float64(n)
		for t := range d {
			gradient.Set(i, t, d[t]/float64(n))
		}
	}
	return total, gradient
}

// classes returns the objectives sorted into those that coincide, to rounding. What differs at all
// must differ by 1e-5.
func classes(t *testing.T, w world, see func(loss float64, gradient *mat.Dense) []float64) string {
	var classes []string
	var first [][]float64
	for _, o := range objectives {
		x := see(o.loss(w))
		k := 0
		for k < len(first) && !coincide(t, o.name+" and "+classes[k], x, first[k]) {
			k++
		}
		if k == len(first) {
			classes, first = append(classes, o.name), append(first, x)
		} else {
			classes[k] += " " + o.name
		}
	}
	return strings.Join(classes, " | ")
}

// coincide reports whether x and y, of size 8 or less, are equal to rounding; it fails if they are
// not, and not clearly different either.
func coincide(t *testing.T, what string, x, y []float64) bool {
	t.Helper()
	var difference float64
	for i := range x {
		difference = max(difference, math.Abs(x[i]-y[i]))
	}
	if difference > 64*u && difference < 1e-5 {
		t.Errorf("%s: %v apart", what, difference)
	}
	return difference <= 64*u
}

func asGradient(_ float64, gradient *mat.Dense) []float64 { return gradient.RawMatrix().Data }

func asLoss(loss float64, _ *mat.Dense) []float64 { return []float64{loss} }

func TestObjectives(t *testing.T) {
	const (
		outputs   = "ppo grpo unclipped" // ratios of tokens, outputs count alike
		tokens    = "dapo dapo_dual gppo cispo cispo_upper"
		sequences = "gspo gspo_token"
		centered  = "dr_grpo | dr_grpo_constant"
		clipped   = "ppo grpo | unclipped" // beyond the clips
	)
	for name, c := range map[string]struct {
		lengths []int
		drift   float64
		see     func(loss float64, gradient *mat.Dense) []float64
		want    string
	}{
		// r = 1 for every token: each gradient is −w_it A_i, and only weights and advantages can
		// differ. V3's is |o| times GRPO's, Dr. GRPO's |o|·std times.
		"gradients right after sampling: weights alone tell them apart": {
			ragged, 0, asGradient, outputs + " " + sequences + " | " + tokens + " | " + centered + " | v3",
		},
		"gradients right after sampling, outputs equally long: one, but for Dr. GRPO's std and V3's |o|": {
			even, 0, asGradient, outputs + " " + sequences + " " + tokens + " | " + centered + " | v3",
		},
		"gradients right after sampling, outputs of one token: one, but for Dr. GRPO's std": {
			single, 0, asGradient, outputs + " " + sequences + " " + tokens + " v3 | " + centered,
		},
		// A drift of 0.1 keeps every ratio in [0.9, 1.11], but some products of six leave [0.8,
		// 1.2].
		"gradients inside the clips: the ratio of tokens and that of outputs part": {
			ragged, 0.1, asGradient, outputs + " | " + sequences + " | " + tokens + " | " + centered + " | v3",
		},
		"gradients inside the clips, outputs equally long: with ratios of tokens all are one": {
			even, 0.1, asGradient, outputs + " " + tokens + " | " + sequences + " | " + centered + " | v3",
		},
		"gradients inside the clips, outputs of one token: one, but for Dr. GRPO's std": {
			single, 0.1, asGradient, outputs + " " + sequences + " " + tokens + " v3 | " + centered,
		},
		// PPO's and GRPO's loss are one function, and so are GSPO and GSPO-token as long as an
		// output has one advantage.
		"gradients beyond the clips: every method has its own": {
			ragged, 2, asGradient,
			clipped + " | " + sequences + " | dapo | dapo_dual | gppo | cispo | cispo_upper | " + centered + " | v3",
		},
		"gradients beyond the clips, outputs equally long: no fewer": {
			even, 2, asGradient,
			clipped + " | " + sequences + " | dapo | dapo_dual | gppo | cispo | cispo_upper | " + centered + " | v3",
		},
		// One token has one ratio, whatever it is called; no bad token here has a ratio above 1.5,
		// where the dual clip begins.
		"gradients beyond the clips, outputs of one token: the clip alone tells": {
			single, 2, asGradient,
			"ppo grpo gspo gspo_token v3 | unclipped | dapo dapo_dual | gppo | cispo | cispo_upper | " + centered,
		},
		// −mean A: 0 in the mean over outputs, not in the mean over tokens of ragged outputs.
		// CISPO's value is that of another function.
		"losses right after sampling: zero where outputs count alike": {
			ragged, 0, asLoss,
			outputs + " " + sequences + " v3 | dapo dapo_dual gppo | cispo cispo_upper | " + centered,
		},
		"losses right after sampling, outputs equally long: zero, but CISPO's": {
			even, 0, asLoss,
			outputs + " " + sequences + " dapo dapo_dual gppo dr_grpo dr_grpo_constant v3 | cispo cispo_upper",
		},
		"losses right after sampling, outputs of one token: zero, but CISPO's": {
			single, 0, asLoss,
			outputs + " " + sequences + " dapo dapo_dual gppo dr_grpo dr_grpo_constant v3 | cispo cispo_upper",
		},
		"losses inside the clips: ratio, weights and advantages tell": {
			ragged, 0.1, asLoss,
			outputs + " | " + sequences + " | dapo dapo_dual gppo | cispo cispo_upper | " + centered + " | v3",
		},
		"losses inside the clips, outputs equally long: with ratios of tokens one, but CISPO's and Dr. GRPO's": {
			even, 0.1, asLoss,
			outputs + " dapo dapo_dual gppo | " + sequences + " | cispo cispo_upper | " + centered + " | v3",
		},
		"losses inside the clips, outputs of one token: one, but CISPO's and Dr. GRPO's": {
			single, 0.1, asLoss,
			outputs + " " + sequences + " dapo dapo_dual gppo v3 | cispo cispo_upper | " + centered,
		},
		"losses beyond the clips: those of DAPO and GPPO are still one": {
			ragged, 2, asLoss,
			clipped + " | " + sequences + " | dapo gppo | dapo_dual | cispo | cispo_upper | " + centered + " | v3",
		},
		"losses beyond the clips, outputs equally long: no fewer": {
			even, 2, asLoss,
			clipped + " | " + sequences + " | dapo gppo | dapo_dual | cispo | cispo_upper | " + centered + " | v3",
		},
		"losses beyond the clips, outputs of one token: the clip alone tells": {
			single, 2, asLoss,
			"ppo grpo gspo gspo_token v3 | unclipped | dapo dapo_dual gppo | cispo | cispo_upper | " + centered,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := classes(t, newWorld(c.lengths, c.drift), c.see); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestRelations(t *testing.T) {
	gradients := func(w world) map[string]*mat.Dense {
		all := map[string]*mat.Dense{}
		for _, o := range objectives {
			_, all[o.name] = o.loss(w)
		}
		return all
	}
	// The sign of an advantage decides which clip acts, and std does not change it.
	t.Run("Dr. GRPO's gradient is GRPO's times |o|·std, over the constant 6 in its code, beyond the clips too",
		func(t *testing.T) {
			for _, drift := range []float64{0, 0.1, 2} {
				w := newWorld(ragged, drift)
				deviation, g := math.Sqrt(squares(Centered(w.rewards))/4), gradients(w)
				for i, length := range ragged {
					for t0 := range length {
						want := g["grpo"].At(i, t0) * float64(length) * deviation
						check.Near(t, "Dr. GRPO", g["dr_grpo"].At(i, t0), want, 32*u)
						check.Near(t, "with a constant", g["dr_grpo_constant"].At(i, t0), want/6, 32*u)
					}
				}
			}
		})
	t.Run("right after sampling V3's gradient is GRPO's times |o|", func(t *testing.T) {
		g := gradients(newWorld(ragged, 0))
		for i, length := range ragged {
			for t0 := range length {
				check.Near(t, "V3", g["v3"].At(i, t0), g["grpo"].At(i, t0)*float64(length), 8*u)
			}
		}
	})
	t.Run("at the reference k2 and k3 change neither loss nor gradient, k1 does; away from it all three differ",
		func(t *testing.T) {
			w := newWorld(ragged, 0.6)
			b := w.batch(policy.SequenceMean)
			divergence := func(ref mat.Matrix, k, backward func(logprob, ref float64) float64) (float64, *mat.Dense) {
				return b.Divergence(ref, func(logprob, ref float64) (float64, float64) {
					return k(logprob, ref), backward(logprob, ref)
				})
			}
			var none mat.Dense
			none.Scale(0, b.Weights)
			for name, k := range map[string][2]func(logprob, ref float64) float64{
				"k2": {policy.K2, policy.K2Backward}, "k3": {policy.K3, policy.K3Backward},
			} {
				kl, d := divergence(w.logprob, k[0], k[1])
				check.Near(t, name, kl, 0, 0)
				check.NearMatrix(t, name, d, &none, 0)
			}
			kl, d := divergence(w.logprob, policy.K1, policy.K1Backward)
			check.Near(t, "k1", kl, 0, 0)
			check.NearMatrix(t, "k1", d, b.Weights, 0)

			k1, d1 := divergence(w.ref, policy.K1, policy.K1Backward)
			k2, d2 := divergence(w.ref, policy.K2, policy.K2Backward)
			k3, d3 := divergence(w.ref, policy.K3, policy.K3Backward)
			for _, pair := range [][2]float64{
				{k1, k2}, {k1, k3}, {k2, k3}, {d1.At(1, 0), d2.At(1, 0)}, {d1.At(1, 0), d3.At(1, 0)},
				{d2.At(1, 0), d3.At(1, 0)},
			} {
				check.Apart(t, "two estimators", pair[0], pair[1], 1e-3)
			}
		})
	t.Run("all gradients of all objectives but those with stop-gradients are the gradients of their losses",
		func(t *testing.T) {
			for _, lengths := range [][]int{ragged, even} {
				for _, o := range objectives {
					switch o.name {
					case "gspo_token", "gppo", "cispo", "cispo_upper":
						continue // gspo_token's is gspo's here, for the advantage is the output's
					}
					w := newWorld(lengths, 0.6)
					_, got := o.loss(w)
					want := check.Gradient(func(x []float64) float64 {
						w.logprob = mat.NewDense(4, 6, x)
						l, _ := o.loss(w)
						return l
					}, append([]float64{}, w.logprob.RawMatrix().Data...))
					check.NearAll(t, o.name, got.RawMatrix().Data, want, check.DifferenceBound(3, 4))
				}
			}
		})
}

func TestDAPOIsGRPO(t *testing.T) {
	// Outputs equally long make the mean over tokens the mean over outputs, and equal bounds the
	// clips one.
	t.Run("with equal bounds, equal lengths and no divergence, to rounding", func(t *testing.T) {
		for _, drift := range []float64{0.1, 1} {
			w := newWorld(even, drift)
			loss, d := w.batch(policy.TokenMean).TokenLoss(clipEven)
			want, dwant := w.batch(policy.SequenceMean).TokenLoss(clipEven)
			check.Near(t, "loss", loss, want, 16*u)
			check.NearMatrix(t, "gradient", d, dwant, 0)
		}
	})
}

package policy_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/policy"
)

// An output of three tokens of a policy without memory: all positions share the logits of a
// vocabulary of four.
var (
	theta  = logits(40, 4)
	before = policy.LogSoftmax(logits(41, 4), 1)
	refs   = policy.LogSoftmax(logits(42, 4), 1)
	output = []int{2, 0, 2}
)

// scores returns the gradients of the log-probabilities of an output, one row per token.
func scores(output []int) *mat.Dense {
	m := mat.NewDense(len(output), len(theta), nil)
	for t, token := range output {
		m.SetRow(t, policy.LogProbBackward(theta, token, 1))
	}
	return m
}

// objective returns the gradient of 1/|o| Σ_t f(t, log π(o_t)) by finite differences.
func objective(output []int, f func(t int, logprob float64) float64) []float64 {
	return check.Gradient(func(theta []float64) (sum float64) {
		logp := policy.LogSoftmax(theta, 1)
		for t, token := range output {
			sum += f(t, logp[token]) / float64(len(output))
		}
		return sum
	}, theta)
}

func TestUnifiedGradient(t *testing.T) {
	advantages := []float64{0.5, -1.5, 2}
	logp := policy.LogSoftmax(theta, 1)
	coefficients := func(f func(t, token int) float64) []float64 {
		gc := make([]float64, len(output))
		for t, token := range output {
			gc[t] = f(t, token)
		}
		return gc
	}

	t.Run("with the coefficient of supervised fine-tuning it is the gradient of the mean log-probability",
		func(t *testing.T) {
			gc := coefficients(func(int, int) float64 { return policy.CoefficientSFT() })
			want := objective(output, func(_ int, l float64) float64 { return l })
			check.NearAll(t, "∇J", policy.UnifiedGradient(gc, scores(output)), want, stepBound)
		})
	t.Run("a token with a coefficient of 0 adds nothing, whatever its gradient", func(t *testing.T) {
		bad := check.Matrix([]float64{1, 2}, []float64{nan, inf})
		check.NearAll(t, "∇J", policy.UnifiedGradient([]float64{2, 0}, bad), []float64{1, 2}, 0)
	})
	// At π = π_old the ratio is 1, and ∇r = r ∇ log π.
	t.Run("with PPO's it is the gradient of the surrogate at the old policy", func(t *testing.T) {
		gc := coefficients(func(t, _ int) float64 { return policy.CoefficientPPO(advantages[t]) })
		want := objective(output, func(t int, l float64) float64 {
			return policy.Ratio(l, logp[output[t]], 0) * advantages[t]
		})
		check.NearAll(t, "∇J", policy.UnifiedGradient(gc, scores(output)), want, stepBound)
	})
	t.Run("with GRPO's it is the gradient of the surrogate less the divergence", func(t *testing.T) {
		const beta = 0.3
		gc := coefficients(func(t, token int) float64 {
			return policy.CoefficientGRPO(0.75, logp[token], refs[token], beta)
		})
		want := objective(output, func(t int, l float64) float64 {
			return policy.Ratio(l, logp[output[t]], 0)*0.75 - beta*policy.K3(l, refs[output[t]])
		})
		check.NearAll(t, "∇J", policy.UnifiedGradient(gc, scores(output)), want, stepBound)
	})
	t.Run("with DPO's exact one it is the gradient of the preference objective, with the printed one it is not",
		func(t *testing.T) {
			const beta = 0.5
			rejected := []int{1, 3}
			delta := func(theta []float64) float64 {
				logp := policy.LogSoftmax(theta, 1)
				mean := func(output []int) (sum float64) {
					for _, token := range output {
						sum += (logp[token] - refs[token]) / float64(len(output))
					}
					return sum
				}
				return mean(output) - mean(rejected)
			}
			want := check.Gradient(func(theta []float64) float64 {
				return -math.Log1p(math.Exp(-beta * delta(theta)))
			}, theta)
			gc := policy.CoefficientDPOExact(delta(theta), beta)
			plus := policy.UnifiedGradient([]float64{gc, gc, gc}, scores(output))
			minus := policy.UnifiedGradient([]float64{gc, gc}, scores(rejected))
			for i := range plus {
				plus[i] -= minus[i]
			}
			check.NearAll(t, "∇J", plus, want, stepBound)
			if printed := policy.CoefficientDPO(logp[2]-refs[2], logp[1]-refs[1], beta); math.Abs(printed-gc) < 0.01 {
				t.Errorf("the printed coefficient %v is too close to the exact %v to tell", printed, gc)
			}
		})
	t.Run("an output without tokens contributes nothing", func(t *testing.T) {
		if got := policy.UnifiedGradient(nil, &mat.Dense{}); len(got) != 0 {
			t.Errorf("∇J is %v", got)
		}
	})
	t.Run("there has to be a coefficient for each token", func(t *testing.T) {
		check.Panics(t, "policy: there is not one coefficient for each token", func() {
			policy.UnifiedGradient([]float64{1}, scores(output))
		})
	})
	// The loss of a token is minus its objective, and 1/|o| its weight: old and new see the same
	// gradient.
	t.Run("it is minus the gradient that weighted losses of tokens have", func(t *testing.T) {
		gc := coefficients(func(t, token int) float64 {
			return policy.CoefficientGRPO(advantages[t], logp[token], before[token], 0.1)
		})
		w := policy.TokenWeights(check.Matrix([]float64{1, 1, 1}), policy.SequenceMean, 0)
		d := policy.AggregateBackward(check.Matrix(gc), w)
		var want mat.Dense
		want.Mul(d, scores(output))
		check.NearAll(t, "∇J", policy.UnifiedGradient(gc, scores(output)), want.RawRowView(0), 32*u)
	})
}

func TestCoefficientRFT(t *testing.T) {
	t.Run("rejection sampling keeps right outputs as they are and drops wrong ones, online too", func(t *testing.T) {
		for _, f := range []func(bool) float64{policy.CoefficientRFT, policy.CoefficientOnlineRFT} {
			check.Near(t, "GC of a right output", f(true), policy.CoefficientSFT(), 0)
			check.Near(t, "GC of a wrong output", f(false), 0, 0)
		}
	})
	// J = 1/2 Σ_i 𝟙(o_i right) 1/|o_i| Σ_t log π(o_it), over one right output of three tokens and a
	// wrong one of two.
	t.Run("with rejection sampling's it is the gradient of the mean log-probability of right outputs",
		func(t *testing.T) {
			got := make([]float64, len(theta))
			for _, o := range []struct {
				tokens []int
				right  bool
			}{{output, true}, {[]int{1, 3}, false}} {
				gc := make([]float64, len(o.tokens))
				floats.AddConst(policy.CoefficientRFT(o.right), gc)
				floats.AddScaled(got, 0.5, policy.UnifiedGradient(gc, scores(o.tokens)))
			}
			want := objective(output, func(_ int, l float64) float64 { return l / 2 })
			check.NearAll(t, "∇J", got, want, stepBound)
		})
	// E_π[𝟙 ∇ log π] = Σ 𝟙 ∇π: REINFORCE with rewards of 1 and 0. From samples of another policy it
	// is the gradient of E_before[𝟙 log π], imitation.
	t.Run("online, over outputs of one token of its own, it is the gradient of the chance to be right; over those of "+
		"an earlier policy it is not", func(t *testing.T) {
		right := func(o int) bool { return o == 1 || o == 2 }
		chance := check.Gradient(func(theta []float64) float64 {
			logp := policy.LogSoftmax(theta, 1)
			return math.Exp(logp[1]) + math.Exp(logp[2])
		}, theta)
		imitation := check.Gradient(func(theta []float64) float64 {
			logp := policy.LogSoftmax(theta, 1)
			return math.Exp(before[1])*logp[1] + math.Exp(before[2])*logp[2]
		}, theta)
		gradient := func(sampler []float64, coefficient func(right bool) float64) []float64 {
			return check.Mean(sampler, func(o int) []float64 {
				return policy.UnifiedGradient([]float64{coefficient(right(o))}, scores([]int{o}))
			})
		}
		check.NearAll(t, "online", gradient(policy.LogSoftmax(theta, 1), policy.CoefficientOnlineRFT),
			chance, stepBound)
		check.NearAll(t, "offline", gradient(before, policy.CoefficientRFT), imitation, stepBound)
		check.Apart(t, "the two", chance[0], imitation[0], 0.005)
	})
}

func TestCoefficientDPO(t *testing.T) {
	t.Run("for equal log-ratios it is a half, and the exact one half of β", func(t *testing.T) {
		check.Near(t, "GC", policy.CoefficientDPO(0.7, 0.7, 3), 0.5, 0)
		check.Near(t, "exact GC", policy.CoefficientDPOExact(0, 3), 1.5, 0)
	})
	t.Run("for a pair of one token the exact one is β times the printed", func(t *testing.T) {
		check.Near(t, "GC", policy.CoefficientDPOExact(0.5-0.25, 2), 2*policy.CoefficientDPO(0.5, 0.25, 2), 0)
	})
	t.Run("a pair in the right order by far is left alone, one in the wrong order is not", func(t *testing.T) {
		check.Near(t, "GC", policy.CoefficientDPO(1000, -1000, 1), 0, 0)
		check.Near(t, "GC", policy.CoefficientDPO(-1000, 1000, 1), 1, 0)
	})
}

func TestCoefficientGRPO(t *testing.T) {
	t.Run("without a divergence, or at the reference, it is PPO's with the group's advantage", func(t *testing.T) {
		check.Near(t, "GC", policy.CoefficientGRPO(-1.25, -3, -1, 0), policy.CoefficientPPO(-1.25), 0)
		check.Near(t, "GC", policy.CoefficientGRPO(-1.25, -3, -3, 0.04), -1.25, 0)
	})
	// π_ref/π = 2: β (2 − 1)
	t.Run("where the reference likes the token twice as much it adds β", func(t *testing.T) {
		check.Near(t, "GC", policy.CoefficientGRPO(1, -1, -1+math.Ln2, 0.25), 1.25, 8*u)
	})
}

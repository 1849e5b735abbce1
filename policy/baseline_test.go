package policy_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"

	"plumbline/internal/check"
	"plumbline/policy"
)

// tuples calls f for all k-tuples of samples of a policy, with the probability of each.
func tuples(logp []float64, k int, f func(p float64, samples []int)) {
	samples := make([]int, k)
	for tuple := range int(math.Pow(float64(len(logp)), float64(k))) {
		var l float64
		for i := range samples {
			samples[i] = tuple % len(logp)
			l += logp[samples[i]]
			tuple /= len(logp)
		}
		f(math.Exp(l), samples)
	}
}

func TestLeaveOneOut(t *testing.T) {
	z, reward := []float64{0.5, -1, 0.25}, []float64{1, 0, 4}
	logp := policy.LogSoftmax(z, 1)
	exact := pull(logp, z, func(a int) float64 { return reward[a] })

	// E[1/k Σ_i (r_i − b_i) ∇ log π(a_i)] over all k-tuples of samples
	meanGradient := func(k int, baseline func(r []float64) []float64) []float64 {
		sum := make([]float64, len(z))
		tuples(logp, k, func(p float64, samples []int) {
			r := make([]float64, k)
			for i, a := range samples {
				r[i] = reward[a]
			}
			for i, b := range baseline(r) {
				floats.AddScaled(sum, p*(r[i]-b)/float64(k), policy.LogProbBackward(z, samples[i], 1))
			}
		})
		return sum
	}
	groupMean := func(r []float64) []float64 {
		b := make([]float64, len(r))
		floats.AddConst(floats.Sum(r)/float64(len(r)), b)
		return b
	}
	const bound = 81 * 4 * 4 * 8 * u // 3⁴ tuples, 4 samples each, rewards up to 4

	t.Run("it is the mean of the others", func(t *testing.T) {
		check.NearAll(t, "b", policy.LeaveOneOut([]float64{1, 2, 6}), []float64{4, 3.5, 1.5}, 0)
	})
	t.Run("of equal rewards it is that reward exactly, whatever its last bits", func(t *testing.T) {
		for k := 2; k <= 9; k++ {
			equal := make([]float64, k)
			floats.AddConst(0.1, equal)
			check.NearAll(t, "b", policy.LeaveOneOut(equal), equal, 0)
		}
	})
	t.Run("it knows nothing of its own sample, even one without a reward", func(t *testing.T) {
		for _, bad := range []float64{inf, -inf, nan} {
			check.Near(t, "b", policy.LeaveOneOut([]float64{bad, 2, 6})[0], 4, 0)
			check.Near(t, "b", policy.LeaveOneOut([]float64{2, bad, 6})[1], 4, 0)
		}
	})
	t.Run("it biases no gradient", func(t *testing.T) {
		for k := 1; k <= 4; k++ {
			check.NearAll(t, "∇J", meanGradient(k, policy.LeaveOneOut), exact, bound)
		}
	})
	// r_i's own share of the mean, r_i/k, goes with ∇ log π(a_i): it takes ∇J/k away.
	t.Run("the mean of all, GRPO's, shrinks it by (k−1)/k", func(t *testing.T) {
		for k := 2; k <= 4; k++ {
			want := floats.ScaleTo(make([]float64, 3), float64(k-1)/float64(k), exact)
			check.NearAll(t, "∇J", meanGradient(k, groupMean), want, bound)
		}
	})
	t.Run("one sample alone has a baseline of 0, none have none", func(t *testing.T) {
		check.NearAll(t, "b", policy.LeaveOneOut([]float64{5}), []float64{0}, 0)
		check.NearAll(t, "b", policy.LeaveOneOut(nil), nil, 0)
	})
}

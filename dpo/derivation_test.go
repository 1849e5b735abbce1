package dpo

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"

	"plumbline/internal/check"
	"plumbline/policy"
)

// # DPO from RLHF
//
// RLHF fits a reward r to what people prefer, and then a policy π to the reward, no further from
// π_ref than β allows:
//
//	J(π) = E_π[r(x, y)] − β KL(π(·|x) ‖ π_ref(·|x))
//
// Five steps turn the two fits into one. The prompt x is one throughout, responses y are the few of
// a small vocabulary, so that every expectation is a sum. Numbers in brackets are those of DPO
// (Rafailov et al. 2023).
func TestDerivationFromRLHF(t *testing.T) {
	logref, r, beta := distribution(31, 5), check.Random(32, 5, 2), 0.7
	best := Optimum(logref, r, beta)

	// Put log(π_r/π_ref) = r/β − log Z into J, and the reward is gone: what is left is a constant,
	// less a divergence. That is 0 for π = π_r and positive for any other policy.
	//
	//	J(π) = β log Z − β KL(π ‖ π_r)
	//	π_r(y|x) = π_ref(y|x) e^{r(x, y)/β} / Z(x),  Z(x) = Σ_y π_ref(y|x) e^{r(x, y)/β}
	//
	// This is (4), the optimum of (3). Nobody can sum Z over all responses of a language model,
	// which is why RLHF climbs J by samples.
	t.Run("the policy that maximises reward less β KL tilts the reference by exp(r/β)", func(t *testing.T) {
		top := beta * LogPartition(logref, r, beta)
		check.Near(t, "J(π_r)", Objective(best, logref, r, beta), top, 2*bound6)
		for seed := range uint64(20) {
			logpi := distribution(100+seed, 5)
			short := beta * policy.KL(logpi, best)
			check.Near(t, "J(π)", Objective(logpi, logref, r, beta), top-short, 2*bound6)
			check.Apart(t, "KL", short, 0, 1e-3)
		}
	})

	// Take the logarithm of (4) and solve for r. Every policy is the best one for some reward, and
	// says for which.
	//
	//	r(x, y) = β log(π_r(y|x)/π_ref(y|x)) + β log Z(x)
	t.Run("read backward, a policy tells the reward that it is the best one for", func(t *testing.T) {
		logZ := LogPartition(logref, r, beta)
		for y := range r {
			check.Near(t, "r", Reward(best[y], logref[y], beta, logZ), r[y], 2*bound6)
		}
	})

	// People are taken to prefer by the difference of rewards (Bradley and Terry), and log Z(x) is
	// the same for both responses.
	//
	//	p(y_1 > y_2) = σ(r(y_1) − r(y_2)) = σ(β log(π_r/π_ref)(y_1) − β log(π_r/π_ref)(y_2))
	//
	// This is (6): what could not be summed is no longer there.
	t.Run("a preference sees the difference of two rewards, from which log Z cancels", func(t *testing.T) {
		for y1 := range r {
			for y2 := range r {
				implied1 := ImplicitReward(best[y1], logref[y1], beta)
				implied2 := ImplicitReward(best[y2], logref[y2], beta)
				check.Near(t, "p", PolicyPreference(implied1, implied2), Preference(r[y1], r[y2]), 2*bound6)
			}
		}
	})

	// The reward model's loss is −log p of the preferences that were recorded. With the policy in
	// the place of the reward it is a loss of the policy, and no reward model is left.
	//
	//	L(π) = −E log σ(β log(π/π_ref)(y_w) − β log(π/π_ref)(y_l))
	//
	// Over all pairs, each labelled by (1) with the true r, it is least at π_r: its gradient
	// vanishes there, and at no other policy.
	t.Run("so the likelihood of the labels is a loss of the policy, least at π_r", func(t *testing.T) {
		least, gradient := labelled(best, logref, r, beta)
		check.NearAll(t, "∂L/∂ log π at π_r", gradient, make([]float64, len(r)), 2*bound6)
		for seed := range uint64(20) {
			loss, slope := labelled(distribution(200+seed, 5), logref, r, beta)
			if loss <= least || floats.Norm(slope, 2) < 1e-2 {
				t.Errorf("L = %v with slope %v, at π_r %v", loss, slope, least)
			}
		}
	})

	// Differentiated, each pair raises what was chosen and lowers what was rejected, by how wrongly
	// the policy orders the two.
	//
	//	∇L = −β E[σ(r̂_l − r̂_w) (∇log π(y_w) − ∇log π(y_l))],  r̂ = β log(π/π_ref)
	t.Run("its gradient weighs a pair by how wrongly the policy orders it", func(t *testing.T) {
		z, w, l := check.Random(33, 5, 2), 1, 3
		want := check.Gradient(func(z []float64) float64 {
			loss, _ := SigmoidLoss(margin(policy.LogSoftmax(z, 1), logref, w, l), beta, 0)
			return loss
		}, z)
		logpi := policy.LogSoftmax(z, 1)
		push := Coefficient(ImplicitReward(logpi[w], logref[w], beta), ImplicitReward(logpi[l], logref[l], beta), beta)
		got := floats.ScaleTo(make([]float64, 5), -push, policy.LogProbBackward(z, w, 1))
		floats.AddScaled(got, push, policy.LogProbBackward(z, l, 1))
		check.NearAll(t, "∇L", got, want, check.DifferenceBound(4, 32))
	})

	// Where y_w is always chosen over y_l, (1) holds for no finite reward. The loss then falls for
	// as long as the margin h grows, β holds nothing back, and π(y_l) goes to 0; IPO asks for a
	// margin instead.
	//
	//	−log σ(βh) → 0 as h → ∞,  (h − 1/(2τ))² = 0 at h = 1/(2τ)
	t.Run("but a preference that never fails has no optimum: the loss falls without end", func(t *testing.T) {
		before := math.Inf(1)
		for h := 1.0; h < 500; h *= 2 {
			loss, dh := SigmoidLoss(h, beta, 0)
			if loss >= before || dh >= 0 {
				t.Errorf("h = %v: loss %v with slope %v, before %v", h, loss, dh, before)
			}
			before = loss
		}
		check.Both(t, "IPO", func() (float64, float64) { return IPO(1/(2*beta), beta) }, 0, 0, 0)
	})
}

// labelled returns DPO's loss over all ordered pairs, each as likely as Preference has it for r,
// and its gradient for log π of the responses.
func labelled(logpi, logref, r []float64, beta float64) (loss float64, gradient []float64) {
	gradient = make([]float64, len(r))
	for w := range r {
		for l := range r {
			p := Preference(r[w], r[l])
			pair, dh := SigmoidLoss(margin(logpi, logref, w, l), beta, 0)
			loss += p * pair
			gradient[w] += p * dh
			gradient[l] -= p * dh
		}
	}
	return loss, gradient
}

// margin returns h of a pair.
func margin(logpi, logref []float64, w, l int) float64 {
	return logpi[w] - logref[w] - logpi[l] + logref[l]
}

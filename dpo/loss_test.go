package dpo

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/numbers/logistic"
	"plumbline/policy"
)

func TestSigmoid(t *testing.T) {
	t.Run("at the reference it is ln 2, whatever β and ε", rapid.MakeCheck(func(t *rapid.T) {
		beta, epsilon := rapid.Float64Range(0.01, 10).Draw(t, "β"), rapid.Float64Range(0, 1).Draw(t, "ε")
		loss, _ := SigmoidLoss(0, beta, epsilon)
		check.Near(t, "loss", loss, math.Ln2, 4*u)
	}))
	t.Run("at the reference its derivative is −β/2, and −β(1−2ε)/2 with ε", func(t *testing.T) {
		_, dh := SigmoidLoss(0, 0.25, 0)
		check.Near(t, "dh", dh, -0.125, 0)
		_, dh = SigmoidLoss(0, 0.25, 0.25)
		check.Near(t, "dh", dh, -0.0625, 0)
	})
	t.Run("it is the literal form where that holds", rapid.MakeCheck(func(t *rapid.T) {
		h, epsilon := rapid.Float64Range(-30, 30).Draw(t, "h"), rapid.Float64Range(0, 1).Draw(t, "ε")
		loss, _ := SigmoidLoss(h, 1, epsilon)
		literal := -(1-epsilon)*logistic.LogSigmoidLiteral(h) - epsilon*logistic.LogSigmoidLiteral(-h)
		check.Near(t, "loss", loss, literal, 8*u+8*u*loss)
	}))
	t.Run("its derivative is the derivative", func(t *testing.T) {
		for _, h := range []float64{-7, -0.5, 0, 0.5, 7} {
			for _, epsilon := range []float64{0, 0.1, 0.5} {
				_, dh := SigmoidLoss(h, 1.5, epsilon)
				check.Near(t, "dh", check.Derivative(func(h float64) float64 {
					l, _ := SigmoidLoss(h, 1.5, epsilon)
					return l
				}, h), dh, check.DifferenceBound(12, 4))
			}
		}
	})
	t.Run("it is the loss of a reward model with the implicit rewards", func(t *testing.T) {
		loss, dh := SigmoidLoss(-1.5, 0.5, 0)
		want, dwant := RewardLoss(ImplicitReward(-4, -3, 0.5), ImplicitReward(-3.5, -4, 0.5))
		check.Near(t, "loss", loss, want, 0)
		check.Near(t, "dh", dh, 0.5*dwant, 0)
	})
	t.Run("swapping the responses is −h, and swapping their labels 1−ε", rapid.MakeCheck(func(t *rapid.T) {
		h, epsilon := rapid.Float64Range(-30, 30).Draw(t, "h"), rapid.Float64Range(0, 1).Draw(t, "ε")
		a, da := SigmoidLoss(h, 1, epsilon)
		b, db := SigmoidLoss(-h, 1, 1-epsilon)
		check.Near(t, "loss", a, b, 8*u*(1+math.Abs(h)))
		check.Near(t, "dh", da, -db, 8*u)
	}))
	t.Run("without ε more margin is always better, with it there is a best one", func(t *testing.T) {
		for _, h := range []float64{0, 10, 100, 700} {
			if _, dh := SigmoidLoss(h, 1, 0); !(dh < 0) {
				t.Errorf("dh = %v at h = %v", dh, h)
			}
		}
		if _, dh := SigmoidLoss(10, 1, 0.1); !(dh > 0) {
			t.Errorf("dh = %v at h = 10 with ε = 0.1", dh)
		}
	})
	t.Run("with ε it is least where σ(βh) = 1−ε, and there the entropy of ε", rapid.MakeCheck(func(t *rapid.T) {
		// dL/dh = −β((1−ε) − σ(βh)); L = −(1−ε) log(1−ε) − ε log ε.
		epsilon, beta := rapid.Float64Range(0.01, 0.5).Draw(t, "ε"), rapid.Float64Range(0.1, 2).Draw(t, "β")
		h := math.Log((1-epsilon)/epsilon) / beta
		loss, dh := SigmoidLoss(h, beta, epsilon)
		check.Near(t, "dh", dh, 0, 16*u*beta)
		check.Near(t, "loss", loss, -(1-epsilon)*math.Log(1-epsilon)-epsilon*math.Log(epsilon), 16*u)
	}))
	t.Run("small β makes it ln 2 whatever the margin", func(t *testing.T) {
		loss, _ := SigmoidLoss(5, 1e-9, 0)
		check.Near(t, "loss", loss, math.Ln2, 2.6e-9)
	})
	t.Run("margins of a thousand are finite, infinite ones have their limits", func(t *testing.T) {
		for _, c := range []struct{ h, loss, dh float64 }{
			{1000, 0, 0}, {-1000, 1000, -1}, {math.Inf(1), 0, 0}, {math.Inf(-1), math.Inf(1), -1},
		} {
			loss, dh := SigmoidLoss(c.h, 1, 0)
			if loss != c.loss || dh != c.dh {
				t.Errorf("h = %v: got %v and %v, want %v and %v", c.h, loss, dh, c.loss, c.dh)
			}
		}
		loss, _ := SigmoidLoss(1000, 0.1, 0)
		check.Near(t, "loss", loss, math.Exp(-100), 4*u*math.Exp(-100))
	})
	t.Run("a share of the label that is not paired with σ(−βh) cannot be seen at ε = 0", func(t *testing.T) {
		unpaired := func(h, epsilon float64) float64 {
			return -(1-epsilon)*logistic.LogSigmoid(h) - epsilon*logistic.LogSigmoid(h)
		}
		for _, epsilon := range []float64{0, 0.1} {
			loss, _ := SigmoidLoss(2, 1, epsilon)
			check.Near(t, "difference", loss-unpaired(2, epsilon), 2*epsilon, 8*u)
		}
	})
}

// preferences returns DPO's mean loss of a policy over all pairs of responses, each pair as often
// in either order as rewards r prefer it, and its gradient for the log-probabilities.
func preferences(logpi, logref, r []float64, beta float64) (loss float64, gradient []float64) {
	gradient = make([]float64, len(r))
	for w := range r {
		for l := range r {
			if w == l {
				continue
			}
			p := Preference(r[w], r[l])
			value, dh := SigmoidLoss(logpi[w]-logref[w]-(logpi[l]-logref[l]), beta, 0)
			loss += p * value
			gradient[w] += p * dh
			gradient[l] -= p * dh
		}
	}
	return loss, gradient
}

func TestPreferences(t *testing.T) {
	// A pair seen with p and 1−p costs −p log q − (1−p) log(1−q) with q = σ(βh): the entropy of p,
	// and KL(p‖q) more. At π_r βh is r_w − r_l, so that q = p for all pairs.
	t.Run("the loss is least at the policy that is best for the rewards, and there the entropy of the preferences",
		rapid.MakeCheck(func(t *rapid.T) {
			logref, r, beta := problem(t)
			loss, gradient := preferences(Optimum(logref, r, beta), logref, r, beta)
			var entropy float64
			for w := range r {
				for l := range r {
					if w != l {
						entropy -= Preference(r[w], r[l]) * logistic.LogSigmoid(r[w]-r[l])
					}
				}
			}
			check.Near(t, "loss", loss, entropy, 30*max(beta, 2)*bound6)
			check.NearAll(t, "gradient", gradient, make([]float64, 6), 10*max(beta, 2)*max(beta, 2)*bound6)
		}))
	t.Run("any other policy costs the divergence of its preferences more", rapid.MakeCheck(func(t *rapid.T) {
		logref, r, beta := problem(t)
		logpi := distribution(rapid.Uint64().Draw(t, "π"), 6)
		least, _ := preferences(Optimum(logref, r, beta), logref, r, beta)
		loss, _ := preferences(logpi, logref, r, beta)
		var divergence float64
		for w := range r {
			for l := range w {
				h := logpi[w] - logref[w] - (logpi[l] - logref[l])
				divergence += policy.KL(
					[]float64{logistic.LogSigmoid(r[w] - r[l]), logistic.LogSigmoid(r[l] - r[w])},
					[]float64{logistic.LogSigmoid(beta * h), logistic.LogSigmoid(-beta * h)},
				)
			}
		}
		check.Near(t, "loss", loss-least, divergence, 30*max(beta, 2)*max(beta, 2)*bound6)
	}))
	t.Run("it knows no constant: policies that differ by one in all log-ratios have one loss", func(t *testing.T) {
		logref, r := distribution(1, 6), check.Random(2, 6, 2)
		logpi := distribution(3, 6)
		loss, gradient := preferences(logpi, logref, r, 0.5)
		moved := make([]float64, 6)
		for y := range moved {
			moved[y] = logpi[y] + 2
		}
		shifted, _ := preferences(moved, logref, r, 0.5)
		check.Near(t, "loss", shifted, loss, 30*64*u)
		check.Near(t, "Σ gradient", floats.Sum(gradient), 0, 64*u)
	})
}

func TestCoefficient(t *testing.T) {
	t.Run("it is minus the derivative of the loss", rapid.MakeCheck(func(t *rapid.T) {
		h := rapid.Float64Range(-30, 30).Draw(t, "h")
		_, dh := SigmoidLoss(h, 0.5, 0)
		check.Near(t, "coefficient", Coefficient(0.5*h, 0, 0.5), -dh, 0)
	}))
	t.Run("a pair in the wrong order pushes with up to β, one in the right order hardly", func(t *testing.T) {
		check.Near(t, "at the reference", Coefficient(0, 0, 0.1), 0.05, 0)
		check.Near(t, "wrong by far", Coefficient(-50, 50, 0.1), 0.1, 0)
		check.Near(t, "right by far", Coefficient(50, -50, 0.1), 0, 1e-40)
	})
}

func TestRobust(t *testing.T) {
	t.Run("its mean over labels wrong with probability ε is the loss without noise", rapid.MakeCheck(func(t *rapid.T) {
		// (1−ε) L(h) + ε L(−h) = ((1−ε)² − ε²)/(1−2ε) (−log σ(βh)) + 0 log σ(−βh), and (1−ε)² − ε²
		// = 1−2ε.
		h, epsilon := rapid.Float64Range(-30, 30).Draw(t, "h"), rapid.Float64Range(0, 0.4).Draw(t, "ε")
		right, dright := Robust(h, 0.5, epsilon)
		wrong, dwrong := Robust(-h, 0.5, epsilon)
		loss, dh := SigmoidLoss(h, 0.5, 0)
		check.Near(t, "mean loss", (1-epsilon)*right+epsilon*wrong, loss, 1000*u)
		check.Near(t, "mean dh", (1-epsilon)*dright-epsilon*dwrong, dh, 100*u)
	}))
	t.Run("without ε it is the loss without noise", func(t *testing.T) {
		loss, dh := Robust(0.7, 0.5, 0)
		want, dwant := SigmoidLoss(0.7, 0.5, 0)
		check.Near(t, "loss", loss, want, 0)
		check.Near(t, "dh", dh, dwant, 0)
	})
	t.Run("at the reference it is ln 2, and pushes more than without ε, where conservative pushes less",
		func(t *testing.T) {
			// −β((1−ε)+ε)/2/(1−2ε) against −β(1−2ε)/2.
			loss, dh := Robust(0, 1, 0.25)
			check.Near(t, "loss", loss, math.Ln2, 4*u)
			check.Near(t, "dh", dh, -1, 0)
			_, conservative := SigmoidLoss(0, 1, 0.25)
			check.Near(t, "conservative", conservative, -0.25, 0)
		})
	t.Run("its derivative is the derivative", func(t *testing.T) {
		for _, h := range []float64{-7, 0, 0.5, 7} {
			_, dh := Robust(h, 1.5, 0.2)
			check.Near(t, "dh", check.Derivative(func(h float64) float64 {
				l, _ := Robust(h, 1.5, 0.2)
				return l
			}, h), dh, check.DifferenceBound(24, 4))
		}
	})
	t.Run("infinite margins have their limits", func(t *testing.T) {
		loss, dh := Robust(math.Inf(1), 1, 0)
		check.Near(t, "loss", loss, 0, 0)
		check.Near(t, "dh", dh, 0, 0)
	})
}

func TestIPO(t *testing.T) {
	t.Run("at the reference it is 1/(4τ²)", func(t *testing.T) {
		loss, dh := IPO(0, 0.25)
		check.Near(t, "loss", loss, 4, 0)
		check.Near(t, "dh", dh, -4, 0)
	})
	t.Run("it is zero at a margin of 1/(2τ), and a parabola around it", rapid.MakeCheck(func(t *rapid.T) {
		tau := rapid.Float64Range(0.01, 10).Draw(t, "τ")
		loss, dh := IPO(1/(2*tau), tau)
		check.Near(t, "loss", loss, 0, 0)
		check.Near(t, "dh", dh, 0, 0)
		left, _ := IPO(1/(2*tau)-1, tau)
		right, _ := IPO(1/(2*tau)+1, tau)
		check.Near(t, "either side", left, right, 8*u*(1+1/tau))
	}))
	t.Run("its derivative is the derivative", func(t *testing.T) {
		_, dh := IPO(3.5, 0.1)
		check.Near(t, "dh", check.Derivative(func(h float64) float64 {
			l, _ := IPO(h, 0.1)
			return l
		}, 3.5), dh, check.DifferenceBound(4, 4))
	})
	t.Run("margins of a thousand are finite", func(t *testing.T) {
		loss, dh := IPO(-1000, 0.5)
		check.Near(t, "loss", loss, 1001*1001, 0)
		check.Near(t, "dh", dh, -2002, 0)
	})
}

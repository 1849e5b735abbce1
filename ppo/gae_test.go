package ppo_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/ppo"
)

// Rewards and values whose advantages, with γ and λ of a half, are exact.
var (
	rewards = []float64{1, 2, 4}
	values  = []float64{8, 4, 2}
)

// gaeBound bounds two computations over at most 12 steps of rewards and values up to 8, with powers
// good to an ulp.
const gaeBound = 12 * 12 * 4 * 24 * u

func TestTDError(t *testing.T) {
	t.Run("it is what came, and is still to come, beyond what was expected", func(t *testing.T) {
		check.Near(t, "δ", ppo.TDError(1, 8, 4, 0.5), -5, 0)
	})
	t.Run("after a terminal state nothing is to come, whatever γ", func(t *testing.T) {
		check.Near(t, "δ", ppo.TDError(4, 2, 0, 0.5), 2, 0)
		check.Near(t, "δ", ppo.TDError(4, 2, 0, 1), 2, 0)
	})
}

func TestGAE(t *testing.T) {
	// δ = (1+4/2−8, 2+2/2−4, 4−2) = (−5, −1, 2), γλ = ¼:
	// Â_2 = 2, Â_1 = −1 + 2/4, Â_0 = −5 − (1/2)/4; R = Â + V.
	t.Run("by hand, with γ = λ = ½", func(t *testing.T) {
		a, r := ppo.GAE(rewards, values, nil, 0, 0.5, 0.5)
		check.NearAll(t, "Â", a, []float64{-5.125, -0.5, 2}, 0)
		check.NearAll(t, "R", r, []float64{2.875, 3.5, 4}, 0)
	})
	t.Run("λ = 0 leaves the temporal-difference error", func(t *testing.T) {
		a, _ := ppo.GAE(rewards, values, nil, 16, 0.5, 0)
		check.NearAll(t, "Â", a, []float64{-5, -1, 10}, 0)
	})
	// G = (1 + 2/2 + 4/4, 2 + 4/2, 4) + 16·(1/8, 1/4, 1/2)
	t.Run("λ = 1 is Monte Carlo: the discounted return less the value, which the return then does not contain",
		func(t *testing.T) {
			a, r := ppo.GAE(rewards, values, nil, 16, 0.5, 1)
			check.NearAll(t, "R", r, []float64{5, 8, 12}, 0)
			check.NearAll(t, "Â", a, []float64{5 - 8, 8 - 4, 12 - 2}, 0)
		})
	t.Run("γ = 0 sees the next reward alone", func(t *testing.T) {
		a, _ := ppo.GAE(rewards, values, nil, 16, 0, 0.95)
		check.NearAll(t, "Â", a, []float64{-7, -2, 2}, 0)
	})
	t.Run("the recursion is the sum of errors and the mixture of k-step estimates", rapid.MakeCheck(func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "T")
		r, v := floatsOf(t, "r", n, 8), floatsOf(t, "V", n, 8)
		last := rapid.Float64Range(-8, 8).Draw(t, "bootstrap")
		gamma, lambda := rapid.Float64Range(0, 1).Draw(t, "γ"), rapid.Float64Range(0, 1).Draw(t, "λ")
		a, _ := ppo.GAE(r, v, nil, last, gamma, lambda)
		for s := range n {
			check.Near(t, "sum", ppo.GAESum(r, v, last, s, gamma, lambda), a[s], gaeBound)
			check.Near(t, "mixture", ppo.GAEMixture(r, v, last, s, gamma, lambda), a[s], gaeBound)
		}
	}))
	// Σ_l (γλ)^l = 1/(1 − 0.855), and 0.855^400 < 1e-27.
	t.Run("a reward of 1 for ever, without values, is worth 1/(1−γλ)", func(t *testing.T) {
		ones := make([]float64, 400)
		for i := range ones {
			ones[i] = 1
		}
		a, _ := ppo.GAE(ones, make([]float64, 400), nil, 0, 0.9, 0.95)
		check.Near(t, "Â", a[0], 6.8965517, 5e-8)
	})
	// V_t = r_t + γ V_{t+1} makes every error 0.
	t.Run("values that are right leave no advantage", func(t *testing.T) {
		for _, lambda := range []float64{0, 0.95, 1} {
			a, r := ppo.GAE(rewards, []float64{3, 4, 4}, nil, 0, 0.5, lambda)
			check.NearAll(t, "Â", a, []float64{0, 0, 0}, 0)
			check.NearAll(t, "R", r, []float64{3, 4, 4}, 0)
		}
	})
	// δ_t is unmoved but the last, which moves by −c, and that arrives as λ^{T−1−t}.
	t.Run("with γ = 1, raising all values but the terminal one by c lowers Â_t by c λ^{T−1−t}", func(t *testing.T) {
		a, _ := ppo.GAE(rewards, values, nil, 0, 1, 0.5)
		b, _ := ppo.GAE(rewards, []float64{8 + 16, 4 + 16, 2 + 16}, nil, 0, 1, 0.5)
		check.NearAll(t, "shift", []float64{b[0] - a[0], b[1] - a[1], b[2] - a[2]}, []float64{-4, -8, -16}, 0)
	})
	t.Run("lengths have to agree", func(t *testing.T) {
		check.Panics(t, "ppo: rewards, values, next, end and mask differ in length", func() {
			ppo.GAE(rewards, values[:2], nil, 0, 1, 1)
		})
		check.Panics(t, "ppo: rewards, values, next, end and mask differ in length", func() {
			ppo.GAE(rewards, values, []float64{1}, 0, 1, 1)
		})
	})
}

func TestGAEOfTrajectories(t *testing.T) {
	t.Run("a trajectory cut off where the value is right loses nothing, one called terminal does", func(t *testing.T) {
		whole, _ := ppo.GAE([]float64{1, 2, 4, 8}, []float64{8, 4, 2, 8}, nil, 0, 0.5, 0.5)
		cut, _ := ppo.GAE(rewards, values, nil, 8, 0.5, 0.5)
		check.NearAll(t, "cut off", cut, whole[:3], 0)
		// γ V_T (γλ)^{T−1−t} is missing.
		dead, _ := ppo.GAE(rewards, values, nil, 0, 0.5, 0.5)
		check.NearAll(t, "terminal", dead, []float64{cut[0] - 4./16, cut[1] - 4./4, cut[2] - 4}, 0)
	})
	t.Run("masked tokens are passed over as if they were not there, whatever they hold",
		rapid.MakeCheck(func(t *rapid.T) {
			n := rapid.IntRange(0, 9).Draw(t, "T")
			r, v := floatsOf(t, "r", n, 8), floatsOf(t, "V", n, 8)
			mask := make([]float64, n)
			var kept []int
			var shortR, shortV []float64
			for i := range mask {
				if rapid.Bool().Draw(t, "kept") {
					mask[i], kept = 1, append(kept, i)
					shortR, shortV = append(shortR, r[i]), append(shortV, v[i])
				} else {
					r[i], v[i] = nan, inf
				}
			}
			a, ret := ppo.GAE(r, v, mask, 3, 0.9, 0.8)
			wantA, wantR := make([]float64, n), make([]float64, n)
			shortA, shortRet := ppo.GAE(shortR, shortV, nil, 3, 0.9, 0.8)
			for i, at := range kept {
				wantA[at], wantR[at] = shortA[i], shortRet[i]
			}
			check.NearAll(t, "Â", a, wantA, 0)
			check.NearAll(t, "R", ret, wantR, 0)
		}))
	// Reward 1 two tokens after the first, V = 0: γλ = ¼ once, where the way through the gap costs
	// (¼)².
	t.Run("a recursion through the gap would weigh by its length, and lose all at γ = 0", func(t *testing.T) {
		r, v := []float64{0, 0, 1}, []float64{0, 0, 0}
		over, _ := ppo.GAE(r, v, []float64{1, 0, 1}, 0, 0.5, 0.5)
		through, _ := ppo.GAE(r, v, nil, 0, 0.5, 0.5)
		check.Near(t, "over the gap", over[0], 0.25, 0)
		check.Near(t, "through it", through[0], 0.0625, 0)
	})
	t.Run("a trajectory without tokens has none, one all masked has zeros", func(t *testing.T) {
		a, r := ppo.GAE(nil, nil, nil, 5, 0.9, 0.95)
		check.NearAll(t, "Â", append(a, r...), nil, 0)
		a, r = ppo.GAE([]float64{nan, 1}, []float64{1, nan}, []float64{0, 0}, 5, 0.9, 0.95)
		check.NearAll(t, "Â and R", append(a, r...), []float64{0, 0, 0, 0}, 0)
	})
}

func TestKStep(t *testing.T) {
	t.Run("one step is the temporal-difference error, all of them Monte Carlo", func(t *testing.T) {
		check.Near(t, "k = 1", ppo.KStep(rewards, values, 16, 0, 1, 0.5), -5, 0)
		check.Near(t, "k = 1 at the end", ppo.KStep(rewards, values, 16, 2, 1, 0.5), 10, 0)
		check.Near(t, "k = 3", ppo.KStep(rewards, values, 16, 0, 3, 0.5), 5-8, 0)
	})
	// Values in between cancel: −V_t + γV_{t+1} + γ(−V_{t+1} + γV_{t+2}) + …
	t.Run("it is the discounted sum of k errors", rapid.MakeCheck(func(t *rapid.T) {
		r, v := floatsOf(t, "r", 6, 8), floatsOf(t, "V", 7, 8)
		gamma := rapid.Float64Range(0, 1).Draw(t, "γ")
		var sum float64
		for k := 1; k <= 6; k++ {
			sum += math.Pow(gamma, float64(k-1)) * ppo.TDError(r[k-1], v[k-1], v[k], gamma)
			check.Near(t, "Â^(k)", ppo.KStep(r, v[:6], v[6], 0, k, gamma), sum, gaeBound)
		}
	}))
	// k → ∞ with V bounded: γ^k V → 0. Rewards of 1 and γ = ½: Σ_{l<k} 2^{−l} = 2 − 2^{1−k}.
	t.Run("as k grows it becomes the discounted return less the value", func(t *testing.T) {
		ones, eights := make([]float64, 60), make([]float64, 60)
		for i := range ones {
			ones[i], eights[i] = 1, 8
		}
		for k := 1; k <= 60; k++ {
			check.Near(t, "Â^(k)", ppo.KStep(ones, eights, 8, 0, k, 0.5), 2-math.Ldexp(2, -k)+math.Ldexp(8, -k)-8, 0)
		}
		check.Near(t, "Â^(60)", ppo.KStep(ones, eights, 8, 0, 60, 0.5), 2-8, 8*math.Ldexp(1, -60)+8*u)
	})
	t.Run("steps have to lie inside the trajectory", func(t *testing.T) {
		for _, c := range [][2]int{{-1, 1}, {0, 0}, {0, 4}, {3, 1}} {
			check.Panics(t, "ppo: step is not inside the trajectory", func() {
				ppo.KStep(rewards, values, 0, c[0], c[1], 1)
			})
			check.Panics(t, "ppo: step is not inside the trajectory", func() {
				ppo.KStep(rewards, append(values, 1), 0, 0, 1, 1)
			})
		}
	})
}

func TestPrinted(t *testing.T) {
	// γ = λ = ½: the last of n terms should have the weight of n−1 factors, and has that of n+1.
	t.Run("the last term has two factors too many", func(t *testing.T) {
		for at := range rewards {
			n := len(rewards) - at
			gamma := math.Pow(0.5, float64(n+1)) - math.Pow(0.5, float64(n-1))
			both := math.Pow(0.25, float64(n+1)) - math.Pow(0.25, float64(n-1))
			check.Near(t, "(10)", ppo.KStepPrinted(rewards, values, 16, at, 0.5),
				ppo.KStep(rewards, values, 16, at, n, 0.5)+gamma*4, 0)
			check.Near(t, "(11)", ppo.GAESumPrinted(rewards, values, 16, at, 0.5, 0.5),
				ppo.GAESum(rewards, values, 16, at, 0.5, 0.5)+both*10, 0)
		}
	})
	// Literal sums, as one reads them: T = 3, t = 0 has the exponents 0, 1, and then T−t+1 = 4.
	t.Run("by hand, −V_0 + r_0 + γ r_1 + γ⁴ r_2 + γ³ V_3, and δ_0 + (γλ) δ_1 + (γλ)⁴ δ_2", func(t *testing.T) {
		check.Near(t, "(10)", ppo.KStepPrinted(rewards, values, 16, 0, 0.5), -8+1+1+4./16+2, 0)
		check.Near(t, "(11)", ppo.GAESumPrinted(rewards, values, 16, 0, 0.5, 0.5), -5-1./4+10./256, 0)
	})
	t.Run("without discount the exponents do not matter", func(t *testing.T) {
		check.Near(t, "(10)", ppo.KStepPrinted(rewards, values, 16, 0, 1), ppo.KStep(rewards, values, 16, 0, 3, 1), 0)
		check.Near(t, "(11)", ppo.GAESumPrinted(rewards, values, 16, 0, 1, 1),
			ppo.GAESum(rewards, values, 16, 0, 1, 1), 0)
	})
	t.Run("for λ = 1 the two should be one, and as printed are not", func(t *testing.T) {
		check.Near(t, "meant", ppo.KStep(rewards, values, 16, 0, 3, 0.5), ppo.GAESum(rewards, values, 16, 0, 0.5, 1), 0)
		check.Apart(t, "printed", ppo.KStepPrinted(rewards, values, 16, 0, 0.5),
			ppo.GAESumPrinted(rewards, values, 16, 0, 0.5, 1), 1)
	})
	t.Run("values that are right leave an advantage in the printed (10)", func(t *testing.T) {
		right := []float64{3, 4, 4}
		check.Near(t, "meant", ppo.KStep(rewards, right, 0, 0, 3, 0.5), 0, 0)
		check.Near(t, "printed", ppo.KStepPrinted(rewards, right, 0, 0, 0.5), (1./16-1./4)*4, 0)
	})
}

func TestShapedRewards(t *testing.T) {
	const bootstrap = 16
	t.Run("with the values as potential they are the temporal-difference errors, and discounting them by γλ is the "+
		"estimator", func(t *testing.T) {
		shaped := ppo.ShapedRewards(rewards, values, bootstrap, 0.5)
		check.NearAll(t, "r̃", shaped, []float64{-5, -1, 10}, 0)
		want, _ := ppo.GAE(rewards, values, nil, bootstrap, 0.5, 0.5)
		got, _ := ppo.GAE(shaped, make([]float64, 3), nil, 0, 0.5, 0.5)
		check.NearAll(t, "Â", got, want, 0)
	})
	// γ Φ_{t+1} of one step and −Φ_{t+1} of the next, discounted once more, cancel: (21).
	t.Run("their discounted sum is that of the rewards less the potential, whatever the potential",
		rapid.MakeCheck(func(t *rapid.T) {
			r, potential := floatsOf(t, "r", 6, 8), floatsOf(t, "Φ", 6, 8)
			gamma := rapid.Float64Range(0, 1).Draw(t, "γ")
			_, g := ppo.GAE(r, make([]float64, 6), nil, 0, gamma, 1)
			_, shaped := ppo.GAE(ppo.ShapedRewards(r, potential, 0, gamma), make([]float64, 6), nil, 0, gamma, 1)
			for i := range g {
				check.Near(t, "Σ γ^l r̃", shaped[i], g[i]-potential[i], gaeBound)
			}
		}))
	// Values of the shaped problem are V − Φ: δ̃ = r + γΦ' − Φ + γ(V' − Φ') − (V − Φ) = δ.
	t.Run("with values that know of it no advantage changes", rapid.MakeCheck(func(t *rapid.T) {
		r, v, potential := floatsOf(t, "r", 6, 8), floatsOf(t, "V", 6, 8), floatsOf(t, "Φ", 6, 8)
		left := make([]float64, 6)
		for i := range left {
			left[i] = v[i] - potential[i]
		}
		want, _ := ppo.GAE(r, v, nil, 0, 0.9, 0.8)
		got, _ := ppo.GAE(ppo.ShapedRewards(r, potential, 0, 0.9), left, nil, 0, 0.9, 0.8)
		check.NearAll(t, "Â", got, want, gaeBound)
	}))
	t.Run("lengths have to agree", func(t *testing.T) {
		check.Panics(t, "ppo: rewards, values, next, end and mask differ in length", func() {
			ppo.ShapedRewards(rewards, nil, 0, 1)
		})
	})
}

func TestGAEEpisodes(t *testing.T) {
	t.Run("episodes in a row are as each by itself, cut off or terminal", rapid.MakeCheck(func(t *rapid.T) {
		var r, v, next, wantA, wantR []float64
		var end []bool
		for range rapid.IntRange(0, 3).Draw(t, "episodes") {
			n := rapid.IntRange(1, 4).Draw(t, "T")
			er, ev := floatsOf(t, "r", n, 8), floatsOf(t, "V", n, 8)
			last := rapid.SampledFrom([]float64{0, 5}).Draw(t, "value after the last step")
			r, v, next = append(r, er...), append(v, ev...), append(append(next, ev[1:]...), last)
			end = append(append(end, make([]bool, n-1)...), true)
			a, ret := ppo.GAE(er, ev, nil, last, 0.9, 0.95)
			wantA, wantR = append(wantA, a...), append(wantR, ret...)
		}
		a, ret := ppo.GAEEpisodes(r, v, next, end, 0.9, 0.95)
		check.NearAll(t, "Â", a, wantA, 0)
		check.NearAll(t, "R", ret, wantR, 0)
	}))
	t.Run("a row that goes on beyond its end is cut off there", func(t *testing.T) {
		a, _ := ppo.GAEEpisodes(rewards, values, []float64{4, 2, 16}, make([]bool, 3), 0.5, 0.5)
		want, _ := ppo.GAE(rewards, values, nil, 16, 0.5, 0.5)
		check.NearAll(t, "Â", a, want, 0)
	})
	t.Run("lengths have to agree", func(t *testing.T) {
		end := make([]bool, 3)
		for _, f := range []func(){
			func() { ppo.GAEEpisodes(rewards, nil, values, end, 1, 1) },
			func() { ppo.GAEEpisodes(rewards, values, nil, end, 1, 1) },
			func() { ppo.GAEEpisodes(rewards, values, values, nil, 1, 1) },
		} {
			check.Panics(t, "ppo: rewards, values, next, end and mask differ in length", f)
		}
	})
}

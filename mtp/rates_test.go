package mtp_test

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"

	"plumbline/internal/check"
	"plumbline/mtp"
)

// distribution returns a random one over n tokens.
func distribution(seed uint64, n int) []float64 {
	return mtp.Distribution(check.Random(seed, n, 2), 1)
}

func TestAcceptanceRate(t *testing.T) {
	t.Run("it is the expectation of min(1, p/q) over drafts, and 1 − TV(p, q)", func(t *testing.T) {
		for seed := range uint64(20) {
			p, q := distribution(2*seed, 9), distribution(2*seed+1, 9)
			var expected float64
			for x := range q {
				expected += q[x] * mtp.AcceptProbability(p[x], q[x])
			}
			alpha := mtp.AcceptanceRate(p, q)
			check.Near(t, "α", alpha, expected, 32*u)
			check.Near(t, "1 − TV", 1-mtp.TotalVariation(p, q), alpha, 64*u) // p and q sum to 1 up to 16 u each
		}
	})
	t.Run("where draft and model agree it is 1, where they share nothing 0", func(t *testing.T) {
		p := []float64{0.5, 0.5, 0}
		check.Near(t, "p = q", mtp.AcceptanceRate(p, p), 1, 0)
		check.Near(t, "apart", mtp.AcceptanceRate(p, []float64{0, 0, 1}), 0, 0)
		check.Near(t, "TV", mtp.TotalVariation(p, []float64{0, 0, 1}), 1, 0)
	})
	t.Run("which of both drafts does not matter", func(t *testing.T) {
		p, q := distribution(1, 9), distribution(2, 9)
		check.Near(t, "α", mtp.AcceptanceRate(p, q), mtp.AcceptanceRate(q, p), 0)
		check.Near(t, "TV", mtp.TotalVariation(p, q), mtp.TotalVariation(q, p), 0)
	})
	t.Run("two samples compared agree less often, even of the same distribution", func(t *testing.T) {
		p := []float64{0.5, 0.25, 0.25}
		check.Near(t, "Σ p²", floats.Dot(p, p), 0.375, 0)
		check.Near(t, "Σ min", mtp.AcceptanceRate(p, p), 1, 0)
	})
	t.Run("lengths have to agree", func(t *testing.T) {
		check.Panics(t, badShapes, func() { mtp.AcceptanceRate([]float64{1}, nil) })
		check.Panics(t, badShapes, func() { mtp.TotalVariation([]float64{1}, nil) })
	})
}

func TestEmitted(t *testing.T) {
	t.Run("what comes out has the distribution p, exactly where the quotients are", func(t *testing.T) {
		q := []float64{0.5, 0.25, 0.125, 0.125} // powers of two: p/q is exact
		for _, p := range shares(4, 16) {
			check.NearAll(t, fmt.Sprint(p), mtp.Emitted(over(p, 16), q), over(p, 16), 0)
		}
	})
	t.Run("and up to rounding for any two, a draft that is sure or lacks tokens among them", func(t *testing.T) {
		for seed := range uint64(20) {
			p, q := distribution(2*seed, 9), distribution(2*seed+1, 9)
			check.NearAll(t, "e", mtp.Emitted(p, q), p, 64*u)
		}
		check.NearAll(t, "one", mtp.Emitted([]float64{0.2, 0.8}, []float64{1, 0}), []float64{0.2, 0.8}, 4*u)
		check.NearAll(t, "agreed", mtp.Emitted([]float64{0.2, 0.8}, []float64{0.2, 0.8}), []float64{0.2, 0.8}, 4*u)
	})
	t.Run("replacing from p would emit min(p, q) + (1 − α) p: too much of what the draft likes", func(t *testing.T) {
		p, q := []float64{0.5, 0.25, 0.25}, []float64{0.25, 0.5, 0.25}
		alpha := mtp.AcceptanceRate(p, q)
		check.Near(t, "α", alpha, 0.75, 0)
		check.Apart(t, "token 1", min(p[1], q[1])+(1-alpha)*p[1], mtp.Emitted(p, q)[1], 0.05)
	})
}

func TestExpectedTokens(t *testing.T) {
	t.Run("it is (1 − α^{γ+1})/(1 − α)", func(t *testing.T) {
		for gamma := range 9 {
			for _, alpha := range []float64{0, 0.1, 0.5, 0.85, 0.9} {
				// 1 − α is exact to 2u of it where α ≤ 0.9, and a power of γ+1 to some u.
				want := (1 - math.Pow(alpha, float64(gamma+1))) / (1 - alpha)
				check.Near(t, fmt.Sprint(alpha, gamma), mtp.ExpectedTokens(alpha, gamma), want, 64*u*want)
			}
		}
	})
	t.Run("with nothing kept it is 1, with all kept γ+1, where the quotient is 0/0", func(t *testing.T) {
		for gamma := range 9 {
			check.Near(t, "α = 0", mtp.ExpectedTokens(0, gamma), 1, 0)
			check.Near(t, "α = 1", mtp.ExpectedTokens(1, gamma), float64(gamma+1), 0)
		}
	})
	// P(n tokens) = α^{n−1}(1−α) for n ≤ γ, α^γ for γ+1.
	t.Run("it is the mean over how many are kept", func(t *testing.T) {
		const alpha, gamma = 0.75, 4
		mean := (gamma + 1) * math.Pow(alpha, gamma)
		for n := 1; n <= gamma; n++ {
			mean += float64(n) * math.Pow(alpha, float64(n-1)) * (1 - alpha)
		}
		check.Near(t, "tokens", mtp.ExpectedTokens(alpha, gamma), mean, 16*u)
	})
	t.Run("with one drafted token, as DeepSeek-V3 has it, 85 to 90 % give 1.85 to 1.90", func(t *testing.T) {
		check.Near(t, "85 %", mtp.ExpectedTokens(0.85, 1), 1.85, 0)
		check.Near(t, "90 %", mtp.ExpectedTokens(0.90, 1), 1.90, 0)
	})
	t.Run("a chain of equal rates is the same; of others each counts with those before it", func(t *testing.T) {
		check.Near(t, "equal", mtp.ExpectedOfChain([]float64{0.7, 0.7, 0.7}), mtp.ExpectedTokens(0.7, 3), 0)
		check.Near(t, "others", mtp.ExpectedOfChain([]float64{0.5, 0.25, 0.5}), 1+0.5+0.125+0.0625, 0)
		check.Near(t, "after one that is never kept", mtp.ExpectedOfChain([]float64{0, 1, 1}), 1, 0)
		check.Near(t, "no draft", mtp.ExpectedOfChain(nil), 1, 0)
	})
}

func TestSpeedup(t *testing.T) {
	t.Run("a draft that costs nothing gains what it yields, one that is never kept loses its cost", func(t *testing.T) {
		check.Near(t, "free", mtp.Speedup(0.8, 3, 0), mtp.ExpectedTokens(0.8, 3), 0)
		check.Near(t, "refused", mtp.Speedup(0, 3, 0.5), 1/2.5, 0)
	})
	t.Run("one drafted token gains (1+α)/(1+c): something if α > c, nothing if α = c", func(t *testing.T) {
		check.Near(t, "α > c", mtp.Speedup(0.75, 1, 0.25), 1.4, 2*u)
		check.Near(t, "α = c", mtp.Speedup(0.25, 1, 0.25), 1, 0)
	})
	t.Run("a draft that is as good and as dear as the model gains nothing", func(t *testing.T) {
		for gamma := range 5 {
			check.Near(t, "S", mtp.Speedup(1, gamma, 1), 1, 0)
		}
	})
	t.Run("more is not always better: with c = 0.1 and α = 0.6 three or so is best", func(t *testing.T) {
		best := 0
		for gamma := range 12 {
			if mtp.Speedup(0.6, gamma, 0.1) > mtp.Speedup(0.6, best, 0.1) {
				best = gamma
			}
		}
		check.Near(t, "γ", float64(best), 3, 0)
	})
}

func TestCostRatio(t *testing.T) {
	t.Run("it undoes Speedup", func(t *testing.T) {
		for gamma := 1; gamma < 5; gamma++ {
			got := mtp.CostRatio(mtp.ExpectedTokens(0.8, gamma), mtp.Speedup(0.8, gamma, 0.1), gamma)
			check.Near(t, "c", got, 0.1, 16*u)
		}
	})
	// The reported 85 to 90 % and 1.8 times the tokens per second; a module is one layer of 62 and
	// a head, 1/61 = 1.6 %, so that the rest is what verifying two tokens takes longer than one.
	t.Run("DeepSeek-V3's 1.8 times the tokens per second imply 2.8 to 5.6 % of a step", func(t *testing.T) {
		check.Near(t, "at 85 %", mtp.CostRatio(mtp.ExpectedTokens(0.85, 1), 1.8, 1), 0.0278, 5e-5)
		check.Near(t, "at 90 %", mtp.CostRatio(mtp.ExpectedTokens(0.90, 1), 1.8, 1), 0.0556, 5e-5)
		if mtp.CostRatio(mtp.ExpectedTokens(0.85, 1), 1.8, 1) < 1./61 {
			t.Error("less than a layer's share")
		}
	})
	// 2.5 of 3 kept and the one that follows: 3.5 tokens a run.
	t.Run("three parallel heads, 2.5 accepted and 3.0 times the speed imply 5.6 % each", func(t *testing.T) {
		check.Near(t, "c", mtp.CostRatio(3.5, 3.0, 3), 1./18, 4*u)
	})
}

func TestLatency(t *testing.T) {
	t.Run("it is what a step takes over what it yields, Speedup the quotient of two", func(t *testing.T) {
		plain := mtp.Latency(0, 2, 1)
		drafted := mtp.Latency(3*0.25*2, 2, mtp.ExpectedTokens(0.5, 3))
		check.Near(t, "plain", plain, 2, 0)
		check.Near(t, "quotient", plain/drafted, mtp.Speedup(0.5, 3, 0.25), 4*u)
	})
}

func TestDraftLength(t *testing.T) {
	free := func(int) float64 { return 1 }
	dear := func(tokens int) float64 { return 1 / float64(tokens) }

	t.Run("where verifying costs nothing, all are worth it, however unlikely", func(t *testing.T) {
		check.Near(t, "length", float64(mtp.DraftLength([]float64{0.5, 0, 1}, free)), 3, 0)
	})
	t.Run("where every token costs as much as a step, only what is sure is", func(t *testing.T) {
		check.Near(t, "sure", float64(mtp.DraftLength([]float64{1, 1, 1}, dear)), 3, 0)
		check.Near(t, "not sure", float64(mtp.DraftLength([]float64{0.9, 1, 1}, dear)), 0, 0)
	})
	// With 10/(9+B) steps: τ = 1, 1.9, 1.99, 2.08 over 10, 11, 12, 13: 0.1, 0.173, 0.166, 0.16.
	t.Run("it stops at the first decline, by hand", func(t *testing.T) {
		steps := func(tokens int) float64 { return 10 / float64(9+tokens) }
		check.Near(t, "length", float64(mtp.DraftLength([]float64{0.9, 0.1, 1}, steps)), 1, 0)
	})
	// τ = 1, 1.5, 1.75, not 2, for steps of 1, 0.7, 0.58: 1, 1.05, 1.015.
	t.Run("a token counts with those before it", func(t *testing.T) {
		steps := func(tokens int) float64 { return []float64{0, 1, 0.7, 0.58}[tokens] }
		check.Near(t, "length", float64(mtp.DraftLength([]float64{0.5, 0.5}, steps)), 1, 0)
	})
	// Steps get dear at three tokens and free again at four: it may not look there.
	t.Run("it does not look ahead", func(t *testing.T) {
		steps := func(tokens int) float64 { return []float64{0, 1, 1, 0.1, 1}[tokens] }
		check.Near(t, "length", float64(mtp.DraftLength([]float64{1, 1, 1}, steps)), 1, 0)
	})
	t.Run("no draft, nothing to verify", func(t *testing.T) {
		check.Near(t, "length", float64(mtp.DraftLength(nil, free)), 0, 0)
	})
}

func TestPositionWeights(t *testing.T) {
	t.Run("the first counts 1, each after it e^{−1/γ} of the one before", func(t *testing.T) {
		w := mtp.PositionWeights(5, 4)
		check.Near(t, "w_1", w[0], 1, 0)
		for k := 1; k < 5; k++ {
			check.Near(t, "quotient", w[k]/w[k-1], math.Exp(-0.25), 8*u)
		}
	})
}

package dpo

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/numbers/logistic"
	"plumbline/policy"
)

func TestPreference(t *testing.T) {
	t.Run("equal rewards are a coin's toss, exactly", func(t *testing.T) {
		check.Near(t, "p", Preference(3, 3), 0.5, 0)
	})
	t.Run("rewards ln 3 apart are preferred three times in four", func(t *testing.T) {
		check.Near(t, "p", Preference(1+math.Log(3), 1), 0.75, 2*u)
	})
	t.Run("it is the literal form where that holds", rapid.MakeCheck(func(t *rapid.T) {
		// Two exponentials, a sum and a quotient against one exponential of a rounded difference:
		// the exponents are up to 100.
		r1, r2 := rapid.Float64Range(-50, 50).Draw(t, "r1"), rapid.Float64Range(-50, 50).Draw(t, "r2")
		p := PreferenceLiteral(r1, r2)
		check.Near(t, "p", Preference(r1, r2), p, 110*u*p)
	}))
	t.Run("the literal form is no number for rewards of a thousand", func(t *testing.T) {
		if !math.IsNaN(PreferenceLiteral(1000, 1000)) || !math.IsNaN(PreferenceLiteral(-1000, -1000)) {
			t.Error("the literal form did not fail")
		}
		check.Near(t, "p", Preference(1000, 1000), 0.5, 0)
	})
	t.Run("a constant on both rewards changes nothing", func(t *testing.T) {
		check.Near(t, "p", Preference(2.5+64, 1.25+64), Preference(2.5, 1.25), 0)
	})
}

func TestRewardLoss(t *testing.T) {
	t.Run("equal rewards cost ln 2 and are pushed apart with one half", func(t *testing.T) {
		loss, d := RewardLoss(1.5, 1.5)
		check.Near(t, "loss", loss, math.Ln2, u)
		check.Near(t, "derivative", d, -0.5, 0)
	})
	t.Run("it is minus the logarithm of the preference", func(t *testing.T) {
		loss, _ := RewardLoss(0.7, 1.9)
		check.Near(t, "loss", loss, -math.Log(Preference(0.7, 1.9)), 4*u)
	})
	t.Run("its derivative is that of the chosen reward, and minus that of the rejected one", func(t *testing.T) {
		_, d := RewardLoss(0.7, 1.9)
		loss := func(r []float64) float64 { l, _ := RewardLoss(r[0], r[1]); return l }
		check.NearAll(t, "gradient", check.Gradient(loss, []float64{0.7, 1.9}),
			[]float64{d, -d}, check.DifferenceBound(2, 4))
	})
	t.Run("rewards a thousand apart are finite", func(t *testing.T) {
		loss, d := RewardLoss(-500, 500)
		check.Near(t, "loss", loss, 1000, 0)
		check.Near(t, "derivative", d, -1, 0)
	})
}

// problem is a prompt with six responses: what the reference gives them, what they are worth, and
// β.
func problem(t *rapid.T) (logref, r []float64, beta float64) {
	seed := rapid.Uint64().Draw(t, "seed")
	return distribution(seed, 6), check.Random(seed+1, 6, 2), rapid.Float64Range(0.1, 10).Draw(t, "β")
}

// bound6 is for six terms whose exponents r/β and logarithms are up to 25: 6 sums and an
// exponential each of a relative 25u, in units of β log Z.
const bound6 = 6 * 25 * 4 * u

func TestOptimum(t *testing.T) {
	t.Run("it is a policy", rapid.MakeCheck(func(t *rapid.T) {
		check.Near(t, "Σ π_r", mass(Optimum(problem(t))), 1, bound6)
	}))
	t.Run("its objective is β log Z", rapid.MakeCheck(func(t *rapid.T) {
		// log(π_r/π_ref) = r/β − log Z, so that r − β log(π_r/π_ref) = β log Z for every response.
		logref, r, beta := problem(t)
		want := beta * LogPartition(logref, r, beta)
		check.Near(t, "J(π_r)", Objective(Optimum(logref, r, beta), logref, r, beta), want, max(beta, 2)*bound6)
	}))
	t.Run("any other policy falls short of that by β KL(π‖π_r)", rapid.MakeCheck(func(t *rapid.T) {
		// J(π) = Σ π (r − β log(π/π_ref)) = Σ π (β log Z + β log(π_r/π)). So the optimum is one.
		logref, r, beta := problem(t)
		logpi := distribution(rapid.Uint64().Draw(t, "π"), 6)
		want := beta*LogPartition(logref, r, beta) - beta*policy.KL(logpi, Optimum(logref, r, beta))
		check.Near(t, "J(π)", Objective(logpi, logref, r, beta), want, max(beta, 2)*bound6)
	}))
	t.Run("rewards all alike leave the reference as it is", func(t *testing.T) {
		logref := distribution(1, 6)
		check.NearAll(t, "log π_r", Optimum(logref, []float64{3, 3, 3, 3, 3, 3}, 0.5), logref, bound6)
	})
	t.Run("with two responses it is the logistic function of their difference over β", func(t *testing.T) {
		half := []float64{-math.Ln2, -math.Ln2}
		check.Near(t, "π_r", math.Exp(Optimum(half, []float64{1, 0}, 0.25)[0]), logistic.Sigmoid(4), 16*u)
	})
	t.Run("great β keeps the reference, small β takes the best response", func(t *testing.T) {
		logref, r := distribution(1, 3), []float64{0, 1, 0.5}
		check.NearAll(t, "log π_r", Optimum(logref, r, 1e9), logref, 2e-9)
		check.Near(t, "best", Optimum(logref, r, 1e-3)[1], 0, 1e-100)
	})
	t.Run("what the reference excludes stays excluded", func(t *testing.T) {
		got := Optimum([]float64{0, math.Inf(-1)}, []float64{0, 100}, 1)
		check.NearAll(t, "log π_r", got[:1], []float64{0}, 0)
		if !math.IsInf(got[1], -1) {
			t.Errorf("got %v", got)
		}
	})
	t.Run("rewards of a thousand times β are finite", func(t *testing.T) {
		check.NearAll(t, "log π_r", Optimum([]float64{-math.Ln2, -math.Ln2}, []float64{100, -100}, 0.1),
			[]float64{0, -2000}, 2000*2*u)
	})
}

func TestLogPartition(t *testing.T) {
	t.Run("rewards all alike give r/β", func(t *testing.T) {
		check.Near(t, "log Z", LogPartition(distribution(2, 6), []float64{3, 3, 3, 3, 3, 3}, 2), 1.5, bound6)
	})
	t.Run("great β makes β log Z the mean reward under the reference", func(t *testing.T) {
		// β log Σ π_ref (1 + r/β + r²/2β² …) = E r + Var r/2β + …
		logref, r := []float64{-math.Ln2, -math.Ln2}, []float64{3, 1}
		check.Near(t, "β log Z", 1e6*LogPartition(logref, r, 1e6), 2+0.5e-6, 1e6*8*u)
	})
	t.Run("numbers of responses that differ are refused", func(t *testing.T) {
		check.Panics(t, badResponses, func() { LogPartition([]float64{0}, []float64{0, 1}, 1) })
	})
}

func TestObjective(t *testing.T) {
	t.Run("at the reference it is the mean reward", func(t *testing.T) {
		half := []float64{-math.Ln2, -math.Ln2}
		check.Near(t, "J", Objective(half, half, []float64{1, 5}, 7), 3, 4*u)
	})
	t.Run("a response without probability adds nothing, even if the reference excludes it", func(t *testing.T) {
		none := math.Inf(-1)
		check.Near(t, "J", Objective([]float64{0, none}, []float64{0, none}, []float64{2, 9}, 1), 2, 0)
	})
	t.Run("a response that only the reference excludes is forbidden", func(t *testing.T) {
		both, first := []float64{-math.Ln2, -math.Ln2}, []float64{0, math.Inf(-1)}
		if got := Objective(both, first, []float64{0, 0}, 1); !math.IsInf(got, -1) {
			t.Errorf("got %v", got)
		}
	})
	t.Run("numbers of responses that differ are refused", func(t *testing.T) {
		check.Panics(t, badResponses, func() { Objective([]float64{0}, []float64{0, 1}, []float64{0}, 1) })
		check.Panics(t, badResponses, func() { Objective([]float64{0}, []float64{0}, []float64{0, 1}, 1) })
	})
}

func TestReward(t *testing.T) {
	t.Run("the best policy for a reward gives it back", rapid.MakeCheck(func(t *rapid.T) {
		logref, r, beta := problem(t)
		logpi, logZ := Optimum(logref, r, beta), LogPartition(logref, r, beta)
		for y := range r {
			check.Near(t, "r", Reward(logpi[y], logref[y], beta, logZ), r[y], max(beta, 2)*bound6)
		}
	}))
	t.Run("without log Z it is the implicit reward", func(t *testing.T) {
		check.Near(t, "r̂", Reward(-3, -5, 0.5, 0), ImplicitReward(-3, -5, 0.5), 0)
	})
}

func TestImplicitReward(t *testing.T) {
	t.Run("at the reference it is zero", func(t *testing.T) {
		check.Near(t, "r̂", ImplicitReward(-12.5, -12.5, 0.1), 0, 0)
	})
	t.Run("it is β for each nat the policy has risen", func(t *testing.T) {
		check.Near(t, "r̂", ImplicitReward(-3, -5, 0.25), 0.5, 0)
	})
}

func TestPolicyPreference(t *testing.T) {
	t.Run("of the best policy it is the preference of the rewards behind it", rapid.MakeCheck(func(t *rapid.T) {
		logref, r, beta := problem(t)
		logpi := Optimum(logref, r, beta)
		got := PolicyPreference(ImplicitReward(logpi[0], logref[0], beta), ImplicitReward(logpi[1], logref[1], beta))
		check.Near(t, "p", got, Preference(r[0], r[1]), max(beta, 2)*bound6)
	}))
	t.Run("at the reference it is one half", func(t *testing.T) {
		check.Near(t, "p", PolicyPreference(0, 0), 0.5, 0)
	})
}

func TestProjectReward(t *testing.T) {
	t.Run("it is the reward that the best policy implies", rapid.MakeCheck(func(t *rapid.T) {
		logref, r, beta := problem(t)
		logpi, f := Optimum(logref, r, beta), ProjectReward(logref, r, beta)
		for y := range r {
			check.Near(t, "f", f[y], ImplicitReward(logpi[y], logref[y], beta), max(beta, 2)*bound6)
		}
	}))
	t.Run("a constant on all rewards goes away", func(t *testing.T) {
		logref := distribution(3, 3)
		check.NearAll(t, "f", ProjectReward(logref, []float64{65, 66, 64}, 1),
			ProjectReward(logref, []float64{1, 2, 0}, 1), 64*16*u)
	})
	t.Run("twice is once", func(t *testing.T) {
		logref := distribution(3, 3)
		once := ProjectReward(logref, []float64{1, 2, 0}, 0.5)
		check.NearAll(t, "f", ProjectReward(logref, once, 0.5), once, bound6)
	})
}

func TestMass(t *testing.T) {
	t.Run("a reward that a policy implies has mass one", rapid.MakeCheck(func(t *rapid.T) {
		logref, r, beta := problem(t)
		check.Near(t, "mass", Mass(logref, ProjectReward(logref, r, beta), beta), 1, 4*bound6)
	}))
	t.Run("a constant reward has e^{r/β}", func(t *testing.T) {
		check.Near(t, "mass", Mass([]float64{-math.Ln2, -math.Ln2}, []float64{1, 1}, 0.5),
			math.Exp(2), 16*u*math.Exp(2))
	})
}

func TestActorCriticObjective(t *testing.T) {
	t.Run("it is −β KL(π‖π_r), and so at most zero", rapid.MakeCheck(func(t *rapid.T) {
		logref, r, beta := problem(t)
		logpi := distribution(rapid.Uint64().Draw(t, "π"), 6)
		got := ActorCriticObjective(logpi, logref, r, beta)
		check.Near(t, "J", got, -beta*policy.KL(logpi, Optimum(logref, r, beta)), max(beta, 2)*bound6)
	}))
	t.Run("it is Objective less β log Z, whatever the policy", rapid.MakeCheck(func(t *rapid.T) {
		// So both have the same gradient: the soft value is a baseline.
		logref, r, beta := problem(t)
		logpi := distribution(rapid.Uint64().Draw(t, "π"), 6)
		got := Objective(logpi, logref, r, beta) - ActorCriticObjective(logpi, logref, r, beta)
		check.Near(t, "J − J'", got, beta*LogPartition(logref, r, beta), max(beta, 2)*bound6)
	}))
}

func TestObjectiveLimits(t *testing.T) {
	inf := math.Inf(1)
	t.Run("an excluded response adds nothing, a reference that excludes one makes it −∞, however rare",
		func(t *testing.T) {
			check.Near(t, "J", Objective([]float64{0, -inf}, []float64{0, -inf}, []float64{2, inf}, 1), 2, 0)
			check.Near(t, "J", Objective([]float64{0, -800}, []float64{0, -inf}, []float64{2, 0}, 1), -inf, 0)
			check.Near(t, "J without a price", Objective([]float64{0, -800}, []float64{0, -inf}, []float64{2, 0}, 0),
				2, 0)
		})
	// p = (½+h, ½−h) against (½, ½): KL = 2h² (1 + 2h²/3 + …).
	t.Run("beside the reference the price is of second order, and never a gain", func(t *testing.T) {
		const h = 1e-8
		logpi := []float64{math.Log1p(2*h) - math.Ln2, math.Log1p(-2*h) - math.Ln2}
		j := Objective(logpi, []float64{-math.Ln2, -math.Ln2}, []float64{0, 0}, 1)
		check.Near(t, "J", j, -2*h*h, 2*h*h*32*check.U/h)
	})
}

package grpo

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
	"plumbline/policy"
)

// binary returns the rewards of a group of G of which k are right.
func binary(k, g int) []float64 {
	r := make([]float64, g)
	for i := range k {
		r[i] = 1
	}
	return r
}

// squares returns Σ x².
func squares(x []float64) (s float64) {
	for _, v := range x {
		s += v * v
	}
	return s
}

func TestNormalize(t *testing.T) {
	t.Run("k of G right: √((1−p)/p) for the right, −√(p/(1−p)) for the wrong, p = k/G", func(t *testing.T) {
		// mean p, variance p(1−p)² + (1−p)p² = p(1−p); (1−p)/√(p(1−p)) and −p/√(p(1−p)).
		for g := 2; g <= 17; g++ {
			for k := 1; k < g; k++ {
				p := float64(k) / float64(g)
				a := Normalize(binary(k, g), Population, 0)
				right, wrong := math.Sqrt((1-p)/p), -math.Sqrt(p/(1-p))
				check.Near(t, "right", a[0], right, 64*u*right)
				check.Near(t, "wrong", a[g-1], wrong, -64*u*wrong)
			}
		}
	})
	t.Run("advantages sum to zero, their squares to G, or G−1 with the sample's deviation",
		rapid.MakeCheck(func(t *rapid.T) {
			r := rapid.SliceOfN(rapid.Float64Range(-1, 1), 2, 20).Draw(t, "r")
			if squares(Centered(r)) < 1e-6 {
				t.Skip("rewards all alike")
			}
			g := float64(len(r))
			population, sample := Normalize(r, Population, 0), Normalize(r, Sample, 0)
			check.Near(t, "Σ", sum(population), 0, 1e3*g*g*u)
			check.Near(t, "Σ²", squares(population), g, 8*g*g*u)
			check.Near(t, "Σ² of the sample's", squares(sample), g-1, 8*g*g*u)
		}))
	t.Run("two outputs have ±1, or ±1/√2 with the sample's deviation, however far apart", func(t *testing.T) {
		for _, d := range []float64{1e-9, 0.1, 7} {
			check.NearAll(t, "population", Normalize([]float64{2 + d, 2}, Population, 0), []float64{1, -1}, 2*u)
			check.NearAll(t, "sample", Normalize([]float64{2, 2 + d}, Sample, 0),
				[]float64{-math.Sqrt(0.5), math.Sqrt(0.5)}, 4*u)
		}
	})
	t.Run("the two deviations differ by √((G−1)/G): 0.935 of 8 outputs, 0.707 of 2", func(t *testing.T) {
		for g, factor := range map[int]float64{8: 0.935, 2: 0.707} {
			r := binary(1, g)
			got := Normalize(r, Sample, 0)[0] / Normalize(r, Population, 0)[0]
			check.Near(t, "factor", got, math.Sqrt(float64(g-1)/float64(g)), 8*u)
			check.Near(t, "factor", got, factor, 0.0005)
		}
	})
	t.Run("rewards times four plus eight have the same advantages, to the bit; less than zero times turns them round",
		func(t *testing.T) {
			r := []float64{0.25, 1, 0.5, 0, 0.75}
			want := Normalize(r, Population, 0)
			scaled, turned := make([]float64, 5), make([]float64, 5)
			for i := range r {
				scaled[i], turned[i] = 4*r[i]+8, -r[i]
			}
			check.NearAll(t, "4r+8", Normalize(scaled, Population, 0), want, 0)
			for i, a := range Normalize(turned, Population, 0) {
				check.Near(t, "−r", a, -want[i], 0)
			}
		})
	t.Run("equal rewards have advantage 0 exactly, with ε and without", func(t *testing.T) {
		// The mean of three times 0.1 as a sum over three is not 0.1; divided by the deviation that
		// it leaves it would be ±1.
		r := 0.1
		if (r+r+r)/3 == r {
			t.Fatal("the mean of this reward is exact, choose another")
		}
		for _, std := range []Std{Population, Sample, None} {
			for _, eps := range []float64{0, 1e-6} {
				check.NearAll(t, std.String(), Normalize([]float64{r, r, r}, std, eps), []float64{0, 0, 0}, 0)
			}
		}
	})
	t.Run("a group of one has mean 0 and deviation 1", func(t *testing.T) {
		check.NearAll(t, "population", Normalize([]float64{3}, Population, 0), []float64{3}, 0)
		check.NearAll(t, "sample", Normalize([]float64{3}, Sample, 0.5), []float64{2}, 0)
		check.NearAll(t, "none", Normalize([]float64{3}, None, 0.5), []float64{3}, 0)
	})
	t.Run("no outputs have no advantages", func(t *testing.T) {
		check.NearAll(t, "none", Normalize(nil, Population, 0), nil, 0)
	})
	t.Run("ε is added to the deviation and counts where rewards are nearly equal", func(t *testing.T) {
		// Of 0 and d the deviation is d/2, the advantage (d/2)/(d/2 + ε).
		check.NearAll(t, "ε = 1/2", Normalize([]float64{1, 0}, Population, 0.5), []float64{0.5, -0.5}, 0)
		trl := Normalize([]float64{1e-4, 0}, Sample, 1e-4)[0]
		verl := Normalize([]float64{1e-4, 0}, Sample, 1e-6)[0]
		check.Near(t, "TRL's", trl, 0.5/(math.Sqrt(0.5)+1), 1e-14)
		check.Near(t, "verl's", verl, 0.5/(math.Sqrt(0.5)+0.01), 1e-14)
		check.Apart(t, "TRL's and verl's", trl, verl, 0.4)
	})
	t.Run("without division it is the distance from the mean, whatever ε", func(t *testing.T) {
		check.NearAll(t, "none", Normalize([]float64{1, 0, 0, 1, 0.5}, None, 7), []float64{0.5, -0.5, -0.5, 0.5, 0}, u)
	})
	t.Run("a kind of deviation has the name that recordings use", func(t *testing.T) {
		for std, name := range map[Std]string{Population: "population", Sample: "sample", None: "none", 9: "unknown"} {
			if std.String() != name {
				t.Errorf("got %q, want %q", std, name)
			}
		}
	})
}

func TestCentered(t *testing.T) {
	t.Run("it is the reward less the mean, and 0 for an output alone", func(t *testing.T) {
		check.NearAll(t, "A", Centered([]float64{1, 2, 6}), []float64{-2, -1, 3}, 8*u)
		check.NearAll(t, "alone", Centered([]float64{5}), []float64{0}, 0)
	})
	t.Run("a reward that is the mean has 0, whatever the size of the group", func(t *testing.T) {
		for n := 3; n < 100; n += 2 {
			rewards := make([]float64, n)
			for i := range rewards {
				rewards[i] = float64(i%3) / 2 // 0, ½, 1, …
			}
			rewards = rewards[:n-n%3]
			for i, a := range Centered(rewards) {
				if rewards[i] == 0.5 && a != 0 {
					t.Errorf("%d rewards: output %d has %v", len(rewards), i, a)
				}
			}
		}
	})
	t.Run("a right answer counts the same in an easy group and in a hard one only without division",
		func(t *testing.T) {
			// With division a lone right answer of 16 has √15, one of 16 wrong −√15; the reward's
			// distance from the mean is 15/16 both times.
			hard, easy := binary(1, 16), binary(15, 16)
			check.Near(t, "hard", Centered(hard)[0], 15.0/16, 0)
			check.Near(t, "easy", Centered(easy)[15], -15.0/16, 4*u)
			check.Near(t, "hard, divided", Normalize(hard, Population, 0)[0], math.Sqrt(15), 16*u)
			check.Near(t, "middle, divided", Normalize(binary(8, 16), Population, 0)[0], 1, 0)
		})
}

func TestNormalizeRange(t *testing.T) {
	t.Run("a power of two on all rewards changes nothing, to the bit, up to the ends of the range of numbers",
		func(t *testing.T) {
			rewards := []float64{1, 0, -0.5, 3}
			for _, std := range []Std{Population, Sample} {
				want := Normalize(rewards, std, 0)
				for _, k := range []int{-1000, -600, 0, 600, 1020} {
					far := make([]float64, len(rewards))
					for i, r := range rewards {
						far[i] = math.Ldexp(r, k)
					}
					check.NearAll(t, std.String(), Normalize(far, std, 0), want, 0)
				}
			}
		})
}

func TestAdvantage(t *testing.T) {
	rewards := []float64{1, 10, 0, 30, 0, 20, 4}
	group := []int{7, -2, 7, -2, 7, -2, 5}
	got := Advantage(rewards, group, Population, 0)

	t.Run("each group stands for itself, wherever its outputs are", func(t *testing.T) {
		first, second := Normalize([]float64{1, 0, 0}, Population, 0), Normalize([]float64{10, 30, 20}, Population, 0)
		check.NearAll(t, "Â", got, []float64{first[0], second[0], first[1], second[1], first[2], second[2], 4}, 0)
	})
	t.Run("statistics of the whole batch are others, and the same for one question", func(t *testing.T) {
		check.Apart(t, "the right output of the first question", Normalize(rewards, Population, 0)[0], got[0], 1.5)
		check.NearAll(t, "one question", Advantage(rewards, make([]int, 7), Sample, 0.1),
			Normalize(rewards, Sample, 0.1), 0)
	})
	t.Run("numbers that differ are refused", func(t *testing.T) {
		check.Panics(t, badGroups, func() { Advantage(rewards, group[1:], Population, 0) })
	})
}

func TestProcessAdvantage(t *testing.T) {
	t.Run("with one step that ends with the output it is outcome supervision", func(t *testing.T) {
		outputs := []Steps{{[]float64{1}, []int{2}}, {[]float64{0}, []int{0}}, {[]float64{0.5}, []int{1}}}
		got := ProcessAdvantage(outputs, []int{3, 1, 2}, Population, 0)
		for i, a := range Normalize([]float64{1, 0, 0.5}, Population, 0) {
			check.NearAll(t, "Â", got[i], constant(len(got[i]), a), 0)
		}
	})
	t.Run("a token has the sum of the steps that end at it or after it, normalised over all steps of all outputs",
		func(t *testing.T) {
			// Rewards 1, 1 | 0, 0: mean ½, deviation ½, so that r̃ is ±1. Tokens up to a step's end
			// count it.
			outputs := []Steps{{[]float64{1, 1}, []int{1, 3}}, {[]float64{0, 0}, []int{0, 2}}}
			got := ProcessAdvantage(outputs, []int{5, 3}, Population, 0)
			check.NearAll(t, "first", got[0], []float64{2, 2, 1, 1, 0}, 0)
			check.NearAll(t, "second", got[1], []float64{-2, -1, -1}, 0)
		})
	t.Run("an output without steps has nothing to come, and no say in the mean", func(t *testing.T) {
		got := ProcessAdvantage([]Steps{{[]float64{1, 3}, []int{0, 1}}, {}}, []int{2, 2}, Population, 0)
		check.NearAll(t, "with", got[0], []float64{0, 1}, 0)
		check.NearAll(t, "without", got[1], []float64{0, 0}, 0)
	})
	t.Run("steps that do not fit are refused", func(t *testing.T) {
		for name, f := range map[string]func(){
			"lengths": func() { ProcessAdvantage([]Steps{{}}, nil, Population, 0) },
			"ends":    func() { ProcessAdvantage([]Steps{{[]float64{1}, nil}}, []int{1}, Population, 0) },
			"beyond":  func() { ProcessAdvantage([]Steps{{[]float64{1}, []int{1}}}, []int{1}, Population, 0) },
			"before":  func() { ProcessAdvantage([]Steps{{[]float64{1}, []int{-1}}}, []int{1}, Population, 0) },
		} {
			t.Run(name, func(t *testing.T) { check.Panics(t, badSteps, f) })
		}
	})
}

func TestRLOO(t *testing.T) {
	t.Run("it is G/(G−1) times Dr. GRPO's", rapid.MakeCheck(func(t *rapid.T) {
		// r_i − (Σr − r_i)/(G−1) = (G r_i − Σr)/(G−1) = G/(G−1) (r_i − mean).
		r := rapid.SliceOfN(rapid.Float64Range(-1, 1), 2, 20).Draw(t, "r")
		g, centered := float64(len(r)), Centered(r)
		for i, a := range RLOO(r) {
			check.Near(t, "A", a, g/(g-1)*centered[i], 4*(g+4)*u)
		}
	}))
	t.Run("of two outputs it is their difference", func(t *testing.T) {
		check.NearAll(t, "A", RLOO([]float64{0.75, 0.25}), []float64{0.5, -0.5}, 0)
	})
	t.Run("its policy gradient is that of the reward, Dr. GRPO's is (G−1)/G of that, GRPO's is none of it",
		func(t *testing.T) {
			// All 27 groups of three answers, each with its probability:
			// E[1/G Σ_i A_i ∇ log π(o_i)].
			z, reward := []float64{0.3, -0.4, 0.9}, []float64{1, 0.5, 0}
			want := expected(z, func(o int) float64 { return reward[o] })
			leave, centered, normalized := groups(z, reward, RLOO), groups(z, reward, Centered),
				groups(z, reward, func(r []float64) []float64 { return Normalize(r, Population, 0) })
			for k := range z {
				check.Near(t, "RLOO", leave[k], want[k], 32*u)
				check.Near(t, "Dr. GRPO", centered[k], want[k]*2/3, 32*u)
			}
			check.Apart(t, "direction of GRPO's", normalized[0]/normalized[1], want[0]/want[1], 0.1)
		})
}

// groups returns E[1/3 Σ_i A_i ∇ log π(o_i)] over all groups of three answers.
func groups(z, reward []float64, advantage func(r []float64) []float64) []float64 {
	return expected(z, func(a int) float64 {
		var mean float64 // of the first output's advantage over the others; by symmetry all three contribute alike
		p := policy.LogSoftmax(z, 1)
		for b := range z {
			for c := range z {
				mean += math.Exp(p[b]+p[c]) * advantage([]float64{reward[a], reward[b], reward[c]})[0]
			}
		}
		return mean
	})
}

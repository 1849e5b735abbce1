package story

import (
	"math"
	"slices"
	"sync"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/moe"
	"plumbline/mtp"
	"plumbline/policy"
)

func TestPPO(t *testing.T) {
	t.Parallel()
	d := newDice(2, 0)
	m := newFour(d)
	before := m.clone()
	r := m.roll([]int{0, 1, 2}, d)
	t.Run("the first update has minus the mean advantage and the policy gradient", func(t *testing.T) {
		loss, dz := r.policyLoss(m.policy)
		check.Near(t, "loss", loss, -floats.Sum(r.advantages)/3, 1e-15)
		z := m.policy.forward(r.tokens)
		for i, token := range r.response() {
			want := policy.LogProbBackward(z.RawRowView(2+i), token, 1)
			floats.Scale(-r.advantages[i]/3, want)
			check.NearAll(t, "dz", dz.RawRowView(2+i), want, 1e-15)
		}
	})
	t.Run("the response that is told has a score below 0 and advantages above", func(t *testing.T) {
		d := newDice(1, 0)
		r := newFour(d).roll([]int{0, 1, 2}, d)
		if r.score > 0 || slices.Min(r.advantages) < 0 {
			t.Errorf("score %v, advantages %v", r.score, r.advantages)
		}
	})
	t.Run("rewards add up to the score less β times the log-ratio of the response", func(t *testing.T) {
		want := r.score - ppoBeta*(floats.Sum(r.old)-floats.Sum(r.ref))
		check.Near(t, "sum", floats.Sum(r.rewards()), want, 1e-14)
	})
	t.Run("gradients are those of differences", func(t *testing.T) {
		_, dz := r.policyLoss(m.policy)
		differ(t, m.policy, m.policy.backward(r.tokens, dz), r.policyLoss)
		_, dv := r.valueLoss(m.value)
		differ(t, m.value, m.value.backward(r.tokens, dv), r.valueLoss)
	})
	t.Run("policy and value model move, reference and reward model do not", func(t *testing.T) {
		tellUpdates(&sheet{}, m, r)
		moved := []float64{
			m.policy.moved(before.policy), m.value.moved(before.value),
			m.reference.moved(before.reference), m.reward.moved(before.reward),
		}
		if moved[0] == 0 || moved[1] == 0 || moved[2] != 0 || moved[3] != 0 {
			t.Errorf("moved by %v", moved)
		}
	})
}

// differ compares a gradient with differences of the loss.
func differ(t *testing.T, n, dn network, loss func(n network) (float64, *mat.Dense)) {
	t.Helper()
	for _, part := range [][2]*mat.Dense{{n.embedding, dn.embedding}, {n.head, dn.head}} {
		w := part[0].RawMatrix().Data
		start := slices.Clone(w)
		numeric := check.Gradient(func(x []float64) float64 {
			copy(w, x)
			l, _ := loss(n)
			return l
		}, start)
		copy(w, start)
		check.NearAll(t, "gradient", part[1].RawMatrix().Data, numeric, 1e-5)
	}
}

func TestBandit(t *testing.T) {
	t.Parallel()
	for _, r := range rungs {
		t.Run(r.name+" finds the best arm", func(t *testing.T) {
			p := r.play(8, newDice(5, 0))
			if p.best[pulls] < 0.8 || p.best[pulls] > 1 {
				t.Errorf("probability %.3f after %d pulls", p.best[pulls], pulls)
			}
		})
	}
	t.Run("every rung has as many pulls", func(t *testing.T) {
		for _, r := range rungs {
			one, pulled, d := r.start(), 0, newDice(1, 0)
			one.learn(func(int) float64 { pulled++; return d.normal() }, d)
			if pulled != batch {
				t.Errorf("%s: %d pulls in a batch", r.name, pulled)
			}
		}
	})
}

func TestGRPO(t *testing.T) {
	t.Parallel()
	var ends []state // of GRPO, Dr. GRPO and DAPO
	for _, v := range variants()[:3] {
		ends = append(ends, trained(v))
	}
	t.Run("a group that is all right teaches nothing, and DAPO samples anew until it gives up", func(t *testing.T) {
		right := thinker()
		for _, question := range questions {
			right.rows[question] = newLine([]float64{0, -1e3, -1e3, -1e3})
			right.rows[pace(slices.Index(questions, question), rightIdea)] = newLine([]float64{-1e3, 0})
		}
		for _, v := range variants() {
			v.beta = 0
			m := right.clone()
			if sampled := v.step(m, right, newDice(1, 0)); (sampled == 3) == v.dynamic {
				t.Errorf("%s: %d groups sampled", v.name, sampled)
			}
			if x := look(m, right); x.kl != 0 || x.reward != 1 {
				t.Errorf("%s: %+v after a step", v.name, x)
			}
		}
	})
	t.Run("under GRPO right answers shrink and wrong ones grow, under Dr. GRPO wrong ones stay", func(t *testing.T) {
		start, one, two := look(thinker(), thinker()), ends[0], ends[1]
		if one.right > 0.7*start.right || one.wrong < 1.3*start.wrong || math.Abs(two.wrong/start.wrong-1) > 0.1 {
			t.Errorf("start %+v, GRPO %+v, Dr. GRPO %+v", start, one, two)
		}
	})
	t.Run("DAPO's penalty shortens right answers", func(t *testing.T) {
		free := variants()[2]
		free.overlong = false
		if without := trained(free); ends[2].right > without.right-0.3 {
			t.Errorf("%+v with, %+v without", ends[2], without)
		}
	})
	// E[1/|o|] = Σ_n p^n s/(n+2) for n steps before the stop, with s the probability of a stop and
	// p = 1−s; all lengths but those that are cut off.
	t.Run("the pull of 1/|o| is the gradient of its mean", func(t *testing.T) {
		inverse := func(length float64) float64 { return 1 / length }
		mean := func(z []float64) (sum float64) {
			p := mtp.Distribution(z, 1)
			for n := range longest - 2 {
				sum += math.Pow(p[goOn], float64(n)) * p[stop] / float64(n+2)
			}
			return sum
		}
		z := thinker().row(pace(0, rightIdea)).z
		want := check.Gradient(func(x []float64) float64 { return mean([]float64{z[goOn], x[0]}) }, []float64{z[stop]})
		check.Near(t, "pull", pullOfStop(z, inverse), want[0], 1e-6)
	})
}

// trained returns where a variant ends.
func trained(v variant) state {
	m, d := thinker(), newDice(7, 0)
	for range grpoSteps {
		v.step(m, thinker(), d)
	}
	return look(m, thinker())
}

// What look works out is what samples show: with 3000 answers to each question a mean is off by
// little more than 3 σ/√3000.
func TestLook(t *testing.T) {
	t.Parallel()
	m, ref, d := thinker(), thinker(), newDice(8, 0)
	for range 60 {
		variants()[0].step(m, ref, d)
	}
	x := look(m, ref)
	var reward, kl, right, lengths float64
	const n = 9000
	for i := range n {
		o := m.write(i%3, d)
		reward += correct(o) / n
		for t, logold := range ref.logprobs(o) {
			kl += policy.K1(o.old[t], logold) / n
		}
		if o.tokens[0] == rightIdea {
			right++
			lengths += float64(len(o.tokens))
		}
	}
	check.Near(t, "reward", reward, x.reward, 0.01)
	check.Near(t, "KL", kl, x.kl, 0.05)
	check.Near(t, "length of right answers", lengths/right, x.right, 0.05)
}

// toldR1 is the story of R1 with nudged dice, and the models that it leaves.
var toldR1 = sync.OnceValues(func() (*sheet, *family) {
	s := &sheet{}
	return s, tellR1(s, newDice(1, 1e-12))
})

func TestR1(t *testing.T) {
	t.Parallel()
	_, f := toldR1()
	d := newDice(9, 0)
	is := func(m *table) measured { return measure(m, f.base, d) }
	zero, cold, reasoner, selected, r1 := is(f.zero), is(f.cold), is(f.reasoner), is(f.selected), is(f.r1)
	small, alone, distilled := is(f.small), is(f.alone), is(f.distilled)
	for name, holds := range map[string]bool{
		"RL by rules alone makes the base model right":         zero.accuracy > 0.75 && is(f.base).accuracy < 0.4,
		"and makes its answers longer":                         zero.length > is(f.base).length+1,
		"without a rule for it languages stay mixed":           zero.language < 0.75,
		"a cold start teaches the form":                        cold.format > 3*is(f.base).format,
		"RL makes it more right":                               reasoner.accuracy > cold.accuracy+0.1,
		"SFT on selected answers beats the model they come of": selected.reward > reasoner.reward,
		"R1 is right, in form and in English":                  min(r1.accuracy, r1.format, r1.language) > 0.9,
		"the student passes the rule":                          distilled.accuracy > 0.9 && distilled.format > 0.9,
		"RL alone does not bring it there":                     alone.accuracy < distilled.accuracy-0.2,
		"the small base knows next to nothing":                 small.accuracy < 0.3,
	} {
		if !holds {
			t.Errorf("not so: %s", name)
		}
	}
}

func TestMTP(t *testing.T) {
	t.Parallel()
	m := newDrafter(newDice(3, 0))
	before, beforeFurther := m.losses()
	t.Run("what is drafted and verified is what is written token by token", func(t *testing.T) {
		for _, steps := range []int{0, 3, 20, 40} {
			m.learn(steps)
			got, runs := m.speculate(sentence[:2], written, func([]int, int, int, int, int) {})
			text := slices.Clone(sentence[:2])
			for range written {
				text = append(text, m.next(text))
			}
			if !slices.Equal(got, text) || runs > written+1 {
				t.Errorf("after %d steps more: %v in %d runs, token by token %v", steps, got, runs, text)
			}
		}
	})
	t.Run("both losses fall", func(t *testing.T) {
		if main, further := m.losses(); main > before/2 || further > beforeFurther/2 {
			t.Errorf("%v and %v after training, %v and %v before", main, further, before, beforeFurther)
		}
	})
}

func TestFP8(t *testing.T) {
	t.Parallel()
	d := newDice(4, 0)
	even := func(int) float64 { return 1 }
	x, w := random(128, 128, even, d), random(128, 128, even, d)
	dy := random(128, 128, func(row int) float64 { return math.Pow(10, -6*float64(row)/127) }, d)
	t.Run("float64 is exact, BF16 is off by its roundoff, FP8 by 16 times as much", func(t *testing.T) {
		y := float64s.fprop(x, w)
		bf, f8 := off(bf16.fprop(x, w), y), off(blocks.fprop(x, w), y)
		if off(float64s.fprop(x, w), y) != 0 || bf > 0x1p-8 || f8/bf < 12 || f8/bf > 20 {
			t.Errorf("BF16 %v, FP8 %v", bf, f8)
		}
	})
	t.Run("one scale loses small gradients, a scale for each tile does not", func(t *testing.T) {
		dx := float64s.dgrad(dy, w)
		if one, tiles := off(perMatrix.dgrad(dy, w), dx), off(blocks.dgrad(dy, w), dx); one < 0.1 || tiles > 0.05 {
			t.Errorf("one scale %v, tiles %v", one, tiles)
		}
	})
	t.Run("with scales that are powers of two tiles along tokens cost less", func(t *testing.T) {
		dw := float64s.wgrad(dy, x)
		if e8, any := off(blocksE8.wgrad(dy, x), dw), off(blocks.wgrad(dy, x), dw); e8 >= any {
			t.Errorf("powers of two %v, others %v", e8, any)
		}
	})
	t.Run("wgrad is the gradient of fprop, and so is dgrad", func(t *testing.T) {
		var want mat.Dense
		want.Mul(dy.T(), x)
		check.NearMatrix(t, "dW", float64s.wgrad(dy, x), &want, 1e-12)
		want.Mul(dy, w)
		check.NearMatrix(t, "dX", float64s.dgrad(dy, w), &want, 1e-12)
	})
}

func TestBalance(t *testing.T) {
	t.Parallel()
	vio := func(b balancer) float64 {
		seen := b.train(0)
		return moe.MaxVio(seen[len(seen)-1].load)
	}
	t.Run("the bias balances, a strong loss nearly, a weak one hardly, and nothing not at all", func(t *testing.T) {
		nothing, weak, strong, bias := vio(balancers[0]), vio(balancers[1]), vio(balancers[2]), vio(balancers[3])
		if bias > 0.1 || strong > 0.3 || weak < 1 || nothing < weak {
			t.Errorf("MaxVio %.3f, %.3f, %.3f and %.3f", nothing, weak, strong, bias)
		}
	})
	t.Run("the gradient of the auxiliary loss is that of differences", func(t *testing.T) {
		d := newDice(6, 0)
		l, u := newLayer(d), random(moeTokens, moeWidth, func(int) float64 { return 1 }, d)
		chosen, _ := l.Gate.RouteRows(moe.Logits(u, l.Centroids), l.Bias)
		start := slices.Clone(l.Centroids.RawMatrix().Data)
		want := check.Gradient(func(e []float64) float64 {
			z := moe.Logits(u, mat.NewDense(moeExperts, moeWidth, e))
			return moe.ExpertLoss(moe.NormalizeScores(moe.ScoreRows(z, moe.SigmoidScores)), chosen, 0.5)
		}, start)
		check.NearAll(t, "de", balancer{alpha: 0.5}.auxiliary(&l, u, chosen).RawMatrix().Data, want, 1e-6)
	})
}

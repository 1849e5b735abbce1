package moe

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/internal/check"
)

func TestDeepSeekV2Gate(t *testing.T) {
	g := DeepSeekV2Gate()
	z := check.Random(1, 160, 3)
	experts, weights := g.Route(z, nil)

	t.Run("weights are 16 times the scores, and not normalised", func(t *testing.T) {
		s := SoftmaxScores(z)
		for k, i := range experts {
			check.Near(t, "g", weights[k], 16*s[i], 0)
		}
		check.Apart(t, "Σg", floats.Sum(weights), 16, 1)
	})
	t.Run("they come from 3 groups of 20 at most, those of the highest scores", func(t *testing.T) {
		best := GroupScoresMax(SoftmaxScores(z), 8)
		kept := TopK(best, 3)
		for _, i := range experts {
			if !slices.Contains(kept, i/20) {
				t.Errorf("expert %d of group %d, kept %v", i, i/20, kept)
			}
		}
		if experts[0]/20 != kept[0] {
			t.Errorf("the best expert, %d, is not in the best group, %d", experts[0], kept[0])
		}
	})
	t.Run("a softmax over the kept groups only gives the same experts and larger weights", func(t *testing.T) {
		s := SoftmaxScores(z)
		limited := LimitGroups(z, 8, TopK(GroupScoresMax(s, 8), 3))
		same(t, "experts", TopK(SoftmaxScores(limited), 6), experts)
		if !(16*SoftmaxScores(limited)[experts[0]] > 1.5*weights[0]) {
			t.Errorf("%v and %v", SoftmaxScores(limited)[experts[0]], s[experts[0]])
		}
	})
	t.Run("without groups it is the gate of DeepSeekMoE, times 16", func(t *testing.T) {
		g.TopGroups = 8
		experts, weights := g.Route(z, nil)
		plain, once := DeepSeekMoEGate().Route(z, nil)
		same(t, "experts", experts, plain)
		check.NearAll(t, "g", weights, ScaleWeights(once, 16), 0)
	})
}

func TestDeepSeekV3Gate(t *testing.T) {
	g := DeepSeekV3Gate()
	z, b := check.Random(2, 256, 3), check.Random(3, 256, 0.2)
	experts, weights := g.Route(z, b)

	t.Run("equal logits without a bias choose experts 0 to 7 and weigh 0.3125", func(t *testing.T) {
		// Ties go to the lower index, among groups and among experts; 2.5/8 is exact.
		experts, weights := g.Route(make([]float64, 256), nil)
		same(t, "experts", experts, []int{0, 1, 2, 3, 4, 5, 6, 7})
		check.NearAll(t, "g", weights, []float64{.3125, .3125, .3125, .3125, .3125, .3125, .3125, .3125}, 0)
	})
	t.Run("weights sum to 2.5, from at most 4 groups", rapid.MakeCheck(func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		experts, weights := g.Route(check.Random(seed, 256, 20), check.Random(seed+1, 256, 1))
		check.Near(t, "Σg", floats.Sum(weights), 2.5, 40*u)
		groups := map[int]bool{}
		for _, i := range experts {
			groups[i/32] = true
		}
		if len(groups) > 4 {
			t.Errorf("%d groups", len(groups))
		}
	}))
	t.Run("the bias does not reach the weights while the choice stays", func(t *testing.T) {
		// On the chosen experts only, so that they stay ahead.
		more := slices.Clone(b)
		for _, i := range experts {
			more[i] += 0.125
		}
		again, same8 := g.Route(z, more)
		slices.Sort(again)
		sorted := slices.Clone(experts)
		slices.Sort(sorted)
		same(t, "experts", again, sorted)
		check.Near(t, "largest g", slices.Max(same8), slices.Max(weights), 8*u)
	})
	t.Run("an expert of huge bias is always chosen, and weighs what its score says", func(t *testing.T) {
		b := slices.Clone(b)
		b[200] = 1e6
		experts, weights := g.Route(z, b)
		s := GateValues(SigmoidScores(z), experts)
		same(t, "first", experts[0], 200)
		check.Near(t, "g", weights[0], 2.5*s[0]/floats.Sum(s), 8*u)
	})
	t.Run("one constant on the whole bias changes no choice, with groups either", func(t *testing.T) {
		again, _ := g.Route(z, BiasedScores(b, slices.Repeat([]float64{0.5}, 256)))
		same(t, "experts", again, experts)
	})
	t.Run("as many groups kept as there are is the plain choice", func(t *testing.T) {
		g.TopGroups = g.Groups
		experts, _ := g.Route(z, b)
		same(t, "experts", experts, TopK(BiasedScores(SigmoidScores(z), b), 8))
	})
	t.Run("a bias in the weights would be another gate", func(t *testing.T) {
		s := SigmoidScores(z)
		leaked := g.Weights(BiasedScores(s, b), experts)
		check.Apart(t, "g", leaked[7], weights[7], 0.001)
	})
}

func TestDeepSeekV4Gate(t *testing.T) {
	g := DeepSeekV4Gate()
	t.Run("equal logits weigh 1.5/6 each", func(t *testing.T) {
		experts, weights := g.Route(make([]float64, 256), nil)
		same(t, "experts", experts, []int{0, 1, 2, 3, 4, 5})
		check.NearAll(t, "g", weights, slices.Repeat([]float64{0.25}, 6), 4*u)
	})
	t.Run("large logits weigh like their roots", func(t *testing.T) {
		// √100 : √400 = 1 : 2; the others have scores of e^−200 each.
		z := slices.Repeat([]float64{-400}, 8)
		z[2], z[5] = 100, 400
		_, weights := g.Route(z, nil)
		check.NearAll(t, "g", weights[:2], []float64{1, 0.5}, 8*u)
	})
}

func TestMixtralGate(t *testing.T) {
	t.Run("it is the softmax over the two chosen logits", rapid.MakeCheck(func(t *rapid.T) {
		// e^{z_i}/Σ over all, over the same of two, is e^{z_i}/Σ over two.
		// Logits that differ do so by 1/8 at least: nearer ones can be one as scores, see below.
		z := make([]float64, 8)
		for i := range z {
			z[i] = float64(rapid.IntRange(-160, 160).Draw(t, "8 z")) / 8
		}
		experts, weights := MixtralGate().Route(z, nil)
		check.NearAll(t, "g", weights, GateValues(TopKSoftmax(z, 2), experts), 50*u)
	}))
	t.Run("logits that differ by less than a rounding of the scores are a tie as scores", func(t *testing.T) {
		// e^{z − max} is 1 − 1/4 ulp, which is 1.
		z := []float64{-0x1p-55, 0, -1}
		same(t, "of scores", TopK(SoftmaxScores(z), 1), []int{0})
		same(t, "of logits", TopK(z, 1), []int{1})
	})
	t.Run("not normalised it is not", func(t *testing.T) {
		g := MixtralGate()
		g.Normalize = false
		_, weights := g.Route(make([]float64, 8), nil)
		check.NearAll(t, "g", weights, []float64{.125, .125}, 0)
	})
}

func TestSelect(t *testing.T) {
	t.Run("a bias on logits ranks otherwise than one on scores", func(t *testing.T) {
		// Scores of logits (0, −1) are .731 and .269, .462 apart: a bias of 1/2 turns the order, on
		// logits it does not.
		z, b := []float64{0, -1}, []float64{0, 0.5}
		g := Gate{Score: SoftmaxScores, TopK: 1, Scale: 1}
		same(t, "on scores", g.Select(SoftmaxScores(z), b), []int{1})
		same(t, "on logits", TopK(BiasedScores(z, b), 1), []int{0})
	})
	t.Run("the bias takes part in the choice of groups too", func(t *testing.T) {
		// Maxima are .6 and .5 of the scores, .6 and .8 with the bias.
		g := Gate{TopK: 1, Groups: 2, TopGroups: 1, GroupScore: GroupScoresMax}
		same(t, "without", g.Select([]float64{.6, .5, .5, .4}, nil), []int{0})
		same(t, "with", g.Select([]float64{.6, .5, .5, .4}, []float64{0, 0, 0, .4}), []int{3})
	})
	t.Run("with as few live experts as are wanted none is chosen twice", func(t *testing.T) {
		g := Gate{TopK: 3, Groups: 4, TopGroups: 1, GroupScore: GroupScoresMax}
		same(t, "chosen", g.Select([]float64{1, 2, 9, 8, 3, 4, 0, 0}, nil), []int{2, 3, 0})
	})
}

func TestRouteByTable(t *testing.T) {
	g, table := DeepSeekV4Gate(), [][]int{{0, 1}, {4, 2}}
	z := check.Random(4, 6, 2)
	t.Run("logits that change places leave the experts and move the weights", func(t *testing.T) {
		experts, weights := g.RouteByTable(z, table, 1)
		turned := slices.Clone(z)
		slices.Reverse(turned)
		again, others := g.RouteByTable(turned, table, 1)
		same(t, "experts", again, experts)
		check.Apart(t, "g", others[0], weights[0], 0.01)
		check.Near(t, "Σg", floats.Sum(others), 1.5, 8*u)
	})
}

func TestRouteBackward(t *testing.T) {
	for name, g := range map[string]Gate{
		"DeepSeekMoE": DeepSeekMoEGate(), "DeepSeek-V2": DeepSeekV2Gate(), "DeepSeek-V3": DeepSeekV3Gate(),
		"DeepSeek-V4": DeepSeekV4Gate(), "Mixtral": MixtralGate(),
	} {
		for with, eps := range map[string]float64{"without ε": 0, "with ε": 0.5} {
			t.Run(name+": it is the slope of the weights, "+with, func(t *testing.T) {
				g := g
				g.NormEps = eps
				z, b, dw := check.Random(5, 32, 3), check.Random(6, 32, 0.2), check.Random(7, g.TopK, 1)
				loss := func(z []float64) float64 { _, w := g.Route(z, b); return floats.Dot(dw, w) }
				experts, _ := g.Route(z, b)
				got := g.RouteBackward(z, experts, dw)
				check.NearAll(t, "dz", got, check.Gradient(loss, z), check.DifferenceBound(20, 100))
			})
		}
	}
	t.Run("sigmoid scores move the chosen logits only, a softmax all of them", func(t *testing.T) {
		moved := func(g Gate) (n int) {
			g.TopK = 2
			for _, d := range g.RouteBackward(check.Random(8, 8, 1), []int{3, 5}, []float64{1, 0}) {
				if d != 0 {
					n++
				}
			}
			return n
		}
		same(t, "sigmoid", moved(DeepSeekV3Gate()), 2)
		same(t, "softmax", moved(DeepSeekMoEGate()), 8)
	})
	t.Run("normalised weights that are asked for alike move nothing", func(t *testing.T) {
		g := DeepSeekV3Gate()
		dz := g.RouteBackward(check.Random(9, 8, 1), []int{3, 5}, []float64{1, 1})
		check.NearAll(t, "dz", dz, make([]float64, 8), 8*u)
	})
}

func TestRouteRows(t *testing.T) {
	t.Run("each token is routed by itself", func(t *testing.T) {
		g, z, b := MixtralGate(), random(10, 5, 8), check.Random(11, 8, 1)
		experts, weights := g.RouteRows(z, b)
		for n := range 5 {
			e, w := g.Route(mat.Row(nil, n, z), b)
			same(t, "experts", experts[n], e)
			check.NearAll(t, "g", weights[n], w, 0)
		}
	})
}

// The paper counts the ways to choose experts: fine experts can be combined in many more.
func TestCombinations(t *testing.T) {
	t.Run("2 of 16 are 120 ways, 8 of 64 are 4,426,165,368", func(t *testing.T) {
		for _, c := range []struct {
			n, k int
			want float64
		}{{16, 2, 120}, {64, 8, 4426165368}} {
			ways := 1.0
			for i := range c.k {
				ways = ways * float64(c.n-i) / float64(i+1) // exact: a whole number after each step
			}
			check.Near(t, "ways", ways, c.want, 0)
		}
		check.Near(t, "by logarithms", math.Round(math.Exp(lgamma(17)-lgamma(3)-lgamma(15))), 120, 0)
	})
}

func lgamma(x float64) float64 { l, _ := math.Lgamma(x); return l }

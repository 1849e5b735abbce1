package moe

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
)

// # The balancing bias
//
// DeepSeek-V3 keeps its experts evenly used with a bias b that takes part in the choice alone, and
// moves it after each step of training: down where the load c_i is above the mean c̄, up where it
// is below.
//
//	chosen_t = Topk({s_{t,i} + b_i}, K),  b_i ← b_i + γ sign(c̄ − c_i)
//
// The papers give it as a rule. It can be derived: it is descent on an upper bound of the best even
// assignment. Here are six tokens, three experts and K = 1, so that all 729 assignments can be
// listed, 90 of them even. Loss-Free Balancing (Wang et al. 2024), algorithm 1, and DeepSeek-V3
// (16).
func TestDerivationBalancingBias(t *testing.T) {
	s := random(91, 6, 3)
	all := assignments(6, 3)
	best := math.Inf(-1) // total score of the best even assignment
	for _, a := range all {
		if slices.Equal(Loads(a, 3), []int{2, 2, 2}) {
			best = max(best, total(s, a))
		}
	}

	// A sum of K of a token's numbers is greatest for the K greatest of them. The bias adds what it
	// is to every token that an expert is given.
	//
	//	Σ_t Σ_{i ∈ chosen_t} (s_{t,i} + b_i) = max over assignments of Σ s + Σ_i b_i c_i
	t.Run("to choose by biased scores is to maximise the total score plus bias times load", func(t *testing.T) {
		for seed := range uint64(20) {
			b, most := check.Random(seed, 3, 1), math.Inf(-1)
			for _, a := range all {
				most = max(most, total(s, a)+paid(b, a))
			}
			chosen := biased(s, b)
			check.Near(t, "Σ s + Σ b c", total(s, chosen)+paid(b, chosen), most, 32*u)
		}
	})

	// Want the greatest total score with even loads, and give each expert a price for being off:
	// the Lagrangian, with b for its multipliers. Without the constraint the maximum can only be
	// greater, whatever the prices.
	//
	//	D(b) = max over all assignments of Σ s + Σ_i b_i (c_i − c̄) ≥ the best even assignment
	t.Run("that maximum, less what even loads would pay, is a bound on the best even assignment", func(t *testing.T) {
		for seed := range uint64(100) {
			if d := dual(s, check.Random(seed, 3, 2)); d < best-32*u {
				t.Errorf("D = %v, the best even assignment has %v", d, best)
			}
		}
	})

	// Where the choice does not change, D is linear in b, with the loads for coefficients. Where it
	// changes D has a kink, and is convex: it is a maximum of linear functions.
	//
	//	∂D/∂b_i = c_i − c̄
	t.Run("the slope of that bound is how much the load is off the mean", func(t *testing.T) {
		for seed := range uint64(20) {
			b := check.Random(seed, 3, 1)
			slope := check.Gradient(func(b []float64) float64 { return dual(s, b) }, b)
			for i, c := range Loads(biased(s, b), 3) {
				check.Near(t, "∂D/∂b", slope[i], float64(c-2), check.DifferenceBound(8, 16))
			}
		}
	})

	// A step against the slope is the rule in proportion to the load. The rule that DeepSeek-V3
	// runs keeps the signs of it: a step of one size, whatever the batch.
	//
	//	b − γ ∇D = b + γ (c̄ − c),  b + γ sign(c̄ − c)
	t.Run("so descent on it is the rule of the bias", func(t *testing.T) {
		b := check.Random(3, 3, 1)
		load := Loads(biased(s, b), 3)
		slope := check.Gradient(func(b []float64) float64 { return dual(s, b) }, b)
		for i, moved := range BiasProportional(b, load, 0.01) {
			check.Near(t, "in proportion", moved, b[i]-0.01*slope[i], check.DifferenceBound(0.08, 16))
		}
		for i, moved := range BiasSign(b, load, 0.01) {
			if load[i] != 2 && (moved-b[i])*slope[i] >= 0 {
				t.Errorf("expert %d does not go down the slope", i)
			}
		}
	})

	// The bottom of D is the best even assignment, with nothing between the two: for sums over
	// pairs prices are enough. From no bias, small steps come to it.
	//
	//	min_b D(b) = max over even assignments of Σ s
	t.Run("where it comes to rest loads are even, and no even choice has more score", func(t *testing.T) {
		b := make([]float64, 3)
		if start := Loads(biased(s, b), 3); MaxVio(start) == 0 {
			t.Fatalf("loads are even without a bias: %v", start)
		}
		for range 400 {
			b = BiasSign(b, Loads(biased(s, b), 3), 0.005)
		}
		chosen := biased(s, b)
		check.Near(t, "MaxVio", MaxVio(Loads(chosen, 3)), 0, 0)
		check.Near(t, "Σ s", total(s, chosen), best, 32*u)
		check.Near(t, "D", dual(s, b), best, 64*u)
	})

	// A balance loss would push on the scores themselves, and so on what the experts add up to. The
	// bias decides who is asked, not what an answer weighs, and no gradient goes through it.
	//
	//	g_i = s_i / Σ_j s_j over the chosen j, without b
	t.Run("weights are of the scores without the bias: of the same experts they are the same", func(t *testing.T) {
		g, z, b := Gate{Score: SigmoidScores, TopK: 2, Normalize: true, Scale: 1}, check.Random(92, 4, 2),
			[]float64{1, 0, 0, -1}
		scores := SigmoidScores(z)
		chosen, weights := g.Route(z, b)
		check.NearAll(t, "g", weights, g.Weights(scores, chosen), 0)
		check.Near(t, "Σ g", floats.Sum(weights), 1, 4*u)
		if without, _ := g.Route(z, nil); slices.Equal(without, chosen) {
			t.Error("the bias changes no choice here")
		}
	})

	// A step of fixed size overshoots by up to its own, and where tokens are all alike no price
	// tells one from another: all go over at once, and all come back. Then D has its bottom at a
	// kink, and the choice on either side of it is not even.
	//
	//	s_{t,i} = s_i for all t:  c = (T, 0), (0, T), (T, 0), …
	t.Run("but tokens that are all alike are not divided: they go from expert to expert together", func(t *testing.T) {
		alike, b := mat.NewDense(6, 2, slices.Repeat([]float64{0.5, 0.25}, 6)), []float64{0, 0}
		var loads [][]int
		for range 40 {
			loads = append(loads, Loads(biased(alike, b), 2))
			b = BiasSign(b, loads[len(loads)-1], 1./64)
		}
		for _, load := range loads {
			check.Near(t, "MaxVio", MaxVio(load), 1, 0)
		}
		same(t, "loads, one after the other", loads[36:], [][]int{{6, 0}, {0, 6}, {6, 0}, {0, 6}})
	})
}

// assignments returns all ways to give each token one expert.
func assignments(tokens, experts int) (all [][][]int) {
	if tokens == 0 {
		return [][][]int{nil}
	}
	for _, rest := range assignments(tokens-1, experts) {
		for i := range experts {
			all = append(all, append(slices.Clone(rest), []int{i}))
		}
	}
	return all
}

// total returns the sum of the scores of an assignment.
func total(s *mat.Dense, chosen [][]int) (sum float64) {
	for t, experts := range chosen {
		for _, i := range experts {
			sum += s.At(t, i)
		}
	}
	return sum
}

// paid returns Σ_i b_i c_i.
func paid(b []float64, chosen [][]int) (sum float64) {
	for i, c := range Loads(chosen, len(b)) {
		sum += b[i] * float64(c)
	}
	return sum
}

// biased returns the expert of each token that has the highest biased score.
func biased(s *mat.Dense, b []float64) (chosen [][]int) {
	for t := range s.RawMatrix().Rows {
		chosen = append(chosen, TopK(BiasedScores(s.RawRowView(t), b), 1))
	}
	return chosen
}

// dual returns D(b): what is chosen, and what is paid for loads that are not even.
func dual(s *mat.Dense, b []float64) float64 {
	chosen := biased(s, b)
	even := float64(len(chosen)) / float64(len(b))
	return total(s, chosen) + paid(b, chosen) - even*floats.Sum(b)
}

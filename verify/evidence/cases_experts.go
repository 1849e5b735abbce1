package evidence

import (
	"cmp"
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

// Criteria that cases alone have.
const (
	flashInferTies = 1.0  // flashinfer, test_dsv3_fused_routing.py: spread of biased scores that ties in bf16
	sglangOff      = 1e-3 // SGLang, test_fused_topk_deepseek.py: what makes an entry wrong
	sglangMay      = 16   // entries that may be wrong, at least
	deepEPDiff     = 5e-6 // DeepEP, tests/legacy/test_intranode.py: calc_diff of x + 1 and y + 1
	deepEPSize     = 1e-3 // of the data
)

func expertCases() []falsePass {
	const mixture = "normal tokens and weights, 16 tokens, 256 wide, 8 experts of 256 units, 2 a token"
	return []falsePass{
		{"flashinfer 97 %", "the output is 0.35 times what it should be", mixture, "97.9 % pass", outputTimes(0.35)},
		{"flashinfer 97 %", "the output is 1.65 times what it should be", mixture, "97.9 % pass", outputTimes(1.65)},
		{
			"flashinfer routing", "the expert of rank 16 stands for the eighth",
			"normal logits and bias, 256 experts in 8 groups of which 4; 8 tokens for 4000", "99.6 % of tokens pass",
			routedAstray,
		},
		{"SGLang fused topk", "experts 0 to 7, each with weight 1/8", "normal logits, 1 token", "16 of 16", anyExperts},
		{
			"DeepEP calc_diff(+1)", "the output is zeros", mixture + ", outputs of 1e-3", "5e-7 of 5e-6", smallZeros,
		},
	}
}

func smallZeros() (scene, error) {
	measure := against("y", func(p *Pair) Measure {
		return below(calcDiff(plusOne(p.Got), plusOne(p.reference())), deepEPDiff)
	})
	return withWrong(mixtureOf(21, deepEPSize).Recording, measure, spoils("y", zero))
}

func plusOne(x []float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = v + 1
	}
	return y
}

// mixtureOf makes a mixture of experts whose outputs are of that size.
func mixtureOf(seed uint64, size float64) maker {
	const tokens, experts, inner, width = 16, 8, 256, 256
	m := newMaker("moe.experts", seed)
	m.normal("x", dtype.BF16, 1, tokens, width)
	m.normal("w_gate", dtype.BF16, 1/math.Sqrt(width), experts, inner, width)
	m.normal("w_up", dtype.BF16, 1/math.Sqrt(width), experts, inner, width)
	m.normal("w_down", dtype.BF16, size*3/math.Sqrt(inner), experts, width, inner) // units are about a third
	indices, weights := make([]float64, 0, 2*tokens), tensor.New(tokens, 2)
	for range tokens {
		chosen := m.rng.Perm(experts)
		indices = append(indices, float64(chosen[0]), float64(chosen[1]))
	}
	emulate.Fill(weights.Data, 0.5)
	m.whole("indices", indices, tokens, 2)
	m.Set("weights", dtype.F32, weights)
	return m
}

func outputTimes(factor float64) func() (scene, error) {
	return func() (scene, error) {
		return withWrong(mixtureOf(22, 1).Recording, by("flashinfer 97 %", "y"), spoils("y", times(factor)))
	}
}

// gating is DeepSeek-V3's gate with normal logits and biases.
type gating struct {
	maker
	scores, biased *tensor.Tensor // of each token, for each expert
}

const (
	gateExperts, gateGroups, gateKept, gateChosen = 256, 8, 4, 8
	gateRank                                      = 16 // of the expert that stands for the last one
)

func newGating(seed uint64, tokens int) (g gating, err error) {
	g = gating{maker: newMaker("moe.gate", seed)}
	g.normal("logits", dtype.F32, 1, tokens, gateExperts)
	g.normal("bias", dtype.F32, 1, gateExperts)
	for name, n := range map[string]int{"top_k": gateChosen, "groups": gateGroups, "top_groups": gateKept} {
		g.number(name, float64(n))
	}
	if g.scores, err = g.Tensor("logits"); err != nil {
		return g, err
	}
	bias, err := g.Tensor("bias")
	if err != nil {
		return g, err
	}
	g.biased = tensor.New(tokens, gateExperts)
	for i, z := range g.scores.Data {
		g.scores.Data[i] = 1 / (1 + math.Exp(-z))
		g.biased.Data[i] = g.scores.Data[i] + bias.Data[i%gateExperts]
	}
	return g, nil
}

// ranked returns the experts of the kept groups of a token, best first.
func (g gating) ranked(token int) []int {
	scores := g.biased.Row(token)
	best := func(group int) float64 { // the sum of its two best
		sorted := slices.Clone(emulate.Row(scores, group, gateExperts/gateGroups))
		slices.Sort(sorted)
		return sorted[len(sorted)-1] + sorted[len(sorted)-2]
	}
	groups := emulate.Indices(gateGroups)
	slices.SortFunc(groups, func(a, b int) int { return cmp.Compare(best(b), best(a)) })
	var experts []int
	for _, group := range groups[:gateKept] {
		for e := range gateExperts / gateGroups {
			experts = append(experts, group*gateExperts/gateGroups+e)
		}
	}
	slices.SortFunc(experts, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	return experts
}

// choosing returns a recording in which tokens go to these experts, with the weights of their
// scores.
func (g gating) choosing(right *recording.Recording, experts func(token int) []int) *recording.Recording {
	tokens := g.biased.Shape[0]
	indices, weights := tensor.New(tokens, gateChosen), tensor.New(tokens, gateChosen)
	for t := range tokens {
		var sum float64
		for k, e := range experts(t) {
			indices.Row(t)[k], weights.Row(t)[k] = float64(e), g.scores.Row(t)[e]
			sum += g.scores.Row(t)[e]
		}
		for k := range weights.Row(t) {
			weights.Row(t)[k] /= sum
		}
	}
	wrong := right.Clone()
	wrong.Set("out.indices", dtype.I32, indices)
	wrong.Set("out.weights", dtype.F32, weights)
	return wrong
}

// routedAstray measures the largest spread of the biased scores of experts that are chosen by one
// side alone: below the limit they are taken for ties, and nothing is compared.
func routedAstray() (scene, error) {
	g, err := newGating(23, 8)
	if err != nil {
		return scene{}, err
	}
	measure := func(rec *recording.Recording, _ *trial) (Measure, error) {
		indices, err := rec.Tensor("out.indices")
		if err != nil {
			return Measure{}, err
		}
		var spread float64
		for t := range indices.Shape[0] {
			spread = max(spread, g.spread(t, indices.Row(t)))
		}
		return below(spread, flashInferTies), nil
	}
	return withWrong(g.Recording, measure, func(right *recording.Recording) (*recording.Recording, error) {
		return g.choosing(right, func(token int) []int {
			ranked := g.ranked(token)
			return append(slices.Clone(ranked[:gateChosen-1]), ranked[gateRank-1])
		}), nil
	})
}

// spread is how far apart the biased scores are of the experts that are among the chosen ones or
// among the best ones, and not among both.
func (g gating) spread(token int, chosen []float64) float64 {
	best := g.ranked(token)[:gateChosen]
	low, high := math.Inf(1), math.Inf(-1)
	for e, score := range g.biased.Row(token) {
		if slices.Contains(best, e) != slices.Contains(chosen, float64(e)) {
			low, high = min(low, score), max(high, score)
		}
	}
	return max(high-low, 0)
}

// anyExperts counts the entries of indices and weights that are off.
func anyExperts() (scene, error) {
	g, err := newGating(24, 1)
	if err != nil {
		return scene{}, err
	}
	var right *recording.Recording
	measure := func(rec *recording.Recording, _ *trial) (Measure, error) {
		off := 0
		for _, name := range []string{"out.indices", "out.weights"} {
			x, err := rec.Tensor(name)
			if err != nil {
				return Measure{}, err
			}
			want, err := right.Tensor(name)
			if err != nil {
				return Measure{}, err
			}
			for i := range x.Data {
				if math.Abs(x.Data[i]-want.Data[i]) > sglangOff {
					off++
				}
			}
		}
		return Measure{Value: float64(off), Limit: sglangMay}, nil
	}
	return withWrong(g.Recording, measure, func(rec *recording.Recording) (*recording.Recording, error) {
		right = rec
		wrong := g.choosing(rec, func(int) []int { return emulate.Indices(gateChosen) })
		return spoils("weights", func(w *tensor.Tensor) { emulate.Fill(w.Data, 1./gateChosen) })(wrong)
	})
}

package moe

import "gonum.org/v1/gonum/mat"

// Gate is how a model chooses the experts of a token and what they weigh.
type Gate struct {
	Score         func(logits []float64) []float64          // SoftmaxScores, SigmoidScores, SqrtSoftplusScores
	ScoreBackward func(logits, dscores []float64) []float64 // that of Score
	TopK          int                                       // K, experts of a token
	Groups        int                                       // G, groups that the experts lie in; 0 or 1: one
	TopGroups     int                                       // M, groups of a token at most; 0: all
	GroupScore    func(scores []float64, groups int) []float64
	Normalize     bool    // weights sum to 1 before Scale
	NormEps       float64 // added to the sum that normalises
	Scale         float64 // factor of the weights, 1 for none
}

// DeepSeekMoEGate returns the gate of DeepSeekMoE 16B and DeepSeek-V2-Lite.
//
//	g_i = s_i for i in Topk(s, 6),  s = softmax(z)
//
// It implements DeepSeekMoE (10) and (11).
func DeepSeekMoEGate() Gate {
	return Gate{Score: SoftmaxScores, ScoreBackward: SoftmaxScoresBackward, TopK: 6, Scale: 1}
}

// DeepSeekV2Gate returns the gate of DeepSeek-V2: 160 experts in 8 groups, 6 out of 3 groups.
//
//	g_i = 16 s_i for i in Topk(s, 6) within the 3 groups of the highest max s,  s = softmax(z)
//
// Differs in code: the paper has no factor 16. It implements DeepSeek-V2 (21) and (22).
func DeepSeekV2Gate() Gate {
	g := DeepSeekMoEGate()
	g.Groups, g.TopGroups, g.GroupScore, g.Scale = 8, 3, GroupScoresMax, 16
	return g
}

// DeepSeekV3Gate returns the gate of DeepSeek-V3 and R1: 256 experts in 8 groups, 8 out of 4
// groups.
//
//	g_i = 2.5 s_i / Σ_j s_j for i in Topk(s+b, 8) within the 4 groups of the highest sums of two
//	s = σ(z)
//
// Differs in code: the paper has no factor 2.5; Hugging Face adds 1e-20 to the sum.
// It implements DeepSeek-V3 (13), (15) and (16).
func DeepSeekV3Gate() Gate {
	return Gate{
		Score: SigmoidScores, ScoreBackward: SigmoidScoresBackward, TopK: 8,
		Groups: 8, TopGroups: 4, GroupScore: GroupScoresTop2, Normalize: true, Scale: 2.5,
	}
}

// DeepSeekV4Gate returns the gate of DeepSeek-V4, which knows no groups.
//
//	g_i = 1.5 s_i / Σ_j s_j for i in Topk(s+b, 6),  s = √(softplus(z))
//
// It implements DeepSeek-V4's inference code, its gate.
func DeepSeekV4Gate() Gate {
	return Gate{
		Score: SqrtSoftplusScores, ScoreBackward: SqrtSoftplusScoresBackward, TopK: 6, Normalize: true, Scale: 1.5,
	}
}

// MixtralGate returns the gate of Mixtral 8x7B: 2 of 8 experts.
//
//	g_i = s_i / Σ_j s_j for i in Topk(s, 2),  s = softmax(z)
//
// It is TopKSoftmax in another order: of equal sums, equal quotients.
// It implements Mixtral of Experts (2024), section 2.1.
func MixtralGate() Gate {
	return Gate{Score: SoftmaxScores, ScoreBackward: SoftmaxScoresBackward, TopK: 2, Normalize: true, Scale: 1}
}

// Select returns the experts of one token from its scores, best first.
//
//	Topk({s_i + b_i}, K),  of the M best groups only
//
// A nil bias is none. Bias and groups take part in the choice, and in nothing else. It implements
// DeepSeek-V2 (21), DeepSeek-V3 (14) and (16), and Loss-Free Balancing (3), their Topk.
func (g Gate) Select(scores, bias []float64) []int {
	ranked := BiasedScores(scores, bias)
	if g.Groups > 1 && g.TopGroups > 0 {
		kept := TopK(g.GroupScore(ranked, g.Groups), g.TopGroups)
		ranked = LimitGroups(ranked, g.Groups, kept)
	}
	return TopK(ranked, g.TopK)
}

// Weights returns the weights of the chosen experts of one token from its scores, which have no
// bias in them.
//
//	g_k = λ s_k,  or λ s_k / (Σ_j s_j + ε) if normalised
//
// The sum is over the chosen ones. It implements DeepSeek-V2 (21) and DeepSeek-V3 (13), with the
// factor of their inference code.
func (g Gate) Weights(scores []float64, chosen []int) []float64 {
	w := GateValues(scores, chosen)
	if g.Normalize {
		w = NormalizeWeights(w, g.NormEps)
	}
	return ScaleWeights(w, g.Scale)
}

// Route returns the experts of one token and their weights from its logits.
//
//	s = score(z),  chosen = Topk(s + b),  g = weights of the chosen s
//
// logits is [N], bias [N] or nil; both results have K elements, best expert first. It implements
// DeepSeekMoE (4), (5), (7), (8), (10) and (11), DeepSeek-V2 (21) and (22), and DeepSeek-V3
// (13)-(16).
func (g Gate) Route(logits, bias []float64) (experts []int, weights []float64) {
	scores := g.Score(logits)
	experts = g.Select(scores, bias)
	return experts, g.Weights(scores, experts)
}

// RouteByTable returns the weights of experts that a table gives to a token by its number in the
// vocabulary: the logits weigh, and choose nothing.
//
//	chosen = table[token],  g = weights of the chosen s
//
// table is [V][K]. It implements DeepSeek-V4's inference code, the gate of its first three layers.
func (g Gate) RouteByTable(logits []float64, table [][]int, token int) (experts []int, weights []float64) {
	return table[token], g.Weights(g.Score(logits), table[token])
}

// RouteBackward returns the gradient of the logits of one token from that of its weights.
//
//	ds_k = λ dg_k,  or λ (dg_k − Σ_j g_j dg_j) / (Σ_j s_j + ε) with g before λ, if normalised
//	dz = score′(ds)
//
// The choice has no gradient: ds is 0 outside the chosen experts. Softmax scores still move every
// logit. It implements DeepSeek-V2 (21) and (22), and DeepSeek-V3 (13)-(15) (derived).
func (g Gate) RouteBackward(logits []float64, experts []int, dweights []float64) []float64 {
	scores := g.Score(logits)
	dw := ScaleWeights(dweights, g.Scale)
	if g.Normalize {
		dw = NormalizeWeightsBackward(GateValues(scores, experts), g.NormEps, dw)
	}
	ds := make([]float64, len(logits))
	for k, i := range experts {
		ds[i] = dw[k]
	}
	return g.ScoreBackward(logits, ds)
}

// RouteRows returns the experts and weights of many tokens.
//
//	(chosen_t, g_t) = Route(z_t, b)
//
// logits is [T × N]; the results are [T][K]. It implements DeepSeek-V2 (21) and (22), and
// DeepSeek-V3 (13)-(16) for T tokens.
func (g Gate) RouteRows(logits mat.Matrix, bias []float64) (experts [][]int, weights [][]float64) {
	rows, _ := logits.Dims()
	experts, weights = make([][]int, rows), make([][]float64, rows)
	for t := range rows {
		experts[t], weights[t] = g.Route(mat.Row(nil, t, logits), bias)
	}
	return experts, weights
}

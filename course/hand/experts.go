package hand

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/moe"
	"plumbline/verify/op"
	"plumbline/verify/op/experts"
)

func expertWalks() []walk {
	weights := func(c *op.Case) float64 { return 3 * c.Extent("d") * max(c.Extent("F"), c.Extent("Fs")) }
	return []walk{
		{"moe.gate", gateSheet, walkGate, nil},
		{"moe.experts", expertsSheet, walkExperts, weights},
		{"moe.layer", layerSheet, walkLayer, weights},
		{"moe.dispatch", dispatchSheet, walkDispatch, nil},
	}
}

// gateAttrs is a gate like DeepSeek-V3's in small: two experts of the best two of four groups.
func gateAttrs() map[string]any {
	return map[string]any{"top_k": 2, "groups": 4, "top_groups": 2, "scale": 2.5}
}

// putGate adds eight centroids whose logits have simple scores, and a bias that changes the choice.
func (r request) putGate() request {
	var centroids []float64
	for _, odds := range []float64{3, 1, 1. / 3, 1. / 7, 3, 3, 1. / 3, 1} {
		centroids = append(centroids, math.Log(odds), 0)
	}
	return r.put("x", []int{1, 2}, 1, 2).put("weight", []int{8, 2}, centroids...).
		put("bias", nil, 0, 0, 0, 0, 0, -0.5, 0, 0.75)
}

const gateWords = "Four groups of two, two groups kept, two experts chosen. The token's first element is 1, and " +
	"centroids hold ln 3, 0, −ln 3 and −ln 7, so that sigmoid scores are 3/4, 1/2, 1/4 and 1/8. Without the bias " +
	"group 2 would be kept in the place of group 3."

func gateSheet() *Sheet {
	return work("One token and eight experts: the gate", gateWords,
		chosen("moe.gate", gateAttrs()).putGate().Recording, walkGate)
}

// walkGate works the first token.
func walkGate(s *Sheet, c *op.Case) {
	chosen, weights := s.gate(c)
	if recorded := recordedSet(c, chosen); recorded != nil {
		chosen = recorded
		weights = experts.GateOf(c).Weights(experts.GateOf(c).Score(gateLogits(c)), chosen)
		s.given("The recording has the same experts; below they stand in its order.")
	}
	s.out("indices", 0, floatsOf(chosen)...)
	s.out("weights", 0, weights...)
}

// recordedSet returns the recorded experts if they are those that are chosen.
func recordedSet(c *op.Case, chosen []int) []int {
	if !c.Wants("indices") {
		return nil
	}
	var order []int
	for _, x := range c.Read("out.indices", 0, len(chosen)) {
		order = append(order, int(x))
	}
	if a, b := slices.Sorted(slices.Values(order)), slices.Sorted(slices.Values(chosen)); !slices.Equal(a, b) {
		return nil
	}
	return order
}

// gateLogits returns the logits of the first token.
func gateLogits(c *op.Case) []float64 {
	if c.Recording.Has("logits") {
		return c.Input("logits").Row(0)
	}
	x := mat.NewDense(1, c.Dim("d"), c.Input("x").Row(0))
	return moe.Logits(x, c.Input("weight").View(0)).RawRowView(0)
}

// gate adds the steps from a token to its experts and their weights.
func (s *Sheet) gate(c *op.Case) (chosen []int, weights []float64) {
	g, logits := experts.GateOf(c), gateLogits(c)
	if !c.Recording.Has("logits") {
		s.step("How much the token is like each expert's centroid.", "moe.Logits", "z_i = uᵀ e_i",
			row("u", c.Input("x").Row(0)), matrix("e", c.Input("weight").View(0)))
	}
	scores := g.Score(logits)
	s.step("Logits become scores.", scoreNames[c.Word("score")].function, scoreNames[c.Word("score")].formula,
		row("z", logits), row("s", scores))
	ranked, bias := scores, []float64(nil)
	if b := c.Input("bias"); b != nil {
		bias = b.Row()
		ranked = moe.BiasedScores(scores, bias)
		s.step("A bias, which only the balance of loads moves, is added where experts are chosen, and nowhere else.",
			"moe.BiasedScores", "s_i + b_i", row("b", bias), row("s + b", ranked))
	}
	s.groups(c, g, ranked)
	chosen = g.Select(scores, bias)
	weights = g.Weights(scores, chosen)
	s.step("The best of what is left are chosen.", "moe.TopK", "Topk(s + b, K)", whole("experts", chosen))
	s.weights(g, scores, chosen, weights)
	return chosen, weights
}

// scoreNames are the functions and formulas of the scores by their words.
var scoreNames = map[string]struct{ function, formula string }{
	"sigmoid":       {"moe.SigmoidScores", "s_i = 1 / (1 + e^{−z_i})"},
	"softmax":       {"moe.SoftmaxScores", "s_i = e^{z_i} / Σ_j e^{z_j}"},
	"sqrt_softplus": {"moe.SqrtSoftplusScores", "s_i = √(ln(1 + e^{z_i}))"},
}

// groupNames are those of the scores of groups.
var groupNames = map[string]struct{ function, formula string }{
	"top2":  {"moe.GroupScoresTop2", "S_g = sum of the two best s + b of group g"},
	"max":   {"moe.GroupScoresMax", "S_g = best s + b of group g"},
	"share": {"moe.GroupScoresShare", "S_g = sum of the best s + b of group g"},
}

// groups adds the limit of groups, if there is one.
func (s *Sheet) groups(c *op.Case, g moe.Gate, ranked []float64) {
	if g.Groups < 2 {
		return
	}
	of := g.GroupScore(ranked, g.Groups)
	kept := moe.TopK(of, g.TopGroups)
	name := groupNames[c.Word("group_score")]
	s.step("Each group has a score, and the best groups are kept.", name.function, name.formula, row("S", of),
		whole("kept", kept))
	s.step("Experts of other groups are out.", "moe.LimitGroups", "",
		row("left", moe.LimitGroups(ranked, g.Groups, kept)))
}

// weights adds the steps from scores to weights.
func (s *Sheet) weights(g moe.Gate, scores []float64, chosen []int, weights []float64) {
	values := []Value{row("s", moe.GateValues(scores, chosen))}
	says, function, formula := "Their own scores, without the bias", "moe.GateValues", "s_k"
	if g.Normalize {
		function, formula = "moe.NormalizeWeights", "s_k / (Σ_j s_j + ε)"
		says += ", are divided by their sum"
		values = append(values, row("s / Σ s", moe.NormalizeWeights(moe.GateValues(scores, chosen), g.NormEps)))
	}
	if g.Scale != 1 {
		says += ", and scaled"
		values = append(values, number("λ", g.Scale))
		formula = "λ " + formula
	}
	s.step(says+": these are the weights.", function, "g_k = "+formula, append(values, row("g", weights))...)
}

// putNetworks adds eight experts that are easy to follow, and a shared one if that is asked for.
func (r request) putNetworks(shared bool) request {
	const open = 40 // silu(40) is 40 to the last bit
	var w1, w3, w2 []float64
	for e := range 8 {
		w1, w3 = append(w1, open, 0), append(w3, float64(e+1), 0)
		w2 = append(w2, 1./open, float64(e%2)/open)
	}
	r.put("w_gate", []int{8, 1, 2}, w1...).put("w_up", []int{8, 1, 2}, w3...).put("w_down", []int{8, 2, 1}, w2...)
	if shared {
		r.put("shared_gate", []int{1, 2}, open, 0).put("shared_up", []int{1, 2}, 0, 1).
			put("shared_down", []int{2, 1}, 0, 1./open)
	}
	return r
}

const networkWords = "W1 u is 40 in every expert, where silu(z) is z to the last bit, and W2 divides by 40 again."

func expertsSheet() *Sheet {
	rec := chosen("moe.experts", nil).put("x", []int{1, 2}, 1, 2).putNetworks(true).
		put("indices", []int{1, 2}, 7, 4).put("weights", []int{1, 2}, 1, 1.5)
	return work("One token through its experts", networkWords, rec.Recording, walkExperts)
}

func layerSheet() *Sheet {
	rec := chosen("moe.layer", gateAttrs()).putGate().putNetworks(true)
	return work("One token through eight experts", gateWords+" "+networkWords, rec.Recording, walkLayer)
}

// walkExperts works the first token.
func walkExperts(s *Sheet, c *op.Case) {
	ids, weights := experts.Chosen(c)[0], c.Input("weights").Row(0)
	s.given("A token, its experts and their weights.", row("u", c.Input("x").Row(0)), whole("experts", ids),
		row("g", weights))
	s.networks(c, ids, weights)
}

// walkLayer works the first token.
func walkLayer(s *Sheet, c *op.Case) {
	chosen, weights := s.gate(c)
	s.networks(c, chosen, weights)
}

// networks adds what the chosen experts and the shared ones make of the first token.
func (s *Sheet) networks(c *op.Case, chosen []int, weights []float64) {
	u, y := c.Input("x").Row(0), make([]float64, c.Dim("d"))
	for k, e := range chosen {
		if e < 0 {
			s.given("A pair without an expert adds nothing.")
			continue
		}
		w1, w3, w2 := c.Block("w_gate", e, 0, c.Dim("F")), c.Block("w_up", e, 0, c.Dim("F")),
			c.Block("w_down", e, 0, c.Dim("d"))
		floats.AddScaled(y, weights[k], s.expert(c, fmt.Sprintf("Expert %d", e), u, w1, w3, w2))
	}
	s.step("What is routed: the outputs, each times its weight.", "moe.RoutedOutput", "Σ_k g_k FFN_k(u)",
		row("routed", y))
	if c.Recording.Has("shared_gate") {
		shared := s.expert(c, "The shared experts, which every token has", u, c.Block("shared_gate", 0, 0, c.Dim("Fs")),
			c.Block("shared_up", 0, 0, c.Dim("Fs")), c.Block("shared_down", 0, 0, c.Dim("d")))
		floats.Add(y, shared)
		s.step("They are added without a weight.", "moe.SharedOutput", "y = Σ_s FFN_s(u) + Σ_k g_k FFN_k(u)",
			row("y", y))
	}
	s.out("y", 0, y...)
}

// expert adds the steps of one network and returns its output.
func (s *Sheet) expert(c *op.Case, who string, u []float64, w1, w3, w2 *mat.Dense) []float64 {
	gate, up := times(w1, u), times(w3, u)
	values := []Value{row("W1 u", gate), row("W3 u", up)}
	limit, function := c.Float("swiglu_limit"), "moe.SwiGLU"
	if limit > 0 {
		function = "moe.SwiGLUClamped"
		for i := range gate {
			gate[i], up[i] = moe.Clamp(gate[i], up[i], limit)
		}
		values = append(values, number("limit", limit), row("clamped W1 u", gate), row("clamped W3 u", up))
	}
	hidden := make([]float64, len(gate))
	for i := range hidden {
		hidden[i] = moe.SiLU(gate[i]) * up[i]
	}
	var y []float64
	if limit > 0 {
		y = moe.SwiGLUClamped(u, w1, w3, w2, limit)
	} else {
		y = moe.SwiGLU(u, w1, w3, w2)
	}
	s.step(who+".", function, "FFN(u) = W2 (silu(W1 u) ⊙ W3 u)", append(values, row("silu(W1 u) ⊙ W3 u", hidden),
		row("FFN(u)", y))...)
	return y
}

// times returns m x.
func times(m mat.Matrix, x []float64) []float64 {
	rows, _ := m.Dims()
	y := mat.NewVecDense(rows, nil)
	y.MulVec(m, mat.NewVecDense(len(x), x))
	return y.RawVector().Data
}

func dispatchSheet() *Sheet {
	rec := chosen("moe.dispatch", map[string]any{"experts": 4}).put("indices", []int{3, 2}, 2, 0, 0, 3, 2, 3)
	return work("Three tokens sorted by expert", "Before experts run, pairs of token and expert are sorted, so that "+
		"each expert has its rows together.", rec.Recording, walkDispatch)
}

// walkDispatch works all tokens: a sort has no first row.
func walkDispatch(s *Sheet, c *op.Case) {
	ids := experts.Chosen(c)
	order, counts := moe.Dispatch(ids, c.Int("experts"))
	shown := mat.NewDense(len(ids), c.Dim("K"), nil)
	for n, experts := range ids {
		shown.SetRow(n, floatsOf(experts))
	}
	s.given("The experts of each token.", matrix("experts", shown))
	s.step("How many rows each expert has.", "moe.Dispatch", "", whole("counts", counts))
	s.step("The number n·K + k of the pair in each row: experts in order, the pairs of one as they came.",
		"moe.Dispatch", "", whole("order", order))
	s.out("counts", 0, floatsOf(counts)...)
	s.out("order", 0, floatsOf(order)...)
}

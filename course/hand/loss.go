package hand

import (
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"plumbline/grpo"
	"plumbline/numbers/logistic"
	"plumbline/policy"
	"plumbline/ppo"
	"plumbline/verify/op"
	"plumbline/verify/op/objective"
)

func lossWalks() []walk {
	return []walk{
		{"ppo.gae", gaeSheet, walkGAE, nil},
		{"ppo.value_loss", valueSheet, walkValue, nil},
		{"ppo.loss", ppoSheet, walkLoss, nil},
		{"grpo.loss", grpoSheet, walkLoss, nil},
		{"grpo.advantage", advantageSheet, walkAdvantage, nil},
		{"dpo.loss", dpoSheet, walkDPO, nil},
	}
}

func gaeSheet() *Sheet {
	rec := chosen("ppo.gae", map[string]any{"gamma": 1, "lambda": 0.5}).
		put("rewards", []int{1, 3}, 0, 0, 1).put("values", []int{1, 3}, 0.5, 0.5, 0.75).
		put("mask", []int{1, 3}, 1, 1, 1)
	return work("GAE of three tokens", "One reward at the end, γ = 1 as for answers of language models, λ = 1/2.",
		rec.Recording, walkGAE)
}

// walkGAE works the first sequence.
func walkGAE(s *Sheet, c *op.Case) {
	rewards, values := objective.Matrix(c, "rewards"), objective.Matrix(c, "values")
	mask, gamma, lambda := objective.Matrix(c, "mask"), c.Float("gamma"), c.Float("lambda")
	r, v, m := rewards.RawRowView(0), values.RawRowView(0), mask.RawRowView(0)
	s.given("Rewards, values of the states before the tokens, and which tokens count.", row("r", r), row("V", v),
		row("mask", m), number("γ", gamma), number("λ", lambda))
	s.step("By how much each token surprises the values; after the last the value is 0.", "ppo.TDError",
		"δ_t = r_t + γ V_{t+1} − V_t", row("δ", surprises(r, v, m, gamma)))
	advantage, returns := ppo.GAE(r, v, m, 0, gamma, lambda)
	s.step("From the last token back: each advantage hands γ λ of itself to the token before.", "ppo.GAE",
		"A_t = δ_t + γ λ A_{t+1}", row("A", advantage))
	s.step("What the values are fitted to.", "ppo.GAE", "R_t = A_t + V_t", row("R", returns))
	if c.Flag("whiten") {
		all := mat.NewDense(c.Dim("N"), c.Dim("L"), nil)
		for i := range c.Dim("N") {
			a, _ := ppo.GAE(rewards.RawRowView(i), values.RawRowView(i), mask.RawRowView(i), 0, gamma, lambda)
			all.SetRow(i, a)
		}
		advantage = ppo.Whiten(all, mask).RawRowView(0)
		s.step("Whitened over all tokens of the batch that count.", "ppo.Whiten", "A ← (A − mean) / √(var + 10⁻⁸)",
			row("A", advantage))
	}
	s.outCounted("advantage", advantage, m)
	s.outCounted("return", returns, m)
}

// surprises returns δ of the tokens that count: what comes next is the next of these.
func surprises(rewards, values, mask []float64, gamma float64) []float64 {
	delta, next := make([]float64, len(mask)), 0.0
	for t := len(mask) - 1; t >= 0; t-- {
		if mask[t] != 0 {
			delta[t] = ppo.TDError(rewards[t], values[t], next, gamma)
			next = values[t]
		}
	}
	return delta
}

func valueSheet() *Sheet {
	rec := chosen("ppo.value_loss", map[string]any{"clip": 0.5}).
		put("values", []int{1, 3}, 1, 2, 0).put("old_values", []int{1, 3}, 1, 1, 1).
		put("returns", []int{1, 3}, 2, 3, 2).put("mask", []int{1, 3}, 1, 1, 1)
	return work("The loss of three values, clipped", "The first value has not moved, the second has moved more than "+
		"the clip toward its return, the third away from it.", rec.Recording, walkValue)
}

// walkValue works the first sequence.
func walkValue(s *Sheet, c *op.Case) {
	values, old := objective.Matrix(c, "values"), objective.Matrix(c, "old_values")
	returns, mask := objective.Matrix(c, "returns"), objective.Matrix(c, "mask")
	m := mask.RawRowView(0)
	s.given("Values in training, those that the sampler had, and returns.", row("V", values.RawRowView(0)),
		row("V_old", old.RawRowView(0)), row("R", returns.RawRowView(0)), row("mask", m))
	losses, slopes := valueLosses(c, values, old, returns, mask)
	function, formula, given := "ppo.ValueLoss", "l = (V − R)² / 2", []Value(nil)
	if clip := c.Float("clip"); clip != 0 {
		function, formula = "ppo.ValueLossClipped", "l = max((V − R)², (clip(V, V_old ± c) − R)²) / 2"
		given = append(given, number("c", clip))
	}
	s.step("Half the squared error; where the clip makes it smaller it does not count.", function, formula,
		append(given, row("l", losses.RawRowView(0)), row("dl/dV", slopes.RawRowView(0)))...)
	weights := objective.Weights(c)
	loss := policy.Aggregate(losses, weights)
	slopes.MulElem(slopes, weights)
	s.step("Each token has a weight in the loss of the batch.", "policy.Aggregate",
		"L = Σ_it w_it l_it\ndV_it = w_it dl/dV_it", row("w", weights.RawRowView(0)), number("L", loss),
		row("dV", slopes.RawRowView(0)))
	s.outCounted("token_loss", losses.RawRowView(0), m)
	s.outCounted("dvalues", slopes.RawRowView(0), m)
	s.outSum(losses.RawRowView(0), m)
	s.out("loss", 0, loss)
}

// valueLosses returns the losses of all tokens that count, and their derivatives.
func valueLosses(c *op.Case, values, old, returns, mask *mat.Dense) (losses, slopes *mat.Dense) {
	n, l := mask.Dims()
	losses, slopes = mat.NewDense(n, l, nil), mat.NewDense(n, l, nil)
	for i := range n {
		for t := range l {
			if mask.At(i, t) == 0 {
				continue
			}
			loss, slope := ppo.ValueLoss(values.At(i, t), returns.At(i, t))
			if clip := c.Float("clip"); clip != 0 {
				loss, slope = ppo.ValueLossClipped(values.At(i, t), old.At(i, t), returns.At(i, t), clip)
			}
			losses.Set(i, t, loss)
			slopes.Set(i, t, slope)
		}
	}
	return losses, slopes
}

// outSum notes the sum of the first row's losses that count, where any does.
func (s *Sheet) outSum(losses, mask []float64) {
	total, some := 0.0, false
	for t, m := range mask {
		if m != 0 {
			total, some = total+losses[t], true
		}
	}
	if some {
		s.out("sequence_loss", 0, total)
	}
}

func ppoSheet() *Sheet {
	rec := chosen("ppo.loss", map[string]any{"clip_low": 0.2, "clip_high": 0.2}).
		put("logprob", []int{1, 3}, 0, -ln2, -ln2).put("old_logprob", []int{1, 3}, -ln2, -ln2, 0).
		put("advantage", []int{1, 3}, 1, 1, -1).put("mask", []int{1, 3}, 1, 1, 1)
	return work("PPO's loss of three tokens", "Ratios of 2, 1 and 1/2. The first is beyond the bound in the "+
		"direction that its advantage asks for, and so is the last: neither has a gradient.", rec.Recording, walkLoss)
}

func grpoSheet() *Sheet {
	rec := chosen("grpo.loss", map[string]any{"kl": "k3", "kl_coef": 0.1, "aggregate": "sequence_mean"}).
		put("logprob", []int{4, 2}, -ln2, -ln2, -ln2, 0, 0, -ln2, -ln2, -ln2).
		put("old_logprob", []int{4, 2}, -ln2, -ln2, -ln2, 0, 0, -ln2, -ln2, -ln2).
		put("ref_logprob", []int{4, 2}, 0, -ln2, -ln2, 0, -ln2, -ln2, 0, -ln2).
		put("advantage", nil, 1, -1, -1, 1).put("mask", []int{4, 2}, 1, 1, 1, 0, 1, 1, 1, 1)
	return work("GRPO's loss of four answers", "The first step after sampling: all ratios are 1. The second answer "+
		"has one token, the others two.", rec.Recording, walkLoss)
}

// clipNames are the functions of clips, and their formulas.
var clipNames = map[string]struct{ function, formula string }{
	"ppo":   {"grpo.ClipHigher", "l = −min(r A, clip(r, 1 − ε_low, 1 + ε_high) A)"},
	"gppo":  {"grpo.GPPO", "l = −min(r A, clip(r, 1 − ε_low, 1 + ε_high) A),  with the bound as its slope beyond"},
	"cispo": {"grpo.CISPO", "l = −sg(clip(r, 1 − ε_low, 1 + ε_high)) A log π"},
	"none":  {"policy.Unclipped", "l = −r A"},
}

// walkLoss works the first sequence of a policy loss; of chosen inputs all.
func walkLoss(s *Sheet, c *op.Case) {
	p := objective.PolicyLossOf(c)
	n := s.rows(c.Dim("N"))
	values := []Value{
		matrix("log π", first(p.LogProb, n)), matrix("log π_old", first(p.Old, n)),
		matrix("A", first(p.Advantage, n)), matrix("mask", first(p.Mask, n)),
	}
	s.given("Log-probabilities of the policy in training and of the one that sampled, advantages, and which tokens "+
		"count.", values...)
	s.ratios(c, first(p.Ratios, n))
	clip := clipNames[c.Word("clip")]
	given := []Value{number("ε_low", c.Float("clip_low")), number("ε_high", c.Float("clip_high"))}
	says := "The loss of each token"
	if c.Float("dual_clip") != 0 {
		says += ", at most −c A where A is negative"
		given = append(given, number("c", c.Float("dual_clip")))
	}
	if p.Ref != nil {
		says += ", with its divergence from the reference"
		clip.formula += "\nl ← l + β " + c.Word("kl")
		given = append(given, matrix("log π_ref", first(p.Ref, n)), number("β", c.Float("kl_coef")))
	}
	s.step(says+".", clip.function, clip.formula, append(given, matrix("l", first(p.Losses, n)))...)
	s.aggregate(c, p, n)
}

// ratios adds the step to the ratios.
func (s *Sheet) ratios(c *op.Case, ratios *mat.Dense) {
	if c.Word("ratio") == "sequence" {
		s.step("One ratio for each sequence: the geometric mean of its tokens'.", "policy.SequenceRatio",
			"s_i = (π(o_i) / π_old(o_i))^{1/|o_i|}", matrix("s", ratios))
		return
	}
	s.step("Ratios of tokens.", "policy.Ratio", "r = π / π_old = e^{log π − log π_old}", matrix("r", ratios))
}

// aggregate adds the steps from the losses of tokens to that of the batch.
func (s *Sheet) aggregate(c *op.Case, p objective.PolicyLoss, n int) {
	s.step("Each token has a weight in the loss of the batch, by how losses are put together.", "policy.TokenWeights",
		map[string]string{
			"token_mean": "w_it = 1 / Σ_i |o_i|", "sequence_mean": "w_it = 1 / (N |o_i|)",
			"sequence_sum": "w_it = 1 / N", "constant": "w_it = 1 / (N length)",
		}[c.Word("aggregate")], matrix("w", first(p.Weights, n)))
	s.step("The loss of the whole batch.", "policy.Aggregate", "L = Σ_it w_it l_it", number("L", p.Loss))
	s.step("Its gradient for the log-probabilities.", "policy.Sum", "∂L/∂ log π_it",
		matrix("dlogπ", first(p.Gradient, n)))
	mask := mat.Row(nil, 0, p.Mask)
	s.toLogits(c, p, mask)
	s.out("loss", 0, p.Loss)
	s.outCounted("token_loss", mat.Row(nil, 0, p.Losses), mask)
	s.outSum(mat.Row(nil, 0, p.Losses), mask)
	s.outCounted("dlogprob", mat.Row(nil, 0, p.Gradient), mask)
}

// toLogits adds the gradient of the logits of the first token that counts, if there are logits.
func (s *Sheet) toLogits(c *op.Case, p objective.PolicyLoss, mask []float64) {
	t := slices.IndexFunc(mask, func(m float64) bool { return m != 0 })
	if c.Input("logits") == nil || t < 0 {
		return
	}
	logits, token, temperature := c.Input("logits").Row(0, t), int(c.Input("tokens").At(0, t)), c.Float("temperature")
	dz := policy.LogProbBackward(logits, token, temperature)
	floats.Scale(p.Gradient.At(0, t), dz)
	s.step("And for the logits, of the first token that counts.", "policy.LogProbBackward",
		"∂L/∂z_v = ∂L/∂ log π_it (1[v = token] − π_v) / T", number("token", float64(token)), number("T", temperature),
		row("z", logits), row("dz", dz))
	s.out("dlogits", t*len(dz), dz...)
}

// first returns the first rows of a matrix.
func first(m mat.Matrix, n int) *mat.Dense {
	_, cols := m.Dims()
	return mat.DenseCopyOf(mat.DenseCopyOf(m).Slice(0, n, 0, cols))
}

func advantageSheet() *Sheet {
	rec := chosen("grpo.advantage", nil).put("rewards", nil, 1, 0, 0, 1).put("group", nil, 0, 0, 0, 0)
	return work("GRPO: the advantages of four answers", "Two of four answers to a question are right. No value "+
		"network says what to expect: the other answers do.", rec.Recording, walkAdvantage)
}

var stds = map[string]grpo.Std{"population": grpo.Population, "sample": grpo.Sample, "none": grpo.None}

// walkAdvantage works the group of the first answer.
func walkAdvantage(s *Sheet, c *op.Case) {
	group, all := c.Input("group").Data, c.Input("rewards").Data
	var rewards []float64
	for i, g := range group {
		if g == group[0] {
			rewards = append(rewards, all[i])
		}
	}
	std, eps := c.Word("std"), c.Float("eps")
	s.given("Rewards of the answers to the first question.", row("r", rewards))
	s.step("What the group leads one to expect.", "grpo.Centered", "r_i − mean(r)",
		number("mean", stat.Mean(rewards, nil)), row("r − mean", grpo.Centered(rewards)))
	advantage := grpo.Normalize(rewards, stds[std], eps)
	var deviation []Value
	formula := "A_i = (r_i − mean(r)) / (std(r) + ε)"
	switch std {
	case "population":
		deviation = append(deviation, number("std", stat.PopStdDev(rewards, nil)), number("ε", eps))
	case "sample":
		deviation = append(deviation, number("std (n − 1)", stat.StdDev(rewards, nil)), number("ε", eps))
	default:
		formula = "A_i = r_i − mean(r)"
	}
	s.step("The advantage: every token of an answer has that of the answer.", "grpo.Normalize", formula,
		append(deviation, row("A", advantage))...)
	s.out("advantage", 0, advantage[0])
}

func dpoSheet() *Sheet {
	rec := chosen("dpo.loss", map[string]any{"beta": 1}).
		put("chosen", nil, -ln2, -ln2, -2*ln2).put("rejected", nil, -2*ln2, -2*ln2, -2*ln2).
		put("ref_chosen", nil, -2*ln2, -2*ln2, -2*ln2).put("ref_rejected", nil, -2*ln2, -ln2, -ln2)
	return work("DPO's loss of three pairs", "A reference that gives three responses 1/2, 1/4 and 1/4, a policy that "+
		"gives them 1/4, 1/4 and 1/2, and the pairs 2 over 1, 2 over 0 and 1 over 0; β is 1.", rec.Recording, walkDPO)
}

// walkDPO works the first pair; of chosen inputs all.
func walkDPO(s *Sheet, c *op.Case) {
	pairs, lengths, pair := objective.Preferences(c)
	n, beta := s.rows(c.Dim("N")), c.Float("beta")
	s.given("Log-probabilities of responses under the policy and the reference.",
		stack("log π", pairs.Chosen[:n], pairs.Rejected[:n]).along("chosen", "rejected"),
		stack("log π_ref", pairs.RefChosen[:n], pairs.RefRejected[:n]).along("chosen", "rejected"))
	chosen, rejected := pairs.Rewards(beta)
	s.step("Implicit rewards.", "dpo.ImplicitReward", "r̂ = β (log π − log π_ref)", number("β", beta),
		stack("r̂", chosen[:n], rejected[:n]).along("chosen", "rejected"))
	margins := pairs.Margins()
	if c.Flag("length_normalize") {
		margins = pairs.MarginsPerToken(lengths[0], lengths[1])
		s.given("Log-ratios are divided by the numbers of tokens in the loss.",
			stack("tokens", lengths[0][:n], lengths[1][:n]).along("chosen", "rejected"))
	}
	loss, dchosen, drejected := pairs.LossPerToken(lengths[0], lengths[1], pair) // lengths are 1 unless they divide
	s.pairs(c, margins[:n], pair)
	s.step("The mean over all pairs.", "dpo.Pairs.Loss", "L = 1/N Σ_n l(h_n)", number("L", loss))
	s.step("Its gradient: what raises the chosen lowers the rejected.", "dpo.Pairs.Loss", "",
		row("dchosen", dchosen[:n]), row("drejected", drejected[:n]))
	s.out("loss", 0, loss)
	for i, values := range [][]float64{chosen, rejected, dchosen, drejected} {
		s.out(words("chosen_reward rejected_reward dchosen drejected")[i], 0, values[0])
	}
}

// pairs adds the margins and losses of pairs.
func (s *Sheet) pairs(c *op.Case, margins []float64, pair func(h float64) (loss, dh float64)) {
	s.step("By how much more the policy prefers the chosen one than the reference does.", "dpo.Pairs.Margins",
		"h = log(π/π_ref)(chosen) − log(π/π_ref)(rejected)", row("h", margins))
	losses, likely := make([]float64, len(margins)), make([]float64, len(margins))
	for i, h := range margins {
		losses[i], _ = pair(h)
		likely[i] = logistic.Sigmoid(c.Float("beta") * h)
	}
	if c.Word("kind") == "ipo" {
		s.step("The loss of each pair.", "dpo.IPO", "l = (h − 1/(2β))²", row("l", losses))
		return
	}
	given, formula := []Value(nil), "σ(β h) = 1 / (1 + e^{−β h})\nl = −ln σ(β h)"
	if smoothing := c.Float("label_smoothing"); smoothing != 0 {
		given = append(given, number("ε", smoothing))
		formula = "σ(β h) = 1 / (1 + e^{−β h})\nl = −(1 − ε) ln σ(β h) − ε ln σ(−β h)"
	}
	s.step("The probability that the chosen one is preferred, and its cost.", "dpo.SigmoidLoss", formula,
		append(given, row("σ(β h)", likely), row("l", losses))...)
}

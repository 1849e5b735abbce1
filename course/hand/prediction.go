package hand

import (
	"fmt"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/mtp"
	"plumbline/norm"
	"plumbline/policy"
	"plumbline/verify/op"
	"plumbline/verify/op/prediction"
)

func predictionWalks() []walk {
	return []walk{
		{"mtp.accept", acceptSheet, walkAccept, func(c *op.Case) float64 {
			return 2 * (c.Extent("k") + 1) * c.Extent("vocab")
		}},
		{"mtp.combine", combineSheet, walkCombine, func(c *op.Case) float64 {
			return 2 * c.Extent("d") * c.Extent("d")
		}},
		{"mtp.loss", predictedSheet, walkPredicted, func(c *op.Case) float64 {
			return c.Extent("D") * c.Extent("T") * c.Extent("vocab")
		}},
	}
}

func combineSheet() *Sheet {
	rec := chosen("mtp.combine", map[string]any{"eps": 0}).
		put("hidden", []int{1, 2}, 2, 14).put("embedding", []int{1, 2}, 70, 10).
		put("norm_hidden", nil, 5, 5).put("norm_embedding", nil, 5, 5).
		put("projection", []int{2, 4}, 1, 0, 0, 1, 0, 1, 1, 0)
	return work("What enters a module of multi-token prediction", "Both rows have simple root mean squares, 10 and "+
		"50, so that their norms, with weights of 5, are whole numbers.", rec.Recording, walkCombine)
}

// walkCombine works the first token.
func walkCombine(s *Sheet, c *op.Case) {
	hidden, embedding := c.Input("hidden").Row(0), c.Input("embedding").Row(0)
	s.given("The representation of the depth before, and the embedding of the token that this depth has in view.",
		row("h", hidden), row("e", embedding))
	if c.Flag("mask_first") {
		embedding = make([]float64, len(embedding))
		s.step("The embedding of the first row is masked.", "mtp.MaskFirst", "", row("e", embedding))
	}
	y := s.combine(hidden, embedding, c.Input("norm_hidden").Row(), c.Input("norm_embedding").Row(),
		c.Block("projection", 0, 0, c.Dim("d")), prediction.OrderOf(c), c.Float("eps"))
	s.out("y", 0, y...)
}

// combine adds the steps to what enters the block.
func (s *Sheet) combine(
	hidden, embedding, normHidden, normEmbedding []float64, m mat.Matrix, order mtp.Order, eps float64,
) []float64 {
	a, b := norm.RMS(hidden, normHidden, eps), norm.RMS(embedding, normEmbedding, eps)
	s.step("Both are normalised, each with weights of its own.", "norm.RMS", "a = RMSNorm(h)\nb = RMSNorm(e)",
		row("a", a), row("b", b))
	formula := "h' = M [a; b]"
	if order == mtp.EmbeddingFirst {
		formula = "h' = M [b; a]"
	}
	one := mtp.Concat(dense(a), dense(b), order)
	y := mtp.Combine(dense(hidden), dense(embedding), normHidden, normEmbedding, m, order, eps)
	s.step("Side by side they are projected back to one width.", "mtp.Combine", formula, matrix("M", m),
		row("side by side", one.RawRowView(0)), row("h'", y.RawRowView(0)))
	return y.RawRowView(0)
}

func predictedSheet() *Sheet {
	rec := chosen("mtp.loss", map[string]any{"weight": 0.3}).
		put("logits", []int{1, 2, 3}, 0, ln2, 0, ln2, 0, 0).put("tokens", nil, 0, 2, 1, 0)
	return work("The loss of one depth", "Logits of ln 2 and 0 give probabilities of 1/2 and 1/4. Depth 1 predicts "+
		"the token after the next.", rec.Recording, walkPredicted)
}

// walkPredicted works the losses of all depths.
func walkPredicted(s *Sheet, c *op.Case) {
	perDepth := make([]float64, c.Dim("D"))
	for k := range perDepth {
		perDepth[k] = s.depth(c, k+1)
	}
	loss := mtp.Loss(perDepth, c.Float("weight"))
	s.step("The mean over depths, weighted, is added to the loss of the main model.", "mtp.Loss",
		"L_MTP = λ/D Σ_k L_k", number("λ", c.Float("weight")), number("L_MTP", loss))
	s.out("loss", 0, loss)
}

// depth adds the loss of depth k, and returns it.
func (s *Sheet) depth(c *op.Case, k int) float64 {
	n, divisor := prediction.Targets(c, k), prediction.Divisor(c, k)
	if n == 0 {
		s.given(fmt.Sprintf("Depth %d has no token to predict.", k))
		if divisor != 0 {
			s.out("per_depth", k-1, 0)
		}
		return 0
	}
	logits, tokens, losses := c.Block("logits", k-1, 0, n), prediction.Tokens(c), make([]float64, n)
	for i := range n {
		losses[i] = policy.CrossEntropy(logits.RawRowView(i), tokens[i+k+1], 1)
	}
	s.step(fmt.Sprintf("Depth %d: position i predicts token i + %d; each loss is a cross-entropy.", k, k+1),
		"policy.CrossEntropy", "l_i = ln Σ_v e^{z_iv} − z_{i,t}", matrix("z", logits), whole("t", tokens[k+1:k+1+n]),
		row("l", losses))
	loss := float64(n) * mtp.DepthLoss(logits, tokens, k) / float64(divisor)
	s.step("Their sum over the positions, divided by T.", "mtp.DepthLoss", "L_k = 1/T Σ_i l_i",
		number("T", float64(divisor)), number(fmt.Sprintf("L_%d", k), loss))
	s.out("per_depth", k-1, loss)
	return loss
}

func acceptSheet() *Sheet {
	rec := chosen("mtp.accept", nil).put("draft_tokens", []int{1, 1}, 0).
		put("draft_probs", []int{1, 1, 3}, 0.5, 0.25, 0.25).
		put("target_probs", []int{1, 2, 3}, 0.25, 0.5, 0.25, 1, 0, 0).put("uniforms", []int{1, 2}, 0.75, 0.5)
	return work("One drafted token, verified", "Three tokens in the vocabulary. The draft likes token 0 twice as much "+
		"as the model does, so that it is kept half of the time; this time it is not.", rec.Recording, walkAccept)
}

// walkAccept works the first sequence.
func walkAccept(s *Sheet, c *op.Case) {
	k := c.Dim("k")
	tokens, rates, u := make([]int, k), make([]float64, k), c.Input("uniforms").Row(0)
	p, q := c.Block("target_probs", 0, 0, k+1), mat.NewDense(max(k, 1), c.Dim("vocab"), nil)
	for i := range k {
		tokens[i] = int(c.Input("draft_tokens").Data[i])
		q.SetRow(i, c.Block("draft_probs", 0, i, i+1).RawRowView(0))
		rates[i] = mtp.AcceptProbability(p.At(i, tokens[i]), q.At(i, tokens[i]))
	}
	s.given("Drafted tokens, what they were drawn from, and what the model says in their place and after them.",
		whole("x", tokens), matrix("q", q), matrix("p", p), row("u", u))
	s.step("Each draft is kept with this probability, as long as all before it are.", "mtp.AcceptProbability",
		"α_i = min(1, p_i(x_i) / q_i(x_i))\nx_i is kept if u_i < α_i", row("α", rates), row("u", u[:k]))
	accepted, next := mtp.Accept(tokens, q, p, u)
	s.drawn(accepted, next, k, q, p, u[k])
	s.out("accepted", 0, float64(accepted))
	s.out("next_token", 0, float64(next))
}

// drawn adds the steps to the token after those that are kept.
func (s *Sheet) drawn(accepted, next, k int, q, p *mat.Dense, u float64) {
	weights := p.RawRowView(accepted)
	if accepted < k {
		weights = mtp.Residual(weights, q.RawRowView(accepted))
		s.step("The first that is refused is replaced from what the draft leaves over.", "mtp.Residual",
			"w(x) = max(0, p(x) − q(x))", number("kept", float64(accepted)), row("w", weights))
	} else {
		s.given("All are kept, and the model's last row gives one more token.", number("kept", float64(accepted)),
			row("w", weights))
	}
	sums := floats.CumSum(make([]float64, len(weights)), weights)
	s.step("The last uniform number draws the next token: the first whose cumulative sum exceeds u times the sum.",
		"mtp.Draw", "smallest x with Σ_{v ≤ x} w_v > u Σ_v w_v", row("cumulative", sums),
		number("u Σ w", u*floats.Sum(weights)), number("next", float64(next)))
}

package hand

import (
	"fmt"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/mtp"
	"plumbline/policy"
)

// averaging is a block of attention whose queries are 0: each row adds the mean of the rows so far.
func averaging() mtp.Block {
	return mtp.Block{Forward: func(x mat.Matrix) *mat.Dense {
		rows, cols := x.Dims()
		out, _ := attention.Head(mat.NewDense(rows, cols, nil), x, x,
			attention.Options{Mask: attention.Mask{Causal: true}})
		out.Add(out, x)
		return out
	}}
}

func moduleSheet() *Sheet {
	s := newSheet("mtp", "A module of depth 1", "Two positions and a vocabulary of three, ε = 0. The block is "+
		"attention with queries of 0 and a residual: each row adds the mean of the rows so far. Both norms before it "+
		"have weights of 5, the one before the head has ln 2.")
	m := mtp.Module{
		NormHidden: []float64{5, 5}, NormEmbedding: []float64{5, 5}, Block: averaging(),
		Projection: dense([]float64{1, 0, -1, 0}, []float64{0, 1, 0, -1}), NormHead: []float64{ln2, ln2},
	}
	hidden := dense([]float64{1, 7}, []float64{7, 1})
	embedding, tokens := dense([]float64{7, 1}, []float64{1, 7}, []float64{5, 5}), []int{0, 0, 1, 0}
	shifted := mtp.Embed(tokens[1:3], embedding)
	s.given("Hidden states of the main model at positions 0 and 1; four tokens; and for position i the embedding of "+
		"token i + 1, which is known by then.", matrix("h", hidden), whole("t", tokens), matrix("Emb", embedding),
		matrix("Emb(t_{i+1})", shifted))
	combined := mtp.Combine(hidden, shifted, m.NormHidden, m.NormEmbedding, m.Projection, m.Order, m.Eps)
	s.step("Normalised, side by side, projected.", "mtp.Combine", "h'_i = M [RMSNorm(h_i); RMSNorm(Emb(t_{i+1}))]",
		matrix("M", m.Projection), matrix("h'", combined))
	h := m.Forward(hidden, shifted)
	s.step("Through the block. This is also what depth 2 would start from.", "mtp.Module.Forward", "h¹ = TRM(h')",
		matrix("h¹", h))
	head := dense([]float64{1, 0}, []float64{0, 1}, []float64{0, 0})
	s.step("The norm before the head, and the head of the main model.", "mtp.Module.Logits", "z = W RMSNorm(h¹)",
		matrix("W", head), matrix("z", m.Logits(h, head)))
	s.predicted(m.Logits(h, head), tokens)
	return s
}

// predicted adds the loss of depth 1.
func (s *Sheet) predicted(logits *mat.Dense, tokens []int) {
	probabilities := mat.NewDense(2, 3, nil)
	for i := range 2 {
		probabilities.SetRow(i, exps(policy.LogSoftmax(logits.RawRowView(i), 1)))
	}
	loss := mtp.DepthLossValid(logits, tokens, 1)
	s.step("Position i predicts token i + 2: the loss is the mean cross-entropy of n = 2 positions. (Of four tokens, "+
		"as printed, (24) of DeepSeek-V3 divides by T = 3.)", "mtp.DepthLossValid",
		"L_1 = −1/n Σ_i ln P(t_{i+2})", matrix("P", probabilities), whole("t_{i+2}", tokens[2:]), number("L_1", loss))
	s.step("It is added to the loss of the main model with a weight.", "mtp.Loss", "L_MTP = λ/D Σ_k L_k",
		number("λ", 0.3), number("L_MTP", mtp.Loss([]float64{loss}, 0.3)))
}

func ratesSheet() *Sheet {
	s := newSheet("speculative", "How often, and how many",
		"The distributions of the draft above: q = (1/2, 1/4, 1/4), p = (1/4, 1/2, 1/4).")
	p, q := []float64{0.25, 0.5, 0.25}, []float64{0.5, 0.25, 0.25}
	accept, keep := make([]float64, 3), make([]float64, 3)
	for x := range p {
		accept[x] = mtp.AcceptProbability(p[x], q[x])
		keep[x] = q[x] * accept[x]
	}
	s.step("Of each token: how often it is kept when it is drafted, and how often it is drafted and kept.",
		"mtp.AcceptProbability", "a(x) = min(1, p(x) / q(x))", row("a", accept), row("q a", keep))
	alpha := mtp.AcceptanceRate(p, q)
	s.step("The acceptance rate is their sum: what the two distributions share.", "mtp.AcceptanceRate",
		"α = Σ_x min(p(x), q(x)) = 1 − TV(p, q)", number("α", alpha), number("TV", mtp.TotalVariation(p, q)))
	residual := mtp.Residual(p, q)
	s.step("What is refused is replaced from the residual.", "mtp.Residual", "w(x) = max(0, p(x) − q(x))",
		row("w", residual), number("Σ w", floats.Sum(residual)))
	s.step("Kept and replaced together have the distribution of the model, exactly.", "mtp.Emitted",
		"q(x) a(x) + (1 − α) w(x) / Σ_v w(v) = p(x)", row("emitted", mtp.Emitted(p, q)), row("p", p))
	drafts, expected := make([]string, 3), make([]float64, 3)
	for i := range drafts {
		drafts[i], expected[i] = fmt.Sprintf("γ=%d", i+1), mtp.ExpectedTokens(alpha, i+1)
	}
	s.step("Tokens that one step of the model brings with γ drafts, if all are kept at this rate.",
		"mtp.ExpectedTokens", "E = 1 + α + … + α^γ = (1 − α^{γ+1}) / (1 − α)", row("E", expected).under(drafts...))
	return s
}

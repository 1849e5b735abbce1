package hand

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/policy"
	"plumbline/verify/op"
	"plumbline/verify/op/objective"
)

// Logarithms of chosen probabilities.
const ln2, ln3 = math.Ln2, 1.09861228866810969139524523692252570464749055782274945173469433

func policyWalks() []walk {
	return []walk{
		{"policy.logprob", logprobSheet, walkLogprob, nil},
		{"policy.kl", klSheet, walkKL, nil},
		{"policy.mismatch", mismatchSheet, walkMismatch, mismatchReads},
		{"policy.cross_entropy", entropySheet, walkEntropy, func(c *op.Case) float64 { return 2 * c.Extent("vocab") }},
	}
}

func logprobSheet() *Sheet {
	rec := chosen("policy.logprob", nil).put("logits", []int{1, 3}, ln2, 0, 0).put("tokens", nil, 0)
	return work("The log-probability of a token", "Logits of ln 2, 0 and 0 give probabilities of 1/2, 1/4 and 1/4.",
		rec.Recording, walkLogprob)
}

// walkLogprob works the first token.
func walkLogprob(s *Sheet, c *op.Case) {
	logits, skipped := objective.Logits(c, 0)
	token, temperature := int(c.Input("tokens").Data[0]), c.Float("temperature")
	if skipped {
		s.given("The first token is one that is not judged: its target is ignore_index.")
		return
	}
	logp := policy.LogSoftmax(logits, temperature)
	s.given("Logits, the temperature that divides them, and the token that was sampled; −∞ is excluded.",
		row("z", logits), number("T", temperature), number("token", float64(token)))
	s.step("The log-softmax.", "policy.LogSoftmax", "log π_v = z_v/T − ln Σ_j e^{z_j/T}", row("log π", logp),
		row("π", exps(logp)))
	s.step("The log-probability of the token.", "policy.LogProb", "log π(token)", number("log π(token)", logp[token]))
	s.step("The entropy of the distribution.", "policy.Entropy", "H = −Σ_v π_v log π_v",
		number("H", policy.Entropy(logits, temperature)))
	s.out("logprob", 0, logp[token])
	s.out("entropy", 0, policy.Entropy(logits, temperature))
}

// exps returns the exponentials of numbers.
func exps(x []float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = math.Exp(v)
	}
	return y
}

func klSheet() *Sheet {
	rec := chosen("policy.kl", map[string]any{"estimator": "k3"}).
		put("logprob", []int{1, 3}, -ln2, -ln2, -ln2).put("ref_logprob", []int{1, 3}, -2*ln2, -ln2, 0).
		put("mask", []int{1, 3}, 1, 1, 1)
	return work("How far from the reference: k3", "The reference gives the three tokens half, as much, and twice what "+
		"the policy gives them.", rec.Recording, walkKL)
}

// walkKL works the first sequence.
func walkKL(s *Sheet, c *op.Case) {
	logprob, ref := objective.Matrix(c, "logprob").RawRowView(0), objective.Matrix(c, "ref_logprob").RawRowView(0)
	mask := objective.Matrix(c, "mask").RawRowView(0)
	s.given("Log-probabilities of the policy and of the reference, and which tokens count.", row("log π", logprob),
		row("log π_ref", ref), row("mask", mask))
	delta, kl := make([]float64, len(mask)), make([]float64, len(mask))
	for t := range mask {
		if mask[t] != 0 {
			delta[t] = ref[t] - logprob[t]
			kl[t] = objective.Divergence(c.Word("estimator"), logprob[t], ref[t], c.Float("limit"))
		}
	}
	s.outCounted("kl", kl, mask)
	name := c.Word("estimator")
	says := "Each estimate is of one token; their mean over tokens that the policy sampled is the divergence."
	if limit := c.Float("limit"); limit > 0 {
		says += " δ is clamped to ± the limit first."
	}
	s.step(says, map[string]string{"k1": "policy.K1", "k2": "policy.K2", "k3": "policy.K3"}[name],
		"δ = log π_ref − log π\n"+map[string]string{
			"k1": "k1 = −δ", "k2": "k2 = δ²/2", "k3": "k3 = e^δ − 1 − δ",
		}[name], row("δ", delta), row(name, kl))
}

func entropySheet() *Sheet {
	rec := chosen("policy.cross_entropy", nil).put("hidden", []int{1, 2}, ln2, 0).
		put("weight", []int{3, 2}, 1, 0, 0, 4, 0, 8).put("targets", nil, 1)
	return work("Cross-entropy from a hidden state", "The rows of the head are (1, 0), (0, 4) and (0, 8): it makes "+
		"logits ln 2, 0 and 0 of the hidden state.",
		rec.Recording, walkEntropy)
}

// walkEntropy works the first row; the mean over rows is not formed where there are others.
func walkEntropy(s *Sheet, c *op.Case) {
	hidden, target := c.Input("hidden").Row(0), c.Input("targets").Data[0]
	if target == float64(c.Int("ignore_index")) {
		s.given("The first row does not count: its target is ignore_index, and its gradient is 0.")
		s.out("dhidden", 0, make([]float64, c.Dim("d"))...)
		return
	}
	logits, temperature := headLogits(c, hidden), c.Float("temperature")
	s.step("The head makes logits of the hidden state.", "attention.Project", "z = W h", row("h", hidden),
		row("z", logits))
	loss := policy.CrossEntropy(logits, int(target), temperature)
	s.step("The loss of the row is what the target costs.", "policy.CrossEntropy", "l = ln Σ_v e^{z_v/T} − z_y/T",
		number("T", temperature), number("y", target), number("l", loss))
	dz := policy.CrossEntropyBackward(logits, int(target), temperature)
	s.step("Its gradient for the logits is the softmax less the target.", "policy.CrossEntropyBackward",
		"dz_v = (softmax(z/T)_v − 1[v = y]) / T", row("dz", dz))
	s.out("token_loss", 0, loss)
	dh := headBackward(c, dz, divisor(c))
	s.step("And through the head; of a mean it is divided by the rows that count.", "attention.ProjectBackward",
		"dh = Wᵀ dz / rows", number("rows", divisor(c)), row("dh", dh))
	s.out("dhidden", 0, dh...)
}

// divisor is how many rows count for a mean, 1 for a sum.
func divisor(c *op.Case) float64 {
	if c.Word("reduction") != "mean" {
		return 1
	}
	n := 0.0
	for _, y := range c.Input("targets").Data {
		if y != float64(c.Int("ignore_index")) {
			n++
		}
	}
	return max(1, n)
}

// headRows is how many rows of the head are read at a time.
const headRows = 1024

// headBackward returns the gradient of a hidden state.
func headBackward(c *op.Case, dz []float64, divisor float64) []float64 {
	dh := make([]float64, c.Dim("d"))
	for from := 0; from < c.Dim("vocab"); from += headRows {
		block := c.Block("weight", 0, from, min(from+headRows, c.Dim("vocab")))
		for i := range block.RawMatrix().Rows {
			floats.AddScaled(dh, dz[from+i]/divisor, block.RawRowView(i))
		}
	}
	return dh
}

// headLogits returns those of a hidden state, with the rows of the head read some at a time.
func headLogits(c *op.Case, hidden []float64) []float64 {
	var logits []float64
	for from := 0; from < c.Dim("vocab"); from += headRows {
		block := c.Block("weight", 0, from, min(from+headRows, c.Dim("vocab")))
		logits = append(logits, times(mat.Matrix(block), hidden)...)
	}
	return logits
}

package story

import (
	"maps"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/grpo"
	"plumbline/mtp"
	"plumbline/policy"
)

// table is the smallest language model: a row of logits for each context, and a context is all that
// the model sees of a prompt and of what it has written so far.
type table struct {
	see  func(prompt int, written []int) (context string, ended bool)
	born func(context string) []float64 // logits of a context that is met for the first time
	rows map[string]line
}

// line is a row of logits with log π and π of it.
type line struct{ z, logp, p []float64 }

func newLine(z []float64) line { return line{z, policy.LogSoftmax(z, 1), mtp.Distribution(z, 1)} }

// output is one answer to a prompt.
type output struct {
	prompt   int
	tokens   []int
	contexts []string  // that each token was chosen in
	old      []float64 // log π of each token when it was sampled
}

// row returns the logits of a context.
func (m *table) row(context string) line {
	if _, ok := m.rows[context]; !ok {
		m.rows[context] = newLine(m.born(context))
	}
	return m.rows[context]
}

// clone returns a copy that goes its own way.
func (m *table) clone() *table { return &table{m.see, m.born, maps.Clone(m.rows)} }

// write samples an answer.
func (m *table) write(prompt int, d *dice) output {
	o := output{prompt: prompt}
	for {
		context, ended := m.see(prompt, o.tokens)
		if ended {
			o.old = m.logprobs(o)
			return o
		}
		o.contexts = append(o.contexts, context)
		o.tokens = append(o.tokens, mtp.Draw(m.row(context).p, d.uniform()))
	}
}

// read returns a given answer as the model sees it.
func (m *table) read(prompt int, tokens []int) output {
	o := output{prompt: prompt, tokens: tokens}
	for t := range tokens {
		context, _ := m.see(prompt, tokens[:t])
		o.contexts = append(o.contexts, context)
	}
	o.old = m.logprobs(o)
	return o
}

// logprobs returns log π of the tokens of an answer.
func (m *table) logprobs(o output) []float64 {
	logp := make([]float64, len(o.tokens))
	for t, token := range o.tokens {
		logp[t] = m.row(o.contexts[t]).logp[token]
	}
	return logp
}

// descend moves the logits against the gradient of a loss, given ∂L/∂ log π of each token of each
// answer, [N × L].
func (m *table) descend(outputs []output, dlogprob mat.Matrix, rate float64) {
	sums := map[string][]float64{} // of ∂L/∂ log π for each token in each context
	for i, o := range outputs {
		for t, token := range o.tokens {
			if sums[o.contexts[t]] == nil {
				sums[o.contexts[t]] = make([]float64, len(m.row(o.contexts[t]).z))
			}
			sums[o.contexts[t]][token] += dlogprob.At(i, t)
		}
	}
	for context, sum := range sums {
		z := m.row(context).z
		moved := slices.Clone(z)
		for token, d := range sum {
			if d != 0 {
				floats.AddScaled(moved, -rate*d, policy.LogProbBackward(z, token, 1))
			}
		}
		m.rows[context] = newLine(moved)
	}
}

// imitate is a step of supervised fine-tuning, whose gradient coefficient is 1 for every token.
func (m *table) imitate(texts []output, rate float64) {
	d := fill(texts, func(int, int) float64 { return -policy.CoefficientSFT() })
	d.MulElem(d, policy.TokenWeights(mask(texts), policy.TokenMean, 0))
	m.descend(texts, d, rate)
}

// recipe is how a batch of groups becomes a step: what GRPO and its relatives differ in.
type recipe struct {
	std     grpo.Std
	weigh   policy.Aggregation
	length  int // for policy.Constant
	loss    policy.RatioLoss
	beta    float64 // of k3 in the loss
	updates int     // on the same samples
	rate    float64
}

// learn updates the model by a batch of answers, given the advantage of each.
func (r recipe) learn(m, ref *table, outputs []output, advantage []float64) {
	b := grpo.Batch{
		Old:       fill(outputs, func(i, t int) float64 { return outputs[i].old[t] }),
		Advantage: fill(outputs, func(i, _ int) float64 { return advantage[i] }),
		Mask:      mask(outputs),
	}
	b.Weights = policy.TokenWeights(b.Mask, r.weigh, r.length)
	logref := logprobs(ref, outputs)
	for range r.updates {
		b.LogProb = logprobs(m, outputs)
		_, d := b.TokenLoss(r.loss)
		_, dk := b.Divergence(logref, func(logprob, ref float64) (kl, dlogprob float64) {
			return policy.K3(logprob, ref), policy.K3Backward(logprob, ref)
		})
		dk.Scale(r.beta, dk)
		d.Add(d, dk)
		m.descend(outputs, d, r.rate)
	}
}

// logprobs returns log π of all tokens, [N × L].
func logprobs(m *table, outputs []output) *mat.Dense {
	return fill(outputs, func(i, t int) float64 { return m.row(outputs[i].contexts[t]).logp[outputs[i].tokens[t]] })
}

// mask returns 1 for every token that there is, [N × L].
func mask(outputs []output) *mat.Dense { return fill(outputs, func(int, int) float64 { return 1 }) }

// fill returns f of every token of every answer, and 0 behind the ends of the shorter ones.
func fill(outputs []output, f func(i, t int) float64) *mat.Dense {
	longest := 0
	for _, o := range outputs {
		longest = max(longest, len(o.tokens))
	}
	x := mat.NewDense(len(outputs), longest, nil)
	for i, o := range outputs {
		for t := range o.tokens {
			x.Set(i, t, f(i, t))
		}
	}
	return x
}

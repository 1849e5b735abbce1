package story

import (
	"fmt"
	"math"
	"strings"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/mtp"
	"plumbline/policy"
	"plumbline/ppo"
)

var words = []string{"how", "are", "you", "fine", "bad", "thanks"}

const (
	ppoWidth   = 4
	ppoBeta    = 0.1 // weight of the KL in the rewards
	ppoGamma   = 1
	ppoLambda  = 0.95
	ppoClip    = 0.2
	ppoUpdates = 4
	ppoRate    = 0.3
)

// network is a language model without layers: at each position it sees the mean of the embeddings
// up to there. Its head has a row for each word, or one row for a score.
type network struct{ embedding, head *mat.Dense }

func newNetwork(outputs int, d *dice) network {
	normal := func(int, int, float64) float64 { return d.normal() }
	n := network{mat.NewDense(len(words), ppoWidth, nil), mat.NewDense(outputs, ppoWidth, nil)}
	n.embedding.Apply(normal, n.embedding)
	n.head.Apply(normal, n.head)
	return n
}

func (n network) clone() network {
	return network{mat.DenseCopyOf(n.embedding), mat.DenseCopyOf(n.head)}
}

// near returns a network whose weights are off by up to a few times size.
func (n network) near(size float64, d *dice) network {
	move := func(_, _ int, x float64) float64 { return x + size*d.normal() }
	m := n.clone()
	m.embedding.Apply(move, m.embedding)
	m.head.Apply(move, m.head)
	return m
}

// means returns the matrix that takes the mean of all rows up to each, [T × T].
func means(tokens int) *mat.Dense {
	m := mat.NewDense(tokens, tokens, nil)
	for t := range tokens {
		for s := range t + 1 {
			m.Set(t, s, 1/float64(t+1))
		}
	}
	return m
}

// hidden returns what the head is given, [T × d].
func (n network) hidden(tokens []int) *mat.Dense {
	var h mat.Dense
	h.Mul(means(len(tokens)), mtp.Embed(tokens, n.embedding))
	return &h
}

// forward returns what the head says at every position, [T × outputs].
func (n network) forward(tokens []int) *mat.Dense { return attention.Project(n.hidden(tokens), n.head) }

// backward returns the gradients of a loss, given dy = ∂L/∂y of forward's y.
func (n network) backward(tokens []int, dy mat.Matrix) (dn network) {
	dh, dhead := attention.ProjectBackward(n.hidden(tokens), n.head, dy)
	var drows mat.Dense
	drows.Mul(means(len(tokens)).T(), dh)
	return network{mtp.EmbedBackward(tokens, len(words), &drows), dhead}
}

// descend moves the weights against their gradients and returns how long the gradient is.
func (n network) descend(dn network, rate float64) float64 {
	floats.AddScaled(n.embedding.RawMatrix().Data, -rate, dn.embedding.RawMatrix().Data)
	floats.AddScaled(n.head.RawMatrix().Data, -rate, dn.head.RawMatrix().Data)
	return math.Hypot(mat.Norm(dn.embedding, 2), mat.Norm(dn.head, 2))
}

// moved returns by how much the weight differs that differs most from another network's.
func (n network) moved(from network) float64 {
	return max(
		floats.Distance(n.embedding.RawMatrix().Data, from.embedding.RawMatrix().Data, math.Inf(1)),
		floats.Distance(n.head.RawMatrix().Data, from.head.RawMatrix().Data, math.Inf(1)))
}

// four are the models of PPO for a language model.
type four struct{ policy, reference, reward, value network }

// newFour returns a policy that has left its reference a little, and a value model that starts from
// the reward model, as in InstructGPT.
func newFour(d *dice) four {
	reference, reward := newNetwork(len(words), d), newNetwork(1, d)
	return four{reference.near(0.2, d), reference, reward, reward.clone()}
}

func (m four) clone() four {
	return four{m.policy.clone(), m.reference.clone(), m.reward.clone(), m.value.clone()}
}

// rollout is a prompt with a response, and what is known of it before any update.
type rollout struct {
	tokens              []int // of the prompt, then of the response
	prompt              int   // tokens of the prompt
	old, ref            []float64
	score               float64
	values              []float64
	advantages, returns []float64
}

// response returns the tokens after the prompt.
func (r rollout) response() []int { return r.tokens[r.prompt:] }

// logprobs returns log π of the tokens of the response: the row before a token predicts it.
func (r rollout) logprobs(n network) []float64 {
	z, logp := n.forward(r.tokens), make([]float64, len(r.response()))
	for t, token := range r.response() {
		logp[t] = policy.LogProb(z.RawRowView(r.prompt-1+t), token, 1)
	}
	return logp
}

// valuesBy returns the values of the states before the tokens of the response.
func (r rollout) valuesBy(n network) []float64 {
	return mat.Col(nil, 0, n.forward(r.tokens))[r.prompt-1 : len(r.tokens)-1]
}

// rewards returns what each token earns.
func (r rollout) rewards() []float64 {
	return ppo.TokenRewards(r.score, r.old, r.ref, []float64{1, 1, 1}, ppoBeta)
}

// roll lets the policy answer a prompt with three words, and asks the other models about it.
func (m four) roll(prompt []int, d *dice) rollout {
	r := rollout{tokens: prompt, prompt: len(prompt)}
	for range 3 {
		z := m.policy.forward(r.tokens)
		r.tokens = append(r.tokens, mtp.Draw(mtp.Distribution(z.RawRowView(len(r.tokens)-1), 1), d.uniform()))
	}
	r.old, r.ref = r.logprobs(m.policy), r.logprobs(m.reference)
	r.score = m.reward.forward(r.tokens).At(len(r.tokens)-1, 0)
	r.values = r.valuesBy(m.value)
	r.advantages, r.returns = ppo.GAE(r.rewards(), r.values, nil, 0, ppoGamma, ppoLambda)
	return r
}

// policyLoss returns the clipped loss of the policy and its gradient for the logits.
func (r rollout) policyLoss(n network) (loss float64, dz *mat.Dense) {
	row := func(x []float64) *mat.Dense { return mat.NewDense(1, len(x), x) }
	o := ppo.Options{Low: ppoClip, High: ppoClip, Aggregation: policy.TokenMean}
	loss, d := ppo.Loss(row(r.logprobs(n)), row(r.old), row(r.advantages), row([]float64{1, 1, 1}), o)
	z := n.forward(r.tokens)
	dz = mat.NewDense(len(r.tokens), len(words), nil)
	for t, token := range r.response() {
		at := r.prompt - 1 + t
		floats.AddScaled(dz.RawRowView(at), d.At(0, t), policy.LogProbBackward(z.RawRowView(at), token, 1))
	}
	return loss, dz
}

// valueLoss returns the clipped loss of the value model, the mean over tokens, and its gradient for
// the values.
func (r rollout) valueLoss(n network) (loss float64, dv *mat.Dense) {
	dv = mat.NewDense(len(r.tokens), 1, nil)
	count := float64(len(r.values))
	for t, v := range r.valuesBy(n) {
		l, d := ppo.ValueLossClipped(v, r.values[t], r.returns[t], ppoClip)
		loss += l / count
		dv.Set(r.prompt-1+t, 0, d/count)
	}
	return loss, dv
}

// ppoStory tells how the four models of a language model's PPO work together on one prompt.
func ppoStory(s *sheet, d *dice) {
	m := newFour(d)
	before := m.clone()
	r := m.roll([]int{0, 1, 2}, d)
	tellModels(s, m)
	r.tell(s)
	tellUpdates(s, m, r)
	s.head("Who has moved")
	s.row("%-10s %-24s %s", "", "trained by", "largest change of a weight")
	s.row("%-10s %-24s %.4f", "policy", "policy loss", m.policy.moved(before.policy))
	s.row("%-10s %-24s %.4f", "value", "value loss", m.value.moved(before.value))
	s.row("%-10s %-24s %.4f", "reference", "nothing: frozen", m.reference.moved(before.reference))
	s.row("%-10s %-24s %.4f", "reward", "nothing: frozen", m.reward.moved(before.reward))
}

func tellModels(s *sheet, m four) {
	s.say("The four are models of their own; each is as small as can be: embeddings of six words, the mean of " +
		"all embeddings up to a position, and a head.")
	s.head("The four models")
	s.row("%-10s %-10s %-7s %s", "", "embedding", "head", "says")
	for _, one := range []struct {
		name string
		n    network
		says string
	}{
		{"policy", m.policy, "log π of the next word; it writes, and is trained"},
		{"reference", m.reference, "log π_ref of the words that the policy wrote; the policy before RL"},
		{"reward", m.reward, "one score, for prompt and response together, after the last word"},
		{"value", m.value, "V, what is still to come, before each word; it starts as the reward model"},
	} {
		s.row("%-10s %-10s %-7s %s", one.name, shape(one.n.embedding), shape(one.n.head), one.says)
	}
}

func shape(m mat.Matrix) string {
	r, c := m.Dims()
	return fmt.Sprintf("[%d × %d]", r, c)
}

// tell shows what is known of a response before it is learnt from.
func (r rollout) tell(s *sheet) {
	s.head("One response")
	s.row("prompt: %s   response: %s   score: %.3f", spell(r.tokens[:r.prompt]), spell(r.response()), r.score)
	s.row("")
	s.row("%-8s %8s %9s %9s %8s %8s %8s %8s %8s",
		"word", "log π", "log π_ref", "KL term", "reward", "V", "delta", "A", "return")
	rewards := r.rewards()
	for t, token := range r.response() {
		next := 0.0
		if t+1 < len(r.values) {
			next = r.values[t+1]
		}
		s.row("%-8s %8.3f %9.3f %9.3f %8.3f %8.3f %8.3f %8.3f %8.3f", words[token], r.old[t], r.ref[t],
			ppo.KLReward(0, r.old[t], r.ref[t], ppoBeta), rewards[t], r.values[t],
			ppo.TDError(rewards[t], r.values[t], next, ppoGamma), r.advantages[t], r.returns[t])
	}
	s.say("The KL term is -β (log π - log π_ref) with β = %.1f. It is the reward of a word, and at the last word "+
		"the score of the reward model is added. Delta is r + γ V' - V, and 0 is V' after the last word; A sums "+
		"the deltas to come by powers of γλ = %.2f, and the return is A + V. The score is below 0, and yet every "+
		"advantage is above: the value model expected worse.", ppoBeta, ppoGamma*ppoLambda)
}

func spell(tokens []int) string {
	said := make([]string, len(tokens))
	for i, token := range tokens {
		said[i] = words[token]
	}
	return strings.Join(said, " ")
}

// tellUpdates learns from the response a few times and shows each.
func tellUpdates(s *sheet, m four, r rollout) {
	s.head("Four updates from it")
	s.row("%-8s %-26s %12s %12s %12s %12s",
		"update", "r = π/π_old of each word", "policy loss", "gradient", "value loss", "gradient")
	for update := range ppoUpdates {
		loss, dz := r.policyLoss(m.policy)
		valueLoss, dv := r.valueLoss(m.value)
		ratios := ""
		for t, logprob := range r.logprobs(m.policy) {
			ratio := policy.Ratio(logprob, r.old[t], 0)
			mark := " "
			if _, d := ppo.Clip(ratio, r.advantages[t], ppoClip, ppoClip); d == 0 {
				mark = "*"
			}
			ratios += fmt.Sprintf("%.3f%s  ", ratio, mark)
		}
		g := m.policy.descend(m.policy.backward(r.tokens, dz), ppoRate)
		gv := m.value.descend(m.value.backward(r.tokens, dv), ppoRate)
		s.row("%-8d %-26s %12.4f %12.4f %12.4f %12.4f", update+1, ratios, loss, g, valueLoss, gv)
	}
	s.say("Both losses are means over the three words. A star marks a ratio that the clip at 1 ± %.1f takes out "+
		"of the gradient. The first update sees ratios of 1: its loss is minus the mean of A, and its gradient "+
		"the policy gradient. The value loss is clipped too: a value that has gone further than %.1f toward its "+
		"return has no gradient, and the loss stands still until the next response.", ppoClip, ppoClip)
}

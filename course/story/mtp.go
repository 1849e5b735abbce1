package story

import (
	"fmt"
	"strings"

	"gonum.org/v1/gonum/floats"

	"plumbline/mla"
	"plumbline/model"
	"plumbline/moe"
	"plumbline/mtp"
	"plumbline/numbers/tensor"
	"plumbline/policy"
)

// hamlet is the vocabulary, and sentence what is learnt: six tokens and the one after them.
var (
	hamlet   = []string{"to", "be", "or", "not"}
	sentence = []int{0, 1, 2, 3, 0, 1, 2}
)

// drafter is a model with one module of further prediction.
type drafter struct {
	w model.Weights
	c model.Config
}

func newDrafter(d *dice) drafter {
	gate := moe.DeepSeekV3Gate()
	gate.TopK, gate.Groups, gate.TopGroups = 2, 2, 1
	c := model.Config{
		Vocabulary: len(hamlet), Width: 6, Layers: 2, Dense: 1, Inner: 6, ExpertInner: 3, Experts: 4, SharedExperts: 1,
		QueryLatent: 4, Latent: 3, Depths: 1, Eps: 1e-6, Gate: gate, Order: mtp.EmbeddingFirst, PassNormed: true,
		Attention: mla.Config{Heads: 2, NopeDim: 2, RopeDim: 2, ValueDim: 3, Eps: 1e-6, Base: 10000, Causal: true},
	}
	m := drafter{model.NewWeights(c), c}
	m.w.Each(func(_ string, x *tensor.Tensor) {
		for i := range x.Data {
			x.Data[i] = 0.5 * d.normal()
			if len(x.Shape) == 1 { // norms
				x.Data[i] = 1
			}
		}
	})
	return m
}

const mtpLambda = 0.3

// learn takes steps of descent on the sentence.
func (m drafter) learn(steps int) {
	for range steps {
		dlogits := model.LossBackward(model.Forward(inputs(), m.w, m.c, nil), sentence, mtpLambda)
		model.Descend(m.w, model.Backward(inputs(), m.w, m.c, dlogits), 0.1)
	}
}

// next returns the main model's choice after a text.
func (m drafter) next(text []int) int {
	z := model.Forward(text, m.w, m.c, nil)[0]
	return floats.MaxIdx(z.RawRowView(len(text) - 1))
}

// draft returns the module's guess of the token after next: from the last representation of the
// text, and the embedding of next. What the main model says in the row of next is not looked at.
func (m drafter) draft(text []int, next int) int {
	z := model.Forward(append(text[:len(text):len(text)], next), m.w, m.c, nil)[1]
	return floats.MaxIdx(z.RawRowView(len(text) - 1))
}

// speculate writes so many tokens at temperature 0, two in each run where the draft is right; it
// returns the text and how often the main model was run, once for the prompt. seen is shown every
// draft.
func (m drafter) speculate(
	text []int, length int, seen func(text []int, next, draft, accepted, after int),
) ([]int, int) {
	prompt, runs := len(text), 1
	text = text[:len(text):len(text)]
	next := m.next(text)
	for ; len(text) < prompt+length; runs++ {
		draft := m.draft(text, next)
		z := model.Forward(append(text[:len(text):len(text)], next, draft), m.w, m.c, nil)[0]
		choices := []int{floats.MaxIdx(z.RawRowView(len(text))), floats.MaxIdx(z.RawRowView(len(text) + 1))}
		accepted, after := mtp.AcceptGreedy([]int{draft}, choices)
		seen(text, next, draft, accepted, after)
		text = append(append(text, next), []int{draft}[:accepted]...)
		next = after
	}
	return text[:prompt+length], runs
}

func spellHamlet(text []int) string {
	said := make([]string, len(text))
	for i, t := range text {
		said[i] = hamlet[t]
	}
	return strings.Join(said, " ")
}

// mtpStory tells how a model learns to predict two tokens at once, and then drafts for itself.
func mtpStory(s *sheet, d *dice) {
	s.say("A model of two layers, one of them with experts, and one module for the token after the next reads "+
		"%q. It has a vocabulary of four words and a width of six; its weights are random at first.",
		spellHamlet(inputs()))
	m := newDrafter(d)
	m.tellForward(s)
	m.tellDrafts(s, m.tellTraining(s))
}

// inputs are the tokens that the model reads; all of the sentence but the first is predicted.
func inputs() []int { return sentence[:len(sentence)-1] }

// tellForward shows which token goes where, and which one is predicted.
func (m drafter) tellForward(s *sheet) {
	s.head("One forward pass")
	z := model.Forward(inputs(), m.w, m.c, nil)
	s.row("%-4s %-20s %-10s %8s   %-18s %-10s %8s",
		"row", "h_i has seen", "main", "log p", "module adds", "predicts", "log p")
	for i := range inputs() {
		line := fmt.Sprintf("%-4d %-20s %-10s %8.3f", i, spellHamlet(sentence[:i+1]), hamlet[sentence[i+1]],
			policy.LogProb(z[0].RawRowView(i), sentence[i+1], 1))
		if i+2 < len(sentence) {
			line += fmt.Sprintf("   Emb(%s)%-*s %-10s %8.3f", hamlet[sentence[i+1]], 13-len(hamlet[sentence[i+1]]), "",
				hamlet[sentence[i+2]], policy.LogProb(z[1].RawRowView(i), sentence[i+2], 1))
		}
		s.row("%s", line)
	}
	main, further := m.losses()
	s.row("loss: main %.4f, module %.4f, together %.4f + %.1f × %.4f = %.4f",
		main, further, main, mtpLambda, mtp.Loss([]float64{further}, 1), model.Loss(z, sentence, mtpLambda))
	s.say("The module joins h_i with the embedding of the next token, which is known in training, passes both " +
		"through a block of its own, and predicts the token after that with the head of the main model. The " +
		"last row has no next token to embed: five of its six rows count, and the loss divides by six all the " +
		"same, as (24) of DeepSeek-V3 is printed.")
}

// losses returns those of the main model and of the module.
func (m drafter) losses() (main, further float64) {
	z := model.Forward(inputs(), m.w, m.c, nil)
	return model.LanguageLoss(z[0], sentence), mtp.DepthLoss(mtp.Extend(z[1], len(inputs())), sentence, 1)
}

// accepted returns how likely a sampled draft is kept, in the mean over the sentence: the module's
// row i and the main model's row i+1 speak of the same token.
func (m drafter) accepted() (alpha float64) {
	z := model.Forward(inputs(), m.w, m.c, nil)
	rows, _ := z[1].Dims()
	for i := range rows {
		p, q := mtp.Distribution(z[0].RawRowView(i+1), 1), mtp.Distribution(z[1].RawRowView(i), 1)
		alpha += mtp.AcceptanceRate(p, q) / float64(rows)
	}
	return alpha
}

const (
	written = 12 // tokens after "to be"
	early   = 8  // steps of training after which the drafts are shown
)

// tellTraining trains the model and returns how it drafts early on.
func (m drafter) tellTraining(s *sheet) (drafts []string) {
	s.head("Training")
	s.row("%-6s %10s %12s %10s %14s %16s",
		"steps", "main loss", "module loss", "accepted", "tokens a run", "runs, greedy")
	trained := 0
	for _, steps := range []int{0, 2, 4, 8, 16, 40} {
		m.learn(steps - trained)
		trained = steps
		main, further := m.losses()
		alpha := m.accepted()
		_, runs := m.speculate(sentence[:2], written, func(text []int, next, draft, accepted, after int) {
			if steps == early {
				verdict := []string{"refused", "kept"}[accepted]
				drafts = append(drafts, fmt.Sprintf("%-38s %-6s %-6s %-8s %s",
					spellHamlet(text), hamlet[next], hamlet[draft], verdict, hamlet[after]))
			}
		})
		s.row("%-6d %10.4f %12.4f %10.3f %14.3f %16d",
			steps, main, further, alpha, mtp.ExpectedTokens(alpha, 1), runs)
	}
	s.say("Accepted is the probability that a sampled draft is kept, the mean over the sentence of the sum of "+
		"min(p, q), and with it a run gives 1 + α tokens. The last column counts runs of the main model that "+
		"write %d words after \"to be\" at temperature 0, the one on the prompt among them.", written)
	return drafts
}

// tellDrafts shows self-speculative decoding run by run.
func (m drafter) tellDrafts(s *sheet, drafts []string) {
	s.head(fmt.Sprintf("Drafting, after %d steps", early))
	s.row("%-38s %-6s %-6s %-8s %s", "text", "next", "draft", "", "main model after it")
	for _, line := range drafts {
		s.row("%s", line)
	}
	s.say("Next is known from the run before; the module drafts the token after it. One run of the main model "+
		"on both says what follows next: if that is the draft it is kept, and what follows the draft is known "+
		"too. If not, the main model's own word takes its place, and nothing was lost but the draft: the text is "+
		"the one of plain decoding, token by token, which takes %d runs.", written)
}

package story

import (
	"fmt"
	"iter"
	"math"

	"gonum.org/v1/gonum/floats"

	"plumbline/grpo"
	"plumbline/policy"
)

// An answer is an idea, then steps as long as the model goes on, then a stop. It is right if its
// idea is, however long it is; only what has not stopped after 16 tokens is cut off, and wrong.
const (
	rightIdea, goOn, stop = 0, 0, 1
	longest               = 16
	groupSize             = 8
)

// firstSkill is how likely each question's right idea is before training: an easy question, a fair
// one, a hard one. The rest is spread over three wrong ideas.
var firstSkill = map[string]float64{"easy": 0.8, "fair": 0.4, "hard": 0.1}

var questions = []string{"easy", "fair", "hard"}

// thinker returns the model: it chooses an idea for a question, and with each idea it goes on with
// 3/4 at first. It may learn a pace for each idea, as if it knew whether it is on a good way.
func thinker() *table {
	return &table{
		rows: map[string]line{},
		see: func(question int, written []int) (string, bool) {
			n := len(written)
			if n == 0 {
				return questions[question], false
			}
			return pace(question, written[0]), n == longest || n > 1 && written[n-1] == stop
		},
		born: func(context string) []float64 {
			if p, ok := firstSkill[context]; ok {
				wrong := math.Log((1 - p) / 3)
				return []float64{math.Log(p), wrong, wrong, wrong}
			}
			return []float64{math.Log(3), 0}
		},
	}
}

// pace is the context in which the model goes on with an idea or stops.
func pace(question, idea int) string { return fmt.Sprintf("%s, idea %d", questions[question], idea) }

// correct is the reward of an answer.
func correct(o output) float64 {
	if o.tokens[0] == rightIdea && o.tokens[len(o.tokens)-1] == stop {
		return 1
	}
	return 0
}

// variant is one of the four.
type variant struct {
	name string
	recipe
	dynamic  bool // groups that are all right or all wrong are sampled anew
	overlong bool // DAPO's penalty for answers that come near the longest
}

func variants() []variant {
	clip := func(low, high float64) policy.RatioLoss {
		return func(r, advantage float64) (loss, dlogratio float64) { return grpo.ClipHigher(r, advantage, low, high) }
	}
	gppo := func(r, advantage float64) (loss, dlogratio float64) { return grpo.GPPO(r, advantage, 0.2, 0.28) }
	return []variant{
		{"GRPO", recipe{grpo.Population, policy.SequenceMean, 0, clip(0.2, 0.2), 0.01, 2, 1}, false, false},
		{"Dr. GRPO", recipe{grpo.None, policy.Constant, longest, clip(0.2, 0.2), 0, 2, 8}, false, false},
		{"DAPO", recipe{grpo.Population, policy.TokenMean, 0, clip(0.2, 0.28), 0, 2, 1}, true, true},
		{"GPPO", recipe{grpo.Population, policy.TokenMean, 0, gppo, 0, 2, 1}, false, false},
	}
}

// step samples a group for each question and learns from them; it returns how many it sampled.
func (v variant) step(m, ref *table, d *dice) (sampled int) {
	var groups [][]output
	for group := range v.sample(m, d) {
		sampled++
		if !v.dynamic || grpo.Informative(rewards(group)) {
			groups = append(groups, group)
		}
		if len(groups) == len(questions) || sampled == 4*len(questions) {
			break
		}
	}
	var outputs []output
	var advantage []float64
	for _, group := range groups {
		outputs = append(outputs, group...)
		advantage = append(advantage, grpo.Normalize(v.penalised(group), v.std, 0)...)
	}
	if len(outputs) > 0 {
		v.learn(m, ref, outputs, advantage)
	}
	return sampled
}

// sample returns groups for one question after the other, without end.
func (v variant) sample(m *table, d *dice) iter.Seq[[]output] {
	return func(yield func([]output) bool) {
		for q := 0; ; q = (q + 1) % len(questions) {
			group := make([]output, groupSize)
			for i := range group {
				group[i] = m.write(q, d)
			}
			if !yield(group) {
				return
			}
		}
	}
}

func rewards(group []output) []float64 {
	r := make([]float64, len(group))
	for i, o := range group {
		r[i] = correct(o)
	}
	return r
}

// penalised returns the rewards with what the variant takes off long answers.
func (v variant) penalised(group []output) []float64 {
	r := rewards(group)
	for i, o := range group {
		if v.overlong {
			r[i] += grpo.OverlongPenalty(len(o.tokens), longest, longest/2)
		}
	}
	return r
}

// state is what a model does, without sampling: means over the questions.
type state struct{ reward, kl, entropy, right, wrong float64 }

// look works out the state. An idea whose stop has probability s is followed by
// (1 − (1−s)^15)/s tokens in the mean, and by a stop in time with 1 − (1−s)^15.
func look(m, ref *table) (x state) {
	var share [2]float64 // of right and wrong ideas
	n := float64(len(questions))
	for q, question := range questions {
		x.entropy += policy.Entropy(m.row(question).z, 1) / n
		x.kl += policy.KL(m.row(question).logp, ref.row(question).logp) / n
		for idea, p := range m.row(question).p {
			steps, stepsRef := m.row(pace(q, idea)), ref.row(pace(q, idea))
			s := steps.p[stop]
			inTime := 1 - math.Pow(1-s, longest-1)
			x.kl += p / n * inTime / s * policy.KL(steps.logp, stepsRef.logp)
			if idea == rightIdea {
				x.reward += p / n * inTime
				x.right += p * (1 + inTime/s)
				share[0] += p
			} else {
				x.wrong += p * (1 + inTime/s)
				share[1] += p
			}
		}
	}
	x.right, x.wrong = x.right/share[0], x.wrong/share[1]
	return x
}

// grpoSteps is how long each variant trains; every quarter is shown.
const grpoSteps = 120

// grpoStory tells how GRPO, Dr. GRPO, DAPO and GPPO do on one task, and what lengths they teach.
func grpoStory(s *sheet, d *dice) {
	s.say("Three questions, four ideas for each, one of them right; the model has the right one with " +
		"probability 0.8, 0.4 and 0.1. After its idea it goes on for some steps and stops, and that makes an " +
		"answer no better: only one of 16 tokens that has not stopped is cut off, and wrong. The reward is 1 " +
		"for a right answer; each step samples 8 answers to each question and updates twice.")
	advantagesOfGroups(s)
	pullOnLength(s)
	slopes(s)
	s.head("Training")
	for _, v := range variants() {
		v.tell(s, d)
	}
	s.say("Reward, KL to the model before training, entropy of the ideas and lengths are exact, means over " +
		"the questions. Under GRPO right answers shrink and wrong ones grow, as the pull says. Under Dr. GRPO " +
		"and GPPO wrong ones stay as they were; right ones shrink a little, as those that are cut off are " +
		"wrong. DAPO's penalty for long answers begins at 8 tokens and shortens right ones further; it samples " +
		"ever more groups, since more and more of them are all right and dropped.")
}

// advantagesOfGroups shows what the division by the standard deviation does.
func advantagesOfGroups(s *sheet) {
	s.head("What a group of 8 teaches")
	s.row("%-34s %6d %6d %6d %6d %6d", "right answers", 1, 2, 4, 7, 8)
	show := func(name string, std grpo.Std) {
		line := fmt.Sprintf("%-34s", name)
		for _, right := range []int{1, 2, 4, 7, 8} {
			r := make([]float64, groupSize)
			for i := range right {
				r[i] = 1
			}
			line += fmt.Sprintf(" %6.3f", floats.Norm(grpo.Normalize(r, std, 0), 1)/groupSize)
		}
		s.row("%s", line)
	}
	show("GRPO, DAPO, GPPO: divided by std", grpo.Population)
	show("Dr. GRPO: not divided", grpo.None)
	s.say("Mean size of the advantages. Beside a question that is right every other time, one that is right 1 or " +
		"7 times of 8 has 0.66 of the weight with the division, and 0.44 without. A group that is all right " +
		"teaches nothing; DAPO drops it and samples another.")
}

// pullOnLength shows what the weights of tokens teach about the length of an answer.
func pullOnLength(s *sheet) {
	s.head("What the weight of a token teaches about length")
	m := thinker()
	z, mean := m.row(pace(0, rightIdea)).z, look(m, m).right
	s.row("%-52s %+.4f", "GRPO: 1/|o| for each token", pullOfStop(z, func(n float64) float64 { return 1 / n }))
	s.row("%-52s %+.4f", "the others: the same for all, here 1/(mean |o|)",
		pullOfStop(z, func(float64) float64 { return 1 / mean }))
	s.say("The mean pull on the logit of stopping after a right idea, for an advantage of 1; after a wrong one " +
		"it has the other sign. With 1/|o| it is the gradient of the mean of 1/|o|: right answers are to be " +
		"short, and wrong ones long, since a long one is blamed less for each token. With equal weights it is " +
		"the gradient of a constant, but for the answers that are cut off.")
}

// pullOfStop returns the expected gradient of an objective for the logit of a stop, exactly: over
// all lengths, with the weight that each gives to its tokens.
func pullOfStop(z []float64, weight func(length float64) float64) (pull float64) {
	on, end := policy.LogProbBackward(z, goOn, 1)[stop], policy.LogProbBackward(z, stop, 1)[stop]
	for length := 2; length < longest; length++ {
		steps := float64(length - 2)
		p := math.Exp(steps*policy.LogProb(z, goOn, 1) + policy.LogProb(z, stop, 1))
		pull += p * weight(float64(length)) * (steps*on + end)
	}
	return pull
}

// slopes shows where the losses of one token part.
func slopes(s *sheet) {
	s.head("Where the clips part")
	s.row("%-26s %18s %18s %18s", "-dL/dlog r of one token", "r = 1.25, A = +1", "r = 1.4, A = +1", "r = 0.7, A = -1")
	all := variants()
	for _, v := range []variant{all[0], all[2], all[3]} {
		_, some := v.loss(1.25, 1)
		_, far := v.loss(1.4, 1)
		_, down := v.loss(0.7, -1)
		s.row("%-26s %18.2f %18.2f %18.2f", v.name, -some, -far, -down)
	}
	s.say("GRPO clips at 1.2 and DAPO at 1.28, so that rare tokens may rise further; GPPO clips the value, and " +
		"keeps a gradient of the size that it has at the edge.")
}

// tell trains the variant and shows where it stands.
func (v variant) tell(s *sheet, d *dice) {
	s.row("%-10s step  reward     KL  entropy  tokens if right  if wrong  groups sampled", v.name)
	m, ref, sampled := thinker(), thinker(), 0
	for step := range grpoSteps + 1 {
		if step%(grpoSteps/4) == 0 {
			x := look(m, ref)
			s.row("%15d   %.3f  %.3f    %.3f  %15.2f  %8.2f  %14d",
				step, x.reward, x.kl, x.entropy, x.right, x.wrong, sampled)
		}
		sampled += v.step(m, ref, d)
	}
}

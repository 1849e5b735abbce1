package story

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"plumbline/grpo"
	"plumbline/policy"
)

// The task: what is a + b modulo 5? The tokens of an answer are the tags, a word for a digit in
// English or in Chinese, and a digit in a box.
var (
	english    = []string{"zero", "one", "two", "three", "four"}
	chinese    = []string{"零", "一", "二", "三", "四"}
	boxes      = []string{`\boxed{0}`, `\boxed{1}`, `\boxed{2}`, `\boxed{3}`, `\boxed{4}`}
	vocabulary = slices.Concat([]string{"<think>", "</think>", ""}, english, chinese, boxes)
)

const (
	modulus                       = 5
	prompts                       = modulus * modulus // prompt 5a + b asks for a + b
	openThink, closeThink, theEnd = 0, 1, 2
	firstEnglish                  = 3
	firstChinese                  = firstEnglish + modulus
	firstBox                      = firstChinese + modulus
	longestAnswer                 = 8
)

// answerTo is the answer to a prompt.
func answerTo(prompt int) int { return (prompt/modulus + prompt%modulus) % modulus }

// isWord reports whether a token is a word of thought.
func isWord(token int) bool { return firstEnglish <= token && token < firstBox }

// text returns an answer as the rules read it, and its thoughts alone.
func text(o output) (response, thoughts string) {
	var all, words []string
	for _, token := range o.tokens {
		all = append(all, vocabulary[token])
		if isWord(token) {
			words = append(words, vocabulary[token])
		}
	}
	return strings.TrimSpace(strings.Join(all, " ")), strings.Join(words, " ")
}

// newModel returns a model that sees the prompt when it begins to think, and otherwise only the
// last word it has thought and the token before: without a thought it does not know what to answer.
// question says how it sees the prompt.
func newModel(question func(prompt int) string) *table {
	return &table{
		rows: map[string]line{},
		born: func(string) []float64 { return make([]float64, len(vocabulary)) },
		see: func(prompt int, written []int) (context string, ended bool) {
			if len(written) == 0 {
				return "start", false
			}
			last := written[len(written)-1]
			switch {
			case last == openThink:
				context = question(prompt)
			case last == closeThink || isWord(last):
				context = vocabulary[last] + " with " + lastThought(written)
			default:
				context = "after a box"
			}
			return context, last == theEnd || len(written) == longestAnswer
		},
	}
}

// lastThought returns the last word of thought, or nothing.
func lastThought(written []int) string {
	thought := ""
	for _, token := range written {
		if isWord(token) {
			thought = vocabulary[token]
		}
	}
	return thought
}

// pair is how the large model sees a prompt: 25 rows.
func pair(prompt int) string { return fmt.Sprintf("%d+%d", prompt/modulus, prompt%modulus) }

// unordered is how the small one does: 15 rows, a+b and b+a being one.
func unordered(prompt int) string {
	return pair(min(prompt, prompt%modulus*modulus+prompt/modulus))
}

// score is what the rules say of an answer.
type score struct{ accuracy, format, language float64 }

func judge(o output) score {
	response, thoughts := text(o)
	return score{
		grpo.Accuracy(response, strconv.Itoa(answerTo(o.prompt))),
		grpo.Format(response),
		grpo.LanguageConsistency(thoughts, grpo.InScript(unicode.Latin)),
	}
}

// byRule is the reward of R1-Zero, and withLanguage that of R1.
func byRule(s score) float64 { return grpo.RuleReward(s.accuracy, s.format) }
func withLanguage(s score) float64 {
	return grpo.TotalReward(grpo.RuleReward(s.accuracy, s.format), 0, s.language)
}

// corpus returns texts to pretrain on: most answer at once, some think first, in either language;
// the thoughts are right with the probability skill, else by chance, and tags are forgotten.
func corpus(m *table, size int, thinks, skill float64, d *dice) (texts []output) {
	for range size {
		prompt, digit := d.below(prompts), d.below(modulus)
		if d.uniform() > thinks {
			texts = append(texts, m.read(prompt, []int{firstBox + digit, theEnd}))
			continue
		}
		if d.uniform() < skill {
			digit = answerTo(prompt)
		}
		written := []int{openThink, firstEnglish + digit}
		if d.uniform() < 0.5 {
			written[1] = firstChinese + digit
		}
		if d.uniform() < 0.7 {
			written = append(written, closeThink)
		}
		texts = append(texts, m.read(prompt, append(written, firstBox+digit, theEnd)))
	}
	return texts
}

// example returns a right answer in the right form and in English.
func example(m *table, prompt int) output {
	digit := answerTo(prompt)
	return m.read(prompt, []int{openThink, firstEnglish + digit, closeThink, firstBox + digit, theEnd})
}

// tune is supervised fine-tuning; it returns how many texts there are.
func tune(m *table, texts []output, steps int) int {
	for range steps {
		m.imitate(texts, 20)
	}
	return len(texts)
}

// reinforceByRules is a stage of GRPO on some prompts, with the model as it comes as the reference;
// it returns how many answers were sampled.
func reinforceByRules(m *table, on []int, reward func(score) float64, d *dice) (sampled int) {
	const steps = 40
	ref := m.clone()
	for range steps {
		var outputs []output
		var advantage []float64
		for _, prompt := range on {
			rewards := make([]float64, groupSize)
			for i := range rewards {
				outputs = append(outputs, m.write(prompt, d))
				rewards[i] = reward(judge(outputs[len(outputs)-1]))
			}
			advantage = append(advantage, grpo.Normalize(rewards, grpo.Population, 0)...)
		}
		byGroups.learn(m, ref, outputs, advantage)
		sampled += len(outputs)
	}
	return sampled
}

// byGroups is the GRPO of all stages.
var byGroups = recipe{
	std: grpo.Population, weigh: policy.SequenceMean, beta: 0.01, updates: 2, rate: 30,
	loss: func(r, advantage float64) (loss, dlogratio float64) { return grpo.ClipHigher(r, advantage, 0.2, 0.2) },
}

// keepRight is rejection sampling: so many answers to each prompt, of which those are kept that
// all rules agree with.
func keepRight(m *table, each int, d *dice) (kept []output) {
	for prompt := range prompts {
		for range each {
			if o := m.write(prompt, d); withLanguage(judge(o)) == 3 {
				kept = append(kept, o)
			}
		}
	}
	return kept
}

// measured is what a model does in the mean over all prompts, from samples.
type measured struct {
	score
	reward, length, kl float64
}

// measure samples 40 answers to each prompt. The KL is that of whole answers, from the reference:
// at each token it is summed over the vocabulary.
func measure(m, ref *table, d *dice) (x measured) {
	const each = 40
	n := float64(prompts * each)
	for i := range prompts * each {
		o := m.write(i/each, d)
		s := judge(o)
		x.accuracy += s.accuracy / n
		x.format += s.format / n
		x.language += s.language / n
		x.reward += byRule(s) / n
		x.length += float64(len(o.tokens)) / n
		for _, context := range o.contexts {
			x.kl += policy.KL(m.row(context).logp, ref.row(context).logp) / n
		}
	}
	return x
}

// family are the models of the story.
type family struct{ base, zero, cold, reasoner, selected, r1, small, alone, distilled *table }

// stage shows a model after a stage: what it learnt from, what it does, and its KL from the model
// that the stage began with.
func (s *sheet) stage(name string, texts int, m, from *table, d *dice) {
	x := measure(m, from, d)
	s.row("%-33s %6d %7.3f %9.3f %7.3f %9.3f %7.2f %6.2f",
		name, texts, x.reward, x.accuracy, x.format, x.language, x.length, x.kl)
}

func (s *sheet) stages() {
	s.row("%-33s %6s %7s %9s %7s %9s %7s %6s", "", "texts", "reward", "accuracy", "format", "language", "tokens", "KL")
}

// allPrompts are all 25, and seenFirst those of the first stage of reasoning: with a < 3.
func allPrompts() []int { return upTo(prompts) }
func seenFirst() []int  { return upTo(3 * modulus) }

func upTo(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// r1Story tells how the stages of DeepSeek-R1, and its distillation, do on a task with a rule.
func r1Story(s *sheet, d *dice) { tellR1(s, d) }

// tellR1 tells the story and returns the models that it leaves.
func tellR1(s *sheet, d *dice) *family {
	s.say("The task is a + b modulo 5, for a and b from 0 to 4. The model sees the prompt only when it opens " +
		"<think>; after that it sees no more than its last thought, so that without a thought it can but guess. " +
		"It may think in English or Chinese, more than once, and forget a tag. Rules give 1 for a right answer " +
		"in a box, 1 for the form <think> thoughts </think> answer, and the share of English words in the " +
		"thoughts for language.")
	f := &family{}
	f.rulesAlone(s, d)
	f.pipeline(s, d)
	f.distil(s, d)
	f.quote(s, d)
	return f
}

// rulesAlone trains a base model a little, and then by rules alone.
func (f *family) rulesAlone(s *sheet, d *dice) {
	s.head("R1-Zero: from the base model by rules alone")
	s.stages()
	f.base = newModel(pair)
	n := tune(f.base, corpus(f.base, 300, 0.3, 0.6, d), 100)
	s.stage("base: weak pretraining", n, f.base, f.base, d)
	f.zero = f.base.clone()
	n = reinforceByRules(f.zero, allPrompts(), byRule, d)
	s.stage("R1-Zero: RL, accuracy + format", n, f.zero, f.base, d)
	s.say("Reward is accuracy + format, in the mean over 40 answers to each prompt; texts are what the stage " +
		"has learnt from; KL is that of an answer from the model before the stage. Answers grow, because " +
		"thinking pays. No rule asks for a language, and the thoughts stay mixed: half of the words are English. " +
		"(An answer without thoughts has no English word either.)")
}

// pipeline is R1's four stages.
func (f *family) pipeline(s *sheet, d *dice) {
	s.head("R1: cold start, RL, rejection sampling and SFT, RL")
	s.stages()
	f.cold = f.base.clone()
	var examples []output
	for prompt := 0; prompt < prompts; prompt += 2 {
		examples = append(examples, example(f.cold, prompt))
	}
	n := tune(f.cold, examples, 10)
	s.stage("cold start: SFT on a few examples", n, f.cold, f.base, d)
	f.reasoner = f.cold.clone()
	n = reinforceByRules(f.reasoner, seenFirst(), withLanguage, d)
	s.stage("RL, with language, 15 prompts", n, f.reasoner, f.cold, d)
	f.selected = f.base.clone()
	n = tune(f.selected, keepRight(f.reasoner, groupSize, d), 200)
	s.stage("SFT of the base on right answers", n, f.selected, f.base, d)
	f.r1 = f.selected.clone()
	n = reinforceByRules(f.r1, allPrompts(), withLanguage, d)
	s.stage("R1: RL, with language, 25 prompts", n, f.r1, f.selected, d)
	s.say("The cold start teaches the form in few steps, and English. RL on some of the prompts makes answers to " +
		"these right. Of 8 answers to every prompt those that all rules agree with are kept, and the base model, " +
		"fine-tuned on them alone, does better than the model they are from. RL on all prompts does the rest.")
}

// distil teaches a smaller model by what R1 writes, and beside it by RL alone.
func (f *family) distil(s *sheet, d *dice) {
	s.head("Distillation")
	s.stages()
	f.small = newModel(unordered)
	n := tune(f.small, corpus(f.small, 100, 0.05, 0.2, d), 100)
	s.stage("small base: 15 rows, not 25", n, f.small, f.small, d)
	f.alone = f.small.clone()
	n = reinforceByRules(f.alone, allPrompts(), withLanguage, d)
	s.stage("RL on the small model alone", n, f.alone, f.small, d)
	f.distilled = f.small.clone()
	lessons := keepRight(f.r1, 4, d)
	for i, o := range lessons {
		lessons[i] = f.distilled.read(o.prompt, o.tokens)
	}
	n = tune(f.distilled, lessons, 100)
	s.stage("SFT on right answers of R1", n, f.distilled, f.small, d)
	s.say("The small model hardly ever thinks, and then by chance. RL teaches it the form (with some seeds it " +
		"does not even begin to think), but every sum has to be found by guessing, and as many answers as R1's " +
		"last stage had are not enough. The texts of the teacher, about four a prompt, say all of it.")
}

// quote shows what each answers to two prompts.
func (f *family) quote(s *sheet, d *dice) {
	s.head("What they answer")
	for _, m := range []struct {
		name string
		*table
	}{{"base", f.base}, {"R1-Zero", f.zero}, {"R1", f.r1}, {"small, alone", f.alone}, {"distilled", f.distilled}} {
		for _, prompt := range []int{4*modulus + 3, 2*modulus + 4} {
			response, _ := text(m.write(prompt, d))
			s.row("%-14s %d + %d   %s", m.name, prompt/modulus, prompt%modulus, response)
		}
	}
}

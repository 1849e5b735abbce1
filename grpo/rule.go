package grpo

import (
	"strings"
	"unicode"
)

// Accuracy returns whether a response gives the right final answer in a box, as it is told to.
//
//	R_acc = 1 if the last box of the response holds the answer,  0 otherwise
//
// The rule: the last \boxed{ counts, to the brace that closes it; braces inside come in pairs. It
// is compared with answer character by character, white space left out. A box that is not closed is
// none. Differs in code: judges of mathematics hold ½ and 0.5 for equal; programs are run against
// tests, see PassFraction. It implements DeepSeek-R1 section 2.2.2 (unnumbered), accuracy rewards.
func Accuracy(response, answer string) float64 {
	inside, ok := boxed(response)
	return indicator(ok && withoutSpace(inside) == withoutSpace(answer))
}

// boxed returns what the last \boxed{ of text encloses.
func boxed(text string) (inside string, ok bool) {
	const box = `\boxed{`
	start := strings.LastIndex(text, box)
	if start < 0 {
		return "", false
	}
	text = text[start+len(box):]
	depth := 1
	for i, c := range text {
		switch c {
		case '{':
			depth++
		case '}':
			depth--
		}
		if depth == 0 {
			return text[:i], true
		}
	}
	return "", false
}

// withoutSpace returns text without white space.
func withoutSpace(text string) string { return strings.Join(strings.Fields(text), "") }

// PassFraction returns the reward of a program: how many of its tests it passes.
//
//	R = passed/total
//
// A program without tests has reward 0.
// Differs in print: DeepSeek-R1 says that tests are run, and not what for some of them passed.
// It implements Klear-Reasoner, its reward of code (unnumbered): 4 of 16 are 0.25.
func PassFraction(passed, total int) float64 {
	if total == 0 {
		return 0
	}
	return float64(passed) / float64(total)
}

// Format returns whether a response is <think> thinking </think> answer.
//
//	R_format = 1 if thinking in its tags and an answer are the response,  0 otherwise
//
// The rule: apart from white space the response begins with <think>, has each of the two tags once,
// and neither thinking nor answer is empty. It implements DeepSeek-R1 section 2.2.2 (unnumbered),
// format rewards.
func Format(response string) float64 {
	thinking, rest, ok := block(response, "think")
	return indicator(ok && thinking != "" && rest != "")
}

// FormatWithAnswer returns whether a response has the form of R1-Zero's template: <think> thinking
// </think> <answer> answer </answer>.
//
//	R_format = 1 if thinking and an answer, each in its tags, are the response,  0 otherwise
//
// The rule: apart from white space both blocks stand in this order and nothing else does, each of
// the four tags once, and neither block is empty. It implements DeepSeek-R1 table 1, the template.
func FormatWithAnswer(response string) float64 {
	thinking, rest, ok := block(response, "think")
	answer, after, okAnswer := block(rest, "answer")
	return indicator(ok && okAnswer && thinking != "" && answer != "" && after == "")
}

// block splits text that begins with a block in tags into what the block encloses and what follows
// it, both without white space around them. It is not ok if the text begins otherwise, or if a tag
// is there more than once.
func block(text, tag string) (inside, rest string, ok bool) {
	start, end := "<"+tag+">", "</"+tag+">"
	body, begins := strings.CutPrefix(strings.TrimSpace(text), start)
	inside, rest, ends := strings.Cut(body, end)
	once := !strings.Contains(body, start) && !strings.Contains(rest, end)
	return strings.TrimSpace(inside), strings.TrimSpace(rest), begins && ends && once
}

// LanguageConsistency returns which share of the words of a chain of thought are of the target
// language.
//
//	R_language = Num(words of the target language)/Num(words)
//
// The rule: words are those of Words, and target says of each whether it is of the language; see
// InScript. A text without words has reward 0. It implements DeepSeek-R1 (7) of its later text, and
// section 2.3.2 (unnumbered) of the first.
func LanguageConsistency(text string, target func(word string) bool) float64 {
	words := Words(text)
	var right float64
	for _, word := range words {
		right += indicator(target(word))
	}
	return right / max(float64(len(words)), 1)
}

// Words returns the words of a text. The rule: a word is a longest run of letters with the marks on
// them, but each letter of a script that is written without spaces (Han, Hiragana, Katakana) is a
// word by itself. Digits, signs and formulas' symbols are no words and end one; names in formulas
// are words. It implements no equation.
func Words(text string) []string {
	var words []string
	open := false // whether the last word may go on
	for _, c := range text {
		switch {
		case unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana):
			words, open = append(words, string(c)), false
		case open && (unicode.IsLetter(c) || unicode.IsMark(c)):
			words[len(words)-1] += string(c)
		case unicode.IsLetter(c):
			words, open = append(words, string(c)), true
		default:
			open = false
		}
	}
	return words
}

// InScript returns a target for LanguageConsistency: words all of whose letters are of the given
// scripts, such as unicode.Han for Chinese. Languages that share a script need another one. It
// implements no equation.
func InScript(scripts ...*unicode.RangeTable) func(word string) bool {
	return func(word string) bool {
		for _, c := range word {
			if unicode.IsLetter(c) && !unicode.In(c, scripts...) {
				return false
			}
		}
		return true
	}
}

// RuleReward returns the reward of a verifiable task, both parts with equal weight.
//
//	R_rule = R_acc + R_format
//
// It implements DeepSeek-R1 (4) and (9) of its later text.
func RuleReward(accuracy, format float64) float64 { return accuracy + format }

// GeneralReward returns the reward of a task without a rule to check it by.
//
//	R_general = R_model + R_format
//
// model is what a reward model says of the response: of helpfulness, compared with another
// response, (5), or of safety, (6). It implements DeepSeek-R1 (10) of its later text.
func GeneralReward(model, format float64) float64 { return model + format }

// TotalReward returns the reward of R1's reinforcement learning: a direct sum, so that a response
// right in every respect of a verifiable task has 3.
//
//	R = R_reasoning + R_general + R_language
//
// reasoning is RuleReward for a verifiable task and general is GeneralReward for another; what a
// task lacks is 0. It implements DeepSeek-R1 (8) of its later text, and section 2.3.2 (unnumbered)
// of the first.
func TotalReward(reasoning, general, language float64) float64 { return reasoning + general + language }

// WeightedReward returns the reward of several reward models together.
//
//	r_i = c_1 RM_helpful(o_i) + c_2 RM_safety(o_i) + c_3 RM_rule(o_i)
//
// weights are c and rewards those of the models, in any number; one model with weight 1 is the
// reward of reasoning. It implements DeepSeek-V2 (35) and (36).
func WeightedReward(weights, rewards []float64) float64 {
	if len(weights) != len(rewards) {
		panic("grpo: numbers of weights and rewards differ")
	}
	var sum float64
	for k, c := range weights {
		sum += c * rewards[k]
	}
	return sum
}

// indicator returns 1 for true and 0 for false.
func indicator(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

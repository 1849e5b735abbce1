package grpo

import (
	"slices"
	"testing"
	"unicode"

	"plumbline/internal/check"
)

func TestAccuracy(t *testing.T) {
	for name, c := range map[string]struct {
		response, answer string
		want             float64
	}{
		"the answer in a box":                 {`So it is \boxed{42}.`, "42", 1},
		"another answer":                      {`So it is \boxed{41}.`, "42", 0},
		"the answer without a box":            {`So it is 42.`, "42", 0},
		"the last box counts":                 {`\boxed{42}, no, \boxed{41}`, "42", 0},
		"the last box counts, turned round":   {`\boxed{41}, no, \boxed{42}`, "42", 1},
		"braces inside":                       {`\boxed{\frac{1}{2}}`, `\frac{1}{2}`, 1},
		"white space does not count":          {`\boxed{ \frac{ 1 }{2} }`, `\frac{1}{2}`, 1},
		"a box that is not closed":            {`\boxed{\frac{1}{2}`, `\frac{1}{2}`, 0},
		"an empty box is not an answer":       {`\boxed{}`, "42", 0},
		"one half and 0.5 are not the same":   {`\boxed{0.5}`, `\frac{1}{2}`, 0},
		"nothing at all":                      {"", "", 0},
		"characters of more than one byte":    {`答案是 \boxed{四十二}`, "四十二", 1},
		"a box in the thinking is one too":    {`<think>\boxed{42}</think> I do not know.`, "42", 1},
		"what follows the box does not count": {`\boxed{42} apples`, "42", 1},
	} {
		t.Run(name, func(t *testing.T) {
			check.Near(t, "reward", Accuracy(c.response, c.answer), c.want, 0)
		})
	}
}

func TestPassFraction(t *testing.T) {
	t.Run("4 of 16 tests are a quarter, none of none nothing", func(t *testing.T) {
		check.Near(t, "4 of 16", PassFraction(4, 16), 0.25, 0)
		check.Near(t, "16 of 16", PassFraction(16, 16), 1, 0)
		check.Near(t, "none", PassFraction(0, 0), 0, 0)
	})
}

func TestFormat(t *testing.T) {
	for name, c := range map[string]struct {
		response           string
		thinking, template float64
	}{
		"thinking and an answer":          {"<think>hm</think> 42", 1, 0},
		"R1-Zero's template":              {"<think>hm</think>\n<answer>42</answer>", 1, 1},
		"white space around it":           {"\n <think> hm </think> <answer> 42 </answer> \n", 1, 1},
		"no thinking":                     {"42", 0, 0},
		"empty thinking":                  {"<think> </think> <answer>42</answer>", 0, 0},
		"no answer":                       {"<think>hm</think> ", 0, 0},
		"an empty answer":                 {"<think>hm</think> <answer> </answer>", 1, 0},
		"thinking that does not end":      {"<think>hm 42", 0, 0},
		"thinking that does not begin":    {"hm</think> 42", 0, 0},
		"something before the thinking":   {"Well: <think>hm</think> <answer>42</answer>", 0, 0},
		"something after the answer":      {"<think>hm</think> <answer>42</answer> Bye", 1, 0},
		"something between":               {"<think>hm</think> so <answer>42</answer>", 1, 0},
		"thinking twice":                  {"<think>hm</think> <think>hm</think> <answer>42</answer>", 0, 0},
		"thinking within thinking":        {"<think>hm <think>hm</think> <answer>42</answer>", 0, 0},
		"thinking that ends twice":        {"<think>hm</think> <answer>42</think></answer>", 0, 0},
		"two answers":                     {"<think>hm</think> <answer>41</answer><answer>42</answer>", 1, 0},
		"the answer's tags turned round":  {"<think>hm</think> </answer>42<answer>", 1, 0},
		"other tags may be in the middle": {"<think><b>hm</b></think> <answer><b>42</b></answer>", 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			check.Near(t, "think", Format(c.response), c.thinking, 0)
			check.Near(t, "think and answer", FormatWithAnswer(c.response), c.template, 0)
		})
	}
}

func TestLanguageConsistency(t *testing.T) {
	chinese, english := InScript(unicode.Han), InScript(unicode.Latin)
	for name, c := range map[string]struct {
		text             string
		chinese, english float64
	}{
		"all of one language":           {"We add two and two.", 0, 1},
		"all of the other":              {"二加二等于四。", 1, 0},
		"one word of four":              {"We add 二 more", 0.25, 0.75},
		"no words":                      {"2 + 2 = 4", 0, 0},
		"nothing":                       {"", 0, 0},
		"numbers and signs are no part": {"二 + 2 = 4", 1, 0},
		"another script is neither":     {"Да yes", 0, 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			check.Near(t, "Chinese", LanguageConsistency(c.text, chinese), c.chinese, 0)
			check.Near(t, "English", LanguageConsistency(c.text, english), c.english, 0)
		})
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"We add 2, and 2.":  {"We", "add", "and"},
		"二加two等于2":          {"二", "加", "two", "等", "于"},
		"naïve e\u0301tude": {"naïve", "e\u0301tude"},
		"カナ kana":           {"カ", "ナ", "kana"},
		" \u0301 ":          nil,
		"x1y":               {"x", "y"},
	} {
		if got := Words(text); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestSumsOfRewards(t *testing.T) {
	t.Run("right, in form and in one language is 3", func(t *testing.T) {
		const response = `<think>Two and two.</think> \boxed{4}`
		rule := RuleReward(Accuracy(response, "4"), Format(response))
		check.Near(t, "rule", rule, 2, 0)
		check.Near(t, "total", TotalReward(rule, 0, LanguageConsistency("Two and two.", InScript(unicode.Latin))), 3, 0)
	})
	t.Run("a task without a rule has the model's word and its form", func(t *testing.T) {
		general := GeneralReward(0.5, Format("<think>Hm.</think> Be kind."))
		check.Near(t, "general", general, 1.5, 0)
		check.Near(t, "total", TotalReward(0, general, 0.75), 2.25, 0)
	})
	t.Run("V2 weighs helpfulness, safety and rules, and reasoning is one model alone", func(t *testing.T) {
		check.Near(t, "three", WeightedReward([]float64{0.5, 0.25, 2}, []float64{1, 2, 3}), 7, 0)
		check.Near(t, "one", WeightedReward([]float64{1}, []float64{-0.75}), -0.75, 0)
		check.Panics(t, "grpo: numbers of weights and rewards differ", func() { WeightedReward([]float64{1}, nil) })
	})
}

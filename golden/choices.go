package golden

import (
	"slices"

	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// choiceMutations are mistakes in discrete outputs.
var choiceMutations = []outputMutation{
	{
		"one answer as wrong as can be", "Leaves the worst answer there is in one row.", isChoice,
		func(o *output) string {
			i := o.middleRow()
			copy(o.answer(i), o.want.Choice.Mistaken(i))
			return ""
		},
	},
	{
		"one number out of range", "Leaves a number in one row that stands for nothing.", isChoice,
		func(o *output) string {
			o.answer(o.middleRow())[0] = outOfRange
			return ""
		},
	},
	{
		"one number twice", "Leaves the same number in two places.", isSet,
		func(o *output) string {
			row := o.Data
			if o.want.Choice.Width() > 1 {
				row = o.answer(o.middleRow())
			}
			if len(row) < 2 {
				return "there is one number"
			}
			row[1] = row[0]
			return ""
		},
	},
	{
		"rows-swapped", "Stores the answer of a row in the place of another that differs, and the other in its.",
		isChoice,
		func(o *output) string {
			c := o.want.Choice
			for i := 1; i < c.Rows(); i++ {
				a, b := slices.Clone(o.answer(i-1)), slices.Clone(o.answer(i))
				if c.Judge(i-1, b).Grade == verdict.Wrong && c.Judge(i, a).Grade == verdict.Wrong {
					copy(o.answer(i-1), b)
					copy(o.answer(i), a)
					return ""
				}
			}
			return "each row's answer is right in the next one too"
		},
	},
}

// outOfRange is an index that nothing has.
const outOfRange = 1 << 24

// isChoice tells whether an output is one of whole numbers that are chosen.
func isChoice(_ string, want verdict.Expected) bool { return want.Choice != nil && !want.Type.Float() }

// isSet tells whether no number may be there twice, in a row or in all.
func isSet(op string, want verdict.Expected) bool {
	return isChoice(op, want) && (want.Choice.Width() > 1 || op == "moe.dispatch")
}

// answer returns row i of a choice.
func (o *output) answer(i int) []float64 {
	width := o.want.Choice.Width()
	return o.Data[i*width : (i+1)*width]
}

func (o *output) middleRow() int { return o.want.Choice.Rows() / 2 }

// choiceAttributes are mistakes in what makes a choice, and in what balances it.
var choiceAttributes = []declarationMutation{
	{
		attr: "score", name: "softmax-for-sigmoid or its reverse",
		doc: "Makes scores of logits by another function than is declared.",
		change: func(wrong *recording.Recording) string {
			if attr(wrong, "score") == "softmax" {
				return setWord(wrong, "score", "sigmoid")
			}
			return setWord(wrong, "score", "softmax")
		},
	},
	{
		attr: "normalize", name: "weights-unnormalized or its reverse",
		change: flipNormalize,
		doc:    "Divides weights by their sum where that is not declared, or does not where it is.",
	},
	{
		attr: "alpha", name: "alpha 1 % larger",
		doc:    "Multiplies the loss by another factor than is declared.",
		change: func(wrong *recording.Recording) string { return scaleAttr(wrong, "alpha", 1.01) },
	},
	{
		attr: "rate", name: "rate twice as large",
		doc:    "Takes another step than is declared.",
		change: func(wrong *recording.Recording) string { return scaleAttr(wrong, "rate", 2) },
	},
}

func setWord(wrong *recording.Recording, name, word string) string {
	wrong.Attrs[name] = word
	return ""
}

// flipNormalize shows in weights, and in what they weigh.
func flipNormalize(wrong *recording.Recording) string {
	if wrong.Op == "moe.gate" && !wrong.Has("out.weights") {
		return "no weights are recorded"
	}
	return flipAttr(wrong, "normalize")
}

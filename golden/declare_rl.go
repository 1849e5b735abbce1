package golden

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// objectiveMutations are those of the attributes of objectives.
var objectiveMutations = []declarationMutation{
	visibly("estimator", "another estimator", "Estimates the divergence otherwise than is declared.", otherEstimator),
	otherNumber("temperature", "sampling-temperature-missing", "Does not divide logits by the temperature.",
		func(float64) float64 {
			return 1
		}),
	otherNumber("gamma", "gamma a tenth smaller", "Discounts more than is declared.", func(x float64) float64 {
		return 0.9 * x
	}),
	otherNumber("lambda", "lambda a tenth smaller", "Weighs longer estimates less than is declared.",
		func(x float64) float64 {
			return 0.9 * x
		}),
	visibly("whiten", "whiten mistaken",
		"Whitens advantages where they are to stay as they are, or the other way round.",
		func(wrong *recording.Recording) {
			flipAttr(wrong, "whiten")
		}),
	otherChoice(
		"ratio", "ratios of tokens for those of sequences",
		"Forms ratios of tokens where those of sequences are declared, or the other way round.",
	),
	visibly("clip", "another clip", "Clips otherwise than is declared.", otherClip),
	otherNumber("clip_low", "clip_low a tenth wider", "Clips ratios below another bound than is declared.",
		func(x float64) float64 {
			return x + 0.1
		}),
	otherNumber("clip_high", "clip_high a tenth wider", "Clips ratios above another bound than is declared.",
		func(x float64) float64 {
			return x + 0.1
		}),
	visibly("dual_clip", "dual-clip-missing or its reverse",
		"Does not bound the loss of negative advantages where that is declared, or bounds it where it is not.",
		func(wrong *recording.Recording) {
			toggleNumber(wrong, "dual_clip", 1.5)
		}),
	otherNumber("log_ratio_limit", "log-ratio limited to 0.3", "Limits log-ratios more than is declared.",
		func(float64) float64 {
			return 0.3
		}),
	otherNumber("kl_coef", "kl-sign", "Drives the policy away from the reference.",
		func(x float64) float64 {
			return -x
		}),
	otherChoice("aggregate", "aggregation-swapped", "Puts the losses of tokens together otherwise than is declared."),
	otherNumber("aggregate_length", "aggregate_length doubled", "Divides by another constant than is declared.",
		func(x float64) float64 {
			return 2 * x
		}),
	otherChoice(
		"std", "another standard deviation",
		"Divides by the deviation of the sample where that of the population is declared, or the other way round.",
	),
	otherNumber("beta", "beta doubled", "Weighs the divergence from the reference twice.", func(x float64) float64 {
		return 2 * x
	}),
	otherChoice(
		"kind", "another kind of preference loss", "Has IPO's loss where DPO's is declared, or the other way round.",
	),
	visibly("label_smoothing", "smoothing-missing or its reverse",
		"Does not smooth labels where that is declared, or smooths them where it is not.",
		func(wrong *recording.Recording) {
			toggleNumber(wrong, "label_smoothing", 0.1)
		}),
}

func init() { declarationMutations = append(declarationMutations, objectiveMutations...) }

// visibly returns a mutation that is hidden unless it moves an element of the truth by many of the
// deviations that are explained.
func visibly(attr, name, doc string, change func(wrong *recording.Recording)) declarationMutation {
	return declarationMutation{attr: attr, name: name, doc: doc, judge: func(
		wrong *recording.Recording, honest []verdict.Expected,
	) (truth []verdict.Expected, hidden string) {
		change(wrong)
		truth, err := op.Expect(wrong)
		if err != nil {
			return nil, err.Error()
		}
		return truth, drowned(mostMoved(honest, truth), 40)
	}}
}

// mostMoved is by how many of the deviations that are explained an element moves at most.
func mostMoved(honest, other []verdict.Expected) (most float64) {
	for k, want := range honest {
		for i, t := range want.Truth.Data {
			if moved := math.Abs(other[k].Truth.Data[i] - t); want.Judged(i) && dtype.Finite(moved) {
				most = max(most, moved/max(want.Explained(i), other[k].Explained(i)))
			}
		}
	}
	return most
}

func otherNumber(attr, name, doc string, change func(x float64) float64) declarationMutation {
	return visibly(attr, name, doc, func(wrong *recording.Recording) {
		setAttr(wrong, attr, change(attrNumber(wrong, attr)))
	})
}

// otherChoice declares the choice after the one that is declared.
func otherChoice(name, title, doc string) declarationMutation {
	return visibly(name, title, doc, func(wrong *recording.Recording) { nextChoice(wrong, name) })
}

func nextChoice(wrong *recording.Recording, name string) {
	choices := declared(wrong, name).Choices
	wrong.Attrs[name] = choices[(slices.Index(choices, attr(wrong, name).(string))+1)%len(choices)]
}

// otherEstimator declares another estimator, without the limit that only k3 has.
func otherEstimator(wrong *recording.Recording) {
	nextChoice(wrong, "estimator")
	delete(wrong.Attrs, "limit")
}

// otherClip declares another way to clip ratios, or none of values where there is one.
func otherClip(wrong *recording.Recording) {
	if declared(wrong, "clip").Kind == op.Number {
		toggleNumber(wrong, "clip", 0.1)
		return
	}
	wrong.Attrs["clip"] = map[any]string{
		"ppo": "none", "gppo": "ppo", "cispo": "ppo", "none": "ppo",
	}[attr(wrong, "clip")]
}

package emulated

import (
	"slices"

	"plumbline/verify/emulate"
)

// What a softmax forms of the logits of a token. In a gradient they may be read a second time, at
// other places.
const (
	lses             = "the log-sum-exp"
	lsesAgain        = "the log-sum-exp in the gradient"
	tokenLogits      = "the logit of the token"
	probabilities    = "the softmax"
	productLogits    = "the logits"
	logitsAgain      = "the logits in the gradient"
	gradients        = "the gradient of the logits"
	gradientToHidden = "the gradient of the logits in dhidden"
	gradientToWeight = "the gradient of the logits in dweight"
	divisors         = "the divisor of each token"
)

// What a loss of a policy forms.
const (
	tokenLogprobs  = "the log-probability"
	logRatios      = "the log-ratio"
	ratios         = "the ratio"
	clippedRatios  = "the clipped ratio"
	meanLogRatios  = "the mean log-ratio of each sequence"
	lengths        = emulate.Lengths
	tokenAdvantage = "the advantage of each token"
	slopes         = "the derivative of each token's loss for its log-ratio"
	shares         = "the share of a token in the gradient of its sequence"
	logRatiosRef   = "the log-ratio to the reference"
	ratiosRef      = "the ratio to the reference"
	tokenWeights   = "the weight of a sequence's tokens"
	weightsInLoss  = "the weight of a sequence's tokens in the loss"
	weightsInSlope = "the weight of a sequence's tokens in the gradient"
	lossesInSum    = "the loss of each token, where it is summed,"
	gradientAgain  = "dlogprob in dlogits"
	plainLosses    = "the loss of the plain ratio"
	clippedLosses  = "the loss of the clipped ratio"
	surrogates     = "the clipped loss of each token"
	divergences    = "the divergence of each token"
	pulls          = "the derivative of each token's divergence"
)

// What is formed of rewards and values.
const (
	valuesAfter     = "the value after each token"
	differences     = "δ, the temporal difference,"
	carried         = "the advantage that is carried on"
	beforeWhitening = "the advantage before whitening"
	inReturns       = "the advantage in the return"
	tokenValues     = "the value of each token"
	squares         = "the squared error of the value"
	clippedSquares  = "the squared error of the clipped value"
	valueLosses     = "half the larger squared error"
	valueSlopes     = "the derivative of each token's loss for its value"
	valueErrors     = "the error of the value"
	clippedValues   = "the clipped value"
	clippedErrors   = "the error of the clipped value"
	groupMeans      = "the mean of the output's group"
	groupDivisors   = "the deviation of the output's group"
	centredRewards  = "the reward less the mean"
)

// What is formed of pairs of responses.
const (
	chosenRatios   = "the log-ratio of the chosen response"
	rejectedRatios = "the log-ratio of the rejected response"
	margins        = "the margin of each pair"
	scaledMargins  = "β times the margin"
	pairSlopes     = "the derivative of each pair's loss for its margin"
	pairLosses     = "the loss of each pair, in the mean,"
)

// axes are those that quantities have, each with a word for it.
type axes struct{ letters, words []string }

var (
	ofTokens    = axes{[]string{"N", "L"}, []string{"sequence", "token"}}
	ofSequences = axes{[]string{"N"}, []string{"sequence"}}
	ofTokenRows = axes{[]string{"N"}, []string{"token"}}
	ofLogits    = axes{[]string{"N", "vocab"}, []string{"token", "vocabulary"}}
	ofOutputs   = axes{[]string{"N"}, []string{"output"}}
	ofPairs     = axes{[]string{"N"}, []string{"pair"}}
)

// averaging says of quantities what they are in a mean.
func averaging(all []emulate.Quantity, as emulate.Averaging) []emulate.Quantity {
	for i := range all {
		all[i].Averaging = as
	}
	return all
}

// have lists quantities of these axes.
func (a axes) have(names ...string) (all []emulate.Quantity) {
	for _, name := range names {
		all = append(all, emulate.Quantity{Name: name, Shape: a.letters, Axes: a.words})
	}
	return all
}

// withSlopes says of values among quantities which other one is their derivative, and for what.
func withSlopes(all []emulate.Quantity, by string, slopeOf map[string]string) []emulate.Quantity {
	for i, q := range all {
		if slope := slopeOf[q.Name]; slope != "" {
			all[i].Slope, all[i].By = slope, by
		}
	}
	return all
}

// formedByLoss are those of ppo.loss and grpo.loss.
func formedByLoss() []emulate.Quantity {
	vocabulary := axes{[]string{"N", "L", "vocab"}, []string{"sequence", "token", "vocabulary"}}
	return withSlopes(slices.Concat(
		ofTokens.have(
			lses, lsesAgain, tokenLogits, tokenLogprobs, logRatios, ratios, clippedRatios, tokenAdvantage, slopes,
			logRatiosRef, ratiosRef, lossesInSum, gradientAgain, plainLosses, clippedLosses, surrogates,
			divergences, pulls,
		),
		ofSequences.have(meanLogRatios, lengths, shares, weightsInLoss, weightsInSlope),
		averaging(ofSequences.have(tokenWeights), emulate.Weighs),
		vocabulary.have(probabilities),
	), tokenLogprobs, map[string]string{surrogates: slopes, divergences: pulls})
}

package moe

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// BiasSign returns the bias of the experts after a step: up by rate where the load was below the
// mean, down where it was above, the same where it was the mean.
//
//	b_i ← b_i + γ sign(c̄ − c_i)
//
// load is c [N], in tokens of the whole batch that the step has trained on; c̄ is its mean; rate is
// γ, 0.001 in DeepSeek-V3, and 0 for the last of its tokens. The paper leaves the mean itself open;
// sign(0) is 0, as in code. Differs in code: with the sign reversed the fullest expert wins all. It
// implements Loss-Free Balancing, algorithm 1, and DeepSeek-V3, section 2.1.2 (auxiliary-loss-free
// load balancing, unnumbered).
func BiasSign(bias []float64, load []int, rate float64) []float64 {
	return move(bias, each(gaps(load), sign), rate)
}

// BiasSignCentered returns the same with the mean of the steps taken off, so that the sum of the
// bias stays.
//
//	b_i ← b_i + γ (e_i − mean(e)),  e_i = sign(c̄ − c_i)
//
// The same constant on every bias changes no choice, with groups or without.
// It implements Loss-Free Balancing, algorithm 1, as centred in code.
func BiasSignCentered(bias []float64, load []int, rate float64) []float64 {
	steps := each(gaps(load), sign)
	mean := floats.Sum(steps) / float64(len(steps))
	return move(bias, each(steps, func(e float64) float64 { return e - mean }), rate)
}

// BiasProportional returns the bias of the experts after a step that is as large as the load is off
// the mean.
//
//	b_i ← b_i + γ (c̄ − c_i)
//
// In tokens: rate has the unit of a score per token. The steps sum to 0, and with them the bias
// keeps its sum. It implements Loss-Free Balancing, section 4.3 (variants, its e_i in place of
// sign(e_i)).
func BiasProportional(bias []float64, load []int, rate float64) []float64 {
	return move(bias, gaps(load), rate)
}

// MaxVio returns how far the fullest expert is above the mean, as a share of the mean.
//
//	MaxVio = (max_i c_i − c̄) / c̄
//
// It is 0 where loads are even, N/K − 1 where all tokens choose the same K of N experts, and NaN
// where there is no load. It implements Loss-Free Balancing (4).
func MaxVio(load []int) float64 {
	highest, c := 0, meanLoad(load)
	for _, l := range load {
		highest = max(highest, l)
	}
	return (float64(highest) - c) / c
}

// LeakageBound returns a bound on what expert choice can tell a token of the ones after it.
//
//	K log₂((1−R)/R),  R = K/N
//
// In bits per token and layer, for K of N experts per token in the mean: at least so much can be
// told. It implements Loss-Free Balancing, appendix D.1.
func LeakageBound(topK, experts int) float64 {
	r := float64(topK) / float64(experts)
	return float64(topK) * math.Log2((1-r)/r)
}

// gaps returns how far each load is below the mean.
func gaps(load []int) []float64 {
	e, c := make([]float64, len(load)), meanLoad(load)
	for i, l := range load {
		e[i] = c - float64(l)
	}
	return e
}

func meanLoad(load []int) float64 {
	total := 0
	for _, l := range load {
		total += l
	}
	return float64(total) / float64(len(load))
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return 0
}

// move returns the bias after steps of the given rate.
func move(bias, steps []float64, rate float64) []float64 {
	return pairwise(bias, steps, func(b, e float64) float64 { return b + float64(rate*e) })
}

package grpo

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/policy"
)

// Algorithm is iterative GRPO for the smallest policy there is: a table with a row of logits for
// each question, whose answers are one token long.
type Algorithm struct {
	Iterations int     // I, after each of which the reference becomes the policy
	Steps      int     // M, each of which samples anew
	Updates    int     // μ, on the same samples
	Outputs    int     // G for each question
	Eps, Beta  float64 // ε and β
	Rate       float64 // learning rate, of each question's logits
	Printed    bool    // whether an update goes along (21), as the algorithm is printed
}

// Progress is where the policy stands at the end of an iteration.
type Progress struct {
	Reward float64 // E[r], mean over questions
	KL     float64 // KL(π‖π_ref) from the reference of the iteration, mean over questions
}

// Train returns the logits that the algorithm comes to, and its progress.
//
//	for iteration = 1 … I:  π_ref ← π
//	    for step = 1 … M:  π_old ← π;  sample o_1 … o_G ∼ π_old(·|q)
//	        r_i = r(q, o_i);  Â_i = (r_i − mean(r))/std(r)
//	        for update = 1 … μ:  θ ← θ + rate ∇J(θ)
//
// logits is [questions × answers], and so is the result; J is the objective of GRPO. Every step has
// every question. Differs in print: the paper goes on training the reward model between iterations,
// replaying a tenth of its data; here the reward is a rule. And it calls the objective equation 21,
// which is the gradient coefficient of one update per sample, without ratio and clip: Printed takes
// it at its word, which is the same for μ = 1. It implements DeepSeekMath algorithm 1.
func (a Algorithm) Train(
	logits mat.Matrix, reward func(question, answer int) float64, rng *rand.Rand,
) (*mat.Dense, []Progress) {
	theta := mat.DenseCopyOf(logits)
	questions, _ := theta.Dims()
	var progress []Progress
	for range a.Iterations {
		ref := mat.DenseCopyOf(theta)
		for range a.Steps {
			for q := range questions {
				a.step(theta.RawRowView(q), ref.RawRowView(q), func(o int) float64 { return reward(q, o) }, rng)
			}
		}
		progress = append(progress, measure(theta, ref, reward))
	}
	return theta, progress
}

// step samples a group for one question and updates its logits z.
func (a Algorithm) step(z, ref []float64, reward func(answer int) float64, rng *rand.Rand) {
	logold, logref := policy.LogSoftmax(z, 1), policy.LogSoftmax(ref, 1)
	answers, rewards := make([]int, a.Outputs), make([]float64, a.Outputs)
	for i := range answers {
		answers[i] = sample(logold, rng.Float64())
		rewards[i] = reward(answers[i])
	}
	advantage := Normalize(rewards, Population, 0)
	for range a.Updates {
		floats.AddScaled(z, -a.Rate, a.gradient(z, logold, logref, answers, advantage))
	}
}

// gradient returns that of the loss for the logits z, by way of ∇ log π.
func (a Algorithm) gradient(z, logold, logref []float64, answers []int, advantage []float64) []float64 {
	logpi, dz := policy.LogSoftmax(z, 1), make([]float64, len(z))
	for i, o := range answers {
		_, dlogprob := GRPO(policy.Ratio(logpi[o], logold[o], 0), advantage[i], logpi[o], logref[o], a.Eps, a.Beta)
		if a.Printed {
			dlogprob = -policy.CoefficientGRPO(advantage[i], logpi[o], logref[o], a.Beta)
		}
		floats.AddScaled(dz, dlogprob/float64(len(answers)), policy.LogProbBackward(z, o, 1))
	}
	return dz
}

// sample returns the answer at which the probabilities add up to more than u, which is in [0, 1).
func sample(logp []float64, u float64) int {
	for o, l := range logp {
		if u -= math.Exp(l); u < 0 {
			return o
		}
	}
	return floats.MaxIdx(logp) // the probabilities add up to less than 1 by a few roundings
}

// measure returns mean reward and divergence of a table.
func measure(theta, ref *mat.Dense, reward func(question, answer int) float64) (p Progress) {
	questions, _ := theta.Dims()
	for q := range questions {
		logpi := policy.LogSoftmax(theta.RawRowView(q), 1)
		for o, l := range logpi {
			p.Reward += math.Exp(l) * reward(q, o) / float64(questions)
		}
		p.KL += policy.KL(logpi, policy.LogSoftmax(ref.RawRowView(q), 1)) / float64(questions)
	}
	return p
}

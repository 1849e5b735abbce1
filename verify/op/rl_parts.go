package op

import (
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/tensor"
	"plumbline/verify/verdict"
)

var (
	tokenLossOutput = Tensor{
		Name: "token_loss", Shape: sequenceShape, Axes: sequenceAxes,
		Doc: "loss of each token with its divergence, before any weight",
	}
	sequenceLossOutput = Tensor{
		Name: "sequence_loss", Shape: []string{"N"}, Axes: []string{"sequence"},
		Doc: "sum of the tokens' losses over each sequence, before any divisor; of one without tokens nothing is " +
			"judged",
	}
)

// lossParts are the losses that make up that of a batch: of tokens, and their sums over sequences.
type lossParts struct {
	tokens    *batchOutput
	sequences []verdict.Expected // numbers
	terms     float64            // tokens of the longest sequence
}

// newLossParts returns nil where neither is recorded.
func (c *Case) newLossParts() *lossParts {
	if !c.Wants(tokenLossOutput.Name) && !c.Wants(sequenceLossOutput.Name) {
		return nil
	}
	return &lossParts{tokens: c.newBatchOutput(), sequences: make([]verdict.Expected, c.Dim("N"))}
}

// add takes the tokens of sequence i. With the parts that policyLoss names,
//
//	token_loss     σ² = σ_l² + β² σ_k² + (∂/∂log π)² σ_log π² + 2ρ² (l² + β² k²) + R(l + β k)
//	sequence_loss  the loss of a batch in which every token of the sequence has weight 1
func (p *lossParts) add(o *objective, i int, terms []term, shared sequenceRatio) {
	if p == nil {
		return
	}
	whole, sum, counting := newLossSums(o.boundError), 0.0, 0.0
	unweighted := make([]term, len(terms))
	for t, m := range terms {
		if !m.counting {
			continue
		}
		m.weight = 1
		unweighted[t] = m
		loss := m.loss + o.coefficient*m.kl.value
		sum, counting = sum+loss, counting+1
		own, together, constants := o.tokenErrors(m, loss, shared)
		p.tokens.row(i, finite(together))
		p.tokens.set(i, t, loss, moment(own+together), moment(constants), m.overflows(o)...)
	}
	whole.add(o, unweighted, shared)
	p.sequences[i], p.terms = whole.expected(o, sum), max(p.terms, counting)
}

// tokenErrors are the second moments of the errors of a token's loss: its own, what a sequence has
// together, and what all tokens have.
func (o *objective) tokenErrors(m term, loss float64, shared sequenceRatio) (own, together, constants float64) {
	beta, k := o.coefficient, o.coefficient*m.kl.value
	own = m.own + beta*beta*m.kl.variance + m.byLogProb*m.byLogProb*m.formed +
		2*o.rho2*(finite(m.loss*m.loss)+finite(k*k)) + o.round(loss)
	if m.held != 0 {
		constants = m.held * m.held * m.bound * m.bound * o.boundError(m.bound)
	}
	byTemperature := m.byLogProb * m.byTemperature
	constants += byTemperature*byTemperature*o.policy.constant + k*k*o.constant(beta)
	return own, m.byRatio * m.byRatio * shared.relative, constants
}

// overflows returns the infinities that working precision may have for a token's loss.
func (m term) overflows(o *objective) (others []float64) {
	if m.overflow {
		others = append(others, math.Copysign(math.Inf(1), m.loss))
	}
	if o.coefficient != 0 {
		others = append(others, m.kl.overflow...)
	}
	if len(others) > 0 {
		others = append(others, math.NaN())
	}
	return others
}

// expected hands over both.
func (p *lossParts) expected(mask mat.Matrix) []verdict.Expected {
	if p == nil {
		return nil
	}
	n := len(p.sequences)
	sums := verdict.Expected{
		Name: sequenceLossOutput.Name, Truth: tensor.New(n), Sigma: make([]float64, n), Unjudged: make([]bool, n),
		Others: map[int][]float64{}, Systematic: 1, Terms: p.terms,
	}
	for i := range sums.Unjudged {
		sums.Unjudged[i] = true
	}
	eachJudged(mask, func(i, _ int) { sums.Unjudged[i] = false })
	for i, e := range p.sequences {
		if sums.Unjudged[i] {
			continue
		}
		sums.Truth.Data[i], sums.Sigma[i], sums.Walk = e.Truth.Data[0], e.Sigma[0], max(sums.Walk, e.Walk)
		if others := e.Others[0]; others != nil {
			sums.Others[i] = others
		}
	}
	return []verdict.Expected{p.tokens.expected(tokenLossOutput.Name, mask), sums}
}

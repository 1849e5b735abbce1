package prediction

import (
	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
)

// lossRun has the places of the losses of all depths.
type lossRun struct {
	*step.Softmax
	tokens                  []int
	sum, total              step.Summation
	mean, scaled            arithmetic.Grid
	lastDepth, lastLoss     arithmetic.Grid
	byReciprocal, sumsFirst bool
}

// lossProgram computes mtp.loss.
func lossProgram(c *op.Case) op.Program {
	return func(r *arithmetic.Run) map[string][]float64 {
		l := newLossRun(c, r)
		var means, perDepth []float64
		for k := 1; k <= c.Dim("D"); k++ {
			x := l.depth(k)
			means, perDepth = append(means, l.mean.Round(x)), append(perDepth, l.lastDepth.Round(x))
		}
		return map[string][]float64{"loss": {l.lastLoss.Round(l.weighted(means))}, "per_depth": perDepth}
	}
}

func newLossRun(c *op.Case, r *arithmetic.Run) *lossRun {
	e := step.NewEager(c, r)
	return &lossRun{
		Softmax: e.NewSoftmax(1), tokens: Tokens(c), sum: e.Summation(), total: e.Summation(), mean: e.Place(),
		scaled: e.Place(), lastDepth: e.Last("per_depth"), lastLoss: e.Last("loss"), byReciprocal: e.Coin(),
		sumsFirst: e.Coin(),
	}
}

// depth returns the loss of depth k before it is rounded.
func (l *lossRun) depth(k int) float64 {
	var losses []float64
	for i := range Targets(l.Case, k) {
		d := l.Of(l.Case.Block("logits", k-1, i, i+1).RawRowView(0))
		losses = append(losses, -l.Kept(l.LogProb(d, l.tokens[i+k+1])))
	}
	n := float64(max(Divisor(l.Case, k), 1))
	if l.byReciprocal {
		return l.sum.Of(losses) * l.scaled.Round(1/n)
	}
	return l.sum.Of(losses) / n
}

// weighted returns weight/D · Σ before it is rounded.
func (l *lossRun) weighted(means []float64) float64 {
	weight, depths := l.Case.Float("weight"), float64(len(means))
	if l.sumsFirst {
		return l.scaled.Round(weight/depths) * l.total.Of(means)
	}
	terms := make([]float64, len(means))
	for k, m := range means {
		terms[k] = l.scaled.Round(l.scaled.Round(weight/depths) * m)
	}
	return l.total.Of(terms)
}

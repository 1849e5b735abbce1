package op

import (
	"slices"

	"plumbline/verify/verdict"
)

// sequenceRatio is the logarithm of a sequence's ratio, before it is limited, with the second
// moments of its error and of the ratio's, relative.
type sequenceRatio struct{ log, logError, relative, tokens, byTemperature float64 }

// sequenceError is the second moment of the relative error of a sequence's ratio, with how many
// tokens it has; 0 for ratios of tokens.
func (o *objective) sequenceError(i int) (s sequenceRatio) {
	if !o.sequence {
		return s
	}
	var sum, squares, own float64
	_, cols := o.Mask.Dims()
	for t := range cols {
		if o.Mask.At(i, t) != 0 {
			x := o.LogProb.At(i, t) - o.Old.At(i, t)
			sum, squares, own, s.tokens = sum+x, squares+x*x, own+o.round(x)+o.policy.errors.At(i, t), s.tokens+1
			s.byTemperature += o.policy.byTemperature.At(i, t)
		}
	}
	n := max(s.tokens, 1)
	s.log = sum / n
	s.byTemperature /= n
	if o.narrow() {
		own += o.round(sum)
	}
	s.logError = moment((own+o.sum(int(n), sum, squares))/(n*n) + o.round(s.log))
	s.relative = s.logError + o.exponential(s.log)
	if o.limits(s.log) {
		s.relative = o.limitError()
	}
	return s
}

// sequenceSlopes replaces the derivatives of the tokens, for the logarithm of the sequence's ratio,
// by what each token gets of their sum: all the same.
func (o *objective) sequenceSlopes(terms []term, shared sequenceRatio) {
	var total, squares, own, byRatio, byBound float64
	for _, m := range terms {
		if m.counting {
			part := m.weight * m.slope
			total, squares, own, byRatio = total+part, squares+part*part, own+m.weight*m.weight*m.slopeOwn, byRatio+m.weight*m.slopeByRatio
			byBound += m.weight * m.slopeByBound
		}
	}
	others, n := otherTotals(terms), max(shared.tokens, 1)
	own += o.sum(int(n), total, squares) + 2*o.rho2*total*total
	for t := range terms {
		m := &terms[t]
		if !m.counting || m.weight == 0 {
			continue
		}
		scale := 1 / (n * m.weight)
		m.slope, m.slopeOwn, m.slopeByRatio, m.slopeByBound = total*scale, moment(own*scale*scale), byRatio*scale, byBound*scale
		m.slopes = nil
		for _, s := range others {
			m.slopes = append(m.slopes, s*scale)
		}
	}
}

// otherTotals returns what the derivatives of a sequence's tokens add up to on the other sides of
// the thresholds that its ratio is near: tokens of positive and those of negative advantage have
// thresholds of their own. nil: it is near none.
func otherTotals(terms []term) []float64 {
	var sure float64
	var doubtful [2][]float64 // by the sign of the derivative, for each side
	for _, m := range terms {
		if !m.counting {
			continue
		}
		if m.slopes == nil {
			sure += m.weight * m.slope
			continue
		}
		sign := 0
		if slices.Max(m.slopes) > 0 {
			sign = 1
		}
		for k, s := range m.slopes {
			if k == len(doubtful[sign]) {
				doubtful[sign] = append(doubtful[sign], 0)
			}
			doubtful[sign][k] += m.weight * s
		}
	}
	if doubtful[0] == nil && doubtful[1] == nil {
		return nil
	}
	var totals []float64
	for _, x := range orZero(doubtful[0]) {
		for _, y := range orZero(doubtful[1]) {
			totals = append(totals, sure+x+y)
		}
	}
	return totals
}

func orZero(x []float64) []float64 {
	if x == nil {
		return []float64{0}
	}
	return x
}

// branch hands over the gradients of a sequence on the other sides of its thresholds. Its tokens
// have one ratio, and so one side.
func (b *batchOutput) branch(i int, terms []term, beta float64) {
	_, l := b.truth.Dims()
	var row verdict.Branch
	for t := range terms {
		m := &terms[t]
		if !m.counting || m.slopes == nil {
			continue
		}
		row.Elements = append(row.Elements, i*l+t)
		for k, s := range m.slopes {
			if k == len(row.Truths) {
				row.Truths = append(row.Truths, nil)
			}
			row.Truths[k] = append(row.Truths[k], m.weight*(s+beta*m.kl.slope))
		}
		m.slopes = nil
	}
	if row.Elements != nil {
		b.branches = append(b.branches, row)
	}
}

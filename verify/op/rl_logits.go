package op

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/policy"
	"plumbline/verify/verdict"
)

// checkPolicy checks that log-probabilities are given, or logits and tokens in their place.
func checkPolicy(c *Case) error {
	logprob, logits, tokens := c.Input("logprob") != nil, c.Input("logits") != nil, c.Input("tokens") != nil
	switch {
	case logprob && logits:
		return fmt.Errorf("tensor %q: want either logprob, or logits and tokens in its place", "logits")
	case logprob && tokens:
		return fmt.Errorf("tensor %q: want it with logits alone", "tokens")
	case logprob && c.Wants("dlogits"):
		return fmt.Errorf("tensor %q: want it with logits alone", "out.dlogits")
	case logprob && c.Float("temperature") != 1:
		return fmt.Errorf("attrs: %q: found %v, want it with logits alone", "temperature", c.Float("temperature"))
	case logprob:
		return nil
	case !logits && !tokens:
		return fmt.Errorf(
			"tensor %q: missing, want [N, L], or logits [N, L, vocab] and tokens [N, L] in its place", "logprob",
		)
	case !logits:
		return fmt.Errorf("tensor %q: missing, want [N, L, vocab] with tokens", "logits")
	case !tokens:
		return fmt.Errorf("tensor %q: missing, want [N, L] with logits", "tokens")
	}
	for i, m := range c.Input("mask").Data {
		if m != 0 {
			if err := checkToken(c, i); err != nil {
				return err
			}
		}
	}
	return checkTemperature(c)
}

// formed are log-probabilities [N × L] with the second moments of their errors, as relative errors
// of the probabilities: none where they are inputs.
type formed struct {
	logprob, errors *mat.Dense
	byTemperature   *mat.Dense // ∂ log π/∂ log T
	temperature     float64    // 0 where they are inputs
	constant        float64    // second moment of the relative error of T, and of 1/T, as constants
}

// newFormed reads log-probabilities, or forms those of the tokens in the mask.
func (c *Case) newFormed(w scalars, mask *mat.Dense) formed {
	n, l := mask.Dims()
	f := formed{errors: mat.NewDense(n, l, nil), byTemperature: mat.NewDense(n, l, nil)}
	if c.Input("logprob") != nil {
		f.logprob = c.matrix("logprob")
		return f
	}
	f.logprob, f.temperature = mat.NewDense(n, l, nil), c.Float("temperature")
	f.constant = w.constant(f.temperature) + w.constant(1/f.temperature)
	logits, tokens := c.Input("logits"), c.Input("tokens")
	each(n*l, func(at int) {
		i, t := at/l, at%l
		if mask.At(i, t) == 0 {
			return
		}
		row, token := logits.Row(i, t), int(tokens.Data[at])
		v := w.softmax(row, token, f.temperature)
		f.logprob.Set(i, t, v.logp[token])
		f.errors.Set(i, t, spread(v.logprob))
		f.byTemperature.Set(i, t, finite(v.mean-row[token]/f.temperature))
	})
	return f
}

// spread returns the second moment of the relative error of e^x for an x that errs by that second
// moment, which is the same while it is small. A log-probability in a narrow type may err by more
// than 1.
func spread(variance float64) float64 {
	v := min(moment(variance), 50)
	return math.Expm1(v) * math.Exp(v)
}

// logitsGradient: with g a token's dlogprob, which all logits of its row share with its error, p =
// softmax(z/T) and k the token,
//
//	dz_j = g (δ_jk − p_j)/T
//	shared by the row:  (δ_jk − p_j)² σ_g²/T² + (g p_j/T)² (σ_s² + ε_T² (x_j − Σ p x)²) + ε_T² dz²
//	own:                (g p_j/T)² (E(x_j − m) + x_j² ρ_T² + 4ρ²) + δ_jk (g/T)² R(1 − p_k) + 2ρ² dz²
//
// σ_s² is that of the denominator of p, relative, ε_T² that of the temperature as a constant. Where
// log-probabilities are kept in a narrow type, p comes from them and errs by R(log p) too.
func (c *Case) logitsGradient(o *objective, dlogprob *batchOutput) verdict.Expected {
	logits, tokens := c.Input("logits"), c.Input("tokens")
	n, l, vocab := c.Dim("N"), c.Dim("L"), c.Dim("vocab")
	e := verdict.Expected{
		Name: "dlogits", Truth: tensor.New(n, l, vocab), Sigma: make([]float64, n*l*vocab),
		Unjudged: make([]bool, n*l*vocab), Draws: make([]float64, n*l),
	}
	constants, bySlope, reach := make([]float64, n*l), make([]float64, n*l), dlogprob.reach()
	each(n*l, func(at int) {
		i, t := at/l, at%l
		first := at * vocab
		if o.Mask.At(i, t) == 0 {
			for j := range vocab {
				e.Unjudged[first+j] = true
			}
			e.Draws[at] = float64(vocab)
			return
		}
		row := logitsRow{
			scalars: o.scalars, policy: o.policy, logits: logits.Row(i, t), token: int(tokens.Data[at]),
			slope: dlogprob.truth.At(i, t), slopeError: dlogprob.variance.At(i, t),
			slopeConstants: dlogprob.constants.At(i, t),
		}
		row.reach = max(math.Abs(row.slope), reach[at])
		e.Draws[at], bySlope[at], constants[at] = row.fill(e.Truth.Data[first:first+vocab], e.Sigma[first:first+vocab])
	})
	var judged, shared, slope float64
	eachJudged(o.Mask, func(i, t int) {
		judged, shared, slope = judged+1, shared+constants[i*l+t], slope+bySlope[i*l+t]
	})
	f := shared / max(judged, 1)
	shareErrors(&e, f*f, judged*float64(vocab))
	if o.sequence && judged > 0 { // the tokens of a sequence have their slope and its error in common
		f = min(1, slope/judged)
		e.MostDraws = 1 / (f*f + (1-f)*(1-f)/(judged*float64(vocab)))
	}
	c.addBranches(&e, o, dlogprob)
	return e
}

// addBranches carries over what dlogprob may be else: other sides of thresholds, for whole rows of
// logits, and infinities, which make a product with 0 no number.
func (c *Case) addBranches(e *verdict.Expected, o *objective, dlogprob *batchOutput) {
	_, l := o.Mask.Dims()
	e.Others = map[int][]float64{}
	eachJudged(o.Mask, func(i, t int) {
		if !dtype.Finite(dlogprob.truth.At(i, t)) {
			infinite(e, i*l+t, c.Dim("vocab"))
		}
	})
	for _, b := range dlogprob.branches {
		e.Branches = append(e.Branches, c.branchOfLogits(o, b, l))
	}
	for _, at := range slices.Sorted(maps.Keys(dlogprob.others)) {
		var sides [][]float64
		for _, slope := range dlogprob.others[at] {
			if dtype.Finite(slope) {
				sides = append(sides, []float64{slope})
				continue
			}
			infinite(e, at, c.Dim("vocab"))
		}
		if sides != nil {
			e.Branches = append(e.Branches, c.branchOfLogits(o, verdict.Branch{Elements: []int{at}, Truths: sides}, l))
		}
	}
}

// infinite lets a row of logits have any infinity, and the NaN of one times 0.
func infinite(e *verdict.Expected, row, vocab int) {
	for j := range vocab {
		e.Others[row*vocab+j] = []float64{math.Inf(1), math.Inf(-1), math.NaN()}
	}
}

// reach returns how large each element may be on the side of its thresholds where it is largest.
func (b *batchOutput) reach() []float64 {
	_, l := b.truth.Dims()
	size := make([]float64, len(b.rows)*l)
	take := func(at int, x float64) {
		if dtype.Finite(x) {
			size[at] = max(size[at], math.Abs(x))
		}
	}
	for at, others := range b.others {
		for _, x := range others {
			take(at, x)
		}
	}
	for _, row := range b.branches {
		for _, side := range row.Truths {
			for k, at := range row.Elements {
				take(at, side[k])
			}
		}
	}
	return size
}

// branchOfLogits returns a branch of dlogprob as one of dlogits.
func (c *Case) branchOfLogits(o *objective, b verdict.Branch, l int) verdict.Branch {
	vocab := c.Dim("vocab")
	wide := verdict.Branch{Truths: make([][]float64, len(b.Truths))}
	for k, at := range b.Elements {
		gradient := policy.LogProbBackward(
			c.Input("logits").Row(at/l, at%l), int(c.Input("tokens").Data[at]), o.policy.temperature,
		)
		for j := range vocab {
			wide.Elements = append(wide.Elements, at*vocab+j)
		}
		for side, slopes := range b.Truths {
			for _, d := range gradient {
				wide.Truths[side] = append(wide.Truths[side], slopes[k]*d)
			}
		}
	}
	return wide
}

// logitsRow is the gradient of one token for its logits.
type logitsRow struct {
	scalars
	policy            formed
	logits            []float64
	token             int
	slope, slopeError float64 // dlogprob and its second moment
	slopeConstants    float64 // the part of it that constants make, the same in all rows
	reach             float64 // its size on the side of a threshold where it is largest
}

// fill derives the row. It returns how many independent errors stand behind it, and the shares of
// its second moments that come from dlogprob, and (as a part of the deviation) from constants that
// all rows have in common: weights, the temperature, log₂e.
func (r logitsRow) fill(truth, sigma []float64) (draws, bySlope, share float64) {
	temperature := r.policy.temperature
	v := r.softmax(r.logits, r.token, temperature)
	m, base2 := maximum(r.logits)/temperature, scalars{typ: r.working}.constant(math.Log2E)
	for j, dlog := range policy.LogProbBackward(r.logits, r.token, temperature) {
		truth[j] = r.slope * dlog
		p, x := math.Exp(v.logp[j]), r.logits[j]/temperature
		if p == 0 && j != r.token || r.reach == 0 && r.slopeError == 0 || !dtype.Finite(truth[j]) {
			continue
		}
		d2, part := r.reach*r.reach*dlog*dlog, r.reach*r.reach*p*p/(temperature*temperature)
		byTemperature := (d2 + part*(x-v.mean)*(x-v.mean)) * r.policy.constant
		common := dlog*dlog*r.slopeError + part*v.denominator + byTemperature
		own := part*(r.exponential(x-m)+x*x*v.division+4*r.rho2) + 2*r.rho2*d2 + r.faint(truth[j])
		if j == r.token {
			own += r.reach * r.reach * r.round(1-p) / (temperature * temperature)
		}
		if r.narrow() {
			own += part * r.round(v.logp[j])
		}
		own, common = moment(own), moment(common)
		sigma[j] = math.Sqrt(own + common)
		if all := own + common; all > 0 {
			draws += common / all
			bySlope += min(all, dlog*dlog*r.slopeError) / all
			share += math.Sqrt(min(all, dlog*dlog*r.slopeConstants+byTemperature+part*(x-m)*(x-m)*base2) / all)
		}
	}
	n := float64(len(truth))
	return drawsOf(draws/n, 0, 1, 1-draws/n, n), bySlope / n, share / n
}

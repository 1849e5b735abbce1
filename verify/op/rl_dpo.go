package op

import (
	"fmt"
	"math"

	"plumbline/dpo"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/verdict"
)

var (
	pairShape = []string{"N"}
	pairAxes  = []string{"pair"}
)

func init() {
	register(&Op{
		Name: "dpo.loss",
		Doc: "Direct preference optimisation: the mean loss of pairs of responses, their implicit rewards, and the " +
			"gradient.",
		Equations: []string{
			"dpo.Pairs.Loss", "dpo.Pairs.LossPerToken", "dpo.Pairs.Margins", "dpo.Pairs.MarginsPerToken",
			"dpo.Pairs.Rewards", "dpo.ImplicitReward", "dpo.Sigmoid", "dpo.IPO",
			"dpo.LogSigmoid", "dpo.Logistic",
		},
		Inputs: []Tensor{
			{
				Name: "chosen", Shape: pairShape,
				Doc: "log-probabilities of the chosen responses, sums over their tokens",
			},
			{Name: "rejected", Shape: pairShape, Doc: "the same of the rejected responses"},
			{
				Name: "ref_chosen", Shape: pairShape,
				Doc: "log-probabilities of the chosen responses under the reference",
			},
			{Name: "ref_rejected", Shape: pairShape, Doc: "the same of the rejected responses"},
			{
				Name: "lengths_chosen", Shape: pairShape, Any: true, Optional: true,
				Doc: "tokens of the chosen responses; needed for length_normalize",
			},
			{
				Name: "lengths_rejected", Shape: pairShape, Any: true, Optional: true,
				Doc: "tokens of the rejected responses; needed for length_normalize",
			},
		},
		Outputs: []Tensor{
			{Name: "loss", Shape: noShape, Axes: noShape, Doc: "mean loss of the pairs"},
			{
				Name: "chosen_reward", Shape: pairShape, Axes: pairAxes,
				Doc: "beta·(log π − log π_ref) of the chosen responses",
			},
			{Name: "rejected_reward", Shape: pairShape, Axes: pairAxes, Doc: "the same of the rejected responses"},
			{Name: "dchosen", Shape: pairShape, Axes: pairAxes, Doc: "gradient of the loss for chosen"},
			{Name: "drejected", Shape: pairShape, Axes: pairAxes, Doc: "gradient of the loss for rejected"},
		},
		Attrs: []Attr{
			{Name: "beta", Kind: Number, Default: 0.1, Doc: "weight of the divergence from the reference"},
			{
				Name: "kind", Kind: Choice, Default: "sigmoid", Choices: []string{"sigmoid", "ipo"},
				Doc: "−log σ(β h), or (h − 1/2β)²",
			},
			{
				Name: "label_smoothing", Kind: Number, Default: 0.0,
				Doc: "share of the label that goes to the other order, for sigmoid",
			},
			{
				Name: "length_normalize", Kind: Flag, Default: false,
				Doc: "divide log-ratios by the number of tokens in the loss (not in the rewards)",
			},
		},
		Arithmetic: []Key{accumulateKey, elementwiseKey},
		check:      checkDPO,
		truth:      preferenceLoss,
	})
}

func checkDPO(c *Case) error {
	if c.Float("beta") <= 0 {
		return fmt.Errorf("attrs: %q: found %v, want more than 0", "beta", c.Float("beta"))
	}
	smoothing := c.Float("label_smoothing")
	if smoothing < 0 || smoothing > 1 || smoothing != 0 && c.Word("kind") == "ipo" {
		return fmt.Errorf(
			"attrs: %q: found %v for %s, want 0 to 1, and 0 for ipo", "label_smoothing", smoothing, c.Word("kind"),
		)
	}
	if !c.Flag("length_normalize") {
		return nil
	}
	for _, name := range []string{"lengths_chosen", "lengths_rejected"} {
		lengths := c.Input(name)
		if lengths == nil {
			return fmt.Errorf("attrs: %q needs the tensor %q", "length_normalize", name)
		}
		for i, n := range lengths.Data {
			if n < 1 || n != math.Trunc(n) || !dtype.Finite(n) {
				return fmt.Errorf("tensor %q: index [%d]: %v tokens, want a whole number from 1", name, i, n)
			}
		}
	}
	return nil
}

// preference is a batch of pairs with the conventions of a recording.
type preference struct {
	scalars
	dpo.Pairs
	lengths         [2][]float64 // of chosen and rejected, 1 unless they divide
	beta, smoothing float64
	ipo             bool
}

func (c *Case) newPreference() *preference {
	p := &preference{
		scalars: c.scalars(), beta: c.Float("beta"), smoothing: c.Float("label_smoothing"),
		ipo: c.Word("kind") == "ipo",
	}
	p.Pairs = dpo.Pairs{
		Chosen: c.Input("chosen").Data, Rejected: c.Input("rejected").Data, RefChosen: c.Input("ref_chosen").Data,
		RefRejected: c.Input("ref_rejected").Data,
	}
	for side, name := range []string{"lengths_chosen", "lengths_rejected"} {
		p.lengths[side] = make([]float64, len(p.Chosen))
		for i := range p.lengths[side] {
			p.lengths[side][i] = 1
			if c.Flag("length_normalize") {
				p.lengths[side][i] = c.Input(name).Data[i]
			}
		}
	}
	return p
}

// pair is the loss of one pair.
func (p *preference) pair(h float64) (loss, dh float64) {
	if p.ipo {
		return dpo.IPO(h, p.beta)
	}
	return dpo.Sigmoid(h, p.beta, p.smoothing)
}

// preferenceLoss: the margin h is a difference of differences, by response or by model, the first
// divided by lengths if that is asked for:
//
//	σ_h² = max(R(c − c_ref) + R(r − r_ref), R(c − r) + R(c_ref − r_ref)) + R(h)
//
// sigmoid, with x = βh, ε the label smoothing and p = log(1 + e^{−|x|}):
//
//	σ_x² = β² σ_h² + x² (ρ² + ε_β²)
//	l    σ² = l'² σ_x²/β² + 2 (1−ε)² (16ρ² p₋² + R(log σ(x))) + 2 ε² (16ρ² p₊² + R(log σ(−x))) + R(l)
//	l'   σ² = β² (((1−ε) + ε)² (σ(x) σ(−x))² σ_x² + 20ρ² ((1−ε)² σ(−x)² + ε² σ(x)²)) + 2ρ² l'²
//
// ipo, with e = h − 1/2β: σ_e² = σ_h² + R(e) + R(1/2β); l σ² = 4e² σ_e² + ρ² l², l' σ² = 4σ_e².
// Then the loss adds Sum(N; Σ l, Σ l²)/N² + 2ρ² L², a gradient 2ρ² g² (3ρ² with lengths), and a
// reward has β² R(c − c_ref) + reward² (ρ² + ε_β²). ε_β is the error of β as a constant, the same
// for all pairs.
func preferenceLoss(c *Case) ([]verdict.Expected, error) {
	p := c.newPreference()
	n := len(p.Chosen)
	var margins, dchosen, drejected []float64
	var loss float64
	if c.Flag("length_normalize") {
		margins = p.MarginsPerToken(p.lengths[0], p.lengths[1])
		loss, dchosen, drejected = p.LossPerToken(p.lengths[0], p.lengths[1], p.pair)
	} else {
		margins = p.Margins()
		loss, dchosen, drejected = p.Loss(p.pair)
	}
	gradients := [2]*pairs{newPairs(dchosen), newPairs(drejected)}
	var sum, squares, own, common float64
	for i, h := range margins {
		m := p.errors(i, h)
		sum, squares, own, common = sum+finite(m.loss), squares+finite(m.loss*m.loss), own+m.own, common+m.common
		for side, g := range gradients {
			divisor := float64(n) * p.lengths[side][i]
			d := g.truth[i]
			g.set(
				i, moment((m.slopeOwn+p.faint(d*divisor))/(divisor*divisor)+2*p.rho2*d*d+p.faint(d)),
				moment(m.slopeCommon/(divisor*divisor)+p.rho2*d*d),
			)
		}
	}
	walk := p.sum(n, sum, squares) / float64(n*n)
	variance := own/float64(n*n) + common*common/float64(n*n) + walk + moment(2*p.rho2*loss*loss) + p.round(loss)
	var others []float64
	if p.overflows(sum) {
		others = []float64{math.Inf(1)}
	}
	chosen, rejected := p.rewards()
	return c.wanted(
		scalar("loss", loss, variance, walk, others...), chosen.expected("chosen_reward"),
		rejected.expected("rejected_reward"), gradients[0].expected("dchosen"), gradients[1].expected("drejected"),
	), nil
}

// pairs is an output with one element for each pair.
type pairs struct {
	truth, sigma  []float64
	whole, common float64
}

func newPairs(truth []float64) *pairs {
	return &pairs{truth: truth, sigma: make([]float64, len(truth))}
}

func (o *pairs) set(i int, own, common float64) {
	o.sigma[i] = math.Sqrt(own + common)
	o.whole, o.common = o.whole+own+common, o.common+common
}

func (o *pairs) expected(name string) verdict.Expected {
	e := verdict.Expected{Name: name, Truth: tensor.Of(o.truth, len(o.truth)), Sigma: o.sigma}
	shareErrors(&e, o.common/o.whole, float64(len(o.truth)))
	return e
}

// rewards returns the implicit rewards of both sides.
func (p *preference) rewards() (chosen, rejected *pairs) {
	c, r := p.Rewards(p.beta)
	chosen, rejected = newPairs(c), newPairs(r)
	for i := range c {
		chosen.set(
			i, moment(p.beta*p.beta*p.round(p.Chosen[i]-p.RefChosen[i])+p.rho2*c[i]*c[i]),
			moment(c[i]*c[i]*p.constant(p.beta)),
		)
		rejected.set(
			i, moment(p.beta*p.beta*p.round(p.Rejected[i]-p.RefRejected[i])+p.rho2*r[i]*r[i]),
			moment(r[i]*r[i]*p.constant(p.beta)),
		)
	}
	return chosen, rejected
}

// pairErrors is the loss of one pair with the second moments of its errors and of its derivative's:
// own, and what β as a constant moves in all pairs. common is that of the loss as a deviation with
// its sign, so that pairs may add up.
type pairErrors struct{ loss, own, common, slopeOwn, slopeCommon float64 }

// errors derives them for pair i of margin h.
func (p *preference) errors(i int, h float64) (m pairErrors) {
	moved := p.marginError(i, h)
	loss, slope := p.pair(h)
	m.loss = loss
	if p.ipo {
		e, half := h-1/(2*p.beta), 1/(2*p.beta)
		m.own = moment(4*e*e*(moved+p.round(e)) + p.rho2*loss*loss)
		m.common = finite(2 * e * math.Sqrt(p.round(half)))
		m.slopeOwn, m.slopeCommon = moment(4*(moved+p.round(e))), 4*p.round(half)
		return m
	}
	x, beta, smooth := p.beta*h, math.Sqrt(p.constant(p.beta)), p.smoothing
	up, down := dpo.Logistic(x), dpo.Logistic(-x)
	xOwn := p.beta*p.beta*moved + x*x*p.rho2
	if math.IsInf(x, 0) {
		xOwn = 0 // which no rounding moves
	}
	tail := math.Log1p(math.Exp(-math.Abs(x)))
	side := func(share, log float64) float64 {
		if share == 0 {
			return 0
		}
		return 2 * share * share * (expRoundings*p.inside*tail*tail + p.round(log))
	}
	bend := up * down
	m.own = moment(slope*slope/(p.beta*p.beta)*xOwn) + side(
		1-smooth, dpo.LogSigmoid(x),
	) + side(smooth, dpo.LogSigmoid(-x)) + p.round(loss)
	m.common = finite(slope * h * beta)
	m.slopeOwn = moment(p.beta*p.beta*(bend*bend*xOwn+(expRoundings*p.inside+4*p.rho2)*((1-smooth)*(1-smooth)*down*down+smooth*smooth*up*up))) + 2*p.rho2*slope*slope
	m.slopeCommon = moment(p.beta*p.beta*finite(bend*x)*finite(bend*x)+slope*slope) * beta * beta
	return m
}

// marginError is the second moment of the error of a margin.
func (p *preference) marginError(i int, h float64) float64 {
	c, r := p.Chosen[i]-p.RefChosen[i], p.Rejected[i]-p.RefRejected[i]
	n, k := p.lengths[0][i], p.lengths[1][i]
	byResponse := p.round(c)/(n*n) + p.round(r)/(k*k)
	if n == 1 && k == 1 {
		byModel := p.round(p.Chosen[i]-p.Rejected[i]) + p.round(p.RefChosen[i]-p.RefRejected[i])
		return max(byResponse, byModel) + p.round(h)
	}
	return byResponse + p.round(c/n) + p.round(r/k) + p.round(h)
}

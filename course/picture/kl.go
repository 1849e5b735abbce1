package picture

import (
	"plumbline/internal/svg"
	"plumbline/policy"
)

var pictureKL = picture{
	name: "kl", heading: "KL", width: 880, height: 360,
	title: "Three estimates of a divergence from one token, and what they pull with",
	about: `
Two plots against δ, the logarithm of π_ref over π. Left: k1 is the straight line −δ; k2, a
parabola, and k3 touch 0 at δ = 0, and k3 rises exponentially to the right. Right: their
derivatives, 1, −δ and 1 − e^δ.
`,
	text: `
$\delta = \log \pi_{\text{ref}} - \log \pi$ of one sampled token. On average over tokens of $\pi$
both $k_1$ and $k_3$ are $\text{KL}(\pi \| \pi_{\text{ref}})$, but a single $k_1$ may be negative
and $k_3$ never is. On the right, what each pulls $\log \pi$ with when it stands in a loss: $k_1$
the same for all tokens, on average nowhere; $k_3$ without bound for tokens that the reference likes
and the policy does not.
`,
	drawnBy: []string{"policy.K1", "policy.K2", "policy.K3", "policy.K1Backward", "policy.K2Backward",
		"policy.K3Backward"},
	draw: drawKL,
}

// estimates are the curves: value, derivative, what they are called, and where that stands.
var estimates = []struct {
	name, derivative  string
	colour            svg.Colour
	dash              string
	value, slope      func(logprob, ref float64) float64
	valueAt, slopeAt  float64
	valueUp, slopeUp  float64
	valueDX, slopesDX float64
}{
	{"k_1 = −δ", "1", svg.Orange, svg.Dashed, policy.K1, policy.K1Backward, 0.8, 1.1, 18, -8, -62, 0},
	{"k_2 = δ²/2", "−δ", svg.Green, svg.DashDot, policy.K2, policy.K2Backward, 1.35, -1.3, 26, -14, 6, 8},
	{"k_3 = e^δ − 1 − δ", "1 − e^δ", svg.Blue, svg.Solid, policy.K3, policy.K3Backward, 1.3, 1.2, 0, 0, -116, -92},
}

func drawKL(p *svg.Picture) {
	ratio := svg.Axis{Min: -2, Max: 2, Ticks: []float64{-2, -1, 0, 1, 2}, Label: "δ = log π_{ref} − log π of the token"}
	values := p.Plot(60, 50, 360, 250, ratio,
		svg.Axis{Min: -2, Max: 4.5, Ticks: []float64{-2, -1, 0, 1, 2, 3, 4}, Label: "estimate, nats"})
	slopes := p.Plot(500, 50, 360, 250, ratio,
		svg.Axis{Min: -6.5, Max: 2.5, Ticks: []float64{-6, -4, -2, 0, 2}, Label: "its derivative for log π"})
	for _, f := range []svg.Plot{values, slopes} {
		f.Line(svg.Stroke{Colour: svg.Muted, Width: 1}, svg.Point{X: -2}, svg.Point{X: 2})
	}
	for _, e := range estimates {
		s := svg.Stroke{Colour: e.colour, Width: 2.5, Dash: e.dash}
		value := func(delta float64) float64 { return e.value(0, delta) }
		slope := func(delta float64) float64 { return e.slope(0, delta) }
		values.Curve(s, -2, 2, 80, value)
		slopes.Curve(s, -2, 2, 80, slope)
		name := svg.Style{Size: 13, Bold: true, Colour: e.colour}
		values.Text(e.valueAt, value(e.valueAt), e.valueDX, e.valueUp, name, e.name)
		slopes.Text(e.slopeAt, slope(e.slopeAt), e.slopesDX, e.slopeUp, name, e.name[:3]+": "+e.derivative)
	}
}

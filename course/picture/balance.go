package picture

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"gonum.org/v1/gonum/mat"

	"plumbline/internal/svg"
	"plumbline/moe"
)

// The small gate that is balanced: experts, experts of a token, width, tokens of a batch, steps.
const (
	gateExperts, gateTopK, gateWidth = 16, 2, 8
	gateTokens, gateSteps            = 512, 200
	biasRate                         = 0.003
	lossAlpha, lossRate              = 0.01, 40.0
)

var pictureBalance = picture{
	name: "balance", heading: "Balance", width: 880, height: 560,
	title: "Two ways of balancing experts, and what they cost",
	about: `
Two plots over 200 steps of a gate of 16 experts, and the loads at the end. Above: MaxVio stays near
1.5 without balancing and falls to about 0.2 with the loss and with the bias. Middle: the score of
the chosen experts falls further with the loss than with the bias. Below: bars of the loads of the
16 experts, uneven without balancing.
`,
	text: `
A gate of 16 experts, 2 for each token, sees the same 200 batches of 512 tokens three times; nothing
is learnt but the balance. Left alone, the fullest expert has 2.5 times the mean. The balance loss
moves the gate itself until tokens and experts fit; the bias moves the choice and leaves the scores.
Both come down to what chance alone does to a batch, but with the bias tokens keep experts that the
first gate scored higher: like a price, it makes the choice that has the largest sum of scores of
all with the same loads.
`,
	drawnBy: []string{"moe.Logits", "moe.SigmoidScores", "moe.BiasedScores", "moe.TopK", "moe.BiasSign",
		"moe.SequenceLossBackward", "moe.MaxVio"},
	draw: drawBalance,
}

// batch draws tokens that share a direction, so that a gate left alone loads some experts most.
func batch(random *rand.Rand) *mat.Dense {
	u := mat.NewDense(gateTokens, gateWidth, nil)
	for t := range gateTokens {
		for j := range gateWidth {
			u.Set(t, j, random.NormFloat64()+0.5)
		}
	}
	return u
}

// gate is centroids and a bias, and what balancing has made of them.
type gate struct {
	centroids *mat.Dense
	bias      []float64
}

func newGate() gate {
	random := rand.New(rand.NewPCG(3, 1))
	e := mat.NewDense(gateExperts, gateWidth, nil)
	for i := range gateExperts {
		for j := range gateWidth {
			e.Set(i, j, 0.4*random.NormFloat64())
		}
	}
	return gate{e, make([]float64, gateExperts)}
}

// route returns the scores of a batch and the experts that are chosen with the bias.
func (g gate) route(u mat.Matrix) (logits, scores *mat.Dense, chosen [][]int) {
	logits = moe.Logits(u, g.centroids)
	scores = byRow(logits, moe.SigmoidScores)
	for t := range gateTokens {
		chosen = append(chosen, moe.TopK(moe.BiasedScores(scores.RawRowView(t), g.bias), gateTopK))
	}
	return logits, scores, chosen
}

// byRow returns a function of every token.
func byRow(x *mat.Dense, f func(row []float64) []float64) *mat.Dense {
	rows, cols := x.Dims()
	y := mat.NewDense(rows, cols, nil)
	for t := range rows {
		y.SetRow(t, f(x.RawRowView(t)))
	}
	return y
}

// balancing is a way of evening out loads: what it does to the gate after a step.
type balancing func(g *gate, u, logits, scores *mat.Dense, chosen [][]int)

func withNothing(*gate, *mat.Dense, *mat.Dense, *mat.Dense, [][]int) {}

// withLoss moves the centroids down the gradient of the balance loss.
func withLoss(g *gate, u, logits, scores *mat.Dense, chosen [][]int) {
	dscores := moe.SequenceLossBackward(scores, chosen, gateTokens, lossAlpha)
	dlogits := mat.NewDense(gateTokens, gateExperts, nil)
	for t := range gateTokens {
		dlogits.SetRow(t, moe.SigmoidScoresBackward(logits.RawRowView(t), dscores.RawRowView(t)))
	}
	_, de := moe.LogitsBackward(u, g.centroids, dlogits)
	de.Scale(lossRate, de)
	g.centroids.Sub(g.centroids, de)
}

// withBias moves the bias by the loads of the batch.
func withBias(g *gate, _, _, _ *mat.Dense, chosen [][]int) {
	g.bias = moe.BiasSign(g.bias, moe.Loads(chosen, gateExperts), biasRate)
}

// balanced is what a way of balancing came to.
type balanced struct {
	maxVio []float64 // of the batch of each step
	score  []float64 // mean score that the first gate gave to the experts chosen
	load   []int     // of the last batch
	gate   gate      // at the end
}

// run trains nothing but the balance, on the same batches whatever the way.
func run(way balancing) (b balanced) {
	g, first, random := newGate(), newGate(), rand.New(rand.NewPCG(1, 7))
	for range gateSteps {
		u := batch(random)
		logits, scores, chosen := g.route(u)
		b.load = moe.Loads(chosen, gateExperts)
		b.maxVio = append(b.maxVio, moe.MaxVio(b.load))
		b.score = append(b.score, meanScore(byRow(moe.Logits(u, first.centroids), moe.SigmoidScores), chosen))
		way(&g, u, logits, scores, chosen)
	}
	b.gate = g
	return b
}

// meanScore returns the mean score of the chosen experts.
func meanScore(scores *mat.Dense, chosen [][]int) (mean float64) {
	for t, experts := range chosen {
		for _, s := range moe.GateValues(scores.RawRowView(t), experts) {
			mean += s / float64(gateTokens*gateTopK)
		}
	}
	return mean
}

// ways are the curves; they are run once, whatever is drawn of them.
var ways = []struct {
	name   string
	colour svg.Colour
	dash   string
	run    func() balanced
}{
	{"nothing", svg.Orange, svg.Dotted, sync.OnceValue(func() balanced { return run(withNothing) })},
	{"balance loss", svg.Green, svg.DashDot, sync.OnceValue(func() balanced { return run(withLoss) })},
	{"bias", svg.Blue, svg.Solid, sync.OnceValue(func() balanced { return run(withBias) })},
}

func drawBalance(p *svg.Picture) {
	steps := svg.Axis{Max: gateSteps, Ticks: []float64{0, 50, 100, 150, 200}}
	vio := p.Plot(60, 46, 690, 180, steps,
		svg.Axis{Max: 2, Ticks: []float64{0, 0.5, 1, 1.5, 2}, Label: "MaxVio of the batch"})
	steps.Label = "step"
	score := p.Plot(60, 276, 690, 120, steps, svg.Axis{
		Min: 0.78, Max: 0.88, Ticks: []float64{0.78, 0.80, 0.82, 0.84, 0.86, 0.88},
		Label:  "mean score of the chosen experts, by the gate of the first step",
		Format: func(t float64) string { return fmt.Sprintf("%.2f", t) },
	})
	for i, way := range ways {
		b := way.run()
		stroke := svg.Stroke{Colour: way.colour, Width: 2, Dash: way.dash}
		smooth := windowMeans(b.score, 10)
		vio.Line(stroke, windowMeans(b.maxVio, 5)...)
		score.Line(stroke, smooth...)
		name := svg.Style{Size: 13, Bold: true, Colour: way.colour}
		vio.Text(gateSteps, []float64{1.4, 0.1, 0.35}[i], 8, 4, name, way.name)
		score.Text(gateSteps, smooth[len(smooth)-1].Y, 8, 4, name, way.name)
		drawLoads(p, 60+float64(i)*235, 460, way.name, way.colour, b.load)
	}
}

// windowMeans returns the means of n steps each, a batch alone being mostly chance.
func windowMeans(of []float64, n int) (points []svg.Point) {
	for first := 0; first+n <= len(of); first += n {
		mean := 0.0
		for _, v := range of[first : first+n] {
			mean += v / float64(n)
		}
		points = append(points, svg.Point{X: float64(first) + float64(n)/2, Y: mean})
	}
	return points
}

// drawLoads draws what each expert has of the last batch, fullest first, and the mean.
func drawLoads(p *svg.Picture, x, y float64, name string, colour svg.Colour, load []int) {
	const wide, high = 12.0, 70.0
	const even = gateTokens * gateTopK / gateExperts
	const most = 2.5 * even
	sorted := slices.Clone(load)
	slices.Sort(sorted)
	slices.Reverse(sorted)
	for i, c := range sorted {
		h := high * float64(c) / most
		p.Rect(x+wide*float64(i), y+high-h, wide-2, h, colour, svg.None)
	}
	level := y + high*(1-even/most)
	p.Line(svg.Stroke{Colour: svg.Ink, Width: 1, Dash: svg.Dashed}, svg.Point{X: x - 6, Y: level},
		svg.Point{X: x + wide*gateExperts, Y: level})
	p.Text(x, y+high+16, svg.Style{Size: 11, Colour: svg.Muted},
		fmt.Sprintf("loads at the end, %s: %d … %d", name, sorted[0], sorted[gateExperts-1]))
}

package story

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/moe"
)

const (
	moeWidth, moeInner  = 4, 4
	moeExperts, moeTopK = 8, 2
	moeTokens           = 16 // of a step
	moeSteps, moeLook   = 200, 50
	moeRate             = 0.1
)

// balancer is a way to even out loads: by a loss of weight alpha, by a bias of rate gamma.
type balancer struct {
	name         string
	alpha, gamma float64
}

var balancers = []balancer{
	{"nothing", 0, 0},
	{"auxiliary loss, 0.1", 0.1, 0},
	{"auxiliary loss, 1", 1, 0},
	{"bias, 0.01", 0, 0.01},
}

// newLayer returns a layer of experts that have learnt nothing.
func newLayer(d *dice) moe.Layer {
	matrix := func(r, c int) *mat.Dense { return random(r, c, func(int) float64 { return 0.5 }, d) }
	gate := moe.Gate{
		Score: moe.SigmoidScores, ScoreBackward: moe.SigmoidScoresBackward, TopK: moeTopK, Normalize: true, Scale: 1,
	}
	l := moe.Layer{Gate: gate, Centroids: matrix(moeExperts, moeWidth), Bias: make([]float64, moeExperts)}
	for range moeExperts {
		l.Routed = append(l.Routed, moe.Expert{
			W1: matrix(moeInner, moeWidth), W3: matrix(moeInner, moeWidth), W2: matrix(moeWidth, moeInner),
		})
	}
	return l
}

// lesson returns a token and what the layer is to make of it. Tokens share a direction, so that
// some experts suit most of them.
func lesson(d *dice) (u, y []float64) {
	u, y = make([]float64, moeWidth), make([]float64, moeWidth)
	for i := range u {
		u[i] = d.normal()
	}
	u[0] = math.Abs(u[0]) + 1
	for i := range y {
		y[i] = math.Sin(2*u[i]) * u[(i+1)%moeWidth]
	}
	return u, y
}

// stepped is what a step of training saw: the loss of the task, the loads, and how long the
// gradients of task and balance are for the centroids.
type stepped struct {
	loss, task, balance float64
	load                []int
}

// step trains the layer on a batch.
func (b balancer) step(l *moe.Layer, d *dice) (x stepped) {
	u := mat.NewDense(moeTokens, moeWidth, nil)
	gradients, chosen := make([]moe.LayerGradient, moeTokens), make([][]int, moeTokens)
	de := mat.NewDense(moeExperts, moeWidth, nil)
	for t := range moeTokens {
		token, want := lesson(d)
		u.SetRow(t, token)
		dy := floats.SubTo(make([]float64, moeWidth), l.Output(token), want)
		x.loss += floats.Dot(dy, dy) / 2 / moeTokens
		floats.Scale(1.0/moeTokens, dy)
		gradients[t] = l.Backward(token, dy)
		chosen[t] = gradients[t].Chosen
		de.Add(de, gradients[t].Centroids)
	}
	auxiliary := b.auxiliary(l, u, chosen)
	x.task, x.balance, x.load = mat.Norm(de, 2), mat.Norm(auxiliary, 2), moe.Loads(chosen, moeExperts)
	de.Add(de, auxiliary)
	descendLayer(l, de, gradients)
	l.Bias = moe.BiasSign(l.Bias, x.load, b.gamma)
	return x
}

// auxiliary returns the gradient of the balance loss for the centroids.
func (b balancer) auxiliary(l *moe.Layer, u *mat.Dense, chosen [][]int) *mat.Dense {
	logits := moe.Logits(u, l.Centroids)
	dshares := moe.ExpertLossBackward(chosen, moeExperts, b.alpha)
	dscores := moe.NormalizeScoresBackward(moe.ScoreRows(logits, moe.SigmoidScores), dshares)
	_, de := moe.LogitsBackward(u, l.Centroids, moe.ScoreRowsBackward(logits, dscores, moe.SigmoidScoresBackward))
	return de
}

// descendLayer moves centroids and experts against their gradients.
func descendLayer(l *moe.Layer, de *mat.Dense, gradients []moe.LayerGradient) {
	move := func(w, dw *mat.Dense) { floats.AddScaled(w.RawMatrix().Data, -moeRate, dw.RawMatrix().Data) }
	move(l.Centroids, de)
	for _, g := range gradients {
		for k, i := range g.Chosen {
			move(l.Routed[i].W1, g.Routed[k].W1)
			move(l.Routed[i].W3, g.Routed[k].W3)
			move(l.Routed[i].W2, g.Routed[k].W2)
		}
	}
}

// looked is what was seen over some steps: sums of loads, and means of all else.
type looked struct {
	loss, ratio float64
	load        []int
}

// train trains a layer, always on the same tokens; it returns what was seen between two looks.
func (b balancer) train(nudge float64) (seen []looked) {
	l, d := newLayer(newDice(3, nudge)), newDice(4, nudge)
	for range moeSteps / moeLook {
		x := looked{load: make([]int, moeExperts)}
		for range moeLook {
			one := b.step(&l, d)
			x.loss += one.loss / moeLook
			x.ratio += one.balance / one.task / moeLook
			for i, c := range one.load {
				x.load[i] += c
			}
		}
		seen = append(seen, x)
	}
	return seen
}

// balanceStory tells how the loads of experts are kept even: by an auxiliary loss, and by a bias.
func balanceStory(s *sheet, d *dice) {
	s.say("Eight experts, two of them for each token, learn a function of four numbers. All tokens share a " +
		"direction, so that some experts suit most of them. Four times the same layer sees the same tokens; " +
		"what evens out the loads is another each time.")
	s.head("MaxVio, every 50 steps")
	s.row("%-22s %6s %8s %8s %10s   %s", "", "steps", "MaxVio", "loss", "gradients", "tokens of each expert")
	for _, b := range balancers {
		for i, x := range b.train(d.nudge) {
			s.row("%-22s %6d %8.3f %8.3f %10.2f   %v",
				b.name, (i+1)*moeLook, moe.MaxVio(x.load), x.loss, x.ratio, x.load)
		}
	}
	s.say("MaxVio is how far the fullest expert is above the mean, as a share of the mean, over the 50 steps " +
		"before; loss is that of the task alone. Gradients is the length of the balance loss's gradient for the " +
		"gate over that of the task's: with a weight of 0.1 it is too weak to even out the loads, and with 1 it " +
		"is larger than what the gate learns from the task. The bias has no gradient, so that nothing is added " +
		"to the task's, and evens out the loads sooner and further.")
	s.say("The losses are too close for a verdict: with other seeds they come in another order. That an " +
		"auxiliary loss costs quality is what ablations of DeepSeek's models say; eight experts of width four do " +
		"not.")
}

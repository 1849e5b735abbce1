package moe

import (
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/internal/check"
)

// balances are the losses of one token's experts as functions of scores, with their gradients.
// Experts 0 and 1 are on one device, 2 to 5 on the other; sequences have 3 tokens.
var balances = map[string]struct {
	loss     func(scores mat.Matrix, indices [][]int, alpha float64) float64
	backward func(scores mat.Matrix, indices [][]int, alpha float64) *mat.Dense
}{
	"expert": {ExpertLoss, func(_ mat.Matrix, indices [][]int, alpha float64) *mat.Dense {
		return ExpertLossBackward(indices, 6, alpha)
	}},
	"device": {
		func(scores mat.Matrix, indices [][]int, alpha float64) float64 {
			return DeviceLoss(scores, indices, twoDevices, alpha)
		}, func(_ mat.Matrix, indices [][]int, alpha float64) *mat.Dense {
			return DeviceLossBackward(indices, twoDevices, alpha)
		},
	},
	"communication": {
		func(scores mat.Matrix, indices [][]int, alpha float64) float64 {
			return CommunicationLoss(scores, indices, twoDevices, 2, alpha)
		}, func(_ mat.Matrix, indices [][]int, alpha float64) *mat.Dense {
			return CommunicationLossBackward(indices, twoDevices, 2, alpha)
		},
	},
	"sequence": {
		func(scores mat.Matrix, indices [][]int, alpha float64) float64 {
			return SequenceLoss(scores, indices, 3, alpha)
		}, func(scores mat.Matrix, indices [][]int, alpha float64) *mat.Dense {
			return SequenceLossBackward(scores, indices, 3, alpha)
		},
	},
	"per sequence": {
		func(scores mat.Matrix, indices [][]int, alpha float64) float64 {
			return LossPerSequence(scores, indices, 3, alpha)
		}, func(_ mat.Matrix, indices [][]int, alpha float64) *mat.Dense {
			return LossPerSequenceBackward(indices, 6, 3, alpha)
		},
	},
}

var twoDevices = []int{0, 0, 1, 1, 1, 1}

func TestBalanceLosses(t *testing.T) {
	const alpha = 0.5
	scores, indices := routing(1, 6, 6, 2)
	for name, b := range balances {
		t.Run(name+": the gradient is the slope, with the choice held fixed", func(t *testing.T) {
			slope(t, "ds", b.backward(scores, indices, alpha),
				func(s *mat.Dense) float64 { return b.loss(s, indices, alpha) }, scores)
		})
		for scoring, s := range scorings {
			t.Run(name+": down to the logits of a "+scoring, func(t *testing.T) {
				z := random(2, 6, 6)
				got := ScoreRowsBackward(z, b.backward(ScoreRows(z, s.forward), indices, alpha), s.backward)
				slope(t, "dz", got, func(z *mat.Dense) float64 {
					return b.loss(ScoreRows(z, s.forward), indices, alpha)
				}, z)
			})
		}
		t.Run(name+": uniform scores give α, whatever the loads are", func(t *testing.T) {
			// Σ f P = (1/N) Σ f = 1. On devices P′ is in proportion to their size: Σ f′ P′ = (1/N)
			// Σ f. What is sent is Σ f″ P″, which is not: there devices of one size would be
			// needed.
			if name == "communication" {
				t.Skip("its devices differ in size")
			}
			flat := ScoreRows(mat.NewDense(6, 6, nil), SoftmaxScores)
			check.Near(t, "L", b.loss(flat, indices, alpha), alpha, 20*u)
		})
		t.Run(name+": even loads give α, whatever the scores are", func(t *testing.T) {
			// Of every three tokens of two experts each expert is one's.
			check.Near(t, "L", b.loss(scores, [][]int{{0, 2}, {1, 3}, {4, 5}, {0, 2}, {1, 3}, {4, 5}}, alpha), alpha*
				map[bool]float64{true: communicated(scores), false: 1}[name == "communication"], 20*u)
		})
		t.Run(name+": indices that are not one row per token are refused", func(t *testing.T) {
			check.Panics(t, "moe: tokens of scores and indices differ in number", func() {
				b.loss(scores, indices[:3], 1)
			})
		})
	}
}

// communicated is Σ f″ P″ of the even loads above: of three tokens two are sent to device 0 and all
// to device 1, f″ = 2/(2·3) times 2 and 3.
func communicated(scores mat.Matrix) float64 {
	p := MeanScores(scores)
	return 2./3*floats.Sum(p[:2]) + floats.Sum(p[2:])
}

func TestExpertLoss(t *testing.T) {
	t.Run("all tokens on K experts that have all scores give the most, α N/K", func(t *testing.T) {
		// f = N/K on K experts, and their P sum to 1.
		scores := mat.NewDense(3, 6, []float64{.5, .5, 0, 0, 0, 0, .25, .75, 0, 0, 0, 0, .5, .5, 0, 0, 0, 0})
		check.Near(t, "L", ExpertLoss(scores, [][]int{{0, 1}, {1, 0}, {0, 1}}, 0.5), 0.5*6/2, 0)
	})
	t.Run("less than α is possible, where the loads are against the scores", func(t *testing.T) {
		// f = (2, 0), P = (1/4, 3/4): ½ α.
		scores := mat.NewDense(1, 2, []float64{.25, .75})
		check.Near(t, "L", ExpertLoss(scores, [][]int{{0}}, 1), 0.5, 0)
	})
	t.Run("with one expert per token it is Switch's: α where even, α N where collapsed", func(t *testing.T) {
		check.Near(t, "even", ExpertLoss(mat.NewDense(2, 2, []float64{1, 0, 0, 1}), even(2, 2, 1), 0.01), 0.01, 0)
		check.Near(
			t, "collapsed", ExpertLoss(mat.NewDense(2, 2, []float64{1, 0, 1, 0}), [][]int{{0}, {0}}, 0.01), 0.02, 0,
		)
	})
}

func TestDeviceLoss(t *testing.T) {
	scores, indices := routing(3, 8, 6, 2)
	t.Run("with a device for each expert it is the expert's", func(t *testing.T) {
		each := []int{0, 1, 2, 3, 4, 5}
		check.Near(t, "L", DeviceLoss(scores, indices, each, 0.3), ExpertLoss(scores, indices, 0.3), 0)
		check.NearMatrix(t, "ds", DeviceLossBackward(indices, each, 0.3), ExpertLossBackward(indices, 6, 0.3), 0)
	})
	t.Run("with one device for all it is α", func(t *testing.T) {
		check.Near(t, "L", DeviceLoss(scores, indices, make([]int, 6), 0.3), 0.3, 40*u)
	})
}

func TestCommunicationLoss(t *testing.T) {
	t.Run("where what is sent is even it is α, whatever the scores are", func(t *testing.T) {
		// Every token goes to both devices: f″ = 2/(2·4) · 4 = 1.
		scores, _ := routing(4, 4, 4, 2)
		check.Near(t, "L", CommunicationLoss(
			scores, [][]int{{0, 2}, {1, 3}, {0, 3}, {1, 2}}, []int{0, 0, 1, 1}, 2, 0.02,
		),
			0.02, 10*u)
	})
	t.Run("work can be even where what is sent is not", func(t *testing.T) {
		// Device 0 works on two pairs of one token, device 1 on one pair of each of two tokens.
		scores := ScoreRows(mat.NewDense(2, 4, []float64{2, 2, 0, 0, 0, 0, 0, 0}), SoftmaxScores)
		indices := [][]int{{0, 1, -1}, {-1, 2, 3}}
		check.NearAll(t, "f″", RelativeSentLoads(indices, []int{0, 0, 1, 1}, 2), []float64{.5, .5}, 0)
		indices = [][]int{{0, 1, 2}, {-1, -1, 3}}
		check.NearAll(
			t, "f′", RelativeDeviceLoads(RelativeLoads(indices, 4), []int{0, 0, 1, 1}), []float64{4. / 6, 4. / 6}, u,
		)
		check.NearAll(t, "f″", RelativeSentLoads(indices, []int{0, 0, 1, 1}, 2), []float64{.5, 1}, 0)
		check.Apart(t, "L", CommunicationLoss(scores, indices, []int{0, 0, 1, 1}, 2, 1), 1, 0.1)
	})
}

func TestNormalizeScores(t *testing.T) {
	t.Run("rows sum to 1", rapid.MakeCheck(func(t *rapid.T) {
		s := ScoreRows(random(rapid.Uint64().Draw(t, "seed"), 3, 5), SigmoidScores)
		for n := range 3 {
			check.Near(t, "Σs′", floats.Sum(NormalizeScores(s).RawRowView(n)), 1, 20*u)
		}
	}))
	t.Run("a softmax stays, but for rounding", func(t *testing.T) {
		s, _ := routing(5, 3, 5, 1)
		check.NearMatrix(t, "s′", NormalizeScores(s), s, 20*u)
	})
	t.Run("its gradient is the slope", func(t *testing.T) {
		s, ds := ScoreRows(random(6, 3, 5), SigmoidScores), random(7, 3, 5)
		slope(t, "ds", NormalizeScoresBackward(s, ds),
			func(s *mat.Dense) float64 { return floats.Dot(data(ds), data(NormalizeScores(s))) }, s)
	})
}

func TestSequenceLoss(t *testing.T) {
	scores := ScoreRows(random(8, 12, 6), SigmoidScores)
	indices := TopKRows(scores, 2)
	t.Run("one sequence is the expert's loss of shares", func(t *testing.T) {
		check.Near(
			t, "L", SequenceLoss(scores, indices, 12, 1e-4), ExpertLoss(NormalizeScores(scores), indices, 1e-4), 0,
		)
	})
	t.Run("more of them have the mean of their losses", func(t *testing.T) {
		// Whole sequences that change places do not show, but for the order of the sum.
		first, second := SequenceLoss(scores.Slice(0, 6, 0, 6), indices[:6], 6, 1), SequenceLoss(
			scores.Slice(6, 12, 0, 6), indices[6:], 6, 1,
		)
		check.Near(t, "L", SequenceLoss(scores, indices, 6, 1), (first+second)/2, 4*u)
	})
	t.Run("sequences that are uneven each by themselves show, though the batch is even", func(t *testing.T) {
		// Each sequence uses one expert of two only: f = (2, 0) and P near it; together f = (1, 1).
		scores := mat.NewDense(4, 2, []float64{.75, .25, .75, .25, .25, .75, .25, .75})
		indices := [][]int{{0}, {0}, {1}, {1}}
		check.Near(t, "batch", SequenceLoss(scores, indices, 4, 1), 1, 0)
		check.Near(t, "sequences", SequenceLoss(scores, indices, 2, 1), 1.5, 0)
	})
	t.Run("scores that are no shares give another loss", func(t *testing.T) {
		check.Apart(t, "L", LossPerSequence(scores, indices, 6, 1), SequenceLoss(scores, indices, 6, 1), 0.5)
	})
	t.Run("a factor on all scores of a token does not show", func(t *testing.T) {
		twice := mat.DenseCopyOf(scores)
		floats.Scale(2, twice.RawRowView(4))
		check.Near(t, "L", SequenceLoss(twice, indices, 6, 1), SequenceLoss(scores, indices, 6, 1), 0)
	})
	t.Run("tokens that are no whole sequences are refused", func(t *testing.T) {
		check.Panics(t, badSequences, func() { SequenceLoss(scores, indices, 5, 1) })
		check.Panics(t, badSequences, func() { LossPerSequenceBackward(slices.Clone(indices), 6, 0, 1) })
	})
}

package dpo

import (
	"math"
	"testing"

	"plumbline/internal/check"
)

// pairs returns three pairs, of which the second is wrong by far.
func pairs() Pairs {
	return Pairs{
		Chosen: []float64{-12.5, -40, -3}, Rejected: []float64{-13, -8.25, -7.5},
		RefChosen: []float64{-13.5, -30, -3.25}, RefRejected: []float64{-12, -9, -7.5},
	}
}

var lengthsChosen, lengthsRejected = []float64{10, 20, 2}, []float64{8, 4, 5}

// dpoLoss is SigmoidLoss with β = 0.1.
func dpoLoss(h float64) (loss, dh float64) { return SigmoidLoss(h, 0.1, 0) }

// ipoLoss is IPO with τ = 0.1.
func ipoLoss(h float64) (loss, dh float64) { return IPO(h, 0.1) }

func TestMargins(t *testing.T) {
	t.Run("each is by how much more the chosen response has risen, exactly", func(t *testing.T) {
		check.NearAll(t, "h", pairs().Margins(), []float64{2, -10.75, 0.25}, 0)
	})
	t.Run("at the reference they are zero", func(t *testing.T) {
		p := pairs()
		check.NearAll(t, "h", Pairs{p.Chosen, p.Rejected, p.Chosen, p.Rejected}.Margins(), make([]float64, 3), 0)
	})
	t.Run("per token each log-ratio is divided by its own length", func(t *testing.T) {
		got := pairs().MarginsPerToken(lengthsChosen, lengthsRejected)
		check.NearAll(t, "Δ", got, []float64{1.0/10 + 1.0/8, -10.0/20 - 0.75/4, 0.25 / 2}, 2*u)
	})
	t.Run("responses of one token have the same margin both ways", func(t *testing.T) {
		ones := []float64{1, 1, 1}
		check.NearAll(t, "Δ", pairs().MarginsPerToken(ones, ones), pairs().Margins(), 0)
	})
}

func TestRewards(t *testing.T) {
	t.Run("they are β times the log-ratios of sums", func(t *testing.T) {
		chosen, rejected := pairs().Rewards(0.5)
		check.NearAll(t, "chosen", chosen, []float64{0.5, -5, 0.125}, 0)
		check.NearAll(t, "rejected", rejected, []float64{-0.5, 0.375, 0}, 0)
	})
	t.Run("their difference is β times the margin", func(t *testing.T) {
		chosen, rejected := pairs().Rewards(0.5)
		for n, h := range pairs().Margins() {
			check.Near(t, "r̂_w − r̂_l", chosen[n]-rejected[n], 0.5*h, 0)
		}
	})
}

// gradient returns the central differences of a loss for the log-probabilities of chosen and
// rejected responses.
func gradient(loss func(p Pairs) float64) (dchosen, drejected []float64) {
	p := pairs()
	d := check.Gradient(func(x []float64) float64 {
		return loss(Pairs{x[:3], x[3:], p.RefChosen, p.RefRejected})
	}, append(append([]float64{}, p.Chosen...), p.Rejected...))
	return d[:3], d[3:]
}

func TestLoss(t *testing.T) {
	for name, pair := range map[string]func(h float64) (float64, float64){
		"sigmoid": dpoLoss, "ipo": ipoLoss,
		"conservative": func(h float64) (float64, float64) { return SigmoidLoss(h, 0.1, 0.2) },
		"robust":       func(h float64) (float64, float64) { return Robust(h, 0.1, 0.2) },
	} {
		t.Run("it is the mean over pairs, "+name, func(t *testing.T) {
			var want float64
			for _, h := range pairs().Margins() {
				l, _ := pair(h)
				want += l / 3
			}
			loss, _, _ := pairs().Loss(pair)
			check.Near(t, "loss", loss, want, 8*u*want)
		})
		t.Run("its gradients are the gradients, "+name, func(t *testing.T) {
			_, dchosen, drejected := pairs().Loss(pair)
			wantChosen, wantRejected := gradient(func(p Pairs) float64 { l, _, _ := p.Loss(pair); return l })
			check.NearAll(t, "dchosen", dchosen, wantChosen, check.DifferenceBound(300, 4))
			check.NearAll(t, "drejected", drejected, wantRejected, check.DifferenceBound(300, 4))
		})
		t.Run("its gradients are the gradients per token too, "+name, func(t *testing.T) {
			_, dchosen, drejected := pairs().LossPerToken(lengthsChosen, lengthsRejected, pair)
			wantChosen, wantRejected := gradient(func(p Pairs) float64 {
				l, _, _ := p.LossPerToken(lengthsChosen, lengthsRejected, pair)
				return l
			})
			check.NearAll(t, "dchosen", dchosen, wantChosen, check.DifferenceBound(300, 4))
			check.NearAll(t, "drejected", drejected, wantRejected, check.DifferenceBound(300, 4))
		})
	}
	t.Run("at the reference it is ln 2, and IPO's 1/(4τ²)", func(t *testing.T) {
		p := pairs()
		p.RefChosen, p.RefRejected = p.Chosen, p.Rejected
		loss, _, _ := p.Loss(dpoLoss)
		check.Near(t, "loss", loss, math.Ln2, 4*u)
		loss, _, _ = p.Loss(ipoLoss)
		check.Near(t, "IPO", loss, 25, 25*8*u)
	})
	t.Run("chosen and rejected get opposite gradients from sums, not per token", func(t *testing.T) {
		_, dchosen, drejected := pairs().Loss(dpoLoss)
		for n := range dchosen {
			check.Near(t, "sum", dchosen[n]+drejected[n], 0, 0)
		}
		_, dchosen, drejected = pairs().LossPerToken(lengthsChosen, lengthsRejected, dpoLoss)
		check.Near(t, "per token", dchosen[0]*10, -drejected[0]*8, 4*u)
		check.Apart(t, "per token", dchosen[0], -drejected[0], 4e-4)
	})
	t.Run("IPO of sums wants its margin of a whole response, IPO of means of each token", func(t *testing.T) {
		// The best margin 1/(2τ) = 5 is of all 4 tokens in the one, of each in the other: 20 in
		// all.
		p := Pairs{[]float64{5}, []float64{0}, []float64{0}, []float64{0}}
		four := []float64{4}
		loss, _, _ := p.Loss(ipoLoss)
		check.Near(t, "sums at 5", loss, 0, 0)
		loss, _, _ = p.LossPerToken(four, four, ipoLoss)
		check.Near(t, "means at 5", loss, 3.75*3.75, 0)
		p.Chosen[0] = 20
		loss, _, _ = p.LossPerToken(four, four, ipoLoss)
		check.Near(t, "means at 20", loss, 0, 0)
	})
	t.Run("without pairs it is zero", func(t *testing.T) {
		loss, dchosen, drejected := Pairs{}.Loss(dpoLoss)
		if loss != 0 || len(dchosen) != 0 || len(drejected) != 0 {
			t.Errorf("got %v, %v and %v", loss, dchosen, drejected)
		}
	})
	t.Run("numbers that differ are refused", func(t *testing.T) {
		p := pairs()
		p.RefRejected = nil
		check.Panics(t, badPairs, func() { p.Loss(dpoLoss) })
		check.Panics(t, badPairs, func() { p.Rewards(1) })
		p = pairs()
		p.RefChosen = append(p.RefChosen, 0)
		check.Panics(t, badPairs, func() { p.Margins() })
		p = pairs()
		p.Rejected = p.Rejected[1:]
		check.Panics(t, badPairs, func() { p.Margins() })
		check.Panics(t, badLengths, func() { pairs().LossPerToken(nil, lengthsRejected, dpoLoss) })
		check.Panics(t, badLengths, func() { pairs().MarginsPerToken(lengthsChosen, []float64{1}) })
	})
}

package mtp_test

import (
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/mtp"
)

// law is an arbitrary distribution over all sequences of four tokens of two.
var law = distribution(1, 16)

// prefixed returns the probability that a sequence starts so.
func prefixed(prefix []int) (sum float64) {
	for code, p := range law {
		fits := true
		for i, x := range prefix {
			fits = fits && code>>i&1 == x
		}
		if fits {
			sum += p
		}
	}
	return sum
}

// conditional returns logits of the next token after each prefix of a sequence.
func conditional(sequence []int) *mat.Dense {
	z := mat.NewDense(len(sequence), 2, nil)
	for t := range len(sequence) - 1 {
		for x := range 2 {
			z.Set(t, x, math.Log(prefixed(append(append([]int{}, sequence[:t+1]...), x))))
		}
	}
	return z
}

func TestJointLoss(t *testing.T) {
	sequence := []int{1, 0, 0, 1}
	z := conditional(sequence)

	// P(x_{t+n:t+1} | x_{t:1}) = P(x_{t+n:1})/P(x_{t:1}), both summed over all sequences.
	t.Run("by the chain rule it is the probability of n tokens together, by enumeration", func(t *testing.T) {
		for n := 1; n <= 4; n++ {
			var want float64
			for from := 1; from < 4; from++ {
				want -= math.Log(prefixed(sequence[:min(from+n, 4)]) / prefixed(sequence[:from]))
			}
			check.Near(t, fmt.Sprint(n), mtp.JointLoss(z, sequence, n), want, 128*u)
		}
	})
	t.Run("with n = 1 it is the loss of the next token", func(t *testing.T) {
		check.Near(t, "L_1", mtp.JointLoss(z, sequence, 1), mtp.NextLoss(z, sequence), 8*u)
		check.Near(t, "L_1", mtp.NextLoss(z, sequence), 4*mtp.DepthLoss(z, sequence, 0), 8*u)
	})
	// Row s is the i-th of the window that begins at s−i+1 ≥ 0.
	t.Run("it teaches nothing new: token s+1 counts min(n, s+1) times", func(t *testing.T) {
		for n := 1; n <= 4; n++ {
			var want float64
			for s := range 3 {
				row := mat.NewDense(1, 2, z.RawRowView(s))
				want += float64(min(n, s+1)) * mtp.NextLoss(row, sequence[s:])
			}
			check.Near(t, fmt.Sprint(n), mtp.JointLoss(z, sequence, n), want, 64*u)
		}
	})
}

// A Markov chain of three states; what two heads know best of X and Y, the next two states, is
// their
// marginals after the state at hand.
func TestFactorisedLoss(t *testing.T) {
	chain := check.Matrix([]float64{0.5, 0.25, 0.25}, []float64{0.125, 0.75, 0.125}, []float64{0.25, 0.25, 0.5})

	t.Run("heads that are as good as can be lose I(X; Y) against the joint distribution", func(t *testing.T) {
		for c := range 3 {
			joint := mat.NewDense(3, 3, nil)
			joint.Apply(func(x, y int, _ float64) float64 { return chain.At(c, x) * chain.At(x, y) }, joint)
			pX, pY := mtp.Marginals(joint)
			var factorised, exact float64
			for x := range 3 {
				chained := check.Matrix(logs(mat.Row(nil, c, chain)), logs(mat.Row(nil, x, chain)))
				for y := range 3 {
					tokens, heads := []int{c, x, y}, []*mat.Dense{check.Matrix(logs(pX)), check.Matrix(logs(pY))}
					factorised += joint.At(x, y) * mtp.FactorisedLoss(heads, tokens)
					exact += joint.At(x, y) * mtp.NextLoss(chained, tokens) // log P(x | c) + log P(y | x)
				}
			}
			check.Near(t, "L_2", factorised, mtp.TokenEntropy(pX)+mtp.TokenEntropy(pY), 256*u)
			check.Near(t, "difference", factorised-exact, mtp.MutualInformation(joint), 256*u)
			check.Apart(t, "I(X; Y)", mtp.MutualInformation(joint), 0, 0.01)
		}
	})
	t.Run("it is the depths' losses, summed: head i is depth i−1", func(t *testing.T) {
		tokens := []int{3, 1, 4, 1, 5, 2, 6}
		heads := []*mat.Dense{matrix(1, 6, 7), matrix(2, 6, 7), matrix(3, 6, 7)}
		var want float64
		for i, z := range heads {
			want += 6 * mtp.DepthLoss(z, tokens, i)
		}
		check.Near(t, "L_3", mtp.FactorisedLoss(heads, tokens), want, 256*u)
	})
	t.Run("one head is next-token prediction, none is nothing", func(t *testing.T) {
		z, tokens := matrix(1, 6, 7), []int{3, 1, 4, 1, 5, 2, 6}
		check.Near(t, "L_1", mtp.FactorisedLoss([]*mat.Dense{z}, tokens), mtp.NextLoss(z, tokens), 0)
		check.Near(t, "L_0", mtp.FactorisedLoss(nil, tokens), 0, 0)
	})
	t.Run("its gradient is its slope", func(t *testing.T) {
		tokens := []int{3, 1, 4, 1, 5, 2, 6}
		heads := []*mat.Dense{matrix(1, 6, 7), matrix(2, 6, 7)}
		loss := func() float64 { return mtp.FactorisedLoss(heads, tokens) }
		for i, dz := range mtp.FactorisedLossBackward(heads, tokens) {
			check.NearAll(t, "dz", data(dz), check.Moved(loss, heads[i].RawMatrix().Data), slope)
		}
	})
}

// logs returns the logarithms of probabilities: logits that have them.
func logs(p []float64) []float64 {
	z := make([]float64, len(p))
	for x := range z {
		z[x] = math.Log(p[x])
	}
	return z
}

// newParallel returns a model of n heads with blocks that attend, and where these keep their
// gradients, the trunk's first.
func newParallel(n, d, vocabulary int) (p mtp.Parallel, w, dw []*mat.Dense) {
	for i := range uint64(n + 1) {
		w, dw = append(w, matrix(10+i, d, d)), append(dw, mat.NewDense(d, d, nil))
	}
	p = mtp.Parallel{Trunk: attending(w[0], dw[0]), Unembedding: matrix(9, vocabulary, d)}
	for i := range n {
		p.Heads = append(p.Heads, attending(w[i+1], dw[i+1]))
	}
	return p, w, dw
}

func TestParallel(t *testing.T) {
	const d, vocabulary, n = 4, 7, 3
	tokens, x := []int{3, 1, 4, 1, 5, 2, 6}, matrix(1, 6, d)
	p, w, dw := newParallel(n, d, vocabulary)
	once := p.BackwardAtOnce(x, tokens)

	t.Run("its loss is that of its logits", func(t *testing.T) {
		check.Near(t, "L_3", once.Loss, mtp.FactorisedLoss(p.Logits(x), tokens), 0)
	})
	t.Run("its gradients are the slopes, of trunk, heads, unembedding and tokens", func(t *testing.T) {
		loss := func() float64 { return mtp.FactorisedLoss(p.Logits(x), tokens) }
		bound := check.DifferenceBound(200, 100)
		check.NearAll(t, "dx", data(once.DX), check.Moved(loss, x.RawMatrix().Data), bound)
		check.NearAll(t, "df_u", data(once.DUnembedding), check.Moved(loss, p.Unembedding.RawMatrix().Data), bound)
		for i := range w {
			check.NearAll(t, "df", data(dw[i]), check.Moved(loss, w[i].RawMatrix().Data), bound)
			check.Apart(t, "df", mat.Norm(dw[i], 2), 0, 0.01)
		}
	})
	t.Run("in turn, not a bit of the loss or of any gradient is another", func(t *testing.T) {
		q, _, dq := newParallel(n, d, vocabulary)
		turn := q.BackwardInTurn(x, tokens)
		check.Near(t, "L_3", turn.Loss, once.Loss, 0)
		check.NearMatrix(t, "dx", turn.DX, once.DX, 0)
		check.NearMatrix(t, "df_u", turn.DUnembedding, once.DUnembedding, 0)
		for i := range dq {
			check.NearMatrix(t, "df", dq[i], dw[i], 0)
		}
	})
	t.Run("heads know nothing of each other's tokens, only of the trunk's", func(t *testing.T) {
		before := p.Logits(x)
		moved := mat.DenseCopyOf(x)
		moved.SetRow(4, check.Random(8, d, 1))
		after := p.Logits(moved)
		for i := range before {
			check.NearMatrix(t, "rows 0 … 3", first(after[i], 4), first(before[i], 4), 0)
			check.Apart(t, "row 4", floats.Distance(after[i].RawRowView(4), before[i].RawRowView(4), 2), 0, 1e-3)
		}
	})
}

func TestPeak(t *testing.T) {
	for _, c := range []struct{ length, d, vocabulary, n int }{
		{6, 4, 7, 1}, {6, 4, 7, 3}, {3, 2, 50, 4}, {5, 8, 7, 8},
	} {
		t.Run(fmt.Sprintf("what is held at once is as counted: %+v", c), func(t *testing.T) {
			p, _, _ := newParallel(c.n, c.d, c.vocabulary)
			x, tokens := matrix(1, c.length, c.d), make([]int, c.length+1)
			check.Near(t, "at once", float64(p.BackwardAtOnce(x, tokens).Peak),
				float64(mtp.PeakAtOnce(c.length, c.d, c.vocabulary, c.n)), 0)
			check.Near(t, "in turn", float64(p.BackwardInTurn(x, tokens).Peak),
				float64(mtp.PeakInTurn(c.length, c.d, c.vocabulary)), 0)
		})
	}
	t.Run("with one head both orders hold as much", func(t *testing.T) {
		check.Near(t, "n = 1", float64(mtp.PeakAtOnce(6, 4, 7, 1)), float64(mtp.PeakInTurn(6, 4, 7)), 0)
	})
	// Per token 4·2·32000 + 8·4096 against 2·32000 + 5·4096.
	t.Run("four heads of a 7B model, d = 4096, V = 32000, hold 3.4 times less", func(t *testing.T) {
		check.Near(t, "at once", float64(mtp.PeakAtOnce(1, 4096, 32000, 4)), 288768, 0)
		check.Near(t, "in turn", float64(mtp.PeakInTurn(1, 4096, 32000)), 84480, 0)
	})
}

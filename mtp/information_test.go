package mtp_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/mtp"
)

const badDistributions = "mtp: distributions differ in size"

// jointly returns a random joint distribution of tokens X of four and Y of three.
func jointly(seed uint64) *mat.Dense { return mat.NewDense(4, 3, distribution(seed, 12)) }

// rounded bounds sums of a dozen terms up to 4, of logarithms that are right to some u.
const rounded = 256 * u

func TestEntropy(t *testing.T) {
	t.Run("V tokens alike have ln V, one that is sure 0", func(t *testing.T) {
		check.Near(t, "H", mtp.TokenEntropy([]float64{0.25, 0.25, 0.25, 0.25}), math.Log(4), rounded)
		check.Near(t, "H", mtp.TokenEntropy([]float64{0, 1, 0}), 0, 0)
	})
	t.Run("a half and two quarters have one bit and a half", func(t *testing.T) {
		check.Near(t, "H", mtp.TokenEntropy([]float64{0.5, 0.25, 0.25}), 1.5*math.Ln2, rounded)
	})
	t.Run("what a model says costs H(p) + D(p ‖ q), least where q = p", func(t *testing.T) {
		for seed := range uint64(20) {
			p, q := distribution(seed, 7), distribution(100+seed, 7)
			check.Near(t, "H(p, q)", mtp.TokenCrossEntropy(p, q), mtp.TokenEntropy(p)+mtp.Divergence(p, q), rounded)
			if d := mtp.Divergence(p, q); d <= 0 {
				t.Errorf("D = %v", d)
			}
		}
		check.Near(t, "D(p ‖ p)", mtp.Divergence(distribution(1, 7), distribution(1, 7)), 0, 0)
	})
	t.Run("a token that the model alone excludes costs +∞, one that p excludes nothing", func(t *testing.T) {
		check.Near(t, "H", mtp.TokenCrossEntropy([]float64{0.5, 0.5}, []float64{1, 0}), math.Inf(1), 0)
		check.Near(t, "D", mtp.Divergence([]float64{0.5, 0.5}, []float64{1, 0}), math.Inf(1), 0)
		check.Near(t, "H", mtp.TokenCrossEntropy([]float64{1, 0}, []float64{1, 0}), 0, 0)
		check.Near(t, "D", mtp.Divergence([]float64{1, 0}, []float64{0.5, 0.5}), math.Ln2, u)
	})
	t.Run("sizes have to agree", func(t *testing.T) {
		check.Panics(t, badDistributions, func() { mtp.TokenCrossEntropy([]float64{1}, nil) })
		check.Panics(t, badDistributions, func() { mtp.Divergence([]float64{1}, nil) })
		check.Panics(t, badDistributions, func() { mtp.ConditionalCrossEntropy(jointly(1), matrix(1, 3, 4)) })
		check.Panics(t, badDistributions, func() { mtp.RelativeMutualInformation(jointly(1), matrix(1, 3, 4)) })
	})
}

// The identities of section 5.2, on finite distributions.
func TestMutualInformation(t *testing.T) {
	for seed := range uint64(10) {
		p := jointly(seed)
		pX, pY := mtp.Marginals(p)
		hX, hY, hXY := mtp.TokenEntropy(pX), mtp.TokenEntropy(pY), mtp.TokenEntropy(data(p))
		hXgivenY, hYgivenX, i := mtp.ConditionalEntropy(p), mtp.ConditionalEntropy(p.T()), mtp.MutualInformation(p)

		t.Run("H(X) = H(X|Y) + I(X; Y)", func(t *testing.T) {
			check.Near(t, "H(X)", hX, hXgivenY+i, rounded)
			check.Near(t, "H(Y)", hY, hYgivenX+i, rounded)
		})
		t.Run("H(X) + H(Y) = H(X|Y) + 2 I(X; Y) + H(Y|X)", func(t *testing.T) {
			check.Near(t, "H(X) + H(Y)", hX+hY, hXgivenY+2*i+hYgivenX, rounded)
		})
		t.Run("H(X, Y) = H(X) + H(Y|X): two tokens together cost what they cost one by one", func(t *testing.T) {
			check.Near(t, "H(X, Y)", hXY, hX+hYgivenX, rounded)
		})
		t.Run("it is symmetric, not negative, and no more than either entropy", func(t *testing.T) {
			check.Near(t, "I(Y; X)", mtp.MutualInformation(p.T()), i, rounded)
			if i <= 0 || i > min(hX, hY) {
				t.Errorf("I = %v, H(X) = %v, H(Y) = %v", i, hX, hY)
			}
		})
	}
	t.Run("tokens that know nothing of each other have none, one that is the other has all", func(t *testing.T) {
		check.Near(t, "apart", mtp.MutualInformation(mat.NewDense(2, 2, []float64{0.375, 0.125, 0.375, 0.125})), 0, 0)
		same := diagonal(4, 0.25)
		check.Near(t, "same", mtp.MutualInformation(same), math.Log(4), rounded)
		check.Near(t, "H(X|Y)", mtp.ConditionalEntropy(same), 0, 0)
	})
	t.Run("marginals, by hand", func(t *testing.T) {
		pX, pY := mtp.Marginals(check.Matrix([]float64{0.5, 0.125}, []float64{0.25, 0.125}))
		check.NearAll(t, "p_X", pX, []float64{0.625, 0.375}, 0)
		check.NearAll(t, "p_Y", pY, []float64{0.75, 0.25}, 0)
	})
}

// The same of losses: p is what the text has, q what the model says.
func TestRelativeMutualInformation(t *testing.T) {
	for seed := range uint64(10) {
		p, q := jointly(seed), jointly(100+seed)
		pX, pY := mtp.Marginals(p)
		qX, qY := mtp.Marginals(q)
		lossX, lossY := mtp.TokenCrossEntropy(pX, qX), mtp.TokenCrossEntropy(pY, qY)
		i := mtp.RelativeMutualInformation(p, q)

		t.Run("L.1: the conditional cross-entropy is the mean over y of those given y", func(t *testing.T) {
			var mean float64
			for y := range pY {
				mean += pY[y] * mtp.TokenCrossEntropy(given(p, y), given(q, y))
			}
			check.Near(t, "H(p_X|Y, q_X|Y)", mtp.ConditionalCrossEntropy(p, q), mean, rounded)
		})
		t.Run("L.2: it is H(p_X, q_X) + H(p_Y, q_Y) − H(p, q)", func(t *testing.T) {
			check.Near(t, "I", i, lossX+lossY-mtp.TokenCrossEntropy(data(p), data(q)), rounded)
		})
		t.Run("L.3: H(p_X, q_X) = H(p_X|Y, q_X|Y) + I", func(t *testing.T) {
			check.Near(t, "H(p_X, q_X)", lossX, mtp.ConditionalCrossEntropy(p, q)+i, rounded)
		})
		t.Run("the loss of two heads has I twice", func(t *testing.T) {
			check.Near(t, "sum", lossX+lossY,
				mtp.ConditionalCrossEntropy(p, q)+2*i+mtp.ConditionalCrossEntropy(p.T(), q.T()), rounded)
		})
		t.Run("it is symmetric", func(t *testing.T) {
			check.Near(t, "I", mtp.RelativeMutualInformation(p.T(), q.T()), i, rounded)
		})
	}
	t.Run("of a model that is right it is the mutual information", func(t *testing.T) {
		p := jointly(1)
		check.Near(t, "I", mtp.RelativeMutualInformation(p, mat.DenseCopyOf(p)), mtp.MutualInformation(p), 0)
	})
	// q_X ⊗ q_Y = ¼ everywhere = p: I = 0 − D(p ‖ q) = −½ ln(¼/⅜) − ½ ln(¼/⅛) = −½ ln(4/3).
	t.Run("it is negative for a model that sees a bond where there is none: −½ ln(4/3)", func(t *testing.T) {
		p := mat.NewDense(2, 2, []float64{0.25, 0.25, 0.25, 0.25})
		q := mat.NewDense(2, 2, []float64{0.375, 0.125, 0.125, 0.375})
		check.Near(t, "I", mtp.RelativeMutualInformation(p, q), -math.Log(4./3)/2, rounded)
	})
}

// given returns the distribution of X given y.
func given(joint *mat.Dense, y int) []float64 {
	column := mat.Col(nil, y, joint)
	floats.Scale(1/floats.Sum(column), column)
	return column
}

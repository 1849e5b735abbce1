package rope

import (
	"math"
	"math/cmplx"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// # RoPE is relative
//
// A score should know how far a key is from a query, and not where the two stand: the same words
// mean the same further on in a text. RoPE turns the pair i of a query at position m by m θ_i, and
// that of a key at n by n θ_i:
//
//	f(q, m)·f(k, n) = g(q, k, n − m),  f(x, m) = R_m x
//
// R_m is block-diagonal, one rotation for each pair of elements. RoFormer (Su et al. 2021), section
// 3.
func TestDerivationRelative(t *testing.T) {
	const d = 16
	theta := Frequencies(d, 10000)
	q, k := vector(d, 81), vector(d, 82)

	// A turn back by mθ and one forward by nθ are one by (n−m)θ: angles in a plane add, and the
	// transpose of a rotation is the rotation back.
	//
	//	R_mᵀ R_n = R_{n−m}
	t.Run("in a plane turns add, so that of two positions the difference is left", func(t *testing.T) {
		for m := 0.0; m < 40; m += 7 {
			for n := 0.0; n < 40; n += 9 {
				var product mat.Dense
				product.Mul(Matrix(theta[:1], m).T(), Matrix(theta[:1], n))
				want := Matrix(theta[:1], n-m)
				nearAll(t, "R_mᵀ R_n", product.RawMatrix().Data, want.RawMatrix().Data, 16*u)
			}
		}
	})

	// Pairs do not mix: what holds of each holds of their sum.
	//
	//	(R_m q)·(R_n k) = qᵀ R_mᵀ R_n k = qᵀ R_{n−m} k
	t.Run("so a score of turned vectors depends on the distance alone", func(t *testing.T) {
		for m := 0; m < 4000; m += 1000 {
			for _, distance := range []int{-3, 0, 1, 17} {
				var key mat.VecDense
				key.MulVec(Matrix(theta, float64(distance)), mat.NewVecDense(d, k))
				want := mat.Dot(mat.NewVecDense(d, q), &key)
				// An angle m θ is rounded once, by up to 4096 u/2 of a radian.
				near(t, "score", score(q, k, m, m+distance, theta, Interleaved), want, (4*4096+64)*d*u)
			}
		}
	})

	// Position tells in the angle between query and key, and nowhere else: no token gets louder by
	// where it stands.
	//
	//	‖R_m x‖ = ‖x‖
	t.Run("a turn changes no length", func(t *testing.T) {
		for m := 0.0; m < 4000; m += 333 {
			near(t, "‖x‖", floats.Norm(at(q, m, theta, Interleaved), 2), floats.Norm(q, 2), 16*d*u)
		}
	})

	// Ask for R_m that are linear, keep lengths, go on smoothly from position 0, and multiply as
	// positions add: they are e^{mS} with Sᵀ = −S. The eigenvalues of such an S are ±iθ in pairs,
	// with a 0 left over where the width is odd: in a basis of its own S is a frequency for each of
	// d/2 planes, which is RoPE, but for that basis and the frequencies. One dimension alone can
	// not turn.
	//
	//	R_m R_n = R_{m+n},  R_mᵀ R_m = 1,  so R_m = e^{mS} with Sᵀ = −S
	//	det(S − λ) = 0 for λ = ±iθ_1, ±iθ_2, …
	t.Run("why pairs: whatever turns with position does so in planes", func(t *testing.T) {
		for width := 3; width <= 8; width++ {
			values, size := antisymmetric(width)
			zeros := 0
			for _, v := range values {
				near(t, "real part", real(v), 0, 64*float64(width)*size*u)
				if cmplx.Abs(v) < 64*float64(width)*size*u {
					zeros++
				}
				if nearest(values, cmplx.Conj(v)) > 64*float64(width)*size*u {
					t.Errorf("%v has no partner among %v", v, values)
				}
			}
			if zeros != width%2 {
				t.Errorf("width %d: %d eigenvalues of 0 among %v", width, zeros, values)
			}
		}
	})

	// One pair is back after 2π/θ tokens and takes that distance for none. With θ_i = b^{−2i/d} the
	// slow ones tell far from near, and the fast ones a token from the next: of equal unit vectors,
	// spread over all pairs, the score is 1 at distance 0 alone.
	//
	//	qᵀ R_δ q = Σ_i ‖q_i‖² cos(δ θ_i) ≤ ‖q‖²
	t.Run("many frequencies tell all distances apart, where one comes back after a turn", func(t *testing.T) {
		back := Wavelength(theta[1]) // 2π √10 tokens for b = 10⁴ and d = 16
		near(t, "one pair", math.Cos(back*theta[1]), 1, 64*u)
		x := make([]float64, d)
		floats.AddConst(1/math.Sqrt(d), x)
		near(t, "distance 0", score(x, x, 5, 5, theta, Interleaved), 1, 64*u)
		for distance := 1; distance <= 4096; distance++ {
			if s := score(x, x, 0, distance, theta, Interleaved); s > 0.95 {
				t.Errorf("distance %v has score %v", distance, s)
			}
		}
	})

	// The positions of the first Transformer are vectors p_m that are added. Of the four products
	// of a score only the last depends on m−n alone; the two in the middle see where query and key
	// stand.
	//
	//	(q + p_m)·(k + p_n) = q·k + q·p_n + p_m·k + p_m·p_n
	//	p_m·p_n = Σ_i cos((m−n) θ_i)
	t.Run("but positions that are added are not relative: cross terms see each place by itself", func(t *testing.T) {
		position := func(m float64) []float64 {
			cos, sin := row(m, theta)
			return append(append([]float64(nil), sin...), cos...)
		}
		added := func(q, k []float64, m, n float64) float64 {
			return floats.Dot(floats.AddTo(make([]float64, d), q, position(m)),
				floats.AddTo(make([]float64, d), k, position(n)))
		}
		none := make([]float64, d)
		near(t, "positions alone", added(none, none, 9, 12), added(none, none, 0, 3), 64*d*u)
		if moved := added(q, k, 9, 12) - added(q, k, 0, 3); math.Abs(moved) < 0.5 {
			t.Errorf("moved together, a score moves by %v", moved)
		}
	})
}

// antisymmetric returns the eigenvalues of a matrix with Sᵀ = −S, and its norm.
func antisymmetric(width int) (values []complex128, size float64) {
	s, x := mat.NewDense(width, width, nil), vector(width*width, uint64(83+width))
	for i := range width {
		for j := range i {
			s.Set(i, j, x[i*width+j])
			s.Set(j, i, -x[i*width+j])
		}
	}
	var eigen mat.Eigen
	if !eigen.Factorize(s, mat.EigenNone) {
		panic("no eigenvalues")
	}
	return eigen.Values(nil), mat.Norm(s, 2)
}

// nearest returns how far the nearest of values is from x.
func nearest(values []complex128, x complex128) float64 {
	least := math.Inf(1)
	for _, v := range values {
		least = min(least, cmplx.Abs(v-x))
	}
	return least
}

package rl_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/diff/fd"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/rl"
)

// largestKL returns max_s KL(p_s ‖ q_s).
func largestKL(p, q mat.Matrix) (largest float64) {
	rows, cols := p.Dims()
	for s := range rows {
		var kl float64
		for a := range cols {
			kl += p.At(s, a) * math.Log(p.At(s, a)/q.At(s, a))
		}
		largest = max(largest, kl)
	}
	return largest
}

func TestLocalObjective(t *testing.T) {
	rng := source(40)
	m, z := randomMDP(rng, 3, 2, 0.8), random(rng, 3, 2)
	pi := softmax(z)
	eta, rho, advantage := m.eta(pi), m.visits(pi), m.advantages(pi)

	// Σ_a π(a|s) A_π(s, a) = Σ_a π Q − V = 0.
	t.Run("of the policy itself it is the expected return", func(t *testing.T) {
		check.Near(t, "L", rl.LocalObjective(eta, rho, pi, advantage), eta, 64*u)
	})

	// Kakade and Langford's identity, TRPO (2): η(π̃) − η(π) = Σ ρ_π̃ Σ π̃ A_π.
	t.Run("with the visits of the new policy it is that one's expected return", func(t *testing.T) {
		for range 10 {
			other := softmax(random(rng, 3, 2))
			check.Near(t, "η", rl.LocalObjective(eta, m.visits(other), other, advantage), m.eta(other), 128*u)
		}
	})

	t.Run("it touches the expected return: same value and, (4), same gradient", func(t *testing.T) {
		local := numeric(func() float64 { return rl.LocalObjective(eta, rho, softmax(z), advantage) }, z)
		whole := numeric(func() float64 { return m.eta(softmax(z)) }, z)
		check.NearMatrix(t, "∇L", local, whole, 10*numericBound)
	})
}

func TestPenalty(t *testing.T) {
	t.Run("it is 4 ε γ / (1−γ)², and nothing where the future does not count", func(t *testing.T) {
		check.Near(t, "C", rl.Penalty(1, 0.5), 8, 0)
		check.Near(t, "C", rl.Penalty(3, 0.75), 144, 0)
		check.Near(t, "C", rl.Penalty(3, 0), 0, 0)
	})

	t.Run("less the penalty the local objective is a lower bound; without it, it is none", func(t *testing.T) {
		rng := source(41)
		overstated := 0
		for range 300 {
			m := randomMDP(rng, 3, 2, 0.5)
			pi, other := softmax(random(rng, 3, 2)), softmax(random(rng, 3, 2))
			advantage := m.advantages(pi)
			local := rl.LocalObjective(m.eta(pi), m.visits(pi), other, advantage)
			c := rl.Penalty(max(mat.Max(advantage), -mat.Min(advantage)), m.gamma)
			if got, bound := m.eta(other), local-c*largestKL(pi, other); got < bound {
				t.Errorf("η = %v below its bound %v", got, bound)
			} else if got < local {
				overstated++
			}
		}
		if overstated < 50 {
			t.Errorf("the local objective alone was too high in %d of 300 cases only", overstated)
		}
	})
}

func TestSurrogateObjective(t *testing.T) {
	rng := source(42)

	t.Run("at the old policy it is the mean advantage", func(t *testing.T) {
		z := random(rng, 4, 3)
		check.Near(t, "L", rl.SurrogateObjective(z, z, []int{0, 1, 2, 1}, []float64{1, 2, -4, 3}), 0.5, 0)
	})

	// With each action once, alike likely: 1/A Σ_a π(a)/(1/A) A(a) = Σ_a π(a) A(a). For 4 actions
	// 1/A is exact, and the rest is a few roundings.
	t.Run("over the actions of one state it is the new policy's expected advantage", func(t *testing.T) {
		row, advantages := random(rng, 1, 4), []float64{1, -2, 0.5, 4}
		z := mat.NewDense(4, 4, nil)
		var want float64
		for a := range 4 {
			z.SetRow(a, row.RawRowView(0))
			want += softmax(row).At(0, a) * advantages[a]
		}
		check.Near(t, "L", rl.SurrogateObjective(mat.NewDense(4, 4, nil), z, []int{0, 1, 2, 3}, advantages), want, 64*u)
	})

	t.Run("policies of different shapes panic", func(t *testing.T) {
		two, three := mat.NewDense(1, 2, nil), mat.NewDense(1, 3, nil)
		for name, f := range map[string]func(){
			"actions":               func() { rl.SurrogateObjective(two, three, []int{0}, []float64{1}) },
			"states":                func() { rl.MeanKL(two, mat.NewDense(2, 2, nil)) },
			"actions of advantages": func() { rl.LocalObjective(0, []float64{1}, two, three) },
			"states of advantages":  func() { rl.LocalObjective(0, []float64{1}, two, mat.NewDense(2, 2, nil)) },
			"visits":                func() { rl.LocalObjective(0, nil, two, two) },
		} {
			t.Run(name, func(t *testing.T) {
				check.Panics(t, "rl: two policies, or a policy and its advantages, differ in shape", f)
			})
		}
	})
}

func TestSurrogateObjectiveBackward(t *testing.T) {
	rng := source(43)
	old, z, actions, advantages := random(rng, 4, 3), random(rng, 4, 3), []int{0, 2, 2, 1}, []float64{1, -0.5, 2, -1}

	t.Run("it is the derivative of SurrogateObjective", func(t *testing.T) {
		want := numeric(func() float64 { return rl.SurrogateObjective(old, z, actions, advantages) }, z)
		check.NearMatrix(t, "dz", rl.SurrogateObjectiveBackward(old, z, actions, advantages), want, numericBound)
	})

	t.Run("at the old policy it is the mean policy gradient", func(t *testing.T) {
		want := rl.PolicyGradient(old, actions, advantages)
		want.Scale(0.25, want)
		check.NearMatrix(t, "dz", rl.SurrogateObjectiveBackward(old, old, actions, advantages), want, 0)
	})
}

func TestMeanKL(t *testing.T) {
	rng := source(44)

	t.Run("a policy is no way from itself", func(t *testing.T) {
		z := random(rng, 4, 3)
		check.Near(t, "KL", rl.MeanKL(z, z), 0, 0)
	})

	// KL(½ ‖ p) = ½ log(½/p) + ½ log(½/(1−p)) = −½ log 4p(1−p); the other way round it is log 2 −
	// S(p).
	t.Run("from a fair coin to one of p it is −½ log 4p(1−p), and not the same back", func(t *testing.T) {
		fair, p := mat.NewDense(1, 2, nil), 0.75
		biased := mat.NewDense(1, 2, []float64{math.Log(3), 0})
		check.Near(t, "there", rl.MeanKL(fair, biased), -math.Log(4*p*(1-p))/2, 8*u)
		check.Near(t, "back", rl.MeanKL(biased, fair), math.Ln2+p*math.Log(p)+(1-p)*math.Log(1-p), 8*u)
	})

	t.Run("it is a mean over the states, of what is never negative", func(t *testing.T) {
		a, b := random(rng, 2, 3), random(rng, 2, 3)
		one, two := rl.MeanKL(
			a.Slice(0, 1, 0, 3), b.Slice(0, 1, 0, 3),
		), rl.MeanKL(a.Slice(1, 2, 0, 3), b.Slice(1, 2, 0, 3))
		check.Near(t, "KL", rl.MeanKL(a, b), (one+two)/2, 2*u)
		if one <= 0 || two <= 0 {
			t.Errorf("KL of different policies is %v and %v", one, two)
		}
	})
}

func TestMeanKLBackward(t *testing.T) {
	rng := source(45)
	old, z := random(rng, 4, 3), random(rng, 4, 3)

	t.Run("it is the derivative of MeanKL", func(t *testing.T) {
		want := numeric(func() float64 { return rl.MeanKL(old, z) }, z)
		check.NearMatrix(t, "dz", rl.MeanKLBackward(old, z), want, numericBound)
	})
	t.Run("at the old policy it is 0: the KL has its least there", func(t *testing.T) {
		check.NearMatrix(t, "dz", rl.MeanKLBackward(old, old), mat.NewDense(4, 3, nil), 0)
	})
}

func TestFisherVector(t *testing.T) {
	rng := source(46)
	z, v := random(rng, 4, 3), random(rng, 4, 3)

	// diag(½, ½) − ¼ = ¼ [1 −1; −1 1].
	t.Run("of a fair coin it is a quarter of the difference", func(t *testing.T) {
		hv := rl.FisherVector(mat.NewDense(1, 2, nil), mat.NewDense(1, 2, []float64{8, -4}))
		check.NearAll(t, "H v", hv.RawRowView(0), []float64{3, -3}, 4*u)
	})

	// The gradient of the KL at z + hv, differentiated for h at 0, is ∇(∇KL)ᵀv.
	t.Run("it is the Hessian of MeanKL at the old policy", func(t *testing.T) {
		want := mat.NewDense(4, 3, nil)
		want.Apply(func(n, a int, _ float64) float64 {
			return fd.Derivative(func(h float64) float64 {
				var moved mat.Dense
				moved.Scale(h, v)
				moved.Add(&moved, z)
				return rl.MeanKLBackward(z, &moved).At(n, a)
			}, 0, &fd.Settings{Formula: fd.Central, Step: 0x1p-17})
		}, want)
		check.NearMatrix(t, "H v", rl.FisherVector(z, v), want, numericBound)
	})

	// E[∇log π ∇log πᵀ] v, with ∇log π(a) = 1_a − p.
	t.Run("it is the mean of ∇log π ∇log πᵀ over the actions", func(t *testing.T) {
		want := mat.NewDense(4, 3, nil)
		for n := range 4 {
			row := mat.DenseCopyOf(z.Slice(n, n+1, 0, 3))
			sum := bandit(row.RawRowView(0), func(a int) []float64 {
				g := rl.PolicyGradient(row, []int{a}, []float64{1}).RawRowView(0)
				floats.Scale(floats.Dot(g, v.RawRowView(n))/4, g)
				return g
			})
			want.SetRow(n, sum)
		}
		check.NearMatrix(t, "H v", rl.FisherVector(z, v), want, 16*u)
	})

	t.Run("raising all logits of a state changes no policy, and costs nothing", func(t *testing.T) {
		constant := mat.NewDense(4, 3, []float64{1, 1, 1, 2, 2, 2, -3, -3, -3, 0, 0, 0})
		check.NearMatrix(t, "H v", rl.FisherVector(z, constant), mat.NewDense(4, 3, nil), 3*4*u)
	})

	// Logits X θ: the Hessian for θ is Xᵀ M X, (57) without its second term, which vanishes. Second
	// differences: h² + u/h² with h = 2⁻¹³.
	t.Run("between the features of a linear policy it is the Hessian for the weights", func(t *testing.T) {
		x, theta := random(rng, 4, 2), random(rng, 2, 3)
		logits := func(w []float64) *mat.Dense {
			var z mat.Dense
			z.Mul(x, mat.NewDense(2, 3, w))
			return &z
		}
		old := logits(theta.RawMatrix().Data)
		var hessian mat.SymDense
		fd.Hessian(&hessian, func(w []float64) float64 { return rl.MeanKL(old, logits(w)) }, theta.RawMatrix().Data,
			&fd.Settings{Formula: fd.Forward, Step: 0x1p-13})
		direction := random(rng, 2, 3)
		var hv mat.Dense
		hv.Mul(x.T(), rl.FisherVector(old, logits(direction.RawMatrix().Data)))
		var want mat.VecDense
		want.MulVec(&hessian, mat.NewVecDense(6, direction.RawMatrix().Data))
		check.NearAll(t, "H v", hv.RawMatrix().Data, want.RawVector().Data, 6*0x1p-12)
	})
}

// counting returns the product with h, and how often it was asked for.
func counting(h mat.Matrix) (product func(v []float64) []float64, count *int) {
	count = new(int)
	return func(v []float64) []float64 {
		*count++
		var hv mat.VecDense
		hv.MulVec(h, mat.NewVecDense(len(v), v))
		return hv.RawVector().Data
	}, count
}

// positive returns a random symmetric matrix with eigenvalues of at least 1.
func positive(b *mat.Dense) *mat.SymDense {
	n, _ := b.Dims()
	var h mat.SymDense
	h.SymOuterK(1, b)
	for i := range n {
		h.SetSym(i, i, h.At(i, i)+1)
	}
	return &h
}

func TestConjugateGradient(t *testing.T) {
	rng := source(47)

	// A textbook pair: [4 1; 1 3] x = (1, 2) has x = (1/11, 7/11).
	t.Run("two equations take two steps", func(t *testing.T) {
		product, count := counting(mat.NewDense(2, 2, []float64{4, 1, 1, 3}))
		check.NearAll(t, "x", rl.ConjugateGradient(product, []float64{1, 2}, 2, 0), []float64{1. / 11, 7. / 11}, 8*u)
		if *count != 2 {
			t.Errorf("%d products", *count)
		}
	})

	// The residual is measured by the equations themselves; eigenvalues are below 1 + 64/3·2 < 50,
	// and 8 steps lose up to four digits of float64's sixteen: 7·10⁻¹³ was seen.
	t.Run("n equations take n steps at most", func(t *testing.T) {
		for range 20 {
			h, b := positive(random(rng, 8, 8)), random(rng, 1, 8).RawRowView(0)
			product, _ := counting(h)
			hx := product(rl.ConjugateGradient(product, b, 8, 0))
			check.NearAll(t, "H x", hx, b, 1e-11)
			if short := product(rl.ConjugateGradient(product, b, 4, 0)); floats.EqualApprox(short, b, 1e-6) {
				t.Error("half the steps must not do")
			}
		}
	})

	// The k-th residual is a polynomial of degree k in H on b, and one through all different
	// eigenvalues is 0.
	t.Run("as many as there are different eigenvalues", func(t *testing.T) {
		product, count := counting(mat.NewDiagDense(6, []float64{1, 1, 1, 4, 4, 16}))
		x := rl.ConjugateGradient(product, []float64{1, 1, 1, 1, 1, 1}, 6, 1e-12)
		check.NearAll(t, "x", x, []float64{1, 1, 1, 0.25, 0.25, 0.0625}, 100*u)
		if *count != 3 {
			t.Errorf("%d steps for 3 eigenvalues", *count)
		}
	})

	t.Run("for a multiple of the identity one step is exact", func(t *testing.T) {
		product, count := counting(mat.NewDiagDense(3, []float64{4, 4, 4}))
		check.NearAll(t, "x", rl.ConjugateGradient(product, []float64{4, -8, 2}, 10, 0), []float64{1, -2, 0.5}, 0)
		if *count != 1 {
			t.Errorf("%d steps", *count)
		}
	})

	t.Run("the first step goes down the gradient as far as it helps", func(t *testing.T) {
		product, _ := counting(mat.NewDiagDense(2, []float64{1, 3}))
		check.NearAll(t, "x", rl.ConjugateGradient(product, []float64{1, 1}, 1, 0), []float64{0.5, 0.5}, 0)
	})

	t.Run("nothing is solved by nothing", func(t *testing.T) {
		product, count := counting(mat.NewDiagDense(2, []float64{1, 3}))
		check.NearAll(t, "x", rl.ConjugateGradient(product, []float64{0, 0}, 10, 0), []float64{0, 0}, 0)
		if *count != 0 {
			t.Errorf("%d steps", *count)
		}
	})

	t.Run("it stops at a residual in units of b, however small b is", func(t *testing.T) {
		h, b := positive(random(rng, 8, 8)), random(rng, 1, 8).RawRowView(0)
		steps := map[float64]int{}
		for _, scale := range []float64{1, 0x1p-60} {
			product, count := counting(h)
			small := floats.ScaleTo(make([]float64, 8), scale, b)
			x := rl.ConjugateGradient(product, small, 8, 1e-3)
			steps[scale] = *count
			check.Near(t, "‖b − H x‖", floats.Distance(product(x), small, 2), 0, 1e-3*floats.Norm(small, 2))
		}
		if steps[1] != steps[0x1p-60] || steps[1] >= 8 {
			t.Errorf("steps %v", steps)
		}
	})

	t.Run("where it has converged sᵀHs = sᵀg", func(t *testing.T) {
		h, g := positive(random(rng, 5, 5)), random(rng, 1, 5).RawRowView(0)
		product, _ := counting(h)
		s := rl.ConjugateGradient(product, g, 5, 0)
		check.Near(t, "sᵀHs", floats.Dot(s, product(s)), floats.Dot(s, g), 64*u)
	})

	// F s = p ⊙ (s − p·s) and g = p ⊙ (A − p·A): s = A + c for any c, as F does not see constants.
	// Conjugate gradients stay in F's range, where elements add up to 0: c = −mean(A). A row of n
	// actions has n−1 eigenvalues that are not 0.
	t.Run("a softmax's natural gradient is the advantages themselves", func(t *testing.T) {
		z, advantages := random(rng, 1, 4), []float64{2, -1, 0.5, 0}
		fisher := func(v []float64) []float64 {
			return rl.FisherVector(z, mat.NewDense(1, 4, v)).RawRowView(0)
		}
		g := bandit(z.RawRowView(0), func(a int) []float64 {
			return rl.PolicyGradient(z, []int{a}, []float64{advantages[a]}).RawRowView(0)
		})
		s := rl.ConjugateGradient(fisher, g, 3, 0)
		check.NearAll(t, "s", s, []float64{2 - 0.375, -1 - 0.375, 0.5 - 0.375, -0.375}, 64*u)
	})
}

func TestStepLength(t *testing.T) {
	rng := source(48)

	// ½ (βs)ᵀH(βs) = ½ β² sᵀHs = δ. H = diag(4, 1), s = (1, 2): sᵀHs = 8; δ = 1 gives β = ½. No
	// rounding.
	t.Run("where the KL is its quadratic form, a step is δ long", func(t *testing.T) {
		check.Near(t, "β", rl.StepLength([]float64{1, 2}, []float64{4, 2}, 1), 0.5, 0)
		product, _ := counting(positive(random(rng, 5, 5)))
		s := random(rng, 1, 5).RawRowView(0)
		floats.Scale(rl.StepLength(s, product(s), 0.01), s)
		check.Near(t, "KL", floats.Dot(s, product(s))/2, 0.01, 100*u*0.01)
	})

	// KL = δ + O(δ^{3/2}): a quarter of δ halves what is off, relatively.
	t.Run("a softmax's KL comes near to that as δ goes to 0", func(t *testing.T) {
		z, s := random(rng, 3, 4), random(rng, 3, 4)
		off := func(delta float64) float64 {
			hs := rl.FisherVector(z, s)
			var moved mat.Dense
			moved.Scale(rl.StepLength(s.RawMatrix().Data, hs.RawMatrix().Data, delta), s)
			moved.Add(&moved, z)
			return math.Abs(rl.MeanKL(z, &moved)/delta - 1)
		}
		for delta := 1e-3; delta > 1e-6; delta /= 4 {
			check.Near(t, "what is left of the error", off(delta/4)/off(delta), 0.5, 0.05)
		}
	})

	t.Run("along nothing there is no end", func(t *testing.T) {
		check.Near(t, "1/β", 1/rl.StepLength([]float64{0}, []float64{0}, 1), 0, 0)
	})
}

func TestLineSearch(t *testing.T) {
	along := func(theta []float64) float64 { return theta[0] }
	square := func(theta []float64) float64 { return theta[0] * theta[0] / 2 }
	free := func([]float64) float64 { return 0 }
	for name, c := range map[string]struct {
		surrogate, kl func(theta []float64) float64
		tries         int
		theta         float64
		j             int
	}{
		"the full step where it will do": {along, free, 10, 8, 0},
		// ½ θ² ≤ ½ for θ ≤ 1: 8, 4, 2 are too far; the bound itself will do.
		"the first half-way that is near enough": {along, square, 10, 1, 3},
		// θ (3 − θ) is −40, −4, 2 at 8, 4, 2.
		"the first half-way that is better": {func(theta []float64) float64 {
			return theta[0] * (3 - theta[0])
		}, free, 10, 2, 2},
		"as good as before is not better": {free, free, 10, 0, -1},
		"the start, when tries run out":   {along, square, 3, 0, -1},
		"the start, where all is worse":   {func(theta []float64) float64 { return -theta[0] }, free, 10, 0, -1},
		"no NaN": {func(theta []float64) float64 {
			return math.Log(theta[0] - 100)
		}, free, 10, 0, -1},
	} {
		t.Run("it takes "+name, func(t *testing.T) {
			theta, j := rl.LineSearch([]float64{0}, []float64{8}, 0.5, c.tries, c.surrogate, c.kl)
			if theta[0] != c.theta || j != c.j {
				t.Errorf("θ = %v at j = %d, want %v at %d", theta[0], j, c.theta, c.j)
			}
		})
	}

	t.Run("what it returns is not the start's own memory", func(t *testing.T) {
		old := []float64{0}
		theta, _ := rl.LineSearch(old, []float64{8}, 0.5, 1, free, free)
		theta[0] = 1
		check.Near(t, "old", old[0], 0, 0)
	})
}

func TestStep(t *testing.T) {
	rng := source(49)
	region := rl.TrustRegion{Delta: 0.01, Iterations: 10, Tries: 10}
	logits := func(x, theta mat.Matrix) *mat.Dense {
		var z mat.Dense
		z.Mul(x, theta)
		return &z
	}

	// Two states, each action of each once, alike likely: s = A − mean(A), see ConjugateGradient;
	// sᵀHs is the mean of the states' variances of A. The KL of the full step is a little above δ
	// here, so the step is half of it.
	t.Run("from a uniform policy logits move along the advantages", func(t *testing.T) {
		x, advantages := mat.NewDense(6, 2, []float64{1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1}), []float64{3, 0, 0, -1, 0, 1}
		theta := region.Step(mat.NewDense(2, 3, nil), x, []int{0, 1, 2, 0, 1, 2}, advantages)
		beta := math.Sqrt(2 * region.Delta / ((2 + 2./3) / 2)) // variances 2 and ⅔
		full := mat.NewDense(2, 3, []float64{2 * beta, -beta, -beta, -beta, 0, beta})
		if kl := rl.MeanKL(mat.NewDense(6, 3, nil), logits(x, full)); kl <= region.Delta || kl > 1.1*region.Delta {
			t.Errorf("KL of the full step is %v", kl)
		}
		full.Scale(0.5, full)
		check.NearMatrix(t, "θ", theta, full, 16*u)
	})

	// One state, two actions of p and q = 1−p, each taken once with advantages ∓1: F = pq (1,
	// −1)ᵀ(1, −1) and g = (−½, ½), so that the full step is ∓√(δ/(2pq)). Half of it is near enough
	// in KL(π_old ‖ π) in both cases. KL(π ‖ π_old) is 1.10 > ½ there in the first, which would
	// halve once more, and 1.15 ≤ 2 for the full step in the second, which would take it.
	t.Run("how far it may go is told by KL(π_old ‖ π), not the other way round", func(t *testing.T) {
		for _, c := range []struct{ z, delta float64 }{{4, 0.5}, {1, 2}} {
			region := rl.TrustRegion{Delta: c.delta, Iterations: 1, Tries: 10}
			theta := region.Step(
				mat.NewDense(1, 2, []float64{c.z, 0}), mat.NewDense(2, 1, []float64{1, 1}), []int{0, 1},
				[]float64{-1, 1},
			)
			half := math.Sqrt(c.delta/2) * math.Cosh(c.z/2) // ½ √(δ/(2pq)), 1/√(pq) = 2 cosh(z/2)
			check.NearMatrix(t, "θ", theta, mat.NewDense(1, 2, []float64{c.z - half, half}), 64*u*c.z)
		}
	})

	x, theta := random(rng, 12, 2), random(rng, 2, 3)
	actions, advantages := make([]int, 12), random(rng, 1, 12).RawRowView(0)
	for n := range actions {
		actions[n] = rng.IntN(3)
	}

	t.Run("it improves the surrogate and stays in the region, however large", func(t *testing.T) {
		old := logits(x, theta)
		for _, delta := range []float64{1e-6, 0.01, 0.1, 1, 10} {
			z := logits(x, rl.TrustRegion{Delta: delta, Iterations: 10, Tries: 20}.Step(theta, x, actions, advantages))
			if kl := rl.MeanKL(old, z); kl > delta || kl < delta/64 {
				t.Errorf("KL is %v, δ is %v", kl, delta)
			}
			before := rl.SurrogateObjective(old, old, actions, advantages)
			if rl.SurrogateObjective(old, z, actions, advantages) <= before {
				t.Error("the surrogate is no better")
			}
		}
	})

	// Features X W⁻¹ and weights W θ are the same policy. F and g change with them such that s
	// becomes W s: the same step. A plain gradient becomes W⁻ᵀ g instead.
	t.Run("the same policy in other features makes the same step, unless it is damped", func(t *testing.T) {
		w := mat.NewDense(2, 2, []float64{2, 1, -1, 3})
		var inverse, features, weights mat.Dense
		if err := inverse.Inverse(w); err != nil {
			t.Fatal(err)
		}
		features.Mul(x, &inverse)
		weights.Mul(w, theta)
		region := rl.TrustRegion{Delta: 0.01, Iterations: 4, Tries: 10} // d (A − 1) eigenvalues that are not 0
		one, other := region.Step(theta, x, actions, advantages), region.Step(&weights, &features, actions, advantages)
		check.NearMatrix(t, "logits", logits(&features, other), logits(x, one), 64*u)
		region.Damping = 0.1
		one, other = region.Step(theta, x, actions, advantages), region.Step(&weights, &features, actions, advantages)
		if mat.EqualApprox(logits(&features, other), logits(x, one), 1e-4) {
			t.Error("damping is in the units of the weights, and must tell")
		}
	})

	t.Run("where no action is better than another nothing moves", func(t *testing.T) {
		check.NearMatrix(t, "θ", region.Step(theta, x, actions, make([]float64, 12)), theta, 0)
	})

	t.Run("it leaves the old weights alone, which may be a part of something larger", func(t *testing.T) {
		before := mat.DenseCopyOf(theta)
		after := region.Step(theta, x, actions, advantages)
		check.NearMatrix(t, "θ of a view", region.Step(mat.NewDense(2, 4, []float64{
			before.At(0, 0), before.At(0, 1), before.At(0, 2), 7,
			before.At(1, 0), before.At(1, 1), before.At(1, 2), 7,
		}).Slice(0, 2, 0, 3).(*mat.Dense), x, actions, advantages), after, 0)
		after.Zero()
		check.NearMatrix(t, "θ", theta, before, 0)
	})
}

package model

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
	"plumbline/mtp"
)

// slope is what central differences of a loss are off by: one of up to 5 nats, whose last sums make
// some dozens of roundings; third derivatives of up to 400 are within it too.
var slope = check.DifferenceBound(5, 64)

// along returns the central difference of f along v, for x, which it moves in place and puts back.
func along(f func() float64, x, v []float64) float64 {
	start := slices.Clone(x)
	defer copy(x, start)
	return check.Derivative(func(step float64) float64 {
		floats.AddScaledTo(x, start, step, v)
		return f()
	}, 0)
}

// Every tensor of weights is moved, along one direction each: the loss sees it through all layers,
// all modules and both losses, or, as a bias of a gate, not at all.
func TestBackward(t *testing.T) {
	for name, change := range map[string]func(c *Config){
		"as released":                             func(c *Config) { c.PassNormed = true },
		"as printed, h handed on and put first":   func(c *Config) { c.Order = mtp.HiddenFirst },
		"without compressed queries":              func(c *Config) { c.QueryLatent = 0 },
		"without modules":                         func(c *Config) { c.Depths = 0 },
		"of experts alone, none of them shared":   func(c *Config) { c.Dense, c.SharedExperts = 0, 0 },
		"dense, where modules alone have experts": func(c *Config) { c.Dense = 2 },
	} {
		t.Run("it is the derivative of the whole, "+name, func(t *testing.T) {
			c := small()
			change(&c)
			w := random(c, 1)
			got := byName(gradientOf(w, c))
			if want := byName(w); len(got) != len(want) {
				t.Errorf("gradients of %d weights, want %d", len(got), len(want))
			}
			for name, x := range byName(w) {
				v := normals(uint64(len(name)), 1, len(x.Data)).RawRowView(0)
				floats.Scale(1/floats.Norm(v, 2), v)
				want := along(func() float64 { return lossOf(w, c) }, x.Data, v)
				check.Near(t, name, floats.Dot(got[name].Data, v), want, slope)
			}
		})
	}
}

// What is checked could be 0 on both sides: it is not, but for experts that nobody chose.
func TestBackwardReachesEveryWeight(t *testing.T) {
	c := small()
	got := byName(gradientOf(random(c, 1), c))
	chosen := 0
	for _, name := range slices.Sorted(maps.Keys(got)) {
		largest := floats.Norm(got[name].Data, math.Inf(1))
		routed := strings.Contains(name, ".experts.")
		if routed && largest > 1000*slope {
			chosen++
		}
		if bias := strings.HasSuffix(name, "correction_bias"); bias != (largest == 0) && !routed {
			t.Errorf("d%s is %.3g", name, largest)
		} else if !bias && !routed && largest < 1000*slope {
			t.Errorf("d%s is %.3g, too small to be told from none", name, largest)
		}
	}
	if chosen < 3*2*3 { // three layers have experts, a token has two of them, an expert three matrices
		t.Errorf("%d matrices of experts learn", chosen)
	}
}

func TestBackwardClosedForms(t *testing.T) {
	c := small()
	w := random(c, 2)
	dw := gradientOf(w, c)
	t.Run("tokens that are not read teach the embedding nothing, one that is predicted the head", func(t *testing.T) {
		check.NearAll(t, "token 0", dw.Embedding.RawRowView(0), make([]float64, 5), 0)
		check.NearAll(t, "token 2, the last", dw.Embedding.RawRowView(2), make([]float64, 5), 0)
		if floats.Norm(dw.Head.RawRowView(2), 1) < 1000*slope {
			t.Error("the head learns nothing of the last token")
		}
	})
	// softmax(z + a 1) = softmax(z): moving all rows of the head alike changes no loss.
	t.Run("the head's rows sum to nothing", func(t *testing.T) {
		sum := make([]float64, 5)
		for v := range c.Vocabulary {
			floats.Add(sum, dw.Head.RawRowView(v))
		}
		check.NearAll(t, "Σ dhead", sum, make([]float64, 5), 64*6*check.U)
	})
	// The logits are linear in the head: Σ W∘dW is Σ z∘dz, here by both ways.
	t.Run("the head carries all logits", func(t *testing.T) {
		logits := Forward(sentence[:5], w, c, nil)
		var want float64
		for k, d := range LossBackward(logits, sentence, 0.3) {
			want += weighted(logits[k], d)
		}
		check.Near(t, "Σ W∘dW", weighted(w.Head, dw.Head), want, 1024*check.U)
	})
}

// weighted returns Σ y∘dy.
func weighted(y, dy mat.Matrix) float64 {
	return floats.Dot(mat.DenseCopyOf(y).RawMatrix().Data, mat.DenseCopyOf(dy).RawMatrix().Data)
}

func TestBlockBackward(t *testing.T) {
	c := small()
	w := random(c, 3)
	x, dy := normals(4, 4, 5), normals(5, 4, 5)
	for l, b := range w.Blocks {
		t.Run("it is the derivative for the tokens, "+layer(l), func(t *testing.T) {
			dx, _ := b.Backward(x, c, dy)
			loss := func() float64 { return weighted(b.Forward(x, c, layer(l), nil), dy) }
			check.NearAll(t, "dx", dx.RawMatrix().Data, check.Moved(loss, x.RawMatrix().Data), slope)
		})
	}
	t.Run("a layer whose weights are 0 hands the gradient on as it is", func(t *testing.T) {
		for _, b := range NewWeights(c).Blocks {
			dx, _ := b.Backward(x, c, dy)
			check.NearMatrix(t, "dx", dx, dy, 0)
		}
	})
}

// normals returns a matrix of normal numbers.
func normals(seed uint64, rows, cols int) *mat.Dense {
	rng := rand.New(rand.NewPCG(seed, 2))
	m := mat.NewDense(rows, cols, nil)
	m.Apply(func(_, _ int, _ float64) float64 { return rng.NormFloat64() }, m)
	return m
}

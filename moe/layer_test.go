package moe

import (
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/internal/check"
)

// newLayer returns a layer of 8 routed and 2 shared experts.
func newLayer(g Gate, seed uint64) Layer {
	g.TopK, g.Groups, g.TopGroups = 3, 4, 3
	if g.GroupScore == nil {
		g.Groups = 1
	}
	return Layer{
		Gate: g, Centroids: random(seed, 8, 4), Bias: check.Random(seed+1, 8, 0.1),
		Routed: newExperts(8, 4, 3, seed+2), Shared: newExperts(2, 4, 5, seed+3),
	}
}

func TestLayer(t *testing.T) {
	u0 := check.Random(1, 4, 1)
	l := newLayer(DeepSeekV3Gate(), 2)

	t.Run("a dense layer is one network and the residual", func(t *testing.T) {
		dense := Layer{Shared: l.Shared[:1]}
		check.NearAll(t, "h", dense.Forward(u0), floats.AddTo(make([]float64, 4), u0, l.Shared[0].Output(u0)), 0)
	})
	t.Run("it is token, shared and routed sum", func(t *testing.T) {
		experts, weights := l.Gate.Route(mat.Row(nil, 0, Logits(oneRow(u0), l.Centroids)), l.Bias)
		want := RoutedOutput(u0, l.Routed, experts, weights)
		floats.Add(want, SharedOutput(u0, l.Shared))
		check.NearAll(t, "y", l.Output(u0), want, 8*u)
		floats.Add(want, u0)
		check.NearAll(t, "h", l.Forward(u0), want, 16*u)
	})
	t.Run("without shared experts and with one segment it is the classic layer", func(t *testing.T) {
		classic := Layer{Gate: Gate{Score: SoftmaxScores, TopK: 2, Scale: 1}, Centroids: l.Centroids, Routed: l.Routed}
		s := SoftmaxScores(classic.logits(u0))
		want := slices.Clone(u0)
		for _, i := range TopK(s, 2) {
			floats.AddScaled(want, s[i], l.Routed[i].Output(u0))
		}
		check.NearAll(t, "h", classic.Forward(u0), want, 16*u)
	})
	t.Run("the factor of the gate reaches the routed sum only", func(t *testing.T) {
		// y(λ) = S + λ R, so y(5) − y(2.5) = 2.5 R.
		twice := l
		twice.Gate.Scale = 5
		routed := Layer{Gate: l.Gate, Centroids: l.Centroids, Bias: l.Bias, Routed: l.Routed}.Output(u0)
		check.NearAll(t, "difference", floats.SubTo(make([]float64, 4), twice.Output(u0), l.Output(u0)), routed, 256*u)
	})
	t.Run("an expert of huge bias is in every token's sum", func(t *testing.T) {
		l := newLayer(DeepSeekV3Gate(), 2)
		l.Bias[6] = 1e6
		if got := l.Backward(u0, u0).Chosen; got[0] != 6 {
			t.Errorf("chosen %v", got)
		}
	})
}

func TestLayerBackward(t *testing.T) {
	u0, dh := check.Random(3, 4, 1), check.Random(4, 4, 1)
	bound := check.DifferenceBound(50, 200)
	for name, g := range map[string]Gate{
		"DeepSeek-V2": DeepSeekV2Gate(), "DeepSeek-V3": DeepSeekV3Gate(), "DeepSeek-V4": DeepSeekV4Gate(),
	} {
		l := newLayer(g, 5)
		got := l.Backward(u0, dh)
		loss := func(l Layer, u []float64) float64 { return floats.Dot(dh, l.Forward(u)) }
		t.Run(name+": it is the slope for the token, through gate and experts", func(t *testing.T) {
			check.NearAll(t, "du", got.U, check.Gradient(func(u []float64) float64 { return loss(l, u) }, u0), bound)
		})
		t.Run(name+": for the centroids", func(t *testing.T) {
			check.NearAll(t, "de", data(got.Centroids), check.Gradient(func(e []float64) float64 {
				l := l
				l.Centroids = mat.NewDense(8, 4, e)
				return loss(l, u0)
			}, data(l.Centroids)), bound)
		})
		t.Run(name+": for every expert, 0 for those not chosen", func(t *testing.T) {
			for i, e := range l.Routed {
				want := make([]float64, len(e.parameters()))
				if k := slices.Index(got.Chosen, i); k >= 0 {
					want = got.Routed[k].parameters()
				}
				check.NearAll(t, "routed", want, check.Gradient(func(p []float64) float64 {
					l := l
					l.Routed = slices.Clone(l.Routed)
					l.Routed[i] = e.with(p)
					return loss(l, u0)
				}, e.parameters()), bound)
			}
		})
		t.Run(name+": for the shared experts", func(t *testing.T) {
			for i, e := range l.Shared {
				check.NearAll(t, "shared", got.Shared[i].parameters(), check.Gradient(func(p []float64) float64 {
					l := l
					l.Shared = slices.Clone(l.Shared)
					l.Shared[i] = e.with(p)
					return loss(l, u0)
				}, e.parameters()), bound)
			}
		})
	}
	t.Run("a dense layer has no gate to learn", func(t *testing.T) {
		g := Layer{Shared: newExperts(1, 4, 3, 6)}.Backward(u0, dh)
		if g.Centroids != nil || g.Routed != nil {
			t.Error("a gradient of nothing")
		}
	})
}

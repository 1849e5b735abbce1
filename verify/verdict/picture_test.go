package verdict

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// drawn judges an output as the tests of directions have it, and draws it.
func drawn(want Expected, got *tensor.Tensor) Output {
	out := Judge(want, got)
	out.Draw(want, got)
	return out
}

func sum[T int | float64](x []T) (total T) {
	for _, v := range x {
		total += v
	}
	return total
}

func TestHistogram(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	want, right := shapes(rng)
	t.Run("counts every error once, and the curve as many", func(t *testing.T) {
		h := drawn(want, right()).Picture.Histogram
		all := sum(h.Counts) + h.Below + h.Above
		curve := sum(h.Curve) + h.CurveBelow + h.CurveAbove
		if all != want.Truth.Len() || math.Abs(curve-float64(all)) > 1e-6 {
			t.Errorf("%d errors, curve %v, want %d", all, curve, want.Truth.Len())
		}
	})
	t.Run("a right kernel's errors lie along the curve", func(t *testing.T) {
		h := drawn(want, right()).Picture.Histogram
		chi, n := 0.0, 0.0
		for b, c := range h.Curve {
			if c > 10 {
				d := float64(h.Counts[b]) - c
				chi, n = chi+d*d/c, n+1
			}
		}
		if chi/n > 2 {
			t.Errorf("χ² is %v a bin", chi/n)
		}
	})
	t.Run("errors beyond the bins are counted at their side", func(t *testing.T) {
		got := right()
		for i := range 5 {
			got.Data[i] += 100
		}
		got.Data[7] -= 100
		if h := drawn(want, got).Picture.Histogram; h.Above != 5 || h.Below != 1 {
			t.Errorf("%d above, %d below, want 5 and 1", h.Above, h.Below)
		}
	})
	t.Run("elements beyond the limit are counted one by one", func(t *testing.T) {
		got, at := right(), drawn(want, right()).MaxZLimit
		for i, times := range []float64{1.02, 0.98, -1.02, 30} { // the first three in bins that the limit divides
			got.Data[i] = want.Truth.Data[i] + times*at*want.Sigma[i]
		}
		if h := drawn(want, got).Picture.Histogram; h.Beyond != 3 || h.Above != 1 {
			t.Errorf("%d beyond the limit, %d above what is drawn, want 3 and 1", h.Beyond, h.Above)
		}
	})
	t.Run("the limit is where z has it", func(t *testing.T) {
		out := drawn(want, right())
		h, s := out.Picture.Histogram, want.Sigma[0] // ulp is next to nothing here
		if w := out.MaxZLimit; math.Abs(h.LimitFrom-w) > 1e-3*w || math.Abs(h.LimitTo-w) > 1e-3*w {
			t.Errorf("limit %v … %v, want %v (σ %v)", h.LimitFrom, h.LimitTo, w, s)
		}
	})
}

// TestMapsOfAPart: an axis along which entries are counted from the first of the part says so, one
// of which the part has all does not.
func TestMapsOfAPart(t *testing.T) {
	want, right := shapes(rand.New(rand.NewPCG(7, 8))) // [2, 16, 64]
	heads := between(0, 16)
	heads[3] = 99
	want.Part = &Part{Places: [][]int{{0, 1}, heads, between(64, 128)}, Of: []int{2, 100, 128}}
	var axes []string
	for _, m := range drawn(want, right()).Picture.Maps {
		axes = append(axes, m.Axes...)
	}
	wanted := []string{"batch", "part's head", "part's head", "part's column", "batch", "part's column"}
	if !slices.Equal(axes, wanted) {
		t.Errorf("%q, want %q", axes, wanted)
	}
}

// A BF16 output whose own spacing is large beside σ has nothing but a few values of w: the curve is
// as lumpy.
func TestHistogramOfRoundedOutputs(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	truth, got := tensor.New(64, 16), tensor.New(64, 16)
	deviations := make([][]float64, 24)
	for k := range deviations {
		deviations[k] = make([]float64, truth.Len())
	}
	for i := range truth.Data {
		truth.Data[i] = 1 + 0x1p-8 // half way between two numbers
		for k := range deviations {
			deviations[k][i] = 1e-5 * rng.NormFloat64()
		}
		got.Data[i] = dtype.BF16.Round(truth.Data[i] + 1e-5*rng.NormFloat64())
	}
	want := Expected{Name: "y", Type: dtype.BF16, Axes: []string{"row", "column"}, Truth: truth}
	want.AddForm(NewSample(deviations[1:], deviations[0], nil, truth.Data, nil, 16))
	h := drawn(want, got).Picture.Histogram
	for b, c := range h.Curve {
		if (c > 0) != (h.Counts[b] > 0) {
			t.Errorf("bin %d: curve %v, counted %d", b, c, h.Counts[b])
		}
	}
	if n := slices.IndexFunc(h.Curve, func(c float64) bool { return c > 0 }); n < 0 || h.Curve[bins/2] > 0 {
		t.Errorf("the curve is %v", h.Curve)
	}
}

func TestMaps(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	want, right := shapes(rng) // [2, 16, 64]
	got := right()
	for i := range 64 { // batch 1, head 3
		got.Data[(16+3)*64+i] += 1
	}
	got.Data[5*64+7] = math.NaN() // batch 0, head 5, column 7
	maps := drawn(want, got).Picture.Maps
	t.Run("are of rows, of columns, and of the rest", func(t *testing.T) {
		var axes [][]string
		for _, m := range maps {
			axes = append(axes, m.Axes)
		}
		wanted := [][]string{{"batch", "head"}, {"head", "column"}, {"batch", "column"}}
		if !slices.EqualFunc(axes, wanted, slices.Equal) {
			t.Errorf("%v", axes)
		}
	})
	t.Run("show where the error is", func(t *testing.T) {
		m := maps[0]
		if worst := slices.Index(m.RMS, slices.Max(m.RMS)); worst != 16+3 || m.Each != 64 {
			t.Errorf("largest in cell %d, of %d elements", worst, m.Each)
		}
		if m := maps[1]; slices.Max(m.RMS[:3*64]) > 10 || m.Each != 2 {
			t.Errorf("%v in heads before, of %d elements", slices.Max(m.RMS[:3*64]), m.Each)
		}
	})
	t.Run("mark what is of the wrong kind", func(t *testing.T) {
		if m := maps[0]; sum(m.Wrong) != 1 || m.Wrong[5] != 1 || math.IsNaN(m.RMS[5]) {
			t.Errorf("wrong %v, rms %v", m.Wrong, m.RMS[5])
		}
	})
}

func TestMapAxes(t *testing.T) {
	for _, c := range []struct {
		shape []int
		want  [][]int
	}{
		{nil, nil}, {[]int{1}, nil}, {[]int{1, 9}, [][]int{{1}}}, {[]int{4, 9}, [][]int{{0, 1}}},
		{[]int{2, 7, 4, 64}, [][]int{{1, 2}, {1, 3}, {2, 3}}}, {[]int{1, 7, 4, 1}, [][]int{{1, 2}}},
	} {
		if got := mapAxes(c.shape); !slices.EqualFunc(got, c.want, slices.Equal) {
			t.Errorf("%v: %v, want %v", c.shape, got, c.want)
		}
	}
}

func TestGridPools(t *testing.T) {
	g := newGrid([]string{"row", "column"}, []int{3, 1000}, []int{0, 1})
	for i := range 3000 {
		g.counts[g.cell(i)]++
	}
	m := g.drawn()
	if !slices.Equal(m.Cells, []int{3, 64}) || !slices.Equal(m.Extents, []int{3, 1000}) || sum(m.Counts) != 3000 {
		t.Errorf("%+v", m)
	}
	if least, most := slices.Min(m.Counts), slices.Max(m.Counts); least != 15 || most != 16 {
		t.Errorf("cells of %d to %d elements", least, most)
	}
}

func TestPictureOfExactOutputs(t *testing.T) {
	truth := tensor.Of([]float64{1, 2, 3, 4}, 2, 2)
	want := Expected{
		Name: "y", Type: dtype.F32, Axes: []string{"row", "column"}, Truth: truth, Sigma: make([]float64, 4),
	}
	if p := drawn(want, truth).Picture; p.Exact != 4 || p.Histogram != nil || p.Maps != nil {
		t.Errorf("%+v", p)
	}
	p := drawn(want, tensor.Of([]float64{1, 2, 3, 5}, 2, 2)).Picture
	if p.Exact != 3 || p.Histogram == nil || p.Maps[0].Counts[3] != 1 || p.Maps[0].RMS[3] == 0 {
		t.Errorf("%+v", p)
	}
}

func TestWorstOfExplainedOutputs(t *testing.T) {
	want, right := shapes(rand.New(rand.NewPCG(9, 10)))
	got := right()
	if out := Judge(want, got); out.Worst != nil {
		t.Errorf("%d listed though nobody asked", len(out.Worst))
	}
	out := drawn(want, got)
	if len(out.Worst) != worstListed || out.Worst[0].Z != out.MaxZ || out.Worst[0].Sigma == 0 {
		t.Errorf("max %v, worst %+v", out.MaxZ, out.Worst)
	}
}

func TestMapsOfChoices(t *testing.T) {
	c, got := gateCase(rand.New(rand.NewPCG(11, 12)), dtype.BF16, 300)
	right := slices.Clone(got.Data)
	for k := range topExperts { // of token 299 the worst eight
		got.Data[299*topExperts+k] = c.Mistaken(299)[k]
	}
	want := Expected{
		Name: "indices", Type: dtype.I32, Axes: []string{"token", "slot"}, Choice: c,
		Truth: tensor.New(300, topExperts),
	}
	out := drawn(want, got)
	m := out.Picture.Maps[0]
	if !slices.Equal(m.Axes, []string{"token"}) || !slices.Equal(m.Cells, []int{stripSide}) || sum(m.Counts) != 300 {
		t.Errorf("%+v", m)
	}
	if sum(m.Wrong) != 1 || m.Wrong[stripSide-1] != 1 || sum(m.Allowed) != out.Allowed || m.RMS != nil {
		t.Errorf("wrong %v, allowed %v of %d", m.Wrong, m.Allowed, out.Allowed)
	}
	for i := range 300 { // exactly what is best
		for k, e := range pick8(c.Scores[i*experts:(i+1)*experts], c.GroupScores[i*expertGroups:(i+1)*expertGroups]) {
			right[i*topExperts+k] = float64(e)
		}
	}
	if out := drawn(want, tensor.Of(right, 300, topExperts)); out.Picture != nil || out.Status != Explained {
		t.Errorf("a picture of nothing: %+v, %q", out.Picture, out.Reasons)
	}
}

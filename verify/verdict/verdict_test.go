package verdict

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// sampled returns an expectation with what runs deviate by whose errors are independent and normal.
// σ stays as it is.
func sampled(e Expected) Expected {
	rng := rand.New(rand.NewPCG(64, 64))
	e.Sample, _ = e.sample(func() []float64 {
		d := make([]float64, len(e.Sigma))
		for i, sigma := range e.Sigma {
			if sigma == 0 {
				continue
			}
			if d[i] = sigma * rng.NormFloat64(); !dtype.Finite(d[i]) {
				d[i] = math.NaN()
			}
		}
		return d
	})
	return e
}

// sample returns a sample of 64 runs, with its σ.
func (e Expected) sample(run func() []float64) (*Sample, []float64) {
	deviations := make([][]float64, 64)
	for k := range deviations {
		deviations[k] = run()
	}
	return NewSample(deviations, run(), nil, e.Truth.Data, nil, e.Columns())
}

// makeExpected returns an output of normal truths with errors of σ inside, and a recording of it by
// a right kernel.
func makeExpected(rng *rand.Rand, typ dtype.Type, sigma float64, shape ...int) (Expected, *tensor.Tensor) {
	e := Expected{Name: "o", Type: typ, Truth: tensor.New(shape...)}
	e.Axes = []string{"batch", "query", "head", "column"}[4-len(shape):]
	e.Sigma = make([]float64, e.Truth.Len())
	got := tensor.New(shape...)
	for i := range e.Truth.Data {
		t := rng.NormFloat64()
		e.Truth.Data[i], e.Sigma[i] = t, sigma*math.Abs(t)
		got.Data[i] = typ.Round(t + rng.NormFloat64()*e.Sigma[i])
	}
	return sampled(e), got
}

func TestRightKernels(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, sigma := range []float64{0, 1e-6, 1e-3, 3e-3, 0.1} {
		for _, typ := range []dtype.Type{dtype.BF16, dtype.F16, dtype.F32} {
			for range check.Times(20, 8) {
				e, got := makeExpected(rng, typ, sigma, 2, 3, 4, 32)
				out := Judge(e, got)
				if out.Status != Explained {
					t.Fatalf("%v σ=%v: %v", typ, sigma, out.Reasons)
				}
				if e.Sample = nil; sigma == 0 && Judge(e, got).Status != Explained {
					t.Fatalf("%v, nothing left to the kernel: %v", typ, Judge(e, got).Reasons)
				}
				if sigma > 0 && (out.RMS < 0.85 || out.RMS > 1.15) {
					t.Errorf("%v σ=%v: root mean square %.3f, want about 1", typ, sigma, out.RMS)
				}
			}
		}
	}
}

// What was formed exactly may err beside another truth, as where a kernel goes on behind the end.
func TestExactElementsErrBesideAnotherTruth(t *testing.T) {
	e, got := makeExpected(rand.New(rand.NewPCG(1, 15)), dtype.F32, 1e-3, 8, 32)
	least := make([]float64, len(e.Sigma))
	for i := range least {
		least[i] = 1e-3
		if i%32 == 31 {
			e.Sigma[i], e.Truth.Data[i] = 0, 1
			got.Data[i] = 1 + 1e-3*float64(i/32-4)
		}
	}
	if out := Judge(sampled(e).Instead(e.Truth.Data, least), got); out.Status != Explained {
		t.Error(out.Reasons)
	}
	got.Data[31] = 1.1
	if Judge(sampled(e).Instead(e.Truth.Data, least), got).Status == Explained {
		t.Error("a hundred deviations are explained")
	}
}

// Where nothing may err inside, a truth that the type holds is the only number that is right: below
// a power of two half a spacing is a neighbour, too.
func TestExactTruthsHaveNoNeighbours(t *testing.T) {
	for _, typ := range []dtype.Type{dtype.F32, dtype.F16, dtype.BF16, dtype.F8E4M3} {
		for _, truth := range []float64{1, -2, 0, 1.5, typ.MinNormal(), typ.Spacing(0)} {
			e := Expected{
				Name: "o", Type: typ, Axes: []string{"column"}, Truth: tensor.Of([]float64{truth, 1}, 2),
				Sigma: make([]float64, 2),
			}
			if out := Judge(e, tensor.Of([]float64{truth, 1}, 2)); out.Status != Explained {
				t.Errorf("%v: %v itself: %v", typ, truth, out.Reasons)
			}
			for _, by := range []float64{-0.5, 0.5, -1, 1} {
				got := typ.Round(truth + by*typ.Spacing(truth))
				if got == truth {
					continue
				}
				if out := Judge(e, tensor.Of([]float64{got, 1}, 2)); out.Status != Unexplained {
					t.Errorf("%v: %v for %v is %v", typ, got, truth, out.Status)
				}
			}
		}
	}
}

// dividedByRows has runs in which all elements of a row err by one factor.
func (e Expected) dividedByRows(rng *rand.Rand) Expected {
	e.Sample, _ = e.sample(func() []float64 {
		d, factor := make([]float64, len(e.Sigma)), 0.0
		for i := range d {
			if i%e.Columns() == 0 {
				factor = 1e-3 * rng.NormFloat64()
			}
			d[i] = factor * e.Truth.Data[i]
		}
		return d
	})
	return e
}

func TestErrorsSharedByARow(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	failed := 0
	for range check.Times(200, 60) {
		e, got := makeExpected(rng, dtype.F32, 1e-3, 4, 64)
		for r := range 4 { // every row is divided by one wrong sum
			factor := 1 + 1e-3*rng.NormFloat64()
			for i := range 64 {
				got.Data[r*64+i] = dtype.F32.Round(e.Truth.Data[r*64+i] * factor)
			}
		}
		if Judge(e, got).Status != Explained {
			failed++
		}
		if out := Judge(e.dividedByRows(rng), got); out.Status != Explained {
			t.Fatalf("with one draw a row: %v", out.Reasons)
		}
	}
	if failed == 0 {
		t.Error("taken for independent, errors that a row shares should fail now and then")
	}
}

// bridgeError is an error proportional to each partial sum of a bridge from 0 to 0, of variance 1.
func bridgeError(rng *rand.Rand) float64 {
	const terms = 32
	var walk [terms]float64
	var sum, variance float64
	for k := range walk {
		sum += rng.NormFloat64()
		walk[k] = sum
	}
	for k := range walk {
		s := walk[k] - sum*float64(k+1)/terms
		variance += s * s
	}
	return rng.NormFloat64() * math.Sqrt(variance/(terms*terms/6.0))
}

func TestSumsHaveALongerTail(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	const n = 20_000
	e := Expected{Name: "o", Type: dtype.F64, Axes: []string{"column"}, Truth: tensor.New(n), Sigma: make([]float64, n)}
	for i := range n {
		e.Truth.Data[i], e.Sigma[i] = 1000, 1e-3
	}
	errors := func() []float64 {
		d := make([]float64, n)
		for i := range d {
			d[i] = 1e-3 * bridgeError(rng)
		}
		return d
	}
	got := tensor.Of(errors(), n)
	for i, truth := range e.Truth.Data {
		got.Data[i] += truth
	}
	if out := Judge(sampled(e), got); out.Status != Unexplained || out.MaxZ < out.MaxZLimit {
		t.Errorf("taken for normal: %v, largest %.2f", out.Status, out.MaxZ)
	}
	e.Sample, _ = e.sample(errors)
	out := Judge(e, got)
	if out.Status != Explained {
		t.Errorf("%v", out.Reasons)
	}
	if typical := math.Log(n) * math.Sqrt(6) / math.Pi; math.Abs(out.MaxZ-typical) > 4 {
		t.Errorf("largest %.2f, the tail's formula says about %.2f", out.MaxZ, typical)
	}
}

// TestWrongKernels breaks right recordings one way at a time.
func TestWrongKernels(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(e Expected, got *tensor.Tensor)
		want  string
	}{
		{"one element off by 8 ulp", func(e Expected, got *tensor.Tensor) {
			got.Data[777] += 8 * dtype.BF16.Spacing(got.Data[777])
		}, "largest element error"},
		{"one head of 64 scaled by 1.01", func(e Expected, got *tensor.Tensor) {
			for b := range 2 {
				for s := range 3 {
					for i, v := range got.Row(b, s, 17) {
						got.Row(b, s, 17)[i] = dtype.BF16.Round(v * 1.01)
					}
				}
			}
		}, "1 of 64 head slices"},
		{"a NaN", func(_ Expected, got *tensor.Tensor) { got.Data[5] = math.NaN() }, "not of the truth's kind"},
		{"an infinity", func(_ Expected, got *tensor.Tensor) { got.Data[5] = math.Inf(1) }, "not of the truth's kind"},
		{"nothing written", func(_ Expected, got *tensor.Tensor) {
			clear(got.Data)
		}, "every element is 0, as if never written"},
		{"two rows swapped", func(_ Expected, got *tensor.Tensor) {
			a, b := got.Row(0, 0, 0), got.Row(1, 2, 63)
			for i := range a {
				a[i], b[i] = b[i], a[i]
			}
		}, "2 of 384 row slices"},
		{"the output truncated, not rounded", func(e Expected, got *tensor.Tensor) {
			for i, v := range e.Truth.Data {
				r := dtype.BF16.Round(v)
				if math.Abs(r) > math.Abs(v) {
					r = math.Copysign(math.Abs(r)-dtype.BF16.Spacing(v), v)
				}
				got.Data[i] = r
			}
		}, "bias"},
		{"a block of columns zero", func(_ Expected, got *tensor.Tensor) {
			for i := range got.Data {
				if i%32 >= 28 {
					got.Data[i] = 0
				}
			}
		}, "4 of 32 column slices"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, got := makeExpected(rand.New(rand.NewPCG(4, 4)), dtype.BF16, 5e-4, 2, 3, 64, 32)
			if out := Judge(e, got); out.Status != Explained {
				t.Fatalf("before: %v", out.Reasons)
			}
			c.spoil(e, got)
			out := Judge(e, got)
			if out.Status != Unexplained || !strings.Contains(strings.Join(out.Reasons, "; "), c.want) {
				t.Errorf("%v: %q, want %q among them", out.Status, out.Reasons, c.want)
			}
			if len(out.Worst) == 0 {
				t.Error("no worst elements")
			}
		})
	}
}

func TestOneSequenceOfManyIsNotDiluted(t *testing.T) {
	e, got := makeExpected(rand.New(rand.NewPCG(5, 5)), dtype.BF16, 4e-3, 64, 1, 4, 16)
	for h := range 4 {
		for i, v := range got.Row(9, 0, h) {
			got.Row(9, 0, h)[i] = dtype.BF16.Round(v * 1.01)
		}
	}
	out := Judge(e, got)
	if out.MaxZ > out.MaxZLimit || out.RMS > out.RMSLimit {
		t.Fatalf("the whole tensor shows it (z %.1f, rms %.2f): the test is too easy", out.MaxZ, out.RMS)
	}
	if len(out.Slices) == 0 || out.Slices[0].Axis != "batch" || !slices.Equal(out.Slices[0].Index, []int{9}) {
		t.Errorf("slices %+v, want batch 9", out.Slices)
	}
}

func TestTruthsThatCrowdHaveNoBias(t *testing.T) {
	e := Expected{
		Name: "cos", Type: dtype.BF16, Axes: []string{"token"}, Truth: tensor.New(1000), Sigma: make([]float64, 1000),
	}
	got := tensor.New(1000)
	for i := range got.Data { // cosines of small angles: all round up to 1
		e.Truth.Data[i] = math.Cos(float64(i) * 4e-5)
		e.Sigma[i] = 1e-8
		got.Data[i] = dtype.BF16.Round(e.Truth.Data[i])
	}
	if out := Judge(sampled(e), got); out.Status != Explained {
		t.Error(out.Reasons)
	}
}

func TestTruthsThatRepeatAreOneDraw(t *testing.T) {
	e := Expected{
		Name: "o", Type: dtype.BF16, Axes: []string{"query", "column"}, Truth: tensor.New(300, 64),
		Sigma: make([]float64, 300*64),
	}
	got := tensor.New(300, 64)
	for i := range got.Data { // halfway between two numbers: the largest error that rounding makes, everywhere
		e.Truth.Data[i], e.Sigma[i] = 1+0.4999/128, 1e-9
		got.Data[i] = dtype.BF16.Round(e.Truth.Data[i])
	}
	if out := Judge(sampled(e), got); out.Status != Explained {
		t.Error(out.Reasons)
	}
}

func TestKinds(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	e := Expected{
		Name: "o", Type: dtype.F16, Axes: []string{"column"}, Truth: tensor.Of([]float64{nan, inf, -inf, 0, 1e6}, 5),
		Sigma: make([]float64, 5),
	}
	if out := Judge(e, tensor.Of([]float64{nan, inf, -inf, 0, inf}, 5)); out.Status != Explained {
		t.Errorf("the same kinds, and a truth that overflows the type: %v", out.Reasons)
	}
	e.Truth.Data[4], e.Sigma[4] = 65519, 10 // rounds down to 65504, but σ may push it over the edge
	for _, got := range []float64{65504, inf} {
		if out := Judge(sampled(e), tensor.Of([]float64{nan, inf, -inf, 0, got}, 5)); out.Status != Explained {
			t.Errorf("%v at the edge of the type: %v", got, out.Reasons)
		}
	}
	e.Truth.Data[4], e.Sigma[4] = 1e6, 0
	for i, wrong := range []float64{0, -inf, inf, nan, 65504} {
		got := []float64{nan, inf, -inf, 0, inf}
		got[i] = wrong
		if out := Judge(e, tensor.Of(got, 5)); out.Status != Unexplained {
			t.Errorf("%v for %v is %v", wrong, e.Truth.Data[i], out.Status)
		}
	}
}

func TestEdges(t *testing.T) {
	t.Run("a scalar is judged", func(t *testing.T) {
		e := sampled(Expected{Name: "loss", Type: dtype.F32, Truth: tensor.Of([]float64{0.5}), Sigma: []float64{1e-7}})
		if out := Judge(e, tensor.Of([]float64{0.5})); out.Status != Explained {
			t.Error(out.Reasons)
		}
		if out := Judge(e, tensor.Of([]float64{0.501})); out.Status != Unexplained {
			t.Error(out.Status)
		}
	})
	t.Run("nothing to judge is undetermined", func(t *testing.T) {
		e := Expected{Name: "o", Type: dtype.F32, Axes: []string{"row", "column"}, Truth: tensor.New(0, 4)}
		if out := Judge(e, tensor.New(0, 4)); out.Status != Undetermined {
			t.Error(out.Status)
		}
	})
	t.Run("without σ only the nearest number is right", func(t *testing.T) {
		e := Expected{
			Name: "o", Type: dtype.BF16, Axes: []string{"column"}, Truth: tensor.Of([]float64{1.001, 2}, 2),
			Sigma: []float64{0, 0},
		}
		if out := Judge(e, tensor.Of([]float64{1, 2}, 2)); out.Status != Explained {
			t.Error(out.Reasons)
		}
		if out := Judge(e, tensor.Of([]float64{1.0078125, 2}, 2)); out.Status != Unexplained ||
			!math.IsInf(out.MaxZ, 1) {
			t.Errorf("%v, z %v", out.Status, out.MaxZ)
		}
	})
	t.Run("an error that cannot be bounded is undetermined, not explained", func(t *testing.T) {
		for _, sigma := range []float64{math.NaN(), math.Inf(1)} {
			e := sampled(Expected{
				Name: "o", Type: dtype.F64, Axes: []string{"column"}, Truth: tensor.Of([]float64{1, 2}, 2),
				Sigma: []float64{1e-9, sigma},
			})
			if out := Judge(e, tensor.Of([]float64{1, 2}, 2)); out.Status != Undetermined {
				t.Errorf("σ = %v: %v", sigma, out.Status)
			}
			if out := Judge(e, tensor.Of([]float64{1.1, 2}, 2)); out.Status != Unexplained {
				t.Errorf("σ = %v, another element wrong: %v", sigma, out.Status)
			}
		}
	})
	t.Run("verdicts are words in JSON", func(t *testing.T) {
		b, err := json.Marshal([]Status{Explained, Undetermined, Unexplained, Unusable})
		if want := `["explained","undetermined","unexplained","unusable"]`; err != nil || string(b) != want {
			t.Errorf("%s, %v", b, err)
		}
	})
	t.Run("the worse of two verdicts", func(t *testing.T) {
		if Worst(Explained, Unexplained) != Unexplained || Worst(Unusable, Undetermined) != Unusable {
			t.Error("wrong order")
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	e, got := makeExpected(rand.New(rand.NewPCG(7, 7)), dtype.BF16, 1e-3, 1, 1, 128, 512)
	for b.Loop() {
		Judge(e, got)
	}
}

// maskHalf leaves every second element unjudged and writes garbage there.
func maskHalf(e *Expected, got *tensor.Tensor, garbage float64) {
	e.Unjudged = make([]bool, len(e.Sigma))
	for i := range e.Sigma {
		if e.Unjudged[i] = i%2 == 1; e.Unjudged[i] {
			e.Truth.Data[i], e.Sigma[i], got.Data[i] = math.NaN(), math.NaN(), garbage
		}
	}
}

func TestElementsOutsideAMaskAreNotJudged(t *testing.T) {
	for _, garbage := range []float64{0, 1e30, math.NaN(), math.Inf(1)} {
		e, got := makeExpected(rand.New(rand.NewPCG(8, 8)), dtype.F32, 1e-3, 3, 5, 4, 64)
		maskHalf(&e, got, garbage)
		for c := range 64 { // a row with nothing to judge
			e.Unjudged[c] = true
		}
		out := Judge(e, got)
		if out.Status != Explained || out.Elements != 59*32 || out.RMS < 0.9 || out.RMS > 1.1 {
			t.Errorf(
				"%v outside: %v %v, %d elements, root mean square %.3f", garbage, out.Status, out.Reasons, out.Elements,
				out.RMS,
			)
		}
		got.Data[100] += 1
		if out := Judge(e, got); out.Status != Unexplained {
			t.Errorf("%v outside, a wrong element inside: %v", garbage, out.Status)
		}
	}
	t.Run("they hide nothing that was never written", func(t *testing.T) {
		e, got := makeExpected(rand.New(rand.NewPCG(9, 9)), dtype.F32, 1e-3, 8, 16)
		clear(got.Data)
		maskHalf(&e, got, 7)
		if out := Judge(e, got); !strings.Contains(
			strings.Join(out.Reasons, "; "), "every element is 0, as if never written",
		) {
			t.Error(out.Reasons)
		}
	})
	t.Run("a mask that keeps nothing leaves nothing to judge", func(t *testing.T) {
		e := Expected{
			Name: "o", Type: dtype.F32, Axes: []string{"column"}, Truth: tensor.New(2), Sigma: make([]float64, 2),
			Unjudged: []bool{true, true},
		}
		if out := Judge(e, tensor.New(2)); out.Status != Undetermined ||
			out.Reasons[0] != "the mask leaves no element to judge" {
			t.Errorf("%v %v", out.Status, out.Reasons)
		}
	})
}

func TestEitherSideOfABranchIsRight(t *testing.T) {
	e := sampled(Expected{
		Name: "d", Type: dtype.F32, Axes: []string{"column"}, Truth: tensor.Of([]float64{1, 2, 3}, 3),
		Sigma: []float64{1e-6, 1e-6, 1e-6},
	})
	e.Others = map[int][]float64{1: {0, math.Inf(1)}}
	for _, c := range []struct {
		got  []float64
		want Status
	}{
		{[]float64{1, 2, 3}, Explained},
		{[]float64{1, 0, 3}, Explained},
		{[]float64{1, math.Inf(1), 3}, Explained},
		{[]float64{1, 2 + 2e-6, 3}, Explained},
		{[]float64{1, 1, 3}, Unexplained},
		{[]float64{1, math.NaN(), 3}, Unexplained},
		{[]float64{1, math.Inf(-1), 3}, Unexplained},
		{[]float64{0, 2, 3}, Unexplained},
	} {
		if out := Judge(e, tensor.Of(c.got, 3)); out.Status != c.want {
			t.Errorf("%v: %v %v, want %v", c.got, out.Status, out.Reasons, c.want)
		}
	}
	if e.Truth.Data[1] != 2 {
		t.Error("judging changed what is expected")
	}
}

func TestElementsOfABranchGoTogether(t *testing.T) {
	e := sampled(Expected{
		Name: "d", Type: dtype.F32, Axes: []string{"column"}, Truth: tensor.Of([]float64{1, 2, 3}, 3),
		Sigma: []float64{1e-6, 1e-6, 1e-6},
	})
	e.Branches = []Branch{{Elements: []int{0, 2}, Truths: [][]float64{{0, 0}, {0.5, 1.5}}}}
	e.Others = map[int][]float64{2: {math.Inf(1)}}
	for _, c := range []struct {
		got  []float64
		want Status
	}{
		{[]float64{1, 2, 3}, Explained},
		{[]float64{0, 2, 0}, Explained},
		{[]float64{0.5, 2, 1.5}, Explained},
		{[]float64{0, 2, math.Inf(1)}, Explained},
		{[]float64{0, 2, 3}, Unexplained},
		{[]float64{0.5, 2, 0}, Unexplained},
		{[]float64{0, 0, 0}, Unexplained},
		{[]float64{0, 2, math.NaN()}, Unexplained},
	} {
		if out := Judge(e, tensor.Of(c.got, 3)); out.Status != c.want {
			t.Errorf("%v: %v %v, want %v", c.got, out.Status, out.Reasons, c.want)
		}
	}
	if e.Truth.Data[0] != 1 {
		t.Error("judging changed what is expected")
	}
}

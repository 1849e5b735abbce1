package verdict

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

func TestChiSquaredQuantiles(t *testing.T) {
	for _, k := range []float64{1, 1.5, 2, 3, 10, 50, 99, 100, 1000, 1e5} {
		x := chiSquaredQuantile(k, 1e-9)
		if back := (distuv.ChiSquared{K: k}).Survival(x*k) / 1e-9; k < 100 && math.Abs(back-1) > 1e-6 || back > 1.01 ||
			back < 0.5 {
			t.Errorf("%v degrees: exceeded with %v times the chance", k, back)
		}
	}
	normal := -distuv.UnitNormal.Quantile(falseAlarm / 2)
	if one := rmsLimit(1, 1, 0, 0) / calibration; math.Abs(one-normal) > 1e-9 {
		t.Errorf("one draw: %v, and a normal number exceeds %v", one, normal)
	}
	for _, draws := range []float64{1, 1.3, 4, 20, 99, 101, 1e4} {
		for _, slices := range []int{1, 1000} {
			for _, walk := range []float64{0, 0.3, 1} {
				if rmsFloor(draws, slices) > rmsLimit(draws, slices, walk, 0)*(1+1e-12) {
					t.Errorf("%v draws, %d slices, walk %v: the floor is above the limit", draws, slices, walk)
				}
			}
		}
	}
}

// With all positive terms first, the partial sums of n terms of size 1 have Σ S_k² = n³/12, n/2
// times the mean over all orders.
func TestASumOfFewTermsDoesNotWalkFar(t *testing.T) {
	if few, many := walkQuantile(1e-11, 8), walkQuantile(1e-11, 1e6); few > 13.5 || few < 13 ||
		many != walkQuantile(1e-11, 0) || many < 19 {
		t.Errorf("8 terms %v, a million %v", few, many)
	}
	if one, normal := walkQuantile(1e-11, 1), -distuv.UnitNormal.Quantile(0.5e-11); one < normal || one > 1.05*normal {
		t.Errorf("one term %v, a normal number %v", one, normal)
	}
	e := Expected{
		Name: "o", Type: dtype.F64, Axes: []string{"column"}, Truth: tensor.Of([]float64{1}, 1), Sigma: []float64{1e-6},
		Walk: 1,
	}
	got := tensor.Of([]float64{1 + 10.5e-6}, 1)
	if out := Judge(e, got); out.Status != Explained {
		t.Error(out.Reasons)
	}
	e.Terms = 8
	if out := Judge(e, got); out.Status != Unexplained {
		t.Error("10.5σ after eight terms passes")
	}
}

func TestALimitThatNobodyMeetsIsNotJudged(t *testing.T) {
	e, got := makeExpected(rand.New(rand.NewPCG(1, 9)), dtype.F32, 1e-3, 4, 64)
	e.Systematic = 1
	if out := Judge(e, got); out.BiasLimit != 0 || out.Status != Explained {
		t.Errorf("a limit of %v beside a root mean square of at most %v", out.BiasLimit, out.RMSLimit)
	}
	e.Systematic = 0
	if out := Judge(e, got); out.BiasLimit == 0 || out.BiasLimit >= out.RMSLimit {
		t.Errorf("without a common sign: %v", out.BiasLimit)
	}
}

// σ from 0 over what its square cannot hold to what is no number, alone and beside others, in every
// type: nothing of it makes a limit NaN, and an element that is further off than σ explains is
// never explained.
func TestNoSigmaMakesALimitNaN(t *testing.T) {
	extremes := []float64{0, 5e-324, 1e-170, 1e-9, 1, 1e154, 1e200, math.MaxFloat64, math.Inf(1), math.NaN()}
	for _, typ := range []dtype.Type{dtype.F64, dtype.F32, dtype.BF16, dtype.F8E4M3} {
		for _, a := range extremes {
			for _, b := range extremes {
				for _, truths := range [][]float64{{0, 1, 2, 4}, {1, 0, 0, 0}, {0, 0, 1, 2}} {
					e := Expected{
						Name: "o", Type: typ, Axes: []string{"row", "column"}, Truth: tensor.Of(truths, 2, 2),
						Sigma: []float64{a, a, b, b},
					}
					right := Judge(e, tensor.Of(slices.Clone(truths), 2, 2))
					if math.IsNaN(right.MaxZLimit + right.RMSLimit + right.BiasLimit + right.RMS + right.Bias) {
						t.Fatalf("%v σ %v %v: %+v", typ, a, b, right)
					}
					if right.Status == Unexplained || right.Status == Explained &&
						(math.IsNaN(a+b) || math.IsInf(a+b, 1)) {
						t.Errorf("%v σ %v %v: the truth itself is %v", typ, a, b, right.Status)
					}
					for i := range 4 {
						if e.Sigma[i] >= 1 {
							continue // 100 off is then explained
						}
						got := slices.Clone(truths)
						got[i] += 100
						if out := Judge(e, tensor.Of(got, 2, 2)); out.Status == Explained {
							t.Errorf("%v σ %v %v: 100 off is explained", typ, a, b)
						}
					}
				}
			}
		}
	}
}

func TestALimitThatIsNoNumberIsUndetermined(t *testing.T) {
	for _, spoil := range []func(e *Expected){
		func(e *Expected) { e.Walk = math.NaN() },
		func(e *Expected) { e.Systematic = math.NaN() },
		func(e *Expected) { e.Draws = []float64{1, math.NaN(), 1, 1} },
		func(e *Expected) { e.MostDraws = math.NaN() },
		func(e *Expected) { e.ColumnDraws = math.NaN() },
	} {
		e, got := makeExpected(rand.New(rand.NewPCG(1, 10)), dtype.F32, 1e-3, 4, 64)
		spoil(&e)
		got.Data[3] = 1e9
		if out := Judge(e, got); out.Status == Explained {
			t.Errorf("%+v", out.Reasons)
		}
	}
	e, got := makeExpected(rand.New(rand.NewPCG(1, 11)), dtype.F32, 1e-3, 4, 64)
	e.Draws = []float64{1, math.NaN(), 1, 1}
	if out := Judge(e, got); out.Status != Undetermined || out.Reasons[0] != "a limit is not a number" {
		t.Errorf("%v %v", out.Status, out.Reasons)
	}
}

// Half of the elements are exact and right: they say nothing of the others.
func TestExactElementsDiluteNothing(t *testing.T) {
	e, got := makeExpected(rand.New(rand.NewPCG(1, 12)), dtype.F32, 1e-3, 4, 64)
	for i := range 128 {
		e.Truth.Data[i], e.Sigma[i], got.Data[i] = 0, 0, 0
	}
	whole := Judge(e, got)
	half := e
	half.Truth, half.Sigma = tensor.Of(e.Truth.Data[128:], 2, 64), e.Sigma[128:]
	if alone := Judge(half, tensor.Of(got.Data[128:], 2, 64)); alone.RMS != whole.RMS ||
		alone.RMSLimit != whole.RMSLimit {
		t.Errorf("rms %v of %v, of the half by itself %v of %v", whole.RMS, whole.RMSLimit, alone.RMS, alone.RMSLimit)
	}
	got.Data[5] = dtype.F32.MinNormal()
	if out := Judge(e, got); out.Status != Unexplained {
		t.Error("an exact element that is wrong passes")
	}
}

func TestWhatAnythingExplainsIsUndetermined(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 13))
	judge := func(sigma float64, typ dtype.Type, truths ...float64) Output {
		e := Expected{
			Name: "o", Type: typ, Axes: []string{"column"}, Truth: tensor.Of(truths, len(truths)),
			Sigma: make([]float64, len(truths)),
		}
		got := tensor.New(len(truths))
		for i, v := range truths {
			e.Sigma[i], got.Data[i] = sigma, typ.Round(v+sigma*rng.NormFloat64())
		}
		return Judge(e, got)
	}
	for _, c := range []struct {
		name   string
		out    Output
		status Status
		blind  []string
	}{
		{"errors much smaller than the truth", judge(1e-3, dtype.F32, 1, 2, 3, 4), Explained, nil},
		{
			"errors larger than the truth", judge(1, dtype.F32, .1, .2, .3, .4), Undetermined,
			[]string{"zeros", "the negative", reversed},
		},
		{"truths that hardly differ", judge(1e-3, dtype.F32, 1, 1.0001, 1, 1.0002), Explained, []string{reversed}},
		{"equal truths, whose order is nothing", judge(1e-3, dtype.F32, 1, 1, 1, 1), Explained, nil},
		{"zeros that are meant", judge(0, dtype.F32, 0, 0, 0, 0), Explained, nil},
		{"truths that the type rounds to zero", judge(0, dtype.F16, 1e-9, 2e-9), Explained, nil},
		{
			"one number that may be 0, which other outputs can make up for", judge(1, dtype.F32, .1), Explained,
			[]string{"zeros", "the negative"},
		},
	} {
		if c.out.Status != c.status || !slices.Equal(c.out.Blind, c.blind) {
			t.Errorf("%s: %v %v, blind to %q", c.name, c.out.Status, c.out.Reasons, c.out.Blind)
		}
	}
	one, sharp := judge(1, dtype.F32, .1), judge(1e-3, dtype.F32, 1, 2, 3, 4)
	if names := BlindAlike([]Output{one}); !slices.Equal(names, []string{"zeros", "the negative"}) {
		t.Errorf("alone: %q", names)
	}
	if names := BlindAlike([]Output{one, sharp}); names != nil {
		t.Errorf("beside an output that tells: %q", names)
	}
}

func TestASingleNumberSaysWhatItVouchesFor(t *testing.T) {
	e := Expected{Name: "loss", Type: dtype.F32, Truth: tensor.Of([]float64{0.5}), Sigma: []float64{1e-3}}
	out := Judge(e, tensor.Of([]float64{0.5}))
	if want := out.MaxZLimit * 1e-3 / 0.5; math.Abs(out.Vouches-want) > 1e-6 {
		t.Errorf("to 1 ± %v, want %v", out.Vouches, want)
	}
	for _, off := range []float64{0.99, 1.01} {
		status := Judge(e, tensor.Of([]float64{dtype.F32.Round(0.5 * (1 + off*out.Vouches))})).Status
		if (status == Explained) != (off < 1) {
			t.Errorf("%v times as far off as it vouches for: %v", off, status)
		}
	}
}

func TestAnOverflowIsNotCalledUnwritten(t *testing.T) {
	e, got := makeExpected(rand.New(rand.NewPCG(1, 14)), dtype.F16, 1e-3, 4, 8)
	for _, v := range []float64{math.NaN(), math.Inf(1), 0} {
		for i := range got.Data {
			got.Data[i] = v
		}
		text := strings.Join(Judge(e, got).Reasons, "; ")
		if strings.HasPrefix(text, "never written") != (v == 0) {
			t.Errorf("%v everywhere: %s", v, text)
		}
	}
}

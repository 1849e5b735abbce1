package verdict

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"plumbline/internal/check"
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
}

// A sum in an unknown order has the longer tail, and an error is the further off the more of it is
// such a sum.
func TestTailsGrowWithTheShareOfSums(t *testing.T) {
	for _, chance := range []float64{1e-3, 1e-7, 1e-11, 1e-15} {
		quantile := -distuv.UnitNormal.Quantile(chance / 2)
		if none := tailed(quantile, chance, 0); none != quantile*quantile {
			t.Errorf("no sums: %v, a normal number %v", none, quantile*quantile)
		}
		if all := tailed(quantile, chance, 1); math.Abs(math.Sqrt(all)/walkQuantile(chance)-1) > 1e-12 {
			t.Errorf("nothing but sums: %v, want %v", math.Sqrt(all), walkQuantile(chance))
		}
		before := 0.0
		for _, walk := range []float64{0, 0.1, 0.5, 0.9, 1} {
			x := tailed(quantile, chance, walk)
			if !(x > before) {
				t.Errorf("chance %v, a share of %v: %v after %v", chance, walk, x, before)
			}
			before = x
		}
	}
}

func TestALimitThatNobodyMeetsIsNotJudged(t *testing.T) {
	e, got := makeExpected(rand.New(rand.NewPCG(1, 9)), dtype.F32, 1e-3, 4, 64)
	if out := Judge(e, got); out.BiasLimit == 0 || out.BiasLimit >= out.RMSLimit {
		t.Errorf("without a common sign: %v", out.BiasLimit)
	}
	for i, truth := range e.Truth.Data { // outward is upward
		if truth < 0 {
			e.Truth.Data[i], got.Data[i] = -truth, -got.Data[i]
		}
	}
	rng := rand.New(rand.NewPCG(1, 9))
	e.Sample, _ = e.sample(func() []float64 { // all errors of a run have one sign
		d, sign := slices.Clone(e.Sigma), float64(1-2*rng.IntN(2))
		for i := range d {
			d[i] *= sign
		}
		return d
	})
	if out := Judge(e, got); out.BiasLimit != 0 || out.Status != Explained {
		t.Errorf("a limit of %v beside a root mean square of at most %v: %v", out.BiasLimit, out.RMSLimit, out.Reasons)
	}
}

// σ from 0 over what its square cannot hold to what is no number, alone and beside others, in every
// type, by hand and as runs have it: nothing of it makes a limit NaN, and an element that is
// further off than σ explains is never explained.
func TestNoSigmaMakesALimitNaN(t *testing.T) {
	extremes := []float64{0, 5e-324, 1e-170, 1e-9, 1, 1e154, 1e200, math.MaxFloat64, math.Inf(1), math.NaN()}
	types := []dtype.Type{dtype.F64, dtype.BF16, dtype.F32, dtype.F8E4M3}
	for _, typ := range types[:check.Times(4, 2)] {
		for _, a := range extremes {
			for _, b := range extremes {
				for _, truths := range [][]float64{{0, 1, 2, 4}, {1, 0, 0, 0}, {0, 0, 1, 2}} {
					e := sampled(Expected{
						Name: "o", Type: typ, Axes: []string{"row", "column"}, Truth: tensor.Of(truths, 2, 2),
						Sigma: []float64{a, a, b, b},
					})
					checkExtremeSigma(t, e)
					_, e.Sigma = NewSample(e.Sample.Deviations, e.Sample.Native, nil, truths, nil, 2)
					checkExtremeSigma(t, e)
				}
			}
		}
	}
}

func checkExtremeSigma(t *testing.T, e Expected) {
	t.Helper()
	truths := e.Truth.Data
	right := Judge(e, tensor.Of(slices.Clone(truths), 2, 2))
	if math.IsNaN(right.MaxZLimit + right.RMSLimit + right.BiasLimit + right.RMS + right.Bias) {
		t.Fatalf("%v σ %v: %+v", e.Type, e.Sigma, right)
	}
	bounded := !slices.ContainsFunc(e.Sigma, func(s float64) bool { return !dtype.Finite(s) })
	if right.Status == Unexplained || right.Status == Explained && !bounded {
		t.Errorf("%v σ %v: the truth itself is %v: %q", e.Type, e.Sigma, right.Status, right.Reasons)
	}
	for i := range truths {
		if e.Sigma[i] >= 1 {
			continue // 100 off is then explained
		}
		got := slices.Clone(truths)
		got[i] += 100
		if out := Judge(e, tensor.Of(got, 2, 2)); out.Status == Explained {
			t.Errorf("%v σ %v: 100 off is explained", e.Type, e.Sigma)
		}
	}
}

func TestALimitThatIsNoNumberIsUndetermined(t *testing.T) {
	e, got := makeExpected(rand.New(rand.NewPCG(1, 11)), dtype.F32, 1e-3, 4, 64)
	e.Sample.prior = math.NaN()
	if out := Judge(e, got); out.Status != Undetermined || out.Reasons[0] != "a limit is not a number" {
		t.Errorf("%v %v", out.Status, out.Reasons)
	}
	got.Data[3] = 1e9
	if out := Judge(e, got); out.Status == Explained {
		t.Errorf("%+v", out.Reasons)
	}
}

// Half of the elements are exact and right: they say nothing of the others.
func TestExactElementsDiluteNothing(t *testing.T) {
	e, got := makeExpected(rand.New(rand.NewPCG(1, 12)), dtype.F32, 1e-3, 4, 64)
	for i := range 128 {
		e.Truth.Data[i], e.Sigma[i], got.Data[i] = 0, 0, 0
	}
	e = sampled(e)
	whole := Judge(e, got)
	half := e
	half.Truth, half.Sigma = tensor.Of(e.Truth.Data[128:], 2, 64), e.Sigma[128:]
	if alone := Judge(sampled(half), tensor.Of(got.Data[128:], 2, 64)); alone.RMS != whole.RMS ||
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
		if sigma > 0 {
			e = sampled(e)
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
	e := sampled(Expected{Name: "loss", Type: dtype.F32, Truth: tensor.Of([]float64{0.5}), Sigma: []float64{1e-3}})
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
		if strings.Contains(text, "an overflow") != (v != 0) {
			t.Errorf("%v everywhere: %s", v, text)
		}
	}
}

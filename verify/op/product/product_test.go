package product_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"plumbline/golden"
	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	_ "plumbline/verify/emulate/all"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// step returns a recording of one row of products, with an accumulator.
func step(accumulate string, operands, result dtype.Type, a, b []float64, c, d float64) *recording.Recording {
	rec := recording.New("mma.step")
	rec.Name = "step"
	rec.Arithmetic["accumulate"] = accumulate
	rec.Set("a", operands, tensor.Of(a, 1, len(a)))
	rec.Set("b", operands, tensor.Of(b, 1, len(b)))
	rec.Set("c", dtype.F32, tensor.Of([]float64{c}, 1))
	rec.Set("out.d", result, tensor.Of([]float64{d}, 1))
	return rec
}

// TestStepIsJudgedToTheLastBit: the device's number is explained, and each of its neighbours is
// not, below a power of two, among subnormals and where the hardware itself keeps 13 bits.
func TestStepIsJudgedToTheLastBit(t *testing.T) {
	for _, c := range []struct {
		name             string
		accumulate       string
		operands, result dtype.Type
		a, b             []float64
		c, want          float64
	}{
		{
			"an ordinary number", "F32_HOPPER", dtype.BF16, dtype.F32, []float64{1.5}, []float64{1.25}, 0.1015625,
			1.9765625,
		},
		{"a power of two", "F32_AMPERE", dtype.F16, dtype.F32, []float64{1}, []float64{1}, 1, 2},
		{"a negative power of two", "F32_HOPPER", dtype.F32, dtype.F32, []float64{-1}, []float64{0.5}, 0, -0.5},
		{"a power of two in F16", "F32_VOLTA", dtype.F16, dtype.F16, []float64{1}, []float64{1}, 3, 4},
		{
			"a subnormal float32", "F32_HOPPER", dtype.BF16, dtype.F32, []float64{0x1p-70}, []float64{0x1p-70}, 0,
			0x1p-140,
		},
		{
			"the smallest float32", "F32_HOPPER", dtype.BF16, dtype.F32, []float64{0x1p-80}, []float64{0x1p-69}, 0,
			0x1p-149,
		},
		{
			"the smallest normal float32", "F32_BLACKWELL", dtype.BF16, dtype.F32, []float64{0x1p-80},
			[]float64{0x1p-46}, 0, 0x1p-126,
		},
		{
			"a subnormal float16", "F32_ADA", dtype.F16, dtype.F16, []float64{0x1p-10}, []float64{0x1.8p-10}, 0,
			0x1.8p-20,
		},
		{
			"the smallest float16", "F32_HOPPER", dtype.F16, dtype.F16, []float64{0x1p-12}, []float64{0x1p-12}, 0,
			0x1p-24,
		},
		{
			"thirteen bits", "F32_HOPPER", dtype.F8E4M3, dtype.F32, []float64{1, 0x1p-6}, []float64{1, 0x1p-7}, 0,
			1 + 0x1p-13,
		},
		{"nothing", "F32_HOPPER", dtype.F8E5M2, dtype.F32, []float64{1, 1}, []float64{1, -1}, 0, 0},
		{"nothing in float16", "F32_BLACKWELL", dtype.F8E5M2, dtype.F16, []float64{1, 1}, []float64{1, -1}, 0, 0},
	} {
		explained := func(d float64) bool {
			v := op.Judge(step(c.accumulate, c.operands, c.result, c.a, c.b, c.c, d))
			if v.Status != verdict.Explained && v.Status != verdict.Unexplained {
				t.Errorf("%s: %s: %s", c.name, v.Status, v.Reason)
			}
			return v.Status == verdict.Explained
		}
		if !explained(c.want) {
			t.Errorf("%s: %v is not explained", c.name, c.want)
		}
		for _, by := range []float64{-1, 1} {
			least := c.result.Spacing(0)
			// down into the binade below
			next := c.result.Round(c.want + by*math.Max(least, c.result.Spacing(c.want)/2))
			if next == c.want {
				next = c.result.Round(c.want + by*c.result.Spacing(c.want))
			}
			if next == c.want || explained(next) {
				t.Errorf("%s: %v is explained where the device gives %v", c.name, next, c.want)
			}
		}
	}
}

// TestStepSpecialValues: special values are compared by kind, zeros without their sign.
func TestStepSpecialValues(t *testing.T) {
	one, inf := []float64{1}, math.Inf(1)
	for _, c := range []struct {
		name    string
		a, b    []float64
		d       float64
		explain bool
	}{
		{"0·∞ is NaN", []float64{0}, []float64{inf}, math.NaN(), true},
		{"0·∞ is not −∞", []float64{0}, []float64{inf}, -inf, false},
		{"∞·tiny is ∞", []float64{inf}, []float64{0x1p-133}, inf, true},
		{"overflow is ∞", []float64{0x1p127}, []float64{2}, inf, true},
		{"overflow is not the largest number", []float64{0x1p127}, []float64{2}, dtype.F32.Max(), false},
		{"−0 is 0", []float64{0}, one, math.Copysign(0, -1), true},
	} {
		v := op.Judge(step("F32_HOPPER", dtype.BF16, dtype.F32, c.a, c.b, 0, c.d))
		if (v.Status == verdict.Explained) != c.explain {
			t.Errorf("%s: %s %s", c.name, v.Status, v.Reason)
		}
	}
}

// TestStepsAreChained: 17 products are a step of 16 and one of 1, and the accumulator between them
// is a float32.
func TestStepsAreChained(t *testing.T) {
	a, b := slices.Repeat([]float64{0x1p-25}, 17), slices.Repeat([]float64{1}, 17)
	a[16] = 0x1p-26 // beside 1 + 2⁻²¹ nothing is left of it, alone or not
	for accumulate, want := range map[string]float64{
		"F32_HOPPER": 1 + 0x1p-21, "F32_BLACKWELL": 1 + 0x1p-21, "F32_AMPERE": 1,
	} {
		if v := op.Judge(step(accumulate, dtype.BF16, dtype.F32, a, b, 1, want)); v.Status != verdict.Explained {
			t.Errorf("%s: %s %s", accumulate, v.Status, v.Reason)
		}
	}
}

func TestStepErrors(t *testing.T) {
	right := func() *recording.Recording {
		return step("F32_HOPPER", dtype.BF16, dtype.F32, []float64{1, 2}, []float64{3, 4}, 5, 16)
	}
	two := tensor.Of([]float64{1, 2}, 1, 2)
	for _, c := range []struct {
		want   string
		change func(r *recording.Recording)
	}{
		{`step: arithmetic: "accumulate": F32 names no tensor core: want F32_HOPPER, F32_AMPERE`,
			func(r *recording.Recording) {
				delete(r.Arithmetic, "accumulate")
			}},
		{`TF32 names no tensor core`, func(r *recording.Recording) { r.Arithmetic["accumulate"] = "TF32" }},
		{`found "HOPPER", want one of`, func(r *recording.Recording) { r.Arithmetic["accumulate"] = "HOPPER" }},
		{`F32_VOLTA: no step is known that sums products of BF16 in F32`, func(r *recording.Recording) {
			r.Arithmetic["accumulate"] = "F32_VOLTA"
		}},
		{`F32_HOPPER: no step is known that sums products of BF16 in F16`, func(r *recording.Recording) {
			r.Set("out.d", dtype.F16, tensor.Of([]float64{16}, 1))
		}},
		{`F32_HOPPER: no step is known that sums products of BF16 in F64`, func(r *recording.Recording) {
			r.Set("out.d", dtype.F64, tensor.Of([]float64{16}, 1))
		}},
		{`tensor "b": type F16, want BF16, that of tensor "a"`, func(r *recording.Recording) {
			r.Set("b", dtype.F16, two)
		}},
		{`tensor "c": type BF16, want F32 or F16`, func(r *recording.Recording) {
			r.Set("c", dtype.BF16, tensor.Of([]float64{5}, 1))
		}},
		{`tensor "c": shape [2]`, func(r *recording.Recording) {
			r.Set("c", dtype.F32, tensor.Of([]float64{5, 5}, 2))
		}},
		{`tensor "b": element [0 1] is 1.00048828125, want a TF32 number`, func(r *recording.Recording) {
			r.Set("a", dtype.F32, two)
			r.Set("b", dtype.F32, tensor.Of([]float64{1, 1 + 0x1p-11}, 1, 2))
		}},
	} {
		rec := right()
		c.change(rec)
		if v := op.Judge(rec); v.Status != verdict.Unusable || !strings.Contains(v.Reason, c.want) {
			t.Errorf("%s: %s, want %q", v.Status, v.Reason, c.want)
		}
	}
	if v := op.Judge(right()); v.Status != verdict.Explained {
		t.Errorf("the right one: %s %s", v.Status, v.Reason)
	}
}

// TestRecordedSteps runs the embedded results of real tensor cores through the model: all of them
// to the last bit, and none of the files through every other device's.
func TestRecordedSteps(t *testing.T) {
	files, results := 0, 0
	for _, name := range golden.Names() {
		if !strings.HasPrefix(name, "mma-step-") {
			continue
		}
		files, results = files+1, results+modelled(t, name)
	}
	if files != 42 || results != 42*256 {
		t.Errorf("%d results in %d files", results, files)
	}
}

// modelled compares one file with the model, and returns how many results it has.
func modelled(t *testing.T, name string) int {
	t.Helper()
	rec, err := golden.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	expected, err := op.Expect(rec)
	if err != nil {
		t.Fatal(err)
	}
	d := optest.Input(t, rec, "out.d")
	for i, got := range d.Data {
		if want := expected[0].Truth.Data[i]; math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%s, row %d: the device gave %v, the model %v", name, i, got, want)
		}
	}
	if expected[0].Sigma[0] != 0 {
		t.Errorf("%s: σ is %v", name, expected[0].Sigma[0])
	}
	return d.Len()
}

// TestEveryDeviceIsRecorded: each device of the model has an embedded file for each of its types.
func TestEveryDeviceIsRecorded(t *testing.T) {
	recorded := map[string]bool{}
	for _, name := range golden.Names() {
		if rec, err := golden.Open(name); err == nil && rec.Op == "mma.step" {
			recorded[rec.Arithmetic["accumulate"].(string)+rec.Type("a").String()+rec.Type("out.d").String()] = true
		}
	}
	for a := arithmetic.F32Hopper; a < arithmetic.TF32; a++ {
		for _, operands := range []dtype.Type{dtype.F16, dtype.BF16, dtype.F32, dtype.F8E4M3, dtype.F8E5M2} {
			for _, result := range []dtype.Type{dtype.F32, dtype.F16} {
				_, err := a.TensorCore(operands, result)
				if known := recorded[a.String()+operands.String()+result.String()]; known != (err == nil) {
					t.Errorf("%v, %v, %v: recorded %v, modelled %v", a, operands, result, known, err == nil)
				}
			}
		}
	}
}

// TestSumsOfEveryDevice: right kernels whose products are sums of any device's tensor cores are
// explained, with outputs that hide nothing of their errors.
func TestSumsOfEveryDevice(t *testing.T) {
	for _, op := range []string{"attention.forward", "attention.backward", "mla.decode"} {
		for seed := range uint64(check.Times(40, 5)) {
			request := emulate.Request(op, seed)
			if request.Type(request.Inputs()[0]).Size() != 2 {
				continue
			}
			a := arithmetic.F32Hopper + arithmetic.Accumulator(seed%5)
			c := emulate.Config{
				Tile: 64, Accumulate: a, Output: dtype.F32, Probabilities: request.Type(request.Inputs()[0]),
			}
			if v := optest.JudgeKernel(t, request, c); v.Status == verdict.Unexplained || v.Status == verdict.Unusable {
				t.Errorf("%s, seed %d, %v: %s %s", op, seed, a, v.Status, v.Reason)
			}
		}
	}
}

// hostileStep draws a step of any shape and types.
func hostileStep(rng *rand.Rand) *recording.Recording {
	types := []dtype.Type{
		dtype.F64, dtype.F32, dtype.F16, dtype.BF16, dtype.F8E4M3, dtype.F8E5M2, dtype.F8E8M0, dtype.I32, dtype.Bool,
	}
	n, k := 1+rng.IntN(3), 1+rng.IntN(70)
	rec := recording.New("mma.step")
	rec.Name = "hostile"
	rec.Arithmetic["accumulate"] = (arithmetic.F32Hopper + arithmetic.Accumulator(rng.IntN(5))).String()
	operands, result := types[rng.IntN(len(types))], types[rng.IntN(len(types))]
	rec.Set("a", operands, edges(rng, operands, n, k))
	rec.Set("b", operands, edges(rng, operands, n, k))
	if rng.IntN(2) == 0 {
		c := types[rng.IntN(len(types))]
		rec.Set("c", c, edges(rng, c, n))
	}
	rec.Set("out.d", result, edges(rng, result, n))
	return rec
}

// edges draws numbers at the edge of everything, those that the type has.
func edges(rng *rand.Rand, typ dtype.Type, shape ...int) *tensor.Tensor {
	edge := []float64{
		0, math.Copysign(0, -1), 1, -1, 1.5, 0x1p-149, -0x1p-133, 0x1p-24, 65504, 448, 57344, 0x1p127, -0x1p127,
		math.Inf(1), math.Inf(-1), math.NaN(),
	}
	x := tensor.New(shape...)
	for i := range x.Data {
		if v := edge[rng.IntN(len(edge))]; typ.Float() || typ.Round(v) == v {
			x.Data[i] = v
		}
	}
	return x
}

// TestHostileSteps judges steps of every type, with numbers at the edge of everything: there is a
// verdict, with a reason, and the truth judged against itself is explained unless all of it could
// be anything.
func TestHostileSteps(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	judged := 0
	for range 4000 {
		rec := hostileStep(rng)
		operands, result := rec.Type("a"), rec.Type("out.d")
		if v := op.Judge(rec); v.Status != verdict.Explained && v.Reason == "" {
			t.Fatalf("%v to %v: %s without a reason", operands, result, v.Status)
		}
		expected, err := op.Expect(rec)
		if err != nil {
			continue
		}
		judged++
		rec.Set("out.d", result, expected[0].Truth)
		if v := op.Judge(rec); v.Status != verdict.Explained && v.Status != verdict.Undetermined {
			t.Fatalf("%v to %v: the truth %v is %s: %s", operands, result, expected[0].Truth.Data, v.Status, v.Reason)
		}
	}
	if judged < 100 {
		t.Errorf("only %d of 4000 could be judged", judged)
	}
}

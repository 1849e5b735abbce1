package position_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	_ "plumbline/verify/emulate/all"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// longRequests are rotations at long positions: tables, vectors of two types, layers.
func longRequests(t *testing.T) []*recording.Recording {
	t.Helper()
	var all []*recording.Recording
	for _, attrs := range []string{
		`{}`, `{"yarn":{}}`, `{"yarn":{"factor":3,"attention_factor":1.1,"truncate":false}}`, `{"base":65536}`,
		`{"yarn":{"ramp":"rotations","factor":16}}`, `{"base":1000000}`,
	} {
		table := recording.New("rope.table")
		table.Set("positions", dtype.I64, longPositions())
		table.Attrs = rotationAttrs(t, attrs)
		table.Attrs["dim"] = json.Number("64")
		all = append(all, table, longVectors(t, attrs, dtype.F32), longVectors(t, attrs, dtype.BF16))
	}
	for seed := range uint64(2) {
		layer := emulate.Request("mla.layer", seed).Clone()
		layer.Attrs["start"] = json.Number("131000")
		all = append(all, layer)
	}
	return all
}

func longPositions() *tensor.Tensor {
	return tensor.Of([]float64{0, 5, 1000, 7919, 30011, 65521, 99991, 131071}, 8)
}

// longVectors is a rotation of vectors of a type.
func longVectors(t *testing.T, attrs string, typ dtype.Type) *recording.Recording {
	t.Helper()
	apply := recording.New("rope.apply")
	x := tensor.New(8, 3, 64)
	rng := rand.New(rand.NewPCG(7, 1))
	for i := range x.Data {
		x.Data[i] = rng.NormFloat64()
	}
	apply.Set("x", typ, x)
	apply.Set("positions", dtype.I64, longPositions())
	apply.Attrs = rotationAttrs(t, attrs)
	return apply
}

// rotationAttrs reads attributes as a file has them, those in a yarn too.
func rotationAttrs(t *testing.T, text string) map[string]any {
	t.Helper()
	attrs := optest.Object(t, text)
	if yarn, ok := attrs["yarn"].(map[string]any); ok {
		for key, value := range yarn {
			if x, ok := value.(float64); ok {
				yarn[key] = recording.Number(x)
			}
		}
	}
	return attrs
}

// TestFastSines: pair 0 turns by whole radians, which every kernel has exactly, so that at position
// 131,071 a sine that is off by 3e-3 shows. Without -long half of the right kernels have their
// turn, for one request others than for the next.
func TestFastSines(t *testing.T) {
	for n, request := range longRequests(t) {
		name := fmt.Sprintf("%s %v %s", request.Op, request.Attrs, request.Type("x"))
		for i, c := range emulate.Right(request.Op) {
			if (n+i/6)%check.Times(1, 2) != 0 {
				continue
			}
			if request.Op == "mla.layer" && i%6 > 0 {
				continue // TestRightKernels runs all
			}
			if v := optest.JudgeKernel(t, request, c); v.Status != verdict.Explained {
				t.Errorf("%s, %s: %s: %s", name, c, v.Status, v.Reason)
			}
		}
		rec, err := emulate.Run(request, emulate.Config{Mistake: "sine-fast"})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if v := optest.Judge(t, rec); v.Status != verdict.Unexplained {
			t.Errorf("%s: a fast sine is %s", name, v.Status)
		}
	}
}

// TestNothingToRound: where nothing is rounded inside a kernel, or only once, an output that is a
// unit off in the last place is wrong.
func TestNothingToRound(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	random := func(shape ...int) *tensor.Tensor {
		x := tensor.New(shape...)
		for i := range x.Data {
			x.Data[i] = rng.NormFloat64() + 3
		}
		return x
	}
	apply, table, rms := recording.New("rope.apply"), recording.New("rope.table"), recording.New("norm.rms")
	apply.Set("positions", dtype.I64, tensor.Of([]float64{0, 9}, 2))
	table.Set("positions", dtype.I64, tensor.Of([]float64{0, 9}, 2))
	table.Attrs["dim"] = json.Number("8")
	weight := tensor.Of([]float64{1, -2, 0.5, 1, 1, 1, 1, 1}, 8)
	for _, typ := range []dtype.Type{dtype.F32, dtype.BF16, dtype.F16} {
		apply.Set("x", typ, random(2, 1, 8))
		rms.Set("x", typ, random(4, 8))
		rms.Set("weight", typ, weight)
		for _, c := range []struct {
			request *recording.Recording
			output  string
			config  emulate.Config
		}{
			{apply, "y", emulate.Config{}},
			{apply, "y", emulate.Config{Intermediate: typ}},
			{table, "cos", emulate.Config{}},
			{table, "sin", emulate.Config{}},
			{rms, "y", emulate.Config{Intermediate: typ}},
		} {
			if typ == dtype.F32 && c.output == "y" && c.request == rms {
				continue // there σ is that of float32 itself
			}
			t.Run(fmt.Sprintf("%s %s, %s of %s", c.request.Op, typ, c.output, c.config), func(t *testing.T) {
				unitsAreFound(t, c.request, c.output, c.config)
			})
		}
	}
}

// unitsAreFound: a right kernel is explained, and not with an element of the output a unit off.
func unitsAreFound(t *testing.T, request *recording.Recording, output string, c emulate.Config) {
	t.Helper()
	rec, err := emulate.Run(request, c)
	if err != nil {
		t.Fatal(err)
	}
	if v := optest.Judge(t, rec); v.Status != verdict.Explained {
		t.Errorf("%s: %s", v.Status, v.Reason)
	}
	for i := range 4 {
		if v := optest.Judge(t, optest.Nudged(t, rec, output, i)); v.Status != verdict.Unexplained {
			t.Errorf("element %d is a unit off, and %s", i, v.Status)
		}
	}
}

// TestSubnormalProducts: products of a cosine that are kept in F16 fall on its subnormal grid below
// 2⁻¹⁴, where a rounding is no smaller for a smaller product.
func TestSubnormalProducts(t *testing.T) {
	for seed := range uint64(check.Times(24, 6)) {
		rng := rand.New(rand.NewPCG(seed, 2))
		for _, opName := range []string{"rope.apply", "norm.rms"} {
			request := tinyProducts(t, rng, opName, seed)
			for _, c := range []emulate.Config{
				{Intermediate: dtype.F16}, {Intermediate: dtype.F16, Output: dtype.F16},
				{Intermediate: dtype.F16, Order: emulate.Strided},
			} {
				if v := optest.JudgeKernel(t, request, c); v.Status != verdict.Explained {
					t.Errorf("%s, seed %d, %s: %s: %s", opName, seed, c, v.Status, v.Reason)
				}
			}
		}
	}
}

// tinyProducts returns a request whose vectors are small, and so are the weights of a norm.
func tinyProducts(t *testing.T, rng *rand.Rand, opName string, seed uint64) *recording.Recording {
	t.Helper()
	size, typ := []float64{1e-3, 1e-4, 1e-5, 1e-6}[seed%4], []dtype.Type{dtype.F16, dtype.F32}[seed/4%2]
	request := emulate.Request(opName, seed).Clone()
	x := optest.Input(t, request, "x")
	for i := range x.Data {
		x.Data[i] = size * rng.NormFloat64()
		if rng.IntN(4) == 0 {
			x.Data[i] *= 1e-3
		}
	}
	request.Set("x", typ, x)
	if opName == "norm.rms" {
		request.Attrs["eps"] = recording.Number(1e-2) // tiny results
		w := optest.Input(t, request, "weight")
		for i := range w.Data {
			if w.Data[i] = rng.NormFloat64() * size; rng.IntN(2) == 0 {
				w.Data[i] = math.Ldexp(1, rng.IntN(20)-10)
			}
		}
		request.Set("weight", typ, w)
	}
	return request
}

// TestFlushedSquares: squares below the normal float32 numbers may be flushed, whatever is
// declared, and then an eps of their size is all there is.
func TestFlushedSquares(t *testing.T) {
	x := tensor.New(1, 64)
	for i := range x.Data {
		x.Data[i] = 1e-19 * (0.9 + 0.1*math.Sin(float64(i)))
	}
	for _, eps := range []float64{1e-38, 1e-36, 1e-30} {
		v := op.Judge(normOfEps(x, eps))
		if v.Status != verdict.Explained && !strings.HasSuffix(v.Reason, "would pass as well") {
			t.Errorf("eps %v: %s: %s", eps, v.Status, v.Reason)
		}
	}
	for i := range x.Data {
		x.Data[i] *= 2 // squares are normal numbers, and count
	}
	if v := op.Judge(normOfEps(x, 1e-38)); v.Status != verdict.Unexplained {
		t.Errorf("squares that are left out are %s", v.Status)
	}
}

// normOfEps is a norm as recorded by a kernel that has left all squares out, so that eps is all
// there is.
func normOfEps(x *tensor.Tensor, eps float64) *recording.Recording {
	y, weight := tensor.New(1, 64), tensor.New(64)
	for i, v := range x.Data {
		y.Data[i], weight.Data[i] = 1.1*v/math.Sqrt(eps), 1.1
	}
	rec := recording.New("norm.rms")
	rec.Set("x", dtype.F32, x)
	rec.Set("weight", dtype.F32, weight)
	rec.Set("out.y", dtype.F32, y)
	rec.Attrs["eps"] = recording.Number(eps)
	return rec
}

// TestHugeNumbers: what is exact stays exact where squares overflow, and where nothing is known σ
// is not 0.
func TestHugeNumbers(t *testing.T) {
	apply := recording.New("rope.apply")
	apply.Set("x", dtype.F64, tensor.Of([]float64{1e200, -3e300, 1, 2e160}, 1, 1, 4))
	apply.Set("positions", dtype.I64, tensor.Of([]float64{0}, 1))
	apply.Arithmetic = map[string]any{"accumulate": "F64"}
	apply.Set("out.y", dtype.F64, tensor.Of([]float64{1e200, -3e300, 1, 2e160}, 1, 1, 4))
	if v := op.Judge(apply); v.Status != verdict.Explained {
		t.Errorf("a vector that is not turned: %s: %s", v.Status, v.Reason)
	}
	rms := recording.New("norm.rms")
	rms.Set("weight", dtype.F64, tensor.Of([]float64{1, 3}, 2))
	rms.Arithmetic = map[string]any{"accumulate": "F64"}
	for _, c := range []struct {
		x, y []float64
		want verdict.Status
	}{
		{[]float64{1e200, 1e200}, []float64{0, 0}, verdict.Undetermined},
		{[]float64{1e120, 1e120}, []float64{1, 3}, verdict.Explained},
		{[]float64{1e120, 1e120}, []float64{1, 3.0000001}, verdict.Unexplained},
		{[]float64{3e151, 1e120}, []float64{math.Sqrt2, 3 * math.Sqrt2 / 3 * 1e-31}, verdict.Explained},
		{[]float64{math.Inf(1), 1}, []float64{math.NaN(), 0}, verdict.Explained},
		{[]float64{math.Inf(1), 1}, []float64{math.NaN(), 1e-9}, verdict.Unexplained},
	} {
		rms.Set("x", dtype.F64, tensor.Of(c.x, 1, 2))
		rms.Set("out.y", dtype.F64, tensor.Of(c.y, 1, 2))
		if v := op.Judge(rms); v.Status != c.want {
			t.Errorf("norm of %v, recorded as %v: %s: %s", c.x, c.y, v.Status, v.Reason)
		}
	}
}

// TestSubnormalInputs: where inputs below the normal float32 numbers may count as 0, kernels that
// flush them are right and so are those that keep them; undeclared, a norm that flushes them is
// wrong, since it makes large numbers of them.
func TestSubnormalInputs(t *testing.T) {
	seeds := uint64(check.Times(18, 3))
	for seed := range seeds {
		for _, opName := range []string{"norm.rms", "rope.apply", "mla.layer"} {
			if opName == "mla.layer" && seed >= seeds/3 {
				continue // takes long
			}
			request := subnormalRequest(t, opName, seed)
			for _, c := range []emulate.Config{{}, {Flushed: true}} {
				t.Run(fmt.Sprintf("%s, seed %d, %s", opName, seed, c), func(t *testing.T) {
					flushingIsDeclared(t, request, c, opName == "norm.rms" && seed%3 == 0)
				})
			}
			wrong, err := emulate.Run(request, emulate.Config{Mistake: "output-unwritten"})
			if x := request.Shape("x"); err != nil || seed%3 == 0 || x[len(x)-1] < 16 {
				continue // hidden, or what is not written is below the normal numbers
			}
			wrong.Arithmetic["subnormals"] = "flushed"
			if v := optest.Judge(t, wrong); v.Status != verdict.Unexplained {
				t.Errorf("%s, seed %d: an output that is not written is %s", opName, seed, v.Status)
			}
		}
	}
}

// flushingIsDeclared judges a kernel that declares that it flushes, and again without that word:
// where flushing shows, those that keep subnormal numbers are right then, and they alone.
func flushingIsDeclared(t *testing.T, request *recording.Recording, c emulate.Config, shows bool) {
	t.Helper()
	rec, err := emulate.Run(request, c)
	if err != nil {
		t.Fatal(err)
	}
	rec.Arithmetic["subnormals"] = "flushed"
	// zeros may pass as well
	if v := op.Judge(rec); v.Status == verdict.Unexplained || v.Status == verdict.Unusable {
		t.Errorf("%s: %s", v.Status, v.Reason)
	}
	delete(rec.Arithmetic, "subnormals")
	if v := op.Judge(rec); shows && (v.Status == verdict.Explained) == c.Flushed {
		t.Errorf("undeclared: %s: %s", v.Status, v.Reason)
	}
}

// subnormalRequest returns a request of which all numbers of x, or a third of them, are below the
// normal float32 numbers.
func subnormalRequest(t *testing.T, opName string, seed uint64) *recording.Recording {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3))
	request := emulate.Request(opName, seed).Clone()
	typ := []dtype.Type{dtype.F32, dtype.BF16}[seed%2]
	for _, name := range request.Inputs() {
		if !request.Type(name).Float() {
			continue
		}
		x := optest.Input(t, request, name)
		for i := range x.Data {
			if name == "x" && (seed%3 == 0 || rng.IntN(3) == 0) {
				x.Data[i] *= 1e-39
			}
		}
		request.Set(name, typ, x)
	}
	if opName == "norm.rms" {
		request.Attrs["eps"] = recording.Number(1e-12)
	}
	return request
}

// TestRecurrentFrequencies: a recurrence errs by the error of its factor, pair by pair once more.
// Declared, it is right; undeclared, it is wrong where that is more than a power errs by.
func TestRecurrentFrequencies(t *testing.T) {
	shown, of := 0, 0
	for d, dim := range []int{64, 128, 256} {
		for b, base := range []float64{10000, 150000, 500000, 1e6, 1e7, 12345} {
			for y, yarn := range []any{nil, map[string]any{}, map[string]any{"truncate": false}} {
				if (d+b+y)%check.Times(1, 2) != 0 {
					continue
				}
				of++
				request := frequencyTable(dim, base, yarn)
				declaredRecurrence(t, request, emulate.Config{Frequencies: emulate.Recurrent})
				declaredRecurrence(t, request, emulate.Config{Frequencies: emulate.Power})
				wrong := emulate.Config{Mistake: "frequencies-recurrent"}
				if v := optest.JudgeKernel(t, request, wrong); v.Status == verdict.Unexplained {
					shown++
				}
			}
		}
	}
	t.Logf("undeclared, %d of %d are unexplained", shown, of)
	if shown < 5 {
		t.Errorf("undeclared, %d of %d are unexplained", shown, of)
	}
}

// declaredRecurrence: a kernel that declares a recurrence is explained.
func declaredRecurrence(t *testing.T, request *recording.Recording, c emulate.Config) {
	t.Helper()
	rec, err := emulate.Run(request, c)
	if err != nil {
		t.Fatal(err)
	}
	rec.Arithmetic["frequencies"] = "recurrent"
	if v := optest.Judge(t, rec); v.Status != verdict.Explained {
		t.Errorf("%v, %s: %s: %s", request.Attrs, c, v.Status, v.Reason)
	}
}

func frequencyTable(dim int, base float64, yarn any) *recording.Recording {
	positions := []float64{1, 100, 5000, 65536, 131071, 131070, 100000, 90000}
	request := recording.New("rope.table")
	request.Set("positions", dtype.I64, tensor.Of(positions, 8))
	request.Attrs = map[string]any{
		"dim": recording.Number(float64(dim)), "base": recording.Number(base), "yarn": yarn,
	}
	return request
}

// TestRecurrentAngles: engines that run the recurrence on the angle itself, from the position on,
// make the same error.
func TestRecurrentAngles(t *testing.T) {
	for _, dim := range []int{64, 128, 256} {
		for _, base := range []float64{10000, 500000, 1e6, 12345} {
			rec := recurrentAngles(dim, base)
			if v := optest.Judge(t, rec); v.Status != verdict.Explained {
				t.Errorf("dim %d, base %v: %s: %s", dim, base, v.Status, v.Reason)
			}
			rec.Attrs["base"] = recording.Number(base * 1.001)
			if v := optest.Judge(t, rec); v.Status != verdict.Unexplained {
				t.Errorf("dim %d, base %v: a base off by a thousandth is %s", dim, base, v.Status)
			}
		}
	}
}

// recurrentAngles is a table as those engines make it.
func recurrentAngles(dim int, base float64) *recording.Recording {
	positions := []float64{0, 1, 77, 4095, 32767, 131071}
	rec := recording.New("rope.table")
	rec.Set("positions", dtype.I64, tensor.Of(positions, len(positions)))
	rec.Attrs = map[string]any{"dim": recording.Number(float64(dim)), "base": recording.Number(base)}
	rec.Arithmetic = map[string]any{"frequencies": "recurrent"}
	cos, sin := tensor.New(len(positions), dim/2), tensor.New(len(positions), dim/2)
	factor := float32(math.Pow(base, -2/float64(dim)))
	for n, p := range positions {
		angle := float32(p)
		for i := range dim / 2 {
			cos.Set(math.Cos(float64(angle)), n, i)
			sin.Set(math.Sin(float64(angle)), n, i)
			angle *= factor
		}
	}
	rec.Set("out.cos", dtype.F32, cos)
	rec.Set("out.sin", dtype.F32, sin)
	return rec
}

package fp8_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	fp8eq "plumbline/fp8"
	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/op/fp8"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// wide is a product of more elements than are run: activations with columns of sizes of their own,
// rows of one sign now and then, and weights, quantised as models are.
func wide(seed uint64) *recording.Recording {
	rng := rand.New(rand.NewPCG(seed, 9))
	const rows, cols, width = 48, 200, 512
	signed := seed%4 > 0
	a, b := tensor.New(rows, width), tensor.New(cols, width)
	for k := range width {
		size := math.Exp(0.5 * rng.NormFloat64())
		for m := range rows {
			x := size * rng.NormFloat64()
			if a.Row(m)[k] = x; !signed {
				a.Row(m)[k] = math.Abs(x)
			}
		}
		for n := range cols {
			x := rng.NormFloat64()
			if b.Row(n)[k] = x; seed%8 == 0 {
				b.Row(n)[k] = math.Abs(x)
			}
		}
	}
	rec := recording.New("fp8.gemm")
	rec.Name = "wide"
	setQuantised(rec, "a", a, fp8eq.BlockSize{Rows: 1, Cols: 128})
	setQuantised(rec, "b", b, fp8eq.BlockSize{Rows: 128, Cols: 128})
	return rec
}

// setQuantised stores the codes of a matrix and its scales.
func setQuantised(rec *recording.Recording, name string, x *tensor.Tensor, block fp8eq.BlockSize) {
	q := fp8eq.Quantise(mat.NewDense(x.Shape[0], x.Shape[1], x.Data), fp8eq.Config{Block: block, Format: dtype.F8E4M3})
	for name, m := range map[string]*mat.Dense{name: q.Codes, name + "_scale": q.Scales} {
		rows, cols := m.Dims()
		typ := dtype.F8E4M3
		if strings.HasSuffix(name, "scale") {
			typ = dtype.F32
		}
		rec.Set(name, typ, tensor.Of(m.RawMatrix().Data, rows, cols))
	}
}

// TestElementsThatAreNotRun: where a product is too large for all elements to be run, σ of the
// others is near what it would have been, and what it is taken to be uncertain by covers the
// difference.
func TestElementsThatAreNotRun(t *testing.T) {
	rec, err := emulate.Run(wide(1), emulate.Config{Output: dtype.F32, Accumulate: arithmetic.F32Hopper})
	optest.Must(err)
	whole, wholeLimit := expectation(rec)
	defer fp8.LowerRunWork(1 << 24)()
	few, fewLimit := expectation(rec)
	if n := len(few.Sample.Deviations[0]); n == 0 || n > len(whole.Sigma)/4 {
		t.Fatalf("%d of %d elements are run", n, len(whole.Sigma))
	}
	if !slices.Equal(few.Truth.Data, whole.Truth.Data) {
		t.Error("the truth is another")
	}
	ratios, n := optest.Ratios(few.Sigma, whole.Sigma), len(whole.Sigma)
	if median, least := ratios[n/2], ratios[0]+math.Log2(fewLimit/wholeLimit); math.Abs(median) > 0.25 || least < 0 {
		t.Errorf("log₂ of the ratio of σ: %.2g in the middle; that of what errors are allowed: %.2g", median, least)
	}
}

// expectation returns what is expected of a product, and the limit of elements in units of σ.
func expectation(rec *recording.Recording) (verdict.Expected, float64) {
	expected, err := op.Expect(rec)
	optest.Must(err)
	return expected[0], op.JudgeAgainst(rec, expected).Outputs[0].MaxZLimit
}

// TestLargeRightProducts is the promise that no right kernel flakes where few elements are run.
func TestLargeRightProducts(t *testing.T) {
	defer fp8.LowerRunWork(1 << 24)()
	configs := emulate.Right("fp8.gemm")
	for seed := range check.Times(100, 2) {
		c := configs[(seed+seed/len(configs))%len(configs)]
		rec, err := emulate.Run(wide(uint64(seed)), c)
		optest.Must(err)
		if v := op.Judge(rec); v.Status != verdict.Explained {
			t.Errorf("seed %d, %s: %s: %s", seed, c, v.Status, v.Reason)
		}
	}
}

package fp8_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	_ "plumbline/verify/op/all"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// The products of DeepSeek-V3 have 7168 elements of K, 56 blocks.
const (
	tokens, columns, width = 4, 160, 7168
	blocks                 = width / 128
)

// product is a product of codes with scales that differ from block to block.
type product struct{ a, aScale, b, bScale *tensor.Tensor }

func newProduct(seed uint64) product {
	rng := rand.New(rand.NewPCG(seed, 8))
	codes := func(rows int) *tensor.Tensor {
		x := tensor.New(rows, width)
		for i := range x.Data {
			x.Data[i] = dtype.F8E4M3.Round(100 * rng.NormFloat64())
		}
		return x
	}
	scales := func(rows int) *tensor.Tensor {
		x := tensor.New(rows, blocks)
		for i := range x.Data {
			x.Data[i] = dtype.F32.Round(1e-3 * math.Exp(0.5*rng.NormFloat64()))
		}
		return x
	}
	return product{codes(tokens), scales(tokens), codes(columns), scales((columns + 127) / 128)}
}

// recorded returns a recording of an output of a type, as a kernel of Hopper declares it.
func (p product) recorded(typ dtype.Type, c *tensor.Tensor) *recording.Recording {
	rec := recording.New("fp8.gemm")
	rec.Name = "product"
	rec.Set("a", dtype.F8E4M3, p.a)
	rec.Set("b", dtype.F8E4M3, p.b)
	rec.Set("a_scale", dtype.F32, p.aScale)
	rec.Set("b_scale", dtype.F32, p.bScale)
	rec.Arithmetic = map[string]any{"accumulate": "F32_HOPPER"}
	rec.Set("out.c", typ, c)
	return rec
}

// kernel is how a product is computed.
type kernel struct {
	every  int                                      // products between promotions; 0: none
	order  func(k int) int                          // of the products
	splits int                                      // parts of K that are summed apart
	keep   dtype.Type                               // of the accumulator
	scale  func(p product, m, n, block int) float64 // of a block
	last   func(x float64) float64                  // what is done to an element at the end
}

func right() kernel {
	return kernel{
		every: 128, order: func(k int) int { return k }, splits: 1, keep: dtype.F32,
		scale: func(p product, m, n, block int) float64 {
			return p.aScale.At(m, block) * p.bScale.At(n/128, block)
		},
		last: func(x float64) float64 { return x },
	}
}

// run computes the product by the steps of Hopper's tensor cores.
func (k kernel) run(t *testing.T, p product) *tensor.Tensor {
	t.Helper()
	core, err := arithmetic.F32Hopper.TensorCore(dtype.F8E4M3, dtype.F32)
	if err != nil {
		t.Fatal(err)
	}
	rows := func(x *tensor.Tensor) (rows []arithmetic.Row) {
		for i := range x.Shape[0] {
			ordered := make([]float64, width)
			for at := range ordered {
				ordered[at] = x.Row(i)[k.order(at)]
			}
			rows = append(rows, core.Row(ordered))
		}
		return rows
	}
	a, b, c := rows(p.a), rows(p.b), tensor.New(tokens, columns)
	for m := range tokens {
		for n := range columns {
			c.Data[m*columns+n] = k.last(k.sum(p, m, n, core.Chain(nil, a[m], b[n], k.every)))
		}
	}
	return c
}

// sum adds up the sums of blocks, scaled, in as many parts as there are splits.
func (k kernel) sum(p product, m, n int, sums []float64) float64 {
	parts := make([]float64, k.splits)
	for i, sum := range sums {
		block, part := k.order(i*width/len(sums))/128, i*k.splits/len(sums)
		scaled := dtype.F32.Round(sum * dtype.F32.Round(k.scale(p, m, n, block)))
		parts[part] = k.keep.Round(parts[part] + scaled)
	}
	total := parts[0]
	for _, part := range parts[1:] {
		total = k.keep.Round(total + part)
	}
	return total
}

func (p product) says(t *testing.T, name string, typ dtype.Type, c *tensor.Tensor, want verdict.Status) {
	t.Helper()
	if v := optest.Judge(t, p.recorded(typ, c)); v.Status != want {
		t.Errorf("%s, %s: %s: %s, max %.3g of %.3g, rms %.3g of %.3g, want %s", name, typ, v.Status, v.Reason,
			v.Outputs[0].MaxZ, v.Outputs[0].MaxZLimit, v.Outputs[0].RMS, v.Outputs[0].RMSLimit, want)
	}
}

// rightWays are right ways to sum a product.
var rightWays = map[string]func(k *kernel){
	"in order":      func(*kernel) {},
	"backwards":     func(k *kernel) { k.order = func(at int) int { return width - 1 - at } },
	"within blocks": func(k *kernel) { k.order = func(at int) int { return at/128*128 + at*37%128 } },
	"in 4 splits":   func(k *kernel) { k.splits = 4 },
	"in 7 splits":   func(k *kernel) { k.splits = 7 },
}

// TestRightProducts: promoted every 128 elements a product of Hopper's tensor cores is explained,
// in any order of K and any splits.
func TestRightProducts(t *testing.T) {
	p := newProduct(1)
	for name, change := range rightWays {
		k := right()
		change(&k)
		c := k.run(t, p)
		for _, typ := range []dtype.Type{dtype.F32, dtype.BF16} {
			p.says(t, name, typ, c, verdict.Explained)
		}
	}
}

func up(s float64) float64 { return math.Exp2(math.Ceil(math.Log2(s))) }

// wrongScales are ways to take other scales than those of the blocks.
var wrongScales = map[string]func(p product, m, n, block int) float64{
	"scales transposed": func(p product, m, n, block int) float64 {
		return p.aScale.Data[block*tokens+m] * p.bScale.At(n/128, block)
	},
	"the scale of the block before for one block": func(p product, m, n, block int) float64 {
		of := block
		if block == 20 {
			of--
		}
		return p.aScale.At(m, of) * p.bScale.At(n/128, block)
	},
	"scales rounded up after quantising": func(p product, m, n, block int) float64 {
		return up(p.aScale.At(m, block)) * up(p.bScale.At(n/128, block))
	},
}

// TestWrongProducts are mistakes that fixed tolerances pass, at the size of DeepSeek-V3. They are
// stored in BF16 with -long alone, as those of TestSpoiltProducts are.
func TestWrongProducts(t *testing.T) {
	p, wrong := newProduct(1), map[string]*tensor.Tensor{}
	for name, scale := range wrongScales {
		k := right()
		k.scale = scale
		wrong[name] = k.run(t, p)
	}
	k := right()
	k.keep = dtype.BF16
	wrong["an accumulator in BF16"] = k.run(t, p)
	for name, c := range wrong {
		for _, typ := range []dtype.Type{dtype.F32, dtype.BF16}[:check.Times(2, 1)] {
			p.says(t, name, typ, c, verdict.Unexplained)
		}
	}
	k = right()
	k.every = 0
	alike := p.oneScale() // so that all of K can be one sum
	k.scale = func(product, int, int, int) float64 { return 0x1p-20 }
	for _, typ := range []dtype.Type{dtype.F32, dtype.BF16}[:check.Times(2, 1)] {
		alike.says(t, "promoted", typ, right().run(t, alike), verdict.Explained)
		alike.says(t, "no promotion", typ, k.run(t, alike), verdict.Unexplained)
	}
}

// oneScale returns the product with one scale for all blocks.
func (p product) oneScale() product {
	p.aScale, p.bScale = tensor.New(p.aScale.Shape...), tensor.New(p.bScale.Shape...)
	for _, x := range []*tensor.Tensor{p.aScale, p.bScale} {
		for i := range x.Data {
			x.Data[i] = 0x1p-10
		}
	}
	return p
}

// TestSpoiltProducts are mistakes at the end of a right product.
func TestSpoiltProducts(t *testing.T) {
	p := newProduct(1)
	c, short := right().run(t, p), p
	short.a = changed(p.a, func(i int, x float64) float64 { return x * float64(min(1, abs(i%width-width+1))) })
	for name, spoilt := range map[string]*tensor.Tensor{
		"the last element of K dropped": right().run(t, short),
		"one element zero": changed(c, func(i int, x float64) float64 {
			return x * float64(min(1, abs(i-477)))
		}),
		"a tile of 128 columns unwritten": changed(c, func(i int, x float64) float64 {
			return x * float64(1-i%columns/128)
		}),
	} {
		for _, typ := range []dtype.Type{dtype.F32, dtype.BF16}[:check.Times(2, 1)] {
			p.says(t, name, typ, spoilt, verdict.Unexplained)
		}
	}
	cut := changed(c, func(_ int, x float64) float64 { return dtype.BF16.Truncate(x) })
	p.says(t, "truncated", dtype.BF16, cut, verdict.Unexplained)
}

func abs(i int) int { return max(i, -i) }

// changed returns a tensor with each element changed.
func changed(c *tensor.Tensor, f func(i int, x float64) float64) *tensor.Tensor {
	d := tensor.New(c.Shape...)
	for i, x := range c.Data {
		d.Data[i] = f(i, x)
	}
	return d
}

// TestErrorsOfProducts: what cannot be judged is refused with the reason.
func TestErrorsOfProducts(t *testing.T) {
	p := newProduct(4)
	rec := p.recorded(dtype.F32, tensor.New(tokens, columns))
	rec.Set("a", dtype.BF16, p.a)
	want := `product: tensor "a": type BF16, want F8_E4M3 or F8_E5M2`
	if v := op.Judge(rec); v.Status != verdict.Unusable || fmt.Sprintf("%.*s", len(want), v.Reason) != want {
		t.Errorf("%s: %s", v.Status, v.Reason)
	}
}

// TestScalesOfExpertsWithoutRows: nobody reads them, so that they may be anything.
func TestScalesOfExpertsWithoutRows(t *testing.T) {
	for seed := range uint64(40) {
		rec := optest.Recorded(t, "fp8.grouped_gemm", seed)
		counts, err := rec.Tensor("counts")
		optest.Must(err)
		scales, err := rec.Tensor("b_scale")
		optest.Must(err)
		each := scales.Len() / counts.Len()
		for e, n := range counts.Data {
			before := scales.Data[e*each]
			scales.Data[e*each] = math.NaN()
			rec.Set("b_scale", rec.Type("b_scale"), scales)
			if v := op.Judge(rec); (v.Status == verdict.Unusable) != (n > 0) {
				t.Errorf("seed %d, an expert with %.0f rows has a scale of NaN: %s: %s", seed, n, v.Status, v.Reason)
			}
			scales.Data[e*each] = before
		}
	}
}

package evidence

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

// product is a product of matrices of normal numbers, a [m × k] and b [n × k], quantised in blocks:
// the request, and what DeepGEMM compares with, the product before anything was quantised.
type product struct {
	*recording.Recording
	unquantised []float64
}

func newProduct(m, n, k int, seed uint64) product {
	p := product{Recording: recording.New("fp8.gemm"), unquantised: make([]float64, m*n)}
	rng := rand.New(rand.NewPCG(seed, 7))
	a, b := bf16Normals(rng, m*k), bf16Normals(rng, n*k)
	blas64.Gemm(
		blas.NoTrans, blas.Trans, 1, blas64.General{Rows: m, Cols: k, Stride: k, Data: a},
		blas64.General{Rows: n, Cols: k, Stride: k, Data: b}, 0,
		blas64.General{Rows: m, Cols: n, Stride: n, Data: p.unquantised},
	)
	p.quantise("a", a, m, k, 1)
	p.quantise("b", b, n, k, blockSide)
	return p
}

func bf16Normals(rng *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = dtype.BF16.Round(rng.NormFloat64())
	}
	return x
}

// quantise stores codes of x and the scales of blocks of so many rows by 128, the largest of a
// block over 448.
func (p product) quantise(name string, x []float64, rows, k, tall int) {
	across := (k + blockSide - 1) / blockSide
	scales := tensor.New((rows+tall-1)/tall, across)
	for i, v := range x {
		at := i/k/tall*across + i%k/blockSide
		scales.Data[at] = max(scales.Data[at], math.Abs(v)/dtype.F8E4M3.Max())
	}
	codes := tensor.New(rows, k)
	for i, v := range x {
		s := dtype.F32.Round(scales.Data[i/k/tall*across+i%k/blockSide])
		codes.Data[i] = dtype.F8E4M3.RoundSaturating(v / s)
	}
	p.Set(name, dtype.F8E4M3, codes)
	p.Set(name+"_scale", dtype.F32, scales)
}

// deepGEMM measures calc_diff by the product before it was quantised, as DeepGEMM does.
func (p product) deepGEMM(rec *recording.Recording, _ *trial) (Measure, error) {
	got, err := rec.Tensor("out.c")
	if err != nil {
		return Measure{}, err
	}
	return below(calcDiff(got.Data, p.unquantised), deepGEMMDiff), nil
}

// Sizes of the products: DeepSeek-V3's K, and fewer rows and columns than DeepGEMM tests, which no
// quotient hangs on.
const (
	fewRows, fewColumns, wideK = 8, 64, 7168
	sglangK                    = 16384
	sglangSize                 = 7.9 // rms of its outputs there
)

func productCases() []falsePass {
	const data = "normal bf16, quantised 1×128 and 128×128; m 8 for 128, n 64 for 256, K 7168"
	const name = "DeepGEMM calc_diff 1e-3"
	return []falsePass{
		{name, "the last element of K is dropped", data, "7.6e-4", lastElementDropped},
		{name, "blocks are added up in BF16", data, "7.1e-4", func() (scene, error) {
			p := newProduct(fewRows, fewColumns, wideK, 2)
			return withMistake(p.Recording, "accumulate-bf16", p.deepGEMM)
		}},
		{
			name, "one tile of 1792 is never written",
			"the same, a tile of 32×32 of 1024×1792 for one of 128×128 of 4096×7168, K 64 for 7168", "9.5e-4",
			tileUnwritten,
		},
		{
			"DeepGEMM calc_diff 5e-6", "no promotion: all of K in the tensor core's 14 bits",
			"normal codes, scales of 1, K 7168; float32 outputs", "2e-6", promotionMissing,
		},
		{
			"SGLang FP8", "blocks are added up in BF16", "outputs of rms 7.9, K 16384; m 4, n 64", "0.47",
			blocksInBF16,
		},
	}
}

func lastElementDropped() (scene, error) {
	p := newProduct(fewRows, fewColumns, wideK, 1)
	return withWrong(p.Recording, p.deepGEMM, misreads("a", func(a *tensor.Tensor) {
		for m := range fewRows {
			a.Row(m)[wideK-1] = 0
		}
	}))
}

func blocksInBF16() (scene, error) {
	p := newProduct(fewRows/2, fewColumns, sglangK, 5)
	err := edit(p.Recording, "a_scale", times(sglangSize/math.Sqrt(sglangK)))
	if err != nil {
		return scene{}, err
	}
	return withMistake(p.Recording, "accumulate-bf16", by("SGLang FP8", "c"))
}

// times multiplies all numbers.
func times(factor float64) func(x *tensor.Tensor) {
	return func(x *tensor.Tensor) {
		for i := range x.Data {
			x.Data[i] *= factor
		}
	}
}

func tileUnwritten() (scene, error) {
	const rows, columns, k, side = 1024, 1792, 64, 32
	p := newProduct(rows, columns, k, 3)
	return withWrong(p.Recording, p.deepGEMM, spoils("c", func(c *tensor.Tensor) {
		for m := rows - side; m < rows; m++ {
			clear(c.Row(m)[columns-side:])
		}
	}))
}

func promotionMissing() (scene, error) {
	p := product{Recording: recording.New("fp8.gemm")}
	rng := rand.New(rand.NewPCG(4, 7))
	for name, shape := range map[string][]int{"a": {fewRows / 2, wideK}, "b": {fewColumns / 4, wideK}} {
		x := tensor.Of(bf16Normals(rng, shape[0]*wideK), shape...)
		p.Set(name, dtype.F8E4M3, x)
		scales := tensor.New(1, wideK/blockSide)
		if name == "a" {
			scales = tensor.New(shape[0], wideK/blockSide)
		}
		emulate.Fill(scales.Data, 1)
		p.Set(name+"_scale", dtype.F32, scales)
	}
	measure := by("DeepGEMM calc_diff 5e-6", "c")
	promoted := emulate.Config{Accumulate: hopper, Output: dtype.F32}
	right, err := emulate.Run(p.Recording, promoted)
	if err != nil {
		return scene{}, err
	}
	promoted.Mistake = "promotion-missing"
	wrong, err := otherwise(right, p.Recording, promoted)
	return scene{right, wrong, measure}, err
}

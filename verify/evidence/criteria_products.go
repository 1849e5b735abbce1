package evidence

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// Tolerances of products and of experts.
const (
	deepGEMMDiff     = 1e-3 // DeepGEMM, tests/generators.py: QuantConfig.max_diff of fp8
	deepGEMMStrict   = 5e-6 // tests/test_attention.py, ref_diff_tol: float32 outputs of dequantised operands
	deepGEMMStrict16 = 3e-5 // and bf16 outputs
	vLLMBlockFP8     = 1e-3 // vLLM, tests/kernels/quantization/test_block_fp8.py: mean |Δ| / mean |want|
	sglangFP8Atol    = 1.0  // SGLang, sgl-kernel/tests/test_fp8_blockwise_gemm.py
	sglangFP8Rtol    = 0.02 //
	hipDNNSwitch     = 0.01 // hipDNN, DynamicTolerances.hpp: 2nu from where on the bound is a statistical one,
	hipDNNSigmas     = 6.0  // six of √(2n)·u
	flashInferAbs    = 0.05 // flashinfer, tests/moe/utils.py: |Δ| of an element that counts as right,
	flashInferOfStd  = 1.5  // or in standard deviations of what is wanted, whichever is more,
	flashInferRel    = 0.5  // or relative;
	flashInferShare  = 0.97 // the share of elements that have to be right
	flashInferFP8Abs = 0.1  // tests/moe/test_dpsk_fused_moe_fp8.py: atol
	flashInferFP8Rel = 0.2  // rtol
	flashInferFP8Of  = 0.85 // the share
	blockSide        = 128  // elements that share a scale
)

func ofProducts() []Criterion {
	return []Criterion{
		{
			Name: "DeepGEMM calc_diff 1e-3", Source: "deepseek-ai/DeepGEMM tests/generators.py",
			On:      "FP8 products, the reference of the codes themselves: theirs has the error of quantising too",
			applies: products, measure: func(p *Pair) Measure {
				return below(calcDiff(p.Got, p.reference()), deepGEMMDiff)
			},
		},
		{
			Name: "DeepGEMM calc_diff 5e-6", Source: "deepseek-ai/DeepGEMM tests/test_attention.py",
			On: "FP8 products; 3e-5 for 16-bit outputs", applies: products, measure: func(p *Pair) Measure {
				limit := deepGEMMStrict
				if narrow(p) {
					limit = deepGEMMStrict16
				}
				return below(calcDiff(p.Got, p.reference()), limit)
			},
		},
		{
			Name: "vLLM block FP8", Source: "vllm tests/kernels/quantization/test_block_fp8.py", On: "FP8 products",
			applies: products, measure: func(p *Pair) Measure {
				return below(meanDistance(p.Got, p.stored()), vLLMBlockFP8)
			},
		},
		{
			Name: "SGLang FP8", Source: "sglang sgl-kernel/tests/test_fp8_blockwise_gemm.py", On: "FP8 products",
			applies: products, measure: func(p *Pair) Measure {
				return within(both(p.Got, p.stored(), sglangFP8Atol, sglangFP8Rtol))
			},
		},
		{
			Name: "hipDNN γ", Source: "ROCm hipDNN DynamicTolerances.hpp", On: "FP8 products, by the largest operands",
			applies: products, measure: func(p *Pair) Measure {
				tolerance := hipDNN(p)
				return within(both(p.Got, p.stored(), tolerance, tolerance))
			},
		},
	}
}

// meanDistance is mean |got − want| / mean |want|.
func meanDistance(got, want []float64) float64 {
	var apart, size float64
	for i, w := range want {
		d := distance(got[i], w)
		if d == 0 && !dtype.Finite(w) {
			continue
		}
		apart += d
		size += math.Abs(w)
	}
	if apart == 0 {
		return 0
	}
	return apart / size
}

// hipDNN is γ·n·max|a|·max|b| and one rounding of the same: what n products may err by that are
// added up in float32.
func hipDNN(p *Pair) float64 {
	width := p.Call.Shape("a")[1]
	size := float64(width) * largest(p, "a") * largest(p, "b")
	tolerance := gamma(width, 2*dtype.F32.UnitRoundoff()) * size
	if p.Type != dtype.F32 {
		tolerance += 2 * p.Type.UnitRoundoff() * size
	}
	return tolerance
}

// gamma is 2nu/(1 − 2nu), or 6·√(2n)·u from 2nu = 0.01 on; u is twice the unit roundoff there.
func gamma(n int, u float64) float64 {
	if linear := 2 * float64(n) * u; linear < hipDNNSwitch {
		return linear / (1 - linear)
	}
	return hipDNNSigmas * math.Sqrt(2*float64(n)) * u
}

// largest is the largest number of a dequantised operand.
func largest(p *Pair, name string) (most float64) {
	codes, err := p.Call.Tensor(name)
	if err != nil {
		return math.NaN()
	}
	scales, err := p.Call.Tensor(name + "_scale")
	if err != nil {
		return math.NaN()
	}
	for _, x := range dequantised(codes, scales) {
		if dtype.Finite(x) {
			most = max(most, math.Abs(x))
		}
	}
	return most
}

// dequantised multiplies codes [… × K] by the scales of their blocks, of one row or of 128.
func dequantised(codes, scales *tensor.Tensor) []float64 {
	axes := len(codes.Shape)
	width, blocks := codes.Shape[axes-1], scales.Shape[axes-1]
	rows, tall := codes.Shape[axes-2], 1
	if scales.Shape[axes-2] != rows {
		tall = blockSide
	}
	x := make([]float64, codes.Len())
	for i, code := range codes.Data {
		row, k := i/width, i%width
		matrix, within := row/rows, row%rows
		x[i] = code * scales.Data[(matrix*scales.Shape[axes-2]+within/tall)*blocks+k/blockSide]
	}
	return x
}

func ofExperts() []Criterion {
	return []Criterion{
		{
			Name: "flashinfer 97 %", Source: "flashinfer tests/moe/utils.py",
			On: "outputs of experts", applies: experts, measure: func(p *Pair) Measure {
				want := p.reference()
				loose := max(flashInferAbs, flashInferOfStd*deviation(want))
				return atLeast(shareWithin(p.Got, want, func(d, w float64) bool {
					return d < loose || d < flashInferRel*w
				}), flashInferShare)
			},
		},
		{
			Name: "flashinfer 85 %", Source: "flashinfer tests/moe/test_dpsk_fused_moe_fp8.py",
			On: "outputs of experts", applies: experts, measure: func(p *Pair) Measure {
				return atLeast(shareWithin(p.Got, p.reference(), func(d, w float64) bool {
					return d <= flashInferFP8Abs+flashInferFP8Rel*w
				}), flashInferFP8Of)
			},
		},
	}
}

// atLeast is a measure of the share that is wrong, beside the share that may be.
func atLeast(share, limit float64) Measure { return Measure{Value: 1 - share, Limit: 1 - limit} }

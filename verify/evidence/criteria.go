package evidence

import (
	"math"
	"slices"
	"strings"

	"plumbline/numbers/dtype"
)

// Criterion is the acceptance test of one project.
type Criterion struct {
	Name   string
	Source string // where it stands: the project and its file
	On     string // what it is applied to, in words

	applies func(p *Pair) bool
	measure func(p *Pair) Measure
}

// Measure is what a criterion measures on one output, beside its limit.
type Measure struct {
	Value, Limit float64
	Strict       bool // the limit itself fails
}

// Passes tells whether a measure is within its limit. NaN never is.
func (m Measure) Passes() bool { return m.Value < m.Limit || !m.Strict && m.Value == m.Limit }

// within is a measure in units of its limit.
func within(value float64) Measure { return Measure{Value: value, Limit: 1} }

// below is a measure that has to be smaller than its limit.
func below(value, limit float64) Measure { return Measure{Value: value, Limit: limit, Strict: true} }

// Pass tells whether the outputs that a criterion is applied to pass it, and whether there is one.
func (c Criterion) Pass(pairs []*Pair) (passes, used bool) {
	passes = true
	for _, p := range pairs {
		if c.applies(p) {
			used = true
			passes = passes && c.measure(p).Passes()
		}
	}
	return passes, used
}

// Criteria returns the criteria of others, in the order of the tables.
func Criteria() []Criterion {
	return slices.Concat(general(), ofAttention(), ofDecoding(), ofProducts(), ofExperts(), ofYardsticks())
}

// What criteria are applied to.
func everything(*Pair) bool      { return true }
func numbers(p *Pair) bool       { return !p.Choice }
func narrow(p *Pair) bool        { return p.Type.Size() == 2 }
func attention(p *Pair) bool     { return strings.HasPrefix(p.Op, "attention.") || p.Op == "mla.decode" }
func products(p *Pair) bool      { return p.Op == "fp8.gemm" || p.Op == "fp8.grouped_gemm" }
func experts(p *Pair) bool       { return p.Op == "moe.experts" || p.Op == "moe.layer" }
func outputs(p *Pair) bool       { return p.Output == "o" || isGradient(p) }
func isGradient(p *Pair) bool    { return p.Op == "attention.backward" }
func isLogSumExp(p *Pair) bool   { return p.Output == "lse" }
func isMLADecode(p *Pair) bool   { return p.Op == "mla.decode" }
func attentionIn16(p *Pair) bool { return attention(p) && p.Call.Type(firstFloat(p.Call)).Size() == 2 }

// closeness is the pair of tolerances of a comparison by |got − want| ≤ atol + rtol·|want|.
type closeness struct{ rtol, atol float64 }

// torchDefaults are those of torch.testing.assert_close by the type of what is compared,
// torch/testing/_comparison.py; other types have to be equal.
var torchDefaults = map[dtype.Type]closeness{
	dtype.F16: {1e-3, 1e-5}, dtype.BF16: {1.6e-2, 1e-5}, dtype.F32: {1.3e-6, 1e-5}, dtype.F64: {1e-7, 1e-7},
}

// Tolerances of projects that have few for all.
const (
	looseTolerance       = 1e-2 // the rtol and atol of a thousand tests: torch.allclose(…, 1e-2, 1e-2)
	kernelBenchFloat32   = 1e-4 // KernelBench, src/kernelbench/eval.py: of float32
	kernelBenchNarrow    = 1e-2 // and of float16 and bfloat16
	gpuemuSoftmaxFloat16 = 2e-2 // gpuemu, table of its second paper: softmax in float16
	gpuemuProductFloat16 = 5e-2 // attention in float16
	gpuemuFloat32        = 1e-4 // norms and activations in float32
	gpuemuProductFloat32 = 5e-2 // products of matrices in float32
	gpuemuBFloat16       = 1e-2 // bfloat16
	gpuemuProductBFloat  = 1e-1 // products and attention in bfloat16
)

func general() []Criterion {
	return []Criterion{
		{
			Name: "torch assert_close", Source: "pytorch torch/testing/_comparison.py",
			On:      "all outputs, the reference in their type; indices and codes have to be equal",
			applies: everything, measure: func(p *Pair) Measure {
				c := torchDefaults[p.Type]
				return within(both(p.Got, p.stored(), c.atol, c.rtol))
			},
		},
		{
			Name: "allclose 1e-2", Source: "the rtol and atol of most kernel tests", On: "all numbers",
			applies: numbers, measure: func(p *Pair) Measure {
				return within(both(p.Got, p.reference(), looseTolerance, looseTolerance))
			},
		},
		{
			Name: "KernelBench", Source: "ScalingIntelligence/KernelBench src/kernelbench/eval.py", On: "all numbers",
			applies: numbers, measure: func(p *Pair) Measure {
				tolerance := kernelBenchNarrow
				if !narrow(p) {
					tolerance = kernelBenchFloat32
				}
				return within(both(p.Got, p.stored(), tolerance, tolerance))
			},
		},
		{
			Name: "gpuemu", Source: "arXiv 2606.20128 and 2607.16228, tolerances by op and type",
			On: "all numbers", applies: numbers, measure: func(p *Pair) Measure {
				return within(both(p.Got, p.Truth, gpuemuTolerance(p), 0))
			},
		},
	}
}

// gpuemuTolerance is absolute. Attention and what multiplies matrices count as products.
func gpuemuTolerance(p *Pair) float64 {
	product := attention(p) || products(p) || experts(p) || p.Op == "mla.layer" || p.Op == "mtp.combine"
	switch {
	case p.Type == dtype.BF16 && product:
		return gpuemuProductBFloat
	case p.Type == dtype.BF16:
		return gpuemuBFloat16
	case p.Type == dtype.F16 && product:
		return gpuemuProductFloat16
	case p.Type == dtype.F16:
		return gpuemuSoftmaxFloat16
	case product:
		return gpuemuProductFloat32
	}
	return gpuemuFloat32
}

// Tolerances of attention.
const (
	flashMLAOut       = 8e-4         // FlashMLA, tests/test_flash_mla_dense_decoding.py: |Δ| of an output, or
	flashMLAOutRel    = 2.01 / 128   // relative
	flashMLAOutCos    = 5e-6         // and 1 − 2⟨x, y⟩/(‖x‖² + ‖y‖²) of all of it
	flashMLALse       = 1e-6         // the same of its log-sum-exp
	flashMLALseRel    = 8.01 / 65536 //
	flashMLALseCos    = 1e-7         //
	flashMLATrain     = 1e-3         // tests/test_fmha_sm100.py: output and gradients
	flashMLATrainRel  = 8.01 / 128   //
	flashMLATrainCos  = 7e-6         //
	flashMLASilent    = 1e-12        // ‖want‖² below which the cosine counts as 0
	cuDNNOut          = 8e-4         // cuDNN frontend, test/python: atol of attention's outputs,
	cuDNNOutRel       = 3.01 / 128   // with this rtol
	cuDNNLseRel       = 2.01 / 65536 // rtol of its log-sum-exp
	vLLMOut           = 1e-5         // vLLM, tests/kernels/attention/test_cutlass_mla_decode.py: cosine of bf16 outputs
	vLLMLse           = 1e-3         // and of log-sum-exps
	sglangMLA         = 1e-2         // SGLang, sgl-kernel/tests/test_cutlass_mla.py: atol and rtol
	ggmlAttention     = 5e-4         // llama.cpp, tests/test-backend-ops.cpp: NMSE of attention and products
	ggmlDefault       = 1e-7         // and of all else
	flashInferMLA     = 1e-3         // flashinfer, tests/attention/test_deepseek_mla.py: rtol and atol of fp16
	flashInferMLAWide = 1e-2         // and of comparisons in bf16
)

func ofAttention() []Criterion {
	return []Criterion{
		{
			Name: "FlashMLA", Source: "deepseek-ai/FlashMLA tests/kernelkit/compare.py",
			On: "attention of 16-bit inputs: outputs and gradients, log-sum-exps of decoding",
			applies: func(p *Pair) bool {
				return attentionIn16(p) && (outputs(p) || isLogSumExp(p) && isMLADecode(p))
			},
			measure: flashMLA,
		},
		{
			Name: "cuDNN frontend", Source: "NVIDIA/cudnn-frontend test/python",
			On:      "attention of 16-bit inputs, forward",
			applies: func(p *Pair) bool { return attentionIn16(p) && !isGradient(p) }, measure: cuDNN,
		},
		{
			Name: "ggml NMSE", Source: "llama.cpp tests/test-backend-ops.cpp",
			On: "float32 outputs of rotation, norm, attention and products", applies: inGGML, measure: ggml,
		},
	}
}

func cuDNN(p *Pair) Measure {
	if isLogSumExp(p) {
		return within(both(p.Got, p.reference(), 0, cuDNNLseRel))
	}
	return within(both(p.Got, p.reference(), cuDNNOut, cuDNNOutRel))
}

func ofDecoding() []Criterion {
	return []Criterion{
		{
			Name: "vLLM cosine", Source: "vllm tests/kernels/attention/test_cutlass_mla_decode.py",
			On:      "decoding of 16-bit inputs",
			applies: func(p *Pair) bool { return isMLADecode(p) && attentionIn16(p) }, measure: func(p *Pair) Measure {
				if isLogSumExp(p) {
					return below(calcDiff(p.Got, p.reference()), vLLMLse)
				}
				return below(calcDiff(p.Got, p.reference()), vLLMOut)
			},
		},
		{
			Name: "SGLang MLA", Source: "sglang sgl-kernel/tests/test_cutlass_mla.py", On: "outputs of decoding",
			applies: func(p *Pair) bool { return isMLADecode(p) && outputs(p) }, measure: func(p *Pair) Measure {
				return within(both(p.Got, p.stored(), sglangMLA, sglangMLA))
			},
		},
		{
			Name: "flashinfer MLA", Source: "flashinfer tests/attention/test_deepseek_mla.py",
			On:      "decoding of 16-bit inputs",
			applies: func(p *Pair) bool { return isMLADecode(p) && attentionIn16(p) }, measure: func(p *Pair) Measure {
				tolerance := flashInferMLA
				if p.Type == dtype.BF16 {
					tolerance = flashInferMLAWide
				}
				return within(both(p.Got, p.reference(), tolerance, tolerance))
			},
		},
	}
}

func flashMLA(p *Pair) Measure {
	atol, rtol, cosine := flashMLAOut, flashMLAOutRel, flashMLAOutCos
	switch {
	case isLogSumExp(p):
		atol, rtol, cosine = flashMLALse, flashMLALseRel, flashMLALseCos
	case !isMLADecode(p):
		atol, rtol, cosine = flashMLATrain, flashMLATrainRel, flashMLATrainCos
	}
	want := p.reference()
	apart := calcDiff(p.Got, want)
	if meanSquare(want)*float64(len(want)) < flashMLASilent {
		apart = 0
	}
	return within(max(either(p.Got, want, atol, rtol), apart/cosine))
}

func inGGML(p *Pair) bool {
	known := attention(p) && outputs(p) || products(p) || p.Op == "norm.rms" || p.Op == "rope.apply"
	return known && p.Type == dtype.F32
}

// ggml is Σ (got − want)²/Σ got²: it is what the kernel gave that the error is measured by. A NaN
// is not larger than the limit, and passes.
func ggml(p *Pair) Measure {
	limit := ggmlDefault
	if attention(p) || products(p) {
		limit = ggmlAttention
	}
	var apart, sum float64
	for i, want := range p.reference() {
		apart += (p.Got[i] - want) * (p.Got[i] - want)
		sum += p.Got[i] * p.Got[i]
	}
	value := apart / sum
	if math.IsNaN(value) {
		value = 0
	}
	return Measure{Value: value, Limit: limit}
}

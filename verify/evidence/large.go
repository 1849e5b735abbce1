package evidence

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// large makes requests of DeepSeek-V3's sizes, by op: its widths, and as many rows, heads or keys
// as a kernel can be emulated on in seconds. Ops that have no size of their own are left out.
var large = map[string]func(seed uint64) (*recording.Recording, error){
	"attention.forward": largeAttention, "attention.backward": largeBackward, "mla.decode": largeDecode,
	"fp8.cast": largeCast, "fp8.gemm": largeProduct, "norm.rms": largeNorm, "rope.apply": largeRotation,
	"moe.gate": largeGate, "policy.logprob": largeLogprob,
}

// The sizes of DeepSeek-V3.
const (
	v3Width, v3Heads, v3Vocab              = 7168, 128, 129280
	v3Nope, v3Rope, v3Value                = 128, 64, 128
	v3Latent                               = 512
	v3Temperature                          = 1.8738542 // (1 + 0.1 ln 40)², of its softmax scale
	fewHeads, fewTokens, fewKeys, manyRows = 16, 16, 512, 32
	v3Down                                 = v3Latent + v3Rope // columns of W^DKV
)

func largeAttention(seed uint64) (*recording.Recording, error) {
	m := newMaker("attention.forward", seed+100)
	m.heads(fewTokens, fewKeys, fewHeads)
	return m.Recording, nil
}

func largeBackward(seed uint64) (*recording.Recording, error) {
	m := newMaker("attention.backward", seed+100)
	m.heads(fewTokens, fewKeys/4, fewHeads/4)
	m.normal("do", dtype.BF16, 1, 1, fewTokens, fewHeads/4, v3Value)
	return m.Recording, nil
}

// heads makes causal attention of the widths of the naive form, whose logits spread by 2.
func (m maker) heads(queries, keys, heads int) {
	const width = v3Nope + v3Rope
	m.normal("q", dtype.BF16, 2, 1, queries, heads, width)
	m.normal("k", dtype.BF16, 1, 1, keys, heads, width)
	m.normal("v", dtype.BF16, 1, 1, keys, heads, v3Value)
	m.Attrs["causal"] = true
	m.number("scale", 1/math.Sqrt(width))
}

// largeDecode has all heads, two sequences and two queries each.
func largeDecode(seed uint64) (*recording.Recording, error) {
	const page, blocks, width = 64, fewKeys / 64, v3Down
	m := newMaker("mla.decode", seed+100)
	m.normal("q", dtype.BF16, 1, 2, 2, v3Heads, width)
	m.normal("kv_cache", dtype.BF16, 1, 2*blocks, page, 1, width)
	table := make([]float64, 0, 2*blocks)
	for _, b := range m.rng.Perm(2 * blocks) {
		table = append(table, float64(b))
	}
	m.whole("block_table", table, 2, blocks)
	m.whole("kv_lens", []float64{fewKeys, fewKeys - 37}, 2)
	m.number("scale", v3Temperature/math.Sqrt(v3Nope+v3Rope)/2)
	return m.Recording, nil
}

func largeCast(seed uint64) (*recording.Recording, error) {
	m := newMaker("fp8.cast", seed+100)
	m.normal("x", dtype.BF16, 1, manyRows, v3Width)
	m.Attrs["recipe"] = "divide"
	return m.Recording, nil
}

// largeProduct is W^DKV on a few tokens.
func largeProduct(seed uint64) (*recording.Recording, error) {
	return newProduct(2, v3Down, v3Width, seed+100).Recording, nil
}

func largeNorm(seed uint64) (*recording.Recording, error) {
	m := newMaker("norm.rms", seed+100)
	m.normal("x", dtype.BF16, 1, manyRows, v3Width)
	weight := tensor.New(v3Width)
	for i := range weight.Data {
		weight.Data[i] = 1 + 0.2*m.rng.NormFloat64()
	}
	m.Set("weight", dtype.BF16, weight)
	return m.Recording, nil
}

func largeRotation(seed uint64) (*recording.Recording, error) {
	m := newMaker("rope.apply", seed+100)
	m.normal("x", dtype.BF16, 1, fewTokens, v3Heads, v3Rope)
	positions := make([]float64, fewTokens)
	for i := range positions {
		positions[i] = float64(1 + 263*i)
	}
	m.whole("positions", positions, fewTokens)
	m.Attrs["yarn"] = map[string]any{
		"factor": recording.Number(40), "original_context": recording.Number(4096), "beta_fast": recording.Number(32),
		"beta_slow": recording.Number(1), "mscale": recording.Number(1), "mscale_all_dim": recording.Number(1),
	}
	return m.Recording, nil
}

func largeGate(seed uint64) (*recording.Recording, error) {
	g, err := newGating(seed+100, manyRows)
	if err != nil {
		return nil, err
	}
	g.normal("bias", dtype.F32, 0.05, gateExperts)
	g.Attrs["normalize"] = true
	g.number("scale", 2.5)
	return g.Recording, nil
}

func largeLogprob(seed uint64) (*recording.Recording, error) {
	m := newMaker("policy.logprob", seed+100)
	m.normal("logits", dtype.BF16, 2, 4, v3Vocab)
	tokens := make([]float64, 4)
	for i := range tokens {
		tokens[i] = float64(m.rng.IntN(v3Vocab))
	}
	m.whole("tokens", tokens, 4)
	return m.Recording, nil
}

package bench

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"

	"plumbline/golden"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	_ "plumbline/verify/emulate/all"
	"plumbline/verify/recording"
)

// call is one call of an op. Widths are DeepSeek-V3's: hidden states of 7168, latents of 512 + 64,
// heads of 128 + 64, experts of 2048, a vocabulary of 129,280. Rows, and where weights would not
// fit into a benchmark heads and experts, are fewer than in the model.
type call struct {
	*emulate.Maker

	// operations of the equation, to the leading term: a multiplication with its addition is two,
	// an exponential, a root or a sine one.
	operations float64
	unasked    []string // outputs that are not recorded
}

// maker describes a call and makes it.
type maker struct {
	says  string
	build func(c *call)
}

// calls has one call of every op.
var calls = joined(ofAttention, ofExperts, ofWidths, ofVocabulary, ofObjectives)

func joined(families ...map[string]maker) map[string]maker {
	all := map[string]maker{}
	for _, f := range families {
		maps.Copy(all, f)
	}
	return all
}

// make returns the call as a file, with the outputs that a right kernel leaves.
func (m maker) make(op string) (file []byte, operations float64) {
	c := &call{Maker: newMaker(op)}
	m.build(c)
	rec := c.Recording
	if len(rec.Outputs()) == 0 {
		var err error
		rec, err = emulate.Run(rec, emulate.Config{})
		optest.Must(err)
	}
	for _, name := range c.unasked {
		rec.Delete("out." + name)
	}
	return written(rec), c.operations
}

func newMaker(op string) *emulate.Maker {
	return &emulate.Maker{Rand: emulate.NewRand(1, op), Recording: recording.New(op)}
}

// written is a recording as a file whose inputs are all stored.
func written(rec *recording.Recording) []byte {
	rec = rec.Clone()
	for _, name := range rec.Inputs() {
		if _, made := rec.Recipe(name); made {
			x, err := rec.Tensor(name)
			optest.Must(err)
			rec.Set(name, rec.Type(name), x)
		}
	}
	var file bytes.Buffer
	_, err := rec.WriteTo(&file)
	optest.Must(err)
	return file.Bytes()
}

// product of the sizes of something.
func product(sizes ...int) float64 {
	n := 1.0
	for _, s := range sizes {
		n *= float64(s)
	}
	return n
}

// normal sets normal numbers of a deviation.
func (c *call) normal(name string, t dtype.Type, deviation float64, shape ...int) {
	c.Set(name, t, c.Normals(0, deviation, shape...))
}

// weight sets matrices [out × in] in BF16 that keep the size of what they multiply.
func (c *call) weight(name string, shape ...int) {
	c.normal(name, dtype.BF16, 1/math.Sqrt(float64(shape[len(shape)-1])), shape...)
}

// around sets normal numbers around a mean, in F32.
func (c *call) around(name string, mean, deviation float64, shape ...int) {
	c.Set(name, dtype.F32, c.Normals(mean, deviation, shape...))
}

// between sets numbers from lo up to hi.
func (c *call) between(name string, t dtype.Type, lo, hi float64, shape ...int) {
	x := tensor.New(shape...)
	for i := range x.Data {
		x.Data[i] = c.Within(lo, hi)
	}
	c.Set(name, t, x)
}

// ints sets integers that f gives.
func (c *call) ints(name string, f func(i int) int, shape ...int) {
	x := tensor.New(shape...)
	for i := range x.Data {
		x.Data[i] = float64(f(i))
	}
	c.Set(name, dtype.I32, x)
}

// below is for integers from 0 up to n − 1.
func (c *call) below(n int) func(int) int { return func(int) int { return c.IntN(n) } }

// spread gives each token experts that differ.
func spread(slots, experts int) func(int) int {
	return func(i int) int { return (i/slots*7 + i%slots*5) % experts }
}

// attrs sets attributes: words, flags and numbers.
func (c *call) attrs(attrs map[string]any) {
	for name, value := range attrs {
		c.Attrs[name] = recording.Value(value)
	}
}

// shipped takes a recording of golden as it is.
func (c *call) shipped(name string) {
	rec, err := golden.Open(name)
	optest.Must(err)
	c.Recording = rec
}

// ofAttention are attention and latent attention.
var ofAttention = map[string]maker{
	"attention.forward": {"16 queries, 1024 keys, 128 heads", func(c *call) { c.attention(16, 1024, 128) }},
	"attention.backward": {"8 queries, 128 keys, 16 of 128 heads", func(c *call) {
		c.attention(8, 128, 16)
		c.normal("do", dtype.BF16, 1, 1, 8, 16, 128)
		c.operations = 2 * product(8, 128, 16) * (3*192 + 2*128)
	}},
	"attention.merge": {"4 parts, 512 rows of 512", func(c *call) {
		c.normal("o", dtype.BF16, 1, 4, 512, 512)
		c.around("lse", 3, 1, 4, 512)
		c.operations = 2 * product(4, 512, 512)
	}},
	"mla.decode": {"4 queries, 4096 keys each, 128 heads", func(c *call) {
		c.shipped("mla-decode-v3-bf16.safetensors")
		c.operations = 2 * product(4, 4096, 128) * (576 + 512)
	}},
	"mla.layer": {"16 tokens, 8 of 128 heads", func(c *call) { c.layer(16, 8) }},
}

// attention sets q, k and v with heads of their own, as prefill has them: the last queries of a
// sequence.
func (c *call) attention(queries, keys, heads int) {
	c.normal("q", dtype.BF16, 1, 1, queries, heads, 192)
	c.normal("k", dtype.BF16, 1, 1, keys, heads, 192)
	c.normal("v", dtype.BF16, 1, 1, keys, heads, 128)
	c.attrs(map[string]any{"causal": true})
	c.operations = 2 * product(queries, keys, heads) * (192 + 128)
}

// decode sets a decoding step over a paged cache.
func (c *call) decode(sequences, keys, heads int) {
	const page = 64
	c.normal("q", dtype.BF16, 0.5, sequences, 1, heads, 576)
	c.normal("kv_cache", dtype.BF16, 1, sequences*keys/page, page, 1, 576)
	blocks := c.Perm(sequences * keys / page)
	c.ints("block_table", func(i int) int { return blocks[i] }, sequences, keys/page)
	c.ints("kv_lens", func(int) int { return keys }, sequences)
	c.attrs(map[string]any{"scale": 0.1352337788608801}) // DeepSeek-V3's
	c.operations = 2 * product(sequences, keys, heads) * (576 + 512)
}

// layer sets a layer of latent attention.
func (c *call) layer(tokens, heads int) {
	c.normal("x", dtype.BF16, 1, 1, tokens, 7168)
	c.weight("w_dq", 1536, 7168)
	c.around("norm_q", 1, 0.1, 1536)
	c.weight("w_uq", heads*192, 1536)
	c.weight("w_dkv", 576, 7168)
	c.around("norm_kv", 1, 0.1, 512)
	c.weight("w_ukv", heads*256, 512)
	c.weight("w_o", 7168, heads*128)
	c.attrs(map[string]any{"heads": heads, "nope_dim": 128, "rope_dim": 64, "value_dim": 128})
	weights := product(1536+576, 7168) + product(heads*192, 1536) + product(heads*256, 512) + product(7168, heads*128)
	c.operations = 2 * float64(tokens) * (weights + product(tokens, heads, 192+128))
}

// ofExperts are mixtures of experts.
var ofExperts = map[string]maker{
	"moe.gate": {"64 tokens, 256 experts in 8 groups", func(c *call) {
		c.gate(64, 256, map[string]any{"top_k": 8, "groups": 8, "top_groups": 4, "scale": 2.5})
	}},
	"moe.experts": {"8 tokens, 2 experts of 2048", func(c *call) {
		c.normal("x", dtype.BF16, 1, 8, 7168)
		c.experts(2)
		c.ints("indices", spread(1, 2), 8, 1)
		c.between("weights", dtype.F32, 0.2, 1, 8, 1)
		c.operations = 2 * product(8, 3, 2048, 7168)
	}},
	"moe.layer": {"8 tokens, 2 experts of 2048, one of them for each", func(c *call) {
		c.gate(8, 2, map[string]any{"top_k": 1})
		c.experts(2)
		c.operations += 2 * product(8, 3, 2048, 7168)
	}},
	"moe.dispatch": {"4096 tokens, 8 of 256 experts", func(c *call) {
		c.ints("indices", spread(8, 256), 4096, 8)
		c.attrs(map[string]any{"experts": 256})
		c.operations = product(4096, 8)
	}},
	"moe.balance_loss": {"4096 tokens, 8 of 256 experts", func(c *call) {
		c.between("scores", dtype.F32, 0, 1, 4096, 256)
		c.ints("indices", spread(8, 256), 4096, 8)
		c.operations = product(4096, 256)
	}},
	"moe.bias_update": {"256 experts", func(c *call) {
		c.around("bias", 0, 0.1, 256)
		c.ints("load", c.below(1000), 256)
		c.operations = 3 * 256
	}},
}

// gate sets tokens, centroids and a bias.
func (c *call) gate(tokens, experts int, attrs map[string]any) {
	c.normal("x", dtype.BF16, 1, tokens, 7168)
	c.weight("weight", experts, 7168)
	c.around("bias", 0, 0.1, experts)
	c.attrs(attrs)
	c.operations = 2 * product(tokens, experts, 7168)
}

// experts sets the weights of experts.
func (c *call) experts(n int) {
	c.weight("w_gate", n, 2048, 7168)
	c.weight("w_up", n, 2048, 7168)
	c.weight("w_down", n, 7168, 2048)
}

// ofWidths are ops on rows of hidden states, their codes, and heads.
var ofWidths = map[string]maker{
	"norm.rms": {"64 rows of 7168", func(c *call) {
		c.normal("x", dtype.BF16, 1, 64, 7168)
		c.around("weight", 1, 0.1, 7168)
		c.operations = 4 * product(64, 7168)
	}},
	"rope.apply": {"64 tokens, 128 heads of 64", func(c *call) {
		c.normal("x", dtype.BF16, 1, 64, 128, 64)
		c.ints("positions", c.below(4096), 64)
		c.operations = 3 * product(64, 128, 64)
	}},
	"rope.table": {"4096 positions, 32 pairs", func(c *call) {
		c.ints("positions", func(i int) int { return i }, 4096)
		c.attrs(map[string]any{"dim": 64})
		c.operations = 3 * product(4096, 32)
	}},
	"mtp.combine": {"8 tokens, 7168 × 14336", func(c *call) {
		c.normal("hidden", dtype.BF16, 1, 8, 7168)
		c.normal("embedding", dtype.BF16, 1, 8, 7168)
		c.around("norm_hidden", 1, 0.1, 7168)
		c.around("norm_embedding", 1, 0.1, 7168)
		c.weight("projection", 7168, 2*7168)
		c.operations = 2 * product(8, 7168, 2*7168)
	}},
	"fp8.cast": {"64 rows of 7168", func(c *call) {
		c.normal("x", dtype.BF16, 1, 64, 7168)
		c.operations = 2 * product(64, 7168)
	}},
	"fp8.gemm": {"4 × 128 × 7168", func(c *call) {
		c.codes(4, 128)
	}},
	"fp8.grouped_gemm": {"2 experts, 2 rows each, 128 × 7168", func(c *call) {
		c.codes(4, 128, 2)
		c.ints("counts", func(int) int { return 2 }, 2)
	}},
	"mma.step": {"as recorded on an H100, E4M3", func(c *call) {
		c.shipped("mma-step-h100-e4m3.safetensors")
		c.operations = 2 * product(c.Shape("a")...)
	}},
}

// codes sets operands of so many rows and columns, b once, or for each of so many experts.
func (c *call) codes(rows, columns int, experts ...int) {
	of := func(shape ...int) []int { return slices.Concat(experts, shape) }
	c.normal("a", dtype.F8E4M3, 100, rows, 7168)
	c.normal("b", dtype.F8E4M3, 100, of(columns, 7168)...)
	c.between("a_scale", dtype.F32, 0.005, 0.02, rows, 7168/128)
	c.between("b_scale", dtype.F32, 0.0005, 0.002, of(columns/128, 7168/128)...)
	c.operations = 2 * product(rows, columns, 7168)
}

const vocabulary = 129280

// ofVocabulary are ops on distributions over tokens.
var ofVocabulary = map[string]maker{
	"policy.logprob": {"8 tokens of 129,280", func(c *call) { c.logits(8, vocabulary) }},
	"policy.mismatch": {"4 tokens of 129,280, two engines", func(c *call) {
		c.normal("logits_a", dtype.F32, 2, 4, vocabulary)
		a, err := c.Tensor("logits_a")
		optest.Must(err)
		c.Set("logits_b", dtype.F32, a)
		c.ints("tokens", c.below(vocabulary), 4)
		c.operations = 2 * 3 * product(4, vocabulary)
	}},
	"policy.cross_entropy": {"8 tokens, a rank's 4,040 of 129,280", func(c *call) {
		c.normal("hidden", dtype.BF16, 1, 8, 7168)
		c.weight("weight", vocabulary/32, 7168)
		c.ints("targets", c.below(vocabulary/32), 8)
		c.unasked = []string{"dweight"} // 29 million elements
		c.operations = 2 * 2 * product(8, vocabulary/32, 7168)
	}},
	"mtp.loss": {"1 depth, 8 tokens of 129,280", func(c *call) {
		c.normal("logits", dtype.BF16, 2, 1, 8, vocabulary)
		c.ints("tokens", c.below(vocabulary), 8)
		c.operations = 3 * product(8, vocabulary)
	}},
	"mtp.accept": {"4 sequences, 1 draft, 129,280 tokens", func(c *call) {
		c.ints("draft_tokens", c.below(vocabulary), 4, 1)
		c.between("draft_probs", dtype.F32, 0, 2.0/vocabulary, 4, 1, vocabulary)
		c.between("target_probs", dtype.F32, 0, 2.0/vocabulary, 4, 2, vocabulary)
		c.between("uniforms", dtype.F32, 0, 1, 4, 2)
		c.operations = 2 * product(4, 3, vocabulary)
	}},
}

// logits sets logits and sampled tokens.
func (c *call) logits(tokens, of int) {
	c.normal("logits", dtype.BF16, 2, tokens, of)
	c.ints("tokens", c.below(of), tokens)
	c.operations = 3 * product(tokens, of)
}

// ofObjectives are the losses of reinforcement learning, on batches of 64 sequences of 1024 tokens.
var ofObjectives = map[string]maker{
	"policy.kl": {batchSays, func(c *call) {
		c.batch("logprob", "ref_logprob")
		c.attrs(map[string]any{"estimator": "k3"})
	}},
	"ppo.gae": {batchSays, func(c *call) {
		c.batch("rewards", "values")
		c.attrs(map[string]any{"lambda": 0.95})
	}},
	"ppo.loss":       {batchSays, func(c *call) { c.batch("logprob", "old_logprob", "advantage") }},
	"grpo.loss":      {batchSays, func(c *call) { c.batch("logprob", "old_logprob", "advantage") }},
	"ppo.value_loss": {batchSays, func(c *call) { c.batch("values", "old_values", "returns") }},
	"grpo.advantage": {"8192 outputs in groups of 64", func(c *call) {
		c.around("rewards", 0, 1, 8192)
		c.ints("group", func(i int) int { return i / 64 }, 8192)
		c.operations = 5 * 8192
	}},
	"dpo.loss": {"8192 pairs", func(c *call) {
		for _, name := range []string{"chosen", "rejected", "ref_chosen", "ref_rejected"} {
			c.around(name, -90, 5, 8192)
		}
		c.operations = 8 * 8192
	}},
}

const batchRows, batchLong = 64, 1024

var batchSays = fmt.Sprintf("%d sequences of %d tokens", batchRows, batchLong)

// batch sets numbers of every token, all of which count.
func (c *call) batch(names ...string) {
	for _, name := range names {
		c.around(name, -1.5, 0.3, batchRows, batchLong)
	}
	c.ints("mask", func(int) int { return 1 }, batchRows, batchLong)
	c.operations = 6 * product(batchRows, batchLong)
}

package optest

import (
	"math"
	"math/rand/v2"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// DecodeRequest is one decoding step of DeepSeek's MLA, 576/512 wide, over a paged bf16 cache of
// scattered pages: logits of the given standard deviation, values around mean. The scale is that of
// the naive form, 1/√192.
func DecodeRequest(heads, keys int, deviation, mean float64, seed uint64) *recording.Recording {
	const width, page = 576, 64
	rng := rand.New(rand.NewPCG(seed, 0))
	scale := 1 / math.Sqrt(192)
	blocks := (keys + page - 1) / page
	q, cache := tensor.New(1, 1, heads, width), tensor.New(blocks, page, 1, width)
	for i := range q.Data {
		q.Data[i] = rng.NormFloat64() * deviation / scale / math.Sqrt(width)
	}
	for i := range cache.Data {
		cache.Data[i] = rng.NormFloat64()
		if i%width < 512 {
			cache.Data[i] += mean
		}
	}
	table := tensor.New(1, blocks)
	for i, b := range rng.Perm(blocks) {
		table.Data[i] = float64(b)
	}
	r := recording.New("mla.decode")
	r.Set("q", dtype.BF16, q)
	r.Set("kv_cache", dtype.BF16, cache)
	r.Set("block_table", dtype.I32, table)
	r.Set("kv_lens", dtype.I32, tensor.Of([]float64{float64(keys)}, 1))
	r.Attrs["scale"] = recording.Number(scale)
	return r
}

package model

import "math"

// CachePerToken returns by how many bytes a token makes the cache of a long sequence larger, in all
// layers.
//
//	Σ_l b_l
//
// It implements DeepSeek-V2 section 2.1.4, Table 1, over all layers.
func (s Sizes) CachePerToken() (bytes float64) {
	for _, l := range s.Layers {
		bytes += float64(l.Count) * l.Attention.CachePerToken()
	}
	return bytes
}

// Cache returns the bytes that all layers keep of a sequence of T tokens.
//
//	Σ_l b_l(T)
//
// It implements DeepSeek-V2 section 2.1.4, Table 1, over all layers.
func (s Sizes) Cache(tokens int64) (bytes int64) {
	for _, l := range s.Layers {
		bytes += int64(l.Count) * l.Attention.Cache(tokens)
	}
	return bytes
}

// Work returns the products of attention for the last S queries of T tokens, in all layers. Of the
// projections, which cost a product for each parameter, it counts only the step up from latents:
// how often that is done hangs on the form.
//
//	Σ_l work_l(S, T)
//
// One query is a step of generation, T of them are the prefill of a prompt. It implements
// DeepSeek-V2 (18) or the absorption after (47), counted over all layers.
func (s Sizes) Work(queries, tokens int64) (products float64) {
	for _, l := range s.Layers {
		products += float64(l.Count) * l.Attention.Work(queries, tokens)
	}
	return products
}

// Sequences returns how many sequences of a context fit into memory beside the weights; below 0:
// the weights alone do not fit.
//
//	⌊(memory − weights) / cache⌋
//
// All are in bytes. It implements PagedAttention (Kwon et al. 2023), section 1, its batch that
// memory limits.
func Sequences(memory, weights, cache float64) float64 { return math.Floor((memory - weights) / cache) }

// GPUs returns how few GPUs hold so many bytes.
//
//	⌈bytes / memory⌉
//
// It implements PagedAttention (Kwon et al. 2023), section 1, its memory of one GPU.
func GPUs(bytes, memory float64) float64 { return math.Ceil(bytes / memory) }

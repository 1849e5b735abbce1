package model

import (
	"plumbline/mla"
	"plumbline/moe"
	"plumbline/mtp"
	"plumbline/rope"
)

// DeepSeekV2 returns the configuration of DeepSeek-V2, 236B, with the conventions of Hugging Face's
// code. It implements no equation: it lists DeepSeek-V2's section 3.1.2 and its inference code's
// config_236B.json, with the mscale of 0.707 of Hugging Face's.
func DeepSeekV2() Config {
	c := deepSeek(0.707)
	c.Vocabulary, c.Width, c.Layers, c.Dense, c.Inner = 102400, 5120, 60, 1, 12288
	c.ExpertInner, c.Experts, c.SharedExperts, c.Gate, c.Unbiased = 1536, 160, 2, moe.DeepSeekV2Gate(), true
	return c
}

// DeepSeekV2Lite returns the configuration of DeepSeek-V2-Lite, 15.7B, whose queries are not
// compressed. It implements no equation: it lists DeepSeek-V2's appendix B.
func DeepSeekV2Lite() Config {
	c := deepSeek(0.707)
	c.Vocabulary, c.Width, c.Layers, c.Dense, c.Inner = 102400, 2048, 27, 1, 10944
	c.ExpertInner, c.Experts, c.SharedExperts, c.Gate, c.Unbiased = 1408, 64, 2, moe.DeepSeekMoEGate(), true
	c.Attention.Heads, c.QueryLatent = 16, 0
	return c
}

// DeepSeekV3 returns the configuration of DeepSeek-V3, 671B, which R1 and V3.1 have too. It
// implements no equation: it lists DeepSeek-V3's section 4.2.
func DeepSeekV3() Config {
	c := deepSeek(1)
	c.Vocabulary, c.Width, c.Layers, c.Dense, c.Inner = 129280, 7168, 61, 3, 18432
	c.ExpertInner, c.Experts, c.SharedExperts, c.Gate, c.Depths = 2048, 256, 1, moe.DeepSeekV3Gate(), 1
	c.Gate.NormEps = 1e-20
	return c
}

// deepSeek returns what all three have: 128 heads of 128 and 64 rotated, latents of 512 and 1536,
// and a context of 4096 that YaRN makes 40 times as long.
func deepSeek(mScale float64) Config {
	return Config{
		QueryLatent: 1536, Latent: 512, Eps: 1e-6, Order: mtp.EmbeddingFirst, PassNormed: true,
		Attention: mla.Config{
			Heads: 128, NopeDim: 128, RopeDim: 64, ValueDim: 128, Eps: 1e-6, Base: 10000,
			Layout: rope.InterleavedToHalf, Causal: true,
			YaRN: &rope.YaRN{
				Factor: 40, OriginalContext: 4096, BetaFast: 32, BetaSlow: 1, MScale: mScale, MScaleAllDim: mScale,
			},
		},
	}
}

// DeepSeekV32 returns the sizes of DeepSeek-V3.2: DeepSeek-V3 whose queries see the 2048 tokens
// that an indexer chooses. It implements no equation: it lists DeepSeek-V3.2's section 2 and its
// inference code.
func DeepSeekV32() Sizes {
	s := DeepSeekV3().Sizes()
	for i, l := range s.Layers {
		s.Layers[i].Attention = DSA{MLA: l.Attention.(MLA), IndexHeads: 64, IndexDim: 128, TopK: 2048}
	}
	return s
}

// DeepSeekV4Flash returns the sizes of DeepSeek-V4-Flash, 284B, without its module: 2 layers with
// the window alone, then compressed sparse attention (CSA, every 4 tokens) and heavily compressed
// attention (HCA, every 128) in turn. The first 3 layers have their experts from a table, and no
// bias. It implements no equation: it lists DeepSeek-V4's report and its inference code.
func DeepSeekV4Flash() Sizes {
	window := Compressed{
		Heads: 64, Dim: 512, RopeDim: 64, QueryLatent: 1024, Groups: 8, GroupDim: 1024, Window: 128,
	}
	feed := Feed{Inner: 2048, Routed: 256, Shared: 1, Chosen: 6}
	csa, hca := window.choosing(512), window.every(128)
	return Sizes{
		Vocabulary: 129280, Width: 4096, Streams: 4,
		Layers: []Layers{
			{"layer of the window alone, experts by table", 2, window, feed},
			{"layer of CSA, experts by table", 1, csa, feed},
			{"layer of CSA", 20, csa, feed.biased()},
			{"layer of HCA", 20, hca, feed.biased()},
		},
	}
}

// DeepSeekV4Pro returns the sizes of DeepSeek-V4-Pro, 1.6T, without its module: 2 layers of HCA,
// then CSA and HCA in turn. It implements no equation: it lists DeepSeek-V4's report and its
// inference code.
func DeepSeekV4Pro() Sizes {
	window := Compressed{
		Heads: 128, Dim: 512, RopeDim: 64, QueryLatent: 1536, Groups: 16, GroupDim: 1024, Window: 128,
	}
	feed := Feed{Inner: 3072, Routed: 384, Shared: 1, Chosen: 6}
	csa, hca := window.choosing(1024), window.every(128)
	return Sizes{
		Vocabulary: 129280, Width: 7168, Streams: 4,
		Layers: []Layers{
			{"layer of HCA, experts by table", 2, hca, feed},
			{"layer of CSA, experts by table", 1, csa, feed},
			{"layer of CSA", 29, csa, feed.biased()},
			{"layer of HCA", 29, hca, feed.biased()},
		},
	}
}

// every returns the attention with an entry for every m tokens.
func (a Compressed) every(m int) Compressed {
	a.Ratio = m
	return a
}

// choosing returns the attention with an entry for every 4 tokens, of which an indexer leaves k.
func (a Compressed) choosing(k int) Compressed {
	a.Ratio, a.IndexHeads, a.IndexDim, a.TopK = 4, 64, 128, k
	return a
}

func (f Feed) biased() Feed {
	f.Biased = true
	return f
}

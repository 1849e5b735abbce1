package model

import (
	"math"
	"testing"

	"plumbline/internal/check"
)

// VisiblePairs against its definition.
func TestVisiblePairs(t *testing.T) {
	for _, m := range []int64{1, 2, 4, 7} {
		for _, most := range []int64{0, 1, 3, 100} {
			want := int64(0)
			for n := range int64(40) {
				if n > 0 {
					seen := n / m
					if most > 0 {
						seen = min(seen, most)
					}
					want += seen
				}
				for s := range n + 1 {
					exactly(t, "two parts", VisiblePairs(n-s, n-s, m, most)+VisiblePairs(s, n, m, most), want)
				}
			}
		}
	}
	exactly(t, "all of 2^20 tokens", VisiblePairs(1<<20, 1<<20, 1, 0), (1<<39)+(1<<19))
}

func TestWork(t *testing.T) {
	mla := DeepSeekV3().Sizes().Layers[0].Attention.(MLA)
	t.Run("a pair costs 320 products a head expanded and 1088 absorbed", func(t *testing.T) {
		expanded := mla.Expanded(2, 1000) - mla.Expanded(1, 1000)
		check.Near(t, "expanded", expanded, 128*320*999, 0)
		absorbed := mla.Absorbed(1, 1001) - mla.Absorbed(1, 1000)
		check.Near(t, "absorbed", absorbed, 128*1088, 0)
	})
	t.Run("groups do not change the products", func(t *testing.T) {
		s := DeepSeekV3().Sizes()
		check.Near(t, "MQA", s.WithGroups(1).Work(3, 50), s.WithGroups(128).Work(3, 50), 0)
		check.Near(t, "MHA", s.WithGroups(128).Work(1, 50), 61*128*256*50, 0)
	})
	t.Run("an index pays off once its context is long", func(t *testing.T) {
		dense, sparse := DeepSeekV3().Sizes(), DeepSeekV32()
		if sparse.Work(1, 2048) <= dense.Work(1, 2048) || sparse.Work(1, 1<<17) > dense.Work(1, 1<<17)/10 {
			t.Errorf("%v of %v products at 128K", sparse.Work(1, 1<<17), dense.Work(1, 1<<17))
		}
	})
	t.Run("an index has its own products beside either form", func(t *testing.T) {
		dsa := DeepSeekV32().Layers[0].Attention.(DSA)
		index := float64(VisiblePairs(1000, 1000, 1, 0)) * 64 * 128
		check.Near(t, "a short prompt", dsa.Work(1000, 1000), index+mla.Expanded(1000, 1000), 0)
		check.Near(t, "a step within k", dsa.Work(1, 2048), 2048*64*128+mla.Absorbed(1, 2048), 0)
		check.Near(t, "a step beyond", dsa.Work(1, 9000), 9000*64*128+mla.Absorbed(1, 2048), 0)
	})
	t.Run("CSA sees a window and its best entries, and scores every entry", func(t *testing.T) {
		flash := DeepSeekV4Flash()
		want := float64(128+512)*64*1024 + 1000*64*128
		check.Near(t, "CSA", flash.Layers[2].Attention.Work(1, 4000), want, 0)
		check.Near(t, "HCA", flash.Layers[3].Attention.Work(1, 4000), (128+31)*64*1024, 0)
		check.Near(t, "window", flash.Layers[0].Attention.Work(1, 4000), 128*64*1024, 0)
	})
}

// The absorbed form has fewer products for fewer queries than the closed form says, the expanded
// one for more.
func TestCrossOver(t *testing.T) {
	mla := DeepSeekV3().Sizes().Layers[0].Attention.(MLA)
	for _, tokens := range []int64{2, 10, 171, 1000, 4096, 131_072, 1 << 20} {
		s := mla.CrossOver(tokens)
		below, above := int64(math.Ceil(s))-1, int64(s)+1
		if mla.Absorbed(below, tokens) > mla.Expanded(below, tokens) && below > 0 {
			t.Errorf("%d of %d: absorbed has more", below, tokens)
		}
		if mla.Expanded(above, tokens) > mla.Absorbed(above, tokens) {
			t.Errorf("%d of %d: expanded has more", above, tokens)
		}
		check.Near(t, "work", mla.Work(above, tokens), mla.Expanded(above, tokens), 0)
	}
	check.Near(t, "over a long past E/Δ", mla.CrossOver(1<<40), 512.*256/768, 1e-6)
	narrow := MLA{Heads: 1, NopeDim: 128, RopeDim: 64, ValueDim: 128, Latent: 128}
	check.Near(t, "latents as narrow as heads", narrow.CrossOver(1000), math.Inf(1), 0)
}

// One query reads the whole cache: MHA computes one operation a byte, MLA 242.
func TestIntensity(t *testing.T) {
	mla := DeepSeekV3().Sizes().Layers[0].Attention.(MLA)
	check.Near(t, "MLA", mla.Intensity(), 128*1088./576, 1e-12)
	check.Near(t, "MHA", GQA{Heads: 128, Groups: 128, HeadDim: 128}.Intensity(), 1, 0)
	check.Near(t, "MQA", GQA{Heads: 128, Groups: 1, HeadDim: 128}.Intensity(), 128, 0)
}

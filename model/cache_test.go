package model

import (
	"testing"

	"plumbline/internal/check"
)

// Table 1 of DeepSeek-V2 and the numbers of its table 9: elements of a token over all layers.
func TestCacheElements(t *testing.T) {
	t.Run("MLA keeps 15.6K and 34.6K where MHA keeps 110.6K and 860.2K", func(t *testing.T) {
		lite, v2 := DeepSeekV2Lite().Sizes(), DeepSeekV2().Sizes()
		exactly(t, "small MLA", 27*lite.Layers[0].Attention.(MLA).CacheElements(), 15_552)
		exactly(t, "small MHA", 27*GQA{Heads: 16, Groups: 16, HeadDim: 128}.CacheElements(), 110_592)
		exactly(t, "large MLA", 60*v2.Layers[0].Attention.(MLA).CacheElements(), 34_560)
		exactly(t, "large MHA", 60*GQA{Heads: 56, Groups: 56, HeadDim: 128}.CacheElements(), 860_160)
	})
	t.Run("MLA keeps as much as GQA of 2.25 groups", func(t *testing.T) {
		latent := DeepSeekV3().Sizes().Layers[0].Attention.(MLA)
		exactly(t, "4 times", 4*latent.CacheElements(), 9*GQA{Groups: 1, HeadDim: 128}.CacheElements())
		exactly(t, "keys and values themselves", latent.ExpandedElements(), 128*320)
	})
}

func TestCachePerToken(t *testing.T) {
	for name, want := range map[string]float64{
		"V2": 69_120, "V2-Lite": 31_104, "V3": 70_272, "V3.2": 61 * (656 + 132), "V4-Flash": 3_514.25,
		"V4-Pro": 5_031.4375,
	} {
		check.Near(t, name, counted[name].CachePerToken(), want, 0)
	}
	flash, pro, sparse := counted["V4-Flash"], counted["V4-Pro"], counted["V3.2"].CachePerToken()
	check.Near(t, "Flash to V3.2, printed 7 %", flash.CachePerToken()/sparse, 0.07, 0.005)
	check.Near(t, "Pro to V3.2, printed 10 %", pro.CachePerToken()/sparse, 0.10, 0.005)
	check.Near(t, "Flash to GQA, about 2 %", flash.CachePerToken()/flash.WithGroups(8).CachePerToken(), 0.02, 0.0005)
	check.Near(t, "Pro to GQA, about 2 %", pro.CachePerToken()/pro.WithGroups(8).CachePerToken(), 0.02, 0.0005)
	v3 := counted["V3"]
	check.Near(t, "MHA", v3.WithGroups(v3.Heads()).CachePerToken(), 2*1_998_848, 0)
	check.Near(t, "MQA", v3.WithGroups(1).CachePerToken(), 2*1_998_848/128, 0)
	check.Near(t, "V4.1-Flash", 3*CachePerEntry(2, 288, 68)+CachePerEntry(1, 288, 68), 890, 0)
}

func TestCache(t *testing.T) {
	t.Run("without windows it is the bytes of a token times tokens", func(t *testing.T) {
		for _, name := range []string{"V2", "V2-Lite", "V3", "V3.2"} {
			s := counted[name]
			check.Near(t, name, float64(s.Cache(131_072)), 131_072*s.CachePerToken(), 0)
		}
	})
	t.Run("windows are full after 128 tokens, and entries come whole", func(t *testing.T) {
		flash := counted["V4-Flash"]
		exactly(t, "before the first entry", flash.Cache(3), 43*3*584)
		exactly(t, "4 tokens", flash.Cache(4), 43*4*584+21*(584+68))
		exactly(t, "127 tokens", flash.Cache(127), 43*127*584+21*31*(584+68))
		exactly(t, "1024 tokens", flash.Cache(1024), 43*128*584+1024/4*21*(584+68)+1024/128*20*584)
	})
	t.Run("a window ends the cache of plain attention", func(t *testing.T) {
		g := GQA{Heads: 4, Groups: 2, HeadDim: 8, Window: 100}
		exactly(t, "within", g.Cache(99), 99*2*2*2*8)
		exactly(t, "beyond", g.Cache(1000), 100*2*2*2*8)
		check.Near(t, "per token", g.CachePerToken(), 0, 0)
	})
}

// DeepSeek-V3 in FP8 fills eight and a half GPUs of 80 GB; beside it sixteen have room.
func TestMemory(t *testing.T) {
	const gpu, weights, sequence = 80e9, 671e9, 131_072 * 70_272
	check.Near(t, "GPUs", GPUs(weights, gpu), 9, 0)
	check.Near(t, "GPUs that are filled exactly", GPUs(2*gpu, gpu), 2, 0)
	check.Near(t, "sequences on 9", Sequences(9*gpu, weights, sequence), 5, 0)
	check.Near(t, "sequences on 16", Sequences(16*gpu, weights, sequence), 66, 0)
	check.Near(t, "on too few", Sequences(gpu, weights, sequence), -65, 0)
}

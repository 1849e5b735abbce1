package model

import (
	"strings"
	"testing"

	"plumbline/numbers/tensor"
)

// counted are the models whose sizes are known here, with what is printed of them.
var counted = map[string]Sizes{
	"V2": DeepSeekV2().Sizes(), "V2-Lite": DeepSeekV2Lite().Sizes(), "V3": DeepSeekV3().Sizes(),
	"V3.2": DeepSeekV32(), "V4-Flash": DeepSeekV4Flash(), "V4-Pro": DeepSeekV4Pro(),
}

func exactly(t *testing.T, what string, got, want int64) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %d, want %d", what, got, want)
	}
}

func TestParameters(t *testing.T) {
	t.Run("the total is that of the shapes", func(t *testing.T) {
		for name, want := range map[string]int64{
			"V2": 235_741_434_880, "V2-Lite": 15_706_484_224, "V3": 671_026_419_200,
			"V3.2": 671_026_419_200 + 61*13_959_424, // an indexer in each layer
		} {
			exactly(t, name, counted[name].Parameters().Elements, want)
		}
	})
	t.Run("the total is the printed one as far as that is printed", func(t *testing.T) {
		for name, printed := range map[string]int64{
			"V2": 236e9, "V2-Lite": 15_700e6, "V3": 671e9, "V4-Flash": 284e9, "V4-Pro": 1_600e9,
		} {
			step := int64(1e9)
			switch name {
			case "V2-Lite":
				step = 1e8
			case "V4-Pro":
				step = 1e11
			}
			exactly(t, name, (counted[name].Parameters().Elements+step/2)/step*step, printed)
		}
	})
	t.Run("V4 has 284.332B and 1,572.997B", func(t *testing.T) {
		exactly(t, "Flash", counted["V4-Flash"].Parameters().Elements/1e6, 284_332)
		exactly(t, "Pro", counted["V4-Pro"].Parameters().Elements/1e6, 1_572_997)
	})
	t.Run("every part is the sum of its parts, as often as there are of it", func(t *testing.T) {
		for name, s := range counted {
			sums(t, name, s.Parameters())
			sums(t, name, s.Module())
		}
	})
}

// sums demands of a part and all below that it is the sum of its parts.
func sums(t *testing.T, name string, p Part) {
	t.Helper()
	if p.Active > p.Elements || p.Elements == 0 {
		t.Errorf("%s, %s: %d active of %d", name, p.Name, p.Active, p.Elements)
	}
	if len(p.Parts) == 0 {
		return
	}
	var elements, active int64
	for _, part := range p.Parts {
		elements, active = elements+part.Elements, active+part.Active
		sums(t, name+", "+p.Name, part)
	}
	exactly(t, name+", "+p.Name, p.Elements, int64(p.Times)*elements)
	exactly(t, name+", "+p.Name+", active", p.Active, int64(p.Times)*active)
}

// The terms as they stand in the formula, for DeepSeek-V3.
func TestPartsOfDeepSeekV3(t *testing.T) {
	s := DeepSeekV3().Sizes()
	latent := s.Layers[1].Attention.(MLA)
	exactly(t, "attention", latent.Parameters(7168).Elements,
		11_010_048+1_536+37_748_736+4_128_768+512+16_777_216+117_440_512)
	exactly(t, "an expert", s.Layers[1].Feed.Parameters(7168).Parts[3].Elements/256, 44_040_192)
	mha := s.WithGroups(s.Heads())
	exactly(t, "MHA", mha.Layers[0].Attention.Parameters(7168).Elements, 4*7168*128*128)
	exactly(t, "no more groups than heads", s.WithGroups(1000).Parameters().Elements, mha.Parameters().Elements)
	exactly(t, "MQA", s.WithGroups(1).Layers[0].Attention.Parameters(7168).Elements, 2*7168*129*128)
	exactly(t, "attention of V2", counted["V2"].Layers[0].Attention.Parameters(5120).Elements, 149_227_520)
	exactly(t, "attention of V2-Lite", counted["V2-Lite"].Layers[0].Attention.Parameters(2048).Elements, 13_763_072)
	exactly(t, "layers", int64(s.Depth()), 61)
}

// What compressed attention and hyper-connections add, for DeepSeek-V4-Flash: 4 streams of 4096.
func TestPartsOfDeepSeekV4(t *testing.T) {
	s := DeepSeekV4Flash()
	parts := func(kind int) int64 { return s.Layers[kind].Attention.Parameters(4096).Elements }
	window := int64(4096*1024 + 1024 + 1024*64*512 + 4096*512 + 512 + 64 + 64*512*1024 + 8*1024*4096)
	csa, hca := int64(2*4096*1024+4*1024+512), int64(2*4096*512+128*512+512)
	indexer := int64(1024*64*128 + 4096*64 + 2*4096*256 + 4*256 + 128)
	exactly(t, "window alone", parts(0), window)
	exactly(t, "CSA", parts(2), window+csa+indexer)
	exactly(t, "HCA", parts(3), window+hca)
	tree := s.Parameters().Parts
	exactly(t, "hyper-connections of a layer", tree[1].Parts[3].Elements, 2*((2*4+4*4)*(4*4096+1)+3))
	exactly(t, "mixing of the streams", tree[5].Elements, 4*4*4096+4+1)
}

// A module of DeepSeek-V3 is printed as 11.5B, 2.4B active with embedding and head: without its
// projection. A checkpoint of 685B is the model, the module, and a copy of embedding and head.
func TestModule(t *testing.T) {
	s := DeepSeekV3().Sizes()
	module, projection, table := s.Module(), int64(2*7168*7168), int64(129280*7168)
	exactly(t, "module", module.Elements, 11_610_068_224)
	exactly(t, "in tenths of 1e9, without the projection", (module.Elements-projection)/1e8, 115)
	exactly(t, "active, with embedding and head", module.Active+2*table, 2_541_458_688)
	exactly(t, "the same without the projection, in tenths of 1e9", (module.Active+2*table-projection)/1e8, 24)
	all := s.Parameters().Elements + module.Elements + 2*table
	exactly(t, "checkpoint, in 1e9, rounded up", all/1e9+1, 685)
}

func TestActive(t *testing.T) {
	for name, want := range map[string][3]int64{
		"V3":      {37_552_297_472, 36_625_618_432, 35_698_939_392},
		"V2":      {21_375_800_320, 20_851_512_320, 20_327_224_320},
		"V2-Lite": {2_661_150_208, 2_451_435_008, 2_241_719_808},
	} {
		all, withoutEmbedding, withoutBoth := counted[name].Active()
		if got := [3]int64{all, withoutEmbedding, withoutBoth}; got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	for name, want := range map[string]int64{"V4-Flash": 13_270, "V4-Pro": 48_852} { // in 1e6
		_, withoutEmbedding, _ := counted[name].Active()
		exactly(t, name, withoutEmbedding/1e6, want)
	}
	tied := Sizes{Vocabulary: 10, Width: 3, Tied: true}
	all, withoutEmbedding, withoutBoth := tied.Active()
	if got := [3]int64{all, withoutEmbedding, withoutBoth}; got != [3]int64{33, 33, 3} {
		t.Errorf("one table for both: %d", got)
	}
}

// The tree counts what Weights.Each lists, in the model and in its modules, with and without biases
// of the gates and compressed queries.
func TestTheTreeCountsTheWeights(t *testing.T) {
	plain := small()
	plain.Unbiased, plain.QueryLatent, plain.SharedExperts, plain.Dense, plain.Layers = true, 0, 0, 2, 5
	for name, c := range map[string]Config{"small": small(), "plain": plain} {
		var inModel, inModules int64
		first := layer(c.Layers)
		NewWeights(c).Each(func(name string, x *tensor.Tensor) {
			if strings.Compare(name, first) >= 0 && strings.HasPrefix(name, "model.layers.") {
				inModules += int64(len(x.Data))
				return
			}
			inModel += int64(len(x.Data))
		})
		exactly(t, name, c.Sizes().Parameters().Elements, inModel)
		exactly(t, name+", modules", int64(c.Depths)*c.Sizes().Module().Elements, inModules)
	}
}

package count

import (
	"math"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/model"
)

const root = "../.."

func TestPages(t *testing.T) { check.PagesOf(t, root, Pages) }

func TestLookup(t *testing.T) {
	for name, want := range map[string]string{
		"DeepSeek-V3": "DeepSeek-V3", "deepseek-v3.2": "DeepSeek-V3.2", "v2-lite": "DeepSeek-V2-Lite",
		"R1": "DeepSeek-R1",
	} {
		m, ok := Lookup(name)
		if !ok || m.Name != want {
			t.Errorf("%s: %q, %v", name, m.Name, ok)
		}
	}
	for _, name := range []string{"", "V", "DeepSeek", "DeepSeek-", "V3 "} {
		if m, ok := Lookup(name); ok {
			t.Errorf("%q is %s", name, m.Name)
		}
	}
	for _, name := range Names() {
		if m, ok := Lookup(name); !ok || m.Name != name {
			t.Errorf("%s is not found", name)
		}
	}
}

func TestParseGPU(t *testing.T) {
	for text, want := range map[string]float64{"h800": 80, "MI300X": 192, "24": 24, "1": 1, "1048576": 1 << 20} {
		if g, err := ParseGPU(text); err != nil || g.GiB != want {
			t.Errorf("%s: %v, %v", text, g, err)
		}
	}
	for _, text := range []string{"", "H", "0", "-1", "0.5", "1048577", "NaN", "Inf", "80 GB"} {
		if g, err := ParseGPU(text); err == nil {
			t.Errorf("%q: %v", text, g)
		}
	}
}

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{
		decimal(3514.25, 2): "3,514.25", decimal(70272, 2): "70,272", decimal(0, 2): "0", decimal(1999.996, 2): "2,000",
		figures(0.4444): "0.444", figures(0.9999): "1", figures(1.875): "1.88", figures(12.34): "12.3",
		figures(1234.5): "1,234", memory(1023): "1,023 B", memory(1024): "1 KiB", memory(671e9): "625 GiB",
		billions(671_026_419_200): "671B",
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// written returns all that is written of a model.
func written(m Model, o Options) string {
	var b strings.Builder
	Write(&b, m, o)
	return b.String()
}

func TestWrite(t *testing.T) {
	t.Run("a model fits a long screen, and is in valid columns", func(t *testing.T) {
		for _, m := range Models() {
			text := written(m, Defaults)
			if n := strings.Count(text, "\n"); n > 82 || !strings.HasPrefix(text, m.Name+": ") {
				t.Errorf("%s: %d lines", m.Name, n)
			}
			for line := range strings.Lines(text) {
				if len([]rune(line)) > 121 || strings.Contains(line, "NaN") || strings.Contains(line, "Inf") {
					t.Error(line)
				}
			}
		}
	})
	t.Run("the smallest of models is written too", func(t *testing.T) {
		gqa := model.GQA{Heads: 1, Groups: 1, HeadDim: 1, Window: 1}
		mla := model.MLA{Heads: 1, NopeDim: 1, RopeDim: 1, ValueDim: 1, Latent: 1}
		for _, a := range []model.Attention{gqa, mla} {
			s := model.Sizes{Vocabulary: 1, Width: 1, Layers: []model.Layers{
				{Name: "layer", Count: 1, Attention: a, Feed: model.Feed{Inner: 1, Routed: 1, Chosen: 1}},
			}}
			for _, context := range []int64{1, MostContext} {
				o := Options{context, MostBatch, GPU{"GPU", 1 << 20}}
				if text := written(Model{Name: "small", Sizes: s}, o); strings.Contains(text, "NaN") {
					t.Error(text)
				}
			}
		}
	})
	t.Run("the list has every model", func(t *testing.T) {
		var b strings.Builder
		List(&b)
		for _, name := range Names() {
			if !strings.Contains(b.String(), name) {
				t.Errorf("no %s in\n%s", name, &b)
			}
		}
	})
}

func TestRowsOfVariants(t *testing.T) {
	names := func(s model.Sizes) (all []string) {
		for _, v := range (Model{Sizes: s}).variants() {
			all = append(all, v.name)
		}
		return all
	}
	plain := func(heads, groups int) model.Sizes {
		return model.Sizes{Layers: []model.Layers{{Attention: model.GQA{Heads: heads, Groups: groups, HeadDim: 4}}}}
	}
	for _, c := range []struct {
		sizes model.Sizes
		want  []string
	}{
		{model.DeepSeekV2Lite().Sizes(), []string{"MLA", "MHA", "GQA, 8 groups", "MQA"}},
		{plain(32, 8), []string{"GQA, 8 groups", "MHA", "MQA"}},
		{plain(8, 8), []string{"MHA", "MQA"}},
		{plain(4, 2), []string{"GQA, 2 groups", "MHA", "MQA"}},
		{plain(1, 1), []string{"MHA"}},
	} {
		if got := names(c.sizes); !slices.Equal(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// The experts of V4 are in FP4, half a byte each and a byte more for 32.
func TestWeights(t *testing.T) {
	for name, want := range map[string]float64{
		"V2": 2 * 235_741_434_880, "V3": 671_026_419_200,
		"V4-Flash": 284_332_240_471 - 43*256*3*4096*2048*15./32,
	} {
		m, _ := Lookup(name)
		check.Near(t, name, m.weights(), want, 0)
	}
	v3, _ := Lookup("V3")
	up := 61. * 128 * 512 * 256
	check.Near(t, "matrices beside those that attention counts", otherMatrices(v3.Sizes), 35_698_939_392-up, 0)
	v32, _ := Lookup("V3.2")
	check.Near(t, "the same with an index", otherMatrices(v32.Sizes), 36_550_464_256-up, 0)
}

func TestContexts(t *testing.T) {
	for context, want := range map[int64][]int64{
		1: {1}, 1024: {1024}, 5000: {1024, 4096, 5000}, 1 << 20: {1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20},
		1 << 22: {1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22},
	} {
		if got := contexts(Options{Context: context}); !slices.Equal(got, want) {
			t.Errorf("%d: %d, want %d", context, got, want)
		}
	}
	if got := crossing(math.Inf(1)); got != "all" {
		t.Error(got)
	}
}

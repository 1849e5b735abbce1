package model

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/mla"
	"plumbline/moe"
	"plumbline/rope"
)

// configs are the config.json of released models, as far as they say of what a model is made; and
// how many elements their checkpoints have.
var configs = map[string]struct {
	text     string
	elements int64
}{
	"DeepSeek-V3": {`{"model_type": "deepseek_v3", "attention_bias": false, "first_k_dense_replace": 3,
		"hidden_act": "silu", "hidden_size": 7168, "intermediate_size": 18432, "kv_lora_rank": 512,
		"max_position_embeddings": 163840, "moe_intermediate_size": 2048, "moe_layer_freq": 1, "n_group": 8,
		"n_routed_experts": 256, "n_shared_experts": 1, "norm_topk_prob": true, "num_attention_heads": 128,
		"num_experts_per_tok": 8, "num_hidden_layers": 61, "num_key_value_heads": 128, "num_nextn_predict_layers": 1,
		"q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "rms_norm_eps": 1e-06,
		"rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0,
			"original_max_position_embeddings": 4096, "type": "yarn"},
		"rope_theta": 10000, "routed_scaling_factor": 2.5, "scoring_func": "sigmoid", "tie_word_embeddings": false,
		"topk_group": 4, "topk_method": "noaux_tc", "v_head_dim": 128, "vocab_size": 129280}`, 671_026_419_200},
	"DeepSeek-V2": {`{"model_type": "deepseek_v2", "first_k_dense_replace": 1, "hidden_act": "silu",
		"hidden_size": 5120, "intermediate_size": 12288, "kv_lora_rank": 512, "moe_intermediate_size": 1536,
		"moe_layer_freq": 1, "n_group": 8, "n_routed_experts": 160, "n_shared_experts": 2, "norm_topk_prob": false,
		"num_attention_heads": 128, "num_experts_per_tok": 6, "num_hidden_layers": 60, "q_lora_rank": 1536,
		"qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "rms_norm_eps": 1e-06, "rope_scaling": {"beta_fast": 32,
			"beta_slow": 1, "factor": 40, "mscale": 0.707, "mscale_all_dim": 0.707,
			"original_max_position_embeddings": 4096, "type": "yarn"},
		"rope_theta": 10000, "routed_scaling_factor": 16.0, "scoring_func": "softmax", "topk_group": 3,
		"topk_method": "group_limited_greedy", "v_head_dim": 128, "vocab_size": 102400}`, 235_741_434_880},
	"DeepSeek-V2-Lite": {`{"model_type": "deepseek_v2", "first_k_dense_replace": 1, "hidden_size": 2048,
		"intermediate_size": 10944, "kv_lora_rank": 512, "moe_intermediate_size": 1408, "n_group": 1,
		"n_routed_experts": 64, "n_shared_experts": 2, "norm_topk_prob": false, "num_attention_heads": 16,
		"num_experts_per_tok": 6, "num_hidden_layers": 27, "q_lora_rank": null, "qk_nope_head_dim": 128,
		"qk_rope_head_dim": 64, "rms_norm_eps": 1e-06, "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40,
			"mscale": 0.707, "mscale_all_dim": 0.707, "original_max_position_embeddings": 4096, "type": "yarn"},
		"rope_theta": 10000, "routed_scaling_factor": 1.0, "scoring_func": "softmax", "topk_group": 1,
		"topk_method": "greedy", "v_head_dim": 128, "vocab_size": 102400}`, 15_706_484_224},
	"Llama-3.1-8B": {`{"model_type": "llama", "hidden_act": "silu", "hidden_size": 4096, "intermediate_size": 14336,
		"num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "vocab_size": 128256,
		"attention_bias": false, "rope_scaling": {"factor": 8.0, "rope_type": "llama3"}}`, 8_030_261_248},
	"Mistral-7B-v0.1": {`{"model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336,
		"num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "sliding_window": 4096,
		"vocab_size": 32000}`, 7_241_732_096},
	"Mixtral-8x7B": {`{"model_type": "mixtral", "hidden_size": 4096, "intermediate_size": 14336,
		"num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "num_local_experts": 8,
		"num_experts_per_tok": 2, "sliding_window": null, "vocab_size": 32000}`, 46_702_792_704},
	"Qwen2.5-7B": {`{"model_type": "qwen2", "hidden_size": 3584, "intermediate_size": 18944,
		"num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4, "sliding_window": 131072,
		"use_sliding_window": false, "vocab_size": 152064}`, 7_615_616_512},
	"Qwen2.5-0.5B": {`{"model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864,
		"num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2, "tie_word_embeddings": true,
		"vocab_size": 151936}`, 494_032_768},
	"Qwen3-30B-A3B": {`{"model_type": "qwen3_moe", "decoder_sparse_step": 1, "head_dim": 128, "hidden_size": 2048,
		"intermediate_size": 6144, "mlp_only_layers": [], "moe_intermediate_size": 768, "num_attention_heads": 32,
		"num_experts": 128, "num_experts_per_tok": 8, "num_hidden_layers": 48, "num_key_value_heads": 4,
		"vocab_size": 151936}`, 30_532_122_624},
}

func TestParseSizes(t *testing.T) {
	for name, c := range configs {
		s, err := ParseSizes([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		exactly(t, name, s.Parameters().Elements, c.elements)
	}
	t.Run("an index is counted", func(t *testing.T) {
		text := strings.Replace(configs["DeepSeek-V3"].text, `"deepseek_v3",`,
			`"deepseek_v32", "index_head_dim": 128, "index_n_heads": 64, "index_topk": 2048,`, 1)
		s, err := ParseSizes([]byte(text))
		if want := DeepSeekV32(); err != nil || !reflect.DeepEqual(s, want) {
			t.Errorf("%+v, want %+v, %v", s, want, err)
		}
	})
	t.Run("a window ends the cache where it is used", func(t *testing.T) {
		for name, want := range map[string]float64{"Mistral-7B-v0.1": 0, "Qwen2.5-7B": 28 * 2 * 2 * 4 * 128} {
			s, err := ParseSizes([]byte(configs[name].text))
			if err != nil {
				t.Fatal(err)
			}
			check.Near(t, name, s.CachePerToken(), want, 0)
		}
	})
}

// The named configurations are those of the released files.
func TestParseConfig(t *testing.T) {
	for name, want := range map[string]Config{
		"DeepSeek-V2": DeepSeekV2(), "DeepSeek-V2-Lite": DeepSeekV2Lite(), "DeepSeek-V3": DeepSeekV3(),
	} {
		got, err := ParseConfig([]byte(configs[name].text))
		if err != nil {
			t.Fatal(err)
		}
		scores := []float64{1, 2}
		if a, b := got.Gate.Score(scores), want.Gate.Score(scores); !reflect.DeepEqual(a, b) {
			t.Errorf("%s: scores %v, want %v", name, a, b)
		}
		got.Gate, want.Gate = withoutFunctions(got.Gate), withoutFunctions(want.Gate)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// What a config.json may say beside: no stretching at all, another layout, YaRN without its betas.
func TestParseConfigConventions(t *testing.T) {
	parsed := func(from, to string) Config {
		c, err := ParseConfig(change(t, "DeepSeek-V3", from, to))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := parsed(`"rope_theta"`, `"rope_interleave": false, "rope_theta"`); c.Attention.Layout != rope.Half {
		t.Errorf("layout %v", c.Attention.Layout)
	}
	if c := parsed(`"yarn"`, `"default"`); c.Attention.YaRN != nil {
		t.Errorf("YaRN %v", c.Attention.YaRN)
	}
	c := parsed(`"beta_fast": 32, "beta_slow": 1, "factor"`, `"truncate": false, "attention_factor": 2, "factor"`)
	want := *DeepSeekV3().Attention.YaRN
	want.Unrounded, want.AttentionFactor = true, 2
	if *c.Attention.YaRN != want {
		t.Errorf("YaRN %+v, want %+v", *c.Attention.YaRN, want)
	}
	if c := parsed(`"rope_theta": 10000`, `"rope_theta": 5000`); c.Attention.Base != 5000 {
		t.Errorf("base %v", c.Attention.Base)
	}
	c = parsed(`"deepseek_v3"`, `"deepseek_v3", "rope_parameters": {"rope_theta": 7000}`)
	if c.Attention.Base != 7000 {
		t.Errorf("base %v", c.Attention.Base)
	}
}

func withoutFunctions(g moe.Gate) moe.Gate {
	g.Score, g.ScoreBackward, g.GroupScore = nil, nil, nil
	return g
}

// change returns the config.json of a model with one text instead of another.
func change(t *testing.T, name, from, to string) []byte {
	t.Helper()
	text := strings.Replace(configs[name].text, from, to, 1)
	if text == configs[name].text {
		t.Fatalf("%s has no %s", name, from)
	}
	return []byte(text)
}

func TestBadSizesAreRefused(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"DeepSeek-V3", `{`, `[`, "no JSON object"},
		{"DeepSeek-V3", configs["DeepSeek-V3"].text, `[1]`, "no JSON object: got array"},
		{"DeepSeek-V3", `"deepseek_v3"`, `"kimi", "text_config": {}`, "qwen3_moe; that of its text_config can"},
		{"DeepSeek-V3", `"deepseek_v3"`, `"deepsek_v3"`, `"deepsek_v3"; did you mean "deepseek_v3"?, want`},
		{"DeepSeek-V3", `"model_type"`, `"type"`, `model_type is "", want one of deepseek_v2`},
		{"DeepSeek-V3", `"silu"`, `"gelu"`, `hidden_act is "gelu", want silu`},
		{"DeepSeek-V3", `7168`, `0`, "hidden_size is 0 or missing, want 1 to 131072"},
		{"DeepSeek-V3", `7168`, `"7168"`, "hidden_size: got string, want an integer"},
		{"DeepSeek-V3", `7168`, `71.68`, "hidden_size: got number 71.68, want an integer"},
		{"DeepSeek-V3", `129280`, `1000000000000000000000`, "vocab_size: got number 1000000000000000000000, want an"},
		{"DeepSeek-V3", `"num_hidden_layers": 61`, `"num_hidden_layers": 2000`, "num_hidden_layers is 2000, want"},
		{"DeepSeek-V3", `"kv_lora_rank": 512`, `"kv_lora_rank": -1`, "kv_lora_rank is -1, want 1 to 16384"},
		{"DeepSeek-V3", `"moe_layer_freq": 1`, `"moe_layer_freq": 2`, "moe_layer_freq is 2, want 1"},
		{"DeepSeek-V3", `"attention_bias": false`, `"attention_bias": true`, "attention_bias or mlp_bias is"},
		{"DeepSeek-V3", `"num_experts_per_tok": 8`, `"num_experts_per_tok": 300`, "want 1 to 256"},
		{"DeepSeek-V3", `"deepseek_v3"`, `"deepseek_v32"`, "index_n_heads is 0 or missing, want 1 to 1024"},
		{"Llama-3.1-8B", `"num_key_value_heads": 8`, `"num_key_value_heads": 7`, "want a multiple of num_key_value"},
		{"Llama-3.1-8B", `4096`, `4097`, "head_dim is 0 or missing, want 1 to 1024"},
		{"Qwen2.5-7B", `false`, `true`, "use_sliding_window is true"},
		{"Mixtral-8x7B", `"num_local_experts": 8`, `"num_local_experts": null`, "is 0 or missing, want 1 to"},
		{"Qwen3-30B-A3B", `[]`, `[0]`, "want experts in every layer"},
	} {
		_, err := ParseSizes(change(t, c.name, c.from, c.to))
		says(t, c.name+": "+c.to, err, c.want)
	}
}

func TestBadConfigurationsAreRefused(t *testing.T) {
	for _, c := range []struct{ name, from, to, want string }{
		{"DeepSeek-V3", `"deepseek_v3"`, `"deepseek_v32"`, "want one of deepseek_v2, deepseek_v3"},
		{"DeepSeek-V3", `"n_group": 8`, `"n_group": 7`, "256 experts in n_group 7, want groups alike"},
		{"DeepSeek-V3", `"topk_group": 4`, `"topk_group": 9`, "topk_group is 9, want 0 to 8"},
		{"DeepSeek-V3", `noaux_tc`, `greedy`, `topk_method "greedy" with scoring_func "sigmoid"`},
		{"DeepSeek-V2", `"softmax"`, `"greedy"`, `with scoring_func "greedy", which deepseek_v2 does not have`},
		{"DeepSeek-V3", `"n_group": 8`, `"n_group": 256`, "want groups alike of 2 or more"},
		{"DeepSeek-V3", `"num_experts_per_tok": 8`, `"num_experts_per_tok": 129`, "num_experts_per_tok 129 in"},
		{"DeepSeek-V3", `"routed_scaling_factor": 2.5, `, ``, "routed_scaling_factor or rms_norm_eps is not above 0"},
		{"DeepSeek-V3", `1e-06`, `0`, "rms_norm_eps is not above 0"},
		{"DeepSeek-V3", `"yarn"`, `"linear"`, `rope_type is "linear", want yarn or default`},
		{"DeepSeek-V3", `"factor": 40`, `"factor": 0`, "want a factor of 1 or more"},
		{"DeepSeek-V3", `"mscale": 1.0, `, ``, "want a factor of 1 or more, original_max_position_embeddings, mscale"},
		{"DeepSeek-V3", `"qk_rope_head_dim": 64`, `"qk_rope_head_dim": 63`, "want an even number"},
		{"DeepSeek-V3", `"tie_word_embeddings": false`, `"tie_word_embeddings": true`, "tie_word_embeddings is true"},
	} {
		_, err := ParseConfig(change(t, c.name, c.from, c.to))
		says(t, c.to, err, c.want)
	}
}

func says(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: %v, want %s", what, err, want)
	}
}

// The largest sizes that are read give counts that fit: the sums in float64 are the same.
func TestTheLargestSizesAreCounted(t *testing.T) {
	c := Config{
		Vocabulary: mostVocabulary, Width: mostWidth, Layers: mostLayers, ExpertInner: mostInner, Experts: mostExperts,
		SharedExperts: mostExperts, QueryLatent: mostLatent, Latent: mostLatent, Gate: moe.Gate{TopK: 1},
		Attention: mla.Config{Heads: mostHeads, NopeDim: mostHeadDim, RopeDim: mostHeadDim, ValueDim: mostHeadDim},
	}
	s := c.Sizes()
	experts := float64(mostLayers) * 2 * mostExperts * 3 * mostWidth * mostInner
	check.Near(t, "over the experts", float64(s.Parameters().Elements)/experts, 1, 1e-3)
	plain := s.WithGroups(mostHeads)
	check.Near(t, "cache", float64(plain.Cache(1<<30)), float64(1<<30)*plain.CachePerToken(), 0)
	if fmt.Sprint(s.Parameters().Elements)[0] == '-' || plain.Cache(1<<30) < 0 {
		t.Error("below 0")
	}
}

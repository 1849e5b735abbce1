package count

import (
	"io"
	"strings"
	"testing"

	"plumbline/model"
)

// FuzzConfig: whatever is read as a config.json is counted, and no count is below 0.
func FuzzConfig(f *testing.F) {
	for _, seed := range []string{
		`{"model_type": "llama", "hidden_size": 8, "intermediate_size": 9, "num_attention_heads": 4,
			"num_hidden_layers": 2, "num_key_value_heads": 2, "vocab_size": 7}`,
		`{"model_type": "qwen3_moe", "hidden_size": 8, "moe_intermediate_size": 9, "num_attention_heads": 4,
			"num_hidden_layers": 2, "num_experts": 32, "num_experts_per_tok": 2, "vocab_size": 7}`,
		`{"model_type": "deepseek_v32", "hidden_size": 8, "intermediate_size": 9, "num_attention_heads": 4,
			"first_k_dense_replace": 1, "n_routed_experts": 6, "n_shared_experts": 1, "moe_intermediate_size": 3,
			"num_hidden_layers": 2, "num_experts_per_tok": 2, "q_lora_rank": 5, "kv_lora_rank": 4, "vocab_size": 7,
			"qk_nope_head_dim": 3, "qk_rope_head_dim": 2, "v_head_dim": 3, "index_n_heads": 2, "index_head_dim": 4,
			"index_topk": 3, "num_nextn_predict_layers": 1}`,
	} {
		f.Add(seed, int64(100))
	}
	f.Fuzz(func(t *testing.T, text string, context int64) {
		s, err := model.ParseSizes([]byte(text))
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q", err)
			}
			return
		}
		m, o := Model{Name: "fuzzed", Sizes: s}, Defaults
		if o.Context = context & (MostContext - 1); o.Context == 0 {
			o.Context = MostContext
		}
		Write(io.Discard, m, o)
		if n := s.Parameters(); n.Elements < 1 || n.Active > n.Elements || s.Cache(o.Context) < 0 {
			t.Errorf("%d parameters, %d active, cache %d", n.Elements, n.Active, s.Cache(o.Context))
		}
	})
}

package model

import (
	"plumbline/mla"
	"plumbline/moe"
	"plumbline/mtp"
)

// Config is what the weights do not say of themselves: sizes and conventions. Behind each stands
// its key in the config.json of a checkpoint.
type Config struct {
	Vocabulary    int        // V, vocab_size
	Width         int        // d, hidden_size
	Layers        int        // l, num_hidden_layers
	Dense         int        // how many of them, from the first on, have no experts, first_k_dense_replace
	Inner         int        // inner width of a dense network, intermediate_size
	ExpertInner   int        // inner width of an expert, moe_intermediate_size
	Experts       int        // N_r, n_routed_experts
	SharedExperts int        // N_s, n_shared_experts, which are one network of N_s times the width
	QueryLatent   int        // d_c', q_lora_rank; 0: queries are not compressed
	Latent        int        // d_c, kv_lora_rank
	Eps           float64    // of all norms but those of the latents, rms_norm_eps
	Attention     mla.Config // its Eps is that of the latents, which Hugging Face has at 1e-6 whatever rms_norm_eps
	Gate          moe.Gate
	Unbiased      bool      // gates have no bias, as before DeepSeek-V3
	Depths        int       // D, modules that predict further tokens, num_nextn_predict_layers
	Order         mtp.Order // of the columns of their projections, EmbeddingFirst in checkpoints
	PassNormed    bool      // a depth is given RMSNorm(h) of the one before, as in serving code, not h
}

// hasExperts tells whether layer l, from 0, is a mixture of experts; the layers of modules, which
// follow, are.
func (c Config) hasExperts(l int) bool { return l >= c.Dense }

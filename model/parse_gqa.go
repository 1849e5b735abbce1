package model

import (
	"errors"
	"fmt"
)

// plain returns the sizes of a model of grouped-query attention.
func (r released) plain() (Sizes, error) {
	if r.KeyHeads == 0 {
		r.KeyHeads = r.Heads
	}
	if r.HeadDim == 0 && r.Heads > 0 && r.Width%r.Heads == 0 {
		r.HeadDim = r.Width / r.Heads
	}
	if err := r.checkSizes(); err != nil {
		return Sizes{}, err
	}
	if err := r.checkPlain(); err != nil {
		return Sizes{}, err
	}
	feed, name, err := r.feed()
	return Sizes{
		Vocabulary: r.Vocabulary, Width: r.Width, Tied: r.Tied,
		Layers: []Layers{{name, r.Layers, GQA{
			Heads: r.Heads, Groups: r.KeyHeads, HeadDim: r.HeadDim, Window: r.Window,
			Biased: r.Type == "qwen2", Normed: r.Type == "qwen3" || r.Type == "qwen3_moe",
		}, feed}},
	}, err
}

// checkPlain checks what models of grouped-query attention have, and takes the window off that a
// model does not use.
func (r *released) checkPlain() error {
	if r.Biased || r.BiasedFeed {
		return errors.New("attention_bias or mlp_bias is true, want false")
	}
	switch used := r.UseWindow; {
	case used != nil && *used:
		return errors.New("use_sliding_window is true, of some layers alone; want false")
	case used != nil, r.Type != "mistral" && r.Type != "mixtral":
		r.Window = 0
	}
	if err := inRange(
		sized{"num_key_value_heads", r.KeyHeads, 1, r.Heads}, sized{"head_dim", r.HeadDim, 1, mostHeadDim},
		sized{"sliding_window", r.Window, 0, 1 << 30},
	); err != nil {
		return err
	}
	if r.Heads%r.KeyHeads != 0 {
		return fmt.Errorf("num_attention_heads is %d, want a multiple of num_key_value_heads, %d", r.Heads, r.KeyHeads)
	}
	return nil
}

// feed returns the network of every layer, and what layers are called that have it.
func (r released) feed() (feed Feed, name string, err error) {
	switch r.Type {
	case "mixtral":
		r.Experts, r.ExpertInner = r.MixtralExpert, r.Inner
	case "qwen3_moe":
		r.Experts = r.QwenExperts
		if r.Step > 1 || len(r.DenseLayers) > 0 {
			return feed, "", errors.New("decoder_sparse_step or mlp_only_layers: want experts in every layer")
		}
	default:
		return Feed{Inner: r.Inner}, "dense layer", inRange(sized{"intermediate_size", r.Inner, 1, mostInner})
	}
	key := map[string][2]string{
		"mixtral":   {"num_local_experts", "intermediate_size"},
		"qwen3_moe": {"num_experts", "moe_intermediate_size"},
	}[r.Type]
	return Feed{Inner: r.ExpertInner, Routed: r.Experts, Chosen: r.TopK}, "layer of experts", inRange(
		sized{key[0], r.Experts, 1, mostExperts}, sized{key[1], r.ExpertInner, 1, mostInner},
		sized{"num_experts_per_tok", r.TopK, 1, r.Experts},
	)
}

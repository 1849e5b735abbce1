package model

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"plumbline/internal/spelling"
	"plumbline/mla"
	"plumbline/moe"
	"plumbline/mtp"
	"plumbline/rope"
)

// latent returns the sizes of a model of latent attention.
func (r released) latent() (Sizes, error) {
	if err := r.checkSizes(); err != nil {
		return Sizes{}, err
	}
	if err := r.checkLatent(); err != nil {
		return Sizes{}, err
	}
	s := r.config().Sizes()
	s.Tied = r.Tied
	if r.Type != "deepseek_v32" {
		return s, nil
	}
	for i, l := range s.Layers {
		s.Layers[i].Attention = DSA{
			MLA: l.Attention.(MLA), IndexHeads: r.IndexHeads, IndexDim: r.IndexDim, TopK: r.IndexTopK,
		}
	}
	return s, inRange(
		sized{"q_lora_rank", r.QueryLatent, 1, mostLatent}, // from which the index has its queries
		sized{"index_n_heads", r.IndexHeads, 1, mostHeads},
		sized{"index_head_dim", r.IndexDim, 1, mostHeadDim}, sized{"index_topk", r.IndexTopK, 1, mostVocabulary},
	)
}

// checkLatent checks what models of latent attention have.
func (r released) checkLatent() error {
	if r.Frequency != nil && *r.Frequency != 1 {
		return fmt.Errorf("moe_layer_freq is %d, want 1", *r.Frequency)
	}
	if r.Biased || r.BiasedFeed {
		return errors.New("attention_bias or mlp_bias is true, want false")
	}
	dense, experts := min(r.Dense, r.Layers, 1), 0
	if r.Dense < r.Layers || r.Depths > 0 {
		experts = 1
	}
	return inRange(
		sized{"q_lora_rank", r.QueryLatent, 0, mostLatent}, sized{"kv_lora_rank", r.Latent, 1, mostLatent},
		sized{"qk_nope_head_dim", r.NopeDim, 1, mostHeadDim}, sized{"qk_rope_head_dim", r.RopeDim, 1, mostHeadDim},
		sized{"v_head_dim", r.ValueDim, 1, mostHeadDim}, sized{"first_k_dense_replace", r.Dense, 0, mostLayers},
		sized{"intermediate_size", r.Inner, max(dense, 0), mostInner},
		sized{"n_routed_experts", r.Experts, experts, mostExperts},
		sized{"moe_intermediate_size", r.ExpertInner, experts, mostInner},
		sized{"num_experts_per_tok", r.TopK, experts, max(r.Experts, experts)},
		sized{"n_shared_experts", r.SharedExperts, 0, mostExperts},
		sized{"num_nextn_predict_layers", r.Depths, 0, mostLayers},
	)
}

// choices are how gates of a type choose and score; a config.json may leave either out.
var choices = map[string]struct{ methods, scores []string }{
	"deepseek_v2": {[]string{"", "greedy", "group_limited_greedy"}, []string{"", "softmax"}},
	"deepseek_v3": {[]string{"", "noaux_tc"}, []string{"", "sigmoid"}},
}

// checkGate checks what a gate chooses by: groups that experts can lie in, two in each where the
// best two count, and the choice of the model's type.
func (r released) checkGate() error {
	groups := max(r.Groups, 1)
	if err := inRange(
		sized{"n_group", r.Groups, 0, max(r.Experts, 1)}, sized{"topk_group", r.TopGroups, 0, groups},
	); err != nil {
		return err
	}
	each, kept := r.Experts/groups, cmp.Or(r.TopGroups, groups)
	switch c := choices[r.Type]; {
	case r.Experts%groups != 0 || r.TopK > each*kept || groups > 1 && each < 2:
		return fmt.Errorf("%d experts in n_group %d, want groups alike of 2 or more, "+
			"and num_experts_per_tok %d in topk_group %d", r.Experts, groups, r.TopK, kept)
	case !slices.Contains(c.methods, r.Method) || !slices.Contains(c.scores, r.Scoring):
		return fmt.Errorf("topk_method %s with scoring_func %s, which %s does not have",
			spelling.Quote(r.Method), spelling.Quote(r.Scoring), r.Type)
	case r.Scale <= 0 || r.Eps <= 0:
		return errors.New("routed_scaling_factor or rms_norm_eps is not above 0")
	}
	return nil
}

// checkRotation checks that the context is stretched by YaRN or not at all.
func (r released) checkRotation() error {
	y := r.rotation()
	if r.RopeDim%2 != 0 {
		return fmt.Errorf("qk_rope_head_dim is %d, want an even number", r.RopeDim)
	}
	switch y.Type {
	case "", "default":
		return nil
	case "yarn":
	default:
		return fmt.Errorf("rope_type is %s, want yarn or default", spelling.Quote(y.Type))
	}
	if y.Factor < 1 || y.Original < 1 || y.Base <= 1 || y.MScale <= 0 || y.MScaleAllDim <= 0 {
		return errors.New("rope_scaling of yarn: want a factor of 1 or more, original_max_position_embeddings, " +
			"mscale, mscale_all_dim, and a rope_theta above 1")
	}
	return nil
}

// rotation returns what either form of a config.json says of the rotation.
func (r released) rotation() stretching {
	y := stretching{Base: r.Base}
	for _, given := range []*stretching{r.Scaling, r.Rotation} {
		if given == nil {
			continue
		}
		base := y.Base
		y = *given
		y.Base = cmp.Or(y.Base, base)
		y.Type = cmp.Or(y.Type, y.OldType)
	}
	y.Base, y.BetaFast, y.BetaSlow = cmp.Or(y.Base, 10000), cmp.Or(y.BetaFast, 32), cmp.Or(y.BetaSlow, 1)
	return y
}

// config returns what Hugging Face's code does with a config.json: pairs are read interleaved and
// written by halves, the norms of the latents have an ε of their own, and the sum of the gate's
// weights has 1e-20 added. Order and PassNormed are vLLM's reading of the released module.
func (r released) config() Config {
	y := r.rotation()
	c := Config{
		Vocabulary: r.Vocabulary, Width: r.Width, Layers: r.Layers, Dense: r.Dense, Inner: r.Inner,
		ExpertInner: r.ExpertInner, Experts: r.Experts, SharedExperts: r.SharedExperts,
		QueryLatent: r.QueryLatent, Latent: r.Latent, Depths: r.Depths, Eps: r.Eps, Gate: r.gate(),
		Unbiased: r.Type == "deepseek_v2",
		Attention: mla.Config{
			Heads: r.Heads, NopeDim: r.NopeDim, RopeDim: r.RopeDim, ValueDim: r.ValueDim, Eps: 1e-6, Base: y.Base,
			Layout: rope.InterleavedToHalf, Causal: true,
		},
		Order:      mtp.EmbeddingFirst,
		PassNormed: true,
	}
	if r.Interleaved != nil && !*r.Interleaved {
		c.Attention.Layout = rope.Half
	}
	if y.Type == "yarn" {
		c.Attention.YaRN = &rope.YaRN{
			Factor: y.Factor, OriginalContext: y.Original, BetaFast: y.BetaFast, BetaSlow: y.BetaSlow,
			MScale: y.MScale, MScaleAllDim: y.MScaleAllDim, AttentionFactor: y.Amplitude,
			Unrounded: y.Truncate != nil && !*y.Truncate,
		}
	}
	return c
}

// gate returns the gate. That of DeepSeek-V2 has its factor only where weights are not normalised.
func (r released) gate() moe.Gate {
	gate := moe.DeepSeekV3Gate()
	switch {
	case r.Type == "deepseek_v2" && r.Method == "greedy":
		gate = moe.DeepSeekMoEGate()
	case r.Type == "deepseek_v2":
		gate = moe.DeepSeekV2Gate()
	}
	gate.TopK, gate.Normalize, gate.Scale = r.TopK, r.Normalize, r.Scale
	if r.Method != "greedy" {
		gate.Groups, gate.TopGroups = r.Groups, r.TopGroups
	}
	if r.Normalize {
		gate.NormEps = 1e-20
	}
	if r.Type == "deepseek_v2" && r.Normalize {
		gate.Scale = 1
	}
	return gate
}

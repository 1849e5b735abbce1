package model

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/mla"
	"plumbline/moe"
	"plumbline/mtp"
	"plumbline/numbers/tensor"
	"plumbline/rope"
	"plumbline/verify/recording"
)

// tinyFolder holds a DeepSeek-V3 of random weights and what Hugging Face's code makes of it, by
// golden/pytorch/tiny_v3.py.
const tinyFolder = "testdata/tiny-v3"

// released is a config.json, as far as a model is made by it.
type released struct {
	Vocabulary    int     `json:"vocab_size"`
	Width         int     `json:"hidden_size"`
	Layers        int     `json:"num_hidden_layers"`
	Dense         int     `json:"first_k_dense_replace"`
	Inner         int     `json:"intermediate_size"`
	ExpertInner   int     `json:"moe_intermediate_size"`
	Experts       int     `json:"n_routed_experts"`
	SharedExperts int     `json:"n_shared_experts"`
	QueryLatent   int     `json:"q_lora_rank"`
	Latent        int     `json:"kv_lora_rank"`
	Depths        int     `json:"num_nextn_predict_layers"`
	Eps           float64 `json:"rms_norm_eps"`
	Heads         int     `json:"num_attention_heads"`
	NopeDim       int     `json:"qk_nope_head_dim"`
	RopeDim       int     `json:"qk_rope_head_dim"`
	ValueDim      int     `json:"v_head_dim"`
	TopK          int     `json:"num_experts_per_tok"`
	Groups        int     `json:"n_group"`
	TopGroups     int     `json:"topk_group"`
	Normalize     bool    `json:"norm_topk_prob"`
	Scale         float64 `json:"routed_scaling_factor"`
	Rotation      struct {
		Base         float64 `json:"rope_theta"`
		Factor       float64 `json:"factor"`
		Original     int     `json:"original_max_position_embeddings"`
		BetaFast     float64 `json:"beta_fast"`
		BetaSlow     float64 `json:"beta_slow"`
		MScale       float64 `json:"mscale"`
		MScaleAllDim float64 `json:"mscale_all_dim"`
	} `json:"rope_parameters"`
}

// config returns what Hugging Face's code does with a config.json: pairs are read interleaved and
// written by halves, the norms of the latents have an ε of their own, and the sum of the gate's
// weights has 1e-20 added. The last two lines are vLLM's reading of the released module.
func (r released) config() Config {
	y := r.Rotation
	gate := moe.DeepSeekV3Gate()
	gate.TopK, gate.Groups, gate.TopGroups = r.TopK, r.Groups, r.TopGroups
	gate.Normalize, gate.NormEps, gate.Scale = r.Normalize, 1e-20, r.Scale
	return Config{
		Vocabulary: r.Vocabulary, Width: r.Width, Layers: r.Layers, Dense: r.Dense, Inner: r.Inner,
		ExpertInner: r.ExpertInner, Experts: r.Experts, SharedExperts: r.SharedExperts,
		QueryLatent: r.QueryLatent, Latent: r.Latent, Depths: r.Depths, Eps: r.Eps, Gate: gate,
		Attention: mla.Config{
			Heads: r.Heads, NopeDim: r.NopeDim, RopeDim: r.RopeDim, ValueDim: r.ValueDim, Eps: 1e-6, Base: y.Base,
			Layout: rope.InterleavedToHalf, Causal: true,
			YaRN: &rope.YaRN{
				Factor: y.Factor, OriginalContext: y.Original, BetaFast: y.BetaFast, BetaSlow: y.BetaSlow,
				MScale: y.MScale, MScaleAllDim: y.MScaleAllDim,
			},
		},
		Order:      mtp.EmbeddingFirst,
		PassNormed: true,
	}
}

// tensors opens a file of the tiny model's folder.
func tensors(t *testing.T, name string) *recording.Recording {
	t.Helper()
	file, err := recording.OpenTensors(filepath.Join(tinyFolder, name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	return file
}

// tiny returns the model.
func tiny(t *testing.T) (Weights, Config) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(tinyFolder, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r released
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	w, err := Load(r.config(), tensors(t, "model").Tensor)
	if err != nil {
		t.Fatal(err)
	}
	return w, r.config()
}

// prompt returns the tokens of one sequence of the two that were run.
func prompt(t *testing.T, file *recording.Recording, sequence int) []int {
	t.Helper()
	x := read(t, file, "tokens")
	tokens := make([]int, x.Shape[1])
	for i, v := range x.Row(sequence) {
		tokens[i] = int(v)
	}
	return tokens
}

func read(t *testing.T, file *recording.Recording, name string) *tensor.Tensor {
	t.Helper()
	x, err := file.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// named is a tensor of a forward pass.
type named struct {
	name string
	x    *mat.Dense
}

// trace returns what a model computes, in order.
func trace(tokens []int, w Weights, c Config) (all []named) {
	Forward(tokens, w, c, func(name string, x *mat.Dense) { all = append(all, named{name, mat.DenseCopyOf(x)}) })
	return all
}

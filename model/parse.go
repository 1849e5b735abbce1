package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"plumbline/internal/spelling"
)

// released is a config.json, as far as a model is made by it. What is null or not there is 0.
type released struct {
	Type          string  `json:"model_type"`
	Activation    string  `json:"hidden_act"`
	Vocabulary    int     `json:"vocab_size"`
	Width         int     `json:"hidden_size"`
	Layers        int     `json:"num_hidden_layers"`
	Dense         int     `json:"first_k_dense_replace"`
	Frequency     *int    `json:"moe_layer_freq"`
	Inner         int     `json:"intermediate_size"`
	ExpertInner   int     `json:"moe_intermediate_size"`
	Experts       int     `json:"n_routed_experts"`
	SharedExperts int     `json:"n_shared_experts"`
	TopK          int     `json:"num_experts_per_tok"`
	Groups        int     `json:"n_group"`
	TopGroups     int     `json:"topk_group"`
	Method        string  `json:"topk_method"`
	Scoring       string  `json:"scoring_func"`
	Normalize     bool    `json:"norm_topk_prob"`
	Scale         float64 `json:"routed_scaling_factor"`
	Heads         int     `json:"num_attention_heads"`
	QueryLatent   int     `json:"q_lora_rank"`
	Latent        int     `json:"kv_lora_rank"`
	NopeDim       int     `json:"qk_nope_head_dim"`
	RopeDim       int     `json:"qk_rope_head_dim"`
	ValueDim      int     `json:"v_head_dim"`
	IndexHeads    int     `json:"index_n_heads"`
	IndexDim      int     `json:"index_head_dim"`
	IndexTopK     int     `json:"index_topk"`
	Depths        int     `json:"num_nextn_predict_layers"`
	Eps           float64 `json:"rms_norm_eps"`
	Tied          bool    `json:"tie_word_embeddings"`
	Base          float64 `json:"rope_theta"`
	Interleaved   *bool   `json:"rope_interleave"`

	Scaling  *stretching `json:"rope_scaling"`    // until transformers 4
	Rotation *stretching `json:"rope_parameters"` // from transformers 5 on, with the base

	Text json.RawMessage `json:"text_config"` // the model of a text within a larger one

	sharedHeads
}

// sharedHeads is what a config.json has of grouped-query attention.
type sharedHeads struct {
	KeyHeads      int   `json:"num_key_value_heads"`
	HeadDim       int   `json:"head_dim"`
	Biased        bool  `json:"attention_bias"`
	BiasedFeed    bool  `json:"mlp_bias"`
	Window        int   `json:"sliding_window"`
	UseWindow     *bool `json:"use_sliding_window"`
	MixtralExpert int   `json:"num_local_experts"`
	QwenExperts   int   `json:"num_experts"`
	Step          int   `json:"decoder_sparse_step"`
	DenseLayers   []int `json:"mlp_only_layers"`
}

// stretching is how far a context is stretched beyond what it was trained for.
type stretching struct {
	Type         string  `json:"rope_type"`
	OldType      string  `json:"type"`
	Base         float64 `json:"rope_theta"`
	Factor       float64 `json:"factor"`
	Original     int     `json:"original_max_position_embeddings"`
	BetaFast     float64 `json:"beta_fast"`
	BetaSlow     float64 `json:"beta_slow"`
	MScale       float64 `json:"mscale"`
	MScaleAllDim float64 `json:"mscale_all_dim"`
	Amplitude    float64 `json:"attention_factor"`
	Truncate     *bool   `json:"truncate"`
}

// kinds of model that can be counted, by their model_type; those of latent attention can be run.
var (
	latentTypes = []string{"deepseek_v2", "deepseek_v3", "deepseek_v32"}
	plainTypes  = []string{"llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen3_moe"}
)

// ParseSizes returns what the model of a config.json of Hugging Face is counted by. Latent
// attention is known with and without an index, and grouped-query attention of a few families; a
// size that no model has is an error. It implements no equation: it reads.
func ParseSizes(text []byte) (Sizes, error) {
	r, err := parse(text, slices.Concat(latentTypes, plainTypes))
	switch {
	case err != nil:
		return Sizes{}, err
	case slices.Contains(plainTypes, r.Type):
		return r.plain()
	}
	return r.latent()
}

// ParseConfig returns the configuration of a config.json of Hugging Face, of DeepSeek-V2, V3 or R1:
// what Load and Forward need beside the weights, with the conventions of Hugging Face's code. It
// implements no equation: it reads.
func ParseConfig(text []byte) (Config, error) {
	r, err := parse(text, latentTypes[:2])
	if err == nil {
		_, err = r.latent()
	}
	if err == nil {
		err = r.checkGate()
	}
	if err == nil {
		err = r.checkRotation()
	}
	switch {
	case err != nil:
		return Config{}, err
	case r.Tied:
		return Config{}, errors.New("tie_word_embeddings is true, want false: a head of its own")
	}
	return r.config(), nil
}

// parse reads a config.json of one of the types.
func parse(text []byte, types []string) (r released, err error) {
	if err := json.Unmarshal(text, &r); err != nil {
		return r, misread(err)
	}
	if !slices.Contains(types, r.Type) {
		return r, fmt.Errorf("model_type is %s%s, want one of %s%s", spelling.Quote(r.Type),
			spelling.Suggest(r.Type, types), strings.Join(types, ", "), r.inside())
	}
	if r.Activation != "" && r.Activation != "silu" {
		return r, fmt.Errorf("hidden_act is %s, want silu", spelling.Quote(r.Activation))
	}
	return r, nil
}

// misread says in words of JSON what could not be read.
func misread(err error) error {
	wrong, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return fmt.Errorf("no JSON object: %w", err)
	case wrong.Field == "":
		return fmt.Errorf("no JSON object: got %s", short(wrong.Value))
	}
	return fmt.Errorf("%s: got %s, want %s", wrong.Field, short(wrong.Value), wanted[wrong.Type.Kind().String()])
}

// inside says where the model of a text is in the configuration of one that sees or hears, too.
func (r released) inside() string {
	if len(r.Text) == 0 {
		return ""
	}
	return "; that of its text_config can be tried in a file of its own"
}

// wanted says what a value of Go is in JSON.
var wanted = map[string]string{
	"int": "an integer in range", "float64": "a number", "bool": "true or false", "string": "a string",
	"struct": "an object", "slice": "a list", "ptr": "an object",
}

// short returns the start of a word of a file.
func short(word string) string {
	const most = 40
	return word[:min(len(word), most)]
}

// sized is a size of a config.json, and the sizes that a model can have there. Products of the
// largest fit 63 bits: a count never overflows.
type sized struct {
	key                string
	value, least, most int
}

const (
	mostVocabulary = 1 << 24
	mostWidth      = 1 << 17
	mostInner      = 1 << 18
	mostLayers     = 1 << 10
	mostExperts    = 1 << 12
	mostHeads      = 1 << 10
	mostHeadDim    = 1 << 10
	mostLatent     = 1 << 14
)

// inRange says which size is the first that a model cannot have.
func inRange(sizes ...sized) error {
	for _, l := range sizes {
		if l.value < l.least || l.value > l.most {
			return fmt.Errorf("%s is %s, want %d to %d", l.key, l.shown(), l.least, l.most)
		}
	}
	return nil
}

// shown is a size as a message has it, which cannot tell 0 from a key that is not there.
func (s sized) shown() string {
	if s.value == 0 {
		return "0 or missing"
	}
	return strconv.Itoa(s.value)
}

// checkSizes checks what every model has.
func (r released) checkSizes() error {
	return inRange(
		sized{"vocab_size", r.Vocabulary, 1, mostVocabulary}, sized{"hidden_size", r.Width, 1, mostWidth},
		sized{"num_hidden_layers", r.Layers, 1, mostLayers}, sized{"num_attention_heads", r.Heads, 1, mostHeads},
	)
}

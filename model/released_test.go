package model

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/mla"
	"plumbline/moe"
	"plumbline/mtp"
	"plumbline/rope"
	"plumbline/verify/recording"
)

// kind is a type that Hugging Face's code was run in.
type kind struct {
	name      string
	u         float64 // unit roundoff
	roundings int     // between one tensor that is seen and the next, at most
}

// In float64 and float32 what counts is the sums: the longest has 64 products (eh_proj), each
// addition rounds a partial sum, whose size is that of the results. In bfloat16 sums are kept in
// float32, and what is counted is the roundings of what is stored: an expert stores gate, up,
// silu, their product, its output, and four sums of them.
var kinds = []kind{{"float64", 0x1p-53, 64}, {"float32", 0x1p-24, 64}, {"bfloat16", 0x1p-9, 9}}

// rounded writes over x what so many roundings make of it: each moves an element by a random part
// of u times its size, or the size of the row where the element is smaller, as partial sums are.
func (k kind) rounded(rng *rand.Rand, name string, x *mat.Dense) {
	if name == "model.embed_tokens" { // weights as they are
		return
	}
	rows, _ := x.Dims()
	for t := range rows {
		row := x.RawRowView(t)
		size := floats.Norm(row, 2) / math.Sqrt(float64(len(row)))
		for i, v := range row {
			if v != 0 {
				row[i] += k.u * math.Sqrt(float64(k.roundings)) * (2*rng.Float64() - 1) * max(math.Abs(v), size)
			}
		}
	}
}

// runs is how many rounded passes say what rounding does.
const runs = 16

// noise returns how far roundings move the rows of every tensor that is seen: the median over
// columns and runs, brought to a standard deviation, so that the few runs in which a token's
// experts change do not count.
func (k kind) noise(tokens []int, w Weights, c Config, exact []named) [][]float64 {
	rng := rand.New(rand.NewPCG(1, uint64(k.roundings)))
	moved := make([][][]float64, len(exact))
	for i, e := range exact {
		rows, _ := e.x.Dims()
		moved[i] = make([][]float64, rows)
	}
	for range runs {
		i := 0
		Forward(tokens, w, c, func(name string, x *mat.Dense) {
			k.rounded(rng, name, x)
			for t, row := range moved[i] {
				for col, v := range x.RawRowView(t) {
					row = append(row, math.Abs(v-exact[i].x.At(t, col)))
				}
				moved[i][t] = row
			}
			i++
		})
	}
	return medians(moved)
}

// medians returns those of every row, over the 0.6745 that is the median of |N(0, 1)|.
func medians(moved [][][]float64) [][]float64 {
	sigma := make([][]float64, len(moved))
	for i := range moved {
		for _, row := range moved[i] {
			row = slices.DeleteFunc(row, func(v float64) bool { return v == 0 }) // masked, or not chosen
			if len(row) == 0 {
				row = []float64{0}
			}
			slices.Sort(row)
			sigma[i] = append(sigma[i], row[len(row)/2]/0.6745)
		}
	}
	return sigma
}

// recorded returns what Hugging Face's code has for a tensor that is seen, if it was kept: of
// batches, heads, or tokens of all sequences one after the other.
func recorded(t *testing.T, file *recording.Recording, name string, sequence, tokens int) (*mat.Dense, bool) {
	t.Helper()
	whole, last, _ := cutLast(name)
	if h, err := strconv.Atoi(last); err == nil && file.Has(whole) && strings.Contains(whole, "self_attn") {
		return read(t, file, whole).View(2, sequence, h), true
	}
	if !file.Has(name) {
		return nil, false
	}
	x := read(t, file, name)
	if len(x.Shape) == 3 {
		return x.View(1, sequence), true
	}
	return x.View(0).Slice(sequence*tokens, (sequence+1)*tokens, 0, x.Shape[1]).(*mat.Dense), true
}

// cutLast cuts a name at its last dot.
func cutLast(name string) (before, after string, found bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return name, "", false
	}
	return name[:i], name[i+1:], true
}

// limit is how many standard deviations an element may be off. One of 10⁸ is beyond 5.7 by chance;
// and σ is that of a row, of which elements that are large have a larger one.
const limit = 8

// firstOff returns which tensor of a pass is the first that is not Hugging Face's, and how far it
// is off; "" if there is none. compared counts those that were kept there.
func firstOff(
	t *testing.T, all []named, sigma [][]float64, file *recording.Recording, sequence int,
) (name string, off float64, compared int) {
	t.Helper()
	for i, e := range all {
		rows, cols := e.x.Dims()
		want, ok := recorded(t, file, e.name, sequence, rows)
		if !ok {
			continue
		}
		compared++
		if r, c := want.Dims(); r != rows || c != cols {
			return e.name, math.Inf(1), compared
		}
		for row := range rows {
			if off := worst(e.x.RawRowView(row), want.RawRowView(row), sigma[i][row]); off > limit {
				return e.name, off, compared
			}
		}
	}
	return "", 0, compared
}

// worst returns how far a row is off, in σ.
func worst(got, want []float64, sigma float64) (off float64) {
	for col := range got {
		if d := math.Abs(got[col] - want[col]); !(d == 0) {
			off = max(off, d/sigma)
		}
	}
	return off
}

// Every tensor is compared in the order in which it is computed, so that the first wrong layer is
// the one that is named. The bound is that of the roundings of Hugging Face's run, counted, and
// carried to every later tensor by the model itself: noise. It is not wide: for the logits σ is
// less than twice what one tensor's own roundings do, in float64 some 10⁻¹⁵ of the largest.
func TestReleased(t *testing.T) {
	w, c := tiny(t)
	for _, k := range kinds {
		file := tensors(t, k.name)
		for sequence := range 2 {
			about := fmt.Sprintf("every tensor is Hugging Face's in %s, sequence %d", k.name, sequence)
			t.Run(about, func(t *testing.T) {
				tokens := prompt(t, file, sequence)
				all := trace(tokens, w, c)
				sigma := k.noise(tokens, w, c, all)
				name, off, compared := firstOff(t, all, sigma, file, sequence)
				if name != "" {
					t.Errorf("%s is off by %.3g σ", name, off)
				}
				if want := kept(file); compared != want {
					t.Errorf("compared %d tensors, the file has %d", compared, want)
				}
				logits := slices.IndexFunc(all, func(e named) bool { return e.name == "lm_head" })
				own := k.u * math.Sqrt(float64(k.roundings)) * mat.Max(all[logits].x)
				if widest := slices.Max(sigma[logits]); widest > 2*own {
					t.Errorf("σ of the logits is %.3g, %.3g times that of one tensor", widest, widest/own)
				}
			})
		}
	}
}

// kept counts the tensors that a file has of one sequence: all in float64, and in the other types
// all but what is inside attention. Those of several heads are several here.
func kept(file *recording.Recording) (n int) {
	for _, name := range file.Inputs() {
		switch shape := file.Shape(name); {
		case len(shape) == 4:
			n += shape[1]
		case name != "tokens":
			n++
		}
	}
	return n
}

// plants are wrong layers and the tensor that each is found by, in float64.
var plants = map[string]struct {
	first string
	plant func(w *Weights, c *Config)
}{
	"YaRN's temperature left out of the scale of scores": {
		"model.layers.0.self_attn.weights.0",
		func(_ *Weights, c *Config) {
			c.Attention.Scale = mla.SoftmaxScale(c.Attention.NopeDim, c.Attention.RopeDim)
		},
	},
	"frequencies not stretched": {
		"model.layers.0.self_attn.rope_key", func(_ *Weights, c *Config) {
			c.Attention.Scale = c.Attention.ScoreScale()
			c.Attention.YaRN = nil
		},
	},
	"pairs written where they are read": {
		"model.layers.0.self_attn.rope_key", func(_ *Weights, c *Config) { c.Attention.Layout = rope.Interleaved },
	},
	"the ε of the latents taken from rms_norm_eps": {
		"model.layers.0.self_attn.q_a_layernorm", func(_ *Weights, c *Config) { c.Attention.Eps = c.Eps },
	},
	"the ε of the other norms taken for that of the latents": {
		"model.layers.0.input_layernorm", func(_ *Weights, c *Config) { c.Eps = c.Attention.Eps },
	},
	"keys of the future seen": {
		"model.layers.0.self_attn.weights.0", func(_ *Weights, c *Config) { c.Attention.Causal = false },
	},
	"gate and up exchanged in the dense network": {
		"model.layers.0.mlp", func(w *Weights, _ *Config) {
			e := &w.Blocks[0].Feed.Shared[0]
			e.W1, e.W3 = e.W3, e.W1
		},
	},
	"the shared expert left out": {
		"model.layers.1.mlp", func(w *Weights, _ *Config) { w.Blocks[1].Feed.Shared = nil },
	},
	"two experts exchanged": {
		"model.layers.1.mlp.experts", func(w *Weights, _ *Config) {
			e := w.Blocks[1].Feed.Routed
			e[6], e[10] = e[10], e[6]
		},
	},
	"the gate's bias left out": {
		"model.layers.1.mlp.gate.weights", func(w *Weights, _ *Config) { w.Blocks[1].Feed.Bias = nil },
	},
	"the factor of the routed experts left out": {
		"model.layers.1.mlp.gate.weights", func(w *Weights, _ *Config) { w.Blocks[1].Feed.Gate.Scale = 1 },
	},
	"groups scored by their best": {
		"model.layers.1.mlp.gate.weights",
		func(w *Weights, _ *Config) { w.Blocks[1].Feed.Gate.GroupScore = moe.GroupScoresMax },
	},
	"the last norm left out": {
		"model.norm", func(w *Weights, _ *Config) { w.Norm = slices.Repeat([]float64{1}, len(w.Norm)) },
	},
	"the head tied to the embedding": {
		"lm_head", func(w *Weights, _ *Config) { w.Head = w.Embedding },
	},
	"the module's columns taken as the paper prints them": {
		"model.layers.2.eh_proj", func(w *Weights, _ *Config) { w.Modules[0].Joined.Order = mtp.HiddenFirst },
	},
	"the module given what the last norm is given": {
		"model.layers.2.eh_proj", func(_ *Weights, c *Config) { c.PassNormed = false },
	},
	"the module's own last norm left out": {
		"model.layers.2.shared_head.head", func(w *Weights, _ *Config) { w.Modules[0].Joined.NormHead = nil },
	},
}

func TestWrongLayersAreNamed(t *testing.T) {
	w, c := tiny(t)
	float64s, file := kinds[0], tensors(t, "float64")
	tokens := prompt(t, file, 0)
	sigma := map[string][]float64{}
	right := trace(tokens, w, c)
	for i, row := range float64s.noise(tokens, w, c, right) {
		sigma[right[i].name] = row
	}
	for name, p := range plants {
		t.Run(name, func(t *testing.T) {
			w, c := tiny(t)
			p.plant(&w, &c)
			all := trace(tokens, w, c)
			bounds := make([][]float64, len(all))
			for i, e := range all {
				bounds[i] = sigma[e.name]
			}
			if got, _, _ := firstOff(t, all, bounds, file, 0); got != p.first {
				t.Errorf("named %q, want %q", got, p.first)
			}
		})
	}
}

// A wrong layer is found in the other types too, if it is wrong by more than they round.
func TestWrongLayersShowInNarrowTypes(t *testing.T) {
	for _, k := range kinds[1:] {
		t.Run("YaRN's temperature left out of the scale of scores, in "+k.name, func(t *testing.T) {
			w, c := tiny(t)
			c.Attention.Scale = mla.SoftmaxScale(c.Attention.NopeDim, c.Attention.RopeDim)
			file := tensors(t, k.name)
			tokens := prompt(t, file, 0)
			all := trace(tokens, w, c)
			if got, _, _ := firstOff(t, all, k.noise(tokens, w, c, all), file, 0); got != "model.layers.0.self_attn" {
				t.Errorf("named %q", got)
			}
		})
	}
}

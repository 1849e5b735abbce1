package main

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// builder is a request being built, in one type.
type builder struct {
	*recording.Recording
	t       dtype.Type
	name    string
	digests digests
	err     error // the first
}

// set gives an attribute a value; numbers are float64 or int.
func (b *builder) set(name string, value any) {
	b.Attrs[name] = recording.Value(value)
}

// bell is a recipe of deviation 2/√3 · 2^exp2 in the request's type.
func (b *builder) bell(exp2 int, shape ...int) recipe {
	return recipe{Type: b.t, Shape: shape, Dist: "normal", Exp2: exp2}
}

// recipe is short for what the builder hands round.
type recipe = recording.Recipe

// around moves a recipe's values by a number that float32 has.
func around(shift float32, rc recipe) recipe {
	rc.Shift = &shift
	return rc
}

// as is a recipe in another type than the request's.
func as(t dtype.Type, rc recipe) recipe {
	rc.Type = t
	return rc
}

// between is a recipe of float32 numbers from middle − 2^exp2 up to middle + 2^exp2.
func between(middle float32, exp2 int, shape ...int) recipe {
	return around(middle, recipe{Type: dtype.F32, Shape: shape, Dist: "uniform", Exp2: exp2})
}

// ids is a recipe of integers from lo up to hi − 1.
func ids(t dtype.Type, lo, hi int64, shape ...int) recipe {
	return recipe{Type: t, Shape: shape, Dist: "ints", Lo: lo, Hi: hi}
}

// planted adds edits to a recipe.
func planted(rc recipe, edits ...recording.Edit) recipe {
	rc.Edits = append(slices.Clone(rc.Edits), edits...)
	return rc
}

func edit(value float64, index ...int) recording.Edit {
	return recording.Edit{Index: append([]int{}, index...), Value: value}
}

// make adds a generated input, with the seed of its name.
func (b *builder) make(name string, rc recipe) {
	rc.Seed = seed(b.name, name)
	if b.digests != nil {
		rc.SHA256 = b.digests(name, rc)
	}
	if err := b.Generate(name, rc); err != nil && b.err == nil {
		b.err = err
	}
}

// store adds an input as it is.
func (b *builder) store(name string, t dtype.Type, data []float64, shape ...int) {
	b.Set(name, t, tensor.Of(data, shape...))
}

// lengths stores kv_lens.
func (b *builder) lengths(lens ...float64) { b.store("kv_lens", dtype.I32, lens, len(lens)) }

// positions adds n positions from lo up to hi.
func (b *builder) positions(t dtype.Type, n int, lo, hi int64) {
	b.make("positions", recipe{Type: t, Shape: []int{n}, Dist: "ints", Lo: lo, Hi: hi})
}

// yarn is DeepSeek-V3's, with the differences given.
func yarn(differences map[string]any) map[string]any {
	y := map[string]any{
		"factor": recording.Number(40), "original_context": recording.Number(4096), "beta_fast": recording.Number(32),
		"beta_slow": recording.Number(1),
		"mscale":    recording.Number(1), "mscale_all_dim": recording.Number(1), "ramp": "index",
	}
	for key, v := range differences {
		y[key] = v
	}
	return y
}

// temperature is (0.1 ln 40 + 1)², by which DeepSeek-V3 multiplies its softmax scale; v3Scale is
// that scale.
const temperature = 1.8738542070926265

var v3Scale = temperature / math.Sqrt(192)

// poison is NaN, which no kernel may let through.
var poison = math.NaN()

package main

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// A request is a recording being built. Every generated input has a seed of its own, counted from
// 1.
type request struct {
	*recording.Recording
	seed uint64
	err  error // the first
}

// attrs sets attributes; numbers are float64 or int.
func (r *request) attrs(values map[string]any) {
	for key, v := range values {
		r.Attrs[key] = recording.Value(v)
	}
}

// normal adds a bell of deviation 2/√3 · 2^exp2.
func (r *request) normal(name string, t dtype.Type, exp2 int, shape ...int) {
	r.generate(name, recording.Recipe{Type: t, Shape: shape, Dist: "normal", Exp2: exp2})
}

// generate adds an input made by a recipe, with the next seed.
func (r *request) generate(name string, recipe recording.Recipe) {
	r.seed++
	recipe.Seed = r.seed
	if err := r.Generate(name, recipe); err != nil && r.err == nil {
		r.err = err
	}
}

// nearby stores an input that differs from another of bf16 as the noise of layers below makes it.
func (r *request) nearby(name, of string) {
	x, err := r.Tensor(of)
	if err != nil {
		r.err = err
		return
	}
	for i := range x.Data {
		x.Data[i] += float64((i*29)%31-15) / 128
	}
	r.Set(name, dtype.BF16, x)
}

// edit plants values in an input made by a recipe.
func (r *request) edit(name string, edits ...recording.Edit) {
	recipe, _ := r.Recipe(name)
	recipe.Edits = append(recipe.Edits, edits...)
	recipe.SHA256 = ""
	if err := r.Generate(name, recipe); err != nil && r.err == nil {
		r.err = err
	}
}

// store adds an input as it is.
func (r *request) store(name string, t dtype.Type, data []float64, shape ...int) {
	r.Set(name, t, tensor.Of(data, shape...))
}

// policies adds the log-probabilities of three policies around −2, which differ by about 0.4 a
// token, and a mask of sequences of these lengths. What the mask leaves out is NaN.
func (r *request) policies(t dtype.Type, tokens int, lengths ...int) {
	shape, around := []int{len(lengths), tokens}, float32(-2)
	for _, name := range []string{"logprob", "old_logprob", "ref_logprob"} {
		r.generate(name, recording.Recipe{Type: t, Shape: shape, Dist: "normal", Exp2: -2, Shift: &around})
	}
	mask := make([]float64, len(lengths)*tokens)
	var outside []recording.Edit
	for i, length := range lengths {
		for k := range tokens {
			if k < length {
				mask[i*tokens+k] = 1
			} else {
				outside = append(outside, recording.Edit{Index: []int{i, k}, Value: math.NaN()})
			}
		}
	}
	for _, name := range []string{"logprob", "old_logprob", "ref_logprob"} {
		r.edit(name, outside...)
	}
	r.store("mask", dtype.U8, mask, shape...)
}

// cache adds a paged latent cache whose pages lie scattered: block 7i + 3 (mod blocks) is the i-th
// page. What no key fills, the tails of the last pages and the pages behind them, is NaN.
func (r *request) cache(t dtype.Type, page, columns, width int, lens ...float64) {
	blocks := len(lens) * columns
	r.normal("kv_cache", t, 0, blocks, page, 1, width)
	table := make([]float64, blocks)
	for i := range table {
		table[i] = float64((7*i + 3) % blocks)
	}
	var unused []recording.Edit
	for i, block := range table {
		filled := int(lens[i/columns]) - i%columns*page
		unused = append(unused, behind(int(block), filled, page)...)
	}
	r.edit("kv_cache", unused...)
	r.store("block_table", dtype.I32, table, len(lens), columns)
	r.store("kv_lens", dtype.I32, lens, len(lens))
}

// behind returns the edits that spoil a page of which only the first rows are filled.
func behind(block, filled, page int) []recording.Edit {
	if filled <= 0 {
		return []recording.Edit{{Index: []int{block}, Value: math.NaN()}}
	}
	var edits []recording.Edit
	for row := filled; row < page; row++ {
		edits = append(edits, recording.Edit{Index: []int{block, row}, Value: math.NaN()})
	}
	return edits
}

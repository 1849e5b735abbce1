// Package emulated has kernels of multi-token prediction, right and wrong, as hardware would run
// them.
package emulated

import (
	"cmp"
	"slices"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("mtp.combine", emulate.Kernel{
		Float32: mtpCombine[float32], Float64: mtpCombine[float64], Request: requestCombine, Right: combines(),
		Quantities: []emulate.Quantity{
			{Name: emulate.Roots, Shape: []string{"2", "N"}, Axes: []string{"half", "token"}},
			{Name: emulate.Normalised, Shape: []string{"2", "N", "d"}, Axes: []string{"half", "token", "column"}},
			{Name: normedHidden, Shape: []string{"N", "d"}}, {Name: normedEmbedding, Shape: []string{"N", "d"}},
		},
	})
}

// The halves of a row that is projected.
const (
	normedHidden    = "the normalised hidden state"
	normedEmbedding = "the normalised embedding"
)

// combine is the entrance of a module: two norms and a product.
type combine[T emulate.Number] struct {
	*emulate.Job
	n, d                      int
	hidden, embedding         []T
	normHidden, normEmbedding []T
	norm                      *emulate.RMS[T]
	products                  *emulate.Summer[T]
}

// mtpCombine rounds normalised rows to the intermediate type, once, or twice as eager frameworks
// do, before the weight too, and the product to the type of the hidden states.
func mtpCombine[T emulate.Number](j *emulate.Job) {
	typ := j.Recording.Type("hidden")
	j.Intermediate = cmp.Or(j.Intermediate, typ)
	k := &combine[T]{
		Job: j, n: j.Dim("N"), d: j.Dim("d"),
		hidden: emulate.Load[T](j, "hidden"), embedding: emulate.Load[T](j, "embedding"),
		normHidden: emulate.Load[T](j, "norm_hidden"), normEmbedding: emulate.Load[T](j, "norm_embedding"),
		products: emulate.NewSummer[T](&j.Config, j.Intermediate),
	}
	middle := emulate.Working[T]()
	if j.NormTwice {
		middle = j.Intermediate
	}
	k.norm = emulate.NewRMS(j, k.products.Plain(), middle)
	rows := k.rows()
	y := make([]T, k.n*k.d)
	for o := range k.d {
		w := emulate.LoadRows[T](j, "projection", o, o+1)
		for i, row := range rows {
			y[i*k.d+o] = k.products.Dot(row, w) + k.residual(i*k.d+o)
		}
	}
	emulate.StoreMain(j, "y", typ, y)
}

// residual returns what is added to an element of the projection: nothing, or by mistake that of
// the hidden state.
func (k *combine[T]) residual(at int) T {
	if !k.Makes("hidden-added") {
		return 0
	}
	k.Show(k.hidden[at] != 0)
	return k.hidden[at]
}

// rows returns the rows that are multiplied.
func (k *combine[T]) rows() [][]T {
	k.spoilWeights()
	rows := make([][]T, k.n)
	for i := range rows {
		rows[i] = k.row(i)
	}
	return rows
}

// spoilWeights makes the mistakes with the weights of the norms.
func (k *combine[T]) spoilWeights() {
	switch {
	case k.Makes("norms-exchanged"):
		k.Show(!slices.Equal(k.normHidden, k.normEmbedding))
		k.normHidden, k.normEmbedding = k.normEmbedding, k.normHidden
	case k.Makes("one-norm-for-both"):
		k.normEmbedding = k.normHidden
	}
}

// row returns both halves of a row, as they are multiplied.
func (k *combine[T]) row(i int) []T {
	h, e := k.halves(i)
	emulate.Pass(k.Job, normedHidden, i*k.d, h)
	emulate.Pass(k.Job, normedEmbedding, i*k.d, e)
	switch {
	case k.Makes("hidden-normed-twice"):
		k.Show(true)
		h = k.normed(h, k.normHidden, "")
	case k.Makes("embedding-normed-twice"):
		k.Show(slices.ContainsFunc(e, func(v T) bool { return v != 0 }))
		e = k.normed(e, k.normEmbedding, "")
	}
	if k.Makes("one-norm-for-both") {
		k.Show(slices.ContainsFunc(e, func(v T) bool { return v != 0 }))
	}
	first := k.Word("order") == "embedding_first"
	if k.Makes("halves-exchanged") {
		k.Show(!slices.Equal(h, e))
		first = !first
	}
	if first {
		return k.concatenated(e, h)
	}
	return k.concatenated(h, e)
}

// concatenated returns one half behind the other; by mistake they are stacked column by column.
func (k *combine[T]) concatenated(first, second []T) (row []T) {
	if !k.Makes("halves-interleaved") {
		return slices.Concat(first, second)
	}
	k.Show(k.d > 1)
	for c := range first {
		row = append(row, first[c], second[c])
	}
	return row
}

// halves returns both halves of row i, normalised each by itself, or by mistake together.
func (k *combine[T]) halves(i int) (h, e []T) {
	h, e = emulate.Row(k.hidden, i, k.d), k.embeddingOf(i)
	if k.Makes("normed-together") {
		k.Show(true)
		both := k.normed(slices.Concat(h, e), slices.Concat(k.normHidden, k.normEmbedding), "")
		return both[:k.d], both[k.d:]
	}
	if k.norm.Place = i; k.Makes("first-hidden-masked") && i == 0 && k.Flag("mask_first") {
		k.Show(slices.ContainsFunc(h, func(v T) bool { return v != 0 }))
		h = make([]T, k.d)
	}
	h = k.normed(h, k.normHidden, "hidden-norm-missing")
	k.norm.Place = k.n + i
	return h, k.normed(e, k.normEmbedding, "embedding-norm-missing")
}

// normed returns a half, normalised and rounded; without the norm, if that is the mistake.
func (k *combine[T]) normed(x, weight []T, missing string) []T {
	if missing != "" && k.Makes(missing) {
		k.Show(slices.ContainsFunc(x, func(v T) bool { return v != 0 }))
		return emulate.RoundEach(k.Intermediate, slices.Clone(x))
	}
	return emulate.RoundEach(k.Intermediate, k.norm.Row(x, weight))
}

// embeddingOf returns the embedding that goes with row i.
func (k *combine[T]) embeddingOf(i int) []T {
	masks := k.Flag("mask_first")
	at := i
	switch {
	case k.Makes("first-not-masked"):
		k.Show(masks)
		masks = false
	case k.Makes("first-masked"):
		k.Show(!masks)
		masks = true
	case k.Makes("embedding-unshifted"):
		at = max(0, i-1)
		k.Show(at != i && !(masks && i == 1))
	case k.Makes("embedding-shifted-twice"):
		at = min(i+1, k.n-1)
		k.Show(at != i)
	}
	if masks && at == 0 {
		return make([]T, k.d)
	}
	return emulate.Row(k.embedding, at, k.d)
}

// combines are right configurations: orders, accumulators, and types between the norms and the
// product.
func combines() []emulate.Config {
	return append(devices(),
		emulate.Config{NormTwice: true}, emulate.Config{NormTwice: true, Order: emulate.Strided},
		emulate.Config{Intermediate: dtype.BF16}, emulate.Config{Intermediate: dtype.F32, Order: emulate.Pairwise},
		emulate.Config{Output: dtype.F32}, emulate.Config{NormTwice: true, Output: dtype.BF16, Fused: true},
	)
}

// devices are orders and accumulators of products.
func devices() []emulate.Config {
	return append(emulate.Orders(),
		emulate.Config{Accumulate: arithmetic.F32Hopper},
		emulate.Config{Accumulate: arithmetic.F32Hopper, NormTwice: true},
		emulate.Config{Accumulate: arithmetic.F32Ampere}, emulate.Config{Accumulate: arithmetic.TF32},
		emulate.Config{Accumulate: arithmetic.TF32, OperandsRounded: true}, emulate.Config{Flushed: true},
	)
}

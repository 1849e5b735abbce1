// Package emulated has kernels of attention, right and wrong, as hardware would run them.
package emulated

import (
	"math"
	"math/bits"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("attention.forward", emulate.Kernel{
		Float32: attentionForward[float32], Float64: attentionForward[float64], Request: requestForward,
		Right: append(Flash(), Frameworks()...), Quantities: Weighing("B", "S", "H", "T"),
	})
}

// Weighing are what a softmax forms, of these axes.
func Weighing(shape ...string) []emulate.Quantity {
	axes := []string{"sequence", "query", "head", "key"}
	return []emulate.Quantity{
		{Name: emulate.Scores, Shape: shape, Axes: axes}, {Name: emulate.Weights, Shape: shape, Axes: axes},
	}
}

// heads is what the kernels of attention.forward and attention.backward read: q [B,S,H,D], k
// [B,T,G,D], v [B,T,G,V].
type heads[T emulate.Number] struct {
	*emulate.Job
	q, k, v             []T
	sink                []T
	lens                []int
	B, S, H, T, G, D, V int
	input, values       dtype.Type
}

func loadHeads[T emulate.Number](j *emulate.Job) *heads[T] {
	return &heads[T]{
		Job: j, q: emulate.Load[T](j, "q"), k: emulate.Load[T](j, "k"), v: emulate.Load[T](j, "v"),
		sink: emulate.Load[T](j, "sink"),
		lens: j.LoadInts("kv_lens"), B: j.Dim("B"), S: j.Dim("S"), H: j.Dim("H"), T: j.Dim("T"), G: j.Dim("G"),
		D: j.Dim("D"), V: j.Dim("V"), input: j.Recording.Type("q"), values: j.Recording.Type("v"),
	}
}

// softmax returns the softmax of these heads, with the mistakes of scaling.
func (h *heads[T]) softmax() *emulate.Softmax[T] {
	scale := 1 / math.Sqrt(float64(h.D))
	if h.Has("scale") {
		scale = h.Float("scale")
	}
	return emulate.NewSoftmax[T](h.Job, h.WrongScale(scale, h.D), h.Float("softcap"), h.values, h.V)
}

// softmaxAgain returns the softmax of a backward pass, whose scale may be another than was given.
func (h *heads[T]) softmaxAgain() *emulate.Softmax[T] {
	k := h.softmax()
	if own := T(1 / math.Sqrt(float64(h.D))); h.Makes("backward-scale-of-width") {
		k = emulate.NewSoftmax[T](h.Job, float64(own), h.Float("softcap"), h.values, h.V)
		h.ScaleWrong = math.Abs(float64(k.Scale/h.softmax().Scale-1)) > 1e-3
	}
	k.Again = true
	return k
}

// mask returns the mask of sequence b.
func (h *heads[T]) mask(b int) emulate.Mask {
	m := emulate.Mask{
		Causal: h.Flag("causal"), Window: h.Int("window"), Queries: h.S, Keys: h.T, Stored: h.T, First: h.T,
	}
	if h.lens != nil {
		m.Keys, m.First = h.lens[b], h.lens[0]
	}
	if h.Makes("keys-of-query-length") {
		m.Keys = min(m.Keys, h.S)
	}
	h.uncoverBackward(&m)
	return m
}

// uncoverBackward makes the mistakes of a backward pass that has no mask, nor a log-sum-exp of one.
func (h *heads[T]) uncoverBackward(m *emulate.Mask) {
	switch {
	case h.Makes("backward-sees-all"):
		h.Show((m.Causal || m.Window > 0 || m.Keys < m.Stored) && m.Stored > 1)
		m.Keys = m.Stored
	case h.Makes("backward-unmasked"):
		h.Show((m.Causal || m.Window > 0) && m.Keys > 1)
	default:
		return
	}
	m.Causal, m.Window = false, 0
}

// place returns where the row of key t lies in k and v. By mistake sequences lie as far apart as
// those of queries, or each head's rows do, as if heads stood before keys.
func (h *heads[T]) place(b, t, g int) int {
	switch {
	case h.S >= h.T:
	case h.Makes("keys-at-query-offsets"):
		h.Show(b > 0)
		return (b*h.S+t)*h.G + g
	case h.Makes("keys-of-query-length"):
		h.Show(true)
		row := (b*h.G+g)*h.S + t // among those of [B,G,T]
		return (row/(h.G*h.T)*h.T+row%h.T)*h.G + row/h.T%h.G
	}
	return (b*h.T+t)*h.G + g
}

// group returns the key and value head of query head n: groups of neighbours share one.
func (h *heads[T]) group(n int) int {
	switch {
	case h.First("heads-tiled"):
		return n % h.G
	case h.First("heads-divided-by-groups"):
		return min(n/h.G, h.G-1)
	case h.First("heads-across-groups"):
		tile := min(16, powerOfTwo(h.H/h.G))
		return n / tile * tile * h.G / h.H
	}
	return n * h.G / h.H
}

// powerOfTwo returns the largest power of two that is at most n.
func powerOfTwo(n int) int { return 1 << (bits.Len(uint(n)) - 1) }

func (h *heads[T]) query(b, s, n int) []T { return emulate.Row(h.q, (b*h.S+s)*h.H+n, h.D) }

func (h *heads[T]) key(b, t, g int) []T { return emulate.Row(h.k, h.place(b, t, g), h.D) }

func (h *heads[T]) value(b, t, g int) []T { return emulate.Row(h.v, h.place(b, t, g), h.V) }

// row returns what query s of head n in sequence b sees.
func (h *heads[T]) row(k *emulate.Softmax[T], b, s, n int) *emulate.Query[T] {
	g, q, m := h.group(n), h.query(b, s, n), h.mask(h.lengthFrom(b, n))
	r := &emulate.Query[T]{
		Length: m.Keys, Place: ((b*h.S+s)*h.H + n) * h.T, Row: (b*h.H+n)*h.S + s, Longest: h.T,
	}
	if h.lens != nil {
		r.Longest = slices.Max(h.lens)
	}
	r.Lo, r.Hi = m.Span(h.Job, s)
	h.Show(g != n*h.G/h.H && r.Lo < r.Hi)
	r.Tail = min(h.T, (r.Hi+h.Tile-1)/h.Tile*h.Tile)
	q = k.ScaledEarly(q, h.input)
	r.Score = func(j int) T { return k.Products.Dot(q, k.KeyScaledEarly(h.key(b, j, g), h.input)) }
	r.Value = func(j int) []T { return h.value(b, j, g) }
	h.foldRow(m, r, s, n)
	r.MaskInRanks(h.Job, m, s)
	h.uncover(r, k)
	if h.sink != nil {
		r.Sink = h.sinkOf(n)
		h.Show(*r.Sink != h.sink[n] && r.Lo < r.Hi)
	}
	return r
}

// lengthFrom returns the sequence whose length head n of sequence b has: its own, and by mistake
// that which has its turn where lengths are repeated one after the other, all for each head.
func (h *heads[T]) lengthFrom(b, n int) int {
	if !h.Makes("lengths-tiled-over-heads") || h.lens == nil {
		return b
	}
	other := (b*h.H + n) % h.B
	h.Show(h.lens[other] != h.lens[b])
	return other
}

// foldRow makes the mistakes of a mask for which the heads of a group are queries of their own, or
// that divides rows by their number though a row is a query.
func (h *heads[T]) foldRow(m emulate.Mask, r *emulate.Query[T], s, n int) {
	lo, hi, each := r.Lo, r.Hi, h.H/h.G
	switch {
	case h.Makes("mask-by-folded-row"):
		m.Queries *= each
		lo, hi = m.Right(s*each + n%each)
	case h.Makes("mask-by-unfolded-row"):
		lo, hi = m.Right(s / each)
	}
	h.Show(lo != r.Lo || hi != r.Hi)
	r.Lo, r.Hi = lo, hi
}

// uncover makes the mistakes of masked keys that are seen a little: a row sees all keys of its
// sequence, and those that are masked have a score of their own, or no value.
func (h *heads[T]) uncover(r *emulate.Query[T], k *emulate.Softmax[T]) {
	lo, hi, value, made := r.Lo, r.Hi, r.Value, true
	switch {
	case hi-lo == r.Length:
		return
	case h.Makes("softcap-after-mask") && k.Soft != 0:
		h.Show(k.Soft < 10)
		r.Uncover(T(math.Inf(-1)), lo, hi)
	case h.Makes("mask-sentinel") && k.Soft == 0 && hi > lo:
		h.Show(k.Largest(r) < sentinel-1)
		r.Uncover(sentinel/k.Scale, lo, hi)
	case h.Makes("masked-scores-zero"):
		h.Show(true)
		r.Uncover(0, lo, hi)
	case h.Makes("mask-after-softmax"):
		h.Show(hi > lo)
		r.Value = func(j int) []T {
			if j >= lo && j < hi {
				return value(j)
			}
			return make([]T, h.V)
		}
	default:
		made = false
	}
	if made {
		r.Lo, r.Hi = 0, r.Length
	}
}

// sentinel is a score that some kernels take for minus infinity.
const sentinel = -1e4

// sinkOf returns the sink of a head.
func (h *heads[T]) sinkOf(n int) *T {
	sink := h.sink[n]
	switch {
	case h.First("sink-next-head"):
		sink = h.sink[(n+1)%h.H]
	case h.First("sink-bf16"):
		sink = emulate.Round(dtype.BF16, sink)
	case h.First("sink-of-first-rank"):
		sink = h.sink[n%((h.H+1)/2)]
	case h.First("sink-read-as-bf16"):
		sink = h.halfOf(n)
	}
	return &sink
}

// halfOf returns what stands at place n of F32 sinks if they are taken for BF16: half of one.
func (h *heads[T]) halfOf(n int) T {
	if h.Recording.Type("sink") != dtype.F32 {
		return h.sink[n]
	}
	word := math.Float32bits(float32(h.sink[n/2])) >> (16 * (n % 2))
	return T(math.Float32frombits(word << 16))
}

// attentionForward is a flash kernel, or with NormalizeFirst an eager framework. Beside the
// roundings of its softmax it rounds the output once, to the type of q, and the log-sum-exp to F32.
func attentionForward[T emulate.Number](j *emulate.Job) {
	h := loadHeads[T](j)
	k := h.softmax()
	k.Batch = emulate.Batch[T]{Each: h.H * h.S, All: h.B * h.H * h.S, Row: func(i int) *emulate.Query[T] {
		return h.row(k, i/(h.H*h.S), i%h.S, i/h.S%h.H)
	}}
	o, lse := make([]T, 0, h.B*h.S*h.H*h.V), make([]T, h.B*h.H*h.S)
	for b := range h.B {
		for s := range h.S {
			for n := range h.H {
				out, l := k.Run(h.row(k, b, s, n))
				o = append(o, out...)
				lse[(b*h.H+n)*h.S+s] = l
			}
		}
	}
	if j.Makes("softmax-over-queries") {
		h.Show(h.S > 1)
		clear(o)
		for i := range h.B * h.H {
			h.overQueries(k, i/h.H, i%h.H, o)
		}
	}
	emulate.StoreMain(j, "o", h.input, o)
	emulate.StoreLSE(j, lse)
}

// overQueries fills in the output of a head of a sequence where weights add up to 1 for each key,
// over queries, and not for each query, over keys.
func (h *heads[T]) overQueries(k *emulate.Softmax[T], b, n int, o []T) {
	all := make([]T, h.T) // the log-sum-exp of each key
	emulate.Fill(all, T(math.Inf(-1)))
	rows := make([]*emulate.Query[T], h.S)
	for s := range rows {
		rows[s] = h.row(k, b, s, n)
		k.Gather(rows[s], rows[s].Lo, rows[s].Hi)
		for c, x := range k.S {
			t := rows[s].Lo + c
			all[t] = emulate.LogSum(x*k.Unit, all[t])
		}
	}
	for s, r := range rows {
		k.Gather(r, r.Lo, r.Hi)
		values, weights := make([][]T, len(k.S)), make([]T, len(k.S))
		for c, x := range k.S {
			t := r.Lo + c
			values[c], weights[c] = r.Value(t), T(math.Exp(float64(x*k.Unit-all[t])))
		}
		k.Products.Combine(emulate.Row(o, (b*h.S+s)*h.H+n, h.V), emulate.RoundEach(k.Weights, weights), values)
	}
}

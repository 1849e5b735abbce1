package emulate

import (
	"math"

	"plumbline/numbers/dtype"
)

func init() {
	register("attention.forward", kernel{
		float32: attentionForward[float32], float64: attentionForward[float64], request: (*maker).attentionForward,
		right: append(flash(), frameworks()...),
	})
}

// heads is what the kernels of attention.forward and attention.backward read: q [B,S,H,D], k
// [B,T,G,D], v [B,T,G,V].
type heads[T number] struct {
	*job
	q, k, v             []T
	sink                []T
	lens                []int
	B, S, H, T, G, D, V int
	input, values       dtype.Type
}

func loadHeads[T number](j *job) *heads[T] {
	return &heads[T]{
		job: j, q: load[T](j, "q"), k: load[T](j, "k"), v: load[T](j, "v"), sink: load[T](j, "sink"),
		lens: j.loadInts("kv_lens"), B: j.Dim("B"), S: j.Dim("S"), H: j.Dim("H"), T: j.Dim("T"), G: j.Dim("G"),
		D: j.Dim("D"), V: j.Dim("V"), input: j.rec.Type("q"), values: j.rec.Type("v"),
	}
}

// softmax returns the softmax of these heads, with the mistakes of scaling.
func (h *heads[T]) softmax() *softmax[T] {
	scale := 1 / math.Sqrt(float64(h.D))
	if h.Has("scale") {
		scale = h.Float("scale")
	}
	return newSoftmax[T](h.job, h.wrongScale(scale, h.D), h.Float("softcap"), h.values, h.V)
}

// mask returns the mask of sequence b.
func (h *heads[T]) mask(b int) mask {
	keys := h.T
	if h.lens != nil {
		keys = h.lens[b]
	}
	return mask{causal: h.Flag("causal"), window: h.Int("window"), queries: h.S, keys: keys, stored: h.T}
}

// group returns the key and value head of query head n: groups of neighbours share one.
func (h *heads[T]) group(n int) int {
	switch h.Mistake {
	case "heads-tiled":
		return n % h.G
	case "heads-divided-by-groups":
		return min(n/h.G, h.G-1)
	}
	return n * h.G / h.H
}

func (h *heads[T]) query(b, s, n int) []T { return vector(h.q, (b*h.S+s)*h.H+n, h.D) }

func (h *heads[T]) key(b, t, g int) []T { return vector(h.k, (b*h.T+t)*h.G+g, h.D) }

func (h *heads[T]) value(b, t, g int) []T { return vector(h.v, (b*h.T+t)*h.G+g, h.V) }

// row returns what query s of head n in sequence b sees.
func (h *heads[T]) row(k *softmax[T], b, s, n int) *row[T] {
	g, q, m := h.group(n), h.query(b, s, n), h.mask(b)
	r := &row[T]{length: m.keys}
	r.lo, r.hi = m.span(h.job, s)
	h.show(g != n*h.G/h.H && r.lo < r.hi)
	r.tail = min(h.T, (r.hi+h.Tile-1)/h.Tile*h.Tile)
	r.score = func(j int) T { return k.products.dot(q, h.key(b, j, g)) }
	r.value = func(j int) []T { return h.value(b, j, g) }
	if h.sink != nil {
		r.sink = h.sinkOf(n)
		h.show(*r.sink != h.sink[n] && r.lo < r.hi)
	}
	return r
}

// sinkOf returns the sink of a head.
func (h *heads[T]) sinkOf(n int) *T {
	sink := h.sink[n]
	switch h.Mistake {
	case "sink-next-head":
		sink = h.sink[(n+1)%h.H]
	case "sink-bf16":
		sink = to(dtype.BF16, sink)
	}
	return &sink
}

// attentionForward is a flash kernel, or with NormalizeFirst an eager framework. Beside the
// roundings of its softmax it rounds the output once, to the type of q, and the log-sum-exp to F32.
func attentionForward[T number](j *job) {
	h := loadHeads[T](j)
	k := h.softmax()
	o, lse := make([]T, 0, h.B*h.S*h.H*h.V), make([]T, h.B*h.H*h.S)
	for b := range h.B {
		for s := range h.S {
			for n := range h.H {
				out, l := k.run(h.row(k, b, s, n))
				o = append(o, out...)
				lse[(b*h.H+n)*h.S+s] = l
			}
		}
	}
	storeMain(j, "o", h.input, o)
	storeLSE(j, lse)
}

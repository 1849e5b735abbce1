package emulate

import (
	"math"
	"slices"
)

func init() {
	register("mla.layer", kernel{
		float32: mlaLayer[float32], float64: mlaLayer[float64], request: (*maker).mlaLayer,
		right: layers(),
	})
}

// latent is one layer of multi-head latent attention as DeepSeek's inference code computes it, in
// either form. It rounds to the intermediate type every linear's output, the norms (once, or with
// Config.NormTwice before the weight too), the rotated query and key and the attention's output;
// the absorbed form also the absorbed query and the attended latent, and its two score parts each
// to the type of the scores. The last linear's output is rounded to the type of x.
type latent[T number] struct {
	*job
	products          *summer[T]
	softmax           *softmax[T]
	norm              *rms[T]
	rotary            *rotary[T]
	B, S, d           int
	H, Dn, Dr, V      int
	C, Q              int // widths of the latents of keys and queries; Q is 0 without one
	wDQ, wUQ, wDKV    []T
	wUKV, wO          []T
	normQ, normKV     []T
	q                 [][]T // by s: heads of [nope; rope]
	cKV, kR           [][]T // by s
	kv                [][]T // by s: heads of [key; value], naive form
	start             int
	absorbed, rotated bool
}

func loadLatent[T number](j *job) *latent[T] {
	l := &latent[T]{
		job: j, wDQ: load[T](j, "w_dq"), normQ: load[T](j, "norm_q"), wUQ: load[T](j, "w_uq"),
		wDKV: load[T](j, "w_dkv"), normKV: load[T](j, "norm_kv"), wUKV: load[T](j, "w_ukv"), wO: load[T](j, "w_o"),
		B: j.Dim("B"), S: j.Dim("S"), d: j.Dim("d"), H: j.Dim("H"), Dn: j.Dim("Dn"), Dr: j.Dim("Dr"), V: j.Dim("V"),
		C: j.Dim("c"), Q: j.Dim("cq"), start: j.Int("start"), absorbed: j.Form == "absorbed",
	}
	if l.Q == 0 {
		l.wUQ = load[T](j, "w_q")
	}
	l.rotated = l.start > 0 || l.S > 1
	return l
}

// prepare sets up the arithmetic.
func (l *latent[T]) prepare() {
	input := l.rec.Type("x")
	l.Intermediate = or(l.Intermediate, input)
	width := l.V
	if l.absorbed {
		width = l.C
	}
	l.softmax = newSoftmax[T](l.job, l.scale(), 0, l.Intermediate, width)
	l.products = l.softmax.products
	middle := working[T]()
	if l.NormTwice {
		middle = l.Intermediate
	}
	l.norm = newRMS(l.job, l.softmax.scalars.plain(), middle)
	l.rotary = newRotary[T](l.job, l.Dr, l.rotated)
}

// scale returns the softmax scale, which has YaRN's temperature in it.
func (l *latent[T]) scale() float64 {
	scale, temperature := 1/math.Sqrt(float64(l.Dn+l.Dr)), 1.0
	if y := l.YaRN(); y != nil {
		temperature = temperatureOf(y)
	}
	right := scale * temperature
	if l.Has("scale") {
		right = l.Float("scale")
	}
	wrong := l.wrongScale(right, l.Dn+l.Dr)
	switch l.Mistake {
	case "temperature-missing":
		wrong = right
		if !l.Has("scale") {
			wrong = scale
		}
	case "scale-of-latent":
		wrong = 1 / math.Sqrt(float64(l.C+l.Dr))
	}
	l.scaleWrong = math.Abs(wrong/right-1) > 1e-3
	return wrong
}

// linear returns w·x rounded to the intermediate type; w is [out × in].
func (l *latent[T]) linear(w, x []T) []T {
	return toEach(l.Intermediate, l.times(w, x))
}

func (l *latent[T]) times(w, x []T) []T {
	y := make([]T, len(w)/len(x))
	for i := range y {
		y[i] = l.products.dot(x, vector(w, i, len(x)))
	}
	return y
}

func mlaLayer[T number](j *job) {
	l := loadLatent[T](j)
	x := load[T](j, "x")
	l.prepare()
	y := make([]T, 0, len(x))
	var cKV, kR []T
	for b := range l.B {
		l.project(vector(x, b, l.S*l.d))
		for s := range l.S {
			y = append(y, l.token(s)...)
			cKV, kR = append(cKV, l.cKV[s]...), append(kR, l.kR[s]...)
		}
	}
	storeMain(j, "y", j.rec.Type("x"), y)
	store(j, "latent", l.Intermediate, cKV)
	store(j, "rope_key", l.Intermediate, kR)
}

// project computes queries, latents and rope keys of a sequence.
func (l *latent[T]) project(x []T) {
	l.q, l.cKV, l.kR, l.kv = nil, nil, nil, nil
	for s := range l.S {
		h := vector(x, s, l.d)
		cos, sin := l.rotary.table(l.start + s)
		l.q = append(l.q, l.rotateQuery(l.queryOf(h), cos, sin))
		down := l.linear(l.wDKV, h)
		cKV, kR := down[:l.C], down[l.C:]
		cKV, kR = l.normKey(cKV, kR)
		l.cKV = append(l.cKV, cKV)
		l.kR = append(l.kR, l.rotateKey(kR, cos, sin))
		if !l.absorbed {
			l.kv = append(l.kv, l.linear(l.wUKV, cKV))
		}
	}
}

// queryOf returns the query of all heads, before rotation.
func (l *latent[T]) queryOf(h []T) []T {
	if l.Q == 0 {
		q := l.linear(l.wUQ, h)
		if l.makes("norm-extra") {
			l.show(l.S > 1) // with one key the query does not matter
			return toEach(l.Intermediate, l.norm.row(q, slices.Repeat([]T{1}, len(q))))
		}
		return q
	}
	cQ := l.linear(l.wDQ, h)
	if l.makes("norm-missing-q") {
		l.show(l.S > 1)
	} else {
		cQ = toEach(l.Intermediate, l.norm.row(cQ, l.normQ))
	}
	return l.linear(l.wUQ, cQ)
}

// normKey returns the latent normed, and the rope key as it is.
func (l *latent[T]) normKey(cKV, kR []T) ([]T, []T) {
	switch l.Mistake {
	case "norm-missing-kv":
		l.show(true)
		return cKV, kR
	case "norm-with-rope-key":
		l.show(true)
		both := l.norm.row(slices.Concat(cKV, kR), slices.Concat(l.normKV, slices.Repeat([]T{1}, l.Dr)))
		toEach(l.Intermediate, both)
		return both[:l.C], both[l.C:]
	}
	return toEach(l.Intermediate, l.norm.row(cKV, l.normKV)), kR
}

// rotateQuery rotates the last channels of every head.
func (l *latent[T]) rotateQuery(q, cos, sin []T) []T {
	for n := range l.H {
		head := vector(q, n, l.Dn+l.Dr)
		rope := head[l.Dn:]
		if l.makes("rope-first-channels") && l.Dn >= l.Dr {
			l.show(l.S > 1)
			rope = head[:l.Dr]
		}
		copy(rope, toEach(l.Intermediate, l.rotary.turn(rope, cos, sin)))
	}
	return q
}

// rotateKey rotates the key that all heads share.
func (l *latent[T]) rotateKey(kR, cos, sin []T) []T {
	kR = toEach(l.Intermediate, l.rotary.turn(kR, cos, sin))
	if l.makes("rope-key-twice") {
		l.show(l.rotated)
		kR = toEach(l.Intermediate, l.rotary.turn(kR, cos, sin))
	}
	return kR
}

// token returns the layer's output for token s, in the working type.
func (l *latent[T]) token(s int) []T {
	m := mask{causal: l.Flag("causal"), queries: l.S, keys: l.S, stored: l.S}
	out := make([]T, 0, l.H*l.V)
	for n := range l.H {
		r := &row[T]{length: l.S, tail: l.S}
		r.lo, r.hi = m.span(l.job, s)
		if l.absorbed {
			out = append(out, l.absorbedHead(r, s, n)...)
		} else {
			out = append(out, l.naiveHead(r, s, n)...)
		}
	}
	return l.times(l.wO, out)
}

// naiveHead attends over the keys and values of a head.
func (l *latent[T]) naiveHead(r *row[T], s, n int) []T {
	q := vector(l.q[s], n, l.Dn+l.Dr)
	key, value := l.keyAt(n), l.valueAt(n)
	k := make([]T, l.Dn+l.Dr)
	r.score = func(j int) T {
		copy(k, l.kv[j][key:key+l.Dn])
		copy(k[l.Dn:], l.kR[j])
		return l.products.dot(q, k)
	}
	r.value = func(j int) []T { return l.kv[j][value : value+l.V] }
	o, _ := l.softmax.run(r)
	return toEach(l.Intermediate, o)
}

// absorbedHead attends over the latents: the key's up-projection is taken into the query, the
// value's out of the sum.
func (l *latent[T]) absorbedHead(r *row[T], s, n int) []T {
	q := vector(l.q[s], n, l.Dn+l.Dr)
	absorbed := toEach(l.Intermediate, l.absorb(q[:l.Dn], n))
	scores := l.softmax.scores
	r.score = func(j int) T {
		nope := to(scores, l.products.dot(absorbed, l.cKV[j]))
		rope := to(scores, l.products.dot(q[l.Dn:], l.kR[j]))
		return nope + rope
	}
	r.value = func(j int) []T { return l.cKV[j] }
	o, _ := l.softmax.run(r)
	toEach(l.Intermediate, o)
	return l.linear(l.wUKV[l.valueAt(n)*l.C:(l.valueAt(n)+l.V)*l.C], o)
}

// absorb returns the query times W_UK of head n: one weight for every channel of the latent.
func (l *latent[T]) absorb(q []T, n int) []T {
	out := make([]T, l.C)
	rows := make([][]T, l.Dn)
	for i := range rows {
		rows[i] = vector(l.wUKV, l.keyAt(n)+i, l.C)
	}
	if l.makes("query-untransposed") && l.Dn == l.C {
		l.show(l.S > 1)
		for i := range out {
			out[i] = l.products.dot(q, rows[i])
		}
		return out
	}
	l.products.combine(out, q, rows)
	return out
}

// keyAt returns the row of w_ukv at which the key of head n begins; rows are per head [key; value].
func (l *latent[T]) keyAt(n int) int {
	if l.makes("kv-up-split") {
		l.show(l.H > 1)
		return n * l.Dn
	}
	return n * (l.Dn + l.V)
}

// valueAt is keyAt for the value.
func (l *latent[T]) valueAt(n int) int {
	switch {
	case l.makes("kv-up-split"):
		return l.H*l.Dn + n*l.V
	case l.makes("value-from-key") && l.V <= l.Dn:
		l.show(true)
		return n * (l.Dn + l.V)
	}
	return n*(l.Dn+l.V) + l.Dn
}

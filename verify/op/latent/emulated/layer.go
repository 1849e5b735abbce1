package emulated

import (
	"cmp"
	"math"
	"slices"

	"plumbline/verify/emulate"
	"plumbline/verify/op/attention/emulated"
)

// What a layer forms of each token, in each of its heads, and keeps of it.
const (
	queryLatents = "the latent of queries"
	queryRoots   = "the root mean square of the latent of queries"
	downs        = "the latent and the key, neither normed nor rotated"
	latentRoots  = "the root mean square of the latent"
	latents      = "the latent that keys and values are made of"
	ropeKeys     = "the rotated key"
	readLatents  = "the latent that is attended to"
	readKeys     = "the rotated key that is attended to"
	queries      = "the query of each head"
	upped        = "the key and the value of each head"
	absorbed     = "the absorbed query"
	attended     = "the latent that each head sums"
	heads        = "the output of each head"
	keyPlaces    = "the position of each key"
)

func init() {
	emulate.Register("mla.layer", emulate.Kernel{
		Float32: mlaLayer[float32], Float64: mlaLayer[float64], Request: requestLayer,
		Right: layers(), Quantities: slices.Concat(
			[]emulate.Quantity{
				{Name: emulate.Places, Shape: []string{"S", "H"}, Axes: []string{"token", "head"}},
				{Name: keyPlaces, Shape: []string{"S"}, Axes: []string{"token"}},
				{Name: emulate.Turns, Shape: []string{"Dr/2"}, Axes: []string{"pair"}},
				{Name: emulate.Cosines, Shape: []string{"S", "Dr/2"}, Axes: []string{"token", "pair"}},
				{Name: emulate.Sines, Shape: []string{"S", "Dr/2"}, Axes: []string{"token", "pair"}},
				ofTokens(queryRoots), ofTokens(queryLatents, "cq"), ofHeads(queries, "Dn+Dr"),
				ofTokens(downs, "c+Dr"), ofTokens(latentRoots), ofTokens(latents, "c"), ofTokens(ropeKeys, "Dr"),
				ofTokens(readLatents, "c"), ofTokens(readKeys, "Dr"),
				ofHeads(upped, "Dn+V"), ofHeads(absorbed, "c"),
			},
			emulated.Weighing("B", "S", "H", "S"),
			[]emulate.Quantity{ofHeads(attended, "c"), ofHeads(heads, "V")},
		),
	})
}

// ofTokens is a quantity that each token has so many of.
func ofTokens(name string, columns ...string) emulate.Quantity {
	axes := []string{"batch", "token", "column"}[:2+len(columns)]
	return emulate.Quantity{Name: name, Shape: slices.Concat([]string{"B", "S"}, columns), Axes: axes}
}

// ofHeads is a quantity that each head of each token has so many of.
func ofHeads(name, columns string) emulate.Quantity {
	return emulate.Quantity{
		Name: name, Shape: []string{"B", "S", "H", columns}, Axes: []string{"batch", "token", "head", "column"},
	}
}

// latent is one layer of multi-head latent attention as DeepSeek's inference code computes it, in
// either form. It rounds to the intermediate type every linear's output, the norms (once, or with
// Config.NormTwice before the weight too), the rotated query and key and the attention's output;
// the absorbed form also the absorbed query and the attended latent, and its two score parts each
// to the type of the scores. The last linear's output is rounded to the type of x.
type latent[T emulate.Number] struct {
	*emulate.Job
	products          *emulate.Summer[T]
	softmax           *emulate.Softmax[T]
	norm              *emulate.RMS[T]
	rotary            *emulate.Rotary[T]
	B, S, d           int
	H, Dn, Dr, V      int
	C, Q              int // widths of the latents of keys and queries; Q is 0 without one
	wDQ, wUQ, wDKV    []T
	wUKV, wO          []T
	normQ, normKV     []T
	q                 [][]T  // by s: heads of [nope; rope]
	cKV, kR           [][]T  // by s, as they are attended to
	kept              [2][]T // all latents and rope keys, as they are stored
	b                 int    // the sequence at work
	kv                [][]T  // by s: heads of [key; value], naive form
	positions         []int
	absorbed, rotated bool
}

func loadLatent[T emulate.Number](j *emulate.Job) *latent[T] {
	l := &latent[T]{
		Job: j, wDQ: emulate.Load[T](j, "w_dq"), normQ: emulate.Load[T](j, "norm_q"), wUQ: emulate.Load[T](j, "w_uq"),
		wDKV: emulate.Load[T](j, "w_dkv"), normKV: emulate.Load[T](j, "norm_kv"), wUKV: emulate.Load[T](j, "w_ukv"),
		wO: emulate.Load[T](j, "w_o"),
		B:  j.Dim("B"), S: j.Dim("S"), d: j.Dim("d"), H: j.Dim("H"), Dn: j.Dim("Dn"), Dr: j.Dim("Dr"), V: j.Dim("V"),
		C: j.Dim("c"), Q: j.Dim("cq"), absorbed: j.Form == "absorbed",
	}
	if l.Q == 0 {
		l.wUQ = emulate.Load[T](j, "w_q")
	}
	l.rotated = j.Int("start") > 0 || l.S > 1
	for s := range l.S {
		l.positions = append(l.positions, j.Int("start")+s)
	}
	l.positions = j.WrongPositions(l.positions)
	return l
}

// prepare sets up the arithmetic.
func (l *latent[T]) prepare() {
	input := l.Recording.Type("x")
	l.Intermediate = cmp.Or(l.Intermediate, input)
	width := l.V
	if l.absorbed {
		width = l.C
	}
	l.softmax = emulate.NewSoftmax[T](l.Job, l.scale(), 0, l.Intermediate, width)
	l.products = l.softmax.Products
	middle := emulate.Working[T]()
	if l.NormTwice {
		middle = l.Intermediate
	}
	l.norm = emulate.NewRMS(l.Job, l.softmax.Scalars.Plain(), middle)
	l.rotary = emulate.NewRotary[T](l.Job, l.Dr, l.rotated)
}

// scale returns the softmax scale, which has YaRN's temperature in it.
func (l *latent[T]) scale() float64 {
	scale := 1 / math.Sqrt(float64(l.Dn+l.Dr))
	right, hotter := scale*l.temperature(""), scale*l.temperature(l.Among(ofTemperature...))
	if l.Has("scale") {
		right, hotter = l.Float("scale"), l.Float("scale")
	}
	if l.Makes("temperature-on-given-scale") && l.Has("scale") {
		hotter *= l.temperature("")
	}
	wrong := l.WrongScale(right, l.Dn+l.Dr)
	switch {
	case l.Among(ofTemperature...) != "", l.First("temperature-on-given-scale"):
		wrong = hotter
	case l.First("scale-of-latent"):
		wrong = 1 / math.Sqrt(float64(l.C+l.Dr))
	case l.First("scale-of-hidden"):
		wrong = 1 / math.Sqrt(float64(l.d)/float64(l.H))
	}
	l.ScaleWrong = math.Abs(wrong/right-1) > 1e-3
	return wrong
}

// ofTemperature are the mistakes of what YaRN multiplies the softmax scale by.
var ofTemperature = []string{
	"temperature-missing", "temperature-of-mscale", "temperature-tenth-twice", "temperature-once",
}

// temperature returns what YaRN multiplies the softmax scale by, with a mistake or "".
func (l *latent[T]) temperature(mistake string) float64 {
	y := l.YaRN()
	if y == nil || mistake == "temperature-missing" {
		return 1
	}
	if mistake == "temperature-of-mscale" {
		other := *y
		other.MScaleAllDim = y.MScale
		return emulate.Temperature(&other)
	}
	if mistake == "temperature-tenth-twice" {
		other := *y
		other.MScaleAllDim *= 0.1
		return emulate.Temperature(&other)
	}
	if mistake == "temperature-once" {
		return math.Sqrt(emulate.Temperature(y))
	}
	return emulate.Temperature(y)
}

// linear returns w·x rounded to the intermediate type; w is [out × in].
func (l *latent[T]) linear(w, x []T) []T {
	return emulate.RoundEach(l.Intermediate, l.times(w, x))
}

func (l *latent[T]) times(w, x []T) []T {
	y := make([]T, len(w)/len(x))
	for i := range y {
		y[i] = l.products.Dot(x, emulate.Row(w, i, len(x)))
	}
	return y
}

func mlaLayer[T emulate.Number](j *emulate.Job) {
	l := loadLatent[T](j)
	x := emulate.Load[T](j, "x")
	l.prepare()
	y := make([]T, 0, len(x))
	for l.b = range l.B {
		l.project(emulate.Row(x, l.b, l.S*l.d))
		out := make([]T, 0, l.S*l.H*l.V)
		for s := range l.S {
			out = append(out, l.token(s)...)
		}
		out = l.untransposed(out)
		for s := range l.S {
			y = append(y, l.times(l.wO, emulate.Row(out, s, l.H*l.V))...)
		}
	}
	emulate.StoreMain(j, "y", j.Recording.Type("x"), y)
	emulate.Store(j, "latent", l.Intermediate, l.kept[0])
	emulate.Store(j, "rope_key", l.Intermediate, l.kept[1])
}

// project computes queries, latents and rope keys of a sequence.
func (l *latent[T]) project(x []T) {
	l.q, l.cKV, l.kR, l.kv = nil, nil, nil, nil
	for s := range l.S {
		h := emulate.Row(x, s, l.d)
		cos, sin := l.rotary.Table(l.positions[s])
		emulate.Pass(l.Job, emulate.Cosines, s*len(cos), cos)
		emulate.Pass(l.Job, emulate.Sines, s*len(sin), sin)
		l.q = append(l.q, l.pass(queries, s, l.rotateQuery(l.parted(l.queryOf(h, s)), s, cos, sin)))
		raw, unrotated := l.down(h, s)
		cKV, kR := l.normKey(raw, unrotated)
		l.keep(s, cKV, l.rotateKey(kR, s, cos, sin))
		l.cacheEarly(raw, unrotated)
	}
}

// keep stores latent and rope key of token s, and takes them in for attention.
func (l *latent[T]) keep(s int, cKV, kR []T) {
	cKV, kR = l.pass(latents, s, cKV), l.pass(ropeKeys, s, kR)
	l.kept[0], l.kept[1] = append(l.kept[0], cKV...), append(l.kept[1], kR...)
	l.cKV, l.kR = append(l.cKV, l.pass(readLatents, s, cKV)), append(l.kR, l.pass(readKeys, s, kR))
	if !l.absorbed {
		l.kv = append(l.kv, l.pass(upped, s, l.linear(l.wUKV, cKV)))
	}
}

// cacheEarly makes the mistakes of a cache that has a token's latent before its norm, or the key
// before its rotation, while its own attention takes those after.
func (l *latent[T]) cacheEarly(cKV, kR []T) {
	stored, early := l.kept[0], cKV
	switch {
	case l.Makes("cache-unnormed"):
	case l.Makes("cache-unrotated"):
		stored, early = l.kept[1], kR
	default:
		return
	}
	last := stored[len(stored)-len(early):]
	l.Show(!slices.Equal(last, early))
	copy(last, early)
}

// pass passes a quantity of token s on.
func (l *latent[T]) pass(name string, s int, x []T) []T {
	emulate.Pass(l.Job, name, (l.b*l.S+s)*len(x), x)
	return x
}

// queryOf returns the query of all heads of token s, before rotation.
func (l *latent[T]) queryOf(h []T, s int) []T {
	if l.Q == 0 {
		q := l.linear(l.wUQ, h)
		if l.Makes("norm-extra") {
			l.Show(l.S > 1) // with one key the query does not matter
			return emulate.RoundEach(l.Intermediate, l.norm.Row(q, slices.Repeat([]T{1}, len(q))))
		}
		return q
	}
	cQ := l.linear(l.wDQ, h)
	if l.Makes("norm-missing-q") {
		l.Show(l.S > 1)
	} else {
		l.norm.Named, l.norm.Place = queryRoots, l.b*l.S+s
		cQ = emulate.RoundEach(l.Intermediate, l.norm.Row(cQ, l.normQ))
	}
	return l.linear(l.wUQ, l.pass(queryLatents, s, cQ))
}

// parted returns the query of all heads as [nope; rope] of each.
func (l *latent[T]) parted(q []T) []T {
	wrong := make([]T, 0, len(q))
	switch {
	case l.Makes("query-up-split"):
		for n := range l.H {
			wrong = slices.Concat(wrong, emulate.Row(q, n, l.Dn), emulate.Row(q[l.H*l.Dn:], n, l.Dr))
		}
		l.Show(l.H > 1 && l.S > 1)
	case l.Makes("query-parts-exchanged"):
		for n := range l.H {
			head := emulate.Row(q, n, l.Dn+l.Dr)
			wrong = slices.Concat(wrong, head[l.Dr:], head[:l.Dr])
		}
		l.Show(l.S > 1)
	default:
		return q
	}
	return wrong
}

// down returns latent and rope key of token s, before norm and rotation.
func (l *latent[T]) down(h []T, s int) (cKV, kR []T) {
	down := l.pass(downs, s, l.linear(l.wDKV, h))
	l.norm.Named, l.norm.Place = latentRoots, l.b*l.S+s
	cKV, kR = down[:l.C], down[l.C:]
	switch {
	case l.Makes("rope-key-first"):
		l.Show(true)
		return down[l.Dr:], down[:l.Dr]
	case l.Makes("rope-rows-transposed") && l.Word("layout") != "half":
		l.Show(l.Dr > 2)
		kR = paired(l.linear(l.wDKV[l.C*l.d:], halved(h)))
	}
	return cKV, kR
}

// halved returns the even elements, then the odd ones.
func halved[T any](x []T) []T {
	y := make([]T, 0, len(x))
	for parity := range 2 {
		for i := parity; i < len(x); i += 2 {
			y = append(y, x[i])
		}
	}
	return y
}

// paired undoes halved.
func paired[T any](x []T) []T {
	y := make([]T, len(x))
	for i, at := range halved(emulate.Indices(len(x))) {
		y[at] = x[i]
	}
	return y
}

// normKey returns the latent normed, and the rope key as it is.
func (l *latent[T]) normKey(cKV, kR []T) ([]T, []T) {
	switch {
	case l.First("norm-missing-kv"):
		l.Show(true)
		return cKV, kR
	case l.First("norm-with-rope-key"):
		l.Show(true)
		both := l.norm.Row(slices.Concat(cKV, kR), slices.Concat(l.normKV, slices.Repeat([]T{1}, l.Dr)))
		emulate.RoundEach(l.Intermediate, both)
		return both[:l.C], both[l.C:]
	}
	return emulate.RoundEach(l.Intermediate, l.norm.Row(cKV, l.normKV)), kR
}

// rotateQuery rotates the last channels of every head.
func (l *latent[T]) rotateQuery(q []T, s int, cos, sin []T) []T {
	rotary := l.rotary
	switch {
	case l.Makes("query-unrotated"):
		l.Show(l.rotated && l.S > 1)
		return q
	case l.Makes("query-layout-swapped"):
		l.Show(l.Dr > 2 && l.rotated && l.S > 1)
		rotary = l.rotary.Swapped()
	}
	for n := range l.H {
		head := emulate.Row(q, n, l.Dn+l.Dr)
		rope := head[l.Dn:]
		cos, sin := l.wrongPlace(s, n, cos, sin)
		if l.Makes("rope-first-channels") && l.Dn >= l.Dr {
			l.Show(l.S > 1)
			rope = head[:l.Dr]
		}
		copy(rope, emulate.RoundEach(l.Intermediate, rotary.Turn(rope, cos, sin)))
	}
	return q
}

// wrongPlace makes the mistakes of a position that the query's head n alone has.
func (l *latent[T]) wrongPlace(s, n int, cos, sin []T) (otherCos, otherSin []T) {
	var at int
	switch {
	case l.Makes("query-start-missing"):
		at = s
	case l.Makes("position-of-head"):
		at = n
	case l.Makes("position-plus-head"):
		at = l.positions[s] + n
	default:
		at = l.positions[s]
	}
	l.Show(at != l.positions[s] && l.S > 1)
	if at = emulate.PassPlace[T](l.Job, emulate.Places, s*l.H+n, at); at == l.positions[s] {
		return cos, sin
	}
	return l.rotary.Table(at)
}

// rotateKey rotates the key that all heads share.
func (l *latent[T]) rotateKey(kR []T, s int, cos, sin []T) []T {
	if l.Makes("rope-key-start-missing") {
		l.Show(l.positions[s] != s)
		cos, sin = l.rotary.Table(s)
	}
	if l.Makes("rope-key-unrotated") || l.Makes("position-of-head") { // that head is 0
		l.Show(l.rotated)
		return kR
	}
	if at := emulate.PassPlace[T](l.Job, keyPlaces, s, l.positions[s]); at != l.positions[s] {
		cos, sin = l.rotary.Table(at)
	}
	kR = emulate.RoundEach(l.Intermediate, l.rotary.Turn(kR, cos, sin))
	if l.Makes("rope-key-twice") {
		l.Show(l.rotated)
		kR = emulate.RoundEach(l.Intermediate, l.rotary.Turn(kR, cos, sin))
	}
	return kR
}

// untransposed makes the mistake of heads [H,S,V] that are taken for [S,H,V], the rows of which the
// last linear reads.
func (l *latent[T]) untransposed(out []T) []T {
	if !l.Makes("heads-untransposed") {
		return out
	}
	l.Show(l.H > 1 && l.S > 1)
	wrong := make([]T, 0, len(out))
	for i := range l.S * l.H {
		wrong = append(wrong, emulate.Row(out, i%l.S*l.H+i/l.S, l.V)...)
	}
	return wrong
}

// token returns what all heads have for token s.
func (l *latent[T]) token(s int) []T {
	m := emulate.Mask{Causal: l.Flag("causal"), Queries: l.S, Keys: l.S, Stored: l.S}
	out := make([]T, 0, l.H*l.V)
	for n := range l.H {
		r := &emulate.Query[T]{Length: l.S, Tail: l.S, Place: ((l.b*l.S+s)*l.H + n) * l.S}
		r.Lo, r.Hi = m.Span(l.Job, s)
		if l.absorbed {
			out = append(out, l.absorbedHead(r, s, n)...)
		} else {
			out = append(out, l.naiveHead(r, s, n)...)
		}
	}
	return l.pass(heads, s, out)
}

// naiveHead attends over the keys and values of a head.
func (l *latent[T]) naiveHead(r *emulate.Query[T], s, n int) []T {
	q := emulate.Row(l.q[s], n, l.Dn+l.Dr)
	key, value := l.keyAt(n), l.valueAt(n)
	k := make([]T, l.Dn+l.Dr)
	r.Score = func(j int) T {
		copy(k, l.kv[j][key:key+l.Dn])
		copy(k[l.Dn:], l.kR[j])
		return l.products.Dot(q, k)
	}
	r.Value = func(j int) []T { return l.kv[j][value : value+l.V] }
	o, _ := l.softmax.Run(r)
	return emulate.RoundEach(l.Intermediate, o)
}

// absorbedHead attends over the latents: the key's up-projection is taken into the query, the
// value's out of the sum.
func (l *latent[T]) absorbedHead(r *emulate.Query[T], s, n int) []T {
	q, place := emulate.Row(l.q[s], n, l.Dn+l.Dr), ((l.b*l.S+s)*l.H+n)*l.C
	nopeQ := emulate.RoundEach(l.Intermediate, l.absorb(q[:l.Dn], n))
	emulate.Pass(l.Job, absorbed, place, nopeQ)
	scores := l.softmax.Scores
	r.Score = func(j int) T {
		nope := emulate.Round(scores, l.products.Dot(nopeQ, l.cKV[j]))
		rope := emulate.Round(scores, l.products.Dot(q[l.Dn:], l.kR[j]))
		return nope + rope
	}
	r.Value = func(j int) []T { return l.cKV[j] }
	o, _ := l.softmax.Run(r)
	emulate.Pass(l.Job, attended, place, emulate.RoundEach(l.Intermediate, o))
	return l.linear(l.wUKV[l.valueAt(n)*l.C:(l.valueAt(n)+l.V)*l.C], o)
}

// absorb returns the query times W_UK of head n: one weight for every channel of the latent.
func (l *latent[T]) absorb(q []T, n int) []T {
	out := make([]T, l.C)
	rows := make([][]T, l.Dn)
	for i := range rows {
		rows[i] = emulate.Row(l.wUKV, l.keyAt(n)+i, l.C)
	}
	if l.Makes("query-untransposed") && l.Dn == l.C {
		l.Show(l.S > 1)
		for i := range out {
			out[i] = l.products.Dot(q, rows[i])
		}
		return out
	}
	l.products.Combine(out, q, rows)
	return out
}

// keyAt returns the row of w_ukv at which the key of head n begins; rows are per head [key; value].
func (l *latent[T]) keyAt(n int) int {
	if l.Makes("kv-up-split") {
		l.Show(l.H > 1)
		return n * l.Dn
	}
	return n * (l.Dn + l.V)
}

// valueAt is keyAt for the value.
func (l *latent[T]) valueAt(n int) int {
	switch {
	case l.Makes("kv-up-split"):
		return l.H*l.Dn + n*l.V
	case l.Makes("value-from-key") && l.V <= l.Dn:
		l.Show(true)
		return n * (l.Dn + l.V)
	}
	return n*(l.Dn+l.V) + l.Dn
}

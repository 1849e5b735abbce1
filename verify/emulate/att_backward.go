package emulate

import (
	"math"

	"plumbline/numbers/dtype"
)

func init() {
	register("attention.backward", kernel{
		float32: attentionBackward[float32], float64: attentionBackward[float64], request: (*maker).attentionBackward,
		right: append(backwards(), frameworks()...),
	})
}

// gradients is a backward kernel of attention. It has of the forward pass the output, rounded to
// its type, and the log-sum-exp, and forms
//
//	P = exp(scores − lse),  D = Σ do·o,  dS = P (do·v − D)
//	dq = scale Σ dS k,  dk = scale Σ dS q,  dv = Σ P do
//
// P is rounded to the type of the probabilities for dv, dS to the intermediate type, and the
// gradients once, to the types of their inputs. With NormalizeFirst it is an eager framework: do·v
// is stored in the type of the scores, dS before and after scaling in the intermediate type.
type gradients[T number] struct {
	*heads[T]
	k  *softmax[T]
	do []T
	// One row for every query of a sequence and head, indexed by s·H + n: rounded P and dS over the
	// keys.
	p, ds   [][]T
	dq      []T
	several bool // some query sees more than one key, so that its dS is not 0
}

func attentionBackward[T number](j *job) {
	h := loadHeads[T](j)
	g := &gradients[T]{heads: h, do: load[T](j, "do")}
	j.Intermediate = or(j.Intermediate, h.input)
	g.k = h.softmax()
	g.dq = make([]T, len(h.q))
	dk, dv := make([]T, len(h.k)), make([]T, len(h.v))
	for b := range h.B {
		g.rows(b)
		for t := range h.T {
			for n := range h.G {
				at := (b*h.T+t)*h.G + n
				g.keys(b, t, n, vector(dk, at, h.D), vector(dv, at, h.V))
			}
		}
	}
	store(j, "dq", j.rec.Type("q"), g.dq)
	store(j, "dk", j.rec.Type("k"), dk)
	store(j, "dv", j.rec.Type("v"), dv)
}

// rows computes P and dS of every query of sequence b, and from them dq.
func (g *gradients[T]) rows(b int) {
	g.p, g.ds = make([][]T, g.S*g.H), make([][]T, g.S*g.H)
	for i := range g.S * g.H {
		g.p[i], g.ds[i] = make([]T, g.T), make([]T, g.T)
		r := g.heads.row(g.k, b, i/g.H, i%g.H)
		if r.lo >= r.hi {
			continue
		}
		g.several = g.several || r.hi-r.lo > 1
		out, lse := g.forward(r, b, i/g.H)
		g.k.gather(r, r.lo, r.hi)
		logits := append([]T{}, g.k.s...)
		if g.NormalizeFirst {
			g.eager(r, i, b, logits, lse)
		} else {
			g.flash(r, i, b, logits, out, lse)
		}
		g.query(r, i, b)
	}
}

// forward returns what the forward kernel has left, which knew the right mask: the output in its
// type, and the log-sum-exp with the sink.
func (g *gradients[T]) forward(r *row[T], b, s int) ([]T, T) {
	right := *r
	right.lo, right.hi = g.mask(b).right(s)
	out, lse := g.k.run(&right)
	if sink := g.k.sinkOf(r, lse); sink != nil {
		top := max(lse, *sink)
		lse = top + T(math.Log(math.Exp(float64(lse-top))+math.Exp(float64(*sink-top))))
	}
	return toEach(or(g.Output, g.input), out), lse
}

// probability returns P for a logit.
func (g *gradients[T]) probability(x, lse T) T {
	if g.makes("lse-base") {
		g.show(g.several)
		return T(math.Exp2(float64(x*g.k.unit - lse)))
	}
	if g.k.unit == 1 {
		return g.k.exp(x, lse)
	}
	return T(math.Exp2(float64(T(float64(x)*float64(g.k.log2) - float64(lse*T(math.Log2E))))))
}

// flash fills in P and dS of query i as a flash kernel does.
func (g *gradients[T]) flash(r *row[T], i, b int, logits, out []T, lse T) {
	do := g.gradient(i, b)
	delta := g.delta(g.k.scalars.dot(do, out))
	for c, x := range logits {
		p := g.probability(x, lse)
		dp := g.k.products.dot(do, r.value(r.lo+c))
		g.p[i][r.lo+c] = to(g.k.weights, p)
		g.ds[i][r.lo+c] = to(g.Intermediate, p*(dp-delta)*g.capSlope(x))
	}
}

// eager fills in P and dS of query i as a framework does that stores every step where it stores
// scores in a narrow type: dS comes out scaled.
func (g *gradients[T]) eager(r *row[T], i, b int, logits []T, lse T) {
	do := g.gradient(i, b)
	p, dp := make([]T, len(logits)), make([]T, len(logits))
	for c, x := range logits {
		p[c] = g.probability(x, lse)
		dp[c] = to(g.k.scores, g.k.products.dot(do, r.value(r.lo+c)))
		g.p[i][r.lo+c] = to(g.k.weights, p[c])
	}
	delta := g.delta(g.k.scalars.dot(p, dp))
	step := g.Intermediate
	if g.k.scores == working[T]() {
		step = g.k.scores
	}
	for c, x := range logits {
		ds := to(step, p[c]*(dp[c]-delta))
		if g.k.soft != 0 {
			ds = to(step, to(g.k.chain, to(g.k.chain, to(g.k.chain, ds*g.k.soft)*g.capSlope(x))/g.k.soft))
		}
		g.ds[i][r.lo+c] = to(g.Intermediate, ds*g.k.scale)
	}
}

// gradient returns the row of do for query i of sequence b.
func (g *gradients[T]) gradient(i, b int) []T { return vector(g.do, b*g.S*g.H+i, g.V) }

func (g *gradients[T]) delta(d T) T {
	if g.makes("delta-missing") {
		g.show(d != 0)
		return 0
	}
	if g.makes("delta-bf16") {
		g.show(g.several && to(dtype.BF16, d) != d)
		return to(dtype.BF16, d)
	}
	return d
}

// capSlope returns the derivative of the soft cap at a capped logit.
func (g *gradients[T]) capSlope(x T) T {
	if g.k.soft == 0 {
		return 1
	}
	if g.makes("softcap-derivative-missing") {
		g.show(g.several)
		return 1
	}
	u := to(g.k.chain, x/g.k.soft)
	return 1 - T(u*u)
}

// query sums dq of query i.
func (g *gradients[T]) query(r *row[T], i, b int) {
	n := g.group(i % g.H)
	keys := make([][]T, r.hi-r.lo)
	for c := range keys {
		keys[c] = g.key(b, r.lo+c, n)
	}
	dq := vector(g.dq, b*g.S*g.H+i, g.D)
	g.k.products.combine(dq, g.ds[i][r.lo:r.hi], keys)
	g.rescale(dq, "dq-unscaled")
	if g.makes("dq-scale-bf16") {
		g.narrowScale(dq)
	}
}

// narrowScale replaces the scale in dq by the BF16 number next to it.
func (g *gradients[T]) narrowScale(dq []T) {
	t, factor := or(g.Output, g.input), to(dtype.BF16, g.k.scale)/g.k.scale
	for c, x := range dq {
		dq[c] *= factor
		g.show(to(t, x) != to(t, dq[c]))
	}
}

// keys sums dk and dv of key t in group n, over the queries of all heads of the group.
func (g *gradients[T]) keys(b, t, n int, dk, dv []T) {
	if g.GroupSum == dtype.Invalid || g.H == g.G {
		g.keysOf(b, t, dk, dv, func(h int) bool { return g.group(h) == n })
		return
	}
	for h := range g.H {
		if g.group(h) != n {
			continue
		}
		headK, headV := make([]T, g.D), make([]T, g.V)
		g.keysOf(b, t, headK, headV, func(i int) bool { return i == h })
		g.addHead(dk, toEach(g.rec.Type("k"), headK))
		g.addHead(dv, toEach(g.rec.Type("v"), headV))
	}
}

// addHead adds a head's gradient to its group's.
func (g *gradients[T]) addHead(sum, head []T) {
	for c, x := range head {
		sum[c] = to(g.GroupSum, sum[c]+x)
	}
}

// keysOf sums dk and dv of key t over the queries of some heads.
func (g *gradients[T]) keysOf(b, t int, dk, dv []T, of func(h int) bool) {
	var ds, p []T
	var q, do [][]T
	for i := range g.S * g.H {
		if !of(i%g.H) || g.forgets(i, t) {
			continue
		}
		ds, q = append(ds, g.ds[i][t]), append(q, g.queryAt(b, i))
		p, do = append(p, g.p[i][t]), append(do, g.gradient(i, b))
	}
	g.k.products.combine(dk, ds, q)
	g.k.products.combine(dv, p, do)
	g.rescale(dk, "dk-unscaled")
}

func (g *gradients[T]) queryAt(b, i int) []T { return vector(g.q, b*g.S*g.H+i, g.D) }

// forgets tells whether query i is left out of the sums of key t: all heads of a group but its last
// are, if that is the mistake.
func (g *gradients[T]) forgets(i, t int) bool {
	h := i % g.H
	if !g.makes("group-not-summed") || h+1 == g.H || g.group(h+1) != g.group(h) {
		return false
	}
	g.show(g.p[i][t] != 0)
	return true
}

// rescale multiplies a gradient by the softmax scale, unless dS has it already or the named mistake
// forgets it.
func (g *gradients[T]) rescale(x []T, mistake string) {
	if g.makes(mistake) {
		g.show(g.k.scale != 1 && g.several)
		if g.NormalizeFirst {
			g.k.scaleBy(x, 1/g.k.scale)
		}
		return
	}
	if !g.NormalizeFirst {
		g.k.scaleBy(x, g.k.scale)
	}
}

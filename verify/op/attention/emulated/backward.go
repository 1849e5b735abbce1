package emulated

import (
	"cmp"
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// What the backward pass forms: of each row of queries, and of each row for each key.
const (
	deltas    = "D, the sum of do·o,"
	lses      = "the log-sum-exp of the forward pass"
	again     = "the scores of the backward pass"
	ofWeights = "do·v, the gradient of P,"
	toValues  = "P in dv"
	toQueries = "dS in dq"
	toKeys    = "dS in dk"
)

func init() {
	rows, weights := []string{"B", "S", "H"}, []string{"B", "S", "H", "T"}
	emulate.Register("attention.backward", emulate.Kernel{
		Float32: attentionBackward[float32], Float64: attentionBackward[float64], Request: requestBackward,
		Right: append(backwards(), Frameworks()...), Quantities: []emulate.Quantity{
			{Name: deltas, Shape: rows, Given: true}, {Name: lses, Shape: rows, Given: true},
			{Name: again, Shape: weights}, {Name: ofWeights, Shape: weights}, {Name: toValues, Shape: weights},
			{Name: toQueries, Shape: weights}, {Name: toKeys, Shape: weights},
		},
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
type gradients[T emulate.Number] struct {
	*heads[T]
	first, k *emulate.Softmax[T] // of the forward pass, and of this one
	do       []T
	// One row for every query of a sequence and head, indexed by s·H + n: rounded P and dS over the
	// keys.
	p, ds      [][]T
	out        [][]T // of the forward pass, nil for a row that sees nothing
	lse        []T
	dq, dk, dv []T
	several    bool // some query sees more than one key, so that its dS is not 0
}

func attentionBackward[T emulate.Number](j *emulate.Job) {
	h := loadHeads[T](j)
	g := &gradients[T]{heads: h, do: emulate.Load[T](j, "do")}
	j.Intermediate = cmp.Or(j.Intermediate, h.input)
	g.first, g.k = h.softmax(), h.softmaxAgain()
	g.dq = make([]T, len(h.q))
	g.dk, g.dv = make([]T, len(h.k)), make([]T, len(h.v))
	for b := range h.B {
		g.remember(b)
		if passes, several := emulate.In(j, onePass); several {
			g.inPasses(b, passes)
			continue
		}
		g.rows(b, func(r *emulate.Query[T], i int) { g.query(r, i, b) })
		g.keysOfAll(b)
	}
	emulate.Store(j, "dq", j.Recording.Type("q"), g.dq)
	emulate.Store(j, "dk", j.Recording.Type("k"), g.dk)
	emulate.Store(j, "dv", j.Recording.Type("v"), g.dv)
}

// keysOfAll sums dk and dv of all keys of sequence b.
func (g *gradients[T]) keysOfAll(b int) {
	for n := range g.G {
		g.keys(b, n, func(t int) []T { return emulate.Row(g.dk, (b*g.T+t)*g.G+n, g.D) },
			func(t int) []T { return emulate.Row(g.dv, (b*g.T+t)*g.G+n, g.V) })
	}
}

// remember runs the forward pass of sequence b.
func (g *gradients[T]) remember(b int) {
	g.out, g.lse = make([][]T, g.S*g.H), make([]T, g.S*g.H)
	for i := range g.out {
		if r := g.row(g.k, b, i/g.H, i%g.H); r.Lo < r.Hi {
			g.out[i], g.lse[i] = g.forward(r, b, i/g.H)
		}
	}
}

// rows computes P and dS of every query of sequence b, and then what is made of them.
func (g *gradients[T]) rows(b int, then func(r *emulate.Query[T], i int)) {
	g.p, g.ds = make([][]T, g.S*g.H), make([][]T, g.S*g.H)
	for i := range g.S * g.H {
		if g.p[i], g.ds[i] = make([]T, g.T), make([]T, g.T); g.out[i] == nil {
			continue
		}
		r := g.row(g.k, b, i/g.H, i%g.H)
		if r.Lo >= r.Hi {
			continue
		}
		g.several = g.several || r.Hi-r.Lo > 1
		g.k.Gather(r, r.Lo, r.Hi)
		logits := append([]T{}, g.k.S...)
		g.Show(g.ScaleWrong && r.Hi-r.Lo > 1)
		emulate.Pass(g.Job, again, r.Place+r.Lo, logits)
		lse := emulate.PassOne(g.Job, lses, b*g.S*g.H+i, g.lse[g.misplaced("lse-read-transposed", i)])
		if g.NormalizeFirst {
			g.eager(r, i, b, logits, lse)
		} else {
			g.flash(r, i, b, logits, g.out[i], lse)
		}
		g.skipTiles(i)
		then(r, i)
		g.ring(i)
	}
}

// forward returns what the forward kernel has left, which knew the right mask: the output in its
// type, and the log-sum-exp with the sink.
func (g *gradients[T]) forward(r *emulate.Query[T], b, s int) ([]T, T) {
	right := *r
	right.Lo, right.Hi = g.mask(b).Right(s)
	out, lse := g.first.Run(&right)
	if sink := g.first.SinkOf(r, lse, 0); sink != nil {
		all := emulate.LogSum(lse, *sink)
		if g.Show(g.Makes("lse-without-sink") && all-lse > 0.02); !g.Makes("lse-without-sink") {
			lse = all
		}
	}
	return emulate.RoundEach(cmp.Or(g.Output, g.input), out), g.wrongLSE(&right, lse)
}

// wrongLSE makes the mistake of a maximum that stands for a log-sum-exp: weights are not divided by
// their sum.
func (g *gradients[T]) wrongLSE(r *emulate.Query[T], lse T) T {
	if !g.Makes("lse-is-maximum") || r.Lo >= r.Hi {
		return lse
	}
	largest := g.first.Largest(r)
	g.Show(lse-largest > 0.02)
	return largest
}

// probability returns P for a logit.
func (g *gradients[T]) probability(x, lse T) T {
	if g.Makes("lse-base") {
		g.Show(g.several)
		return T(math.Exp2(float64(x*g.k.Unit - lse)))
	}
	if g.k.Unit == 1 {
		return g.k.Exp(x, lse)
	}
	return T(math.Exp2(float64(T(float64(x)*float64(g.k.Log2) - float64(lse*T(math.Log2E))))))
}

// flash fills in P and dS of query i as a flash kernel does.
func (g *gradients[T]) flash(r *emulate.Query[T], i, b int, logits, out []T, lse T) {
	do := g.gradient(i, b)
	at := g.misplaced("delta-transposed", i)
	if at != i {
		out = g.out[at]
	}
	delta := g.delta(g.beforeSink(r, g.k.Scalars.Dot(g.gradient(at, b), out), lse))
	delta = emulate.PassOne(g.Job, deltas, b*g.S*g.H+i, delta)
	for c, x := range logits {
		p := g.probability(x, lse)
		dp := emulate.PassOne(g.Job, ofWeights, r.Place+r.Lo+c, g.dp(do, r.Value(r.Lo+c)))
		g.p[i][r.Lo+c] = emulate.Round(g.k.Weights, p)
		g.ds[i][r.Lo+c] = emulate.Round(g.Intermediate, g.ofSoftmax(p, dp, delta)*g.capSlope(x))
	}
}

// eager fills in P and dS of query i as a framework does that stores every step where it stores
// scores in a narrow type: dS comes out scaled.
func (g *gradients[T]) eager(r *emulate.Query[T], i, b int, logits []T, lse T) {
	do := g.gradient(i, b)
	p, dp := make([]T, len(logits)), make([]T, len(logits))
	for c, x := range logits {
		p[c] = g.probability(x, lse)
		dp[c] = emulate.Round(g.k.Scores, emulate.PassOne(g.Job, ofWeights, r.Place+r.Lo+c, g.dp(do, r.Value(r.Lo+c))))
		g.p[i][r.Lo+c] = emulate.Round(g.k.Weights, p[c])
	}
	delta := g.delta(g.beforeSink(r, g.k.Scalars.Dot(p, dp), lse))
	delta = emulate.PassOne(g.Job, deltas, b*g.S*g.H+i, delta)
	step := g.Intermediate
	if g.k.Scores == emulate.Working[T]() {
		step = g.k.Scores
	}
	for c, x := range logits {
		ds := emulate.Round(step, g.ofSoftmax(p[c], dp[c], delta))
		if g.k.Soft != 0 {
			ds = emulate.Round(
				step,
				emulate.Round(
					g.k.Chain, emulate.Round(g.k.Chain, emulate.Round(g.k.Chain, ds*g.k.Soft)*g.capSlope(x))/g.k.Soft,
				),
			)
		}
		g.ds[i][r.Lo+c] = emulate.Round(g.Intermediate, ds*g.k.Scale)
	}
}

// dp returns the gradient of a weight, do·v.
func (g *gradients[T]) dp(do, v []T) T {
	if g.Makes("values-of-key-width") && g.D < g.V {
		g.Show(g.several)
		return g.k.Products.Dot(do[:g.D], v[:g.D])
	}
	return g.k.Products.Dot(do, v)
}

// ofSoftmax returns the gradient of a score as the exponential meets it.
func (g *gradients[T]) ofSoftmax(p, dp, delta T) T {
	if g.Makes("delta-unweighted") {
		g.Show(g.several && p < 0.9 && delta != 0)
		return T(p*dp) - delta
	}
	return p * (dp - delta)
}

// passed returns row i of sequence b of a quantity, as the kernel goes on with it.
func (g *gradients[T]) passed(name string, b, i int, all [][]T) []T {
	x := slices.Clone(all[i])
	emulate.Pass(g.Job, name, (b*g.S*g.H+i)*g.T, x)
	return x
}

// gradient returns the row of do for query i of sequence b.
func (g *gradients[T]) gradient(i, b int) []T { return emulate.Row(g.do, b*g.S*g.H+i, g.V) }

// beforeSink makes the mistake of D from the output that a sink has not scaled yet: divided by the
// share of the weights that keys have, of a row with the given log-sum-exp.
func (g *gradients[T]) beforeSink(r *emulate.Query[T], d, lse T) T {
	if !g.Makes("delta-without-sink") || r.Sink == nil {
		return d
	}
	ofKeys := 1 - T(math.Exp(float64(*r.Sink-lse)))
	g.Show(ofKeys < 0.98 && d != 0)
	return d / max(ofKeys, 1e-6)
}

func (g *gradients[T]) delta(d T) T {
	if g.Makes("delta-missing") {
		g.Show(d != 0)
		return 0
	}
	if g.Makes("delta-bf16") {
		g.Show(g.several && emulate.Round(dtype.BF16, d) != d)
		return emulate.Round(dtype.BF16, d)
	}
	return d
}

// capSlope returns the derivative of the soft cap at a capped logit.
func (g *gradients[T]) capSlope(x T) T {
	if g.k.Soft == 0 {
		return 1
	}
	u := emulate.Round(g.k.Chain, x/g.k.Soft)
	right := 1 - T(u*u)
	wrong := right
	switch {
	case g.Makes("softcap-derivative-missing"), g.Makes("backward-uncapped"):
		wrong = 1
	case g.Makes("softcap-derivative-of-capped"):
		wrong = 1 - T(x*x)
	case g.Makes("softcap-derivative-of-uncapped"):
		wrong = 1 - T(math.Pow(math.Atanh(float64(u)), 2))
	case g.Makes("softcap-derivative-twice"):
		wrong = right * right
	}
	g.Show(g.several && math.Abs(float64(wrong-right)) > 0.01)
	return wrong
}

// query sums dq of query i.
func (g *gradients[T]) query(r *emulate.Query[T], i, b int) {
	n := g.group(i % g.H)
	keys := make([][]T, r.Hi-r.Lo)
	for c := range keys {
		keys[c] = g.key(b, r.Lo+c, n)
	}
	dq := emulate.Row(g.dq, b*g.S*g.H+i, g.D)
	ds := g.passed(toQueries, b, i, g.ds)
	if last := (r.Hi - 1) / g.Tile * g.Tile; g.Makes("dq-of-last-tile") && last > r.Lo {
		g.Show(true)
		clear(ds[:last])
	}
	g.ofRing(i, ds)
	g.k.Products.Combine(dq, ds[r.Lo:r.Hi], keys)
	g.rescale(dq, "dq-unscaled")
	if g.Makes("dq-scale-bf16") {
		g.narrowScale(dq)
	}
}

// narrowScale replaces the scale in dq by the BF16 number next to it.
func (g *gradients[T]) narrowScale(dq []T) {
	t, factor := cmp.Or(g.Output, g.input), emulate.Round(dtype.BF16, g.k.Scale)/g.k.Scale
	for c, x := range dq {
		dq[c] *= factor
		g.Show(emulate.Round(t, x) != emulate.Round(t, dq[c]))
	}
}

// keys sums dk and dv of all keys of sequence b in group n, over the queries of all its heads.
func (g *gradients[T]) keys(b, n int, dk, dv func(t int) []T) {
	if g.GroupSum == dtype.Invalid || g.H == g.G {
		g.keysOf(b, dk, dv, func(h int) bool { return g.summedInto(h) == n })
		return
	}
	for h := range g.H {
		if g.summedInto(h) != n {
			continue
		}
		headK, headV := make([]T, g.T*g.D), make([]T, g.T*g.V)
		g.keysOf(b, func(t int) []T { return emulate.Row(headK, t, g.D) },
			func(t int) []T { return emulate.Row(headV, t, g.V) }, func(i int) bool { return i == h })
		for t := range g.T {
			g.addHead(dk(t), emulate.RoundEach(g.Recording.Type("k"), emulate.Row(headK, t, g.D)))
			g.addHead(dv(t), emulate.RoundEach(g.Recording.Type("v"), emulate.Row(headV, t, g.V)))
		}
	}
}

// summedInto returns the group whose dk and dv a query head's go into: its own.
func (g *gradients[T]) summedInto(h int) int {
	if own := g.group(h); !g.Makes("groups-summed-tiled") {
		return own
	}
	g.Show(h%g.G != g.group(h))
	return h % g.G
}

// addHead adds a head's gradient to its group's.
func (g *gradients[T]) addHead(sum, head []T) {
	for c, x := range head {
		sum[c] = emulate.Round(g.GroupSum, sum[c]+x)
	}
}

// keysOf sums dk and dv of all keys over the queries of some heads.
func (g *gradients[T]) keysOf(b int, dk, dv func(t int) []T, of func(h int) bool) {
	var rows []int
	var q, do [][]T
	for i := range g.S * g.H {
		if of(i % g.H) {
			rows, q, do = append(rows, i), append(q, g.queryAt(b, i)), append(do, g.gradient(i, b))
		}
	}
	ds, p := make([]T, len(rows)), make([]T, len(rows))
	for t := range g.T {
		for k, i := range rows {
			if ds[k], p[k] = g.ds[i][t], g.p[i][t]; g.forgets(i, t) {
				ds[k], p[k] = 0, 0
			}
			if g.Quantities != nil {
				at := (b*g.S*g.H+i)*g.T + t
				ds[k], p[k] = emulate.PassOne(g.Job, toKeys, at, ds[k]), emulate.PassOne(g.Job, toValues, at, p[k])
			}
		}
		g.k.Products.Combine(dk(t), ds, q)
		g.k.Products.Combine(dv(t), p, do)
		g.rescale(dk(t), "dk-unscaled")
	}
}

func (g *gradients[T]) queryAt(b, i int) []T { return emulate.Row(g.q, b*g.S*g.H+i, g.D) }

// forgets tells whether query i is left out of the sums of key t: all heads of a group but its last
// are, if that is the mistake.
func (g *gradients[T]) forgets(i, t int) bool {
	h := i % g.H
	if !g.Makes("group-not-summed") || h+1 == g.H || g.group(h+1) != g.group(h) {
		return false
	}
	g.Show(g.p[i][t] != 0)
	return true
}

// rescale multiplies a gradient by the softmax scale, unless dS has it already or the named mistake
// forgets it.
func (g *gradients[T]) rescale(x []T, mistake string) {
	if g.Makes(mistake) {
		g.Show(g.k.Scale != 1 && g.several)
		if g.NormalizeFirst {
			g.k.ScaleBy(x, 1/g.k.Scale)
		}
		return
	}
	if !g.NormalizeFirst {
		g.k.ScaleBy(x, g.k.Scale)
	}
}

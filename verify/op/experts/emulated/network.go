package emulated

import (
	"cmp"
	"math"
	"slices"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// networks are the gated feed-forward networks of experts,
//
//	y = W2 (silu(W1 x) ⊙ (W3 x))
//
// which round W1 x, W3 x, the activation, its product with the linear part, that times a weight
// where weights multiply what is hidden, and the output to the intermediate type. Config.Fusion
// leaves some of it out.
type networks[T emulate.Number] struct {
	*emulate.Job
	inner, outer *emulate.Summer[T] // products of W1 and W3, and of W2
	d            int
	limit        T    // of the inner units; 0: none
	inside       bool // weights multiply what is hidden
	input        dtype.Type
}

// network is one expert: its three matrices, W1 and W3 [F,d] and W2 [d,F].
type network[T emulate.Number] struct {
	gate, up, down []T
	shared         bool // it is the shared ones
	forms          inner
}

// inner names what a network forms of each of its rows: W1 x, W3 x, what W2 multiplies, and what it
// gives.
type inner struct{ gate, up, hidden, output string }

// What is formed of a token in each of its slots, and by the shared experts of each token.
var (
	ofSlots = inner{
		"W1 x of each expert", "W3 x of each expert", "what is hidden in each expert", "the output of each expert",
	}
	ofShared = inner{
		"W1 x of the shared experts", "W3 x of the shared experts", "what is hidden in the shared experts",
		"the output of the shared experts",
	}
)

// quantities are those of a row, which these axes tell from others: of this inner width.
func (n inner) quantities(width string, shape, axes []string) []emulate.Quantity {
	inside, unit := slices.Concat(shape, []string{width}), slices.Concat(axes, []string{"inner unit"})
	return []emulate.Quantity{
		{Name: n.gate, Shape: inside, Axes: unit}, {Name: n.up, Shape: inside, Axes: unit},
		{Name: n.hidden, Shape: inside, Axes: unit},
		{Name: n.output, Shape: slices.Concat(shape, []string{"d"}), Axes: slices.Concat(axes, []string{"column"})},
	}
}

func newNetworks[T emulate.Number](j *emulate.Job) *networks[T] {
	input := j.Recording.Type("x")
	j.Intermediate = cmp.Or(j.Intermediate, input)
	w := &networks[T]{
		Job: j, inner: emulate.NewSummer[T](&j.Config, operands(j, "x", "w_gate")), d: j.Dim("d"),
		limit: T(j.Float("swiglu_limit")), inside: j.Word("weight_at") == "hidden", input: input,
	}
	if j.Makes("gpt-oss-fused") {
		w.limit = 7
	}
	c := j.Config // what is hidden may be wider than a tensor core takes
	hidden := j.Intermediate
	if hidden != j.Recording.Type("w_down") {
		hidden = dtype.F32
	}
	w.outer = emulate.NewSummer[T](&c, hidden)
	if j.Makes("accumulate-bf16") {
		j.Show(j.Accumulate != arithmetic.BF16)
		w.inner.Narrow(dtype.BF16)
		w.outer.Narrow(dtype.BF16)
	}
	return w
}

// load returns expert e of the routed ones.
func (w *networks[T]) load(e int) network[T] {
	return network[T]{w.matrix("w_gate", e), w.matrix("w_up", e), w.matrix("w_down", e), false, ofSlots}
}

// matrix returns that of expert e. It makes the mistake of an offset that is too large for its
// type.
func (w *networks[T]) matrix(name string, e int) []T {
	size, highest := w.Dim("F")*w.d, 1
	for 2*highest < w.Dim("E")*size {
		highest *= 2
	}
	if !w.Makes("offset-wraps") || e*size < highest {
		return emulate.LoadRows[T](w.Job, name, e, e+1)
	}
	w.Show(true)
	at := e*size - highest
	rows := emulate.LoadRows[T](w.Job, name, at/size, min(at/size+2, w.Dim("E")))
	return rows[at%size:][:size]
}

// loadShared returns the shared experts as one.
func (w *networks[T]) loadShared() network[T] {
	net := network[T]{
		emulate.Load[T](w.Job, "shared_gate"), emulate.Load[T](w.Job, "shared_up"),
		emulate.Load[T](w.Job, "shared_down"), true, ofShared,
	}
	width := len(net.down) / w.d
	for i := 0; w.Makes("shared-expert-unreduced") && i < w.d; i++ {
		w.Show(width > 1)
		clear(emulate.Row(net.down, i, width)[(width+1)/2:])
	}
	return net
}

// kept rounds to the intermediate type, unless a kernel fused so far keeps the result as it is.
func (w *networks[T]) kept(x T, fused emulate.Fusion) T {
	if w.Fusion >= fused {
		return x
	}
	return emulate.Round(w.Intermediate, x)
}

// never is fused by no kernel.
const never = emulate.FusedExpert + 1

// output returns what a network makes of x, where weights multiply what is hidden with this one. It
// is that row of all that the network is for.
func (w *networks[T]) output(net network[T], x []T, weight T, row int) []T {
	width := len(net.gate) / w.d
	gate, up, h := make([]T, width), make([]T, width), make([]T, width)
	for f := range h {
		gate[f], up[f] = w.units(net, x, f)
	}
	emulate.Pass(w.Job, net.forms.gate, row*width, gate)
	emulate.Pass(w.Job, net.forms.up, row*width, up)
	for f := range h {
		if w.limit > 0 {
			gate[f], up[f] = w.limited(net, gate[f], up[f])
		}
		h[f] = w.hidden(gate[f], up[f], weight)
	}
	emulate.Pass(w.Job, net.forms.hidden, row*width, h)
	y := make([]T, w.d)
	for i := range y {
		y[i] = w.kept(w.dot(w.outer, h, emulate.Row(net.down, i, len(h))), emulate.FusedActivation)
	}
	emulate.Pass(w.Job, net.forms.output, row*w.d, y)
	return y
}

// units returns W1 x and W3 x of inner unit f, from matrices that stand one behind the other.
func (w *networks[T]) units(net network[T], x []T, f int) (gate, up T) {
	width := len(net.gate) / w.d
	at, beside := f, f+width
	switch {
	case w.Makes("gate-up-swapped"):
		at, beside = beside, at
	case w.Makes("gate-up-interleaved"), w.Makes("gpt-oss-fused"):
		at, beside = 2*f, 2*f+1
	}
	w.Show(at != f || beside != f+width)
	return w.unit(net, x, at), w.unit(net, x, beside)
}

// limited returns inner units within the limit. It makes the mistakes of limits.
func (w *networks[T]) limited(net network[T], gate, up T) (T, T) {
	low, high := min(gate, w.limit), max(min(up, w.limit), -w.limit)
	switch {
	case w.Makes("up-limited-above"), w.Makes("up-unlimited"):
		right := high
		if high = up; w.Makes("up-limited-above") {
			high = min(up, w.limit)
		}
		w.Show(high != right)
	case w.Makes("gate-unlimited"):
		w.Show(low != gate)
		return gate, high
	case w.Makes("gate-limited-below"):
		w.Show(low < -w.limit)
		return max(low, -w.limit), high
	case w.Makes("limit-missing"), w.Makes("shared-limit-missing") && net.shared,
		w.Makes("routed-limit-missing") && !net.shared, w.Makes("limit-on-product"):
		w.Show(low != gate || high != up)
		return gate, up
	case w.Makes("limit-on-activation"):
		w.Show(low != gate)
		return gate, high
	}
	return low, high
}

// unit returns element f of W1 x, followed by those of W3 x.
func (w *networks[T]) unit(net network[T], x []T, f int) T {
	matrix, width := net.gate, len(net.gate)/w.d
	if f >= width {
		matrix, f = net.up, f-width
	}
	return w.kept(w.dot(w.inner, x, emulate.Row(matrix, f, w.d)), emulate.FusedExpert)
}

// dot returns a sum of products. It makes the mistake of steps of 32 that leave out what is behind
// the last whole one.
func (w *networks[T]) dot(sums *emulate.Summer[T], a, b []T) T {
	n := len(a)
	if w.Makes("k-tail-dropped") {
		n = n / 32 * 32
		w.Show(n < len(a))
	}
	return sums.Dot(a[:n], b[:n])
}

// hidden returns what W2 multiplies.
func (w *networks[T]) hidden(gate, up, weight T) T {
	silu := w.silu(gate)
	if w.Makes("limit-on-activation") && w.limit > 0 {
		silu = min(silu, w.limit)
	}
	switch {
	case w.Makes("swiglu-of-gpt-oss"), w.Makes("up-plus-one"), w.Makes("gpt-oss-fused"):
		w.Show(true)
		up++
	case w.Makes("linear-part-missing"):
		w.Show(up != 1)
		up = 1
	}
	h := w.kept(silu, emulate.FusedActivation) * up
	if w.Makes("activation-of-product") {
		w.Show(true)
		h = w.silu(gate * up)
	}
	if w.Makes("limit-on-product") && w.limit > 0 {
		h = max(min(h, w.limit), -w.limit)
	}
	if !w.inside {
		return w.kept(h, never)
	}
	return w.kept(w.kept(h, emulate.FusedActivation)*weight, never)
}

// silu returns z σ(z).
func (w *networks[T]) silu(z T) T {
	steep := T(1)
	switch other, ok := w.otherActivation(z); {
	case ok:
		w.Show(z != 0)
		return other
	case w.Makes("swiglu-of-gpt-oss"), w.Makes("quick-gelu-for-silu"), w.Makes("gpt-oss-fused"):
		w.Show(z != 0)
		steep = 1.702
	}
	one := 1 + emulate.Exponential(w.Job, -steep*z)
	if w.NormalizeFirst {
		return z * (1 / one)
	}
	return z / one
}

// otherActivation returns what a mistake has for SiLU, if it is that.
func (w *networks[T]) otherActivation(z T) (y T, ok bool) {
	switch {
	case w.Makes("gelu-for-silu"):
		return z * T(0.5*math.Erfc(-float64(z)/math.Sqrt2)), true
	case w.Makes("relu-for-silu"):
		return max(z, 0), true
	case w.Makes("sigmoid-for-silu"):
		return 1 / (1 + emulate.Exponential(w.Job, -z)), true
	case w.Makes("activation-missing"):
		return z, true
	}
	return 0, false
}

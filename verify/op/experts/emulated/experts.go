package emulated

import (
	"cmp"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// What lies between a gate and its experts, and what is summed for a token.
const (
	weightedOutput = "the weighted output of each expert"
	routedSum      = "the sum of the routed experts"
)

func init() {
	mixed := slices.Concat(
		ofSlots.quantities("F", []string{"N", "K"}, []string{"token", "slot"}),
		ofShared.quantities("Fs", []string{"N"}, []string{"token"}),
		[]emulate.Quantity{
			{Name: weightedOutput, Shape: []string{"N", "K", "d"}, Axes: []string{"token", "slot", "column"}},
			{Name: routedSum, Shape: []string{"N", "d"}},
		},
	)
	emulate.Register("moe.experts", emulate.Kernel{
		Float32: moeExperts[float32], Float64: moeExperts[float64], Request: requestExperts, Right: mixtures(),
		Quantities: mixed,
	})
	emulate.Register("moe.layer", emulate.Kernel{
		Float32: moeLayer[float32], Float64: moeLayer[float64], Request: requestLayer, Right: layers(),
		Quantities: slices.Concat(routed, []emulate.Quantity{
			{Name: emulate.Experts, Shape: []string{"N", "K"}, Axes: []string{"token", "slot"}},
			{Name: emulate.ExpertWeights, Shape: []string{"N", "K"}, Axes: []string{"token", "slot"}},
		}, mixed),
	})
}

// mixture sends tokens to experts and sums what comes back. It rounds weighted outputs, each sum
// and the sum with the shared experts to the type of the combination.
type mixture[T emulate.Number] struct {
	*networks[T]
	x       []T
	routes  []route[T]
	combine dtype.Type
	outputs [][][]T      // by token and slot; nil: none
	sorted  map[pair]int // the row of each pair in the order of experts, where a mistake asks for it
}

// pair is a token in one of its slots.
type pair struct{ token, slot int }

// moeExperts sums the experts that are given for each token.
func moeExperts[T emulate.Number](j *emulate.Job) {
	ids, weights, K := j.LoadInts("indices"), emulate.Load[T](j, "weights"), j.Dim("K")
	routes := make([]route[T], j.Dim("N"))
	for n := range routes {
		routes[n] = route[T]{emulate.Row(ids, n, K), emulate.Row(weights, n, K)}
	}
	mix(newNetworks[T](j), routes)
}

// moeLayer is gate and experts. The gate sums by itself where its operands are of another type.
func moeLayer[T emulate.Number](j *emulate.Job) {
	w := newNetworks[T](j)
	c := j.Config
	g := newGate[T](j, &c)
	routes := make([]route[T], j.Dim("N"))
	for n := range routes {
		routes[n] = g.token(n)
		emulate.RoundEach(g.narrow, routes[n].weights)
		emulate.Pass(j, emulate.ExpertWeights, n*g.K, routes[n].weights)
		for k, e := range routes[n].experts {
			routes[n].experts[k] = g.expertAt(n*g.K+k, e)
		}
	}
	mix(w, routes)
}

// expertAt is the expert of a slot, or what is taken for it: none where there is no such expert.
func (g *gate[T]) expertAt(slot, e int) int {
	if e = emulate.PassPlace[T](g.Job, emulate.Experts, slot, e); e >= g.E {
		return -1
	}
	return max(e, -1)
}

// mix writes the output of every token, in the type of x.
func mix[T emulate.Number](w *networks[T], routes []route[T]) {
	m := &mixture[T]{
		networks: w, x: emulate.Load[T](w.Job, "x"), routes: routes,
		combine: cmp.Or(w.Combine, emulate.Working[T]()), outputs: make([][][]T, len(routes)),
	}
	for n, r := range routes {
		m.outputs[n] = make([][]T, len(r.experts))
	}
	m.run()
	m.misplace()
	m.skipCombine()
	var shared network[T]
	if m.Recording.Has("shared_gate") {
		shared = m.loadShared()
	}
	var y []T
	for n := range routes {
		sum, x := m.sum(n), emulate.Row(m.x, n, m.d)
		if shared.gate != nil {
			emulate.Pass(m.Job, routedSum, n*m.d, sum)
			m.addShared(n, sum, m.output(shared, m.readByShared(x, sum), 1, n))
		}
		y = append(y, m.withResidual(sum, x)...)
	}
	emulate.StoreMain(m.Job, "y", m.input, y)
}

// readByShared returns what the shared experts read: x. It makes the mistake of a routed sum that
// is written in its place before.
func (m *mixture[T]) readByShared(x, sum []T) []T {
	if m.Makes("shared-reads-routed") {
		m.Show(true)
		return emulate.RoundEach(m.input, slices.Clone(sum))
	}
	return x
}

// withResidual makes the mistake of x added to what is made of it.
func (m *mixture[T]) withResidual(sum, x []T) []T {
	if m.Makes("residual-added") {
		m.Show(true)
		m.plus(sum, x)
	}
	return sum
}

// run runs the experts one after the other, each on the tokens that it has.
func (m *mixture[T]) run() {
	rows := m.rows()
	m.shiftRows(rows)
	m.sort(rows)
	busy, row := 0, 0
	var tile network[T]
	for e, pairs := range rows {
		if pairs = m.done(pairs); len(pairs) == 0 {
			continue
		}
		net := m.load(m.counted(e, busy))
		busy++
		for _, p := range pairs {
			if row%m.Tile == 0 {
				tile = net
			}
			row++
			m.outputs[p.token][p.slot] = m.expert(m.ofTile(net, tile), p)
		}
	}
}

// counted returns the expert whose matrices one has that so many with rows stand before.
func (m *mixture[T]) counted(e, busy int) int {
	if !m.Makes("experts-counted-busy") {
		return e
	}
	m.Show(e != busy)
	return busy
}

// ofTile returns the matrices of a row: those of its expert, by mistake of the first row of a tile.
func (m *mixture[T]) ofTile(own, first network[T]) network[T] {
	if !m.Makes("tile-of-one-expert") {
		return own
	}
	m.Show(!slices.Equal(own.down, first.down))
	return first
}

// misplace makes the mistakes of outputs in the order of experts that are not put back into that of
// pairs: that stay where they are, or are sorted once more.
func (m *mixture[T]) misplace() {
	again := m.Makes("outputs-sorted-again")
	if !again && !m.Makes("outputs-unsorted") {
		return
	}
	sorted := slices.Concat(m.rows()...)
	pairs := slices.Clone(sorted)
	slices.SortFunc(pairs, func(a, b pair) int { return m.row(a) - m.row(b) })
	right := each(m.outputs, slices.Clone)
	output := func(row int) []T { return right[sorted[row].token][sorted[row].slot] }
	for i, p := range pairs {
		from := i
		if again {
			from = slices.Index(pairs, sorted[i])
		}
		m.Show(sorted[from] != p)
		m.outputs[p.token][p.slot] = output(from)
	}
}

// skipCombine makes the mistake of outputs that are left as they came back, pair by pair: the first
// as many of them as there are tokens are the output.
func (m *mixture[T]) skipCombine() {
	if !m.Makes("combine-skipped") {
		return
	}
	var all [][]T
	for _, slots := range m.outputs {
		all = append(all, slots...)
	}
	for n, slots := range m.outputs {
		clear(slots)
		slots[0] = all[n]
		m.routes[n].weights = each(m.routes[n].weights, func(T) T { return 1 })
		m.Show(true)
	}
}

// rows returns the pairs of each expert.
func (m *mixture[T]) rows() [][]pair {
	rows := make([][]pair, m.Dim("E"))
	for n := range m.routes {
		experts := m.expertsOf(n)
		for k := range experts {
			if e := m.expertOf(experts, k); e >= 0 {
				rows[e] = append(rows[e], pair{n, k})
			}
		}
	}
	return rows
}

// expertsOf returns those of token n; by mistake they begin at id n of all, not at n·K, or that is
// the only one.
func (m *mixture[T]) expertsOf(n int) []int {
	right := m.routes[n].experts
	if !m.Makes("ids-stride-missing") && !m.Makes("ids-flattened") {
		return right
	}
	wrong := make([]int, len(right))
	for k := range wrong {
		at := n + k
		wrong[k] = m.routes[at/len(right)].experts[at%len(right)]
		if m.Makes("ids-flattened") && k > 0 {
			wrong[k] = -1
		}
	}
	m.Show(!slices.Equal(wrong, right))
	return wrong
}

// expertOf returns the expert of a slot, below 0 for none. It makes the mistakes with ids.
func (m *mixture[T]) expertOf(experts []int, k int) int {
	e, right := experts[k], experts[k]
	last := m.Dim("E") - 1
	switch {
	case m.Makes("local-ids") && e > last/2, m.Makes("experts-as-many-as-slots") && e >= len(experts):
		e = -1
	case m.Makes("negative-ids-wrap") && e < 0:
		e = max(e+last+1, 0)
	case m.Makes("negative-ids-first") && e < 0:
		e = 0
	case m.Makes("duplicates-dropped") && e >= 0 && slices.Contains(experts[:k], e):
		e = -1
	case m.Makes("duplicates-overwritten") && e >= 0 && slices.Contains(experts[k+1:], e):
		e = -1
	case m.Makes("last-choice-lost") && m.Op.Name == "moe.experts" && k == len(experts)-1:
		e = -1
	}
	m.Show(max(e, -1) != max(right, -1))
	return e
}

// done returns the rows of an expert that it computes: all.
func (m *mixture[T]) done(pairs []pair) []pair {
	capacity := len(pairs)
	switch {
	case m.Makes("first-row-only"):
		capacity = 1
	case m.Makes("last-row-missing"):
		capacity = max(capacity-1, 0)
	case m.Makes("capacity-dropped"):
		slots := len(m.routes) * len(m.routes[0].experts)
		capacity = (slots + m.Dim("E") - 1) / m.Dim("E")
	case m.Makes("row-tail-dropped") && capacity > 16:
		capacity = capacity / 16 * 16
	case m.Makes("first-tile-only"):
		capacity = m.Tile
	case m.Makes("last-row-only") && capacity > 0:
		m.Show(capacity > 1)
		return pairs[capacity-1:]
	}
	m.Show(len(pairs) > capacity)
	return pairs[:min(capacity, len(pairs))]
}

// sort notes where pairs stand in the order of experts.
func (m *mixture[T]) sort(rows [][]pair) {
	if !m.Makes("weights-unsorted") {
		return
	}
	m.sorted = map[pair]int{}
	for _, p := range slices.Concat(rows...) {
		m.sorted[p] = len(m.sorted)
	}
}

// shiftRows makes the mistake of segments that begin one row late: the first row of each goes to
// the expert of the row before.
func (m *mixture[T]) shiftRows(rows [][]pair) {
	if !m.Makes("counts-shifted") {
		return
	}
	before := -1
	for e, pairs := range rows {
		if len(pairs) == 0 {
			continue
		}
		if before >= 0 {
			rows[before], rows[e] = append(rows[before], pairs[0]), pairs[1:]
			m.Show(true)
		}
		before = e
	}
}

// expert returns the output of an expert for one of its rows, unweighted unless weights multiply
// what is hidden.
func (m *mixture[T]) expert(net network[T], p pair) []T {
	x := emulate.Row(m.x, m.tokenOf(p), m.d)
	weight := m.weight(p)
	if m.Makes("weight-on-input") || m.Makes("weight-on-both") {
		m.Show(weight != 1)
		x = each(x, func(v T) T { return emulate.Round(m.input, v*weight) })
	}
	if m.Makes("weight-on-input") {
		weight = 1
	}
	y := m.output(net, x, weight, m.row(p))
	if m.Makes("tile-unwritten") {
		m.Show(m.d > 1)
		clear(y[(m.d+1)/2:])
	}
	return y
}

// tokenOf returns the token whose row an expert reads for a pair.
func (m *mixture[T]) tokenOf(p pair) int {
	token := p.token
	if m.Makes("token-by-remainder") {
		token = m.row(p) % len(m.routes)
	}
	m.Show(token != p.token)
	return token
}

// row returns that of a pair among all, those of slots that have no expert included.
func (m *mixture[T]) row(p pair) int { return p.token*m.Dim("K") + p.slot }

// weight returns that of a slot. It makes the mistakes with weights.
func (m *mixture[T]) weight(p pair) T {
	weights := m.routes[p.token].weights
	right, w := weights[p.slot], weights[p.slot]
	switch {
	case m.Makes("weights-missing"):
		w = 1
	case m.Makes("weight-of-first-slot"):
		w = weights[0]
	case m.Makes("weights-unsorted"):
		row := m.sorted[p]
		w = m.routes[row/len(weights)].weights[row%len(weights)]
	case m.Makes("weights-stride-missing"), m.Makes("ids-flattened"):
		at := p.token + p.slot
		w = m.routes[at/len(weights)].weights[at%len(weights)]
	case m.Makes("weights-through-softmax"):
		exps := each(weights, func(v T) T { return emulate.Exponential(m.Job, v) })
		w = exps[p.slot] / m.inner.Plain().Sum(exps)
	case m.Makes("weights-normalized-again"):
		w /= m.inner.Plain().Sum(weights)
	case m.Makes("weight-twice"):
		w *= w
	case m.Makes("expert-weights-bf16"):
		w = emulate.Round(dtype.BF16, w)
	}
	m.Show(w != right)
	return w
}

// sum returns the routed part of the output of token n.
func (m *mixture[T]) sum(n int) []T {
	var terms [][]T
	for _, k := range arranged(m.Job, n, m.routes[n]) {
		if y := m.outputs[n][k]; y != nil {
			terms = append(terms, m.weighted(y, pair{n, k}))
		}
	}
	switch {
	case len(terms) == 0 && m.Makes("unrouted-passed-on"):
		m.Show(true)
		return slices.Clone(emulate.Row(m.x, n, m.d))
	case len(terms) == 0:
		return make([]T, m.d)
	case m.Makes("combine-overwrites"):
		m.Show(len(terms) > 1)
		return terms[len(terms)-1]
	case m.Makes("routed-sum-twice"):
		m.Show(true)
		terms = append(terms, m.add(copies(terms)))
	}
	return emulate.RoundEach(m.combine, m.add(terms))
}

// copies returns terms that may be added up in place.
func copies[T any](terms [][]T) [][]T {
	return each(terms, func(y []T) []T { return slices.Clone(y) })
}

// weighted returns an output times its weight.
func (m *mixture[T]) weighted(y []T, p pair) []T {
	if m.inside || m.Makes("weight-on-input") {
		return slices.Clone(y)
	}
	w := m.weight(p)
	y = m.rounded(each(y, func(v T) T { return v * w }))
	emulate.Pass(m.Job, weightedOutput, m.row(p)*m.d, y)
	return y
}

// add sums terms one by one, or in pairs as a tree does.
func (m *mixture[T]) add(terms [][]T) []T {
	if m.Order == emulate.Pairwise && len(terms) > 1 {
		half := len(terms) / 2
		return m.plus(m.add(terms[:half]), m.add(terms[half:]))
	}
	sum := terms[0]
	for _, y := range terms[1:] {
		sum = m.plus(sum, y)
	}
	return sum
}

// plus adds y to a sum.
func (m *mixture[T]) plus(sum, y []T) []T {
	for i, v := range y {
		sum[i] += v
	}
	return m.rounded(sum)
}

// rounded rounds to the type of the combination, unless a fused kernel adds up without.
func (m *mixture[T]) rounded(x []T) []T {
	if m.Makes("combine-bf16") {
		m.Show(m.combine != dtype.BF16)
		emulate.RoundEach(dtype.BF16, x)
	}
	if m.Fusion == emulate.FusedExpert {
		return x
	}
	return emulate.RoundEach(m.combine, x)
}

// addShared adds the output of the shared experts to a sum.
func (m *mixture[T]) addShared(n int, sum, y []T) {
	factor := T(1)
	switch {
	case m.Makes("shared-expert-missing"):
		factor = 0
	case m.Makes("shared-expert-scaled"):
		factor = 2
	case m.Makes("shared-expert-eightfold"):
		factor = 8
	case m.Makes("shared-expert-multiplied"):
		factor = T(m.Float("scale"))
	case m.Makes("shared-expert-divided"):
		factor = 1 / T(m.Float("scale"))
	case m.Makes("shared-expert-weighted"):
		factor = m.routes[n].weights[0]
	case m.Makes("shared-expert-by-sum") && !m.Flag("normalize"):
		factor = m.inner.Plain().Sum(m.routes[n].weights) / T(m.Float("scale"))
	}
	m.Show(factor != 1)
	emulate.RoundEach(m.combine, m.plus(sum, each(y, func(v T) T { return v * factor })))
}

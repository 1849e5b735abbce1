package emulated

import (
	"cmp"
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("mtp.accept", emulate.Kernel{
		Float32: mtpAccept[float32], Float64: mtpAccept[float64], Request: requestAccept, Right: accepts(),
		Quantities: []emulate.Quantity{
			{Name: drawnFrom, Shape: []string{"B", "k+1", "vocab"}, Axes: []string{"sequence", "place", "vocabulary"}},
			{Name: lessDraft, Shape: []string{"B", "k", "vocab"}, Axes: []string{"sequence", "place", "vocabulary"}},
			{Name: ratios, Shape: []string{"B", "k"}, Axes: []string{"sequence", "draft"}},
			{Name: keptDrafts, Shape: []string{"B"}},
			{Name: leftOver, Shape: []string{"B", "vocab"}, Axes: []string{"sequence", "vocabulary"}},
			{Name: total, Shape: []string{"B"}},
			{Name: cumulative, Shape: []string{"B", "vocab"}, Axes: []string{"sequence", "vocabulary"}},
		},
	})
}

// What a row forms before it has decided: with leftOver the residual, or p where all drafts are
// kept.
const (
	drawnFrom  = "the target that the next token is drawn from"
	lessDraft  = "the draft's distribution that is taken off it"
	ratios     = "the ratio p/q of each draft"
	keptDrafts = "the number of drafts kept, where the row is chosen,"
	leftOver   = "the residual"
	total      = "the sum of the residual"
	cumulative = "the cumulative sum of the residual"
)

// acceptance is the verification of one row: k drafts against k+1 distributions.
type acceptance[T emulate.Number] struct {
	*emulate.Job
	b     int // of the row
	sums  *emulate.Summer[T]
	k     int
	vocab int
	draft []int
	q, p  []T
	u     []T
	wrong bool // else it is the right answer to compare with

	drawn, less []T // what the next token is drawn from, and what is taken off it
}

// mtpAccept decides row by row. Whether a mistake shows is seen beside the right answer.
func mtpAccept[T emulate.Number](j *emulate.Job) {
	j.Intermediate = cmp.Or(j.Intermediate, emulate.Working[T]())
	sums := emulate.NewSummer[T](&j.Config, dtype.F32)
	k, vocab := j.Dim("k"), j.Dim("vocab")
	draft, u := j.LoadInts("draft_tokens"), emulate.Load[T](j, "uniforms")
	accepted, next := make([]int, j.Dim("B")), make([]int, j.Dim("B"))
	for b := range accepted {
		a := &acceptance[T]{
			Job: j, b: b, sums: sums, k: k, vocab: vocab, draft: emulate.Row(draft, b, k), u: emulate.Row(u, b, k+1),
			q: emulate.LoadRows[T](j, "draft_probs", b, b+1), p: emulate.LoadRows[T](j, "target_probs", b, b+1),
		}
		a.drawn, a.less = slices.Clone(a.p), slices.Clone(a.q)
		emulate.Pass(j, drawnFrom, b*(k+1)*vocab, a.drawn)
		emulate.Pass(j, lessDraft, b*k*vocab, a.less)
		rightAccepted, rightNext := a.verify()
		a.wrong = true
		accepted[b], next[b] = a.verify()
		j.Show(accepted[b] != rightAccepted || next[b] != rightNext)
	}
	j.StoreInts("accepted", accepted)
	j.StoreInts("next_token", next)
}

func (a *acceptance[T]) makes(mistake string) bool { return a.wrong && a.Makes(mistake) }

func (a *acceptance[T]) kept(x T) T { return emulate.Round(a.Intermediate, x) }

// verify returns how many drafts are kept, and the token after them.
func (a *acceptance[T]) verify() (accepted, next int) {
	accepted = a.counted(a.judge())
	row := min(max(int(emulate.PassOne(a.Job, keptDrafts, a.b, T(accepted))), 0), a.k)
	switch {
	case a.makes("bonus-row-always"):
		row = a.k
	case a.makes("first-row-always"):
		row = 0
	case a.makes("bonus-counted"), a.makes("refused-counted") && row < a.k:
		accepted++
	}
	if row == a.k && a.makes("bonus-missing") {
		return accepted, 0
	}
	return accepted, a.next(row)
}

// judge lists which drafts are kept, each by itself.
func (a *acceptance[T]) judge() []bool {
	good, product := make([]bool, a.k), T(1)
	for i, token := range a.draft {
		p, q := a.target(i)[token], a.q[i*a.vocab+token]
		if good[i] = a.accepts(p, q, i); a.makes("accepted-by-product") || a.makes("accepted-by-blocks") {
			product *= min(p/q, 1)
			good[i] = a.u[i] < product
		}
	}
	if last := slices.Index(reversed(good), true); a.makes("accepted-by-blocks") && last >= 0 {
		emulate.Fill(good[:a.k-last], true)
	}
	if a.makes("first-draft-unjudged") {
		good[0] = true
	}
	return good
}

func reversed(x []bool) []bool {
	y := slices.Clone(x)
	slices.Reverse(y)
	return y
}

// counted returns how many drafts are kept: those before the first that is not.
func (a *acceptance[T]) counted(good []bool) int {
	switch {
	case a.makes("acceptances-counted"):
		return len(slices.DeleteFunc(slices.Clone(good), func(ok bool) bool { return !ok }))
	case a.makes("all-counted-as-none"):
		return max(slices.Index(good, false), 0)
	}
	return slices.Index(append(good, false), false)
}

// target returns row i of the model's distributions.
func (a *acceptance[T]) target(i int) []T { return emulate.Row(a.p, a.place(i), a.vocab) }

// place returns which row is read for row i.
func (a *acceptance[T]) place(i int) int {
	switch {
	case a.makes("target-row-late"):
		i = min(i+1, a.k)
	case a.makes("bonus-row-early"):
		i = min(i, a.k-1)
	}
	return i
}

// accepts tells whether draft i is kept.
func (a *acceptance[T]) accepts(p, q T, i int) bool {
	u := a.u[i]
	if a.makes("uniform-shared") {
		u = a.u[0]
	}
	switch {
	case a.makes("accepted-if-sampled"): // one sample of the target is the draft
		return a.draw(a.weights(a.target(i), nil), u) == a.draft[i]
	case a.makes("accepted-if-likeliest"), a.makes("accepted-if-typical"):
		return p >= a.enough(a.target(i))
	case a.makes("ratio-inverted"):
		return u < a.kept(q/p)
	case a.makes("acceptance-negated"):
		return u > a.kept(p/q)
	case a.makes("draft-taken-for-sure"), a.makes("draft-one-hot"): // as if q had this token alone
		return u < p
	case a.makes("accepted-over-maximum"):
		return u < a.kept(p/slices.Max(a.target(i)))
	case a.makes("accepted-if-likelier"):
		return p >= q
	case a.makes("accepted-at-equality"):
		return u <= a.kept(p/q)
	case a.NormalizeFirst:
		return a.kept(u*q) < p
	}
	return u < emulate.PassOne(a.Job, ratios, a.b*a.k+i, a.kept(p/q))
}

// enough returns the probability that a mistaken rule wants of a draft: that of the likeliest
// token, or in typical acceptance the less of 0.09 and 0.3 e^−H, with the entropy of the target.
func (a *acceptance[T]) enough(p []T) T {
	if a.makes("accepted-if-likeliest") {
		return slices.Max(p)
	}
	var entropy float64
	for _, x := range p {
		if x > 0 {
			entropy -= float64(x) * math.Log(float64(x))
		}
	}
	return T(min(0.09, 0.3*math.Exp(-entropy)))
}

// next draws the token after the drafts that are kept.
func (a *acceptance[T]) next(row int) int {
	p, u := emulate.Row(a.drawn, a.place(row), a.vocab), a.uniform(row)
	switch {
	case row == a.k && a.makes("bonus-likeliest"), row < a.k && a.makes("refused-by-likeliest"):
		return slices.Index(p, slices.Max(p))
	case row < a.k && a.makes("refused-emitted"):
		return a.draft[row]
	case row == a.k && a.makes("bonus-from-residual"):
		return a.draw(a.weights(p, emulate.Row(a.less, row-1, a.vocab)), u)
	case row == a.k, a.makes("sampled-from-target"):
		return a.draw(a.weights(p, nil), u)
	}
	return a.draw(a.residual(p, row), u)
}

// uniform returns the one that draws the token after row drafts.
func (a *acceptance[T]) uniform(row int) T {
	switch {
	case a.makes("uniform-reused"):
		return a.u[min(row, a.k-1)]
	case a.makes("uniform-after-refused"):
		return a.u[min(row+1, a.k)]
	}
	return a.u[a.k]
}

// residual returns what the token in place of a refused draft is drawn from.
func (a *acceptance[T]) residual(p []T, row int) []T {
	q, token := emulate.Row(a.less, row, a.vocab), a.draft[row]
	switch {
	case a.makes("residual-without-token"), a.makes("draft-one-hot"):
		p = slices.Clone(p)
		p[token] = 0
		return p
	case a.makes("residual-of-token-alone"):
		p = slices.Clone(p)
		p[token] = max(p[token]-q[token], 0)
		return p
	case a.makes("sampled-from-draft"):
		return slices.Clone(q)
	}
	return a.weights(p, q)
}

// weights returns what a token is drawn from: p, or what q leaves over of it.
func (a *acceptance[T]) weights(p, q []T) []T {
	w := slices.Clone(p)
	for x := range q {
		w[x] = a.kept(p[x] - q[x])
		switch {
		case a.makes("residual-absolute"):
			w[x] = max(w[x], -w[x])
		case a.makes("residual-reversed"):
			w[x] = -w[x]
		}
		if !a.makes("residual-unclamped") {
			w[x] = max(w[x], 0)
		}
	}
	return w
}

// draw returns the first token whose cumulative sum exceeds u times the sum of all.
func (a *acceptance[T]) draw(weights []T, u T) int {
	if a.makes("next-likeliest") {
		return slices.Index(weights, slices.Max(weights))
	}
	emulate.Pass(a.Job, leftOver, a.b*a.vocab, weights)
	sum := emulate.PassOne(a.Job, total, a.b, a.kept(a.sums.Sum(weights)))
	if a.NormalizeFirst && sum > 0 {
		for x, w := range weights {
			weights[x] = a.kept(w / sum)
		}
		sum = 1
	}
	if a.makes("residual-unnormalised") {
		sum = 1
	}
	return a.first(weights, a.kept(u*sum))
}

// first returns the first token whose cumulative sum exceeds a threshold, or the last with a
// weight.
func (a *acceptance[T]) first(weights []T, threshold T) (last int) {
	if a.makes("drawn-in-order-of-weight") {
		return a.firstOfSorted(weights, threshold)
	}
	sums := a.cumulated(weights)
	emulate.Pass(a.Job, cumulative, a.b*a.vocab, sums)
	for x, w := range weights {
		if a.exceeds(sums[x], threshold) && (w > 0 || !a.makes("cumulated-before")) {
			return x
		}
		if w > 0 {
			last = x
		}
	}
	return last
}

// exceeds tells whether a cumulative sum is that of the token which is drawn.
func (a *acceptance[T]) exceeds(sum, threshold T) bool {
	return sum > threshold || a.makes("drawn-at-equality") && sum == threshold
}

// firstOfSorted is first where tokens stand in the order of their weights, the heaviest first.
func (a *acceptance[T]) firstOfSorted(weights []T, threshold T) int {
	order, sorted := emulate.Indices(len(weights)), make([]T, len(weights))
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(weights[y], weights[x]) })
	for i, x := range order {
		sorted[i] = weights[x]
	}
	for i, sum := range a.cumulated(sorted) {
		if sum > threshold {
			return order[i]
		}
	}
	return order[0]
}

// cumulated returns cumulative sums: one chain, or where there are splits chains of a block.
func (a *acceptance[T]) cumulated(weights []T) []T {
	sums := make([]T, len(weights))
	var before, inside T
	for x, w := range weights {
		if a.Splits > 1 && x%a.Tile == 0 {
			before, inside = before+inside, 0
		}
		inside += w
		if sums[x] = a.kept(before + inside); a.makes("cumulated-before") {
			sums[x] -= w
		}
	}
	return sums
}

// accepts are right configurations: chains and blocks, ratios and products, types of results.
func accepts() []emulate.Config {
	all := emulate.Orders()
	for _, c := range emulate.Orders()[:4] {
		c.NormalizeFirst = true
		all = append(all, c)
	}
	for _, tile := range []int{32, 64, 256, 1024} {
		all = append(all, emulate.Config{Splits: 2, Tile: tile}, emulate.Config{
			Splits: 2, Tile: tile, NormalizeFirst: true, Order: emulate.Strided, Indices: dtype.I64,
		})
	}
	return append(all, emulate.Config{Intermediate: dtype.BF16}, emulate.Config{Intermediate: dtype.BF16, Splits: 2})
}

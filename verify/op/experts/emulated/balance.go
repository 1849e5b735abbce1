package emulated

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// What a loss of load forms for each token, and for each expert over all tokens; and what a step of
// the bias does.
const (
	scoreSums  = "the sum of scores"
	loadShares = "f, the share of tokens,"
	meanScores = "P, the mean score,"
	meanLoad   = "the mean load"
	excess     = "the mean load less that of each expert"
	biasSteps  = "the step of each expert"
)

func init() {
	experts, ofExperts := []string{"E"}, []string{"expert"}
	emulate.Register("moe.balance_loss", emulate.Kernel{
		Float32: balanceLoss[float32], Float64: balanceLoss[float64], Request: requestBalance, Right: balances(),
		Quantities: []emulate.Quantity{
			{Name: scoreSums, Shape: []string{"N"}}, {Name: loadShares, Shape: experts, Axes: ofExperts},
			{Name: meanScores, Shape: experts, Axes: ofExperts},
		},
	})
	emulate.Register("moe.bias_update", emulate.Kernel{
		Float32: biasUpdate[float32], Float64: biasUpdate[float64], Request: requestBias, Right: emulate.Orders(),
		Quantities: []emulate.Quantity{
			{Name: meanLoad}, {Name: excess, Shape: experts}, {Name: biasSteps, Shape: experts},
		},
	})
}

// balance is a loss of load, α Σ f P: shares of the tokens times mean scores, of experts or of
// devices. Like a route of a gate it is computed right beside a wrong one, to see whether a mistake
// shows.
type balance[T emulate.Number] struct {
	*emulate.Job
	sums       *emulate.Summer[T]
	scores     []T
	ids        []int
	devices    []int // of each expert; nil: none are given
	N, E, K, D int
	kind       string
	right      bool // the twin of a wrong one
}

// balanceLoss computes the loss, which is F32.
func balanceLoss[T emulate.Number](j *emulate.Job) {
	b := &balance[T]{
		Job: j, sums: emulate.NewSummer[T](&j.Config, dtype.F32), scores: emulate.Load[T](j, "scores"),
		ids: j.LoadInts("indices"), devices: j.LoadInts("groups"), N: j.Dim("N"), E: j.Dim("E"), K: j.Dim("K"),
		kind: j.Word("kind"),
	}
	if b.devices != nil {
		b.D = slices.Max(b.devices) + 1
	}
	right := *b
	right.right = true
	loss := b.loss()
	j.Show(loss != right.loss())
	emulate.Store(j, "loss", emulate.Working[T](), []T{loss})
}

func (b *balance[T]) makes(mistake string) bool { return !b.right && b.Makes(mistake) }

// loss returns that of all tokens, or the mean of those of sequences.
func (b *balance[T]) loss() T {
	length := b.N
	if b.kind == "sequence" && b.Has("sequence_length") && !b.makes("batch-mean-for-sequence") {
		length = b.Int("sequence_length")
	}
	b.interleave(length)
	var losses []T
	for from := 0; from < b.N; from += length {
		losses = append(losses, b.product(from, length))
	}
	loss := b.sums.Sum(losses)
	if !b.makes("sequences-summed") {
		loss /= T(len(losses))
	}
	return b.scaled(loss)
}

// scaled returns alpha times a loss. It makes the mistakes of other factors.
func (b *balance[T]) scaled(loss T) T {
	switch {
	case b.makes("alpha-missing"):
		return loss
	case b.makes("loss-times-tokens"):
		loss *= T(b.N)
	case b.makes("loss-averaged") && b.D > 0:
		loss /= T(b.D)
	case b.makes("loss-averaged"):
		loss /= T(b.E)
	case b.makes("alpha-twice"):
		loss *= T(b.Float("alpha"))
	}
	return T(b.Float("alpha")) * loss
}

// interleave makes the mistake of sequences whose tokens stand in turn: one of every sequence, then
// the next of each.
func (b *balance[T]) interleave(length int) {
	if !b.makes("sequences-interleaved") {
		return
	}
	ids, scores, sequences := b.ids, b.scores, b.N/length
	b.ids, b.scores = slices.Clone(ids), slices.Clone(scores)
	for n := range b.N {
		from := n%length*sequences + n/length
		copy(emulate.Row(b.ids, n, b.K), emulate.Row(ids, from, b.K))
		copy(emulate.Row(b.scores, n, b.E), emulate.Row(scores, from, b.E))
	}
}

// product returns Σ f P of some tokens.
func (b *balance[T]) product(from, length int) T {
	f, p := b.factors(from, length)
	switch {
	case b.makes("sums-multiplied"):
		return b.sums.Sum(f) * b.sums.Sum(p) / T(len(p))
	case b.makes("scores-for-shares"):
		f = each(p, func(x T) T { return T(len(p)) * x })
	case b.makes("shares-for-scores"):
		p = each(f, func(x T) T { return x / T(len(f)) })
	case b.makes("multiplied-by-token"):
		var terms []T
		for n := from; n < from+length; n++ {
			share, mean := b.factors(n, 1)
			terms = append(terms, b.sums.Dot(share, mean))
		}
		return b.sums.Sum(terms) / T(length)
	}
	return b.sums.Dot(f, p)
}

// factors returns what is multiplied of some tokens: the shares of experts or devices, and their
// mean scores.
func (b *balance[T]) factors(from, length int) (f, p []T) {
	f, p = b.shares(from, from+length), b.means(from, from+length)
	if b.makes("batch-shares-for-sequence") {
		f = b.shares(0, b.N)
	}
	if length == b.N {
		emulate.Pass(b.Job, loadShares, 0, f)
		emulate.Pass(b.Job, meanScores, 0, p)
	}
	if b.kind == "device" || b.kind == "communication" {
		return b.ofDevices(f, p)
	}
	return f, p
}

// chosen returns the experts that count for a token. It makes the mistakes of counting.
func (b *balance[T]) chosen(n int) []int {
	ids := slices.Clone(emulate.Row(b.ids, n, b.K))
	switch {
	case b.makes("counts-of-scores"):
		row := emulate.Row(b.scores, n, b.E)
		order := emulate.Indices(b.E)
		slices.SortStableFunc(order, func(a, c int) int { return descending(row[a], row[c]) })
		return order[:min(b.K, b.E)]
	case b.makes("padding-counted"):
		for k, e := range ids {
			ids[k] = max(e, 0)
		}
	case b.makes("first-choices-only"):
		ids = ids[:1]
	}
	return slices.DeleteFunc(ids, func(e int) bool { return e < 0 })
}

// shares returns f of each expert, E/(K T) times the number of its tokens.
func (b *balance[T]) shares(from, to int) []T {
	counts := make([]T, b.E)
	for n := from; n < to; n++ {
		for _, e := range b.chosen(n) {
			counts[e] += b.counts(n, e)
		}
	}
	if b.makes("counts-capped") {
		most := T((to - from) * b.K / b.E)
		counts = each(counts, func(c T) T { return min(c, max(most, 1)) })
	}
	switch slots, tokens := b.over(from, to, counts); {
	case b.makes("loss-unscaled"):
		return each(counts, func(c T) T { return c / tokens })
	case b.NormalizeFirst:
		return each(counts, func(c T) T { return c / (slots * tokens) * T(b.E) })
	default:
		return each(counts, func(c T) T { return c * T(b.E) / (slots * tokens) })
	}
}

// counts returns what a token counts for an expert that it goes to: by mistake its score.
func (b *balance[T]) counts(n, e int) T {
	if b.makes("scores-counted") {
		return b.row(n)[e]
	}
	return 1
}

// over returns the numbers of slots and of tokens that counts are divided by.
func (b *balance[T]) over(from, to int, counts []T) (slots, tokens T) {
	switch {
	case b.makes("first-choices-only"), b.makes("slots-uncounted"):
		return 1, T(b.tokens(from, to))
	case b.makes("shares-of-routed-slots"):
		return 1, max(b.sums.Sum(counts), 1)
	}
	return T(b.K), T(b.tokens(from, to))
}

// tokens returns the number of tokens that means are over.
func (b *balance[T]) tokens(from, to int) int {
	if !b.makes("unrouted-left-out") {
		return to - from
	}
	var routed int
	for n := from; n < to; n++ {
		routed += min(1, len(b.chosen(n)))
	}
	return max(routed, 1)
}

// row returns the scores of a token as they are added up.
func (b *balance[T]) row(n int) []T {
	row, normalizes := emulate.Row(b.scores, n, b.E), b.Flag("normalize_scores")
	if b.makes("scores-through-softmax") {
		row, normalizes = each(row, func(s T) T { return emulate.Exponential(b.Job, s) }), true
	}
	if normalizes && !b.makes("scores-unnormalized") {
		sum := emulate.PassOne(b.Job, scoreSums, n, b.sums.Sum(row))
		row = each(row, func(s T) T { return s / sum })
	}
	return b.ofChosen(row, n)
}

// ofChosen makes the mistakes of scores that do not count: of experts that a token does not go to,
// and of tokens that go nowhere.
func (b *balance[T]) ofChosen(row []T, n int) []T {
	only := b.makes("chosen-scores-only") || b.makes("chosen-scores-normalized") || b.makes("mean-over-choosers")
	if !only && !b.makes("unrouted-left-out") {
		return row
	}
	chosen, left := b.chosen(n), make([]T, b.E)
	for e, s := range row {
		if slices.Contains(chosen, e) || !only && len(chosen) > 0 {
			left[e] = s
		}
	}
	if sum := b.sums.Sum(left); b.makes("chosen-scores-normalized") && sum > 0 {
		return each(left, func(s T) T { return s / sum })
	}
	return left
}

// means returns P of each expert, its mean score.
func (b *balance[T]) means(from, to int) []T {
	columns := make([][]T, b.E)
	for n := from; n < to; n++ {
		for e, s := range b.row(n) {
			columns[e] = append(columns[e], s)
		}
	}
	means := make([]T, b.E)
	for e, column := range columns {
		means[e] = b.sums.Sum(column) / T(b.scored(e, from, to))
	}
	return means
}

// scored returns the number of tokens that the mean score of an expert is over.
func (b *balance[T]) scored(e, from, to int) int {
	switch {
	case b.makes("scores-over-slots"):
		return (to - from) * b.K
	case b.makes("mean-over-choosers"):
		var choosers int
		for n := from; n < to; n++ {
			if slices.Contains(b.chosen(n), e) {
				choosers++
			}
		}
		return max(choosers, 1)
	}
	return b.tokens(from, to)
}

// ofDevices returns f and P of devices.
func (b *balance[T]) ofDevices(f, p []T) (shares, scores []T) {
	members := make([][]int, b.D)
	for e, d := range b.devices {
		members[d] = append(members[d], e)
	}
	for _, experts := range members {
		share := b.sums.Sum(emulate.Picked(f, experts))
		if !b.makes("device-shares-summed") {
			share /= T(max(len(experts), 1))
		}
		mean := b.sums.Sum(emulate.Picked(p, experts))
		if b.makes("device-scores-averaged") {
			mean /= T(max(len(experts), 1))
		}
		shares, scores = append(shares, share), append(scores, mean)
	}
	if b.kind == "communication" {
		shares = b.sent()
	}
	return shares, scores
}

// sent returns f of each device where a token counts once for all its experts there, D/(M T) times
// the number of its tokens.
func (b *balance[T]) sent() []T {
	counts := make([]T, b.D)
	for n := range b.N {
		var to []int
		for _, e := range b.chosen(n) {
			if d := b.devices[e]; !slices.Contains(to, d) || b.makes("experts-for-devices") {
				to = append(to, d)
				counts[d]++
			}
		}
	}
	most := b.D
	if b.Has("top_groups") && !b.makes("top-groups-missing") {
		most = b.Int("top_groups")
	}
	return each(counts, func(c T) T { return c * T(b.D) / (T(most) * T(b.N)) })
}

// bias is one step of the bias of a gate.
type bias[T emulate.Number] struct {
	*emulate.Job
	sums   *emulate.Summer[T]
	before []T
	load   []T
	right  bool // the twin of a wrong one
}

// biasUpdate computes the bias after a step, in the type that it had before.
func biasUpdate[T emulate.Number](j *emulate.Job) {
	b := &bias[T]{
		Job: j, sums: emulate.NewSummer[T](&j.Config, dtype.F32), before: emulate.Load[T](j, "bias"),
		load: emulate.Load[T](j, "load"),
	}
	right, typ := *b, j.Recording.Type("bias")
	right.right = true
	after := b.after()
	j.Show(!slices.Equal(emulate.RoundEach(typ, slices.Clone(after)), emulate.RoundEach(typ, right.after())))
	emulate.Store(j, "bias", typ, after)
}

func (b *bias[T]) makes(mistake string) bool { return !b.right && b.Makes(mistake) }

// steps returns what is added to the bias of each expert.
func (b *bias[T]) steps() []T {
	load := slices.Clone(b.load)
	if b.makes("load-bf16") {
		emulate.RoundEach(dtype.BF16, load)
	}
	mean, rate := emulate.PassOne(b.Job, meanLoad, 0, b.mean(load)), T(b.Float("rate"))
	off := each(load, func(n T) T { return mean - n })
	emulate.Pass(b.Job, excess, 0, off)
	steps := each(off, func(x T) T { return rate * b.direction(x) })
	if b.Flag("center") && !b.makes("center-missing") {
		middle := b.sums.Sum(steps) / T(len(steps))
		if b.makes("bias-centered") {
			middle = b.sums.Sum(b.before) / T(len(steps))
		}
		steps = each(steps, func(s T) T { return s - middle })
	}
	emulate.Pass(b.Job, biasSteps, 0, steps)
	return steps
}

// after returns the bias and its steps.
func (b *bias[T]) after() []T {
	after := slices.Clone(b.before)
	for e, s := range b.steps() {
		switch {
		case b.makes("bias-frozen"):
		case b.makes("bias-sign-reversed"):
			after[e] -= s
		default:
			after[e] += s
		}
	}
	if b.makes("update-bf16") {
		emulate.RoundEach(dtype.BF16, after)
	}
	if b.makes("result-centered") {
		middle := b.sums.Sum(after) / T(len(after))
		after = each(after, func(x T) T { return x - middle })
	}
	return after
}

// mean returns that of the loads.
func (b *bias[T]) mean(load []T) T {
	if b.makes("empty-experts-left-out") {
		load = slices.DeleteFunc(slices.Clone(load), func(n T) bool { return n == 0 })
	}
	mean := b.sums.Sum(load) / T(max(len(load), 1))
	switch {
	case b.makes("mean-floored"):
		mean = T(math.Floor(float64(mean)))
	case b.makes("share-for-mean"):
		mean = 1 / T(len(b.load))
	case b.makes("median-for-mean"):
		mean = median(load)
	}
	return mean
}

// median returns the number that half of the others are at most.
func median[T emulate.Number](x []T) T {
	sorted := slices.Sorted(slices.Values(x))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// direction returns what a step is rate times of.
func (b *bias[T]) direction(off T) T {
	proportional := b.Word("rule") == "proportional"
	switch {
	case proportional != b.makes("rules-exchanged"):
		return off
	case off > 0, off == 0 && b.makes("balanced-moved"):
		return 1
	case off < 0, b.makes("balanced-lowered"):
		return -1
	}
	return 0
}

package emulated

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// What a merge forms for each query: of each part, and of all.
const (
	partWeights = "the weights of parts"
	weightSums  = "the sum of the weights of parts"
	largestLSEs = "the largest log-sum-exp of the parts"
)

func init() {
	emulate.Register("attention.merge", emulate.Kernel{
		Float32: attentionMerge[float32], Float64: attentionMerge[float64], Request: requestMerge,
		Right: emulate.Orders(), Quantities: []emulate.Quantity{
			{Name: partWeights, Shape: []string{"P", "N"}, Axes: []string{"part", "query"}},
			{Name: weightSums, Shape: []string{"N"}}, {Name: largestLSEs, Shape: []string{"N"}},
		},
	})
}

// parts is what attention.merge reads: o [P,N,V] and lse [P,N].
type parts[T emulate.Number] struct {
	*emulate.Job
	sums    *emulate.Summer[T]
	o, lse  []T
	P, N, V int
	two     bool // log-sum-exps are to base 2
}

// attentionMerge joins parts of an attention by their log-sum-exps, in the working type; the output
// is rounded once, to the type of o, the log-sum-exp to F32. A part that saw no key does not count,
// whatever its output.
func attentionMerge[T emulate.Number](j *emulate.Job) {
	p := &parts[T]{
		Job: j, sums: emulate.NewSummer[T](&j.Config, dtype.F32), o: emulate.Load[T](j, "o"),
		lse: emulate.Load[T](j, "lse"),
		P:   j.Dim("P"), N: j.Dim("N"), V: j.Dim("V"), two: j.Word("lse_base") == "2",
	}
	if j.Makes("accumulate-bf16") {
		p.sums.Narrow(dtype.BF16)
		j.Show(p.P > 1)
	}
	if j.Makes("merge-base") {
		p.two = !p.two
	}
	p.repeatStale()
	o, lse := make([]T, 0, p.N*p.V), make([]T, p.N)
	for n := range p.N {
		var out []T
		out, lse[n] = p.row(n)
		o = append(o, out...)
	}
	emulate.StoreMain(j, "o", j.Recording.Type("o"), o)
	emulate.Store(j, "lse", dtype.F32, lse)
}

// repeatStale makes the mistake of a part without keys that has what is left of the one before.
func (p *parts[T]) repeatStale() {
	if !p.Makes("stale-part-merged") {
		return
	}
	for i := p.N; i < len(p.lse); i++ {
		if math.IsInf(float64(p.lse[i]), -1) && !math.IsInf(float64(p.lse[i-p.N]), -1) {
			p.Show(true)
			p.lse[i] = p.lse[i-p.N]
			copy(emulate.Row(p.o, i, p.V), emulate.Row(p.o, i-p.N, p.V))
		}
	}
}

// overQueries makes the mistake of a part whose weights add up to 1 over queries, in place of that
// of row n over parts.
func (p *parts[T]) overQueries(part, n int, right T) T {
	if !p.Makes("weights-over-queries") {
		return right
	}
	p.Show(p.N > 1 || p.P > 1)
	weights := make([]T, p.N)
	for i, x := range emulate.Row(p.lse, part, p.N) {
		weights[i] = p.weight(x)
	}
	return weights[n] / p.sums.Plain().Sum(weights)
}

// row merges the parts of row n.
func (p *parts[T]) row(n int) ([]T, T) {
	of, lses, rows := p.parts(n)
	out := make([]T, p.V)
	if len(lses) == 0 {
		return p.seesNothing(out)
	}
	top, least := slices.Max(lses), slices.Min(lses)
	p.Show(p.Makes("merge-base") && least < top)
	weights := make([]T, len(lses))
	if p.Makes("merge-maximum-missing") {
		top = 0
	}
	for i, x := range lses {
		weights[i] = p.weight(x - top)
		p.Show(p.Makes("merge-maximum-missing") && !dtype.Finite(weights[i]))
	}
	total := emulate.PassOne(p.Job, weightSums, n, p.sums.Plain().Sum(weights))
	p.normalise(weights, total, least < top)
	for i, part := range of {
		weights[i] = p.overQueries(part, n, weights[i])
		weights[i] = emulate.PassOne(p.Job, partWeights, part*p.N+n, weights[i])
	}
	p.sums.Combine(out, p.inTurn(weights, lses), rows)
	return out, p.merged(lses, weights, emulate.PassOne(p.Job, largestLSEs, n, top), p.log(total))
}

// merged returns the log-sum-exp of all parts: the largest, and the logarithm of a sum above it.
func (p *parts[T]) merged(lses, weights []T, top, log T) T {
	wrong := top + log
	switch {
	case p.Makes("lse-of-largest"):
		wrong = top
	case p.Makes("lse-weighted"):
		wrong = p.sums.Plain().Dot(lses, weights)
	}
	p.Show(wrong != top+log)
	return wrong
}

// inTurn makes the mistake of a part after the other being merged into an output whose log-sum-exp
// is the new one before the weights are formed: what is there keeps a weight of 1.
func (p *parts[T]) inTurn(weights, lses []T) []T {
	if p.Makes("lse-of-first") {
		return p.besideFirst(weights, lses)
	}
	if !p.Makes("lse-overwritten") {
		return weights
	}
	p.Show(len(lses) > 1)
	var so T
	for i := range weights {
		if so += weights[i]; so > 0 {
			weights[i] /= so
		}
	}
	return weights
}

// besideFirst makes the mistake of one part after the other being merged beside the log-sum-exp of
// the first, which does not grow with what is merged.
func (p *parts[T]) besideFirst(weights, lses []T) []T {
	p.Show(len(lses) > 2)
	for i := 1; i < len(weights); i++ {
		share := 1 / (1 + p.weight(lses[0]-lses[i]))
		weights[i] = share
		for j := range i {
			weights[j] *= 1 - share
		}
		if i == 1 {
			weights[0] = 1 - share
		}
	}
	return weights
}

// parts returns log-sum-exps and outputs of the parts that count for row n, and which those are.
func (p *parts[T]) parts(n int) (of []int, lses []T, rows [][]T) {
	var empty []int
	for i := range p.P {
		if x := p.lse[i*p.N+n]; math.IsInf(float64(x), -1) {
			empty = append(empty, i)
		} else {
			of, lses, rows = append(of, i), append(lses, x), append(rows, p.output(i, n))
		}
	}
	if p.Makes("empty-part-read") && len(lses) > 0 {
		for _, i := range empty {
			o := p.output(i, n)
			p.Show(!dtype.Finite(o[0]))
			of, lses, rows = append(of, i), append(lses, T(math.Inf(-1))), append(rows, o)
		}
	}
	return of, lses, rows
}

// output returns row n of part i.
func (p *parts[T]) output(i, n int) []T { return emulate.Row(p.o, i*p.N+n, p.V) }

// seesNothing returns zeros and −∞.
func (p *parts[T]) seesNothing(out []T) ([]T, T) {
	if p.Makes("empty-row-nan") {
		p.Show(true)
		emulate.Fill(out, T(math.NaN()))
		return out, T(math.NaN())
	}
	return out, T(math.Inf(-1))
}

// normalise divides the weights by their sum.
func (p *parts[T]) normalise(weights []T, total T, differ bool) {
	for i := range weights {
		switch {
		case p.Makes("weights-unnormalised"):
			p.Show(len(weights) > 1)
		case p.Makes("parts-averaged"):
			p.Show(differ)
			weights[i] = 1 / T(len(weights))
		default:
			weights[i] /= total
		}
	}
}

func (p *parts[T]) weight(x T) T {
	if p.FastExp {
		unit := T(1)
		if p.two {
			unit = math.Ln2
		}
		return T(emulate.FastExp(float32(x * unit)))
	}
	if p.two {
		return T(math.Exp2(float64(x)))
	}
	return T(math.Exp(float64(x)))
}

func (p *parts[T]) log(x T) T {
	if p.two {
		return T(math.Log2(float64(x)))
	}
	return T(math.Log(float64(x)))
}

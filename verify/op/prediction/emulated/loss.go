package emulated

import (
	"cmp"
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("mtp.loss", emulate.Kernel{
		Float32: mtpLoss[float32], Float64: mtpLoss[float64], Request: requestLoss, Right: losses(),
		Quantities: []emulate.Quantity{
			{Name: lses, Shape: perPosition, Axes: places}, {Name: labelLogits, Shape: perPosition, Axes: places},
			{Name: positionLosses, Shape: perPosition, Axes: places, Averaging: emulate.Weighs},
			{Name: depthLosses, Shape: []string{"D"}, Axes: []string{"depth"}},
		},
	})
}

// What a cross-entropy forms at each position, and what its depths give to the sum of all.
const (
	lses           = "the log-sum-exp"
	labelLogits    = "the logit of the label"
	positionLosses = "the loss of each position"
	depthLosses    = "the loss of each depth, in their sum,"
)

var perPosition, places = []string{"D", "T"}, []string{"depth", "position"}

// loss is the cross-entropy of all depths.
type loss[T emulate.Number] struct {
	*emulate.Job
	sums                     *emulate.Summer[T]
	logits                   []T
	tokens                   []int
	depths, positions, vocab int
	shift                    int   // from a position to the token that it predicts, at depth 0
	wraps                    bool  // beyond the last token stands the first
	zeros                    bool  // beyond the last token stands token 0
	over                     []int // what the sum of each depth was divided by
}

// mtpLoss computes it in the working type, element-wise results rounded to the intermediate one.
func mtpLoss[T emulate.Number](j *emulate.Job) {
	j.Intermediate = cmp.Or(j.Intermediate, emulate.Working[T]())
	l := &loss[T]{
		Job: j, sums: emulate.NewSummer[T](&j.Config, dtype.F32), logits: emulate.Load[T](j, "logits"),
		tokens: j.LoadInts("tokens"), depths: j.Dim("D"), positions: j.Dim("T"), vocab: j.Dim("vocab"), shift: 1,
	}
	switch {
	case j.Makes("labels-shifted-twice"):
		l.shift = 2
	case j.Makes("labels-unshifted"):
		l.shift = 0
	case j.Makes("roll-wraps"):
		l.wraps = true
	case j.Makes("rolled-in-zeros"):
		l.zeros = true
	}
	perDepth := make([]T, l.depths)
	for k := range perDepth {
		perDepth[k] = l.depth(k + 1)
	}
	emulate.Store(j, "per_depth", emulate.Working[T](), perDepth)
	l.pool(perDepth)
	emulate.Store(j, "loss", emulate.Working[T](), []T{l.weighted(perDepth)})
}

func (l *loss[T]) kept(x T) T { return emulate.Round(l.Intermediate, x) }

// depth returns the loss of depth k.
func (l *loss[T]) depth(k int) T {
	var losses []T
	for i := range l.positions {
		target, right := l.label(i, k), l.target(i+k+1)
		if i+k+1 >= len(l.tokens) {
			right = -1
		}
		if target >= 0 {
			at := (k-1)*l.positions + i
			losses = append(losses, emulate.PassOne(l.Job, positionLosses, at, -l.logProb(at, target)))
		}
		l.Show(target != right)
	}
	over := l.divisor(len(losses), k)
	if l.over = append(l.over, over); len(losses) == 0 {
		return 0
	}
	if l.NormalizeFirst {
		terms := make([]T, len(losses))
		for i, x := range losses {
			terms[i] = l.kept(x * l.kept(1/T(over)))
		}
		return l.kept(l.sums.Sum(terms))
	}
	return l.kept(l.kept(l.sums.Sum(losses)) / T(over))
}

// label returns the token that position i of depth k is compared with, −1 where it does not count.
func (l *loss[T]) label(i, k int) int {
	switch {
	case l.Makes("labels-of-first-depth"):
		k = 1
	case l.Makes("shifts-accumulate"):
		k = k * (k + 1) / 2
	case l.Makes("mask-rolled-twice") && i+k+2 >= len(l.tokens):
		return -1
	}
	return l.target(i + k + l.shift)
}

// target returns the token at a place, −1 where there is none.
func (l *loss[T]) target(at int) int {
	switch {
	case at < len(l.tokens):
		return l.tokens[at]
	case l.wraps:
		return l.tokens[at-len(l.tokens)]
	case l.zeros:
		return 0
	}
	return -1
}

// divisor returns what the sum of depth k is divided by, n of whose positions count.
func (l *loss[T]) divisor(n, k int) int {
	over := l.positions
	if l.Word("divisor") == "valid" {
		over = n
	}
	other := over
	switch {
	case l.Makes("divisor-exchanged"):
		other = l.positions + n - over
	case l.Makes("divisor-of-tokens"):
		other = len(l.tokens)
	case l.Makes("divisor-of-first-depth") && k > 1 && l.Word("divisor") == "valid":
		other = l.over[0]
	case l.Makes("summed"):
		other = 1
	}
	l.Show(n > 0 && other != over)
	return max(other, 1)
}

// logProb returns the log-probability of a token at a position of a depth.
func (l *loss[T]) logProb(at, token int) T {
	z := l.padded(emulate.Row(l.logits, at, l.vocab))
	if l.Makes("softmax-over-positions") {
		z, token = l.column(at, token), at%l.positions
	}
	m := slices.Max(z)
	exps := make([]T, len(z))
	for i, v := range z {
		exps[i] = emulate.OfLogits(l.Job, v-m)
	}
	logarithm := emulate.LogOfSum(l.Job, l.sums.Sum(exps))
	if l.Base2 || l.Quantities != nil {
		lse := emulate.PassOne(l.Job, lses, at, l.kept(m+logarithm))
		return l.kept(emulate.PassOne(l.Job, labelLogits, at, z[token]) - lse)
	}
	return l.kept(z[token] - m - logarithm)
}

// column returns the logits of a token at all positions of a depth, which a softmax is over by
// mistake.
func (l *loss[T]) column(at, token int) (z []T) {
	l.Show(true)
	for i := range l.positions {
		z = append(z, l.logits[(at-at%l.positions+i)*l.vocab+token])
	}
	return z
}

// padded returns the logits that a softmax is over; by mistake they are padded to a power of 2.
func (l *loss[T]) padded(z []T) []T {
	if !l.Makes("vocabulary-padded-to-power") {
		return z
	}
	return emulate.Padded(l.Job, z, emulate.ToPowerOfTwo(len(z)))
}

// pool makes the mistake of one mean over the positions of all depths.
func (l *loss[T]) pool(perDepth []T) {
	if !l.Makes("depths-pooled") {
		return
	}
	var sum T
	all := 0
	for k, x := range perDepth {
		sum, all = sum+x*T(l.over[k]), all+l.over[k]
		l.Show(l.over[k] != l.over[0] && x != perDepth[0])
	}
	for k := range perDepth {
		perDepth[k] = sum / T(all)
	}
}

// weighted returns weight/D · Σ.
func (l *loss[T]) weighted(perDepth []T) T {
	emulate.Pass(l.Job, depthLosses, 0, perDepth)
	weight := T(l.Float("weight"))
	if l.Makes("weight-to-the-depth") {
		for k := range perDepth {
			perDepth[k] *= T(math.Pow(float64(weight), float64(k)))
		}
		l.Show(l.depths > 1 && weight != 1)
	}
	share := l.kept(weight / T(l.depths))
	switch {
	case l.Makes("weight-undivided"):
		l.Show(l.depths > 1)
		share = l.kept(weight)
	case l.Makes("weight-missing"):
		l.Show(weight != 1)
		share = l.kept(1 / T(l.depths))
	}
	if l.NormalizeFirst {
		terms := make([]T, len(perDepth))
		for k, x := range perDepth {
			terms[k] = l.kept(share * x)
		}
		return l.kept(l.sums.Sum(terms))
	}
	return l.kept(share * l.kept(l.sums.Sum(perDepth)))
}

// losses are right configurations: orders, exponentials, and types of element-wise results.
func losses() []emulate.Config {
	all := append(emulate.Orders(), emulate.Config{Base2: true},
		emulate.Config{Approximate: true, Base2: true, Order: emulate.Strided},
	)
	for _, c := range emulate.Orders()[:4] {
		c.NormalizeFirst = true
		all = append(all, c)
	}
	return append(all, emulate.Config{Intermediate: dtype.BF16},
		emulate.Config{Intermediate: dtype.BF16, NormalizeFirst: true, Base2: true},
		emulate.Config{Intermediate: dtype.F16, Order: emulate.Strided}, emulate.Config{Output: dtype.BF16})
}

package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/dtype"
	"plumbline/verify/verdict"
)

// An output may be a sum of terms that its op names: what each expert adds, each slot, the shared
// experts. How often each counts, in all rows alike, is found by least squares among all terms of
// one kind. No kernel has to run for it.

// terms are what an output is a sum of: those of one kind, and what is beside them.
type terms struct {
	view    *view
	kind    string // "expert"
	numbers []int  // of each term, −1 of what is beside them
	values  [][]float64
	amount  []float64
	error   []float64 // a deviation of each
}

// mostTerms is how many terms may be told apart.
const mostTerms = 512

// termCandidates are sums of terms that count in few other amounts than once.
func (v *view) termCandidates(s *subject) (all []candidate) {
	var kinds []*terms
	for _, d := range v.want.Directions {
		kind, number, numbered := termOf(d)
		if !numbered || len(d.Values) != len(v.truth) {
			continue
		}
		i := slices.IndexFunc(kinds, func(t *terms) bool { return t.kind == kind })
		if i < 0 {
			i, kinds = len(kinds), append(kinds, &terms{view: v, kind: kind})
		}
		kinds[i].add(number, d.Values)
	}
	for _, t := range kinds {
		if len(t.values) > 1 && len(t.values) <= mostTerms && t.fit() {
			all = append(all, t.candidate(s)...)
		}
	}
	return all
}

// termOf is the kind of a term and its number, from the name of the direction that it is.
func termOf(d verdict.Direction) (kind string, number int, numbered bool) {
	name, is := strings.CutPrefix(d.Name, "the part of ")
	at := strings.LastIndex(name, " ")
	if !is || at < 0 {
		return "", 0, false
	}
	_, err := fmt.Sscanf(name[at+1:], "%d", &number)
	return name[:at], number, err == nil
}

func (t *terms) add(number int, values []float64) {
	t.numbers, t.values = append(t.numbers, number), append(t.values, values)
}

// fit finds the amounts of least squares.
func (t *terms) fit() bool {
	rest, there := slices.Clone(t.view.truth), false
	for _, x := range t.values {
		for i, y := range x {
			rest[i] -= y
		}
	}
	for _, x := range rest {
		there = there || math.Abs(x) > 1e-9*t.view.largest
	}
	if there {
		t.add(-1, rest)
	}
	n := len(t.values)
	normal, right := mat.NewSymDense(n, nil), mat.NewVecDense(n, nil)
	for i, s := range t.view.scale {
		if got := t.view.got[i]; s > 0 && t.view.want.Judged(i) && dtype.Finite(got-rest[i]) {
			t.observe(i, got/s, s, normal, right)
		}
	}
	return t.solve(normal, right)
}

// observe adds an element to the equations of least squares.
func (t *terms) observe(i int, got, s float64, normal *mat.SymDense, right *mat.VecDense) {
	var in []int // of experts a token has few
	for k, x := range t.values {
		if x[i] != 0 {
			in = append(in, k)
		}
	}
	for a, k := range in {
		x := t.values[k][i] / s
		right.SetVec(k, right.AtVec(k)+x*got)
		for _, l := range in[a:] {
			normal.SetSym(k, l, normal.At(k, l)+x*t.values[l][i]/s)
		}
	}
}

// solve solves them, and notes how well each amount is known.
func (t *terms) solve(normal *mat.SymDense, right *mat.VecDense) bool {
	for k := range t.values { // one that nothing tells counts once
		normal.SetSym(k, k, normal.At(k, k)+1)
		right.SetVec(k, right.AtVec(k)+1)
	}
	var factored mat.Cholesky
	solved, inverse := mat.NewVecDense(len(t.values), nil), mat.NewSymDense(len(t.values), nil)
	if !factored.Factorize(normal) || factored.SolveVecTo(solved, right) != nil || factored.InverseTo(inverse) != nil {
		return false
	}
	t.amount = solved.RawVector().Data
	for k := range t.values {
		t.error = append(t.error, math.Sqrt(inverse.At(k, k)))
	}
	return true
}

// mostAmounts is how many amounts other than 1 terms may have: where each has its own, a sum over
// other numbers than these is nearer.
const mostAmounts = 2

// candidate is the explanation that terms count in these amounts, where they are few.
func (t *terms) candidate(s *subject) []candidate {
	values, of := t.values, t.classes()
	var said []string
	fitted := 0
	for k, x := range of {
		if x == 1 || slices.Index(of, x) < k {
			continue
		}
		times := often(x)
		if x != math.Trunc(x) {
			times = fmt.Sprintf("%.3g times", x)
		}
		said = append(said, fmt.Sprintf("%s %s%s", t.inWords(of, x), times, s.namely(x)))
		if s.constant(x) == "" && x != 0 {
			fitted++
		}
	}
	if len(said) == 0 || len(said) > mostAmounts || !slices.Contains(of, 1) {
		return nil
	}
	text := fmt.Sprintf("%s counts what some %s add in another amount: %s", t.view.want.Name, plural(t.kind),
		strings.Join(said, "; "))
	c := t.view.instead("factors", "amounts of "+plural(t.kind), text, func() []float64 {
		w := make([]float64, len(t.view.truth))
		for k, x := range values {
			for i, y := range x {
				w[i] += of[k] * y
			}
		}
		return w
	})
	c.fitted, c.whole = fitted, true
	return []candidate{c}
}

// classes returns the amount of each term, one number for those that have nearly the same: a whole
// one where that is as near.
func (t *terms) classes() []float64 {
	of := make([]float64, len(t.amount))
	order := ranks(t.amount)
	for first := 0; first < len(order); {
		var sum, weight float64
		end := first
		for ; end < len(order) && t.same(order[end], sum/max(weight, least), weight); end++ {
			w := 1 / (t.error[order[end]] * t.error[order[end]])
			sum, weight = sum+w*t.amount[order[end]], weight+w
		}
		mean := sum / weight
		if n := math.Round(mean); math.Abs(mean-n) < nearWhole/4 {
			mean = n
		}
		for _, k := range order[first:end] {
			of[k] = mean
		}
		first = end
	}
	return of
}

// same tells whether the amount of a term is as good as a mean of others, if there are any.
func (t *terms) same(k int, mean, weight float64) bool {
	return weight == 0 || math.Abs(t.amount[k]-mean) < max(nearWhole, 4*t.error[k])
}

// inWords names the terms of an amount.
func (t *terms) inWords(of []float64, amount float64) string {
	var said []string
	counts := make([]int, slices.Max(t.numbers)+1)
	for k, x := range of {
		switch {
		case x != amount:
		case t.numbers[k] < 0:
			said = append(said, "what is beside them")
		default:
			counts[t.numbers[k]]++
		}
	}
	if kept := holding(counts); len(kept) > 0 {
		kind := t.kind
		if len(kept) > 1 {
			kind = plural(kind)
		}
		said = append([]string{kind + " " + inWords(runsOf(kept))}, said...)
	}
	return strings.Join(said, " and ")
}

package diagnosis

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	gonum "gonum.org/v1/gonum/floats"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

// answerCandidates are whole numbers that are functions of the right ones, as of an expert's number
// that within its group, of counts their running sum, or stand in the next row.
func (v *view) answerCandidates(s *subject) (all []candidate) {
	right, err := s.kernel("", emulate.Exact(""))()
	x := right[v.want.Name]
	if err != nil || len(x) != len(v.got) {
		return nil
	}
	for _, f := range s.functionsOfAnswers(v, x) {
		said := fmt.Sprintf("%s holds the right numbers %s", v.want.Name, f.said)
		all = append(all, v.instead("rows", said, said, func() []float64 {
			return eachOf(tensor.Of(x, len(x)), f.of).Data
		}))
	}
	all = append(all, v.scaledAnswers(s, x)...)
	width := 1
	if v.want.Choice != nil {
		width = v.want.Choice.Width()
	}
	for _, by := range []int{width, -width} {
		said := fmt.Sprintf("each row of %s is that of the %s row", v.want.Name, next(by))
		all = append(all, v.instead("rows", said, said, func() []float64 { return rolledBy(x, by) }))
	}
	said := fmt.Sprintf("%s holds running sums of the right numbers", v.want.Name)
	return append(all, v.instead("rows", said, said, func() []float64 {
		return gonum.CumSum(make([]float64, len(x)), x)
	}))
}

// scaledAnswers are chosen numbers that are no whole ones, as scales are, times a factor or with
// something more.
func (v *view) scaledAnswers(s *subject, right []float64) []candidate {
	var ratios, apart []float64
	for i, x := range right {
		if r := v.got[i] / x; x != math.Trunc(x) && v.got[i] != x && dtype.Finite(r) {
			ratios, apart = append(ratios, r), append(apart, v.got[i]-x)
		}
	}
	if len(ratios) < fewParts {
		return nil
	}
	by, more := median(ratios), median(apart)
	some := func(said string, of func(x float64) float64) candidate {
		c := v.instead("factor", said, said, func() []float64 { return eachOf(tensor.Of(right, len(right)), of).Data })
		c.fitted = 1
		return c
	}
	return []candidate{
		some(fmt.Sprintf("%s is %.4g times what it should be%s", v.want.Name, by, s.namely(by)),
			func(x float64) float64 { return by * x }),
		some(fmt.Sprintf("%s is what it should be and %.4g%s", v.want.Name, more, s.constant(more)),
			func(x float64) float64 { return x + more }),
	}
}

// fewAnswers is how many different right numbers have to be wrong for a function of them to say
// anything: of fewer many functions are the same.
const fewAnswers = 3

// manyAnswers is how many have to be wrong by one of two numbers.
const manyAnswers = 6

// functionsOfAnswers are those of which an output tells.
func (s *subject) functionsOfAnswers(v *view, right []float64) []function {
	wrong, count := map[float64]bool{}, 0
	for i, x := range right {
		if x != v.got[i] {
			wrong[x] = true
			count++
		}
	}
	switch all := s.wholeFunctions(); {
	case len(wrong) >= fewAnswers:
		return slices.DeleteFunc(all, func(f function) bool { return len(imageOf(wrong, f)) < 2 })
	case len(wrong) == fewAnswers-1 && count >= manyAnswers:
		return all[:2] // one more, and one less
	}
	return nil
}

// imageOf is what a function makes of numbers: of one value alone anything may be said.
func imageOf(numbers map[float64]bool, f function) map[float64]bool {
	image := map[float64]bool{}
	for x := range numbers {
		image[f.of(x)] = true
	}
	return image
}

// wholeFunctions are what whole numbers may be taken for: remainders and quotients of sizes of the
// call, one more or less.
func (s *subject) wholeFunctions() []function {
	all := []function{
		{"and 1 more", func(x float64) float64 { return x + 1 }},
		{"and 1 less", func(x float64) float64 { return x - 1 }},
		{"twice", func(x float64) float64 { return 2 * x }},
	}
	for _, m := range s.moduli() {
		n := float64(m)
		all = append(all,
			function{fmt.Sprintf("modulo %d", m), func(x float64) float64 { return x - n*math.Floor(x/n) }},
			function{fmt.Sprintf("divided by %d", m), func(x float64) float64 { return math.Floor(x / n) }},
			function{fmt.Sprintf("in whole tiles of %d", m), func(x float64) float64 { return n * math.Ceil(x/n) }},
			function{fmt.Sprintf("and %d more", m), func(x float64) float64 { return x + n }})
	}
	return append(all, s.otherOrders()...)
}

// otherOrders are numbers of pairs that are counted with the other axis of two first: k·N + n for
// n·K + k.
func (s *subject) otherOrders() (all []function) {
	for _, l := range s.bound.Letters() {
		for _, by := range s.bound.Letters() {
			n, m := float64(s.bound.Dim(l)), float64(s.bound.Dim(by))
			if l == by || n < 2 || m < 2 {
				continue
			}
			all = append(all, function{
				fmt.Sprintf("counted column by column, of %v × %v", n, m),
				func(x float64) float64 { return math.Mod(x, m)*n + math.Floor(x/m) },
			})
		}
	}
	return all
}

// moduli are sizes of the call, what one is over another, and powers of two.
func (s *subject) moduli() (all []int) {
	for _, l := range s.bound.Letters() {
		n := s.bound.Dim(l)
		all = append(all, n)
		for _, by := range s.bound.Letters() {
			if d := s.bound.Dim(by); d > 1 && n%d == 0 {
				all = append(all, n/d)
			}
		}
	}
	for n := 2; n <= 256; n *= 2 {
		all = append(all, n)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(n int) bool { return n < 2 })
}

// rolledBy returns numbers with each taken from so many places further, round the end.
func rolledBy(x []float64, by int) []float64 {
	y := slices.Clone(x)
	for i := range y {
		y[i] = x[(i+by+len(x))%len(x)]
	}
	return y
}

// reorderedCandidate is the explanation that rows have the right numbers in another order.
func (v *view) reorderedCandidate() []candidate {
	n := v.want.Columns()
	if n < 2 || n > mostReordered || len(v.got) < 2*n {
		return nil
	}
	said := fmt.Sprintf("rows of %s have the right numbers, in another order", v.want.Name)
	return []candidate{v.placed("reordered", said, func(x []float64) []float64 {
		w := slices.Clone(x)
		for first := 0; first < len(w); first += n {
			from, to := ranks(v.truth[first:first+n]), ranks(v.got[first:first+n])
			for k := range n {
				w[first+to[k]] = x[first+from[k]]
			}
		}
		return w
	})}
}

// mostReordered is how many numbers a row may have whose order is looked at: any row of many is in
// some order nearly that of another.
const mostReordered = 16

// ranks lists the places of numbers from the least to the largest.
func ranks(x []float64) []int {
	order := emulate.Indices(len(x))
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	return order
}

package diagnosis

import (
	"fmt"

	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

// A batch is spread over devices, or goes through a model in parts, and the means of the parts are
// averaged: each part weighs as much as the others, however few of its tokens count.

// partition is a way to cut an axis in parts: which part each place is in.
type partition struct {
	said string
	of   func(i int) int
}

// partitions cuts an axis of n in so many parts: runs, every so many, and runs from both ends, as
// causal attention balances devices.
func partitions(n, parts int) (all []partition) {
	word := func(how string) string { return fmt.Sprintf("%d parts, %s", parts, how) }
	if each := n / parts; n%parts == 0 && each > 0 {
		all = append(all, partition{word(fmt.Sprintf("each %d in a row", each)), func(i int) int { return i / each }},
			partition{word("in turn"), func(i int) int { return i % parts }})
	}
	if each := n / (2 * parts); n%(2*parts) == 0 && each > 0 {
		all = append(all, partition{word(fmt.Sprintf("each a run of %d from either end", each)), func(i int) int {
			return min(i/each, 2*parts-1-i/each)
		}})
	}
	return all
}

// mostMeans is how many means are averaged at most.
const mostMeans = 16

// meansOfParts are means of parts that are averaged, or added, of what a quantity weighs or
// divides: places count where that is not 0, and sequences as their lengths too.
func (s *subject) meansOfParts(q emulate.Quantity, x *tensor.Tensor) (all []candidate) {
	a := len(x.Shape) - 1
	if q.Averaging == emulate.NoAverage || a < 0 {
		return nil
	}
	n, word := x.Shape[a], plural(s.wordOf(q, a))
	counts := [][]float64{eachOf(x, func(v float64) float64 {
		if v == 0 {
			return 0
		}
		return 1
	}).Data}
	formed, _ := s.formed()
	if l := formed[emulate.Lengths]; l != nil && l.Len() == x.Len() {
		counts = append(counts, l.Data)
	}
	for parts := 2; parts <= min(mostMeans, n/2); parts++ {
		for _, p := range partitions(n, parts) {
			for _, count := range counts {
				said := fmt.Sprintf("averages the means of %s, where one mean is over all %s", p.said, word)
				all = append(all, s.meanOf(q, x, said, p, count, float64(parts)))
				said = fmt.Sprintf("adds the means of %s, where one mean is over all %s", p.said, word)
				all = append(all, s.meanOf(q, x, said, p, count, 1))
			}
		}
	}
	return all
}

// meanOf is the explanation that each place weighs as many times more than it should as all that
// counts is of what counts in its part, over a number.
func (s *subject) meanOf(
	q emulate.Quantity, x *tensor.Tensor, said string, p partition, count []float64, over float64,
) candidate {
	c := s.taken(q, said, func() *tensor.Tensor {
		n := x.Shape[len(x.Shape)-1]
		y := tensor.New(x.Shape...)
		for row := 0; row < len(y.Data); row += n {
			part, whole := map[int]float64{}, 0.0
			for i, c := range count[row : row+n] {
				part[p.of(i)], whole = part[p.of(i)]+c, whole+c
			}
			for i := row; i < row+n; i++ {
				if by := whole / (over * part[p.of(i-row)]); q.Averaging == emulate.Weighs && x.Data[i] != 0 {
					y.Data[i] = x.Data[i] * by
				} else if x.Data[i] != 0 {
					y.Data[i] = x.Data[i] / by
				}
			}
		}
		return y
	})
	c.whole = true
	return c
}

package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"sync"

	gonum "gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"

	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
)

// What rows are divided by may be a statistic of other elements than those of the row, as of a tile
// of it alone, of whole tiles, of all rows; or another statistic of the same ones.

// statistic makes one number of a row. It is squared, as a sum of squares has something added.
type statistic struct {
	said   string
	square func(row []float64) float64
}

// statistics lists them, the root mean square first.
var statistics = []statistic{
	{"the root mean square", meanSquare},
	{"the standard deviation", func(row []float64) float64 { return stat.PopVariance(row, nil) }},
	{"the root of the sum of squares", func(row []float64) float64 { return gonum.Dot(row, row) }},
	{"the mean size", func(row []float64) float64 {
		mean := gonum.Norm(row, 1) / float64(len(row))
		return mean * mean
	}},
	{"the largest size", func(row []float64) float64 {
		largest := gonum.Norm(row, math.Inf(1))
		return largest * largest
	}},
}

func meanSquare(row []float64) float64 { return gonum.Dot(row, row) / float64(len(row)) }

// rooted is a quantity that is the root of the mean square of rows of an input, with something more
// under the root.
type rooted struct {
	emulate.Quantity
	of   operand
	rows [][]float64
	more float64
}

// statisticCandidates are such quantities that are of another statistic of the rows, or of one of
// other elements. They are tried beside factors of each row, which fit any divisor.
func statisticCandidates(s *subject) (all []candidate) {
	formed, _ := s.formed()
	inputs := s.inputOperands(floating)
	for _, q := range emulate.QuantitiesOf(s.bound.Op.Name) {
		for _, o := range inputs {
			if x := formed[q.Name]; x != nil {
				if r := rootedIn(q, x, o); r != nil {
					all = append(all, s.otherStatistics(r)...)
				}
			}
		}
	}
	return all
}

// rootedIn returns a quantity as one of rows of a tensor; nil where it is none, or of one row, of
// which any number may be the root with something more.
func rootedIn(q emulate.Quantity, x *tensor.Tensor, o operand) *rooted {
	last := len(q.Shape)
	if len(o.letters) != last+1 || !slices.Equal(o.letters[:last], q.Shape) || o.x.Shape[last] < 2 || x.Len() < 2 {
		return nil
	}
	r := &rooted{q, o, grouped(o.x, emulate.Indices(last)), 0}
	for i, root := range x.Data {
		square := root * root
		if more := square - meanSquare(r.rows[i]); i == 0 {
			r.more = max(more, 0)
		} else if !(math.Abs(more-r.more) <= sameRoot*square) { // NaN too
			return nil
		}
	}
	return r
}

// sameRoot is how far, over the square, a quantity may be from the root of a mean square.
const sameRoot = 1e-9

// otherStatistics lists what the root mean square of each row may be taken for.
func (s *subject) otherStatistics(r *rooted) (all []candidate) {
	n := len(r.rows[0])
	for k, st := range statistics {
		if k > 0 {
			all = append(all, s.statistic(r, st, "the row", func(i int) float64 { return st.square(r.rows[i]) }))
		} else {
			all = append(all, s.ofGroups(r, st)...)
		}
		whole := sync.OnceValue(func() float64 { return st.square(r.of.x.Data) })
		all = append(all, s.statistic(r, st, "all of "+r.of.name, func(int) float64 { return whole() }))
		for _, p := range partsOfRow(n) {
			of := fmt.Sprintf("%s %d to %d, of %d,", plural(r.of.words[len(r.Shape)]), p[0], p[1]-1, n)
			all = append(all, s.statistic(r, st, of, func(i int) float64 { return st.square(r.rows[i][p[0]:p[1]]) }))
		}
	}
	return all
}

// mostGrouped is up to how many rows one statistic is of.
const mostGrouped = 128

// ofGroups lists means of so many rows that follow each other, as the heads of a token do, or that
// are as far apart as there are such groups.
func (s *subject) ofGroups(r *rooted, st statistic) (all []candidate) {
	n, word := len(r.rows), plural(r.of.words[len(r.Shape)-1])
	squares := make([]float64, n)
	for i, row := range r.rows {
		squares[i] = st.square(row)
	}
	mean := func(from, step, count int) (m float64) {
		for k := range count {
			m += squares[from+k*step] / float64(count)
		}
		return m
	}
	for each := 2; each <= min(mostGrouped, n/2); each++ {
		if n%each != 0 {
			continue
		}
		apart := n / each
		of := fmt.Sprintf("each %d %s that ", each, word)
		all = append(all, s.statistic(r, st, of+"follow each other",
			func(i int) float64 { return mean(i/each*each, 1, each) }))
		all = append(all, s.statistic(r, st, of+fmt.Sprintf("are %d apart", apart),
			func(i int) float64 { return mean(i%apart, apart, each) }))
	}
	return all
}

// statistic is the explanation that each row has that of other elements, by its square.
func (s *subject) statistic(r *rooted, st statistic, of string, square func(i int) float64) candidate {
	said := fmt.Sprintf("takes %s of %s for the root mean square of the row", st.said, of)
	c := s.taken(r.Quantity, said, func() *tensor.Tensor {
		y := tensor.New(r.of.x.Shape[:len(r.Shape)]...)
		for i := range r.rows {
			y.Data[i] = math.Sqrt(square(i) + r.more)
		}
		return y
	})
	c.whole = true
	return c
}

// partsOfRow lists where parts of a row of n begin and end: its halves, its first and its last
// tile, and what is in whole tiles.
func partsOfRow(n int) (all [][2]int) {
	add := func(from, to int) {
		if p := [2]int{from, to}; from < to && to-from < n && !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	add(0, n/2)
	add(n/2, n)
	for tile := 16; tile <= 1024; tile *= 2 {
		add(0, min(tile, n))
		add((n-1)/tile*tile, n)
		add(0, n/tile*tile)
	}
	return all
}

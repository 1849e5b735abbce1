package diagnosis

import (
	"math"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// measured returns what the arithmetic of the declaration errs by in a kernel with a mistake, for
// each element of the outputs: both it and a right one are emulated, in several orders of
// summation, and the right one's errors tell how many of them a deviation is.
func (s *subject) measured(t *trial) outputs {
	wrong, right := s.errors(t.made, t.gives), s.erring()
	least := outputs{}
	for _, v := range s.views {
		if w, r := wrong[v.want.Name], right[v.want.Name]; v.want.Choice == nil && w != nil && r != nil {
			least[v.want.Name] = v.calibrated(w, r)
		}
	}
	return least
}

// errors returns the mean squares of what emulated kernels err by beside what they should give.
func (s *subject) errors(made func(c emulate.Config) giver, truth outputs) outputs {
	squares := outputs{}
	for i, order := range orders {
		c := emulate.DeclaredBy(s.bound)
		c.Order, c.NormalizeFirst, c.Fused, c.Frequencies = order, i%2 == 1, i > 1, emulate.Frequencies(i%2)
		got, err := made(c)()
		if err != nil {
			return nil
		}
		for _, v := range s.views {
			g, w := v.aligned(s, got[v.want.Name], got), truth[v.want.Name]
			if g == nil || w == nil {
				continue
			}
			if squares[v.want.Name] == nil {
				squares[v.want.Name] = make([]float64, len(g))
			}
			for i := range g {
				if d := g[i] - w[i]; dtype.Finite(d) {
					squares[v.want.Name][i] += d * d
				}
			}
		}
	}
	return squares
}

// wideRow is how many elements a row has to have to tell of its own errors.
const wideRow = 8

// fewOrders is by how much more a kernel may err than the few orders that are emulated show.
const fewOrders = 1.5

// calibrated returns the roots of the mean squares of rows, where these are short of all, in
// deviations as the right kernel's errors are.
func (v *view) calibrated(wrong, right []float64) []float64 {
	n := v.want.Columns()
	if n < wideRow {
		n = len(wrong)
	}
	var sigma, erred float64
	for i, r := range right {
		if r > 0 {
			sigma, erred = sigma+v.want.Widest(i)*v.want.Widest(i), erred+r
		}
	}
	unit := fewOrders
	if known := math.Sqrt(sigma / erred); known > 0 && !math.IsInf(known, 0) {
		unit *= known
	}
	least := make([]float64, len(wrong))
	for first := 0; first < len(wrong); first += n {
		s := unit * math.Sqrt(sum(wrong[first:first+n])/float64(n))
		for i := first; i < first+n && s > 0; i++ {
			least[i] = s
		}
	}
	return least
}

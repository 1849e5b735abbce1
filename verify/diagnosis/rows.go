package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"plumbline/verify/emulate"
)

// mostRows bounds how many rows are looked for among how many.
const mostRows = 2048

// permutedCandidate is the explanation that each row that is wrong is another right row.
func (v *view) permutedCandidate(said string) candidate {
	order := sync.OnceValue(v.order)
	c := v.placed("permuted", said, func(x []float64) []float64 {
		n, w := v.want.Columns(), slices.Clone(x)
		for r, from := range order() {
			copy(w[r*n:(r+1)*n], x[from*n:(from+1)*n])
		}
		return w
	})
	c.give = func() (outputs, error) {
		if order() == nil {
			return nil, emulate.ErrHidden
		}
		return outputs{v.want.Name: c.moves(v, v.truth)}, nil
	}
	return c
}

// order lists which right row each recorded one is, nil where there are too many or too few. Rows
// of zeros are all alike, and none of them is another.
func (v *view) order() []int {
	n := v.want.Columns()
	rows := len(v.truth) / max(n, 1)
	if rows < 2 || rows > mostRows || n < 2 {
		return nil
	}
	order := emulate.Indices(rows)
	for r := range rows {
		if lost := sum(v.loss[r*n : (r+1)*n]); lost > 2*float64(n) && !v.isZero(v.got[r*n:(r+1)*n]) {
			if from := v.rowLike(r, lost/4); from >= 0 {
				order[r] = from
			}
		}
	}
	return order
}

// rowLike returns the right row that a recorded one is nearest to, −1 where none loses less.
func (v *view) rowLike(r int, less float64) int {
	n, best := v.want.Columns(), -1
	for from := range len(v.truth) / n {
		if v.isZero(v.truth[from*n : (from+1)*n]) {
			continue
		}
		if lost := v.rowLoss(r, from, less); lost < less {
			best, less = from, lost
		}
	}
	return best
}

// rowLoss is the loss of a recorded row beside another right one, or that it is not less.
func (v *view) rowLoss(r, from int, less float64) (lost float64) {
	n := v.want.Columns()
	for c := 0; c < n && lost < less; c++ {
		lost += elementLoss(v.got[r*n+c], v.truth[from*n+c], v.scale[from*n+c])
	}
	return lost
}

// isZero tells whether a row is 0 but for the last bits of float64.
func (v *view) isZero(row []float64) bool {
	return !slices.ContainsFunc(row, func(x float64) bool { return !(math.Abs(x) <= lastBits*v.largest) })
}

func sum(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}

// unwritten returns the truth with what was recorded in the places that were never written.
func (v *view) unwritten() (outputs, error) {
	w := slices.Clone(v.truth)
	for _, i := range v.stale() {
		w[i] = v.got[i]
	}
	return outputs{v.want.Name: w}, nil
}

// stale lists the wrong elements that hold what memory holds that nothing was written to: 0, or the
// number that fills more of them than chance does.
func (v *view) stale() (places []int) {
	filler := v.filler()
	for i, lost := range v.loss {
		if lost > 2 && (v.got[i] == 0 || math.Float64bits(v.got[i]) == filler) {
			places = append(places, i)
		}
	}
	return places
}

// filler returns the bits of the value that most wrong elements of the output have in common, if a
// quarter of them do.
func (v *view) filler() uint64 {
	counts, most, wrong := map[uint64]int{}, uint64(0), 0
	for i, lost := range v.loss {
		if lost > 2 {
			bits := math.Float64bits(v.got[i])
			wrong++
			if counts[bits]++; counts[bits] > counts[most] {
				most = bits
			}
		}
	}
	if counts[most]*4 < wrong || counts[most] < 2 {
		return 0
	}
	return most
}

// unwrittenWhere says which part was never written, "" where too little is.
func (v *view) unwrittenWhere(s *subject) string {
	places := v.stale()
	if len(places) < 2 {
		return ""
	}
	x := v.got[places[0]]
	return fmt.Sprintf("%d of %d elements are %v%s%s", len(places), len(v.got), x, s.sized(x), v.within(places))
}

// neverWritten says which parts of the outputs were never written, whatever else is wrong.
func (s *subject) neverWritten() string {
	var all []string
	for _, v := range s.views {
		if v.failed && v.want.Choice == nil {
			if where := v.unwrittenWhere(s); where != "" {
				all = append(all, v.want.Name+": "+where)
			}
		}
	}
	return strings.Join(all, "; ")
}

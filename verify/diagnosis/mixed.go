package diagnosis

import (
	"fmt"
	"math"
	"slices"

	"plumbline/internal/parallel"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
)

// A row that is wrong often has another row in it: an accumulator was not cleared, a key is seen
// that should not be, a residual was added twice. So each wrong row r is fitted with
//
//	r = a t + b x
//
// of the right row t and a row x of an output or an input, whichever leaves least.

// rows are the vectors that may be in others.
type rows struct {
	name  string // "v", or "the right o"
	shape []int
	words []string // of each axis but the last
	data  []float64
}

// blend is a wrong row that has another in it.
type blend struct {
	row, from int // which row it is, and which is in it
	a, b      float64
}

// mixedRows is how many wrong rows are looked at, mostVectors how many rows may be in them,
// leastMixed which share of the rows has to be met, and wideMixed how many columns a row has to
// have.
const (
	mixedRows   = 48
	mostVectors = 1 << 14
	leastMixed  = 0.8
	wideMixed   = 16
)

// mixedCandidates are outputs whose wrong rows are made of the right one and of one other each, all
// others of one tensor and at places that hang together with theirs.
func (s *subject) mixedCandidates(v *view) (all []candidate) {
	wrong := v.wrongRows()
	if v.want.Columns() < wideMixed || len(wrong) < 2 {
		return nil
	}
	some := spread(wrong, mixedRows)
	for _, r := range s.vectors(v) {
		blends := v.blends(some, r)
		from := r.relation(v, blends)
		if float64(len(blends)) < leastMixed*float64(len(some)) || from == nil {
			continue
		}
		all = append(all, v.mixedWith(r, wrong, from))
	}
	return all
}

// mixedWith is the explanation that a row is in each wrong one.
func (v *view) mixedWith(r rows, wrong []int, from []place) candidate {
	n := v.want.Columns()
	w := slices.Clone(v.truth)
	var own, others []float64
	for _, row := range wrong {
		at := r.at(from, v, row)
		if at < 0 {
			continue
		}
		b, _ := v.blend(row, at, r.data[at*n:(at+1)*n])
		own, others = append(own, b.a), append(others, b.b)
		for c := range n {
			w[row*n+c] = b.a*v.truth[row*n+c] + b.b*r.data[at*n+c]
		}
	}
	said := fmt.Sprintf("each wrong row of %s is %s times the right one and %s times %s", v.want.Name, between(own),
		between(others), r.inWords(from, v))
	c := v.instead("mixed", v.want.Name+" with "+r.name, said, func() []float64 { return w })
	c.fitted = 2 * len(own)
	return c
}

// wrongRows lists the rows of an output that are clearly wrong, of finite numbers.
func (v *view) wrongRows() (all []int) {
	n := v.want.Columns()
	for i := range len(v.got) / n {
		row := v.got[i*n : (i+1)*n]
		if sum(v.loss[i*n:(i+1)*n]) > clear*float64(n)/2 && finite(row) && finite(v.truth[i*n:(i+1)*n]) {
			all = append(all, i)
		}
	}
	return all
}

func finite(x []float64) bool {
	return !slices.ContainsFunc(x, func(v float64) bool { return !dtype.Finite(v) })
}

// spread returns at most n of some numbers, spread over them.
func spread(all []int, n int) (some []int) {
	if len(all) <= n {
		return all
	}
	for k := range n {
		some = append(some, all[k*len(all)/n])
	}
	return some
}

// vectors lists the tensors whose rows are as wide as those of an output: right outputs, and
// inputs.
func (s *subject) vectors(v *view) (all []rows) {
	n := v.want.Columns()
	fits := func(shape []int) bool {
		return len(shape) > 0 && shape[len(shape)-1] == n && op.Elements(shape) <= float64(mostVectors*n)
	}
	for _, o := range s.views {
		if o.want.Choice == nil && fits(o.want.Truth.Shape) {
			all = append(all, rows{"the right " + o.want.Name, o.want.Truth.Shape, o.want.Axes, o.truth})
			if o == v && o.failed {
				all = append(all, rows{"what was recorded of " + o.want.Name, o.want.Truth.Shape, o.want.Axes, o.got})
			}
		}
	}
	for _, t := range floats(s.bound.Op.Inputs) {
		if axes := s.axesOf(t); axes != nil && fits(s.rec.Shape(t.Name)) {
			if x, err := s.rec.Tensor(t.Name); err == nil {
				all = append(all, rows{t.Name, x.Shape, s.wordsFor(axes), x.Data})
			}
		}
	}
	return all
}

// wordsFor are the words for some axes.
func (s *subject) wordsFor(axes []string) (words []string) {
	for _, letter := range axes {
		words = append(words, s.word(letter))
	}
	return words
}

// blends returns what is in each of some wrong rows, of those in which something is.
func (v *view) blends(wrong []int, r rows) (all []blend) {
	n := v.want.Columns()
	found := make([]blend, len(wrong))
	met := make([]bool, len(wrong))
	parallel.Each(len(wrong), func(k int) {
		least := math.Inf(1)
		for from := range len(r.data) / n {
			x := r.data[from*n : (from+1)*n]
			if &x[0] == &v.got[wrong[k]*n] {
				continue // it is this row
			}
			if b, left := v.blend(wrong[k], from, x); left < least {
				found[k], least = b, left
			}
		}
		met[k] = least < leftOfMixed
	})
	for k, b := range found {
		if met[k] {
			all = append(all, b)
		}
	}
	return all
}

// leftOfMixed is the share of what is not of the right row that another may leave.
const leftOfMixed = 0.02

// blend fits a wrong row with the right one and another, and says which share of what is not of the
// right one is left. Where nothing else is in it, or nothing but what roundings put there, all is.
func (v *view) blend(row, from int, x []float64) (blend, float64) {
	n := v.want.Columns()
	r, t := v.got[row*n:(row+1)*n], v.truth[row*n:(row+1)*n]
	var rr, rt, tt, rx, tx, xx, noise float64
	for c, y := range x {
		rr, rt, tt = rr+r[c]*r[c], rt+r[c]*t[c], tt+t[c]*t[c]
		rx, tx, xx = rx+r[c]*y, tx+t[c]*y, xx+y*y
		noise += v.scale[row*n+c] * v.scale[row*n+c]
	}
	if tt == 0 || !dtype.Finite(xx) {
		return blend{}, 1
	}
	rest, other, cross := rr-rt*rt/tt, xx-tx*tx/tt, rx-rt*tx/tt
	if rest < 64*noise || other < 1e-6*xx || xx == 0 {
		return blend{}, 1
	}
	b := blend{row: row, from: from, b: cross / other}
	b.a = (rt - b.b*tx) / tt
	return b, max(0, 1-cross*cross/other/rest-4*noise/rest)
}

// place says where along an axis of other rows the one stands that is in a wrong row: at a place
// along an axis of the output, in units of it, and by some further; of −1, at by alone.
type place struct{ axis, by int }

// relation returns where along each axis but the last the rows stand that are in wrong ones; nil
// where they do not hang together.
func (r rows) relation(v *view, blends []blend) (all []place) {
	for a := range r.shape[:len(r.shape)-1] {
		p, found := r.placeAlong(a, v, blends)
		if !found {
			return nil
		}
		all = append(all, p)
	}
	return all
}

// placeAlong looks for one along an axis, first along that of the output which has its word.
func (r rows) placeAlong(a int, v *view, blends []blend) (place, bool) {
	axes := []int{slices.Index(v.want.Axes, r.words[a]), -1}
	for i := range v.want.Truth.Shape[:len(v.want.Truth.Shape)-1] {
		axes = append(axes, i)
	}
	for k, axis := range axes {
		if k == 0 && axis < 0 {
			continue
		}
		count := map[int]int{}
		for _, b := range blends {
			p := place{axis: axis}
			count[indexAlong(r.shape, b.from, a)-r.along(p, a, v, b.row)]++
		}
		for by, n := range count {
			if float64(n) > 0.9*float64(len(blends)) {
				return place{axis, by}, true
			}
		}
	}
	return place{}, false
}

// indexAlong is that of a row along an axis.
func indexAlong(shape []int, row, a int) int { return placeOf(row, shape[:len(shape)-1], []int{a}) }

// along is where a row of the output stands along an axis of other rows, which may be of groups.
func (r rows) along(p place, a int, v *view, row int) int {
	if p.axis < 0 {
		return p.by
	}
	i, n := indexAlong(v.want.Truth.Shape, row, p.axis), v.want.Truth.Shape[p.axis]
	if n > r.shape[a] && n%r.shape[a] == 0 {
		i /= n / r.shape[a]
	}
	return i + p.by
}

// at is the row that is in one of the output, −1 where there is none.
func (r rows) at(from []place, v *view, row int) (at int) {
	for a, p := range from {
		i := r.along(p, a, v, row)
		if i < 0 || i >= r.shape[a] {
			return -1
		}
		at = at*r.shape[a] + i
	}
	return at
}

// inWords says which rows they are.
func (r rows) inWords(from []place, v *view) string {
	said := "that of " + r.name
	for a, p := range from {
		switch {
		case p.axis < 0:
			said += fmt.Sprintf(", %s %d", r.words[a], p.by)
		case v.want.Axes[p.axis] == r.words[a] && p.by == 0:
		case v.want.Axes[p.axis] == r.words[a]:
			said += " " + further(p.by, r.words[a])
		default:
			said += fmt.Sprintf(", %s = %s %+d", r.words[a], v.want.Axes[p.axis], p.by)
		}
	}
	return said
}

package diagnosis

import (
	"fmt"
	"math"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// What lies in memory may be taken for what it is not: numbers of one type for those of another,
// entries of a table of pages for those of pages of another size.

// takenForOthers are inputs of floating-point numbers whose bytes are taken for those of another
// type.
func (s *subject) takenForOthers(t op.Tensor) (all []candidate) {
	own := s.rec.Type(t.Name)
	for _, as := range []dtype.Type{dtype.F32, dtype.BF16, dtype.F16} {
		if as == own || own.Size() < 2 {
			continue
		}
		said := fmt.Sprintf("%s is read as %s, and is %s", t.Name, as, own)
		all = append(all, s.otherwise("input", said, said, func(r *recording.Recording) {
			if x, err := s.rec.Tensor(t.Name); err == nil {
				r.Set(t.Name, dtype.F64, asBytesOf(x, own, as))
			}
		}))
	}
	return all
}

// asBytesOf returns what stands in memory as another type: what a number cannot be, and what lies
// behind the end, as zeros.
func asBytesOf(x *tensor.Tensor, own, as dtype.Type) *tensor.Tensor {
	y := tensor.Of(retyped(x.Data, own, as), x.Shape...)
	for i, v := range y.Data {
		if !dtype.Finite(v) {
			y.Data[i] = 0
		}
	}
	return y
}

// pagedCandidates are entries of a table that are taken for those of a coarser one, or pages for
// such of another size.
func pagedCandidates(s *subject) (all []candidate) {
	page := s.bound.Dim("page")
	if !s.rec.Has("block_table") || page == 0 {
		return nil
	}
	for _, by := range []int{2, 4, 8, 16} {
		said := fmt.Sprintf("entries of block_table are those of pages %d times as long: that of page j is entry %d j "+
			"over %d", by, by, by)
		all = append(all, s.otherwise("input", said, said, func(r *recording.Recording) { s.coarser(r, float64(by)) }))
	}
	for size := 1; size <= 256; size *= 2 {
		if size != page && s.bound.Dim("blocks")*page%size == 0 {
			said := fmt.Sprintf("pages have %s, and not %d: entry j of block_table is row %d j of the cache",
				counted(size, "row"), page, size)
			all = append(all,
				s.otherwise("input", said, said, func(r *recording.Recording) { s.repaged(r, size, false) }),
				s.otherwise("input", said+", and as many are read", said+", and as many are read",
					func(r *recording.Recording) { s.repaged(r, size, true) }))
		}
	}
	return all
}

// coarser makes entry j of every sequence entry by·j over by, 0 where there is none.
func (s *subject) coarser(r *recording.Recording, by float64) {
	x, err := s.rec.Tensor("block_table")
	if err != nil {
		return
	}
	y := entries(x, 1, x.Shape[1], func(j int) int { return j * int(by) })
	for i, block := range y.Data {
		y.Data[i] = math.Floor(block / by)
	}
	r.Set("block_table", s.rec.Type("block_table"), y)
}

// repaged cuts caches into pages of another size, of which sequences read as many as of their own,
// or as they have keys for.
func (s *subject) repaged(r *recording.Recording, size int, asMany bool) {
	page, cols := s.bound.Dim("page"), s.bound.Dim("cols")
	for _, t := range s.holders("page") {
		if x, err := s.rec.Tensor(t.Name); err == nil {
			shape := append([]int{x.Shape[0] * page / size, size}, x.Shape[2:]...)
			r.Set(t.Name, s.rec.Type(t.Name), tensor.Of(x.Data, shape...))
		}
	}
	s.numbers("kv_lens", func(n float64) float64 {
		if asMany {
			n = math.Ceil(n/float64(page)) * float64(size)
		}
		return min(n, float64(cols*size))
	})(r)
}

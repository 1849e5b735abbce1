package diagnosis

import (
	"fmt"
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// maskCandidates are queries that see all keys up to one, without the causal mask or the window: as
// a loop over tiles has it whose bounds are right and whose mask is missing. Each tile of queries
// may see keys up to another end.
func maskCandidates(s *subject) (all []candidate) {
	if len(s.holders("T")) == 0 && !s.rec.Has("kv_lens") || !s.has("causal") {
		return nil
	}
	n := s.keys()
	for _, causal := range []bool{true, false} {
		for _, window := range s.windows() {
			if causal == s.bound.Flag("causal") && window == s.bound.Int("window") {
				continue // as it was called: cuts are tried as such
			}
			for _, end := range tilesBefore(n) {
				all = append(all, s.masked(causal, window, end, n))
			}
		}
	}
	return all
}

// has tells whether the op has an attribute.
func (s *subject) has(attr string) bool {
	return slices.ContainsFunc(s.bound.Op.Attrs, func(a op.Attr) bool { return a.Name == attr })
}

// keys is how many keys the longest sequence has room for.
func (s *subject) keys() int {
	if n := s.bound.Dim("T"); n > 0 {
		return n
	}
	return s.bound.Dim("cols") * s.bound.Dim("page")
}

// windows are the one that was called for and none.
func (s *subject) windows() []int {
	return slices.Compact([]int{s.bound.Int("window"), 0})
}

// masked is the explanation that keys are seen up to an end, under another mask.
func (s *subject) masked(causal bool, window, end, n int) candidate {
	with := map[bool]string{true: "with", false: "without"}[causal] + " the causal mask"
	if s.bound.Int("window") > 0 {
		with += map[bool]string{true: " and with", false: " and without"}[window > 0] + " the window"
	}
	said := fmt.Sprintf("keys are seen up to %d, of %d, %s", end-1, n, with)
	c := s.otherwise("input", said, said, func(r *recording.Recording) {
		r.Attrs["causal"] = causal
		if s.has("window") {
			r.Attrs["window"] = recording.Number(float64(window))
		}
		lens := filled(float64(end), s.bound.Dim("B"))
		if x, err := s.rec.Tensor("kv_lens"); err == nil {
			for b, l := range x.Data {
				lens.Data[b] = math.Min(l, float64(end))
			}
		}
		r.Set("kv_lens", dtype.I32, lens)
	})
	c.family, c.about = "mask "+with, "keys are seen "+with+" up to one"
	c.short = fmt.Sprint(end - 1)
	return c
}

package attention

import (
	"slices"
	"sync"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
)

// Keys are the keys [T × D] and values [T × V] of a head, and what every block of queries needs of
// them: that is formed once, when it is first asked for.
type Keys struct {
	K, V             *mat.Dense
	allFinite        func() bool
	finiteK, finiteV func() *mat.Dense // zeros in place of what is not finite
	norms            func() []float64  // Σ k² of each key
	flushed          func() *Keys      // zeros in place of subnormal numbers
}

// NewKeys returns keys with their values.
func NewKeys(k, v *mat.Dense) *Keys {
	h := &Keys{K: k, V: v}
	squares := sync.OnceValue(func() []float64 { return norms(k) })
	h.finiteK = sync.OnceValue(func() *mat.Dense {
		if slices.ContainsFunc(squares(), func(s float64) bool { return !dtype.Finite(s) }) {
			return step.FiniteOrZero(k)
		}
		return k
	})
	h.finiteV = sync.OnceValue(func() *mat.Dense { return step.FiniteOrZero(v) })
	h.allFinite = func() bool { return h.finiteV() == v }
	h.norms = sync.OnceValue(func() []float64 {
		if h.finiteK() == k {
			return squares()
		}
		return norms(h.finiteK())
	})
	h.flushed = sync.OnceValue(func() *Keys { return NewKeys(op.Flush(k), op.Flush(v)) })
	return h
}

// NewLatents returns latents [T × D], which are keys, and values in their first columns.
func NewLatents(x *mat.Dense, columns int) *Keys {
	h := NewKeys(x, step.ColumnsBetween(x, 0, columns))
	h.allFinite = func() bool { return h.finiteK() == x }
	h.finiteV = func() *mat.Dense { return step.ColumnsBetween(h.finiteK(), 0, columns) }
	h.flushed = sync.OnceValue(func() *Keys { return NewLatents(op.Flush(x), columns) })
	return h
}

// First returns the first n keys with their values.
func (h *Keys) First(n int) *Keys {
	if rows, _ := h.K.Dims(); rows == n {
		return h
	}
	first := func(x func() *mat.Dense) func() *mat.Dense {
		return func() *mat.Dense { return step.RowsBetween(x(), 0, n) }
	}
	return &Keys{
		K: step.RowsBetween(h.K, 0, n), V: step.RowsBetween(h.V, 0, n), allFinite: h.allFinite,
		finiteK: first(h.finiteK), finiteV: first(h.finiteV),
		norms:   func() []float64 { return h.norms()[:n] },
		flushed: func() *Keys { return h.flushed().First(n) },
	}
}

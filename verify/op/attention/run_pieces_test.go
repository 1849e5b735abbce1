package attention_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// TestPrefixesOfOneSum: rows whose weights are equal, each with one key more than the one before,
// err alike, and all in a column one way: queries of zeros, of no size, and one query repeated.
func TestPrefixesOfOneSum(t *testing.T) {
	for seed := range uint64(check.Times(40, 2)) {
		for i, size := range []float64{0, 1e-20, 1} {
			for k, c := range []emulate.Config{{}, {NormalizeFirst: true}, {Tile: 16}} {
				if (int(seed)+i+k)%check.Times(1, 2) != 0 {
					continue
				}
				t.Run(fmt.Sprintf("seed %d, queries of %v, %s", seed, size, c), func(t *testing.T) {
					v := optest.JudgeKernel(t, oneQuery(seed, size, []int{64, 512}[seed%2]), c)
					if v.Status != verdict.Explained {
						t.Errorf("%s: %s", v.Status, v.Reason)
					}
				})
			}
		}
	}
}

// oneQuery is a causal call of two heads in which all queries are one.
func oneQuery(seed uint64, size float64, keys int) *recording.Recording {
	rng, r := rand.New(rand.NewPCG(seed, 9)), recording.New("attention.forward")
	q, k, v := tensor.New(1, 64, 2, 8), tensor.New(1, keys, 1, 8), tensor.New(1, keys, 1, 8)
	for i := range q.Data {
		if q.Data[i] = size * rng.NormFloat64(); i >= 16 {
			q.Data[i] = q.Data[i-16]
		}
	}
	for i := range k.Data {
		k.Data[i], v.Data[i] = rng.NormFloat64(), rng.NormFloat64()
	}
	r.Attrs["causal"] = true
	r.Set("q", dtype.F32, q)
	r.Set("k", dtype.F32, k)
	r.Set("v", dtype.F32, v)
	return r
}

package emulate

import (
	"testing"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// large is one decode step of 16 heads over 4096 keys in DeepSeek's widths.
func large() *recording.Recording {
	m := &maker{Rand: newRand(1, "large"), Recording: recording.New("mla.decode"), input: dtype.BF16}
	const keys, page = 4096, 64
	m.Set("q", m.input, m.normals(0, 0.5, 1, 1, 16, 576))
	m.Set("kv_cache", m.input, m.normals(0, 1, keys/page, page, 1, 576))
	m.ints("block_table", m.Perm(keys/page), 1, keys/page)
	m.Set("kv_lens", dtype.I32, tensor.Of([]float64{keys}, 1))
	m.number("scale", 0.1352337788)
	return m.Recording
}

func BenchmarkDecode(b *testing.B) {
	request := large()
	for _, c := range []Config{
		{}, {Splits: 4, Order: Strided, Base2: true}, {Order: Pairwise}, {Accumulate: arithmetic.F32Hopper},
		{Accumulate: arithmetic.BF16}, {Fused: true}, {Accumulate: arithmetic.F64},
	} {
		b.Run(c.String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := Run(request, c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

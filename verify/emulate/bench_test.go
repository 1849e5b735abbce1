package emulate_test

import (
	"testing"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

// large is one decode step of 16 heads over 4096 keys in DeepSeek's widths.
func large() *recording.Recording {
	m := &emulate.Maker{Rand: emulate.NewRand(1, "large"), Recording: recording.New("mla.decode"), Input: dtype.BF16}
	const keys, page = 4096, 64
	m.Set("q", m.Input, m.Normals(0, 0.5, 1, 1, 16, 576))
	m.Set("kv_cache", m.Input, m.Normals(0, 1, keys/page, page, 1, 576))
	m.Ints("block_table", m.Perm(keys/page), 1, keys/page)
	m.Set("kv_lens", dtype.I32, tensor.Of([]float64{keys}, 1))
	m.Number("scale", 0.1352337788)
	return m.Recording
}

func BenchmarkDecode(b *testing.B) {
	request := large()
	for _, c := range []emulate.Config{
		{}, {
			Splits: 4, Order: emulate.Strided, Base2: true,
		}, {Order: emulate.Pairwise}, {Accumulate: arithmetic.F32Hopper},
		{Accumulate: arithmetic.BF16}, {Fused: true}, {Accumulate: arithmetic.F64},
	} {
		b.Run(c.String(), func(b *testing.B) {
			for b.Loop() {
				if _, err := emulate.Run(request, c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

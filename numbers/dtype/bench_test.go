package dtype_test

import (
	"math/rand/v2"
	"testing"

	"plumbline/numbers/dtype"
)

var sink float64

func normals(n int) []float64 {
	random := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, n)
	for i := range values {
		values[i] = random.NormFloat64()
	}
	return values
}

func BenchmarkRound(b *testing.B) {
	values := normals(1024)
	for t := dtype.F64; t <= dtype.Bool; t++ {
		b.Run(t.String(), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				sink = t.Round(values[i%1024])
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	values := normals(4096)
	for t := dtype.F64; t <= dtype.F8E8M0; t++ {
		codes := make([]byte, len(values)*t.Size())
		b.Run(t.String(), func(b *testing.B) {
			b.SetBytes(int64(8 * len(values)))
			for b.Loop() {
				t.Encode(codes, values)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	values := normals(4096)
	for t := dtype.F64; t <= dtype.F8E8M0; t++ {
		codes := make([]byte, len(values)*t.Size())
		t.Encode(codes, values)
		b.Run(t.String(), func(b *testing.B) {
			b.SetBytes(int64(8 * len(values)))
			for b.Loop() {
				t.Decode(values, codes)
			}
		})
	}
}

package diagnosis

import (
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// Codes may be bytes of the other format, and a part of each head be rotated.
func TestWrittenAsAnother(t *testing.T) {
	right := given("norm.rms", func(r *recording.Recording) {
		generate(r, "x", 1, 4, 64)
		generate(r, "weight", 2, 64)
	})
	y := retyped(numbersOf(right, "out.y").Data, dtype.F16, dtype.BF16)
	wrong := edited(right, "out.y", func(i int, _ float64) float64 { return y[i] })
	wrongs{{
		"F16 for BF16", "y has the bytes of F16, and says that they are BF16", wrong,
	}}.check(t)
	turned := rotated()
	x, part := numbersOf(turned, "x"), tensor.New(48, 2, 8)
	for i := range part.Data {
		part.Data[i] = x.Data[i/8*16+i%8]
	}
	first := confused(given("rope.apply", func(r *recording.Recording) {
		r.Set("x", dtype.BF16, part)
		r.Set("positions", dtype.I32, numbersOf(turned, "positions"))
	}), func(*recording.Recording) {})
	of := numbersOf(first, "out.y")
	partly := edited(turned, "out.y", func(i int, _ float64) float64 {
		if i%16 < 8 {
			return of.Data[i/16*8+i%16]
		}
		return x.Data[i]
	})
	wrongs{{"half a head", "columns 0 to 7 of 16 alone are rotated, as of a head of that width", partly}}.check(t)
}

package diagnosis

import (
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

// What a kernel does with its place, its axes, its cache and its blocks shows in all that it gives.
func TestPlacesOfTheWholeCall(t *testing.T) {
	cached := wide(12, 24, true)
	wrongs{
		{
			"one query for all", "o and lse hold along query (of 12) the right results, read at 0 alone: explains",
			recordedAs(wide(12, 12, true), held(wide(12, 12, true), func(int) int { return 0 })),
		},
		{
			"blocks of shapes that they do not fill", "b_scale is read as if each scale counted for 96 × 112 " +
				"elements of b, and it counts for 128 × 128: explains",
			ofOtherBlocks(emulate.Blocks{Of: "b", Down: 96, Across: 112}),
		},
		{
			"a cache that was written elsewhere", "k and v are zeros in key 8 to 23, of 24, as if they were never " +
				"written there, and count: explains",
			confused(cached, func(r *recording.Recording) {
				for _, name := range []string{"k", "v"} {
					r.Set(name, cached.Type(name), entries(numbersOf(cached, name), 1, 24, outside(8, 24)))
				}
			}),
		},
		{
			"heads of all devices", "q, k and v are viewed with 2 times the heads, each of 2 positions one after the " +
				"other for one position: explains",
			viewed(wide(12, 12, true)),
		},
	}.check(t)
}

// held returns the outputs of attention with other queries in the place of each.
func held(rec *recording.Recording, from func(i int) int) outputs {
	o, lse := numbersOf(rec, "out.o"), numbersOf(rec, "out.lse")
	return outputs{
		"o": entries(o, 1, o.Shape[1], from).Data, "lse": entries(lse, 2, lse.Shape[2], from).Data,
	}
}

// viewed returns attention as computed on twice the heads and half the positions.
func viewed(rec *recording.Recording) *recording.Recording {
	rec.Delete("out.lse")
	return confused(rec, func(r *recording.Recording) {
		for _, name := range r.Inputs() {
			x := numbersOf(rec, name)
			r.Set(name, rec.Type(name), tensor.Of(x.Data, x.Shape[0], x.Shape[1]/2, x.Shape[2]*2, x.Shape[3]))
		}
	})
}

// ofOtherBlocks returns a product of FP8 with scales that are read as those of other blocks.
func ofOtherBlocks(b emulate.Blocks) *recording.Recording {
	rec := given("fp8.gemm", func(r *recording.Recording) {
		for i, name := range []string{"a", "b"} {
			recipe := recording.Recipe{
				Type: dtype.F8E4M3, Shape: []int{[]int{8, 192}[i], 224}, Dist: "normal", Seed: uint64(i + 1),
			}
			optest.Must(r.Generate(name, recipe))
		}
		r.Set("a_scale", dtype.F32, filled(0.5, 8, 2))
		r.Set("b_scale", dtype.F32, tensor.Of([]float64{0.5, 3, 1.25, 0.75}, 2, 2))
	})
	c := emulate.Exact("")
	c.Blocks, c.Dequantised = b, true
	gives, err := outputsOf(emulate.Bind(rec.Request()))(c)
	optest.Must(err)
	return recordedAs(rec, gives)
}

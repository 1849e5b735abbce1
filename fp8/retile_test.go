package fp8

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"plumbline/internal/check"
)

// column is the tile of the backward pass.
var column = BlockSize{Width, 1}

// columnScale returns the scale of each element's column tile.
func columnScale(q Blocked, i, j int) float64 { return q.Scales.At(i/q.Block.Rows, j/q.Block.Cols) }

func TestRetile(t *testing.T) {
	t.Run("it is the other tiles of what the codes stand for", func(t *testing.T) {
		q := Quantise(normal(200, 300, 1), config(tile))
		same(t, "Retile", Retile(q, config(column)), Quantise(q.Dequantise(), config(column)))
	})
	t.Run("to its own tiles it changes no number, with either scale", func(t *testing.T) {
		// x̂/s is a code again, but for the last bit of a float32, which rounding takes away.
		for _, c := range []Config{config(tile), powers(tile)} {
			q := Quantise(normal(3, 300, 2), c)
			check.NearMatrix(t, "x̂", Retile(q, c).Dequantise(), q.Dequantise(), 0)
		}
	})
	// A code of 4 bits times s/s′, a power of two, is a code if it is 2⁻⁶ at least, for it is no
	// larger than the largest; below, codes are 2⁻⁹ apart.
	t.Run("under UE8M0 nothing is lost of numbers of 2⁻⁶ s′, and 2⁻¹⁰ s′ at most of others",
		rapid.MakeCheck(func(t *rapid.T) {
			x := normal(8, 256, rapid.Uint64().Draw(t, "seed"))
			// Rows of different size, so that scales differ along a column.
			sizes := rapid.SliceOfN(rapid.IntRange(-10, 4), 8, 8).Draw(t, "sizes")
			x.Apply(func(i, _ int, v float64) float64 { return math.Ldexp(v, sizes[i]) }, x)
			q := Quantise(x, powers(tile))
			before, again := q.Dequantise(), Retile(q, powers(column))
			after := again.Dequantise()
			for m := range 8 {
				for k := range 256 {
					s, lost := columnScale(again, m, k), 0.0
					if math.Abs(before.At(m, k)) < 0x1p-6*s {
						lost = 0x1p-10 * s
					}
					check.Near(t, "x̂", after.At(m, k), before.At(m, k), lost)
				}
			}
		}))
	t.Run("with float32 scales nearly every number is rounded again", func(t *testing.T) {
		x := normal(128, 256, 3)
		changed := func(by func(BlockSize) Config) (share float64) {
			q := Quantise(x, by(tile))
			before, after := q.Dequantise(), Retile(q, by(column)).Dequantise()
			for i, v := range after.RawMatrix().Data {
				if math.Abs(v-before.RawMatrix().Data[i]) > 1e-6*math.Abs(v) { // more than scales' last bits
					share++
				}
			}
			return share / (128 * 256)
		}
		exact, ue8m0 := changed(config), changed(powers)
		t.Logf("changed: %.3f with float32 scales, %.4f with powers of two", exact, ue8m0)
		if exact < 0.5 || ue8m0 > 0.01 {
			t.Errorf("changed: %.3f with float32 scales, %.4f with powers of two", exact, ue8m0)
		}
	})
}

func TestT(t *testing.T) {
	t.Run("the transpose of what codes stand for is what the transpose stands for", func(t *testing.T) {
		for _, b := range blocks {
			q := Quantise(normal(200, 300, 4), config(b))
			check.NearMatrix(t, "x̂ᵀ", q.T().Dequantise(), q.Dequantise().T(), 0)
			same(t, "twice", q.T().T(), q)
		}
	})
	t.Run("it is the quantised transpose, in turned blocks", func(t *testing.T) {
		for _, b := range blocks {
			x := normal(200, 300, 5)
			same(t, "xᵀ", Quantise(x, config(b)).T(), Quantise(x.T(), config(BlockSize{b.Cols, b.Rows})))
		}
	})
	// A grid of 2 × 2 scales passes every check of shapes.
	t.Run("scales that are not turned with the weight fit a square grid, and are wrong", func(t *testing.T) {
		w := normal(256, 256, 6)
		w.Apply(func(i, j int, v float64) float64 { return math.Ldexp(v, 3*(j/Width)-i/Width) }, w)
		q := Quantise(w, config(square))
		turned, wrong := q.T(), q.T()
		wrong.Scales = q.Scales
		ratio := wrong.Dequantise().At(200, 5) / turned.Dequantise().At(200, 5)
		check.Near(t, "wrong over right", ratio, q.Scales.At(1, 0)/q.Scales.At(0, 1), 1e-15)
		check.Apart(t, "ratio", ratio, 1, 0.8)
	})
}

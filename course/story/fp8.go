package story

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"

	"plumbline/attention"
	"plumbline/fp8"
	"plumbline/numbers/dtype"
)

// linear is an arithmetic for the three products of a linear layer.
//
//	Y = X Wᵀ,  dX = dY W,  dW = dYᵀ X
type linear struct {
	name         string
	fprop, dgrad func(x, w *mat.Dense) *mat.Dense // x is dy in dgrad
	wgrad        func(dy, x *mat.Dense) *mat.Dense
}

// with returns an arithmetic whose operands are rounded, and whose products and sums are float64's.
func with(name string, round func(*mat.Dense) *mat.Dense) linear {
	return linear{
		name:  name,
		fprop: func(x, w *mat.Dense) *mat.Dense { return attention.Project(round(x), round(w)) },
		dgrad: func(dy, w *mat.Dense) *mat.Dense { return attention.Project(round(dy), round(w).T()) },
		wgrad: func(dy, x *mat.Dense) *mat.Dense { return attention.Project(round(dy).T(), round(x).T()) },
	}
}

// inBlocks returns the arithmetic of DeepSeek-V3: activations and gradients in tiles of 1 × 128,
// weights in blocks of 128 × 128; where tokens are summed over, tiles go along tokens.
func inBlocks(name string, powersOfTwo bool) linear {
	in := func(rows, cols int) fp8.Config {
		block := fp8.BlockSize{Rows: rows, Cols: cols}
		return fp8.Config{Block: block, Format: dtype.F8E4M3, Floor: fp8Floor, UE8M0: powersOfTwo}
	}
	tile, alongTokens, square := in(1, fp8.Width), in(fp8.Width, 1), in(fp8.Width, fp8.Width)
	return linear{
		name:  name,
		fprop: func(x, w *mat.Dense) *mat.Dense { return fp8.Fprop(fp8.Quantise(x, tile), fp8.Quantise(w, square)) },
		dgrad: func(dy, w *mat.Dense) *mat.Dense { return fp8.Dgrad(fp8.Quantise(dy, tile), fp8.Quantise(w, square)) },
		wgrad: func(dy, x *mat.Dense) *mat.Dense {
			return fp8.Wgrad(fp8.Quantise(dy, alongTokens), fp8.Retile(fp8.Quantise(x, tile), alongTokens))
		},
	}
}

var (
	float64s  = with("float64", func(x *mat.Dense) *mat.Dense { return x })
	bf16      = with("BF16", rounded)
	perMatrix = with("FP8, one scale a matrix", oneScale)
	blocks    = inBlocks("FP8, blocks", false)
	blocksE8  = inBlocks("FP8, blocks, scales 2^n", true)
)

const fp8Floor = 1e-12 // of amax; gradients here are below the 1e-4 of the inference code

// oneScale returns what is left of a matrix in FP8 whose numbers share one scale.
func oneScale(x *mat.Dense) *mat.Dense {
	rows, cols := x.Dims()
	block := fp8.BlockSize{Rows: rows, Cols: cols}
	return fp8.Quantise(x, fp8.Config{Block: block, Format: dtype.F8E4M3, Floor: fp8Floor}).Dequantise()
}

// rounded returns a matrix in BF16.
func rounded(x *mat.Dense) *mat.Dense {
	y := mat.DenseCopyOf(x)
	y.Apply(func(_, _ int, v float64) float64 { return dtype.BF16.Round(v) }, y)
	return y
}

// random returns a matrix of normal numbers, rows as large as size says.
func random(rows, cols int, size func(row int) float64, d *dice) *mat.Dense {
	m := mat.NewDense(rows, cols, nil)
	for i := range rows {
		scale := size(i)
		for j := range cols {
			m.Set(i, j, scale*d.normal())
		}
	}
	return m
}

// off returns by how much the rows of a result are off, relative to their length, in the mean.
func off(got, want *mat.Dense) (mean float64) {
	rows, _ := want.Dims()
	for i := range rows {
		distance := floats.Distance(got.RawRowView(i), want.RawRowView(i), 2)
		mean += distance / floats.Norm(want.RawRowView(i), 2) / float64(rows)
	}
	return mean
}

// fp8Story tells what a linear layer loses whose three products are in FP8.
func fp8Story(s *sheet, d *dice) {
	s.say("A linear layer of 256 inputs and 128 outputs has a batch of 128 tokens. One token in sixteen is a " +
		"thousand times as large as the others, and the gradients of the tokens' outputs are anything from 1 " +
		"down to a millionth in size.")
	x := random(128, 256, func(t int) float64 { return math.Pow(1000, float64(1-min(t%16, 1))) }, d)
	w := random(128, 256, func(int) float64 { return 1.0 / 16 }, d)
	dy := random(128, 128, func(int) float64 { return math.Pow(10, -6*d.uniform()) }, d)
	tellProducts(s, x, w, dy)
	tellSums(s, d)
	tellDescent(s, d)
}

// tellProducts compares the arithmetics with float64.
func tellProducts(s *sheet, x, w, dy *mat.Dense) {
	s.head("Three products")
	s.row("%-26s %16s %16s %16s",
		"mean error of a row", "Fprop Y = X W'", "Dgrad dX = dY W", "Wgrad dW = dY' X")
	for _, l := range []linear{bf16, perMatrix, blocks, blocksE8} {
		s.row("%-26s %14.2f %% %14.2f %% %14.2f %%", l.name, 100*off(l.fprop(x, w), float64s.fprop(x, w)),
			100*off(l.dgrad(dy, w), float64s.dgrad(dy, w)), 100*off(l.wgrad(dy, x), float64s.wgrad(dy, x)))
	}
	s.say("All are relative to the same products in float64, and the prime is a transpose. Four bits of a code " +
		"cost 3 to 4 percent, eight of BF16 a sixteenth of that. A code has an exponent of its own, so that one " +
		"scale for all tokens does for X; it does not for gradients a million times apart, the smallest of which " +
		"become 0. A scale for each 128 numbers of a token does for both. For Wgrad, which sums over tokens, X " +
		"is quantised again in tiles along them; with scales that are powers of two that costs next to nothing, " +
		"and with others a second rounding.")
}

// tellSums shows what a short accumulator loses.
func tellSums(s *sheet, d *dice) {
	const K, bits = 4096, 13
	s.head("Sums of 4096 products in an accumulator of 13 fraction bits")
	a, b := make([]float64, K), make([]float64, K)
	for k := range a {
		a[k], b[k] = d.uniform(), d.uniform()
	}
	want := floats.Dot(a, b)
	for _, every := range []int{0, 1024, fp8.Width} {
		name := fmt.Sprintf("promoted every %d", every)
		if every == 0 {
			name = "never promoted"
		}
		s.row("%-34s off by %6.2f %%", name, 100*(fp8.ShortSum(a, b, bits, every)/want-1))
	}
	s.say("Each addition is cut off toward zero, and what it loses grows with the sum. DeepSeek-V3 promotes the " +
		"sum of every 128 products, its N_C: it is added to one of float32, and begins anew.")
}

// tellDescent trains a layer in three of the arithmetics.
func tellDescent(s *sheet, d *dice) {
	s.head("Training")
	looks := []int{0, 3, 6, 12, 24}
	one := func(int) float64 { return 1 }
	x, truth := random(256, 128, one, d), random(16, 128, one, d)
	target := attention.Project(x, truth)
	target.Add(target, random(256, 16, func(int) float64 { return 4 }, d))
	s.row("%-26s %9d %9d %9d %9d %9d", "loss after steps", looks[0], looks[1], looks[2], looks[3], looks[4])
	var reference []float64
	for _, l := range []linear{float64s, bf16, blocks} {
		losses := l.descend(x, target, looks)
		if reference == nil {
			reference = losses
		}
		last := len(losses) - 1
		s.row("%-26s %9.3f %9.3f %9.3f %9.3f %9.3f   %+.2f %%", l.name, losses[0], losses[1], losses[2], losses[3],
			losses[4], 100*(losses[last]/reference[last]-1))
	}
	s.say("The layer learns 16 outputs of 128 inputs from 256 noisy examples, by gradient descent on weights that " +
		"are kept in float64: a few percent off in every product are about one in the loss. DeepSeek-V3 " +
		"reports less than 0.25 percent for whole models, in which BF16 stays where it matters.")
}

// descend trains weights from 0 and returns the loss, in float64, after so many steps.
func (l linear) descend(x, target *mat.Dense, looks []int) (losses []float64) {
	tokens, in := x.Dims()
	_, out := target.Dims()
	w, dy := mat.NewDense(out, in, nil), mat.NewDense(tokens, out, nil)
	for step := 0; len(losses) < len(looks); step++ {
		if step == looks[len(losses)] {
			dy.Sub(float64s.fprop(x, w), target)
			losses = append(losses, math.Pow(mat.Norm(dy, 2), 2)/2/float64(tokens))
		}
		dy.Sub(l.fprop(x, w), target)
		dw := l.wgrad(dy, x)
		dw.Scale(0.3/float64(tokens), dw)
		w.Sub(w, dw)
	}
	return losses
}

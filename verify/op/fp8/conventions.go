package fp8

import (
	"math"
	"slices"

	"plumbline/fp8"
	"plumbline/numbers/dtype"
	"plumbline/verify/verdict"
)

// otherScale is a way of making all scales that is not the declared one.
type otherScale struct {
	says   string
	scales func(b int, some []float64) []float64
	amax   bool // codes may be made of the largest number, whose scale it is but for the rounding
}

// otherScales lists the ways of making scales that are known from the wild.
func (q *cast) otherScales() []otherScale {
	of := func(says string, scales func(b int) []float64) otherScale {
		return otherScale{
			says, func(b int, some []float64) []float64 { return append(some, scales(b)...) }, false,
		}
	}
	rows, whole := q.widerMaxima()
	all := []otherScale{
		of("as its inverse", func(b int) []float64 { return inverses(q.right[b]) }),
		of("without the floor", q.unfloored),
		of("for the largest number of its whole row of blocks", func(b int) []float64 {
			return q.scalesOf(b, rows[b/q.scaleCols])
		}),
		of("for the largest number of the whole tensor", func(b int) []float64 { return q.scalesOf(b, whole) }),
		of("for the block before it", func(b int) []float64 { return q.right[max(0, b-1)] }),
		of("for the block behind it", func(b int) []float64 { return q.right[min(len(q.right)-1, b+1)] }),
		of("in column-major order", func(b int) []float64 { return q.right[q.transposed(b)] }),
	}
	if q.format == dtype.F8E4M3 {
		all = append(all, of("for a format whose largest number is 240", func(b int) []float64 {
			return q.kept(q.ratio(b, 240))
		}))
	}
	if q.ue8m0 {
		return append(all, q.otherPowers(of)...)
	}
	return append(all, of("rounded up to a power of two, which is UE8M0", func(b int) []float64 {
		return []float64{dtype.RoundUpE8M0(q.right[b][0])}
	}))
}

// unfloored returns scales of a block without the floor: of zeros 0, or what is made of it.
func (q *cast) unfloored(b int) []float64 {
	if q.amax[b] == 0 {
		return []float64{0, math.NaN(), dtype.RoundUpE8M0(0)}
	}
	return q.kept(fp8.Scale(q.amax[b], 0, q.format))
}

// ratio is the scale of a block for another largest code.
func (q *cast) ratio(b int, largest float32) float64 {
	return float64(max(float32(q.amax[b]), float32(q.floor)) / largest)
}

// otherPowers lists the ways of making a power of two of a scale.
func (q *cast) otherPowers(of func(string, func(int) []float64) otherScale) []otherScale {
	ratio := func(b int) float64 { return q.ratio(b, float32(q.largestCode)) }
	power := func(round func(float64) float64) func(b int) []float64 {
		return func(b int) []float64 { return []float64{math.Exp2(round(math.Log2(ratio(b))))} }
	}
	all := []otherScale{
		of("not rounded up to a power of two", func(b int) []float64 {
			return []float64{ratio(b), float64(math.Nextafter32(float32(ratio(b)), 0)),
				float64(math.Nextafter32(float32(ratio(b)), float32(math.Inf(1))))}
		}),
		of("rounded down to a power of two", power(math.Floor)),
		of("rounded to the nearest power of two", power(math.Round)),
		of("by a logarithm that is rounded to float32 first", power(func(x float64) float64 {
			return math.Ceil(float64(float32(x)))
		})),
	}
	all[0].amax = true
	return all
}

func inverses(scales []float64) []float64 {
	all := make([]float64, len(scales))
	for i, s := range scales {
		all[i] = float64(1 / float32(s))
	}
	return all
}

// widerMaxima returns the largest size in each row of blocks, and in the whole matrix.
func (q *cast) widerMaxima() (rows []float64, whole float64) {
	rows = make([]float64, len(q.amax)/q.scaleCols)
	for b, amax := range q.amax {
		rows[b/q.scaleCols] = max(rows[b/q.scaleCols], amax)
		whole = max(whole, amax)
	}
	return rows, whole
}

// transposed is the block whose scale stands in a place when scales are stored column by column.
func (q *cast) transposed(b int) int {
	rows := len(q.amax) / q.scaleCols
	return b%rows*q.scaleCols + b/rows
}

// otherCodes lists the ways of making codes that are known from the wild; those by other scales,
// whose last bits nobody has recorded, are the last.
func (q *cast) otherCodes(scales []otherScale) (all []verdict.Convention) {
	if q.wrongScale() {
		all = append(all, verdict.Convention{
			Says:  "with the right scale, which is not the one that is recorded",
			Right: q.codesBy(func(b int, some []float64) []float64 { return append(some, q.right[b]...) }, !q.ue8m0),
		})
	}
	all = slices.Concat(all, q.otherRecipes(), q.otherRoundings())
	for _, o := range scales {
		all = append(all, verdict.Convention{Says: "with its scale " + o.says, Right: q.codesBy(o.scales, o.amax)})
	}
	return all
}

// wrongScale tells whether a recorded scale is none of the right ones.
func (q *cast) wrongScale() bool {
	for b, s := range q.recorded {
		if right := q.rightScales(b, nil); len(right) > 0 && !holds(right, s) {
			return true
		}
	}
	return false
}

// otherRecipes lists those that are not declared, where one is.
func (q *cast) otherRecipes() (all []verdict.Convention) {
	if !q.declared || q.ue8m0 {
		return nil
	}
	for _, r := range []fp8.Recipe{fp8.ByQuotient, fp8.ByInverse, fp8.ByLargest} {
		if r != q.recipes[0] {
			all = append(all, verdict.Convention{
				Says: "by the recipe " + r.String() + ", which is not the one that is declared",
				Right: func(i int, some []float64) []float64 {
					b := q.blockOf(i)
					return q.codes(q.x[i], q.scalesFor(b)[0], q.amax[b], []fp8.Recipe{r}, some)
				},
			})
		}
	}
	return all
}

// codesBy returns what makes codes by other scales, or by the largest number of a block too.
func (q *cast) codesBy(
	scales func(b int, some []float64) []float64, amax bool,
) func(i int, some []float64) []float64 {
	recipes := []fp8.Recipe{fp8.ByQuotient, fp8.ByInverse}
	if amax {
		recipes = append(recipes, fp8.ByLargest)
	}
	return func(i int, some []float64) []float64 {
		b := q.blockOf(i)
		for _, s := range scales(b, nil) {
			some = q.codes(q.x[i], s, q.amax[b], recipes, some)
		}
		return some
	}
}

// otherRoundings lists the ways of rounding a quotient to a code.
func (q *cast) otherRoundings() []verdict.Convention {
	of := func(says string, round func(x float64) float64) verdict.Convention {
		return verdict.Convention{Says: says, Right: func(i int, some []float64) []float64 {
			b := q.blockOf(i)
			for _, s := range q.scalesFor(b) {
				for _, x := range quotients(q.x[i], s, max(q.amax[b], q.floor), q.largestCode) {
					some = addCode(some, round(x))
				}
			}
			return some
		}}
	}
	all := []verdict.Convention{
		of("truncated, not rounded", q.truncated),
		of("if ties went away from zero", q.halfUp),
		of("if the largest number stood for all from 256 on", q.saturatedEarly),
		of("if what is too large became NaN", q.format.Round),
	}
	if q.format == dtype.F8E4M3 {
		all = append(all, of("in the bytes of the FNUZ format, which mean half", func(x float64) float64 {
			return q.format.Round(2 * x) // NaN is the byte of its largest number
		}))
	}
	return all
}

// quotients returns what the recipes round to a code.
func quotients(x, s, amax, largest float64) [3]float64 {
	v, scale := float32(x), float32(s)
	return [3]float64{
		float64(v / scale), float64(v * (1 / scale)), float64(v * (float32(largest) / float32(amax))),
	}
}

// truncated returns the code next to x on the side of zero.
func (q *cast) truncated(x float64) float64 {
	return q.format.Truncate(max(-q.largestCode, min(x, q.largestCode)))
}

// halfUp returns the code next to x, of two equally near the larger one.
func (q *cast) halfUp(x float64) float64 {
	return q.format.RoundSaturating(x + math.Copysign(0x1p-24*q.format.Spacing(x), x))
}

// saturatedEarly returns the code of x where the largest exponent counts as an overflow.
func (q *cast) saturatedEarly(x float64) float64 {
	y := q.format.RoundSaturating(x)
	if math.Abs(y) >= math.Exp2(math.Floor(math.Log2(q.largestCode))) {
		return math.Copysign(q.largestCode, x)
	}
	return y
}

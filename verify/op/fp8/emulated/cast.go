// Package emulated has the kernels of block-scaled FP8.
package emulated

import (
	"cmp"
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// What a quantiser forms for each block. Codes may be made of another scale than is stored.
const (
	largestSizes = "the largest size of each block"
	blockScales  = "the scale of each block"
	codedBy      = "the scale in the codes"
	codedAmax    = "the largest size in the codes"
)

func init() {
	blocks, axes := []string{"ceil(M/b0)", "ceil(K/b1)"}, []string{"block row", "block column"}
	emulate.Register("fp8.cast", emulate.Kernel{
		Float32: fp8Cast, Float64: fp8Cast, Request: requestCast, Right: casts(),
		Quantities: []emulate.Quantity{
			{Name: largestSizes, Shape: blocks, Axes: axes}, {Name: blockScales, Shape: blocks, Axes: axes},
			{Name: codedBy, Shape: blocks, Axes: axes}, {Name: codedAmax, Shape: blocks, Axes: axes},
		},
	})
}

// cast is one matrix to be quantised, in float32.
type cast struct {
	*emulate.Job
	x          []float32
	rows, cols int
	tall, wide int // a block
	across     int // blocks side by side
	code       format
	divisor    float32 // of the largest size, for a scale: the largest code
	powers     bool
	right      string // recipe
	recipe     string // that is followed
}

// fp8Cast gives each block its scale, and each element its code.
func fp8Cast(j *emulate.Job) {
	block := j.Pair("block")
	c := &cast{
		Job: j, x: emulate.Load[float32](j, "x"), rows: j.Dim("M"), cols: j.Dim("K"), tall: block[0], wide: block[1],
		across: (j.Dim("K") + block[1] - 1) / block[1], code: formatOf(j.Word("format")),
		powers: j.Word("scale") == "UE8M0", right: cmp.Or(j.Word("recipe"), j.Recipe, "divide"),
	}
	c.recipe, c.divisor = c.right, c.divisorOf(c.code)
	if c.Makes("recipe-other") && j.Has("recipe") && !c.powers {
		c.recipe = map[string]string{"divide": "amax", "amax": "reciprocal", "reciprocal": "amax"}[c.right]
	}
	sizes, right := c.sizes()
	emulate.Pass(j, largestSizes, 0, sizes)
	scales := make([]float32, len(sizes))
	for b, size := range sizes {
		scales[b] = c.scale(size, c.divisor)
		same := size == right[b] && c.divisor == c.code.largest
		j.Show(!same && scales[b] != c.scale(right[b], c.code.largest))
	}
	emulate.Pass(j, blockScales, 0, scales)
	emulate.Store(j, "q", c.code.of, c.codes(c.beforeFloor(sizes, scales)))
	emulate.Store(j, "scale", c.typeOfScales(), c.stored(scales))
}

// beforeFloor returns the sizes and scales that codes are made of: those that are stored, or where
// that is the mistake those before the floor.
func (c *cast) beforeFloor(sizes, scales []float32) (ofCodes, scalesOfCodes []float32) {
	ofCodes, scalesOfCodes = slices.Clone(sizes), slices.Clone(scales)
	if c.Makes("floor-after-codes") {
		for b, size := range c.largest(true) {
			ofCodes[b], scalesOfCodes[b] = size, c.scale(size, c.divisor)
			c.Show(size > 0 && scalesOfCodes[b] != scales[b])
		}
	}
	return ofCodes, scalesOfCodes
}

// divisorOf returns the largest code. It makes the mistakes of taking that of another format.
func (c *cast) divisorOf(f format) float32 {
	switch {
	case c.Makes("largest-code-448"):
		return 448
	case c.Makes("largest-code-57344"):
		return 57344
	case f.of != dtype.F8E4M3:
	case c.Makes("largest-code-240"):
		return 240
	case c.Makes("largest-code-224"):
		return 224
	}
	return f.largest
}

// typeOfScales is F32 where a scale need not be a power of two.
func (c *cast) typeOfScales() dtype.Type {
	if !c.powers {
		return dtype.F32
	}
	return cmp.Or(c.Scales, dtype.F32)
}

func (c *cast) blockOf(i int) int { return i/c.cols/c.tall*c.across + i%c.cols/c.wide }

// sizes returns the largest size in each block, at least the floor: what is taken for it, and what
// it is.
func (c *cast) sizes() (sizes, right []float32) {
	right = c.largest(true)
	switch {
	case c.Makes("amax-over-padding"), c.Makes("amax-signed"), c.Makes("amax-of-half"), c.Makes("amax-of-first-row"):
		sizes = c.largest(false)
	case c.Makes("amax-kept"):
		sizes = kept(right, c.across)
	case c.Makes("amax-of-row"):
		sizes = spread(right, c.across)
	case c.Makes("amax-of-two-blocks"):
		sizes = paired(right, c.across)
	case c.Makes("amax-of-square"):
		sizes = c.squared(right)
	case c.Makes("amax-of-tensor"):
		sizes = spread(right, len(right))
	default:
		sizes = slices.Clone(right)
	}
	for b := range sizes {
		sizes[b], right[b] = c.floored(sizes[b]), max(right[b], float32(c.Float("amax_floor")))
	}
	return sizes, right
}

// floored returns the largest size of a block that counts. It makes the mistakes of floors.
func (c *cast) floored(size float32) float32 {
	floor := float32(c.Float("amax_floor"))
	switch {
	case c.Makes("floor-missing"):
		return size
	case c.Makes("floor-added"):
		return size + floor
	case c.Makes("floor-of-scale"):
		return max(size, floor*c.code.largest)
	case c.Makes("zero-block-scale-one") && size == 0 && floor > 0:
		return c.code.largest
	}
	return max(size, floor)
}

// largest returns the largest size in each block. It makes the mistakes of looking for it: among
// them with what stands behind the end of a row, which is the next one, as far as a ragged block
// would reach.
func (c *cast) largest(right bool) []float32 {
	sizes := make([]float32, (c.rows+c.tall-1)/c.tall*c.across)
	for i, x := range c.x {
		size := abs(x)
		switch {
		case right:
		case c.Makes("amax-signed"):
			size = max(x, 0)
		case c.Makes("amax-of-half") && i%c.cols%c.wide >= (c.wide+1)/2,
			c.Makes("amax-of-first-row") && i/c.cols%c.tall > 0:
			size = 0
		}
		if b := c.blockOf(i); size > sizes[b] {
			sizes[b] = size
		}
	}
	if lacks := c.across*c.wide - c.cols; !right && c.Makes("amax-over-padding") && lacks > 0 {
		for m := range c.rows - 1 {
			b := m/c.tall*c.across + c.across - 1
			for _, x := range emulate.Row(c.x, m+1, c.cols)[:min(lacks, c.cols)] {
				sizes[b] = max(sizes[b], abs(x))
			}
		}
	}
	return sizes
}

// kept returns the largest value so far in every n.
func kept(values []float32, n int) []float32 {
	so := slices.Clone(values)
	for i := range so {
		if i%n > 0 {
			so[i] = max(so[i], so[i-1])
		}
	}
	return so
}

// paired returns the larger of two neighbours in a row of n in the place of each.
func paired(values []float32, n int) []float32 {
	so := slices.Clone(values)
	for i := range so {
		if beside := i%n ^ 1; beside < n {
			so[i] = max(so[i], values[i/n*n+beside])
		}
	}
	return so
}

// spread returns the largest of every n values in the place of each.
func spread(values []float32, n int) []float32 {
	wide := make([]float32, len(values))
	for from := 0; from < len(values); from += n {
		var largest float32
		for _, v := range values[from : from+n] {
			largest = max(largest, v)
		}
		emulate.Fill(wide[from:from+n], largest)
	}
	return wide
}

// squared returns the largest of as many blocks below each other as a square of them has.
func (c *cast) squared(values []float32) []float32 {
	wide, down := make([]float32, len(values)), max(c.wide/c.tall, 1)*c.across
	for b := range values {
		for at := b/down*down + b%c.across; at < min(b/down*down+down, len(values)); at += c.across {
			wide[b] = max(wide[b], values[at])
		}
	}
	return wide
}

// scale returns the scale of a block by its largest size, and the largest code.
func (c *cast) scale(size, largest float32) float32 {
	s := size / largest
	switch {
	case c.powers && c.Makes("scale-rounded-up"):
		return s
	case c.powers:
		power := c.power(size, s, largest)
		c.Show(power != powerAbove(s))
		return power
	case c.Makes("scale-bf16"):
		short := emulate.Round(dtype.BF16, s)
		c.Show(short != s)
		return short
	case c.ScaleInverted:
		return 1 / (1 / size * largest)
	}
	return s
}

// power returns the scale s of a block as a power of two. It makes the mistakes of finding one.
func (c *cast) power(size, s, largest float32) float32 {
	switch {
	case c.Makes("scale-truncated"):
		return powerBelow(s)
	case c.Makes("scale-by-exponent"):
		return powerBelow(size) / powerBelow(largest)
	case c.Makes("scale-power-above"):
		return 2 * powerBelow(s)
	case c.Makes("scale-nearest-power"):
		return nearestPower(s)
	case c.Makes("scale-mantissa-rounded"):
		return mantissaRounded(s)
	case c.Makes("scale-by-logarithm"):
		return float32(math.Exp2(math.Ceil(float64(float32(math.Log2(float64(s)))))))
	}
	return powerAbove(s)
}

// powerAbove returns the power of two that is no less, by the bits of an exponent.
func powerAbove(s float32) float32 {
	bits := math.Float32bits(s)
	if bits&(1<<23-1) != 0 {
		bits += 1 << 23
	}
	return math.Float32frombits(bits &^ (1<<23 - 1))
}

func powerBelow(s float32) float32 { return math.Float32frombits(math.Float32bits(s) &^ (1<<23 - 1)) }

// nearestPower returns the power of two whose logarithm is nearest.
func nearestPower(s float32) float32 { return powerBelow(s * math.Sqrt2) }

// mantissaRounded returns the power of two above from a mantissa of 1.5 on, else the one below.
func mantissaRounded(s float32) float32 { return powerBelow(s * 4 / 3) }

// stored returns the scales as they are written.
func (c *cast) stored(scales []float32) []float32 {
	to, down := make([]float32, len(scales)), len(scales)/c.across
	for b, s := range scales {
		switch {
		case c.Makes("scale-inverse"):
			to[b] = 1 / s
		case c.Makes("scale-rounded-up") && c.powers:
			to[b] = powerAbove(s)
		case c.Makes("scale-of-next-block"):
			to[b] = scales[min(b+1, len(scales)-1)]
		case c.Makes("scales-transposed"):
			to[b] = scales[b%down*c.across+b/down]
		default:
			to[b] = s
		}
		c.Show(to[b] != s)
	}
	return to
}

// codes returns the code of every element, made of scales and sizes that nobody else needs.
func (c *cast) codes(sizes, scales []float32) []float32 {
	emulate.Pass(c.Job, codedBy, 0, scales)
	emulate.Pass(c.Job, codedAmax, 0, sizes)
	codes := make([]float32, len(c.x))
	for i, x := range c.x {
		b := c.blockOf(i)
		right := c.code.nearest(c.quotient(c.right, x, scales[b], sizes[b]))
		codes[i] = c.spoilt(c.quotient(c.recipe, x, scales[b], sizes[b]))
		if c.Makes("tile-unwritten") && i%c.cols >= (c.cols-1)/128*128 {
			codes[i] = 0
		}
		c.Show(codes[i] != right && (right == right || codes[i] == codes[i] && scales[b] == scales[b]))
	}
	return codes
}

// quotient returns what a recipe rounds to a code.
func (c *cast) quotient(recipe string, x, scale, size float32) float32 {
	switch recipe {
	case "reciprocal":
		return x * (1 / scale)
	case "amax":
		if !c.powers {
			return x * (c.divisor / size)
		}
	}
	return x / scale
}

// spoilt returns the code of a quotient, by the mistake that is made with codes.
func (c *cast) spoilt(x float32) float32 {
	switch {
	case c.Makes("nan-saturated") && x != x:
		return c.code.largest
	case c.Makes("codes-truncated"):
		return c.code.truncated(x)
	case c.Makes("codes-half-up"):
		return c.code.halfUp(x)
	case c.Makes("quotient-bf16"):
		return c.code.nearest(emulate.Round(dtype.BF16, x))
	case c.Makes("quotient-f16"):
		return c.code.nearest(emulate.Round(dtype.F16, x))
	case c.Makes("subnormal-codes-flushed"):
		return c.code.flushed(c.code.nearest(x))
	case c.Makes("subnormal-codes-small"):
		return c.code.small(x)
	case c.Makes("subnormal-codes-rounded-twice"):
		return c.code.twice(x)
	case c.Makes("quotients-whole"):
		return c.code.nearest(float32(math.RoundToEven(float64(x))))
	case c.Makes("saturated-at-256") && abs(c.code.nearest(x)) >= c.code.largest*4/7:
		return sign(c.code.largest, x)
	case c.Makes("codes-fnuz") && c.code.of == dtype.F8E4M3:
		return c.code.fnuz(x)
	}
	return c.code.nearest(x)
}

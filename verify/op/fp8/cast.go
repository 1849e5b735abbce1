package fp8

import (
	"math"
	"slices"

	"plumbline/fp8"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

// cast is one matrix to be quantised, with what is known of its blocks.
type cast struct {
	rows, cols  int
	block       fp8.BlockSize
	scaleCols   int // blocks side by side
	x           []float64
	format      dtype.Type
	ue8m0       bool
	floor       float64
	recipes     []fp8.Recipe
	declared    bool // there is one recipe
	amax        []float64
	special     []special
	recorded    []float64 // scales; nil: they are not
	right       [][]float64
	stored      dtype.Type // of the scales
	largestCode float64
}

// special says what a block has that is no ordinary number.
type special int

// A block of zeros, and NaN, is special where no floor keeps its scale from 0.
const (
	ordinary special = iota
	hasNaN
	hasInf
	onlyZeros
)

// quantise is the truth of fp8.cast.
//
// A scale is right if it is max(amax, floor)/largest in F32 or next to it; under UE8M0 the power of
// two from there on. A code is right if one of the recipes gives it from the scale that is recorded
// or, where none is, from a right one. In a block with NaN, whose maximum some kernels pass over,
// the scale may be NaN too; in one with an infinity, and in one of zeros without a floor, nothing
// is expected of the scale. Codes follow the scale even then: that of NaN is NaN, and so are all
// under a scale of NaN; 0/0 may be 0 as well.
func quantise(c *op.Case) ([]verdict.Expected, error) {
	q := newCast(c)
	scales := &verdict.Codes{
		Type: q.stored, Of: "scales", N: len(q.amax), Exact: q.exactScale, Right: q.rightScales,
	}
	codes := &verdict.Codes{
		Type: q.format, Of: "codes", N: len(q.x), Exact: q.quotient, Right: q.rightCodes,
	}
	others := q.otherScales()
	for _, o := range others {
		scales.Others = append(scales.Others, verdict.Convention{Says: o.says, Right: o.scales})
	}
	codes.Others = q.otherCodes(others)
	return c.Wanted(
		expected("q", codes, q.rows, q.cols), expected("scale", scales, len(q.amax)/q.scaleCols, q.scaleCols),
	), nil
}

// expected is an output that is judged as a choice, with the numbers of exact arithmetic beside it.
func expected(name string, c *verdict.Codes, rows, cols int) verdict.Expected {
	e := verdict.Expected{Name: name, Choice: c, Truth: tensor.New(rows, cols), Sigma: make([]float64, rows*cols)}
	e.Unjudged = make([]bool, rows*cols)
	var some []float64
	for i := range e.Truth.Data {
		if some = c.Right(i, some[:0]); len(some) > 0 {
			e.Truth.Data[i] = some[0]
		} else {
			e.Unjudged[i] = true
		}
	}
	if !slices.Contains(e.Unjudged, true) {
		e.Unjudged = nil
	}
	return e
}

func newCast(c *op.Case) *cast {
	pair := c.Pair("block")
	q := &cast{
		rows: c.Dim("M"), cols: c.Dim("K"), block: fp8.BlockSize{Rows: pair[0], Cols: pair[1]}, x: c.Input("x").Data,
		format: dtype.F8E4M3, ue8m0: c.Word("scale") == "UE8M0", floor: c.Float("amax_floor"), stored: dtype.F32,
	}
	if c.Word("format") == "F8_E5M2" {
		q.format = dtype.F8E5M2
	}
	q.largestCode = q.format.Max()
	q.recipes, q.declared = recipesOf(c.Word("recipe"), q.ue8m0), c.Has("recipe")
	if c.Wants("scale") {
		q.stored = c.Recording.Type("out.scale")
		if x, err := c.Recording.Tensor("out.scale"); err == nil {
			q.recorded = x.Data
		}
	}
	q.measure()
	for i, amax := range q.amax {
		q.right = append(q.right, q.scalesOf(i, amax))
	}
	return q
}

// recipesOf returns the recipes that count. Under UE8M0 the scale is a power of two, whose inverse
// is exact: all recipes are one.
func recipesOf(word string, ue8m0 bool) []fp8.Recipe {
	recipe := map[string]fp8.Recipe{"divide": fp8.ByQuotient, "reciprocal": fp8.ByInverse, "amax": fp8.ByLargest}
	switch r, declared := recipe[word]; {
	case ue8m0:
		return []fp8.Recipe{fp8.ByQuotient, fp8.ByInverse}
	case declared:
		return []fp8.Recipe{r}
	}
	return []fp8.Recipe{fp8.ByQuotient, fp8.ByInverse, fp8.ByLargest}
}

// measure finds the largest size in each block, among its numbers, and what else it has.
func (q *cast) measure() {
	blockRows, blockCols := q.block.Scales(q.rows, q.cols)
	q.scaleCols = blockCols
	q.amax, q.special = make([]float64, blockRows*blockCols), make([]special, blockRows*blockCols)
	for i, x := range q.x {
		switch b := q.blockOf(i); {
		case math.IsNaN(x):
			q.special[b] = max(q.special[b], hasNaN)
		case math.IsInf(x, 0):
			q.special[b], q.amax[b] = hasInf, math.Inf(1)
		default:
			q.amax[b] = max(q.amax[b], math.Abs(x))
		}
	}
	for b, amax := range q.amax {
		if max(float32(amax), float32(q.floor)) == 0 {
			q.special[b] = onlyZeros
		}
	}
}

// blockOf returns the block of an element.
func (q *cast) blockOf(i int) int {
	return i/q.cols/q.block.Rows*q.scaleCols + i%q.cols/q.block.Cols
}

// exactScale is the scale of a block before any rounding.
func (q *cast) exactScale(b int) float64 { return max(q.amax[b], q.floor) / q.largestCode }

// rightScales appends the right scales of a block, of which something is expected.
func (q *cast) rightScales(b int, some []float64) []float64 {
	switch q.special[b] {
	case hasInf, onlyZeros:
		return some
	case hasNaN:
		return append(append(some, q.right[b]...), math.NaN())
	}
	return append(some, q.right[b]...)
}

// scalesOf returns the right scales of a block whose largest size is amax.
func (q *cast) scalesOf(b int, amax float64) []float64 {
	switch q.special[b] {
	case hasInf:
		return []float64{math.Inf(1)}
	case onlyZeros:
		return []float64{0}
	}
	some := q.kept(fp8.Scale(amax, q.floor, q.format))
	if s := q.byInverses(amax); !q.ue8m0 && !slices.Contains(some, s) {
		some = append(some, s)
	}
	return some
}

// byInverses returns the scale as the inverse of (1/amax)·largest, each step rounded, which may be
// two steps off: what PyTorch makes of the inverse of largest/amax.
func (q *cast) byInverses(amax float64) float64 {
	up := 1 / max(float32(amax), float32(q.floor)) * float32(q.largestCode)
	return float64(1 / up)
}

// kept returns what may be stored for a scale in F32.
func (q *cast) kept(s float64) []float64 {
	below := float64(math.Nextafter32(float32(s), 0))
	if q.ue8m0 {
		above := dtype.RoundUpE8M0(s)
		if lower := dtype.RoundUpE8M0(below); lower < above {
			return []float64{above, lower}
		}
		return []float64{above}
	}
	return []float64{s, float64(math.Nextafter32(float32(s), float32(math.Inf(1)))), below}
}

// scalesFor returns the scales by which the codes of a block may have been made.
func (q *cast) scalesFor(b int) []float64 {
	if q.recorded != nil && q.special[b] == hasInf && math.IsNaN(q.recorded[b]) {
		return []float64{math.NaN(), math.Inf(1)} // of which UE8M0 has but one
	}
	if q.recorded != nil {
		return q.recorded[b : b+1]
	}
	if q.special[b] == hasNaN {
		return append(slices.Clone(q.right[b]), math.NaN())
	}
	return q.right[b]
}

// quotient is what a code is of, before it is rounded.
func (q *cast) quotient(i int) float64 { return q.x[i] / q.scalesFor(q.blockOf(i))[0] }

// rightCodes appends the right codes of an element.
func (q *cast) rightCodes(i int, some []float64) []float64 {
	b := q.blockOf(i)
	for _, s := range q.scalesFor(b) {
		some = q.codes(q.x[i], s, q.amax[b], q.recipes, some)
	}
	if q.special[b] == onlyZeros && !slices.Contains(some, 0) {
		some = append(some, 0)
	}
	return some
}

// codes appends the codes that some recipes make of x.
func (q *cast) codes(x, s, amax float64, recipes []fp8.Recipe, some []float64) []float64 {
	for _, r := range recipes {
		some = addCode(some, q.code(x, s, amax, r))
	}
	return some
}

// addCode appends a code that is not there yet.
func addCode(some []float64, code float64) []float64 {
	if holds(some, code) {
		return some
	}
	return append(some, code)
}

// holds tells whether a number is one of some; NaN is one number.
func holds(some []float64, x float64) bool {
	for _, other := range some {
		if other == x || math.IsNaN(other) && math.IsNaN(x) {
			return true
		}
	}
	return false
}

func (q *cast) code(x, s, amax float64, r fp8.Recipe) float64 {
	switch r {
	case fp8.ByInverse:
		return fp8.CodeByInverse(x, s, q.format)
	case fp8.ByLargest:
		return fp8.CodeByLargest(x, max(amax, q.floor), q.format)
	}
	return fp8.CodeOfQuotient(x, s, q.format)
}

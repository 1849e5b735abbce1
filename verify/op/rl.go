package op

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/verdict"
)

var (
	noShape       = []string{} // of a number
	sequenceShape = []string{"N", "L"}
	sequenceAxes  = []string{"sequence", "token"}

	vocabularyShape = []string{"N", "L", "vocab"}

	maskInput = Tensor{
		Name: "mask", Shape: sequenceShape, Any: true,
		Doc: "1 for tokens that count, 0 for those that do not and are not judged",
	}

	aggregateAttr = Attr{
		Name: "aggregate", Kind: Choice, Default: "token_mean", Choices: []string{
			"token_mean", "sequence_mean", "sequence_sum", "constant",
		},
		Doc: "how the tokens' losses become one",
	}
	emptyRowsAttr = Attr{
		Name: "empty_rows", Kind: Choice, Default: "skip", Choices: []string{"skip", "count"},
		Doc: "whether sequences without tokens count in the divisor",
	}
	aggregateLength = Attr{
		Name: "aggregate_length", Kind: Count, Missing: "none",
		Doc: "tokens by which constant divides, for each sequence",
	}
)

// checkMask checks that a mask has zeros and ones.
func checkMask(c *Case) error {
	mask := c.Input("mask")
	for i, m := range mask.Data {
		if m != 0 && m != 1 {
			return fmt.Errorf("tensor %q: index [%d %d]: found %v, want 0 or 1", "mask", i/c.Dim("L"), i%c.Dim("L"), m)
		}
	}
	return nil
}

// checkAggregate checks how tokens are put together.
func checkAggregate(c *Case) error {
	if c.Word("aggregate") == "constant" && c.Int("aggregate_length") < 1 {
		return fmt.Errorf(
			"attrs: %q: constant divides by %q, want a whole number from 1", "aggregate", "aggregate_length",
		)
	}
	return checkMask(c)
}

// checkAtLeast0 checks numbers that may not be negative.
func checkAtLeast0(c *Case, attrs ...string) error {
	for _, name := range attrs {
		if c.Float(name) < 0 {
			return fmt.Errorf("attrs: %q: found %v, want 0 or more", name, c.Float(name))
		}
	}
	return nil
}

// all runs one check after the other.
func all(checks ...func(*Case) error) func(*Case) error {
	return func(c *Case) error {
		for _, check := range checks {
			if err := check(c); err != nil {
				return err
			}
		}
		return nil
	}
}

// matrix returns an input [N × L]; one of [N] is repeated along the rows.
func (c *Case) matrix(name string) *mat.Dense {
	x := c.Input(name)
	if len(x.Shape) == 2 {
		return mat.NewDense(x.Shape[0], x.Shape[1], x.Data)
	}
	m := mat.NewDense(c.Dim("N"), c.Dim("L"), nil)
	m.Apply(func(i, _ int, _ float64) float64 { return x.Data[i] }, m)
	return m
}

// elementwiseKey is for eager frameworks, which round the result of every operation to the type of
// its operands.
var elementwiseKey = Key{
	"intermediate", "that of accumulate",
	"element-wise results: differences, ratios, products, log-probabilities, and what sums are rounded to",
}

// scalars is the scalar work of an objective: differences, exponentials, products, each rounded to
// one type. Its methods return second moments. Numbers of an objective crowd (ratios around 1, a
// threshold, a reward of 1), so that a rounding counts with the spacing where it is, u²x²/3m², and
// not with its average over a binade.
type scalars struct {
	typ        dtype.Type // of element-wise results
	working    dtype.Type // in which an exponential or a logarithm is formed before its result is rounded
	accumulate arithmetic.Accumulator
	rho2       float64 // of one rounding to typ
	inside     float64 // of one rounding in working precision
}

func (c *Case) scalars() scalars {
	w := scalars{
		typ: c.Arithmetic.Intermediate, working: c.Arithmetic.Accumulate.Working(), accumulate: c.Arithmetic.Accumulate,
		inside: c.rho2(),
	}
	if w.typ == dtype.Invalid {
		w.typ = w.working
	}
	w.rho2 = arithmetic.Rho(w.typ) * arithmetic.Rho(w.typ)
	return w
}

// narrow tells whether element-wise results have another type than working precision.
func (w scalars) narrow() bool { return w.typ != w.working }

// round is the second moment of rounding x. What is 0 or not finite is not rounded.
func (w scalars) round(x float64) float64 {
	if x == 0 || !dtype.Finite(x) || math.Abs(x) > w.typ.Max() {
		return 0
	}
	step := w.typ.Spacing(x)
	return step * step / 12
}

// faint is the second moment of what the five operations that lead to x err by more where x is so
// small that the type has only subnormals left.
func (w scalars) faint(x float64) float64 {
	if math.Abs(x) >= w.typ.MinNormal() {
		return 0
	}
	return 5 * w.round(x)
}

// constant is the second moment of the relative error of an attribute as a kernel holds it: 0 where
// working precision has it.
func (w scalars) constant(x float64) float64 {
	if x == 0 || w.typ.Round(x) == x {
		return 0
	}
	return w.kept(x)
}

// exponential is the second moment of the relative error of e^x for an exact x: anything up to 2
// ulp, 4u, which vendors state of their fast ones, twice a rounding of the argument, which is
// multiplied with log₂e, and the rounding of the result where it gets a narrower type. Where e^x is
// 0 or infinite there is none.
func (w scalars) exponential(x float64) float64 {
	y := math.Exp(x)
	if y == 0 || !dtype.Finite(y) {
		return 0
	}
	u := w.working.UnitRoundoff()
	relative := 16*u*u/3 + w.inside*argumentRoundings*x*x
	if w.narrow() {
		relative += w.kept(y)
	}
	return relative
}

// kept is the second moment of the relative error of rounding x. A number below half of the
// smallest that the type has becomes 0, and errs by itself.
func (w scalars) kept(x float64) float64 {
	e := math.Sqrt(w.round(x)) / math.Abs(x)
	return min(1, e*e)
}

// overflows tells whether working precision may have no finite number for x.
func (w scalars) overflows(x float64) bool {
	return math.Abs(x) > 0.999*w.typ.Max()
}

// sum is the accumulator of losses and statistics, which no kernel keeps in less than working
// precision unless it says so.
func (w scalars) sum(n int, sum, squares float64) float64 {
	if n < 2 || squares == 0 || !dtype.Finite(squares) {
		return 0
	}
	return w.accumulate.Sum(n, sum, squares)
}

// rowSum is the second moment of the error of a sum of the tokens of a batch, one after the other
// in the order of the batch or the reverse. The tokens of a sequence have much in common, so that
// its partial sums S_k go further than those of an unknown order. Equal terms round alike wherever
// they stand, and so do terms in a run that are equal to the last place of the sum; n_k is how many
// there are of term k:
//
//	σ² = max( Sum(n; S, Σ x²), ρ² Σ_k max(S_k, S − S_k)² + (0.15 u)² Σ_k n_k max(S_k, S − S_k)² )
func (w scalars) rowSum(terms []float64) float64 {
	var sum, squares float64
	for _, x := range terms {
		sum, squares = sum+x, squares+x*x
	}
	unknown := w.sum(len(terms), sum, squares)
	if unknown == 0 || w.accumulate.Truncates() {
		return unknown
	}
	typ, counts := w.accumulate.Type(), map[float64]float64{}
	for _, x := range terms {
		counts[x]++
	}
	rho, run, runs, alike, variance, partial := arithmetic.Rho(typ), 0.0, 0.0, 0.0, 0.0, 0.0
	for k, x := range terms {
		partial += x
		reach := max(math.Abs(partial), math.Abs(sum-partial))
		variance += rho * rho * reach * reach
		if k > 0 && math.Abs(x-terms[k-1]) > typ.UnitRoundoff()*reach {
			run = 0
		}
		run++
		runs += (2*run - 1) * reach * reach // grows to run²
		alike += counts[x] * reach * reach
	}
	return max(unknown, moment(variance+scalars{typ: typ}.alike(1)*max(runs, alike)))
}

// alike is the second moment of what equal additions to a sum x err together, for each pair of them
// (see arithmetic.Accumulator.Sum).
func (w scalars) alike(x float64) float64 {
	e := 0.15 * w.typ.UnitRoundoff() * x
	return e * e
}

// doubt is how many standard deviations from its threshold a branch is no longer in doubt: more
// than any element is allowed.
const doubt = 8

// unsure tells whether x lies so near to a threshold that an error of that second moment, or the
// threshold's own, decides.
func (w scalars) unsure(x, threshold, variance float64) bool {
	return math.Abs(x-threshold) <= doubt*math.Sqrt(variance+w.round(threshold)+w.round(x))
}

// batchOutput is an output [N × L] of which a mask leaves a part to be judged. common collects how
// much of an element's deviation all have together, on average: by a divisor, a statistic, an
// attribute.
type batchOutput struct {
	truth, variance *mat.Dense
	constants       *mat.Dense // the part of variance that all elements have together
	others          map[int][]float64
	common          float64
	rows            []float64 // the same for what the elements of a row have together
	draws           []float64 // independent errors behind each row, where they are known
	branches        []verdict.Branch
}

func (c *Case) newBatchOutput() *batchOutput {
	n, l := c.Dim("N"), c.Dim("L")
	return &batchOutput{
		truth: mat.NewDense(n, l, nil), variance: mat.NewDense(n, l, nil), constants: mat.NewDense(n, l, nil),
		others: map[int][]float64{}, rows: make([]float64, n),
	}
}

// row adds to what the elements of a row have together.
func (b *batchOutput) row(i int, common float64) { b.rows[i] += common }

// set stores an element: its truth, the second moment of its own errors, that of those which it
// shares with all others, and the further truths it may have.
func (b *batchOutput) set(i, t int, truth, own, common float64, others ...float64) {
	b.truth.Set(i, t, truth)
	b.variance.Set(i, t, own+common)
	b.constants.Set(i, t, common)
	if all := own + common; all > 0 && dtype.Finite(all) {
		b.common += math.Sqrt(common / all)
	}
	if len(others) > 0 {
		_, l := b.truth.Dims()
		b.others[i*l+t] = others
	}
}

// expected hands over the output.
func (b *batchOutput) expected(name string, mask mat.Matrix) verdict.Expected {
	n, l := b.truth.Dims()
	e := verdict.Expected{
		Name: name, Truth: tensor.Of(b.truth.RawMatrix().Data, n, l), Sigma: make([]float64, n*l),
		Unjudged: make([]bool, n*l), Branches: b.branches,
	}
	e.Draws = make([]float64, n)
	var judged float64
	for i := range n {
		var row, tokens float64
		var erring []float64
		for t := range l {
			v := b.variance.At(i, t)
			e.Sigma[i*l+t] = math.Sqrt(v)
			if e.Unjudged[i*l+t] = mask.At(i, t) == 0; !e.Unjudged[i*l+t] {
				row, tokens = row+finite(v), tokens+1
				if v > 0 {
					erring = append(erring, math.Abs(b.truth.At(i, t)))
				}
			}
		}
		e.Draws[i] = drawsOf(b.rows[i], 0, 1, max(0, row-b.rows[i]), distinct(erring))
		if b.draws != nil {
			e.Draws[i] = b.draws[i]
		}
		judged += tokens
	}
	if len(b.others) > 0 {
		e.Others = b.others
	}
	f := b.common / max(judged, 1)
	shareErrors(&e, f*f, judged)
	return e
}

// distinct returns how many independent errors stand behind numbers of which some are equal, and so
// are rounded alike in all that leads to them.
func distinct(x []float64) float64 {
	if len(x) == 0 {
		return 1
	}
	n := float64(len(x))
	together, repeated := repeats(x)
	return n * n / (together + n - repeated)
}

// fewOperands bounds the draws behind an output by how many different operands its elements have: a
// difference with a constant is cut off at the same place wherever the other operand has fewer
// places, and so is a product with one. Eight for each, for the binades of the other. Operands that
// round nothing away, those that exact tells, may be as few as they like.
func fewOperands(e *verdict.Expected, operands []float64, exact func(x float64) bool) {
	var rounding []float64
	for _, x := range operands {
		if !exact(x) {
			rounding = append(rounding, x)
		}
	}
	if together, repeated := repeats(rounding); together > 0 {
		n := float64(len(operands))
		draws := 8 * n * n / (together + n - repeated)
		if e.MostDraws == 0 || draws < e.MostDraws {
			e.MostDraws = draws
		}
	}
}

// isZero tells of an operand whose exponential, and whose difference with any other, is exact.
func isZero(x float64) bool { return x == 0 }

// isShort tells of an operand with so few places that a difference with it keeps those of the
// other.
func isShort(x float64) bool { return dtype.BF16.Round(x) == x }

// masked returns the elements of a matrix that a mask leaves.
func masked(x, mask mat.Matrix) (kept []float64) {
	eachJudged(mask, func(i, t int) { kept = append(kept, x.At(i, t)) })
	return kept
}

// shareErrors says of an output of n elements which share of its second moments they have in
// common.
func shareErrors(e *verdict.Expected, share, n float64) {
	if !(share > 0) {
		return
	}
	f := min(1, share)
	e.Systematic = f
	e.MostDraws = 1 / (f*f + (1-f)*(1-f)/max(n, 1))
}

// scalar is an output without axes. walk is the second moment that comes from sums.
func scalar(name string, truth, variance, walk float64, others ...float64) verdict.Expected {
	e := verdict.Expected{Name: name, Truth: tensor.Of([]float64{truth}), Sigma: []float64{math.Sqrt(variance)}}
	if variance > 0 && dtype.Finite(variance) {
		e.Walk = min(1, walk/variance)
	}
	if len(others) > 0 {
		e.Others = map[int][]float64{0: others}
	}
	return e
}

// eachJudged calls f for every token in the mask.
func eachJudged(mask mat.Matrix, f func(i, t int)) {
	rows, cols := mask.Dims()
	for i := range rows {
		for t := range cols {
			if mask.At(i, t) != 0 {
				f(i, t)
			}
		}
	}
}

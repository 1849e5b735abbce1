package op

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"plumbline/grpo"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/verdict"
)

func init() {
	register(&Op{
		Name:      "grpo.advantage",
		Doc:       "Advantages of outputs relative to their groups.",
		Equations: []string{"grpo.Advantage", "grpo.Normalize", "grpo.Centered"},
		Inputs: []Tensor{
			{Name: "rewards", Shape: []string{"N"}, Doc: "rewards of outputs"},
			{
				Name: "group", Shape: []string{"N"}, Integer: true,
				Doc: "the group of each output, any numbers in any order",
			},
		},
		Outputs: []Tensor{{
			Name: "advantage", Shape: []string{"N"}, Axes: []string{"output"},
			Doc: "advantages; equal rewards have 0, and a group of one has mean 0 and deviation 1",
		}},
		Attrs: []Attr{
			{
				Name: "std", Kind: Choice, Default: "population", Choices: []string{"population", "sample", "none"},
				Doc: "standard deviation of the group that is divided by",
			},
			{Name: "eps", Kind: Number, Default: 0.0, Doc: "added to the standard deviation"},
		},
		Arithmetic: []Key{accumulateKey, elementwiseKey},
		check:      func(c *Case) error { return checkAtLeast0(c, "eps") },
		truth:      groupAdvantage,
	})
}

var deviations = map[string]grpo.Std{"population": grpo.Population, "sample": grpo.Sample, "none": grpo.None}

// groupAdvantage: with d = r − μ over the G of a group, and s the deviation plus ε,
//
//	μ    σ² = Sum(G; Σ r, Σ r²)/G² + R(μ)                                           shared by the group, 0 where sum and quotient are exact
//	s    σ²/s² = (Sum(G; Σ d², Σ d⁴) + 4 Σ d² R(d))/(2 Σ d²)² + 3ρ²                   shared by the group
//	A    σ² = (σ_μ² + R(d))/s² + A² (σ_s²/s² + ρ²)
//
// R is the second moment of a rounding. Rewards such as 0, 1 and ½ add up exactly, so that their
// sum errs nothing. Where the rewards of a group are nearly equal, σ is large; but no error makes
// |A| more than √G, and σ is no larger either (with a division). Equal rewards that do not add up
// exactly have, for ε = 0, any such advantage in a kernel, and that is explained.
func groupAdvantage(c *Case) ([]verdict.Expected, error) {
	rewards, w := c.Input("rewards").Data, c.scalars()
	groups, members := make([]int, len(rewards)), map[int][]int{}
	for i, g := range c.Input("group").Data {
		groups[i] = int(g)
		members[int(g)] = append(members[int(g)], i)
	}
	truth := grpo.Advantage(rewards, groups, deviations[c.Word("std")], c.Float("eps"))
	e := verdict.Expected{Name: "advantage", Truth: tensor.Of(truth, len(truth)), Sigma: make([]float64, len(truth))}
	var whole, coherent float64
	alike := map[string]float64{} // second moments of groups of the same rewards, which err alike, by those
	draws := map[string]float64{}
	for _, group := range slices.Sorted(maps.Keys(members)) {
		outputs := members[group]
		own, common, constants := w.group(c, pickEach(rewards, outputs), pickEach(truth, outputs))
		var sum float64
		for k, i := range outputs {
			e.Sigma[i] = math.Sqrt(own[k] + common[k])
			sum += own[k]
			if all := own[k] + common[k]; all > 0 {
				coherent += math.Sqrt(min(1, constants[k]/all))
			}
		}
		if part := sum + total(common); part > 0 {
			key := composition(pickEach(rewards, outputs))
			whole, alike[key], draws[key] = whole+part, alike[key]+part, drawsOf(
				total(common), 0, 1, sum, float64(len(outputs)),
			)
		}
	}
	var scatter float64
	for _, key := range slices.Sorted(maps.Keys(alike)) {
		scatter += alike[key] * alike[key] / draws[key]
	}
	if scatter > 0 {
		e.Draws = []float64{whole * whole / scatter}
	}
	n := float64(len(truth))
	shareErrors(&e, coherent*coherent/(n*n), n)
	return c.wanted(e), nil
}

// composition names a group by its rewards, whatever their order.
func composition(rewards []float64) string {
	sorted := slices.Clone(rewards)
	slices.Sort(sorted)
	return fmt.Sprint(sorted)
}

func pickEach(x []float64, indices []int) []float64 {
	y := make([]float64, len(indices))
	for k, i := range indices {
		y[k] = x[i]
	}
	return y
}

// group returns the second moments of the errors of one group's advantages, own and shared, and
// what constants make of them: ε, and 1/G where a kernel multiplies by it, are the same for every
// group.
func (w scalars) group(c *Case, rewards, advantage []float64) (own, common, constants []float64) {
	n, eps := len(rewards), c.Float("eps")
	own, common, constants = make([]float64, n), make([]float64, n), make([]float64, n)
	if n == 1 {
		a := advantage[0]
		own[0] = 2 * w.rho2 * a * a
		constants[0] = finite(a * a * (w.constant(1+eps) + eps*eps*w.constant(eps)))
		return own, common, constants
	}
	inverse, inverseVariance := w.constant(1/float64(n)), w.constant(1/float64(n))
	if c.Word("std") == "sample" {
		inverseVariance = w.constant(1 / float64(n-1))
	}
	mean, meanError := w.mean(rewards)
	divisor, relative := w.divisor(c, grpo.Centered(rewards))
	addition := 0.0 // of ε, whose last places are cut off at the same one in every group
	if eps != 0 {
		addition = (w.round(divisor) + eps*eps*w.constant(eps)) / (divisor * divisor)
	}
	for i, a := range advantage {
		d := w.round(rewards[i] - mean)
		own[i], common[i], constants[i] = d+w.rho2*a*a, meanError, finite(mean*mean*inverse)
		if c.Word("std") != "none" {
			constants[i] = finite(mean*mean*inverse/(divisor*divisor) + a*a*(inverseVariance/4+addition))
			own[i], common[i] = over(d, divisor*divisor)+w.rho2*a*a, over(meanError, divisor*divisor)+a*a*relative
			if largest := float64(n); !(own[i]+common[i] < largest) && (meanError > 0 || d > 0) {
				own[i], common[i] = 0, largest
			}
		}
		own[i], common[i] = moment(own[i]), moment(common[i])
	}
	return own, common, constants
}

// over divides a second moment, of which nothing stays nothing.
func over(variance, by float64) float64 {
	if variance == 0 {
		return 0
	}
	return variance / by
}

// mean returns the mean of a group's rewards, with the second moment of its error: 0 where the sum
// is exact and so is the quotient, also as a product with 1/G.
func (w scalars) mean(rewards []float64) (mean, variance float64) {
	var sum, squares float64
	for _, r := range rewards {
		sum, squares = sum+r, squares+r*r
	}
	n := float64(len(rewards))
	mean = sum / n
	if !w.addsExactly(rewards) {
		alike, _ := repeats(rewards)
		return mean, w.round(mean) + (w.sum(len(rewards), sum, squares)+w.accumulate.Repeated(sum, alike))/(n*n)
	}
	if byReciprocal := w.typ.Round(sum * w.typ.Round(1/n)); mean*n == sum && w.typ.Round(mean) == mean &&
		byReciprocal == mean {
		return mean, 0
	}
	return mean, w.round(mean)
}

// divisor returns the deviation of a group plus ε, with the second moment of its relative error.
func (w scalars) divisor(c *Case, centered []float64) (divisor, relative float64) {
	n := float64(len(centered))
	var squares, fourth, moved float64
	for _, d := range centered {
		squares, fourth, moved = squares+d*d, fourth+d*d*d*d, moved+4*d*d*w.round(d)
	}
	if c.Word("std") == "sample" {
		n--
	}
	divisor = math.Sqrt(squares/n) + c.Float("eps")
	if squares > 0 {
		relative = moment((w.sum(len(centered), squares, fourth)+moved)/(4*squares*squares)) + 3*w.rho2
	}
	return divisor, relative
}

// places returns how many binary places a finite number has from its first to its last 1.
func places(x float64) int {
	mantissa, _ := math.Frexp(x)
	n := 0
	for mantissa != math.Trunc(mantissa) {
		mantissa *= 2
		n++
	}
	return n
}

// addsExactly tells whether every partial sum is a number of the accumulator: all are whole
// multiples of one power of two, and not too many of them.
func (w scalars) addsExactly(x []float64) bool {
	unit, size := math.Inf(1), 0.0
	for _, v := range x {
		if !dtype.Finite(v) {
			return false
		}
		if v != 0 {
			_, exponent := math.Frexp(v)
			unit = min(unit, math.Ldexp(1, exponent-places(v)))
		}
		size += math.Abs(v)
	}
	return size == 0 || size/unit <= 1/w.accumulate.Type().UnitRoundoff()
}

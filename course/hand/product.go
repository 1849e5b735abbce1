package hand

import (
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/op/product"
)

func productWalks() []walk { return []walk{{"mma.step", stepSheet, walkStep, nil}} }

func stepSheet() *Sheet {
	rec := chosen("mma.step", nil).
		putAs("a", dtype.F8E4M3, []int{1, 8}, 256, 1, 1, 1, 1, 1, 1, 1).
		putAs("b", dtype.F8E4M3, []int{1, 8}, 256, 1, 1, 1, 1, 1, 1, 1)
	rec.Arithmetic["accumulate"] = "F32_HOPPER"
	return work("What a tensor core of an H100 adds up", "One product of 2¹⁶ and seven of 1, in FP8. The terms are "+
		"aligned with the largest, and what lies more than 13 bits below the leading bit of that one is cut: 1 lies "+
		"16 below, and is cut away seven times. That is why DeepSeek-V3 promotes sums to float32 every 128 elements.",
		rec.Recording, walkStep)
}

// walkStep works the first row.
func walkStep(s *Sheet, c *op.Case) {
	a, b, core, before := c.Input("a").Row(0), c.Input("b").Row(0), product.Core(c), 0.0
	s.given("A row of left operands and one of right ones.", row("a", a), row("b", b))
	if c.Input("c") != nil {
		before = c.Input("c").Data[0]
	}
	products, exact := make([]float64, len(a)), before
	for k := range a {
		products[k] = float64(a[k] * b[k])
		exact += products[k]
	}
	s.step("Their products, which are exact, and the accumulator before them.", "", "a_k b_k", row("a b", products),
		number("c", before))
	s.step("The sum in float64.", "", "c + Σ_k a_k b_k", number("sum", exact))
	d := core.Dot(before, a, b)
	s.step("What the device gives: terms of one step are cut to so many bits below the leading bit of the largest, "+
		"then added.", "", "d", number("products of a step", float64(core.Products)),
		number("bits kept", float64(core.Fraction)), number("d", d), number("off by", d-exact))
	s.out("d", 0, d)
}

package evidence

import (
	"math"

	"plumbline/numbers/dtype"
)

// Factors of criteria that measure by the error of an eager kernel in low precision.
const (
	flashOutput    = 2.0 // flash-attention, tests/test_flash_attn.py: of outputs
	flashGradient  = 3.0 // and of gradients
	flash3Shift    = 0.3 // hopper/test_flash_attn.py: what is added and taken off again, for an absolute term
	titanFactor    = 2.0 // torchtitan, .claude/skills/kernel-numerics-verifier: of the eager error
	titanDiagnoses = 0.1 // eager errors beyond this share of the largest number decide nothing
)

func ofYardsticks() []Criterion {
	flash := func(p *Pair) bool { return attentionIn16(p) && outputs(p) && p.Eager != nil }
	return []Criterion{
		{
			Name: "FlashAttention 2×", Source: "flash-attention tests/test_flash_attn.py",
			On:      "outputs of attention of 16-bit inputs, by the error of an eager kernel; gradients 3×",
			applies: flash, measure: func(p *Pair) Measure { return flashAttention(p, 0) },
		},
		{
			Name: "FlashAttention 3", Source: "flash-attention hopper/test_flash_attn.py",
			On: "the same with an absolute term", applies: flash, measure: func(p *Pair) Measure {
				return flashAttention(p, 2*shifted(p.stored(), p.Type))
			},
		},
		{
			Name: "TorchTitan 2×", Source: "pytorch/torchtitan .claude/skills/kernel-numerics-verifier",
			On:      "all numbers, by the error of an eager kernel in the types of the inputs and a rounding",
			applies: func(p *Pair) bool { return numbers(p) && p.Eager != nil }, measure: titan,
		},
	}
}

// flashAttention compares the largest error with that of the eager kernel, both by a reference in
// the type of the output.
func flashAttention(p *Pair, atol float64) Measure {
	factor := flashOutput
	if isGradient(p) {
		factor = flashGradient
	}
	want := p.stored()
	return Measure{Value: furthest(p.Got, want), Limit: factor*furthest(p.Eager, want) + atol}
}

// shifted is max |(x + 0.3) − 0.3 − x| where every step is rounded to t.
func shifted(x []float64, t dtype.Type) (most float64) {
	for _, v := range x {
		if dtype.Finite(v) {
			most = max(most, math.Abs(t.Round(t.Round(v+flash3Shift)-flash3Shift)-v))
		}
	}
	return most
}

// titan compares the largest error with twice that of the eager kernel and one rounding of the
// truth. Where the eager kernel errs by a tenth of the largest number the rule decides nothing, and
// nothing fails.
func titan(p *Pair) Measure {
	floor, eager := furthest(p.stored(), p.Truth), furthest(p.Eager, p.Truth)
	var size float64
	for _, x := range p.Truth {
		if dtype.Finite(x) {
			size = max(size, math.Abs(x))
		}
	}
	if eager > titanDiagnoses*max(size, floor) {
		return within(0)
	}
	return Measure{Value: furthest(p.Got, p.Truth), Limit: titanFactor*eager + floor}
}

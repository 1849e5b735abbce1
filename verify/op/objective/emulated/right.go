package emulated

import (
	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// objectives returns kernels that differ in the order of summation, in when weights are applied,
// and in their exponentials.
func objectives() []emulate.Config {
	all := append(
		emulate.Orders(), emulate.Config{Base2: true},
		emulate.Config{Approximate: true, Base2: true, Order: emulate.Strided},
	)
	for _, c := range emulate.Orders()[:4] {
		c.NormalizeFirst = true
		all = append(all, c)
	}
	return append(all, emulate.Config{NormalizeFirst: true, Approximate: true})
}

// eagerObjectives returns those that round every element-wise result, as eager frameworks do with
// narrow tensors.
func eagerObjectives(op string) []emulate.Config {
	var all []emulate.Config
	for _, t := range []dtype.Type{dtype.BF16, dtype.F16} {
		if t == dtype.F16 && (op == "grpo.advantage" || op == "ppo.gae") {
			continue // squares of small deviations, and what keeps them from 0, are 0 in it
		}
		all = append(
			all, emulate.Config{Intermediate: t}, emulate.Config{Intermediate: t, Order: emulate.Strided, Output: t},
			emulate.Config{Intermediate: t, NormalizeFirst: true, Order: emulate.Pairwise},
		)
	}
	return all
}

package emulate

import (
	"plumbline/numbers/dtype"
)

// objectives returns kernels that differ in the order of summation, in when weights are applied,
// and in their exponentials.
func objectives() []Config {
	all := append(orders(), Config{Base2: true}, Config{Approximate: true, Base2: true, Order: Strided})
	for _, c := range orders()[:4] {
		c.NormalizeFirst = true
		all = append(all, c)
	}
	return append(all, Config{NormalizeFirst: true, Approximate: true})
}

// eagerObjectives returns those that round every element-wise result, as eager frameworks do with
// narrow tensors.
func eagerObjectives(op string) []Config {
	var all []Config
	for _, t := range []dtype.Type{dtype.BF16, dtype.F16} {
		if t == dtype.F16 && (op == "grpo.advantage" || op == "ppo.gae") {
			continue // squares of small deviations, and what keeps them from 0, are 0 in it
		}
		all = append(
			all, Config{Intermediate: t}, Config{Intermediate: t, Order: Strided, Output: t},
			Config{Intermediate: t, NormalizeFirst: true, Order: Pairwise},
		)
	}
	return all
}

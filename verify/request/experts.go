package request

import (
	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
)

var expertDispatch = []design{
	{
		"pairs",
		"slots without an expert, experts that nobody has, tokens in no order and more than a tile of them",
		func(m *maker) { dispatch(m, 9) },
	},
	{
		"many experts",
		"the same with more experts than a warp has lanes",
		func(m *maker) { dispatch(m, 40) },
	},
}

var biasUpdate = []design{
	{
		"sign",
		"loads on both sides of their mean, one at it and one of 0, steps by sign",
		func(m *maker) {
			m.set("rule", "sign")
			m.set("center", true)
			update(m, 100, 0)
		},
	},
	{
		"uncentred",
		"the same without a centre",
		func(m *maker) { m.set("rule", "sign"); update(m, 100, 0) },
	},
	{
		"proportional",
		"the same with steps in proportion",
		func(m *maker) {
			m.set("rule", "proportional")
			update(m, 100, 0)
		},
	},
	{
		"between",
		"loads whose mean lies between two whole numbers",
		func(m *maker) { m.set("rule", "sign"); update(m, 100, 1) },
	},
	{
		"large",
		"loads that BF16 does not hold",
		func(m *maker) { m.set("rule", "sign"); update(m, 10000, 0) },
	},
}

var expertNetwork = []design{
	{
		"limited",
		"inner units on both sides of the limit, F32 between the products, shared experts, slots and a token " +
			"without an expert, an expert twice, one that nobody has, one of more than a tile of tokens",
		func(m *maker) { m.Arithmetic["intermediate"] = "F32"; m.mixture(0.75, "output"); m.routed() },
	},
	{
		"hidden",
		"the same in F32 without a limit, weights on the hidden units",
		func(m *maker) {
			m.prefer(dtype.F32)
			m.mixture(0, "hidden")
			m.routed()
		},
	},
	{
		"unlimited",
		"the same without a limit, in the type of the inputs between the products",
		func(m *maker) { m.mixture(0, "output"); m.routed() },
	},
}

// balances are the designs of moe.balance_loss, one for each kind.
func balances() (all []design) {
	for _, kind := range []string{"sequence", "device", "communication", "expert"} {
		all = append(all, design{
			kind,
			"the loss of kind " + kind + ": rows of scores with different sums, experts that are not those of the " +
				"highest scores, slots and a token without one",
			func(m *maker) { balance(m, kind) },
		})
	}
	return all
}

// dispatch sends tokens to so many experts at a small size.
func dispatch(m *maker, few int) {
	n, k, experts := m.size(72, 4096), m.size(3, 8), m.attrOf("experts", few, 256)
	some := ids(0, max(1, experts-1), n, k)
	m.input("indices", planted(some, edit(-1, 2, 1), edit(-1, n-1, 0), edit(-1, n/2), edit(-2, n/3)))
}

// update has loads whose sum is the mean for each expert, and so many more.
func update(m *maker, mean, more int) {
	e := m.size(16, 256)
	load, sum := make([]int, e), 0
	for i := range load {
		load[i] = mean + []int{9, 9, 9, -27, 0}[i%5] // most lie above the mean
	}
	load[0], load[3] = 0, 0
	for _, x := range load {
		sum += x
	}
	load[2] += mean*e - sum + more
	m.set("rate", 0.01)
	m.input("bias", unit(-0.3, 0, e))
	m.integers("load", load, e)
}

// balance makes scores whose rows do not sum to 1, and tokens whose experts stand in their last
// slots now and then; one has none.
func balance(m *maker, kind string) {
	sequences, length, e, k := 3, m.whole("sequence_length", m.size(16, 1024)), m.size(12, 256), m.size(3, 8)
	n := sequences * length
	m.set("kind", kind)
	m.set("alpha", 0.3)
	m.set("normalize_scores", true)
	m.input("scores", unit(0.5, -1, n, e))
	m.input("indices", planted(ids(0, e-e/4, n, k), edit(-1, 1, k-1), edit(-1, n-2, 0), edit(-1, 2)))
	switch m.word("kind", "expert") {
	case "sequence":
		m.set("sequence_length", length)
	case "communication":
		m.set("top_groups", 2)
		m.devices(e)
	case "device":
		m.devices(e)
	}
}

// devices stores the device of every expert: four that have not the same number.
func (m *maker) devices(e int) {
	of := make([]int, e)
	for i := range of {
		of[i] = (i * i / 3) % 4
	}
	m.integers("groups", of, e)
}

// network is the size of a mixture: E experts of F units, shared ones of twice as many. E is no
// power of two, unless groups are fixed that it would not fill.
type network struct{ E, F, d int }

func (m *maker) network() network {
	n := network{12, m.size(16, 2048), m.size(48, 7168)}
	if n.E%m.whole("groups", 1) > 0 {
		n.E = 16
	}
	return n
}

// mixture adds the weights of experts and of shared ones.
func (m *maker) mixture(limit float64, at string) network {
	n := m.network()
	if limit > 0 {
		m.set("swiglu_limit", limit)
	}
	m.set("weight_at", at)
	m.weight("w_gate", 1, n.E, n.F, n.d)
	m.weight("w_up", 1, n.E, n.F, n.d)
	m.weight("w_down", 0, n.E, n.d, n.F)
	m.weight("shared_gate", 1, 2*n.F, n.d)
	m.weight("shared_up", 1, 2*n.F, n.d)
	m.weight("shared_down", 0, n.d, 2*n.F)
	return n
}

// routed adds tokens, their experts and weights. Nobody has the first expert; the second has nearly
// all tokens, which are more than a tile of 64 and no whole tiles of 16.
func (m *maker) routed() {
	n, t, k := m.network(), m.size(76, 80), 3
	some := ids(2, n.E, t, k)
	for i := range t {
		some = planted(some, edit(1, i, i%k))
	}
	m.input("x", m.bell(0, t, n.d))
	m.input("indices", planted(some, twice(t)...))
	m.input("weights", unit(0.4, -2, t, k))
}

// twice plants a slot and a token without an expert, and slots with that of another.
func twice(t int) []recording.Edit {
	return []recording.Edit{
		edit(-1, 1, 1), edit(-2, t-1, 0), edit(-1, t/2), edit(2, 3, 0), edit(2, 3, 2), edit(5, 4, 1), edit(5, 4, 2),
	}
}

package emulated

import (
	"math"
	"slices"

	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("grpo.advantage", emulate.Kernel{
		Float32: groupAdvantage[float32], Float64: groupAdvantage[float64], Request: requestAdvantage,
		Right: append(objectives(), eagerObjectives("grpo.advantage")...),
	})
}

// grouped is grpo.advantage.
type grouped[T emulate.Number] struct {
	*batch[T]
	rewards []T
	std     string
	eps     float64
}

// groupAdvantage computes advantages of outputs, in the type of rewards.
func groupAdvantage[T emulate.Number](j *emulate.Job) {
	ids := j.LoadInts("group")
	g := &grouped[T]{
		batch: newRows[T](j, len(ids), 1), rewards: emulate.Load[T](j, "rewards"), std: j.Word("std"),
		eps: j.Float("eps"),
	}
	var order []int
	members := map[int][]int{}
	for i, id := range ids {
		if members[id] == nil {
			order = append(order, id)
		}
		members[id] = append(members[id], i)
	}
	advantage := make([]T, len(ids))
	for _, id := range order {
		g.normalize(members[id], advantage)
	}
	if j.Makes("group-over-batch") {
		right := slices.Clone(advantage)
		g.normalize(emulate.Indices(len(ids)), advantage)
		j.Show(!slices.Equal(advantage, right))
	}
	emulate.Store(j, "advantage", j.Recording.Type("rewards"), advantage)
}

// normalize computes the advantages of one group.
func (g *grouped[T]) normalize(outputs []int, advantage []T) {
	x := emulate.Picked(g.rewards, outputs)
	mean := g.mean(x)
	if len(x) == 1 && !g.Makes("group-of-one-centred") {
		mean = 0
	}
	g.Show(g.Makes("group-of-one-centred") && len(x) == 1 && mean != 0)
	if g.Makes("mean-missing") {
		g.Show(mean != 0)
		mean = 0
	}
	for k := range x {
		x[k] = g.kept(x[k] - mean)
	}
	divisor := g.divisor(x)
	for k, i := range outputs {
		if x[k] != 0 {
			advantage[i] = g.kept(x[k] / divisor)
		}
	}
}

// divisor returns what centred rewards are divided by.
func (g *grouped[T]) divisor(x []T) T {
	spread := len(x) > 1 && g.sums.Dot(x, x) != 0
	std, eps := g.conventions()
	g.Show(spread && (std != g.std || eps != g.eps && std != "none"))
	n := len(x)
	switch {
	case std == "none":
		return 1
	case n == 1:
		return 1 + T(eps)
	case std == "sample":
		n--
	}
	variance := g.kept(g.sums.Dot(x, x) / T(n))
	if g.Makes("eps-inside-root") {
		g.Show(spread && eps != 0)
		return T(math.Sqrt(float64(variance + T(eps))))
	}
	return g.kept(g.kept(T(math.Sqrt(float64(variance)))) + T(eps))
}

// conventions returns which deviation and what beside it rewards are divided by.
func (g *grouped[T]) conventions() (std string, eps float64) {
	std, eps = g.std, g.eps
	switch g.Mistake {
	case "std-ddof":
		std = map[string]string{"population": "sample", "sample": "population", "none": "none"}[std]
	case "std-missing":
		std = "none"
	case "std-always":
		if std == "none" {
			std = "population"
		}
	case "eps-default":
		eps = 1e-4
	}
	return std, eps
}

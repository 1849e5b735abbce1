package emulate

import (
	"math"
	"slices"
)

func init() {
	register("grpo.advantage", kernel{
		float32: groupAdvantage[float32], float64: groupAdvantage[float64], request: (*maker).groupAdvantage,
		right: append(objectives(), eagerObjectives("grpo.advantage")...),
	})
}

// grouped is grpo.advantage.
type grouped[T number] struct {
	*batch[T]
	rewards []T
	std     string
	eps     float64
}

// groupAdvantage computes advantages of outputs, in the type of rewards.
func groupAdvantage[T number](j *job) {
	ids := j.loadInts("group")
	g := &grouped[T]{
		batch: newRows[T](j, len(ids), 1), rewards: load[T](j, "rewards"), std: j.Word("std"),
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
	if j.makes("group-over-batch") {
		right := slices.Clone(advantage)
		g.normalize(indices(len(ids)), advantage)
		j.show(!slices.Equal(advantage, right))
	}
	store(j, "advantage", j.rec.Type("rewards"), advantage)
}

// normalize computes the advantages of one group.
func (g *grouped[T]) normalize(outputs []int, advantage []T) {
	x := picked(g.rewards, outputs)
	mean := g.mean(x)
	if len(x) == 1 && !g.makes("group-of-one-centred") {
		mean = 0
	}
	g.show(g.makes("group-of-one-centred") && len(x) == 1 && mean != 0)
	if g.makes("mean-missing") {
		g.show(mean != 0)
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
	spread := len(x) > 1 && g.sums.dot(x, x) != 0
	std, eps := g.conventions()
	g.show(spread && (std != g.std || eps != g.eps && std != "none"))
	n := len(x)
	switch {
	case std == "none":
		return 1
	case n == 1:
		return 1 + T(eps)
	case std == "sample":
		n--
	}
	variance := g.kept(g.sums.dot(x, x) / T(n))
	if g.makes("eps-inside-root") {
		g.show(spread && eps != 0)
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

// indices returns 0 … n−1.
func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

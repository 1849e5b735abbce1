package emulated

import (
	"math"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("grpo.advantage", emulate.Kernel{
		Float32: groupAdvantage[float32], Float64: groupAdvantage[float64], Request: requestAdvantage,
		Right:      append(objectives(), eagerObjectives("grpo.advantage")...),
		Quantities: ofOutputs.have(groupMeans, groupDivisors, centredRewards),
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
	g.spoilIDs(ids)
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
		g.normalize(members[id], members[id], advantage)
	}
	g.spoilGroups(order, members, advantage)
	emulate.Store(j, "advantage", j.Recording.Type("rewards"), advantage)
}

// spoilIDs makes the mistake of groups that are runs of neighbours with one number.
func (g *grouped[T]) spoilIDs(ids []int) {
	if !g.Makes("groups-of-neighbours") {
		return
	}
	seen, run := map[int]bool{}, -1
	for i, last := 0, 0; i < len(ids); i++ {
		if id := ids[i]; i == 0 || id != last {
			g.Show(seen[id])
			run, seen[id], last = run+1, true, id
		}
		ids[i] = run
	}
}

// spoilGroups makes the mistakes with who belongs to a group.
func (g *grouped[T]) spoilGroups(order []int, members map[int][]int, advantage []T) {
	right, all := slices.Clone(advantage), emulate.Indices(len(advantage))
	switch {
	case g.Makes("group-over-batch"):
		g.normalize(all, all, advantage)
		g.Show(!slices.Equal(advantage, right))
	case g.Makes("whitened-again"):
		g.whiten(advantage)
		g.Show(!slices.Equal(advantage, right))
	case g.Makes("ids-ignored"):
		for i := range order {
			group := all[i*len(all)/len(order) : (i+1)*len(all)/len(order)]
			g.normalize(group, group, advantage)
		}
		g.Show(!slices.Equal(advantage, right))
	case g.Makes("groups-tiled"):
		for i := range all {
			g.normalize([]int{i}, members[order[i%len(order)]], advantage)
		}
		g.Show(!slices.Equal(advantage, right))
	}
}

// whiten makes the mistake of advantages that are normalised once more, all together.
func (g *grouped[T]) whiten(advantage []T) {
	mean := g.mean(advantage)
	x := g.centred(advantage, mean)
	over := root(g.sums.Dot(x, x)/T(max(len(x)-1, 1))) + 1e-8
	for i := range x {
		advantage[i] = x[i] / over
	}
}

// normalize computes the advantages of outputs by the statistics of a group, theirs.
func (g *grouped[T]) normalize(outputs, group []int, advantage []T) {
	mean, divisor := g.statistics(group)
	for _, i := range outputs {
		if g.place = i; g.Makes("statistics-without-own") && len(group) > 2 {
			mean, divisor = g.ofOthers(group, i)
		}
		if x := g.passed(centredRewards, g.kept(g.rewards[i]-g.passed(groupMeans, mean))); x != 0 {
			advantage[i] = g.kept(x / g.passed(groupDivisors, divisor))
		} else {
			advantage[i] = 0
		}
		if g.Makes("mean-alone-divided") {
			g.Show(mean != 0 && divisor != 1)
			advantage[i] = g.rewards[i] - mean/divisor
		}
		if n := T(len(group)); g.Makes("mean-without-own") && n > 1 {
			g.Show(advantage[i] != 0)
			advantage[i] *= n / (n - 1)
		}
	}
}

// ofOthers makes the mistake of statistics of a group without output i.
func (g *grouped[T]) ofOthers(group []int, i int) (mean, divisor T) {
	others := slices.DeleteFunc(slices.Clone(group), func(k int) bool { return k == i })
	x, all := emulate.Picked(g.rewards, others), emulate.Picked(g.rewards, group)
	g.Show(slices.Min(all) != slices.Max(all))
	mean = g.mean(x)
	return mean, g.divisor(g.centred(x, mean))
}

// statistics returns the mean of a group and what its rewards less the mean are divided by.
func (g *grouped[T]) statistics(group []int) (mean, divisor T) {
	x := emulate.Picked(g.rewards, group)
	mean = g.mean(x)
	if len(x) == 1 && !g.Makes("group-of-one-centred") {
		mean = 0
	}
	g.Show(g.Makes("group-of-one-centred") && len(x) == 1 && mean != 0)
	if g.Makes("mean-missing") {
		g.Show(mean != 0)
		mean = 0
	}
	if g.Makes("mean-of-batch") {
		right, batch := mean, g.mean(g.rewards)
		g.Show(batch != right)
		return batch, g.divisor(g.centred(x, mean))
	}
	if g.Makes("deviation-of-batch") && g.std != "none" {
		g.Show(len(x) < len(g.rewards) && mean != g.mean(g.rewards))
		return mean, g.divisor(g.centred(g.rewards, g.mean(g.rewards)))
	}
	divisor = g.divisor(g.centred(x, g.centre(mean)))
	if g.Makes("variance-by-moments") && g.std != "none" && len(x) > 1 {
		return mean, g.byMoments(x, mean, divisor)
	}
	return mean, divisor
}

// centre returns what a deviation is from: the mean; by mistake 0.
func (g *grouped[T]) centre(mean T) T {
	if !g.Makes("deviation-from-zero") || g.std == "none" {
		return mean
	}
	g.Show(mean != 0)
	return 0
}

// byMoments makes the mistake of a variance that is the mean of squares less the square of the
// mean, of which nothing may be left.
func (g *grouped[T]) byMoments(x []T, mean, right T) T {
	n, ddof := T(len(x)), T(0)
	if g.std == "sample" {
		ddof = 1
	}
	variance := (emulate.Round(dtype.F32, g.sums.Dot(x, x)/n) - emulate.Round(dtype.F32, mean*mean)) * n / (n - ddof)
	wrong := root(max(variance, 0)) + T(g.eps)
	g.Show(math.Abs(float64(wrong-right)) > 1e-2*float64(right))
	return wrong
}

func (g *grouped[T]) centred(x []T, mean T) []T {
	y := make([]T, len(x))
	for k := range x {
		y[k] = g.kept(x[k] - mean)
	}
	return y
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
	case n == 1 && g.Makes("group-of-one-nan"):
		g.Show(x[0] != 0)
		return T(math.NaN())
	case n == 1:
		return 1 + T(eps)
	case std == "sample":
		n--
	}
	variance := g.kept(g.sums.Dot(x, x) / T(n))
	switch {
	case g.Makes("eps-inside-root"):
		g.Show(spread && eps != 0)
		return root(variance + T(eps))
	case g.Makes("root-missing"):
		g.Show(spread)
		return variance + T(eps)
	}
	return g.kept(g.kept(root(variance)) + T(eps))
}

func root[T emulate.Number](x T) T { return T(math.Sqrt(float64(x))) }

// conventions returns which deviation and what beside it rewards are divided by.
func (g *grouped[T]) conventions() (std string, eps float64) {
	std, eps = g.std, g.eps
	switch {
	case g.First("std-ddof"):
		std = map[string]string{"population": "sample", "sample": "population", "none": "none"}[std]
	case g.First("std-missing"):
		std = "none"
	case g.First("std-always"):
		if std == "none" {
			std = "population"
		}
	case g.First("eps-default"):
		eps = 1e-4
	case g.First("eps-missing"):
		eps = 0
	}
	return std, eps
}

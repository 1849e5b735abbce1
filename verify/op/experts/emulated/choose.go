package emulated

import (
	"math/rand/v2"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/verify/emulate"
)

// ranked returns what experts are chosen by: scores and the bias.
func (g *gate[T]) ranked(scores []T) []T {
	ranked := slices.Clone(scores)
	for e, b := range g.bias {
		switch {
		case g.makes("bias-missing"), g.makes("bias-on-logits"):
			b = 0
		case g.makes("bias-bf16"):
			b = emulate.Round(dtype.BF16, b)
		}
		ranked[e] += b
	}
	if g.Scores == g.Recording.Type("bias") {
		ranked = each(ranked, g.rounded)
	}
	if g.makes("ties-by-epsilon") {
		for e := range ranked {
			ranked[e] -= T(3e-7) * T(e)
		}
	}
	return ranked
}

// choose returns the experts of a token, best first, by what ranks them: their scores with the
// bias, or where a mistake is made without.
func (g *gate[T]) choose(ranked, scores []T) []int {
	candidates := g.candidates(ranked, scores)
	if g.makes("bias-of-groups-only") {
		ranked = scores
	}
	ranked = g.pass(ranking, g.n, slices.Clone(ranked))
	if g.makes("groups-masked-with-zero") {
		ranked, candidates = masked(ranked, candidates), emulate.Indices(g.E)
	}
	switch {
	case g.makes("last-choice-lost") && len(candidates) > g.K:
		chosen := g.best(ranked, candidates, g.K+1)
		slices.Sort(chosen)
		return chosen[:g.K]
	case g.makes("choice-by-group") && g.groups > 1:
		return g.fromEach(ranked, candidates)
	case g.makes("expert-twice"):
		return g.withRepeats(ranked, candidates)
	}
	return g.searched(g.best(ranked, candidates, g.K), ranked)
}

// candidates returns the experts that may be chosen.
func (g *gate[T]) candidates(ranked, scores []T) []int {
	by := ranked
	if g.makes("group-score-unbiased") {
		by = scores
	}
	return g.members(g.pass(grouping, g.n, slices.Clone(by)))
}

// numbered makes the mistakes of ids that are places: among the experts of the kept groups, or
// within a group.
func (g *gate[T]) numbered(chosen []int, ranked, scores []T) []int {
	switch {
	case g.groups == 1:
	case g.makes("ids-of-candidates"):
		candidates := g.candidates(ranked, scores)
		return each(chosen, func(e int) int { return slices.Index(candidates, e) })
	case g.makes("ids-within-groups"):
		return each(chosen, func(e int) int { return e % (g.E / g.groups) })
	}
	return chosen
}

// searched makes the mistakes of a search for the best that begins at 0 or −1 and expert 0, which
// no score below beats, and of one that finds the first of scores that tie.
func (g *gate[T]) searched(chosen []int, ranked []T) []int {
	found := slices.Clone(chosen)
	for k, e := range chosen {
		switch {
		case g.makes("search-begins-at-zero") && ranked[e] < 0, g.makes("search-begins-at-minus-one") && ranked[e] < -1:
			found[k] = 0
		case g.makes("found-by-score"):
			same := func(of int) bool { return ranked[of] == ranked[e] }
			found[k] = chosen[slices.IndexFunc(chosen, same)]
		}
	}
	return found
}

// masked returns scores, 0 for those of experts that are no candidates.
func masked[T emulate.Number](scores []T, candidates []int) []T {
	x := make([]T, len(scores))
	for _, e := range candidates {
		x[e] = scores[e]
	}
	return x
}

// fromEach takes as many experts of one kept group as of another, each the best of its own.
func (g *gate[T]) fromEach(ranked []T, candidates []int) (chosen []int) {
	size, share := len(candidates)/g.kept, (g.K+g.kept-1)/g.kept
	for i := range g.kept {
		chosen = append(chosen, g.best(ranked, candidates[i*size:][:size], share)...)
	}
	return chosen[:g.K]
}

// withRepeats takes a chosen expert out of the choice by writing 0 in its place, which is the
// largest again where what is left is negative.
func (g *gate[T]) withRepeats(ranked []T, candidates []int) (chosen []int) {
	left := slices.Clone(ranked)
	for range g.K {
		e := g.best(left, candidates, 1)[0]
		chosen, left[e] = append(chosen, e), 0
	}
	return chosen
}

// members returns the experts that may be chosen: all, or those of the best groups.
func (g *gate[T]) members(ranked []T) (experts []int) {
	if g.groups == 1 || g.makes("groups-missing") {
		return emulate.Indices(g.E)
	}
	scores := make([]T, g.groups)
	for i := range scores {
		scores[i] = g.groupScore(emulate.Picked(ranked, g.inGroup(i)))
	}
	emulate.Pass(g.Job, groupScores, g.n*g.groups, scores)
	if g.makes("groups-inverted") {
		scores = each(scores, func(s T) T { return -s })
	}
	for _, i := range g.best(scores, emulate.Indices(g.groups), g.kept) {
		experts = append(experts, g.inGroup(i)...)
	}
	slices.Sort(experts)
	return experts
}

// inGroup returns the experts of group i, which stand one behind the other.
func (g *gate[T]) inGroup(i int) []int {
	experts := make([]int, g.E/g.groups)
	for e := range experts {
		experts[e] = i*len(experts) + e
		if g.makes("groups-strided") {
			experts[e] = e*g.groups + i
		}
	}
	return experts
}

// groupScore returns the sum of the best scores of a group.
func (g *gate[T]) groupScore(group []T) T {
	best, rule := 2, g.Word("group_score")
	switch {
	case g.makes("group-score-max"):
		rule = "max"
	case g.makes("group-score-top2"):
		rule = "top2"
	}
	switch rule {
	case "max":
		best = 1
	case "share":
		best = (g.K + g.kept - 1) / g.kept
	}
	if g.makes("group-score-mean") {
		best = len(group)
	}
	picked := emulate.Picked(group, g.best(group, emulate.Indices(len(group)), min(best, len(group))))
	return g.rounded(g.scalars.Sum(picked))
}

// best returns the k candidates of the highest scores, best first. Equal scores go to the lower
// index, or where the configuration says so to the higher.
func (g *gate[T]) best(scores []T, candidates []int, k int) []int {
	order := slices.Clone(candidates)
	if g.TiesLast {
		slices.Reverse(order)
	}
	slices.SortStableFunc(order, func(a, b int) int { return descending(scores[a], scores[b]) })
	return order[:k]
}

// descending orders the larger number first, and NaN before all.
func descending[T emulate.Number](a, b T) int {
	switch {
	case a > b, a != a && b == b:
		return -1
	case a < b, b != b && a == a:
		return 1
	}
	return 0
}

// arranged returns the slots of token n in the order of the configuration.
func arranged[T emulate.Number](j *emulate.Job, n int, r route[T]) []int {
	slots := emulate.Indices(len(r.experts))
	switch j.Slots {
	case emulate.Backwards:
		slices.Reverse(slots)
	case emulate.ByExpert:
		slices.SortStableFunc(slots, func(a, b int) int { return r.experts[a] - r.experts[b] })
	case emulate.ByWeight:
		slices.SortStableFunc(slots, func(a, b int) int { return descending(r.weights[a], r.weights[b]) })
	case emulate.AtRandom:
		rng := rand.New(rand.NewPCG(j.Seed, uint64(n)))
		rng.Shuffle(len(slots), func(a, b int) { slots[a], slots[b] = slots[b], slots[a] })
	}
	return slots
}

package moe

import (
	"cmp"
	"math"
	"reflect"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"plumbline/internal/check"
)

// same demands equal integers, in one order.
func same(t check.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestTopK(t *testing.T) {
	inf := math.Inf(1)
	for name, c := range map[string]struct {
		scores []float64
		want   []int
	}{
		"the best comes first":                            {[]float64{1, 3, 2, 0}, []int{1, 2, 0}},
		"ties go to the lower index":                      {[]float64{5, 7, 7, 7, 5}, []int{1, 2, 3}},
		"all equal are the first k":                       {[]float64{4, 4, 4, 4}, []int{0, 1, 2}},
		"−0 ties with 0":                                  {[]float64{math.Copysign(0, -1), 0, 0}, []int{0, 1, 2}},
		"all of them are sorted":                          {[]float64{2, 3, 1}, []int{1, 0, 2}},
		"−∞ comes after everything else":                  {[]float64{-inf, -1e308, -5, -inf}, []int{2, 1, 0}},
		"where only −∞ is left, still nothing twice":      {[]float64{-inf, -inf, 1, -inf}, []int{2, 0, 1}},
		"and where there is nothing else, the first come": {[]float64{-inf, -inf, -inf}, []int{0, 1, 2}},
		"NaN is above all, as in PyTorch":                 {[]float64{inf, math.NaN(), 1, math.NaN()}, []int{1, 3, 0}},
	} {
		t.Run(name, func(t *testing.T) { same(t, "chosen", TopK(c.scores, 3), c.want) })
	}
	t.Run("k of 0 chooses nothing", func(t *testing.T) { same(t, "chosen", TopK([]float64{1}, 0), []int{}) })
	t.Run("more than there is are refused", func(t *testing.T) {
		check.Panics(t, badTopK, func() { TopK([]float64{1, 2}, 3) })
		check.Panics(t, badTopK, func() { TopK([]float64{1, 2}, -1) })
	})
	t.Run("it is the head of a stable sort", rapid.MakeCheck(func(t *rapid.T) {
		scores := rapid.SliceOfN(rapid.SampledFrom([]float64{-inf, -1, 0, 0.5, 2}), 1, 12).Draw(t, "scores")
		k := rapid.IntRange(0, len(scores)).Draw(t, "k")
		sorted := make([]int, len(scores))
		for i := range sorted {
			sorted[i] = i
		}
		slices.SortStableFunc(sorted, func(a, b int) int {
			return cmp.Compare(scores[b], scores[a])
		})
		same(t, "chosen", TopK(scores, k), sorted[:k])
	}))
	t.Run("experts that are renamed are chosen under their new names", rapid.MakeCheck(func(t *rapid.T) {
		scores := rapid.SliceOfNDistinct(rapid.Float64(), 2, 9, rapid.ID).Draw(t, "scores")
		reversed := slices.Clone(scores)
		slices.Reverse(reversed)
		want := TopK(scores, 2)
		for k := range want {
			want[k] = len(scores) - 1 - want[k]
		}
		same(t, "chosen", TopK(reversed, 2), want)
	}))
}

func TestTopKRows(t *testing.T) {
	t.Run("every row is chosen from by itself", func(t *testing.T) {
		same(t, "chosen", TopKRows(mat.NewDense(2, 3, []float64{1, 2, 3, 3, 2, 1}), 2), [][]int{{2, 1}, {0, 1}})
	})
}

func TestGroupScores(t *testing.T) {
	scores := []float64{3, 1, 2, 9, 0, 0, 4, 4, 4}
	t.Run("max, two best, three best of each group", func(t *testing.T) {
		check.NearAll(t, "max", GroupScoresMax(scores, 3), []float64{3, 9, 4}, 0)
		check.NearAll(t, "top 2", GroupScoresTop2(scores, 3), []float64{5, 9, 8}, 0)
		check.NearAll(t, "top 3", GroupScoresShare(scores, 3, 3), []float64{6, 9, 12}, 0)
	})
	t.Run("the three rules keep different groups", func(t *testing.T) {
		for n, want := range map[int][]int{1: {1, 2}, 2: {1, 2}, 3: {2, 1}} {
			same(t, "kept", TopK(GroupScoresShare(scores, 3, n), 2), want)
		}
		same(t, "max", TopK(GroupScoresMax([]float64{9, 0, 5, 5}, 2), 1), []int{0})
		same(t, "top 2", TopK(GroupScoresTop2([]float64{9, 0, 5, 5}, 2), 1), []int{1})
	})
	t.Run("a share of K/M is two for DeepSeek-V3's 8 experts in 4 groups, and one is the maximum", func(t *testing.T) {
		x := check.Random(1, 256, 1)
		check.NearAll(t, "top 2", GroupScoresShare(x, 8, 8/4), GroupScoresTop2(x, 8), 0)
		check.NearAll(t, "max", GroupScoresShare(x, 8, 1), GroupScoresMax(x, 8), 0)
	})
	t.Run("groups of one expert are the experts", func(t *testing.T) {
		check.NearAll(t, "max", GroupScoresMax(scores, 9), scores, 0)
		check.NearAll(t, "top 2", GroupScoresTop2(scores, 9), scores, 0)
	})
	t.Run("experts that do not fill the groups are refused", func(t *testing.T) {
		check.Panics(t, badGroups, func() { GroupScoresMax(scores, 2) })
		check.Panics(t, badGroups, func() { GroupScoresTop2(scores, 0) })
		check.Panics(t, badGroups, func() { LimitGroups(scores, 4, nil) })
	})
}

func TestLimitGroups(t *testing.T) {
	inf := math.Inf(1)
	t.Run("kept groups stay, the others are out of the choice", func(t *testing.T) {
		check.NearAll(
			t, "s′", LimitGroups([]float64{1, 2, 3, 4, 5, 6}, 3, []int{2, 0}), []float64{1, 2, -inf, -inf, 5, 6}, 0,
		)
	})
	t.Run("masking with 0 chooses an expert of a dropped group, −∞ does not", func(t *testing.T) {
		// s + b = (.05, −.2, −.1, −.2): the groups sum to −.15 and −.3, and group 0 is kept. A 0 in
		// the place of expert 2 is above the −.2 of expert 1.
		ranked := BiasedScores([]float64{.9, .1, .8, .2}, []float64{-.85, -.3, -.9, -.4})
		groups := GroupScoresTop2(ranked, 2)
		check.NearAll(t, "group scores", groups, []float64{-.15, -.3}, 4*u)
		limited := LimitGroups(ranked, 2, TopK(groups, 1))
		same(t, "−∞", TopK(limited, 2), []int{0, 1})
		masked := slices.Clone(ranked)
		masked[2], masked[3] = 0, 0
		same(t, "0", TopK(masked, 2), []int{0, 2})
	})
	t.Run("above 0 both masks choose the same", rapid.MakeCheck(func(t *rapid.T) {
		scores := rapid.SliceOfN(rapid.Float64Range(0.001, 1), 8, 8).Draw(t, "scores")
		masked := LimitGroups(scores, 4, []int{1, 3})
		want := TopK(masked, 4)
		for i, s := range masked {
			masked[i] = max(s, 0)
		}
		same(t, "chosen", TopK(masked, 4), want)
	}))
}

package verdict

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// TestOrder: things sorted by class, those of one class in order, those without one left out.
func TestOrder(t *testing.T) {
	o := NewOrder("pair", "expert", []int{2, 0, -1, 2, 0, 1})
	if want := []float64{1, 4, 5, 0, 3}; !slices.Equal(o.Want, want) {
		t.Fatalf("order %v, want %v", o.Want, want)
	}
	for _, c := range []struct {
		name string
		got  []float64
		says string // "": explained
	}{
		{"the order itself", []float64{1, 4, 5, 0, 3}, ""},
		{"two of one expert exchanged", []float64{4, 1, 5, 0, 3}, "the sort is not stable"},
		{
			"two of one expert exchanged, row by row", []float64{4, 1, 5, 0, 3},
			"pair 4 where 1 belongs, of the same expert 0",
		},
		{"two of different experts", []float64{1, 5, 4, 0, 3}, "pair 5 of expert 1 where 4 of expert 0 belongs"},
		{"one twice", []float64{1, 4, 5, 0, 0}, "pair 0 is there twice, pair 3 never"},
		{"one that is left out", []float64{1, 4, 5, 0, 2}, "pair 2 has no expert"},
		{"out of range", []float64{1, 4, 5, 0, 6}, "6 is out of range, of 6"},
		{"negative", []float64{1, 4, 5, 0, -1}, "-1 is out of range"},
		{"no number", []float64{1, 4, 5, 0, math.NaN()}, "NaN is out of range"},
	} {
		out := Judge(Expected{Name: "order", Type: dtype.I32, Choice: o}, tensor.Of(c.got, 5))
		said := strings.Join(out.Reasons, "; ")
		if (c.says == "") != (out.Status == Explained) || !strings.Contains(said, c.says) {
			t.Errorf("%s: %v %q, want %q", c.name, out.Status, said, c.says)
		}
	}
}

// TestInverseOrder: the inverse permutation is named, where it is not the order itself.
func TestInverseOrder(t *testing.T) {
	o := NewOrder("pair", "expert", []int{2, 0, 1, 1})
	inverse := make([]float64, 4)
	for place, x := range o.Want {
		inverse[int(x)] = float64(place)
	}
	out := Judge(Expected{Name: "order", Type: dtype.I32, Choice: o}, tensor.Of(inverse, 4))
	if !strings.Contains(strings.Join(out.Reasons, ""), "the inverse of what is wanted") {
		t.Errorf("%v %v", out.Status, out.Reasons)
	}
}

// TestOtherSets: the sets that TopK names beside the best are all that Judge takes, and no other.
func TestOtherSets(t *testing.T) {
	const n, k, groups = 8, 3, 4
	found := 0
	for seed := range uint64(check.Times(300, 60)) {
		rng := rand.New(rand.NewPCG(seed, 3))
		c := &TopK{N: 1, E: n, K: k, Groups: groups, TopGroups: 2}
		if seed%3 == 0 {
			c.Groups, c.TopGroups = 1, 1
		}
		for range n {
			c.Scores, c.Bounds = append(c.Scores, float64(rng.IntN(6))), append(c.Bounds, 0.6*rng.Float64())
		}
		for range c.Groups {
			c.GroupScores = append(c.GroupScores, float64(rng.IntN(6)))
			c.GroupBounds = append(c.GroupBounds, 0.6*rng.Float64())
		}
		sets, all := c.Others(0, 1000)
		if !all {
			t.Fatalf("seed %d: not all", seed)
		}
		found += len(sets)
		compareSets(t, c, sets)
	}
	if found < 50 {
		t.Errorf("%d sets in all", found)
	}
}

// compareSets judges every set of experts there is.
func compareSets(t *testing.T, c *TopK, sets [][]int) {
	t.Helper()
	best := c.Best(0)
	slices.Sort(best)
	for mask := range 1 << c.E {
		var set []int
		var got []float64
		for e := range c.E {
			if mask>>e&1 == 1 {
				set, got = append(set, e), append(got, float64(e))
			}
		}
		if len(set) != c.K {
			continue
		}
		right := c.Judge(0, got).Grade != Wrong
		named := slices.Equal(set, best) || slices.ContainsFunc(sets, func(s []int) bool {
			return slices.Equal(s, set)
		})
		if right != named {
			t.Errorf("%+v: %v is right: %v, and named: %v", c, set, right, named)
		}
	}
}

// TestTooManySets: of scores that are all equal no more sets are looked for than asked.
func TestTooManySets(t *testing.T) {
	c := &TopK{N: 1, E: 256, K: 8, Scores: make([]float64, 256), Bounds: make([]float64, 256)}
	if sets, all := c.Others(0, 16); all || len(sets) > 17 {
		t.Errorf("%d sets, all: %v", len(sets), all)
	}
	c.Scores[3] = math.NaN()
	if sets, all := c.Others(0, 16); !all || len(sets) != 0 {
		t.Errorf("of scores without an order: %d sets, all: %v", len(sets), all)
	}
}

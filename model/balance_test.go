package model

import (
	"math"
	"slices"
	"testing"

	"plumbline/internal/check"
)

func highest(load []float64, replicas []int) float64 {
	most := 0.0
	for i := range load {
		most = max(most, load[i]/float64(replicas[i]))
	}
	return most
}

// least returns the smallest highest load of all ways to fill slots, one for each expert at least.
func least(load []float64, slots int) float64 {
	if len(load) == 1 {
		return load[0] / float64(slots)
	}
	best := math.Inf(1)
	for r := 1; r <= slots-len(load)+1; r++ {
		best = min(best, max(load[0]/float64(r), least(load[1:], slots-r)))
	}
	return best
}

func TestReplicate(t *testing.T) {
	t.Run("as many slots as experts give each one", func(t *testing.T) {
		if got := Replicate([]float64{5, 1, 3}, 3); !slices.Equal(got, []int{1, 1, 1}) {
			t.Error(got)
		}
	})
	t.Run("equal loads have replicas spread evenly, the first ones first", func(t *testing.T) {
		if got := Replicate([]float64{2, 2, 2, 2}, 10); !slices.Equal(got, []int{3, 3, 2, 2}) {
			t.Error(got)
		}
	})
	t.Run("loads in whole proportion have replicas in it", func(t *testing.T) {
		if got := Replicate([]float64{8, 4, 2, 2}, 8); !slices.Equal(got, []int{4, 2, 1, 1}) {
			t.Error(got)
		}
	})
	t.Run("no other choice has a smaller highest load, and a slot more never a larger one", func(t *testing.T) {
		load := []float64{7, 1, 3.5, 11, 0}
		before := math.Inf(1)
		for slots := len(load); slots < 16; slots++ {
			got := highest(load, Replicate(load, slots))
			check.Near(t, "highest", got, least(load, slots), 0)
			if got > before {
				t.Errorf("%v with %d slots, %v with one fewer", got, slots, before)
			}
			before = got
		}
	})
}

func TestPack(t *testing.T) {
	t.Run("the heaviest lie apart, and all packs have as many items", func(t *testing.T) {
		pack := Pack([]float64{1, 9, 2, 8}, 2)
		if !slices.Equal(pack, []int{0, 0, 1, 1}) {
			t.Error(pack)
		}
	})
	t.Run("a pack that is full takes no more, however light it is", func(t *testing.T) {
		if pack := Pack([]float64{10, 1, 1, 1}, 2); !slices.Equal(pack, []int{0, 1, 1, 0}) {
			t.Error(pack)
		}
	})
	t.Run("one item a pack is each its own", func(t *testing.T) {
		if pack := Pack([]float64{1, 3, 2}, 3); !slices.Equal(pack, []int{2, 0, 1}) {
			t.Error(pack)
		}
	})
}

func TestGPULoads(t *testing.T) {
	load := []float64{8, 4, 2, 2}
	t.Run("nothing is lost", func(t *testing.T) {
		sum := 0.0
		for _, l := range GPULoads(load, 6, 3) {
			sum += l
		}
		check.Near(t, "sum", sum, 16, 1e-14)
	})
	t.Run("redundant experts level loads in proportion", func(t *testing.T) {
		check.Near(t, "without", Imbalance(GPULoads(load, 4, 4)), 2, 0)
		check.Near(t, "with as many again", Imbalance(GPULoads(load, 8, 4)), 1, 0)
	})
	t.Run("an even load has 1", func(t *testing.T) { check.Near(t, "even", Imbalance([]float64{3, 3}), 1, 0) })
}

func TestNodesOfToken(t *testing.T) {
	t.Run("one expert is on one node, all experts are on all", func(t *testing.T) {
		check.Near(t, "one", NodesOfToken(256, 8, 1), 1, 1e-12)
		check.Near(t, "all", NodesOfToken(8, 4, 8), 4, 0)
	})
	t.Run("2 of 4 experts on 2 nodes: both on one in 2 of 6 choices", func(t *testing.T) {
		check.Near(t, "nodes", NodesOfToken(4, 2, 2), 1*2./6+2*4./6, 1e-15)
	})
	t.Run("without the limit of 4 nodes DeepSeek-V3's tokens would go to more than 5", func(t *testing.T) {
		check.Near(t, "nodes", NodesOfToken(256, 8, 8), 5.29, 0.01)
	})
}

func TestAffordableExperts(t *testing.T) {
	check.Near(t, "printed as 13", AffordableExperts(4, 160, 50), 12.8, 1e-12)
}

func TestBadBalanceIsRefused(t *testing.T) {
	for name, f := range map[string]func(){
		"fewer slots than experts": func() { Replicate([]float64{1, 2}, 1) },
		"no experts":               func() { Replicate(nil, 1) },
		"packs that are not alike": func() { Pack([]float64{1, 2, 3}, 2) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

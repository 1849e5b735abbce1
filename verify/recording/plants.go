package recording

import (
	"cmp"
	"slices"
)

// plant is what an edit writes: n elements from first on.
type plant struct {
	first, n, order int
	value           float64
}

// plants holds edits by how many axes they fix, each list by place. Edits that fix the same number
// of axes write the same elements or other ones, so that of those at one place only the last
// counts, and what a part of a tensor meets is found without looking at all edits.
type plants [][]plant

// plants returns the edits of a recipe that check has accepted.
func (rc *Recipe) plants() plants {
	ps := make(plants, len(rc.Shape)+1)
	for order, e := range rc.Edits {
		first, n := rc.reach(e)
		axes := len(e.Index)
		ps[axes] = append(ps[axes], plant{first, n, order, rc.Type.FromBits(rc.Type.Bits(e.Value))})
	}
	for axes, list := range ps {
		slices.SortFunc(list, func(a, b plant) int { return cmp.Or(a.first-b.first, b.order-a.order) })
		ps[axes] = slices.CompactFunc(list, func(a, b plant) bool { return a.first == b.first })
	}
	return ps
}

// apply writes the edits into x, which begins at element offset.
func (ps plants) apply(x []float64, offset int) {
	for _, p := range ps.within(offset, offset+len(x)) {
		for i := max(p.first, offset); i < min(p.first+p.n, offset+len(x)); i++ {
			x[i-offset] = p.value
		}
	}
}

// within returns the edits of elements from … to−1, in their order.
func (ps plants) within(from, to int) []plant {
	var found []plant
	for _, list := range ps {
		i, _ := slices.BinarySearchFunc(list, from, func(p plant, from int) int {
			if p.first+p.n <= from {
				return -1
			}
			return 1
		})
		for ; i < len(list) && list[i].first < to; i++ {
			found = append(found, list[i])
		}
	}
	slices.SortFunc(found, func(a, b plant) int { return a.order - b.order })
	return found
}

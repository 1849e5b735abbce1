package verdict

import (
	"slices"

	"plumbline/numbers/tensor"
)

// Part says of an output that it is a part of a larger one: some of the entries of each axis.
type Part struct {
	Places [][]int // of each axis, where its entries are in the whole
	Of     []int   // the shape of the whole
}

// at returns an index on the axes from first on as that of the whole.
func (p *Part) at(first int, index []int) []int {
	if p == nil {
		return index
	}
	whole := make([]int, len(index))
	for a, i := range index {
		whole[a] = p.Places[first+a][i]
	}
	return whole
}

// names returns what axes are called along which entries are counted from the first of the part:
// "part's row", so that nobody takes its number for that of a row of the whole.
func (p *Part) names(axes []string) []string {
	if p == nil {
		return axes
	}
	named := slices.Clone(axes)
	for a, places := range p.Places {
		if !slices.Equal(places, between(0, len(places))) {
			named[a] = "part's " + named[a]
		}
	}
	return named
}

// extents returns the lengths of the axes from first on as those of the whole.
func (p *Part) extents(first int, shape []int) []int {
	if p == nil {
		return shape
	}
	return p.Of[first : first+len(shape)]
}

// index returns which index selects a part of a family, in the whole output.
func (fam family) index(p int) []int { return fam.in.at(fam.first, tensor.Unravel(p, fam.shape)) }

// extents returns how many of these there are.
func (fam family) extents() []int { return fam.in.extents(fam.first, fam.shape) }

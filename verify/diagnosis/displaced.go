package diagnosis

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"plumbline/internal/parallel"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// displacedCandidates are outputs that hold in some places what belongs elsewhere, as far from
// there along each axis as recorded elements themselves vote for: the tile before, of the head
// before.
func (v *view) displacedCandidates() (all []candidate) {
	for _, by := range v.displacements() {
		if steps(by) == 1 {
			continue // a neighbour's place is tried anyway
		}
		said := v.displacementInWords(by)
		c := v.placed(fmt.Sprint(v.want.Name, " by ", by), v.want.Name+" holds what belongs "+said,
			func(x []float64) []float64 { return v.elsewhere(x, by, moved) })
		c.family, c.short, c.about = v.want.Name, said, v.want.Name+" holds what belongs elsewhere"
		zeros := v.placed(c.ID+", zeros", c.Sentence+", and zeros where there is none",
			func(x []float64) []float64 { return v.elsewhere(x, by, shifted) })
		zeros.family, zeros.short, zeros.about = v.want.Name+", zeros", said+", or zeros", c.about
		all = append(all, c, zeros)
	}
	return all
}

// steps is how many places there are between two along all axes together.
func steps(by []int) (n int) {
	for _, d := range by {
		n += max(d, -d)
	}
	return n
}

// How many wrong elements vote, which share of them a displacement needs, how many are tried, how
// many elements an output may have, and of how many one may be equal to a voter.
const (
	mostEqual        = 16
	voters           = 256
	votes            = 0.1
	mostDisplaced    = 4
	mostDisplaceable = 1 << 18
)

// displacements lists by how much along each axis wrong elements are out of place, the most voted
// for first. Numbers are equal by chance too, but not at one distance.
func (v *view) displacements() (all [][]int) {
	wrong, shape := v.outstanding(), v.want.Truth.Shape
	if len(v.truth) > mostDisplaceable || len(wrong) < fewParts {
		return nil
	}
	equal := make([][]int, len(wrong))
	parallel.Each(len(wrong), func(k int) {
		for j, t := range v.truth {
			if elementLoss(v.got[wrong[k]], t, v.scale[j]) < 1 {
				equal[k] = append(equal[k], v.distance(wrong[k], j))
			}
			if len(equal[k]) > len(v.truth)/mostEqual {
				equal[k] = nil // a number that is everywhere tells nothing
				return
			}
		}
	})
	count := map[int]int{}
	for _, at := range slices.Concat(equal...) {
		count[at]++
	}
	likely := slices.DeleteFunc(slices.Collect(maps.Keys(count)), func(d int) bool {
		return count[d] < fewParts || float64(count[d]) < votes*float64(len(wrong))
	})
	slices.SortFunc(likely, func(a, b int) int { return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b)) })
	for _, d := range likely[:min(len(likely), mostDisplaced)] {
		all = append(all, vector(d, shape))
	}
	return all
}

// distance is a number for how far element j is from i along every axis, and vector the distances
// that a number is for.
func (v *view) distance(i, j int) (number int) {
	scale := 1
	for a := len(v.want.Truth.Shape) - 1; a >= 0; a-- {
		n := v.want.Truth.Shape[a]
		number += (j%n - i%n + n - 1) * scale
		scale *= 2*n - 1
		i, j = i/n, j/n
	}
	return number
}

func vector(number int, shape []int) []int {
	by := make([]int, len(shape))
	for a := len(shape) - 1; a >= 0; a-- {
		n := 2*shape[a] - 1
		by[a] = number%n - shape[a] + 1
		number /= n
	}
	return by
}

// elsewhere returns the output's numbers with every element taken from elsewhere.
func (v *view) elsewhere(
	data []float64, by []int, along func(x *tensor.Tensor, a int, from func(i int) int) *tensor.Tensor,
) []float64 {
	x := tensor.Of(data, v.want.Truth.Shape...)
	for a, d := range by {
		if d != 0 {
			x = along(x, a, func(i int) int { return i + d })
		}
	}
	return x.Data
}

// displacementInWords is as "64 queries before and 1 head further".
func (v *view) displacementInWords(by []int) string {
	var parts []string
	for a, d := range by {
		if d != 0 {
			parts = append(parts, further(d, v.want.Axes[a]))
		}
	}
	return strings.Join(parts, " and ")
}

// further is as "64 queries before" and "1 head further".
func further(by int, axis string) string {
	if by < 0 {
		return counted(-by, axis) + " before"
	}
	return counted(by, axis) + " further"
}

// counted is as "1 head" and "64 queries".
func counted(n int, word string) string {
	if n != 1 {
		word = plural(word)
	}
	return fmt.Sprintf("%d %s", n, word)
}

func plural(word string) string {
	if stem, ok := strings.CutSuffix(word, "y"); ok && !strings.HasSuffix(stem, "e") {
		return stem + "ies"
	}
	if strings.HasSuffix(word, "ch") {
		return word + "es"
	}
	return word + "s"
}

// outstanding lists some elements that are wrong, spread over the output, and not small.
func (v *view) outstanding() (wrong []int) {
	for _, i := range v.places() {
		if x := v.got[i]; dtype.Finite(x) && math.Abs(x) > 16*v.scale[i] && x != 0 {
			wrong = append(wrong, i)
		}
	}
	return spread(wrong, voters)
}

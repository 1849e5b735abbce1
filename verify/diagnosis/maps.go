package diagnosis

import (
	"fmt"
	"slices"
	"strings"
)

// indexMap says where an entry of an axis is read.
type indexMap struct {
	id, said string
	family   string // "that of 3": one of those of which another may hold in each part
	entry    int    // that, from 1 on
	from     func(i int) int
}

// mostConstant is the length of an axis up to which each entry is tried in the place of all.
const mostConstant = 8

// indexMaps lists how an axis of n may be walked wrongly, each walk once; of tables of pages, runs
// that begin with the second too.
func indexMaps(n int, table bool) (all []indexMap) {
	all = append(constantMaps(n), []indexMap{
		{"+1", "one further", "", 0, func(i int) int { return min(i+1, n-1) }},
		{"-1", "one before", "", 0, func(i int) int { return max(i-1, 0) }},
		{"+1, round", "one further, round the end", "", 0, func(i int) int { return (i + 1) % n }},
		{"-1, round", "one before, round the end", "", 0, func(i int) int { return (i + n - 1) % n }},
		{"reversed", "in reverse order", "", 0, func(i int) int { return n - 1 - i }},
		{"half as fast", "at half the pace", "", 0, func(i int) int { return i / 2 }},
		{"twice as fast", "at twice the pace, up to the last", "", 0, func(i int) int { return min(2*i, n-1) }},
		{"4 times as fast", "at four times the pace, up to the last", "", 0, func(i int) int { return min(4*i, n-1) }},
	}...)
	all = slices.Concat(all, shifts(n), paces(n), moduloMaps(n, table))
	return distinct(all, n)
}

// shifts read a number of places before or behind, or zeros where there are none before.
func shifts(n int) (all []indexMap) {
	for _, by := range tilesBefore(n) {
		all = append(all,
			indexMap{fmt.Sprintf("-%d", by), fmt.Sprintf("%d before", by), "", 0,
				func(i int) int { return max(i-by, 0) }},
			indexMap{fmt.Sprintf("-%d, zeros", by), fmt.Sprintf("%d before, and zeros before that", by), "", 0,
				func(i int) int { return i - by }})
	}
	for by := 16; by < n; by *= 2 {
		all = append(all, indexMap{fmt.Sprintf("+%d", by), fmt.Sprintf("%d further", by), "", 0,
			func(i int) int { return min(i+by, n-1) }})
	}
	return all
}

// paces read the first of several for all of them, or every second in each tile.
func paces(n int) (all []indexMap) {
	for _, m := range []int{2, 4, 8} {
		all = append(all, indexMap{fmt.Sprintf("first of %d", m), fmt.Sprintf("so that the first of each %d stands "+
			"for all of them", m), "", 0, func(i int) int { return i / m * m }})
	}
	for tile := 16; tile < n && tile <= 128; tile *= 2 {
		all = append(all, indexMap{fmt.Sprintf("twice as fast in %d", tile), fmt.Sprintf("at twice the pace in each "+
			"tile of %d", tile), "", 0, func(i int) int { return i + i%tile }})
	}
	return all
}

// tilesBefore lists by how many places an axis of n may be read before: a power of two, or a number
// of tiles of which it has a few.
func tilesBefore(n int) (all []int) {
	tile := 16
	for n/tile > mostTiles {
		tile *= 2
	}
	for by := 16; by < n; by *= 2 {
		all = append(all, by)
	}
	for by := tile; by < n; by += tile {
		if !slices.Contains(all, by) {
			all = append(all, by)
		}
	}
	return all
}

// moduloMaps walk an axis modulo a part of it, or in another order of its parts.
func moduloMaps(n int, table bool) (all []indexMap) {
	for _, m := range []int{2, 4, 8} {
		if table && m <= n {
			all = append(all, indexMap{fmt.Sprintf("second of %d", m), fmt.Sprintf("so that the second of each %d "+
				"stands for the first", m), "", 0, func(i int) int {
				if i%m == 0 {
					return min(i+1, n-1)
				}
				return i
			}})
		}
	}
	for _, m := range []int{2, 4, n / 2, n / 4} {
		if m < 2 || n%m != 0 || m == n {
			continue
		}
		all = append(all,
			indexMap{fmt.Sprintf("mod %d", m), fmt.Sprintf("modulo %d", m), "", 0, func(i int) int { return i % m }},
			indexMap{fmt.Sprintf("transposed %d", m), fmt.Sprintf("as %d × %d, where it is %d × %d", n/m, m, m, n/m),
				"", 0, func(i int) int { return i%m*(n/m) + i/m }})
	}
	for m := 16; m <= 128; m *= 2 {
		if n > m && n%m == 0 {
			all = append(all,
				indexMap{fmt.Sprintf("mod %d", m), fmt.Sprintf("modulo %d", m), "", 0,
					func(i int) int { return i % m }},
				indexMap{fmt.Sprintf("mod %d, last", m), fmt.Sprintf("in the last tile of %d alone", m), "", 0,
					func(i int) int { return n - m + i%m }})
		}
	}
	return all
}

// constantMaps read one entry everywhere.
func constantMaps(n int) (all []indexMap) {
	for c := range n {
		if c < 1 || n <= mostConstant {
			all = append(all, indexMap{
				fmt.Sprintf("= %d", c), fmt.Sprintf("at %d alone", c), fmt.Sprintf("those of %d", c), c + 1,
				func(int) int { return c },
			})
		}
	}
	return all
}

// distinct leaves out what reads the same as another before it, or as the formula.
func distinct(all []indexMap, n int) (kept []indexMap) {
	seen := map[string]bool{walk(n, func(i int) int { return i }): true}
	for _, m := range all {
		if w := walk(n, m.from); !seen[w] {
			seen[w] = true
			kept = append(kept, m)
		}
	}
	return kept
}

func walk(n int, from func(i int) int) string {
	var w strings.Builder
	for i := range min(n, 4096) {
		fmt.Fprint(&w, from(i), " ")
	}
	return w.String()
}

// fragmentMaps lists how the elements of a tile may be permuted along an axis of n, as where lanes
// or the swizzle of shared memory put them in another order: neighbours, or runs of them, in each
// other's place, or a tile as its transpose.
func fragmentMaps(n int) (all []indexMap) {
	for by := 1; by < n; by *= 2 {
		said := fmt.Sprintf("with each two runs of %d in each other's place", by)
		if by == 1 {
			said = "with each two neighbours in each other's place"
		}
		all = append(all, indexMap{fmt.Sprintf("xor %d", by), said, "", 0, func(i int) int {
			if i^by < n {
				return i ^ by
			}
			return i
		}})
	}
	for tile := 4; tile <= min(n, 128); tile *= 2 {
		for m := 2; m <= tile/2 && n%tile == 0; m *= 2 {
			said := fmt.Sprintf("in each tile of %d as %d × %d, where it is %d × %d", tile, tile/m, m, m, tile/m)
			all = append(all, indexMap{fmt.Sprintf("transposed %d in %d", m, tile), said, "", 0, func(i int) int {
				return i/tile*tile + i%m*(tile/m) + i%tile/m
			}})
		}
	}
	return distinct(all, n)
}

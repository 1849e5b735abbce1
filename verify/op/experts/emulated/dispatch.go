package emulated

import (
	"slices"

	"plumbline/verify/emulate"
)

func init() {
	emulate.Register("moe.dispatch", emulate.Kernel{
		Float32: moeDispatch, Float64: moeDispatch, Request: requestDispatch, Right: dispatches(),
	})
}

// dispatch sorts pairs of token and expert by expert as GPUs do: tiles of tokens count theirs, sums
// of the counts say where each tile writes, and a tile writes its pairs one after the other.
type dispatch struct {
	*emulate.Job
	ids     []int
	N, K, E int
	right   bool // the twin of a wrong one
}

// moeDispatch rounds nothing.
func moeDispatch(j *emulate.Job) {
	d := &dispatch{
		Job: j, ids: j.LoadInts("indices"), N: j.Dim("N"), K: j.Dim("K"), E: j.Int("experts"),
	}
	right := *d
	right.right = true
	order, counts := d.sort()
	rightOrder, rightCounts := right.sort()
	j.Show(!slices.Equal(order, rightOrder) || !slices.Equal(counts, rightCounts))
	j.StoreInts("order", order)
	j.StoreInts("counts", counts)
}

func (d *dispatch) makes(mistake string) bool { return !d.right && d.Makes(mistake) }

// sort returns the pairs in the order of their experts, and how many each expert has.
func (d *dispatch) sort() (order, counts []int) {
	counts = make([]int, d.E)
	var tiles [][]int
	for from := 0; from < len(d.ids); from += d.Tile * d.K {
		tile := make([]int, d.E)
		for _, e := range d.ids[from:min(from+d.Tile*d.K, len(d.ids))] {
			if e >= 0 {
				tile[e]++
			}
		}
		tiles = append(tiles, d.countedBefore(counts))
		for e, n := range tile {
			counts[e] += n
		}
	}
	order = make([]int, sum(counts))
	for i, before := range tiles {
		d.write(order, i, before, d.starts(counts))
	}
	return d.ordered(order, counts), d.counted(counts)
}

// starts returns the row in which each expert begins, and the number of all. It makes the mistake
// of a sum over the experts of one warp that the next does not carry on.
func (d *dispatch) starts(counts []int) []int {
	first := firsts(counts)
	if !d.makes("scan-restarted") {
		return first
	}
	for e := d.E - 1; e >= 0; e-- {
		first[e] -= first[e/warp*warp]
	}
	return first
}

// warp is how many experts one of it sums over.
const warp = 32

// countedBefore returns the pairs of each expert in the tiles before: by mistake none.
func (d *dispatch) countedBefore(counts []int) []int {
	if d.makes("tiles-overwrite") {
		return make([]int, d.E)
	}
	return slices.Clone(counts)
}

// ordered returns the order as it is written. It makes the mistakes with pairs of one expert, and
// with those that have none.
func (d *dispatch) ordered(order, counts []int) []int {
	switch {
	case d.makes("order-inverted"):
		return inverse(order)
	case d.makes("padding-first"):
		var none []int
		for at, e := range d.ids {
			if e < 0 {
				none = append(none, at)
			}
		}
		return append(none, order...)[:len(order)]
	case d.makes("slots-apart"):
		first := firsts(counts)
		for e := range counts {
			slices.SortStableFunc(order[first[e]:first[e+1]], func(a, b int) int { return a%d.K - b%d.K })
		}
	}
	return order
}

// inverse returns the row of each pair, pairs in order, from the pair of each row.
func inverse(order []int) []int {
	pairs, rows := slices.Sorted(slices.Values(order)), make([]int, len(order))
	for row, pair := range order {
		at, _ := slices.BinarySearch(pairs, pair)
		rows[at] = row
	}
	return rows
}

// write writes the pairs of tile i, whose experts have so many before it and begin in these rows.
func (d *dispatch) write(order []int, i int, before, first []int) {
	for at := i * d.Tile * d.K; at < min((i+1)*d.Tile*d.K, len(d.ids)); at++ {
		e := d.ids[at]
		if e < 0 {
			continue
		}
		row := first[e] + before[e]
		if d.makes("unstable-sort") { // whoever comes first
			row = first[e+1] - 1 - before[e]
		}
		before[e]++
		order[row] = d.number(at/d.K, at%d.K)
		if d.makes("first-row-only") && row > 0 {
			order[row] = len(d.ids)
		}
	}
}

// number returns what stands in a row for slot k of token n.
func (d *dispatch) number(n, k int) int {
	switch {
	case d.makes("pairs-by-slot"):
		return k*d.N + n
	case d.makes("tokens-for-pairs"):
		return n
	}
	return n*d.K + k
}

// counted returns the counts as they are written.
func (d *dispatch) counted(counts []int) []int {
	switch {
	case d.makes("counts-cumulative"):
		return firsts(counts)[1:]
	case d.makes("first-count-of-second") && d.E > 1:
		return append([]int{counts[1]}, counts[1:]...)
	case d.makes("counts-of-starts"):
		return firsts(counts)[:d.E]
	case d.makes("counts-padded"):
		return each(counts, func(n int) int { return (n + 127) / 128 * 128 })
	case d.makes("counts-shifted"):
		return append(counts[d.E-1:], counts[:d.E-1]...)
	}
	return d.withOthers(counts)
}

// withOthers makes the mistakes of pairs that are counted and should not be, or not and should be.
func (d *dispatch) withOthers(counts []int) []int {
	for at, e := range d.ids {
		switch row := d.ids[at/d.K*d.K : at]; {
		case e >= 0 && d.makes("duplicates-counted-once") && slices.Contains(row, e):
			counts[e]--
		case e < 0 && d.makes("padding-counted"):
			counts[0]++
		case e < 0 && d.makes("padding-counted-last"):
			counts[d.E-1]++
		}
	}
	return counts
}

// firsts returns the row in which each expert begins, and the number of all.
func firsts(counts []int) []int {
	first := make([]int, len(counts)+1)
	for e, n := range counts {
		first[e+1] = first[e] + n
	}
	return first
}

func sum(counts []int) (total int) {
	for _, n := range counts {
		total += n
	}
	return total
}

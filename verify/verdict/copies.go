package verdict

import (
	"iter"
	"math"
	"math/bits"

	"gonum.org/v1/gonum/floats"

	"plumbline/internal/loops"
	"plumbline/internal/parallel"
)

// Numbers of one size round alike, and what was computed from the same inputs errs alike: rows of
// padding, tokens that say the same. The mean of n copies is no better known than one of them is,
// so that each counts as one n-th of an element in what is added up over them. An element may have
// copies in the whole, and none in its row or its head. What was run has to err alike as well.

// sizes returns a number for each element, the same for copies. Of what float64 adds up in another
// order the last bits differ.
func sizes(truth []float64) []uint64 {
	sizes := make([]uint64, len(truth))
	parallel.Chunks(len(truth), func(from, to int) {
		for i, t := range truth[from:to] {
			sizes[from+i] = loops.Mix(math.Float64bits(steady(math.Abs(t))))
		}
	})
	return sizes
}

// addMoments tells apart what does not err alike, by the second moments of what was run.
func addMoments(sizes []uint64, own []float64, at func(e int) int) {
	for e, v := range own {
		sizes[at(e)] ^= loops.Mix(math.Float64bits(v) >> momentBits)
	}
}

// countCopies fills in how much elements and parts count, of which all were run, or not.
func (j *judgement) countCopies(g *geometry, ran bool) {
	sizes := sizes(j.want.Truth.Data)
	if ran || j.want.Sample.whole() {
		own, _ := j.want.Sample.secondMoments(len(sizes))
		addMoments(sizes, own, j.want.Sample.at)
	}
	g.share = g.shares(sizes, j.columns)
	for f := range g.families {
		g.own = append(g.own, g.ownShares(f, j.columns))
	}
}

// momentBits is how many of the last bits of second moments are not compared: a deviation is what
// two numbers of float64 differ by, and has 20 of their bits at least.
const momentBits = 52 - 20

// shares returns how much each element counts in its part of each family; nil: none has a copy.
func (g *geometry) shares(sizes []uint64, columns int) [][]float64 {
	all := make([][]float64, len(g.families))
	if all[0] = shares(sizes, g.judged, nil); all[0] == nil {
		return all
	}
	parallel.Each(len(all)-1, func(f int) {
		of := g.families[f+1].of
		all[f+1] = shares(sizes, g.judged, func(i int) int { return of(i/columns, i%columns) })
	})
	return all
}

// shares returns for each element that counts, nil: all do, one over the number of those of its
// size in its part; nil if no two are alike.
func shares(sizes []uint64, counts []bool, part func(i int) int) []float64 {
	hashes := func(yield func(i int, hash uint64) bool) {
		for i, hash := range sizes {
			if part != nil {
				hash = loops.Mix(hash ^ uint64(part(i)))
			}
			if (counts == nil || counts[i]) && !yield(i, hash) {
				return
			}
		}
	}
	copies, any := numbers(hashes, len(sizes))
	if !any {
		return nil
	}
	share := make([]float64, len(sizes))
	for i, hash := range hashes {
		share[i] = 1 / float64(max(1, copies[hash]))
	}
	return share
}

// numbers counts what is there more than once, of n at most, and tells whether anything is.
func numbers(hashes iter.Seq2[int, uint64], n int) (copies map[uint64]int, any bool) {
	likely := newTwice(n)
	for _, hash := range hashes {
		likely.add(hash)
	}
	copies = map[uint64]int{}
	for _, hash := range hashes {
		if likely.has(hash) {
			copies[hash]++
			any = any || copies[hash] > 1
		}
	}
	return copies, any
}

// twice is a set of what was added twice, and by chance of a few others: it fits into a cache.
type twice struct {
	once, again []uint64
	shift       int
}

func newTwice(n int) twice {
	size := bits.Len(uint(n)) + 4 // of bits, 16 to 32 for each
	words := max(1, 1<<size/64)
	return twice{make([]uint64, words), make([]uint64, words), 64 - size}
}

func (t twice) add(hash uint64) {
	at := hash >> t.shift
	word, bit := at/64, uint64(1)<<(at%64)
	t.again[word] |= t.once[word] & bit
	t.once[word] |= bit
}

func (t twice) has(hash uint64) bool {
	at := hash >> t.shift
	return t.again[at/64]&(1<<(at%64)) != 0
}

// ownShares returns how much each part of a family is its own: 1 where it has nothing that another
// has, one n-th of what stands alike in n parts.
func (g *geometry) ownShares(f, columns int) []float64 {
	fam := g.families[f]
	own := ones(fam.parts)
	if g.share[0] == nil {
		return own
	}
	squares, sums := make([]float64, fam.parts), make([]float64, fam.parts)
	for i, whole := range g.share[0] {
		if p := fam.of(i/columns, i%columns); whole > 0 {
			squares[p] += whole * whole / shareOf(g.share[f], i)
			sums[p] += whole
		}
	}
	for p, sum := range sums {
		if sum > 0 {
			own[p] = squares[p] / sum
		}
	}
	return own
}

// dot is Σ x y.
func (g *geometry) dot(x, y []float64) float64 {
	var sum float64
	g.eachRow(func(from, to int) {
		if g.share[0] == nil {
			sum += floats.Dot(x[from:to], y[from:to])
			return
		}
		for i := from; i < to; i++ {
			sum += g.share[0][i] * x[i] * y[i]
		}
	})
	return sum
}

// eachRow calls f for the elements from … to−1 of each row that has something judged.
func (g *geometry) eachRow(f func(from, to int)) {
	columns := len(g.ones)
	for r, judged := range g.rowCounts {
		if judged > 0 {
			f(r*columns, (r+1)*columns)
		}
	}
}

// rowsOwn is how much of each row no other has.
func (g *geometry) rowsOwn() []float64 {
	own := ones(len(g.rowCounts))
	if g.share[0] == nil {
		return own
	}
	for f, fam := range g.families {
		if fam.parts == len(own) && fam.stays {
			return g.own[f]
		}
	}
	return own
}

// shareOf is how much an element counts.
func shareOf(shares []float64, i int) float64 {
	if shares == nil {
		return 1
	}
	return shares[i]
}

package emulate

import "cmp"

// Mask says which keys the queries of one sequence see, as an interval for each query.
type Mask struct {
	Causal                bool
	Window                int
	Queries, Keys, Stored int // stored: keys that storage has room for; keys of them are valid
	Page                  int // of a paged cache, else 0
	First                 int // keys of the first sequence
}

// Span returns the keys lo ≤ j < hi that query s sees: those before keys, not after the query's own
// position keys − queries + s if causal, and the last window up to that position if there is a
// window. It makes the mistakes of masks.
func (m Mask) Span(j *Job, s int) (lo, hi int) {
	lo, hi = m.Right(s)
	wrongLo, wrongHi := m.wrong(j, s, lo, hi)
	wrongHi = min(wrongHi, m.Stored)
	if wrongLo >= wrongHi {
		wrongLo, wrongHi = 0, 0
	}
	j.Show(wrongLo != lo || wrongHi != hi)
	return wrongLo, wrongHi
}

// Right returns the keys that query s sees, without a mistake.
func (m Mask) Right(s int) (lo, hi int) {
	return m.at(m.Keys - m.Queries + s)
}

// at returns the keys that a query at position i sees.
func (m Mask) at(i int) (lo, hi int) {
	hi = m.Keys
	if m.Causal {
		hi = min(hi, i+1)
	}
	if m.Window > 0 {
		lo = max(0, i-m.Window+1)
	}
	if lo >= hi {
		return 0, 0
	}
	return lo, hi
}

// ofEnds are the mistakes at the end of a span.
var ofEnds = []string{
	"drop-last-key", "causal-off-by-one", "causal-strict", "window-two-sided", "padding-seen", "padding-of-tile",
}

// wrong returns what a kernel with a mistake of masking takes for the span lo, hi of query s.
func (m Mask) wrong(j *Job, s, lo, hi int) (int, int) {
	switch i := m.Keys - m.Queries + s; {
	case j.Among(ofEnds...) != "":
		return lo, m.wrongEnd(j, i, hi)
	case j.First("cache-ignored"):
		if m.Queries > 1 {
			return max(lo, m.Keys-m.Queries), hi
		}
	case j.First("last-tile-dropped"):
		unit := cmp.Or(m.Page, j.Tile)
		return lo, hi / unit * unit
	case j.First("page-end"):
		return lo, m.PageEnd(hi)
	case j.First("extra-page"):
		if hi > 0 && hi%m.Page == 0 {
			return lo, hi + m.Page
		}
	case j.First("causal-top-left"):
		return m.at(s)
	case j.First("positions-from-storage"):
		return m.at(i + m.Stored - m.Keys)
	}
	if start, made := m.wrongStart(j, s, lo); made {
		return start, hi
	}
	return m.mistaken(j.Among(ofMasks...)).Right(s)
}

// MaskInRanks makes the mistake of a causal mask in each of two ranks, to which keys are dealt in
// turn: query s of S sees those up to n − S + s of the rank's own n.
func (r *Query[T]) MaskInRanks(j *Job, m Mask, s int) {
	if !j.Makes("causal-in-ranks") || !m.Causal {
		return
	}
	var seen []int
	for t := r.Lo; t < m.Keys; t++ {
		if own := (m.Keys - t%2 + 1) / 2; t/2 <= own-m.Queries+s {
			seen = append(seen, t)
		}
	}
	j.Show(len(seen) != r.Hi-r.Lo)
	score, value := r.Score, r.Value
	r.Lo, r.Hi, r.Length = 0, len(seen), len(seen)
	r.Score = func(i int) T { return score(seen[i]) }
	r.Value = func(i int) []T { return value(seen[i]) }
}

// padded returns where a span ends that should at hi if padding is not masked: with the storage, or
// a tile. A causal mask hides padding.
func (m Mask) padded(j *Job, hi int) int {
	switch {
	case m.Causal || hi == 0:
		return hi
	case j.Makes("padding-of-tile"):
		return min(m.Stored, (hi+j.Tile-1)/j.Tile*j.Tile)
	case j.Makes("padding-seen"):
		return m.Stored
	}
	return hi
}

// wrongStart returns where a kernel with a mistake at the start of a window begins for query s,
// which should begin at lo.
func (m Mask) wrongStart(j *Job, s, lo int) (start int, made bool) {
	switch {
	case m.Window == 0:
	case j.Makes("window-top-left"):
		return max(0, s-m.Window+1), true
	case j.Makes("window-start-of-tile"):
		return lo / j.Tile * j.Tile, true
	case j.Makes("window-of-first-query"):
		return max(0, m.Keys-m.Queries-m.Window+1), true
	case j.Makes("window-of-last-query"):
		return max(0, m.Keys-m.Window), true
	}
	return lo, false
}

// wrongEnd returns where a kernel with a mistake at the end of its span takes hi for a query at
// position i.
func (m Mask) wrongEnd(j *Job, i, hi int) int {
	switch {
	case j.Makes("drop-last-key"):
		return min(hi, m.Keys-1)
	case j.Makes("causal-off-by-one") && m.Causal:
		return min(m.Keys, i+2)
	case j.Makes("causal-strict") && m.Causal:
		return min(hi, i)
	case j.Makes("window-two-sided") && m.Window > 0:
		return min(hi, i+m.Window)
	}
	return m.padded(j, hi)
}

// ofMasks are the mistakes of another mask.
var ofMasks = []string{
	"extra-key", "queries-counted-twice", "length-ignored", "length-of-first", "causal-missing",
	"backward-weights-unmasked", "backward-causal", "window-off-by-one", "window-missing",
}

// mistaken returns the mask with one of its numbers wrong.
func (m Mask) mistaken(mistake string) Mask {
	switch {
	case mistake == "extra-key" && m.Keys > 0 && m.Keys < m.Stored:
		m.Keys++
	case mistake == "queries-counted-twice":
		m.Keys = min(m.Keys+m.Queries, max(m.Keys, m.Stored))
	case mistake == "length-ignored":
		m.Keys = m.Stored
	case mistake == "length-of-first":
		m.Keys = min(m.First, m.Stored)
	case mistake == "causal-missing":
		m.Causal = false
	case mistake == "backward-weights-unmasked":
		m.Causal, m.Window, m.Keys = false, 0, m.Stored
	case mistake == "backward-causal":
		m.Causal = true
	case mistake == "window-off-by-one" && m.Window > 0:
		m.Window++
	case mistake == "window-missing":
		m.Window = 0
	}
	return m
}

// PageEnd returns the end of the page that holds key hi−1.
func (m Mask) PageEnd(hi int) int {
	return (hi + m.Page - 1) / m.Page * m.Page
}

package emulate

// mask says which keys the queries of one sequence see, as an interval for each query.
type mask struct {
	causal                bool
	window                int
	queries, keys, stored int // stored: keys that storage has room for; keys of them are valid
	page                  int // of a paged cache, else 0
}

// span returns the keys lo ≤ j < hi that query s sees: those before keys, not after the query's own
// position keys − queries + s if causal, and the last window up to that position if there is a
// window. It makes the mistakes of masks.
func (m mask) span(j *job, s int) (lo, hi int) {
	lo, hi = m.right(s)
	wrongLo, wrongHi := m.wrong(j, s, lo, hi)
	wrongHi = min(wrongHi, m.stored)
	if wrongLo >= wrongHi {
		wrongLo, wrongHi = 0, 0
	}
	j.show(wrongLo != lo || wrongHi != hi)
	return wrongLo, wrongHi
}

func (m mask) right(s int) (lo, hi int) {
	return m.at(m.keys - m.queries + s)
}

// at returns the keys that a query at position i sees.
func (m mask) at(i int) (lo, hi int) {
	hi = m.keys
	if m.causal {
		hi = min(hi, i+1)
	}
	if m.window > 0 {
		lo = max(0, i-m.window+1)
	}
	if lo >= hi {
		return 0, 0
	}
	return lo, hi
}

// wrong returns what a kernel with a mistake of masking takes for the span lo, hi of query s.
func (m mask) wrong(j *job, s, lo, hi int) (int, int) {
	switch j.Mistake {
	case "drop-last-key":
		return lo, min(hi, m.keys-1)
	case "cache-ignored":
		if m.queries > 1 {
			return max(lo, m.keys-m.queries), hi
		}
	case "page-end":
		return lo, m.pageEnd(hi)
	case "extra-page":
		if hi > 0 && hi%m.page == 0 {
			return lo, hi + m.page
		}
	case "causal-top-left":
		return m.at(s)
	case "extra-key", "causal-missing", "window-off-by-one", "window-missing":
		return m.mistaken(j.Mistake).right(s)
	}
	return lo, hi
}

// mistaken returns the mask with one of its numbers wrong.
func (m mask) mistaken(mistake string) mask {
	switch {
	case mistake == "extra-key" && m.keys > 0 && m.keys < m.stored:
		m.keys++
	case mistake == "causal-missing":
		m.causal = false
	case mistake == "window-off-by-one" && m.window > 0:
		m.window++
	case mistake == "window-missing":
		m.window = 0
	}
	return m
}

// pageEnd returns the end of the page that holds key hi−1.
func (m mask) pageEnd(hi int) int {
	return (hi + m.page - 1) / m.page * m.page
}

package emulate

// Mask says which keys the queries of one sequence see, as an interval for each query.
type Mask struct {
	Causal                bool
	Window                int
	Queries, Keys, Stored int // stored: keys that storage has room for; keys of them are valid
	Page                  int // of a paged cache, else 0
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

// wrong returns what a kernel with a mistake of masking takes for the span lo, hi of query s.
func (m Mask) wrong(j *Job, s, lo, hi int) (int, int) {
	switch j.Mistake {
	case "drop-last-key":
		return lo, min(hi, m.Keys-1)
	case "cache-ignored":
		if m.Queries > 1 {
			return max(lo, m.Keys-m.Queries), hi
		}
	case "page-end":
		return lo, m.PageEnd(hi)
	case "extra-page":
		if hi > 0 && hi%m.Page == 0 {
			return lo, hi + m.Page
		}
	case "causal-top-left":
		return m.at(s)
	case "extra-key", "causal-missing", "window-off-by-one", "window-missing":
		return m.mistaken(j.Mistake).Right(s)
	}
	return lo, hi
}

// mistaken returns the mask with one of its numbers wrong.
func (m Mask) mistaken(mistake string) Mask {
	switch {
	case mistake == "extra-key" && m.Keys > 0 && m.Keys < m.Stored:
		m.Keys++
	case mistake == "causal-missing":
		m.Causal = false
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

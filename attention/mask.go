package attention

// Mask says which keys a query sees: those in use, not in the future if Causal,
// and not older than the window.
//
// Queries is S and Keys is kv_len; query s stands at position Keys−Queries+s.
// Where Queries is 0 it is taken from the matrices, and Keys too if it is 0; so
// the zero Mask hides nothing. Queries may be more than the rows at hand (these
// are then the first of them), and Keys more than the keys at hand (see From).
type Mask struct {
	Causal  bool
	Window  int // keys seen up to and with the query's own position; 0: no window
	Queries int
	Keys    int
}

// Sees tells whether query s sees key j.
//
//	j < kv_len,  j ≤ i if causal,  j > i − window if there is a window,  i = kv_len − S + s
//
// Without Causal a window bounds the past only.
//
// Differs in code: PyTorch's is_causal and early FlashAttention align the mask to
// the first key (i = s), the same only for S = kv_len; FlashAttention's own window
// argument counts the keys left of the query, one less than here (so does the text of
// Mistral 7B, from i − W; its figure and its code do as here).
// Queries and Keys must be given.
// It implements Attention Is All You Need, section 3.2.3, and Mistral 7B, section 2.
func (m Mask) Sees(s, j int) bool {
	i := m.Keys - m.Queries + s
	switch {
	case j < 0 || j >= m.Keys:
		return false
	case m.Causal && j > i:
		return false
	case m.Window > 0 && j <= i-m.Window:
		return false
	}
	return true
}

// Range returns the keys that query s sees as an interval, lo ≤ j < hi; it is
// empty as [0, 0). It is Sees in another form, from positions instead of pairs.
//
//	hi = min(kv_len, i+1 if causal),  lo = max(0, i+1−window if there is a window)
//
// It implements Attention Is All You Need, section 3.2.3, and Mistral 7B, section 2.
func (m Mask) Range(s int) (lo, hi int) {
	next := m.Keys - m.Queries + s + 1
	hi = m.Keys
	if m.Causal {
		hi = min(hi, next)
	}
	if m.Window > 0 {
		lo = max(lo, next-m.Window)
	}
	if lo >= hi {
		return 0, 0
	}
	return lo, hi
}

// From returns the mask for the same queries on the keys from number start on, as
// a kernel needs it that splits its work over the keys. Queries must be given. It
// implements no equation.
func (m Mask) From(start int) Mask {
	if m.Queries == 0 {
		panic("attention: mask without queries cannot be shifted")
	}
	m.Keys -= start
	return m
}

// of fills in what the mask leaves to the matrices.
func (m Mask) of(queries, keys int) Mask {
	if m.Queries == 0 {
		m.Queries = queries
		if m.Keys == 0 {
			m.Keys = keys
		}
	}
	if queries > m.Queries {
		panic("attention: more queries than the mask has")
	}
	return m
}

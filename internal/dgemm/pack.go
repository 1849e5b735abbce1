package dgemm

// operand is a factor, seen as lines (rows of op(A), columns of op(B)) of numbers that are summed
// over.
type operand struct {
	data    []float64
	ld      int
	across  bool // the numbers of a line are ld apart, and neighbouring lines lie side by side
	squared bool // it has the squares of the numbers
}

// pack stores numbers from … from+k−1 of n lines from the first on as a panel of width lines:
// number t of line l is y[t·width + l]. What it has for further lines goes into sums that nobody
// reads.
func (x operand) pack(kn *kernel, y []float64, width, first, n, from, k int) {
	switch {
	case x.across && n == width && kn.copies != nil:
		kn.copies[width/kn.lanes-1](k, &x.data[from*x.ld+first], x.ld, &y[0])
	case x.across:
		for t := range k {
			copy(y[t*width:], x.data[(from+t)*x.ld+first:][:n])
		}
	default:
		for l := 0; l < n; l += kn.lanes {
			x.interleave(kn, y[l:], width, first+l, min(n-l, kn.lanes), from, k)
		}
	}
	if x.squared {
		kn.square(y[:k*width])
	}
}

// square squares the numbers of a panel.
func (kn *kernel) square(y []float64) {
	if kn.squares != nil {
		kn.squares(len(y), &y[0])
		return
	}
	for t, v := range y {
		y[t] = v * v
	}
}

// interleave packs n lines, at most those of a register, which lie one after another.
func (x operand) interleave(kn *kernel, y []float64, width, first, n, from, k int) {
	done := 0
	if turns := k / kn.lanes; n == kn.lanes && turns > 0 && kn.interleave != nil {
		kn.interleave(turns, &x.data[first*x.ld+from], x.ld, &y[0], width)
		done = turns * kn.lanes
	}
	for l := range n {
		for t, v := range x.data[(first+l)*x.ld+from:][done:k] {
			y[(done+t)*width+l] = v
		}
	}
}

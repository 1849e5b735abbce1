package dgemm

// operand is a factor, seen as lines (rows of op(A), columns of op(B)) of numbers that are summed
// over.
type operand struct {
	data   []float64
	ld     int
	across bool // the numbers of a line are ld apart, and neighbouring lines lie side by side
}

// pack stores numbers from … from+k−1 of n lines from the first on as a panel of width lines, zeros
// beyond them: number t of line l is y[t·width + l].
func (x operand) pack(kn *kernel, y []float64, width, first, n, from, k int) {
	switch {
	case x.across && n == width && kn.copies != nil:
		kn.copies[width/kn.lanes-1](k, &x.data[from*x.ld+first], x.ld, &y[0])
	case x.across:
		for t := range k {
			to := y[t*width:][:width]
			copy(to, x.data[(from+t)*x.ld+first:][:n])
			clear(to[n:])
		}
	default:
		for l := 0; l < width; l += kn.lanes {
			x.interleave(kn, y[l:], width, first+l, max(0, min(n-l, kn.lanes)), min(width-l, kn.lanes), from, k)
		}
	}
}

// interleave packs n lines, which lie one after another, as the first of so many of a panel: at
// most those of a register.
func (x operand) interleave(kn *kernel, y []float64, width, first, n, of, from, k int) {
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
	for l := n; l < of; l++ {
		for t := range k {
			y[t*width+l] = 0
		}
	}
}

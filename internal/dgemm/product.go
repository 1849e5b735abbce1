package dgemm

import (
	"sync"
	"sync/atomic"
)

// Sizes, measured on a processor whose caches hold 48 KiB and 2 MiB.
const (
	depth   = 256     // terms that are summed in registers
	height  = 512     // rows of a task at most: height · depth numbers of A stay in the second cache
	breadth = 2064    // columns of a task at most
	worth   = 1 << 20 // products that another core takes longer for than to be woken
)

// product is one call.
type product struct {
	*kernel
	m, n, k     int
	alpha, beta float64
	a, b        operand
	c           []float64
	ldc         int
}

// compute shares the rectangles of C out among so many cores.
func (p *product) compute(cores int) {
	cores = int(min(float64(cores), max(1, float64(p.m)*float64(p.n)*float64(p.k)/worth)))
	down, across := parts(p.m, height), parts(p.n, breadth)
	for down*across < cores {
		rows, columns := parts(p.m, down), parts(p.n, across)
		switch {
		case columns >= rows && columns > p.columns():
			across++
		case rows > p.rows:
			down++
		default:
			cores = down * across
		}
	}
	rows, columns := upTo(parts(p.m, down), p.rows), upTo(parts(p.n, across), p.columns())
	across = parts(p.n, columns)
	each(cores, parts(p.m, rows)*across, func(i int, s *scratch) {
		top, left := i/across*rows, i%across*columns
		p.rectangle(s, rectangle{top, min(top+rows, p.m), left, min(left+columns, p.n)})
	})
}

// parts returns how many parts of a size n has.
func parts(n, size int) int { return (n + size - 1) / size }

// upTo returns the next multiple of unit.
func upTo(n, unit int) int { return parts(n, unit) * unit }

// each calls f for 0 … n−1 on so many goroutines, each with memory of its own.
func each(goroutines, n int, f func(i int, s *scratch)) {
	var taken atomic.Int64
	work := func() {
		s := scratches.Get().(*scratch)
		defer scratches.Put(s)
		for i := int(taken.Add(1)) - 1; i < n; i = int(taken.Add(1)) - 1 {
			f(i, s)
		}
	}
	var others sync.WaitGroup
	for range min(goroutines, n) - 1 {
		others.Go(work)
	}
	work()
	others.Wait()
}

// scratch is the memory of a task.
type scratch struct {
	a, b []float64       // panels
	edge [widest]float64 // what a micro-kernel computes beyond an edge of C
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// rectangle is a part of C: rows top … bottom−1, columns left … right−1.
type rectangle struct{ top, bottom, left, right int }

// rectangle computes a part of C.
func (p *product) rectangle(s *scratch, r rectangle) {
	deepest := min(depth, p.k)
	s.a = sized(s.a, upTo(r.bottom-r.top, p.rows)*deepest)
	s.b = sized(s.b, p.columns()*deepest)
	p.scale(r)
	for from := 0; from < p.k; from += depth {
		k := min(depth, p.k-from)
		p.packA(s.a, r, from, k)
		for j := r.left; j < r.right; j += p.columns() {
			n := min(p.columns(), r.right-j)
			width := upTo(n, p.lanes)
			p.b.pack(p.kernel, s.b, width, j, n, from, k)
			p.strip(s, r, j, n, k, from > 0 || p.beta != 0)
		}
	}
}

// sized returns n numbers of x, or new ones.
func sized(x []float64, n int) []float64 {
	if cap(x) < n {
		return make([]float64, n)
	}
	return x[:n]
}

// scale multiplies a part of C by β; where that is 0 the first sums are stored over it.
func (p *product) scale(r rectangle) {
	if p.beta == 0 || p.beta == 1 {
		return
	}
	for i := r.top; i < r.bottom; i++ {
		row := p.c[i*p.ldc+r.left : i*p.ldc+r.right]
		for j := range row {
			row[j] *= p.beta
		}
	}
}

// packA packs terms from … from+k−1 of the rows of a part, multiplied by α.
func (p *product) packA(to []float64, r rectangle, from, k int) {
	for i := r.top; i < r.bottom; i += p.rows {
		panel := to[(i-r.top)*k:][:p.rows*k]
		p.a.pack(p.kernel, panel, p.rows, i, min(p.rows, r.bottom-i), from, k)
		if p.alpha != 1 {
			for t := range panel {
				panel[t] *= p.alpha
			}
		}
	}
}

// strip adds products of k terms to columns j … j+n−1 of a part, or stores them.
func (p *product) strip(s *scratch, r rectangle, j, n, k int, add bool) {
	registers := parts(n, p.lanes)
	multiply, width := p.multiply[registers-1], registers*p.lanes
	for i := r.top; i < r.bottom; i += p.rows {
		panel := &s.a[(i-r.top)*k]
		if n == width && i+p.rows <= r.bottom {
			multiply(k, panel, &s.b[0], &p.c[i*p.ldc+j], p.ldc, add)
			continue
		}
		multiply(k, panel, &s.b[0], &s.edge[0], width, false)
		for row := i; row < min(i+p.rows, r.bottom); row++ {
			move(p.c[row*p.ldc+j:][:n], s.edge[(row-i)*width:], add)
		}
	}
}

// move adds x to y, or copies it there.
func move(y, x []float64, add bool) {
	if !add {
		copy(y, x)
		return
	}
	for i := range y {
		y[i] += x[i]
	}
}

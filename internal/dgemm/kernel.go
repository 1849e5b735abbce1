package dgemm

import "unsafe"

// multiply is a micro-kernel: it adds the sum of k products of columns of a panel of A with rows
// of a panel of B to a rectangle of C, whose rows are ldc apart, or stores it there.
//
//	C[i][j] (+)= Σ_t a[t·rows + i] · b[t·columns + j]
//
// Every sum begins at 0 and takes its terms in order.
type multiply = func(k int, a, b, c *float64, ldc int, add bool)

// copies stores as many numbers of each of k rows of x as some registers have, one after another.
type copies = func(k int, x *float64, ld int, y *float64)

// kernel is what a processor offers.
type kernel struct {
	name     string
	fused    bool       // a product is not rounded before it is added
	rows     int        // of C that a micro-kernel computes
	lanes    int        // columns of C in a register
	multiply []multiply // for one register of columns, for two …
	copies   []copies
	// squares squares n numbers in place, a multiple of lanes; or nil.
	squares func(n int, x *float64)
	// interleave stores lanes rows of x, of lanes·turns numbers each, as columns of y; or nil.
	interleave func(turns int, x *float64, ld int, y *float64, step int)
}

// columns is how many columns of C the widest micro-kernel computes.
func (kn *kernel) columns() int { return kn.lanes * len(kn.multiply) }

// widest is how many numbers of C a micro-kernel computes at most.
const widest = 8 * 24

// plain is the kernel of processors that this package knows nothing of.
var plain = kernel{name: "plain Go", rows: 4, lanes: 4, multiply: []multiply{multiplyPlain}}

// multiplyPlain is a micro-kernel of 4 rows and 4 columns, which rounds products everywhere.
func multiplyPlain(k int, a, b, c *float64, ldc int, add bool) {
	as, bs := unsafe.Slice(a, 4*k), unsafe.Slice(b, 4*k)
	for i := range 4 {
		to := unsafe.Slice((*float64)(unsafe.Add(unsafe.Pointer(c), 8*i*ldc)), 4)
		var s0, s1, s2, s3 float64
		for t := 0; t < len(as) && t < len(bs); t += 4 {
			x, y := as[t+i], (*[4]float64)(bs[t:])
			s0 += float64(x * y[0])
			s1 += float64(x * y[1])
			s2 += float64(x * y[2])
			s3 += float64(x * y[3])
		}
		if add {
			s0, s1, s2, s3 = to[0]+s0, to[1]+s1, to[2]+s2, to[3]+s3
		}
		to[0], to[1], to[2], to[3] = s0, s1, s2, s3
	}
}

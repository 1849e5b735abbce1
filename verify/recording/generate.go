package recording

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// ErrMismatch is what errors.Is finds when a generated input is not the one whose sha256 the
// recording states.
var ErrMismatch = errors.New("sha256 mismatch")

// compare says how the sha256 that was made differs from the one that the recipe states.
func (rc *Recipe) compare(got string, err error) error {
	if err == nil && got != rc.SHA256 {
		err = fmt.Errorf("%w: made %s, want %s", ErrMismatch, got, rc.SHA256)
	}
	return err
}

// fill makes the elements from offset on.
func (rc *Recipe) fill(x []float64, offset int, edits plants) error {
	rc.draw(x, offset)
	if !rc.Type.Float() {
		if err := rc.checkIntegers(x, offset); err != nil {
			return err
		}
	}
	edits.apply(x, offset)
	return nil
}

// draw fills x with the values before the edits, from element offset on. Those of an integer type
// are not rounded.
func (rc *Recipe) draw(x []float64, offset int) {
	value, scale, shift := rc.values(x, offset), math.Ldexp(1, rc.Exp2), 0.0
	if rc.Shift != nil {
		shift = float64(*rc.Shift)
	}
	float := rc.Type.Float()
	inParallel(len(x), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			v := float64(value(offset+i)*scale) + shift
			if float {
				v = rc.Type.Round(v)
			}
			x[i] = v
		}
	})
}

// values returns the distribution's value of element i. A permutation is not made element by
// element: it is laid out, and x, which begins at element offset, holds its part.
func (rc *Recipe) values(x []float64, offset int) func(i int) float64 {
	switch rc.Dist {
	case "uniform":
		return func(i int) float64 { return uniform(splitmix64(rc.Seed, uint64(i))) }
	case "normal":
		return func(i int) float64 { return normal(splitmix64(rc.Seed, uint64(i))) }
	case "ints":
		span := uint64(rc.Hi - rc.Lo)
		return func(i int) float64 { return float64(rc.Lo + int64(splitmix64(rc.Seed, uint64(i))%span)) }
	}
	all := x
	if len(x) < rc.Shape[0] {
		all = make([]float64, rc.Shape[0])
	}
	permute(all, rc.Seed)
	copy(x, all[offset:])
	return func(i int) float64 { return x[i-offset] }
}

// splitmix64 returns output i of the generator of that name, started from seed.
func splitmix64(seed, i uint64) uint64 {
	z := seed + (i+1)*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

func uniform(z uint64) float64 { return float64(int64(z>>40)-1<<23) / (1 << 23) }

func normal(z uint64) float64 {
	sum := z&0xFFFF + z>>16&0xFFFF + z>>32&0xFFFF + z>>48
	return float64(int64(sum)-131070) / (1 << 15)
}

// permute fills x with the Fisher–Yates permutation of 0 … n−1.
func permute(x []float64, seed uint64) {
	for i := range x {
		x[i] = float64(i)
	}
	for i := len(x) - 1; i > 0; i-- {
		j := splitmix64(seed, uint64(i)) % uint64(i+1)
		x[i], x[j] = x[j], x[i]
	}
}

// checkIntegers checks that the type holds every value, which scale and shift may have moved off
// the integers.
func (rc *Recipe) checkIntegers(x []float64, offset int) error {
	for i, v := range x {
		if rc.Type.Round(v) != v || math.Abs(v) > maxExact {
			return fmt.Errorf(
				"index %v: value %v, want an integer that %v has, within ±2^53",
				tensor.Unravel(offset+i, rc.Shape), v, rc.Type,
			)
		}
	}
	return nil
}

// digest returns the sha256 of the little-endian codes of x.
func digest(t dtype.Type, x []float64) string {
	const block = 1 << 16
	hash := sha256.New()
	codes := make([]byte, min(block, len(x))*t.Size())
	for len(x) > 0 {
		n := min(block, len(x))
		t.Encode(codes[:n*t.Size()], x[:n])
		hash.Write(codes[:n*t.Size()])
		x = x[n:]
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// span is how many elements are made at a time where only their sha256 is wanted.
const span = 1 << 20

// digest returns the sha256 of the elements of the recipe, which are made a span at a time: one is
// made while the one before is hashed. A permutation is made whole.
func (rc *Recipe) digest(edits plants) (string, error) {
	total, _ := tensor.Elements(rc.Shape)
	n, size := min(total, span), rc.Type.Size()
	if rc.Dist == "permutation" {
		n = total
	}
	x, codes := make([]float64, n), [2][]byte{make([]byte, n*size), make([]byte, n*size)}
	hash := sha256.New()
	var hashing sync.WaitGroup
	defer hashing.Wait()
	for first, turn := 0, 0; first < total; first, turn = first+n, 1-turn {
		part := x[:min(n, total-first)]
		if err := rc.fill(part, first, edits); err != nil {
			return "", err
		}
		b := codes[turn][:len(part)*size]
		inParallel(len(part), func(lo, hi int) { encodeRounded(rc.Type, b[lo*size:hi*size], part[lo:hi]) })
		hashing.Wait()
		hashing.Go(func() { hash.Write(b) })
	}
	hashing.Wait()
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// encodeRounded is Encode for values that are of the type already, which spares BF16 rounding them
// again: its codes are the upper halves of those of float32.
func encodeRounded(t dtype.Type, dst []byte, src []float64) {
	if t != dtype.BF16 || slices.ContainsFunc(src, math.IsNaN) {
		t.Encode(dst, src)
		return
	}
	for i, v := range src {
		binary.LittleEndian.PutUint16(dst[2*i:], uint16(math.Float32bits(float32(v))>>16))
	}
}

// inParallel calls work for ranges that together are 0 … n−1, on all processors.
func inParallel(n int, work func(lo, hi int)) {
	const block = 1 << 16
	if n <= block {
		work(0, n)
		return
	}
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (n+block-1)/block) {
		group.Go(func() {
			for lo := int(next.Add(block)) - block; lo < n; lo = int(next.Add(block)) - block {
				work(lo, min(lo+block, n))
			}
		})
	}
	group.Wait()
}

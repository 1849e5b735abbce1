package compare

import (
	"math"

	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// reader reads an input: whole where it is small, since what is generated is else made anew each
// time, and in parts where it is not.
type reader struct {
	rec   *recording.Recording
	name  string
	total int
	whole []float64
}

// How many elements are kept, and how many are read at a time.
const (
	keptElements = 1 << 22
	readElements = 1 << 16
)

func newReader(rec *recording.Recording, name string) *reader {
	total, _ := tensor.Elements(rec.Shape(name))
	return &reader{rec: rec, name: name, total: total}
}

func (r *reader) index(at int) []int { return tensor.Unravel(at, r.rec.Shape(r.name)) }

// part returns n elements from offset on.
func (r *reader) part(offset, n int) (x []float64, err error) {
	if r.total > keptElements {
		return r.rec.Part(r.name, offset, n)
	}
	if r.whole == nil {
		if r.whole, err = r.rec.Part(r.name, 0, r.total); err != nil {
			return nil, err
		}
	}
	return r.whole[offset : offset+n], nil
}

// differs returns the place in r of the first of n elements that has not the bits of that of
// another input, each from its offset on; −1 where there is none. Any NaN counts as any other.
func (r *reader) differs(offset int, other *reader, from, n int) (at int, err error) {
	for done := 0; done < n; done += readElements {
		size := min(readElements, n-done)
		x, err := r.part(offset+done, size)
		if err != nil {
			return 0, err
		}
		y, err := other.part(from+done, size)
		if err != nil {
			return 0, err
		}
		for i := range x {
			if math.Float64bits(x[i]) != math.Float64bits(y[i]) && !(math.IsNaN(x[i]) && math.IsNaN(y[i])) {
				return offset + done + i, nil
			}
		}
	}
	return -1, nil
}

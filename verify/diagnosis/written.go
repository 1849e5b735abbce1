package diagnosis

import (
	"fmt"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// takenTypes are types of one size whose bytes may be taken for each other's.
var takenTypes = map[dtype.Type]dtype.Type{
	dtype.F8E4M3: dtype.F8E5M2, dtype.F8E5M2: dtype.F8E4M3, dtype.BF16: dtype.F16, dtype.F16: dtype.BF16,
}

// writtenAs are outputs whose bytes are those of another type: of the right numbers, and where an
// attribute says which type it is, of those that belong to the other.
func (s *subject) writtenAs() (all []candidate) {
	for _, v := range s.views {
		other, known := takenTypes[v.want.Type]
		if !v.failed || !known {
			continue
		}
		said := fmt.Sprintf("%s has the bytes of %s, and says that they are %s", v.want.Name, other, v.want.Type)
		give := func(change func(r *recording.Recording)) giver {
			return func() (outputs, error) {
				gives, err := s.exact(s.changed(change))
				if x := gives[v.want.Name]; err == nil && x != nil {
					gives[v.want.Name] = retyped(x, other, v.want.Type)
				}
				return gives, err
			}
		}
		c := propose("misread", said, said, give(func(*recording.Recording) {}))
		if s.has("format") {
			c.others = []giver{give(func(r *recording.Recording) { r.Attrs["format"] = other.String() })}
		}
		all = append(all, c)
	}
	return all
}

// retyped returns what the bytes of numbers in one type are in another, as many of these, zeros
// behind the end.
func retyped(x []float64, own, as dtype.Type) []float64 {
	bytes, y := make([]byte, len(x)*max(own.Size(), as.Size())), make([]float64, len(x))
	own.Encode(bytes[:len(x)*own.Size()], x)
	as.Decode(y, bytes[:len(x)*as.Size()])
	return y
}

// rotatedInPart are rotations of the first columns of a head alone, or of the last, as of a head of
// that width; the rest stays as it is.
func (s *subject) rotatedInPart() (all []candidate) {
	x, err := s.rec.Tensor("x")
	if err != nil || s.bound.Op.Name != "rope.apply" {
		return nil
	}
	d := x.Shape[2]
	for _, width := range []int{d / 2, d / 4, d / 8, d / 4 * 3} {
		for _, first := range []int{0, d - width} {
			if width < 2 || width%2 > 0 {
				continue
			}
			said := fmt.Sprintf("columns %d to %d of %d alone are rotated, as of a head of that width", first,
				first+width-1, d)
			all = append(all, propose("misread", said, said, func() (outputs, error) {
				part := entries(x, 2, width, func(i int) int { return first + i })
				gives, err := s.exact(s.changed(func(r *recording.Recording) { r.Set("x", s.rec.Type("x"), part) }))
				if err != nil {
					return nil, err
				}
				turned := tensor.Of(gives["y"], part.Shape...)
				y := tensor.New(x.Shape...)
				copy(y.Data, x.Data)
				for i := range y.Data {
					if c := i%d - first; c >= 0 && c < width {
						y.Data[i] = turned.Data[i/d*width+c]
					}
				}
				return outputs{"y": y.Data}, nil
			}))
		}
	}
	return all
}

package diagnosis

import (
	"fmt"
	"slices"

	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// A layout slip is the commonest mistake in a recording itself: libraries keep heads before
// positions, [B,H,S,D], where the contract has [B,S,H,D]. Where the sizes divide nothing shows it
// but errors as large as the numbers.

// layoutCandidates exchange positions and heads: of the outputs, of everything in shape, of
// everything in memory, and of each input by itself.
func layoutCandidates(s *subject) []candidate {
	o := s.bound.Op
	axes := layoutAxes(o)
	if axes == "" {
		return nil
	}
	want := " (want " + declaredOrder(o) + ")"
	of := axes + " of the outputs exchanged" + want
	all := []candidate{
		s.outputsExchanged(of),
		s.exchanged("axes exchanged", axes+" exchanged"+want, false, transposed),
		s.exchanged("axes exchanged in memory", axes+" exchanged in memory"+want, true, reread),
	}
	all = append(all, s.exchangedSets()...)
	for _, t := range o.Inputs {
		if a := headAxis(t); a >= 0 && s.rec.Has(t.Name) {
			said := fmt.Sprintf("axes %d and %d of %s exchanged in memory (want %s)", a, a+1, t.Name, t.ShapeText())
			all = append(all, propose("layout", "axes of "+t.Name+" exchanged", said, func() (outputs, error) {
				return s.exact(exchange(s.request, []op.Tensor{t}, "", reread))
			}))
		}
	}
	return append(all, viewCandidates(s)...)
}

// exchangedSets are the inputs of queries, or those of keys and values, in the other order, without
// the others; their gradients too, or not.
func (s *subject) exchangedSets() (all []candidate) {
	o := s.bound.Op
	for _, letter := range []string{"S", "T"} {
		set, gradients := ofHeads(o.Inputs, letter), ofHeads(o.Outputs, letter)
		if len(set) < 2 || len(set) == len(ofHeads(o.Inputs, "S"))+len(ofHeads(o.Inputs, "T")) {
			continue
		}
		a := headAxis(set[0])
		said := fmt.Sprintf("axes %d and %d of %s exchanged in memory", a, a+1, namesOf(set))
		all = append(all, s.otherwise("layout", said, said, s.changing(set, func(x *tensor.Tensor) *tensor.Tensor {
			return reread(x, a)
		})))
		if len(gradients) > 0 {
			said += ", and of " + namesOf(gradients)
			all = append(all, propose("layout", said, said, func() (outputs, error) {
				right, err := s.exact(exchange(s.request, set, "", reread))
				return s.reordered(gradients, right, true), err
			}))
		}
	}
	return all
}

// ofHeads are the tensors that have an axis of positions with heads right after it.
func ofHeads(tensors []op.Tensor, letter string) (all []op.Tensor) {
	for _, t := range tensors {
		if a := headAxis(t); a >= 0 && t.Shape[a] == letter {
			all = append(all, t)
		}
	}
	return all
}

// outputsExchanged is the explanation that the outputs alone lie in memory as in the other order.
func (s *subject) outputsExchanged(said string) candidate {
	c := propose("layout", "axes of the outputs exchanged", said, func() (outputs, error) {
		return s.inOrder(s.right(), true), nil
	})
	c.moves = func(v *view, x []float64) []float64 { return s.inOrder(outputs{v.want.Name: x}, true)[v.want.Name] }
	return c
}

// exchanged is the explanation that axes of everything were exchanged in a way, which leaves shapes
// as the contract has them or not.
func (s *subject) exchanged(id, said string, own bool, how func(*tensor.Tensor, int) *tensor.Tensor) candidate {
	o := s.bound.Op
	c := propose("layout", id, said, func() (outputs, error) {
		right, err := s.exact(exchange(s.request, o.Inputs, "", how))
		return s.inOrder(right, own), err
	})
	c.again = func() *recording.Recording {
		return exchange(exchange(s.rec, o.Inputs, "", how), o.Outputs, "out.", how)
	}
	return c
}

// exact returns what a kernel that rounds nothing gives for a request.
func (s *subject) exact(request *recording.Recording) (outputs, error) {
	if request == nil {
		return nil, emulate.ErrHidden
	}
	return s.run(request, emulate.Exact(""))
}

// right returns the right truth of what was recorded.
func (s *subject) right() outputs {
	all := outputs{}
	for _, v := range s.views {
		all[v.want.Name] = v.truth
	}
	return all
}

// inOrder returns outputs with the data of those that have heads in the other order; own says that
// their shape is the contract's, and not the exchanged one.
func (s *subject) inOrder(all outputs, own bool) outputs {
	return s.reordered(s.bound.Op.Outputs, all, own)
}

// reordered is inOrder of some outputs.
func (s *subject) reordered(tensors []op.Tensor, all outputs, own bool) outputs {
	for _, t := range tensors {
		a, x := headAxis(t), all[t.Name]
		if a < 0 || x == nil || !s.rec.Has("out."+t.Name) {
			continue
		}
		shape := slices.Clone(s.rec.Shape("out." + t.Name))
		if !own {
			shape[a], shape[a+1] = shape[a+1], shape[a]
		}
		all[t.Name] = transposed(tensor.Of(x, shape...), a).Data
	}
	return all
}

// headAxis returns the axis of positions in a declared shape that has heads right after them, and
// −1 where there is none.
func headAxis(t op.Tensor) int {
	for a := range len(t.Shape) - 1 {
		if slices.Contains([]string{"S", "T", "N"}, t.Shape[a]) && slices.Contains([]string{"H", "G"}, t.Shape[a+1]) {
			return a
		}
	}
	return -1
}

// layoutAxes names the axes that may be exchanged, the same in all tensors of an op; "" where it
// has none.
func layoutAxes(o *op.Op) string {
	for _, t := range o.Outputs {
		if a := headAxis(t); a >= 0 {
			return fmt.Sprintf("axes %d and %d", a, a+1)
		}
	}
	return ""
}

// declaredOrder is the shape that the contract has, as a question to whoever wrote the file.
func declaredOrder(o *op.Op) string {
	i := slices.IndexFunc(o.Outputs, func(t op.Tensor) bool { return headAxis(t) >= 0 })
	return o.Outputs[i].Name + " " + o.Outputs[i].ShapeText()
}

// exchange returns a recording with positions and heads of some tensors exchanged; nil if one
// cannot be read.
func exchange(
	rec *recording.Recording, tensors []op.Tensor, prefix string, how func(*tensor.Tensor, int) *tensor.Tensor,
) *recording.Recording {
	if rec == nil {
		return nil
	}
	other := rec.Clone()
	for _, t := range tensors {
		name, a := prefix+t.Name, headAxis(t)
		if a < 0 || !rec.Has(name) {
			continue
		}
		x, err := rec.Tensor(name)
		if err != nil {
			return nil
		}
		other.Set(name, rec.Type(name), how(x, a))
	}
	return other
}

// reread takes the data to be in the other order, and leaves the shape as it is.
func reread(x *tensor.Tensor, a int) *tensor.Tensor {
	shape := slices.Clone(x.Shape)
	shape[a], shape[a+1] = shape[a+1], shape[a]
	return transposed(tensor.Of(x.Data, shape...), a)
}

// transposed exchanges axes a and a+1.
func transposed(x *tensor.Tensor, a int) *tensor.Tensor {
	shape := slices.Clone(x.Shape)
	shape[a], shape[a+1] = shape[a+1], shape[a]
	y := tensor.New(shape...)
	rows, cols, inner := x.Shape[a], x.Shape[a+1], inside(x.Shape, a+1)
	for block := 0; block < x.Len(); block += rows * cols * inner {
		for i := range rows {
			for j := range cols {
				from, to := block+(i*cols+j)*inner, block+(j*rows+i)*inner
				copy(y.Data[to:to+inner], x.Data[from:from+inner])
			}
		}
	}
	return y
}

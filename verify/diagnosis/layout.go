package op

import (
	"fmt"
	"slices"

	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// A layout slip is the commonest mistake in a recording itself: libraries keep heads before
// positions, [B,H,S,D], where the contract has [B,S,H,D]. Where the sizes divide nothing shows it
// but errors as large as the numbers. It is tried before anybody looks for it in the kernel.
const (
	farOff     = 20   // times the limit of the root mean square: a slip is no matter of last bits
	layoutWork = 1e10 // products for one try, some seconds
)

// tryLayouts judges what is far off once more with positions and heads exchanged, and says so where
// that explains it.
func tryLayouts(rec *recording.Recording, expected []verdict.Expected, v verdict.Verdict) verdict.Verdict {
	op := Lookup(rec.Op)
	worst := slices.IndexFunc(v.Outputs, func(o verdict.Output) bool { return o.RMS > farOff*o.RMSLimit })
	if v.Status != verdict.Unexplained || worst < 0 {
		return v
	}
	axes := layoutAxes(op)
	if axes == "" {
		return v
	}
	for _, try := range layoutSlips(op) {
		if try.inputs && !quick(rec) {
			continue // and nothing is decoded for it
		}
		other := try.change(rec)
		if other == nil || !explainedSo(other, expected, try.inputs) {
			continue
		}
		out := &v.Outputs[worst]
		said := axes + try.what + " would explain it (want " + declaredOrder(op) + ")"
		out.Reasons = append([]string{said}, out.Reasons...)
		v.Reason = reason(v)
		return v
	}
	return v
}

// layoutSlip is one way to mistake the layout, undone by change.
type layoutSlip struct {
	what   string // was done to the axes
	change func(rec *recording.Recording) *recording.Recording
	inputs bool // are changed too
}

func layoutSlips(op *Op) []layoutSlip {
	return []layoutSlip{
		{" of the outputs exchanged", func(r *recording.Recording) *recording.Recording {
			return reread(r, op.Outputs, "out.")
		}, false},
		{" exchanged", func(r *recording.Recording) *recording.Recording {
			return exchanged(exchanged(r, op.Inputs, ""), op.Outputs, "out.")
		}, true},
		{" exchanged in memory", func(r *recording.Recording) *recording.Recording {
			return reread(reread(r, op.Inputs, ""), op.Outputs, "out.")
		}, true},
	}
}

// explainedSo tells whether a recording is explained; anew says that its inputs have changed, and
// with them the truth.
func explainedSo(rec *recording.Recording, expected []verdict.Expected, anew bool) bool {
	if anew {
		if !quick(rec) {
			return false
		}
		var err error
		if expected, err = Expect(rec); err != nil {
			return false
		}
	}
	return JudgeAgainst(rec, expected).Status == verdict.Explained
}

// quick tells whether a recording asks for so little work that it is judged to try something.
func quick(rec *recording.Recording) bool {
	work, err := Work(rec)
	return err == nil && work <= layoutWork
}

// headAxis returns the axis of positions in a declared shape that has heads right after them, and
// −1 where there is none.
func headAxis(t Tensor) int {
	for a := range len(t.Shape) - 1 {
		if slices.Contains([]string{"S", "T", "N"}, t.Shape[a]) && slices.Contains([]string{"H", "G"}, t.Shape[a+1]) {
			return a
		}
	}
	return -1
}

// layoutAxes names the axes that may be exchanged, the same in all tensors of an op; "" where it
// has none.
func layoutAxes(op *Op) string {
	for _, t := range op.Outputs {
		if a := headAxis(t); a >= 0 {
			return fmt.Sprintf("axes %d and %d", a, a+1)
		}
	}
	return ""
}

// declaredOrder is the shape that the contract has, as a question to whoever wrote the file.
func declaredOrder(op *Op) string {
	i := slices.IndexFunc(op.Outputs, func(t Tensor) bool { return headAxis(t) >= 0 })
	return op.Outputs[i].Name + " " + op.Outputs[i].ShapeText()
}

// exchanged returns the recording with positions and heads exchanged, in shapes and data; nil if a
// tensor cannot be read.
func exchanged(rec *recording.Recording, tensors []Tensor, prefix string) *recording.Recording {
	return changed(rec, tensors, prefix, transposed)
}

// reread returns it with the data taken to be in the other order, and the shapes as they are.
func reread(rec *recording.Recording, tensors []Tensor, prefix string) *recording.Recording {
	return changed(rec, tensors, prefix, func(x *tensor.Tensor, a int) *tensor.Tensor {
		shape := slices.Clone(x.Shape)
		shape[a], shape[a+1] = shape[a+1], shape[a]
		return transposed(tensor.Of(x.Data, shape...), a)
	})
}

func changed(
	rec *recording.Recording, tensors []Tensor, prefix string, change func(*tensor.Tensor, int) *tensor.Tensor,
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
		other.Set(name, rec.Type(name), change(x, a))
	}
	return other
}

// transposed exchanges axes a and a+1.
func transposed(x *tensor.Tensor, a int) *tensor.Tensor {
	shape := slices.Clone(x.Shape)
	shape[a], shape[a+1] = shape[a+1], shape[a]
	y := tensor.New(shape...)
	rows, cols, inner := x.Shape[a], x.Shape[a+1], 1
	for _, n := range x.Shape[a+2:] {
		inner *= n
	}
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

package op_test

import (
	"slices"
	"strings"
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// rightly returns a recording whose output of that name is the truth, rounded.
func rightly(r *recording.Recording) *recording.Recording {
	expected, err := op.Expect(r)
	optest.Must(err)
	for _, e := range expected {
		r.Set("out."+e.Name, r.Type("out."+e.Name), e.Truth)
	}
	return r
}

// TestLayoutSlips records right results with heads before positions, in shapes, in memory, in the
// output alone.
func TestLayoutSlips(t *testing.T) {
	rope := func() *recording.Recording {
		return asked("rope.apply", nil, map[string][]int{"x": {6, 3, 8}, "positions": {6}, "out.y": {6, 3, 8}})
	}
	square := func() *recording.Recording {
		return asked("rope.apply", nil, map[string][]int{"x": {4, 4, 8}, "positions": {4}, "out.y": {4, 4, 8}})
	}
	attention := func(op string) func() *recording.Recording {
		return func() *recording.Recording { return askedAttention(op, 2, 6, 6, 3, 3, 8, 8) }
	}
	all := func(change func(
		*recording.Recording, []op.Tensor, string,
	) *recording.Recording) func(*recording.Recording) *recording.Recording {
		return func(r *recording.Recording) *recording.Recording {
			op := op.Lookup(r.Op)
			return change(change(r, op.Inputs, ""), op.Outputs, "out.")
		}
	}
	outputs := func(r *recording.Recording) *recording.Recording {
		return op.Changed(r, op.Lookup(r.Op).Outputs, "out.", func(x *tensor.Tensor, a int) *tensor.Tensor {
			return tensor.Of(op.Transposed(x, a).Data, x.Shape...)
		})
	}
	for _, c := range []struct {
		name   string
		right  func() *recording.Recording
		slip   func(*recording.Recording) *recording.Recording
		output int
		want   string // "" where no exchange explains
	}{
		{
			"attention as [B,H,S,D]", attention("attention.forward"), all(op.Exchanged), 0,
			"axes 1 and 2 exchanged would explain it (want o [B, S, H, V])",
		},
		{
			"gradients as [B,H,S,D]", attention("attention.backward"), all(op.Exchanged), 0,
			"axes 1 and 2 exchanged would explain it (want dq [B, S, H, D])",
		},
		{
			"an output as [B,H,S,D] under the other shape", attention("attention.forward"), outputs, 0,
			"axes 1 and 2 of the outputs exchanged would explain it",
		},
		{
			"rotated heads of square shape", square, outputs, 0,
			"axes 0 and 1 of the outputs exchanged would explain it (want y [N, H, D])",
		},
		{"rotation in memory", rope, all(func(
			r *recording.Recording, ts []op.Tensor, prefix string,
		) *recording.Recording {
			return op.Changed(r, ts, prefix, func(x *tensor.Tensor, a int) *tensor.Tensor {
				return tensor.Of(op.Transposed(x, a).Data, x.Shape...)
			})
		}), 0, "axes 0 and 1 exchanged in memory would explain it"},
		{"another mistake", attention("attention.forward"), func(r *recording.Recording) *recording.Recording {
			x, err := r.Tensor("out.o")
			optest.Must(err)
			slices.Reverse(x.Data)
			r.Set("out.o", r.Type("out.o"), x)
			return r
		}, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			right := rightly(c.right())
			if v := op.Judge(right); v.Status != verdict.Explained {
				t.Fatalf("%v: %s", v.Status, v.Reason)
			}
			v := op.Judge(c.slip(right))
			got := ""
			if len(v.Outputs) > 0 && len(v.Outputs[c.output].Reasons) > 0 {
				got = v.Outputs[c.output].Reasons[0]
			}
			if v.Status != verdict.Unexplained || !strings.Contains(got, c.want) || c.want == "" &&
				strings.Contains(got, "exchanged") {
				t.Errorf("%v: %q (%s), want %q", v.Status, got, v.Reason, c.want)
			}
			if c.want != "" && !strings.Contains(v.Reason, c.want) {
				t.Errorf("reason %q, want %q", v.Reason, c.want)
			}
		})
	}
}

func TestTransposed(t *testing.T) {
	x := tensor.New(2, 3, 4, 5)
	for i := range x.Data {
		x.Data[i] = float64(i)
	}
	y := op.Transposed(x, 1)
	for i := range x.Data {
		at := tensor.Unravel(i, x.Shape)
		if got := y.At(at[0], at[2], at[1], at[3]); got != float64(i) {
			t.Fatalf("%v: %v", at, got)
		}
	}
	if slices.Compare(y.Shape, []int{2, 4, 3, 5}) != 0 {
		t.Error(y.Shape)
	}
}

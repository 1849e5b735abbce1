package diagnosis

import (
	"slices"
	"strings"
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	_ "plumbline/verify/emulate/all"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// normals is a right recording of an op on normal numbers of these shapes.
func normals(opName, output string, shapes map[string][]int) *recording.Recording {
	r := recording.New(opName)
	for i, name := range []string{"q", "k", "v", "do", "x"} {
		if shape := shapes[name]; shape != nil {
			recipe := recording.Recipe{Type: dtype.BF16, Shape: shape, Dist: "normal", Seed: uint64(i + 1)}
			optest.Must(r.Generate(name, recipe))
		}
	}
	if shape := shapes["x"]; shape != nil {
		positions := tensor.New(shape[0])
		for i := range positions.Data {
			positions.Data[i] = float64(3*i + 1)
		}
		r.Set("positions", dtype.I32, positions)
	}
	right, err := emulate.Run(r, emulate.Config{})
	optest.Must(err)
	for _, name := range right.Outputs() {
		if name != output {
			right.Delete("out." + name)
		}
	}
	return right
}

func attentionOf(opName, output string) *recording.Recording {
	shapes := map[string][]int{"q": {2, 6, 3, 8}, "k": {2, 6, 3, 8}, "v": {2, 6, 3, 8}}
	if opName == "attention.backward" {
		shapes["do"] = []int{2, 6, 3, 8}
	}
	return normals(opName, output, shapes)
}

// slipped exchanges axes of a recording: of its outputs only, or of its inputs too.
func slipped(r *recording.Recording, inputs bool, how func(*tensor.Tensor, int) *tensor.Tensor) *recording.Recording {
	other := r.Clone()
	change := func(prefix string, tensors []op.Tensor) {
		for _, t := range tensors {
			if a := headAxis(t); a >= 0 && r.Has(prefix+t.Name) {
				x, err := r.Tensor(prefix + t.Name)
				optest.Must(err)
				other.Set(prefix+t.Name, r.Type(prefix+t.Name), how(x, a))
			}
		}
	}
	o := op.Lookup(r.Op)
	change("out.", o.Outputs)
	if inputs {
		change("", o.Inputs)
	}
	return other
}

// inMemory leaves the shape as it is.
func inMemory(x *tensor.Tensor, a int) *tensor.Tensor {
	return tensor.Of(transposed(x, a).Data, x.Shape...)
}

// everything and outputs exchange axes of both inputs and outputs, or of outputs alone.
func everything(r *recording.Recording) *recording.Recording { return slipped(r, true, transposed) }
func outputsInMemory(r *recording.Recording) *recording.Recording {
	return slipped(r, false, inMemory)
}
func everythingInMemory(r *recording.Recording) *recording.Recording {
	return slipped(r, true, inMemory)
}

// inOrderOfSize is a mistake that no exchange explains.
func inOrderOfSize(r *recording.Recording) *recording.Recording {
	x, err := r.Tensor("out.o")
	optest.Must(err)
	slices.Sort(x.Data)
	other := r.Clone()
	other.Set("out.o", r.Type("out.o"), x)
	return other
}

// TestLayoutSlips records right results with heads before positions, in shapes, in memory, in the
// output alone.
func TestLayoutSlips(t *testing.T) {
	forward, backward := attentionOf("attention.forward", "o"), attentionOf("attention.backward", "dq")
	rope := normals("rope.apply", "y", map[string][]int{"x": {6, 3, 8}})
	square := normals("rope.apply", "y", map[string][]int{"x": {4, 4, 8}})
	for _, c := range []struct {
		name  string
		right *recording.Recording
		slip  func(*recording.Recording) *recording.Recording
		want  string // "" where no exchange explains
	}{
		{"attention as [B,H,S,D]", forward, everything, "axes 1 and 2 exchanged (want o [B, S, H, V])"},
		{"gradients as [B,H,S,D]", backward, everything, "axes 1 and 2 exchanged (want dq [B, S, H, D])"},
		{"an output under the other shape", forward, outputsInMemory, "axes 1 and 2 of the outputs exchanged"},
		{"square heads", square, outputsInMemory, "axes 0 and 1 of the outputs exchanged (want y [N, H, D])"},
		{"rotation in memory", rope, everythingInMemory, "axes 0 and 1 exchanged in memory"},
		{"another mistake", forward, inOrderOfSize, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if v := op.Judge(c.right); v.Status != verdict.Explained {
				t.Fatalf("%v: %s", v.Status, v.Reason)
			}
			v := Judge(c.slip(c.right), op.MaxWork, Budget)
			if v.Status != verdict.Unexplained {
				t.Fatalf("%v: %s", v.Status, v.Reason)
			}
			said := v.Diagnosis.Sentence
			if !strings.HasPrefix(said, c.want) || c.want == "" && strings.Contains(said, "explains everything") {
				t.Errorf("%q, want %q", said, c.want)
			}
		})
	}
}

func TestTransposed(t *testing.T) {
	x := tensor.New(2, 3, 4, 5)
	for i := range x.Data {
		x.Data[i] = float64(i)
	}
	y := transposed(x, 1)
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

package diagnosis

import (
	"testing"

	"plumbline/internal/optest"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// readAsOne returns the recording with the outputs of a kernel that reads inputs as parts of what
// they are behind each other, taken otherwise.
func readAsOne(
	right *recording.Recording, back int, as func(x *tensor.Tensor) *tensor.Tensor, names ...string,
) *recording.Recording {
	return confused(right, func(r *recording.Recording) {
		var all []*tensor.Tensor
		for _, name := range names {
			x, err := right.Tensor(name)
			optest.Must(err)
			all = append(all, x)
		}
		for i, x := range parted(as(joined(all, back)), len(all), back) {
			r.Set(names[i], right.Type(names[i]), x)
		}
	})
}

// Inputs that are stored as one tensor may be read as if that lay otherwise: of W1 and W3 behind
// each other, as many rows as columns, it is not seen whether they are to be transposed.
func TestInputsStoredAsOne(t *testing.T) {
	transposedRows := func(x *tensor.Tensor) *tensor.Tensor { return reread(x, len(x.Shape)-2) }
	even := given("attention.forward", func(r *recording.Recording) {
		for i, name := range []string{"q", "k", "v"} {
			generate(r, name, uint64(i+1), 2, 6, 2, 4)
		}
	})
	wrongs{
		{
			"a square one", "w_gate and w_up lie behind each other along axis F as one tensor, and are read as its " +
				"transpose: explains everything",
			readAsOne(mixes(), 2, transposedRows, "w_gate", "w_up"),
		},
		{
			"three interleaved", "q, k and v are read as if they were interleaved along head, and lie behind each " +
				"other: explains everything",
			readAsOne(even, 2, func(x *tensor.Tensor) *tensor.Tensor {
				return entries(x, 2, 6, func(i int) int { return i%2*3 + i/2 })
			}, "q", "k", "v"),
		},
	}.check(t)
}

// What is put together is what is taken apart.
func TestJoinedIsTakenApart(t *testing.T) {
	var all []*tensor.Tensor
	for k := range 3 {
		x := tensor.New(2, 3, 4)
		for i := range x.Data {
			x.Data[i] = float64(100*k + i)
		}
		all = append(all, x)
	}
	for back := 1; back <= 3; back++ {
		for k, x := range parted(joined(all, back), 3, back) {
			if x.At(1, 2, 3) != all[k].At(1, 2, 3) || x.At(0, 1, 0) != all[k].At(0, 1, 0) {
				t.Error(back, k, x)
			}
		}
	}
}

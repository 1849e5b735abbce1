package recording_test

import (
	"bytes"
	"fmt"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// A kernel author records one call: inputs, outputs, conventions, and what the kernel says of its
// arithmetic.
func Example() {
	r := recording.New("norm.rms")
	r.Set("x", dtype.BF16, tensor.Of([]float64{3, 4}, 1, 2))
	r.Set("weight", dtype.BF16, tensor.Of([]float64{1, 1}, 2))
	r.Set("out.y", dtype.BF16, tensor.Of([]float64{0.848, 1.131}, 1, 2))
	r.Attrs["eps"] = recording.Number(1e-6)
	r.Arithmetic["accumulate"] = "F32"

	var file bytes.Buffer
	if _, err := r.WriteTo(&file); err != nil {
		fmt.Println(err)
	}
	again, err := recording.Read(bytes.NewReader(file.Bytes()), int64(file.Len()), "norm.safetensors")
	if err != nil {
		fmt.Println(err)
	}
	y, err := again.Tensor("out.y")
	fmt.Println(again.Op, again.Attrs, again.Inputs(), again.Outputs())
	fmt.Println(y.Data, err)
	_, err = again.Tensor("bias")
	fmt.Println(err)
	// Output:
	// norm.rms map[eps:1e-06] [x weight] [y]
	// [0.84765625 1.1328125] <nil>
	// norm.safetensors: tensor "bias": not in the recording
}

// A full-size input is a line of text: every language makes the same bits of it, and the hash
// proves that it did.
func ExampleRecording_Generate() {
	r := recording.New("mla.decode")
	err := r.Generate("q", recording.Recipe{
		Type: dtype.BF16, Shape: []int{2, 1, 128, 576}, Dist: "normal", Seed: 7, Exp2: -2,
		Edits: []recording.Edit{{Index: []int{1, 0, 127}, Value: 0}},
	})
	recipe, _ := r.Recipe("q")
	fmt.Println(recipe.SHA256, err)
	q, err := r.Tensor("q")
	fmt.Println(q.Row(0, 0, 0)[:4], err)
	// Output:
	// c8d9bbe174c986b24c2a79eb1bcc45e7aa911e3064e810c823c0fe3614801409 <nil>
	// [-0.1630859375 -0.1962890625 0.0230712890625 0.03466796875] <nil>
}

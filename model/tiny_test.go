package model

import (
	"os"
	"path/filepath"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// tinyFolder holds a DeepSeek-V3 of random weights and what Hugging Face's code makes of it, by
// golden/pytorch/tiny_v3.py.
const tinyFolder = "testdata/tiny-v3"

// tensors opens a file of the tiny model's folder.
func tensors(t *testing.T, name string) *recording.Recording {
	t.Helper()
	file, err := recording.OpenTensors(filepath.Join(tinyFolder, name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
	return file
}

// tiny returns the model.
func tiny(t *testing.T) (Weights, Config) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(tinyFolder, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseConfig(text)
	if err != nil {
		t.Fatal(err)
	}
	w, err := Load(c, tensors(t, "model").Tensor)
	if err != nil {
		t.Fatal(err)
	}
	return w, c
}

// prompt returns the tokens of one sequence of the two that were run.
func prompt(t *testing.T, file *recording.Recording, sequence int) []int {
	t.Helper()
	x := read(t, file, "tokens")
	tokens := make([]int, x.Shape[1])
	for i, v := range x.Row(sequence) {
		tokens[i] = int(v)
	}
	return tokens
}

func read(t *testing.T, file *recording.Recording, name string) *tensor.Tensor {
	t.Helper()
	x, err := file.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// named is a tensor of a forward pass.
type named struct {
	name string
	x    *mat.Dense
}

// trace returns what a model computes, in order.
func trace(tokens []int, w Weights, c Config) (all []named) {
	Forward(tokens, w, c, func(name string, x *mat.Dense) { all = append(all, named{name, mat.DenseCopyOf(x)}) })
	return all
}

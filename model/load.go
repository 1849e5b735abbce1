package model

import (
	"errors"
	"fmt"
	"slices"

	"plumbline/numbers/tensor"
)

// Load returns the weights of a checkpoint, asked for one after the other by name.
//
// read returns the tensor of a name of DeepSeek's checkpoints, as in README_WEIGHTS and in Hugging
// Face's; of the modules these hold copies of embedding and head, which are not asked for. An error
// of read, or a tensor of another shape than the configuration's, is an error that says the name;
// so is a configuration of nothing. It implements no equation: it reads.
func Load(c Config, read func(name string) (*tensor.Tensor, error)) (Weights, error) {
	if err := c.check(); err != nil {
		return Weights{}, err
	}
	w := NewWeights(c)
	var failed error
	w.Each(func(name string, x *tensor.Tensor) {
		if failed == nil {
			failed = fill(x, name, read)
		}
	})
	return w, failed
}

// fill copies the tensor of a name into x.
func fill(x *tensor.Tensor, name string, read func(name string) (*tensor.Tensor, error)) error {
	got, err := read(name)
	if err != nil {
		return fmt.Errorf("model: weight %q: %w", name, err)
	}
	if !slices.Equal(got.Shape, x.Shape) {
		return fmt.Errorf("model: weight %q: shape %v, want %v", name, got.Shape, x.Shape)
	}
	copy(x.Data, got.Data)
	return nil
}

// check says which size of a configuration no weight can have.
func (c Config) check() error {
	least := func(name string, value, want int) error {
		if value < want {
			return fmt.Errorf("model: configuration: %s %d, want at least %d", name, value, want)
		}
		return nil
	}
	a, experts := c.Attention, 0
	if c.Dense < c.Layers || c.Depths > 0 {
		experts = 1
	}
	return errors.Join(
		least("Vocabulary", c.Vocabulary, 1), least("Width", c.Width, 1), least("Latent", c.Latent, 1),
		least("Layers", c.Layers, 0), least("Dense", c.Dense, 0), least("Depths", c.Depths, 0),
		least("QueryLatent", c.QueryLatent, 0), least("Inner", c.Inner, min(c.Dense, c.Layers, 1)),
		least("Experts", c.Experts, experts), least("ExpertInner", c.ExpertInner, experts),
		least("SharedExperts", c.SharedExperts, 0), least("Attention.Heads", a.Heads, 1),
		least("Attention.NopeDim", a.NopeDim, 1), least("Attention.RopeDim", a.RopeDim, 1),
		least("Attention.ValueDim", a.ValueDim, 1),
	)
}

package model

import (
	"errors"
	"fmt"
	"testing"

	"plumbline/numbers/tensor"
)

// A checkpoint is a map here: the weights of the small model, by name.
func reader(all map[string]*tensor.Tensor) func(name string) (*tensor.Tensor, error) {
	return func(name string) (*tensor.Tensor, error) {
		if x := all[name]; x != nil {
			return x, nil
		}
		return nil, errors.New("not there")
	}
}

func TestLoad(t *testing.T) {
	c := small()
	t.Run("what was listed is what is read, number by number", func(t *testing.T) {
		w := random(c, 6)
		got, err := Load(c, reader(byName(w)))
		if err != nil {
			t.Fatal(err)
		}
		if a, b := lossOf(got, c), lossOf(w, c); a != b {
			t.Errorf("loss %v, want %v", a, b)
		}
	})
	t.Run("numbers are copied, so that training leaves the checkpoint as it is", func(t *testing.T) {
		w := random(c, 6)
		got, err := Load(c, reader(byName(w)))
		if err != nil {
			t.Fatal(err)
		}
		before := lossOf(w, c)
		Descend(got, gradientOf(got, c), 0.1)
		if after := lossOf(w, c); after != before {
			t.Errorf("loss of the checkpoint %v, before %v", after, before)
		}
	})
	t.Run("every weight that is missing or of another shape is named", func(t *testing.T) {
		for name, x := range byName(random(c, 6)) {
			all := byName(random(c, 6))
			delete(all, name)
			refused(t, c, all, `model: weight "`+name+`": not there`)
			grown := append([]int{x.Shape[0] + 1}, x.Shape[1:]...)
			all[name] = tensor.New(grown...)
			refused(t, c, all, `model: weight "`+name+`": shape `+fmt.Sprint(grown)+", want "+fmt.Sprint(x.Shape))
		}
	})
	t.Run("a vector is no matrix of one row", func(t *testing.T) {
		all := byName(random(c, 6))
		all["model.norm.weight"] = tensor.New(1, c.Width)
		refused(t, c, all, `model: weight "model.norm.weight": shape [1 5], want [5]`)
	})
}

// Without this gonum would panic, and a configuration is data.
func TestConfigOfNothing(t *testing.T) {
	for message, change := range map[string]func(c *Config){
		"Vocabulary 0, want at least 1":         func(c *Config) { c.Vocabulary = 0 },
		"Width 0, want at least 1":              func(c *Config) { c.Width = 0 },
		"Latent 0, want at least 1":             func(c *Config) { c.Latent = 0 },
		"Layers -1, want at least 0":            func(c *Config) { c.Layers = -1 },
		"Dense -1, want at least 0":             func(c *Config) { c.Dense = -1 },
		"Depths -1, want at least 0":            func(c *Config) { c.Depths = -1 },
		"QueryLatent -1, want at least 0":       func(c *Config) { c.QueryLatent = -1 },
		"Inner 0, want at least 1":              func(c *Config) { c.Inner = 0 },
		"Experts 0, want at least 1":            func(c *Config) { c.Experts = 0 },
		"ExpertInner 0, want at least 1":        func(c *Config) { c.ExpertInner = 0 },
		"SharedExperts -1, want at least 0":     func(c *Config) { c.SharedExperts = -1 },
		"Attention.Heads 0, want at least 1":    func(c *Config) { c.Attention.Heads = 0 },
		"Attention.NopeDim 0, want at least 1":  func(c *Config) { c.Attention.NopeDim = 0 },
		"Attention.RopeDim 0, want at least 1":  func(c *Config) { c.Attention.RopeDim = 0 },
		"Attention.ValueDim 0, want at least 1": func(c *Config) { c.Attention.ValueDim = 0 },
	} {
		t.Run(message+" is said", func(t *testing.T) {
			c := small()
			change(&c)
			refused(t, c, nil, "model: configuration: "+message)
		})
	}
	t.Run("a model of dense layers alone needs no experts", func(t *testing.T) {
		c := small()
		c.Dense, c.Depths, c.Experts, c.ExpertInner = 2, 0, 0, 0
		if _, err := Load(c, reader(byName(random(c, 1)))); err != nil {
			t.Error(err)
		}
	})
	t.Run("nor one of experts alone an inner width of dense ones", func(t *testing.T) {
		c := small()
		c.Dense, c.Inner = 0, 0
		if _, err := Load(c, reader(byName(random(c, 1)))); err != nil {
			t.Error(err)
		}
	})
}

// refused demands that loading fails with a message.
func refused(t *testing.T, c Config, all map[string]*tensor.Tensor, message string) {
	t.Helper()
	if _, err := Load(c, reader(all)); err == nil || err.Error() != message {
		t.Errorf("got %v, want %s", err, message)
	}
}

func TestNewWeights(t *testing.T) {
	// DeepSeek-V3's inference code: n_shared_experts * moe_inter_dim.
	t.Run("shared experts are one network, as wide inside as all of them", func(t *testing.T) {
		shared := NewWeights(small()).Blocks[1].Feed.Shared
		if rows, cols := shared[0].W1.Dims(); len(shared) != 1 || rows != 2*2 || cols != 5 {
			t.Errorf("%d networks, the first [%d × %d]", len(shared), rows, cols)
		}
	})
	t.Run("the first layers are dense, and all others and the modules have experts", func(t *testing.T) {
		w := NewWeights(small())
		for i, b := range []Block{w.Blocks[0], w.Blocks[1], w.Modules[0].Block, w.Modules[1].Block} {
			if want := min(i, 1) * 6; len(b.Feed.Routed) != want {
				t.Errorf("layer %d has %d experts, want %d", i, len(b.Feed.Routed), want)
			}
		}
	})
}

// Names are those under which Hugging Face's code has read the tiny model.
func TestEach(t *testing.T) {
	t.Run("names come once, and all of the checkpoint of the tiny model are asked for", func(t *testing.T) {
		w, _ := tiny(t)
		seen := map[string]bool{}
		w.Each(func(name string, _ *tensor.Tensor) {
			if seen[name] {
				t.Errorf("%s comes twice", name)
			}
			seen[name] = true
		})
		for _, name := range tensors(t, "model").Inputs() {
			if !seen[name] {
				t.Errorf("%s is not asked for", name)
			}
		}
	})
}

package op_test

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"

	"plumbline/internal/parallel"
	"plumbline/numbers/arithmetic"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
)

// TestLayerRun: without roundings, the program of a layer is the equation, in both forms. Two
// structures of the same mathematics check each other.
func TestLayerRun(t *testing.T) {
	for _, form := range []string{"naive", "absorbed"} {
		for seed := range uint64(12) {
			rec, err := emulate.Run(
				emulate.Request("mla.layer", seed), emulate.Config{Form: form, Accumulate: arithmetic.F64},
			)
			if err != nil {
				t.Fatal(err)
			}
			c, err := op.Bind(rec)
			if err != nil {
				t.Fatal(err)
			}
			equation, program, err := c.LayerOutputs()
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range equation {
				d := floats.Distance(program[name], want, 2) / floats.Norm(want, 2)
				if d > 1e-13 || math.IsNaN(d) {
					t.Errorf("%s, seed %d, %s: relative distance %.1e", form, seed, name, d)
				}
			}
		}
	}
}

// TestEachCarriesAPanic: a panic in a worker is one of the caller, so that whoever judges many
// recordings can name the one that failed.
func TestEachCarriesAPanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the panic was lost")
		}
	}()
	parallel.Each(8, func(i int) {
		if i == 5 {
			panic("op: five")
		}
	})
}

package emulate_test

import (
	"math"
	"slices"
	"testing"

	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// TestQuantities holds that every quantity is formed in some request, that a kernel that goes on
// with what was formed gives the same bits, and that another in its place gives other outputs.
func TestQuantities(t *testing.T) {
	for _, name := range emulate.Ops() {
		for _, q := range emulate.QuantitiesOf(name) {
			t.Run(name+"/"+q.Name, func(t *testing.T) {
				for seed := range uint64(60) {
					if movesOutputs(t, emulate.Request(name, seed), q) {
						return
					}
				}
				t.Error("no request in which it is formed, and outputs hang on it")
			})
		}
	}
}

// movesOutputs tells whether outputs hang on a quantity.
func movesOutputs(t *testing.T, request *recording.Recording, q emulate.Quantity) bool {
	t.Helper()
	bound, err := op.Bind(request)
	if err != nil {
		t.Fatal(err)
	}
	shape := bound.Shape(q.Shape)
	formed := tensor.New(shape...)
	right := runWith(t, request, &emulate.Quantities{Formed: map[string]*tensor.Tensor{q.Name: formed}})
	if again := runWith(t, request, instead(q, formed.Data, shape)); !slices.Equal(again, right) {
		t.Fatalf("%s: other outputs with the quantity that was formed", request.Name)
	}
	other := make([]float64, len(formed.Data))
	for i := range formed.Data {
		other[i] = 1.5*formed.Data[(i+1)%len(other)] + 0.25
	}
	return slices.ContainsFunc(formed.Data, func(x float64) bool { return x != 0 }) &&
		!slices.Equal(runWith(t, request, instead(q, other, shape)), right)
}

func instead(q emulate.Quantity, data []float64, shape []int) *emulate.Quantities {
	return &emulate.Quantities{Instead: map[string]*tensor.Tensor{q.Name: tensor.Of(data, shape...)}}
}

// runWith returns the bits of all outputs of an exact kernel, one after the other.
func runWith(t *testing.T, request *recording.Recording, q *emulate.Quantities) (all []uint64) {
	t.Helper()
	c := emulate.Exact("")
	c.Quantities = q
	rec, err := emulate.Run(request, c)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range rec.Outputs() {
		x, err := rec.Tensor("out." + name)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range x.Data {
			all = append(all, math.Float64bits(v))
		}
	}
	return all
}

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

// forms are those of kernels; an op that does not have one takes its default.
var forms = []string{"", "absorbed", "stable"}

// Each quantity is formed, may be put back, and matters, on one of a few requests: some make no use
// of it, as a loss of tokens makes none of a ratio of sequences.
func TestQuantitiesAreFormedAndTaken(t *testing.T) {
	for _, name := range emulate.Ops() {
		left := emulate.QuantitiesOf(name)
		if len(left) == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := uint64(0); seed < 40 && len(left) > 0; seed++ {
				left = notSeen(t, emulate.Request(name, seed), forms[seed%3], left)
			}
			for _, q := range left {
				t.Errorf("%s: on no request is it formed, and does another one show in an output", q.Name)
			}
		})
	}
}

// notSeen puts quantities of a request back, and others in their place, and returns those of which
// no other shows.
func notSeen(
	t *testing.T, request *recording.Recording, form string, all []emulate.Quantity,
) (left []emulate.Quantity) {
	t.Helper()
	right, formed := forming(t, request, form, all)
	for _, q := range all {
		instead := func(x *tensor.Tensor) *recording.Recording {
			other := map[string]*tensor.Tensor{q.Name: x}
			return mustRun(t, request, taking(&emulate.Quantities{Instead: other}, form))
		}
		x := formed[q.Name]
		if !sameOutputs(t, instead(x), right) {
			t.Errorf("%s: %s changes outputs where it is put back", request.Name, q.Name)
		}
		zero := !slices.ContainsFunc(x.Data, func(v float64) bool { return v != 0 })
		if zero || sameOutputs(t, instead(larger(x)), right) && sameOutputs(t, instead(rolled(x)), right) {
			left = append(left, q)
		}
	}
	return left
}

// forming returns what is formed of a request, and what it gives: no more than roundings apart from
// what it does where nobody looks.
func forming(
	t *testing.T, request *recording.Recording, form string, all []emulate.Quantity,
) (right *recording.Recording, formed map[string]*tensor.Tensor) {
	t.Helper()
	formed = map[string]*tensor.Tensor{}
	for _, q := range all {
		formed[q.Name] = tensor.New(shapeOf(t, request, q)...)
	}
	right = mustRun(t, request, taking(&emulate.Quantities{Formed: formed}, form))
	unseen := mustRun(t, request, taking(nil, form))
	for _, name := range right.Outputs() {
		if d := apart64(t, output(t, right, name), output(t, unseen, name)); d > 1e-12 {
			t.Errorf("%s: %s is %.2g apart where somebody looks", request.Name, name, d)
		}
	}
	return right, formed
}

func taking(q *emulate.Quantities, form string) emulate.Config {
	c := emulate.Exact("")
	c.Quantities, c.Form = q, form
	return c
}

func shapeOf(t *testing.T, request *recording.Recording, q emulate.Quantity) []int {
	t.Helper()
	bound, err := op.Bind(request)
	if err != nil {
		t.Fatal(err)
	}
	if len(q.Axes) > 0 && len(q.Axes) != len(q.Shape) {
		t.Fatalf("%s: %d words for %d axes", q.Name, len(q.Axes), len(q.Shape))
	}
	return bound.Shape(q.Shape)
}

// sameOutputs tells whether all outputs are the same, to the bit.
func sameOutputs(t *testing.T, a, b *recording.Recording) bool {
	t.Helper()
	return slices.Equal(a.Outputs(), b.Outputs()) && !slices.ContainsFunc(a.Outputs(), func(name string) bool {
		return !slices.EqualFunc(output(t, a, name), output(t, b, name), func(x, y float64) bool {
			return math.Float64bits(x) == math.Float64bits(y) || math.IsNaN(x) && math.IsNaN(y)
		})
	})
}

// larger returns 1.5 x.
func larger(x *tensor.Tensor) *tensor.Tensor {
	y := tensor.New(x.Shape...)
	for i, v := range x.Data {
		y.Data[i] = 1.5 * v
	}
	return y
}

// rolled returns x with each entry of the first axis that has several in the place of the one
// before.
func rolled(x *tensor.Tensor) *tensor.Tensor {
	y, step := tensor.New(x.Shape...), len(x.Data)
	for _, n := range x.Shape {
		if n > 1 {
			step /= n
			break
		}
	}
	for i := range y.Data {
		y.Data[i] = x.Data[(i+step)%len(x.Data)]
	}
	return y
}

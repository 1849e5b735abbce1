package verdict

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Errors may be in part a factor on the truth, as those of sums that stagnate, and in part alike
// for all: of an element that was not run σ is that of both, however small its truth.
func TestErrorsOfTwoKinds(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 11))
	truth, elements := make([]float64, 4096), make([]int, 512)
	for i := range truth {
		truth[i] = rng.NormFloat64()
	}
	truth[4095] = 1e-6
	deviations := make([][]float64, 25)
	for i := range elements {
		elements[i] = 8 * i
		for k := range deviations {
			of := 0.1*truth[8*i]*rng.NormFloat64() + 0.01*rng.NormFloat64()
			deviations[k] = append(deviations[k], of)
		}
	}
	_, sigma := NewSample(deviations[1:], deviations[0], elements, truth, nil, 64)
	for i, t0 := range truth {
		want := math.Hypot(0.1*t0, 0.01)
		if ratio := sigma[i] / want; ratio < 1/1.5 || ratio > 1.5 {
			t.Fatalf("σ of %g is %.3g, want %.3g", t0, sigma[i], want)
		}
	}
}

// A row in which no run errs is expected to err as the others do, whatever their unit.
func TestRowsInWhichNoRunErrs(t *testing.T) {
	const rows, columns, runs, unit = 16, 4, 12, 1e-6
	rng := rand.New(rand.NewPCG(12, 12))
	deviations := make([][]float64, runs)
	truth := make([]float64, rows*columns)
	for k := range deviations {
		deviations[k] = make([]float64, rows*columns)
		for i := columns; i < len(truth); i++ { // rows of different errors, so that the row tells most
			deviations[k][i] = unit * math.Exp2(float64(i/columns%4)) * rng.NormFloat64()
		}
	}
	_, sigma := NewRareSample(deviations, deviations[0], nil, truth, nil, columns)
	for i := range columns {
		if sigma[i] > 16*unit {
			t.Errorf("σ of element %d is %v, though none of the others' is above %v", i, sigma[i], 16*unit)
		}
	}
}

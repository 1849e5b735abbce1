package verdict

import (
	"math"
	"sync"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat"
)

// Sample is what executions of an op's arithmetic program, each in units of its own, deviate from
// the truth by: what kernels of the declared arithmetic give on these inputs, before the last
// rounding. σ, how errors hang together, their tail and their sign follow from it.
type Sample struct {
	Deviations [][]float64 // run by run, in the order of Truth.Data; NaN where a run overflowed

	// Native is what the execution in the hardware's own units deviates by.
	Native []float64

	once  sync.Once
	prior float64 // runs' worth of what pooling knows of an element's σ
	kin   kin
}

// NewSample returns the sample with σ of each element.
//
// A few runs know σ of an element to a part in √(2K), and that of all elements together much
// better. What an element's is expected to be is taken from its own size or from those of its row,
// whichever tells more; how much that is worth beside the element's own runs follows from how far
// the elements' second moments scatter around it (Smyth 2004, "Linear models and empirical Bayes
// methods for assessing differential expression in microarray experiments", section 6):
//
//	Var(log s²/m²) = ψ′(K/2) + ψ′(ν/2),  σ² = (K s² + ν m²)/(K + ν)
func NewSample(deviations [][]float64, truth []float64, columns int) (*Sample, []float64) {
	s := &Sample{Deviations: deviations}
	own, runs := s.secondMoments(len(truth))
	all := float64(len(deviations))
	pooled := relativePool(own, truth, all)
	scatter := poolScatter(own, pooled)
	if rows := rowPool(own, columns, all); poolScatter(own, rows) < scatter {
		pooled, scatter = rows, poolScatter(own, rows)
	}
	s.prior = priorRuns(scatter, all, own)
	sigma := make([]float64, len(own))
	for i, v := range own {
		k := runs[i]
		switch {
		case k == 0: // every run overflows, which is right too; else an element errs as others do
			sigma[i] = math.Sqrt(pooled[i])
		case v > 0:
			sigma[i] = math.Sqrt((k*v + s.prior*pooled[i]) / (k + s.prior))
		}
	}
	return s, sigma
}

// secondMoments returns the mean square deviation of each element, and of how many runs it is.
func (s *Sample) secondMoments(n int) (squares, runs []float64) {
	squares, runs = make([]float64, n), make([]float64, n)
	for _, run := range s.Deviations {
		for i, d := range run {
			if !math.IsNaN(d) {
				squares[i] += d * d
				runs[i]++
			}
		}
	}
	for i := range squares {
		squares[i] /= max(runs[i], 1)
	}
	return squares, runs
}

// relativePool expects σ in proportion to the truth. The mean logarithm of χ²/K is −1/K.
func relativePool(own, truth []float64, runs float64) []float64 {
	var logs, n float64
	for i, v := range own {
		if v > 0 && truth[i] != 0 {
			logs, n = logs+math.Log(v)-2*math.Log(math.Abs(truth[i])), n+1
		}
	}
	relative := math.Exp(logs/max(n, 1) + 1/runs)
	pooled := make([]float64, len(own))
	for i, t := range truth {
		pooled[i] = relative * t * t
	}
	return pooled
}

// rowPool expects the σ of a row's mean logarithm.
func rowPool(own []float64, columns int, runs float64) []float64 {
	pooled := make([]float64, len(own))
	for r := 0; r < len(own); r += columns {
		var logs, n float64
		for _, v := range own[r : r+columns] {
			if v > 0 {
				logs, n = logs+math.Log(v), n+1
			}
		}
		for c := range columns {
			pooled[r+c] = math.Exp(logs/max(n, 1) + 1/runs)
		}
	}
	return pooled
}

// poolScatter is the variance of the logarithms of second moments around what is expected.
func poolScatter(own, pooled []float64) float64 {
	var logs []float64
	for i, v := range own {
		if v > 0 {
			logs = append(logs, math.Log(v)-math.Log(pooled[i]))
		}
	}
	if v := stat.Variance(logs, nil); !math.IsNaN(v) {
		return v
	}
	return math.Inf(1)
}

// mostPrior is how many times its own runs a pool may count for, however well it fits.
const mostPrior = 8

// priorRuns solves Var(log s²/m²) = ψ′(K/2) + ψ′(ν/2) for ν, with ψ′(x) ≈ 1/x + 1/2x² + 1/6x³.
func priorRuns(scatter, runs float64, own []float64) float64 {
	trigamma := func(x float64) float64 { return 1/x + 1/(2*x*x) + 1/(6*x*x*x) }
	rest := scatter - trigamma(runs/2)
	if len(own) < 16 || math.IsNaN(rest) {
		return 0
	}
	low, high := 0.0, mostPrior*runs
	for range 40 {
		if mid := (low + high) / 2; trigamma(mid/2) > rest {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

// studentQuantile is what |t| of so many degrees of freedom exceeds with that chance.
func studentQuantile(freedom, chance float64) float64 {
	x := mathext.InvRegIncBeta(freedom/2, 0.5, chance)
	return math.Sqrt(freedom * (1 - x) / x)
}

package optest

import (
	"math"
	"testing"

	"plumbline/verify/verdict"
)

// RowsAgree holds the mean square of each row that is run, in units of σ, to σ², where that is what
// the op says errors go with, and not all rows are run. Where a row has one factor, that is one
// draw of each run: of 24 draws the mean square is below a quarter once in 20,000 times.
func RowsAgree(t *testing.T, s *verdict.Sample, sigma []float64, width int) {
	t.Helper()
	run, all := 0, len(sigma)/width
	for row := range all {
		mean := meanSquare(s, sigma, row*width, width)
		if math.IsNaN(mean) {
			continue // not run
		}
		run++
		if mean < 0.25 || mean > 2.5 {
			t.Errorf("row %d: mean square %.3g in units of σ², want 0.25 to 2.5", row, mean)
		}
	}
	if run == 0 || run == all {
		t.Errorf("%d rows are run, want some", run)
	}
}

// meanSquare is that of n elements over the runs, NaN where none was run.
func meanSquare(s *verdict.Sample, sigma []float64, first, n int) float64 {
	var sum, count float64
	for i := first; i < first+n; i++ {
		for k := range s.Deviations {
			if d := s.Of(k, i) / sigma[i]; !math.IsNaN(d) {
				sum, count = sum+d*d, count+1
			}
		}
	}
	return sum / count
}

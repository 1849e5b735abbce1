//go:build !amd64

package loops

import "math"

// group is how many numbers are taken one by one: all.
const group = math.MaxInt32

// Round does nothing: this processor takes one number at a time.
func (*Rounding) Round([]float64) int { return 0 }

// Sums does nothing: this processor takes one number at a time.
func (*Rounding) Sums(*[8][]float64, int, int) (sums [8]float64, done bool) { return sums, false }

// Err does nothing: this processor takes one number at a time.
func (*Wave) Err(_, _ []float64) int { return 0 }

// AddTo does nothing: this processor takes one number at a time.
func (*Noise) AddTo(_, _, _, _ []float64) int { return 0 }

// WidenBF16 does nothing: this processor takes one number at a time.
func WidenBF16([]float64, []byte) int { return 0 }

// WidenF32 does nothing: this processor takes one number at a time.
func WidenF32([]float64, []byte) int { return 0 }

func powers([]float64) int { return 0 }

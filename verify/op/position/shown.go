package position

import (
	"plumbline/rope"
	"plumbline/verify/op"
)

// Frequencies returns those of a rotation and its amplitude, for what shows it step by step.
func Frequencies(c *op.Case, dim int) (theta []float64, amplitude float64) {
	if y := c.YaRN(); y != nil {
		return rope.YaRNFrequencies(dim, c.Float("base"), *y), y.Amplitude()
	}
	return rope.Frequencies(dim, c.Float("base")), 1
}

package attention

import "plumbline/verify/op"

// Sink returns the sink of head h, or nil, for what shows a head step by step.
func Sink(c *op.Case, h int) *float64 { return sink(c, h) }

// LSEUnit is what a natural logarithm is divided by to get the recorded one.
func LSEUnit(c *op.Case) float64 { return lseUnit(c) }

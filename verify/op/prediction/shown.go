package prediction

import (
	"plumbline/mtp"
	"plumbline/verify/op"
)

// OrderOf returns which half comes first, for what shows mtp.combine step by step.
func OrderOf(c *op.Case) mtp.Order { return orderOf(c) }

// Divisor returns what the sum of depth k is divided by in mtp.loss.
func Divisor(c *op.Case, k int) int { return divisor(c, k) }

// Targets returns how many positions of depth k count.
func Targets(c *op.Case, k int) int { return targets(c, k) }

// Tokens returns the tokens of the sequence.
func Tokens(c *op.Case) []int { return tokensOf(c) }

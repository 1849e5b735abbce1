package experts

import (
	"plumbline/moe"
	"plumbline/verify/op"
)

// GateOf returns the gate that the attributes describe, for what shows it step by step.
func GateOf(c *op.Case) moe.Gate { return gateOf(c) }

// Chosen returns the experts of each token that an input names; below 0: none.
func Chosen(c *op.Case) [][]int { return idsOf(c) }

// Devices returns the device of each expert.
func Devices(c *op.Case) []int { return devicesOf(c) }

// MostDevices is how many devices a token may be sent to.
func MostDevices(c *op.Case) int { return mostDevices(c) }

// SequenceLength is how many tokens a sequence has.
func SequenceLength(c *op.Case) int { return sequenceLength(c) }

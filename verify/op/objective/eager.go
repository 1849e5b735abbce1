package objective

import (
	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
	"plumbline/verify/op/step"
)

// eager is the scalar work of an objective.
type eager struct{ step.Eager }

// newEager returns the scalar work of a run.
func newEager(c *op.Case, r *arithmetic.Run) eager { return eager{step.NewEager(c, r)} }

package product

import (
	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
)

// Core returns the step of the device that is declared, for what shows it; the case has been
// checked.
func Core(c *op.Case) arithmetic.TensorCore {
	core, err := tensorCore(c)
	if err != nil {
		panic("product: a case that was not checked")
	}
	return core
}

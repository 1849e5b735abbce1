// Package all makes every emulated kernel known, and with them every op: importing it registers
// them.
package all

import (
	_ "plumbline/verify/op/all"
	_ "plumbline/verify/op/attention/emulated"
	_ "plumbline/verify/op/experts/emulated"
	_ "plumbline/verify/op/fp8/emulated"
	_ "plumbline/verify/op/latent/emulated"
	_ "plumbline/verify/op/objective/emulated"
	_ "plumbline/verify/op/position/emulated"
	_ "plumbline/verify/op/prediction/emulated"
)

// Package all makes every op known: importing it registers them. Programs that judge recordings
// import it for that alone.
package all

import (
	_ "plumbline/verify/op/attention"
	_ "plumbline/verify/op/experts"
	_ "plumbline/verify/op/fp8"
	_ "plumbline/verify/op/latent"
	_ "plumbline/verify/op/objective"
	_ "plumbline/verify/op/position"
	_ "plumbline/verify/op/prediction"
	_ "plumbline/verify/op/product"
)

// Package prediction has the ops of multi-token prediction: what enters a module, the losses of all
// depths, and the verification of drafted tokens.
package prediction

import "plumbline/verify/op"

// elementwiseKey is for frameworks that round the result of every operation to a type.
var elementwiseKey = op.Key{
	Name: "intermediate", Default: "that of accumulate", Doc: "element-wise results, and what sums are rounded to",
}

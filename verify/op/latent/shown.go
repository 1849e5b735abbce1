package latent

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/mla"
	"plumbline/verify/op"
)

// Weights returns those of a layer, for what shows it step by step.
func Weights(c *op.Case) mla.Weights { return layerWeights(c) }

// Gathered returns the rows of the cache that sequence b has in use, in its order.
func Gathered(c *op.Case, b int) *mat.Dense { return gathered(c, b) }

// Seen is how many keys query s of sequence b sees, from the first on.
func Seen(c *op.Case, b, s int) int { return seenBy(c, b, s) }

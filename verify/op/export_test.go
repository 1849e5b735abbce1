package op

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/mla"
)

// Emulated kernels are bound by this package, so that tests which run them stand outside of it.
// This is what they need of its inside.

// KeptElements sets up to how many elements an input is decoded whole, and returns how many it was.
func KeptElements(n int) (before int) {
	before, keptElements = keptElements, n
	return before
}

// ParseYaRN reads the attribute.
var ParseYaRN = yarn

// ScoreScale returns what the scores of a layer are multiplied by.
func (c *Case) ScoreScale() float64 { return c.layerConfig().ScoreScale() }

// AngleVariance returns the variance of the angle of a pair at a position.
func (c *Case) AngleVariance(dim int, position float64, pair int) float64 {
	return c.newAngleErrors(dim).variance(position, pair)
}

// FirstLayer returns the output for the first sequence as the equation has it, and as the sampled
// structure has it without errors.
func (c *Case) FirstLayer() (equation, sampled *mat.Dense) {
	x, weights, cfg := c.Input("x").View(1, 0), c.layerWeights(), c.layerConfig()
	equation, _, _ = mla.Layer(x, weights, cfg)
	return equation, c.newLayerRun(x, weights, cfg).run(&noise{plan: new([]*mat.Dense)})
}

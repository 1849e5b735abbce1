package op

import (
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
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

// AngleVariance returns the mean square of what runs err by in the angle of a pair at a position.
func (c *Case) AngleVariance(dim int, position float64, pair int) (variance float64) {
	const runs = 64
	exact := c.angle(arithmetic.NewExact(), dim, position, pair)
	for k := range runs {
		d := c.angle(arithmetic.NewRun(k+1), dim, position, pair) - exact
		variance += d * d / runs
	}
	return variance
}

func (c *Case) angle(r *arithmetic.Run, dim int, position float64, pair int) float64 {
	return c.newRotationRun(r, dim, dtype.F32, dtype.F32, dtype.F32).angles(position)[pair]
}

// LayerOutputs returns the outputs of a layer as the equation has them, and as the program without
// roundings does.
func (c *Case) LayerOutputs() (equation, program map[string][]float64, err error) {
	expected, err := mlaLayer(c)
	if err != nil {
		return nil, nil, err
	}
	equation = map[string][]float64{}
	for _, e := range expected {
		equation[e.Name] = e.Truth.Data
	}
	return equation, c.layerProgram()(arithmetic.NewExact()), nil
}

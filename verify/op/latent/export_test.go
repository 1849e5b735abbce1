package latent

import (
	"plumbline/numbers/arithmetic"
	"plumbline/verify/op"
)

// LayerOutputs returns the outputs of a layer as the equation has them, and as the program without
// roundings does.
func LayerOutputs(c *op.Case) (equation, program map[string][]float64, err error) {
	expected, err := mlaLayer(c)
	if err != nil {
		return nil, nil, err
	}
	equation = map[string][]float64{}
	for _, e := range expected {
		equation[e.Name] = e.Truth.Data
	}
	return equation, layerProgram(c)(arithmetic.NewExact()), nil
}

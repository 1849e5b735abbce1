package diagnosis

import (
	"testing"

	"plumbline/numbers/tensor"
)

// One number may be loaded for all.
func TestReadAtOnePlace(t *testing.T) {
	wrongs{{
		"a ratio", "the kernel reads the log-ratio at one place for all: sequence 0, token 0: explains everything",
		withQuantity(lossOf(8), "the ratio",
			func(x *tensor.Tensor) *tensor.Tensor { return filled(x.Data[0], x.Shape...) }),
	}}.check(t)
}

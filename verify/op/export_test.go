package op

// Emulated kernels are bound by this package, so that tests which run them stand outside of it.
// This is what they need of its inside.

// KeptElements sets up to how many elements an input is decoded whole, and returns how many it was.
func KeptElements(n int) (before int) {
	before, keptElements = keptElements, n
	return before
}

// ParseYaRN reads the attribute.
var ParseYaRN = yarn

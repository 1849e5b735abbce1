package step

import (
	"fmt"

	"plumbline/rope"
	"plumbline/verify/op"
)

var (
	// BaseAttr is the base of the frequencies.
	BaseAttr = op.Attr{Name: "base", Kind: op.Number, Default: 10000.0, Doc: "base of the frequencies"}
	// YaRNAttr is a stretched rotation.
	YaRNAttr = op.Attr{Name: "yarn", Kind: op.YaRN, Missing: "none", Doc: `stretched rotation, such as ` +
		`{"factor":40,"original_context":4096,"beta_fast":32,"beta_slow":1,"mscale":1,"mscale_all_dim":1,` +
		`"ramp":"index","truncate":true} (these are the defaults of its keys; without mscale and mscale_all_dim the ` +
		`amplitude is 0.1 ln(factor) + 1 and scores have no factor; "attention_factor" is the amplitude, and neither ` +
		`mscale counts)`}
	// LayoutAttr is which elements are a pair.
	LayoutAttr = op.Attr{
		Name: "layout", Kind: op.Choice, Default: "interleaved",
		Choices: []string{"interleaved", "half", "interleaved_to_half"},
		Doc:     "which elements are a pair: (2i, 2i+1), (i, i+D/2), or the first read and the second written",
	}

	// AngleKey is the type of angles.
	AngleKey = op.Key{Name: "angle", Default: "F32", Doc: "position × frequency"}

	// FrequenciesKey says how frequencies are formed.
	FrequenciesKey = op.Key{Name: "frequencies", Default: "power",
		Doc: "power, or recurrent: each frequency is the one before times base^(−2/d)"}
)

// CheckRotary checks a rotary width, which messages place by where, and the base.
func CheckRotary(c *op.Case, width int, where string) error {
	if width%2 != 0 || width == 0 {
		return fmt.Errorf("%s: rotary width %d, want an even one", where, width)
	}
	if base := c.Float("base"); base <= 1 || base > 1e30 {
		return fmt.Errorf("attrs: %q: found %v, want more than 1 and at most 1e30", "base", base)
	}
	return nil
}

// Layouts are those of the equations by the names that recordings have.
var Layouts = map[string]rope.Layout{
	"interleaved": rope.Interleaved, "half": rope.Half, "interleaved_to_half": rope.InterleavedToHalf,
}

// Turn says how pairs stand and which way they turn.
type Turn struct {
	layout  string
	inverse bool
}

// TurnOf returns how the case turns vectors.
func TurnOf(c *op.Case) Turn { return Turn{c.Word("layout"), c.Flag("inverse")} }

// Rotate returns a vector turned by a row of the table.
func (t Turn) Rotate(x, cos, sin []float64) []float64 {
	if t.inverse {
		return rope.Inverse(x, cos, sin, Layouts[t.layout])
	}
	return rope.Rotate(x, cos, sin, Layouts[t.layout])
}

// pair returns where the two elements of pair i are read and written.
func (t Turn) pair(i, width int) (read, write [2]int) {
	adjacent, halves := [2]int{2 * i, 2*i + 1}, [2]int{i, i + width/2}
	read, write = adjacent, adjacent
	if t.layout != "interleaved" {
		write = halves
	}
	if t.layout == "half" {
		read = halves
	}
	return read, write
}

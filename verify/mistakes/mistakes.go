// Package mistakes describes the ways in which kernels of each op are known to be wrong.
//
// It imports nothing of Plumbline, so that the ops, which show the descriptions, and the emulated
// kernels, which make the mistakes, have them from one place and nothing else in common.
package mistakes

import "slices"

// Mistake is a way to be wrong, the same for every op that lists its ID.
type Mistake struct {
	ID       string
	Thread   string // where it was met in public, as owner/repository#number; "" if it is folklore
	Sentence string // what such a kernel does
	Hidden   string // when its outputs are those of a right kernel, or too near them to tell
}

// planted is a mistake with the ops whose kernels make it.
type planted struct {
	Mistake
	ops []string
}

var written = []string{"attention.forward", "mla.decode", "mla.layer", "norm.rms", "rope.apply"}

// ofStoring are the mistakes of writing an output.
var ofStoring = []planted{
	{Mistake{
		"rows-swapped", "",
		"two rows of the output change places",
		"with one row, or where the last two are equal",
	}, written},
	{Mistake{
		"row-repeated", "",
		"the last row of the output is the one before it",
		"with one row, or where the last two are equal",
	}, written},
	{Mistake{
		"output-truncated", "",
		"the output is truncated, not rounded",
		"where the type of the output holds every result",
	}, written},
	{Mistake{
		"output-unwritten", "",
		"a block of the output is never written",
		"where the block is 0",
	}, written},
}

// Of returns the mistakes of an op, in the order of their descriptions.
func Of(op string) []Mistake {
	var list []Mistake
	for _, m := range slices.Concat(ofAttention, ofLayers, ofObjectives, ofStoring, faint) {
		if slices.Contains(m.ops, op) {
			list = append(list, m.Mistake)
		}
	}
	return list
}

package op

import "slices"

// Mistake is a way in which kernels are known to be wrong, the same for every op that it names.
type Mistake struct {
	ID       string
	Ops      []string // whose kernels make it
	Thread   string   // where it was met in public, as owner/repository#number; "" if it is folklore
	Sentence string   // what such a kernel does
	Hidden   string   // when its outputs are those of a right kernel, or too near them to tell
}

var bank []Mistake

// Plant adds mistakes to those that are known, before them: a family plants its own after what it
// imports has planted what several families share.
func Plant(lists ...[]Mistake) { bank = slices.Concat(slices.Concat(lists...), bank) }

// Mistakes returns those that kernels of the op make.
func (op *Op) Mistakes() []Mistake {
	var made []Mistake
	for _, m := range bank {
		if slices.Contains(m.Ops, op.Name) {
			made = append(made, m)
		}
	}
	return made
}

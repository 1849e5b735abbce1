package op

import (
	"slices"
	"strings"
)

// Mistake is a way in which kernels are known to be wrong, the same for every op that it names.
//
// Numbers are those of the bank of mistakes that were met in public, "R01" for the first of
// rotation: see docs/MISTAKES.md. One that is folklore has none.
type Mistake struct {
	ID       string
	Numbers  []string
	Ops      []string // whose kernels make it
	Thread   string   // where it was met in public, as owner/repository#number; "" if it is folklore
	Sentence string   // what such a kernel does
	Decides  string   // of one that another recipe has: which decision of it, where a kernel has one
	Declares string   // of one of rounding: what a kernel would declare that means it, "accumulate=BF16"
	Hidden   string   // when its outputs are those of a right kernel, or too near them to tell
}

var bank []Mistake

// Plant adds mistakes to those that are known, before them: a family plants its own after what it
// imports has planted what several families share.
func Plant(lists ...[]Mistake) { bank = slices.Concat(slices.Concat(lists...), bank) }

// Beyond is an entry of the bank that no kernel of the catalogue can make, or that no recording of
// one call can show.
type Beyond struct {
	Number   string
	Thread   string // as of a Mistake
	Sentence string
	Why      string // it is not among the mistakes of an op
}

var beyond []Beyond

// Leave adds to what is left out of the bank.
func Leave(lists ...[]Beyond) { beyond = append(beyond, slices.Concat(lists...)...) }

// LeftOut returns what is left out of the bank, by its numbers.
func LeftOut() []Beyond {
	all := slices.Clone(beyond)
	slices.SortStableFunc(all, func(a, b Beyond) int { return strings.Compare(a.Number, b.Number) })
	return all
}

// Bank returns every mistake that is known, of all ops.
func Bank() []Mistake { return slices.Clone(bank) }

// Names returns the mistake's id, with its numbers where it has any: "layout-swapped (R01)".
func (m Mistake) Names() string {
	if len(m.Numbers) == 0 {
		return m.ID
	}
	return m.ID + " (" + strings.Join(m.Numbers, ", ") + ")"
}

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

// Makes tells whether kernels of the op make a mistake.
func (op *Op) Makes(id string) bool {
	return slices.ContainsFunc(bank, func(m Mistake) bool { return m.ID == id && slices.Contains(m.Ops, op.Name) })
}

// Link returns the address of a thread, "" where there is none.
func Link(thread string) string {
	repository, number, ok := strings.Cut(thread, "#")
	if !ok {
		return ""
	}
	return "https://github.com/" + repository + "/issues/" + number
}

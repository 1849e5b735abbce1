package op

import (
	"plumbline/internal/spelling"
	"plumbline/verify/recording"
)

// Near ends the message that there is no op of this name with the one that was meant, if one is
// near: `; did you mean "mla.decode"?`.
func Near(name string) string {
	var known []string
	for _, op := range Ops() {
		known = append(known, op.Name)
	}
	return spelling.Suggest(name, known)
}

// lacking lists the declared tensors that the recording lacks: one that it has cannot have been
// meant by another name.
func lacking(rec *recording.Recording, declared []Tensor, prefix string) (names []string) {
	for _, t := range declared {
		if !rec.Has(prefix + t.Name) {
			names = append(names, t.Name)
		}
	}
	return names
}

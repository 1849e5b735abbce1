package arithmetic

import "slices"

// Kind says what values a key of the declared arithmetic has.
type Kind string

// The kinds of keys.
const (
	OneWord       Kind = "word"        // one of Words
	FloatType     Kind = "type"        // an element type
	WholeNumber   Kind = "number"      // a count
	AnAccumulator Kind = "accumulator" // the name of one
)

// KindOf returns the kind of a key.
func KindOf(key string) Kind {
	switch {
	case words[key] != nil:
		return OneWord
	case key == "promote_every":
		return WholeNumber
	case key == "accumulate":
		return AnAccumulator
	}
	return FloatType
}

// Values lists the values that a key may have; of a number there is no list.
func Values(key string) []string {
	switch KindOf(key) {
	case OneWord:
		return slices.Clone(words[key])
	case AnAccumulator:
		return slices.Clone(accumulatorNames[:])
	case FloatType:
		return slices.Clone(floats)
	}
	return nil
}

// Devices lists the accumulators that name a device.
func Devices() []string {
	var names []string
	for a := range Accumulator(len(accumulatorNames)) {
		if a.Truncates() && a != TF32 {
			names = append(names, a.String())
		}
	}
	return names
}

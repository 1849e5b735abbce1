package arithmetic

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/numbers/dtype"
)

// Declared is what a kernel says of its own arithmetic. Which fields mean something depends on the
// op; a type left Invalid means that the op resolves its default from its inputs (the value type,
// the input type).
type Declared struct {
	Accumulate    Accumulator // sums of products
	Probabilities dtype.Type  // softmax weights before the value product
	Scores        dtype.Type  // attention scores
	Angle         dtype.Type  // position × frequency
	Intermediate  dtype.Type  // between two chained products
	Gate          dtype.Type  // scores of a gate
	Combine       dtype.Type  // sum of expert outputs
	CapChain      dtype.Type  // each step of a soft cap
	GroupSum      dtype.Type  // sum of the gradients of a group's heads
	Form          string      // which of several forms of an op: naive or absorbed, any or stable
	Exp           string      // exact or approx: the vendor's fast instruction
	Tanh          string      // exact or approx
	Frequencies   string      // power or recurrent: each from the one before
	Subnormals    string      // kept (results may still be flushed) or flushed, inputs too
	PromoteEvery  int         // elements of K between promotions to F32
}

// words are the keys whose value is one of several words.
var words = map[string][]string{
	"form":        {"naive", "absorbed", "any", "stable"},
	"exp":         {"exact", "approx"},
	"tanh":        {"exact", "approx"},
	"frequencies": {"power", "recurrent"},
	"subnormals":  {"kept", "flushed"},
}

// Typed tells whether a key of the declared arithmetic has an element type as its value.
func Typed(key string) bool {
	return words[key] == nil && key != "promote_every" && key != "accumulate"
}

// Words returns the values of a key that has one of several words.
func Words(key string) []string { return words[key] }

// Parse returns defaults changed by what is declared. Only the given keys mean something; any other
// is an error, as is a value that the key does not have.
func Parse(declared map[string]any, defaults Declared, keys []string) (Declared, error) {
	d := defaults
	names := make([]string, 0, len(declared))
	for key := range declared {
		names = append(names, key)
	}
	slices.Sort(names)
	for _, key := range names {
		if !slices.Contains(keys, key) {
			return d, fmt.Errorf("arithmetic: key %s: this op knows %s%s",
				spelling.Quote(key), list(keys), spelling.Suggest(key, missing(keys, declared)))
		}
		if err := d.set(key, declared[key]); err != nil {
			return d, fmt.Errorf("arithmetic: %q: %w", key, err)
		}
	}
	return d, nil
}

// floats are the types that a rounding may have.
var floats = []string{"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"}

func list(keys []string) string {
	if len(keys) == 0 {
		return "no key"
	}
	return strings.Join(keys, ", ")
}

// missing lists the keys that are not declared: one that is cannot have been meant by another.
func missing(keys []string, declared map[string]any) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { _, ok := declared[key]; return ok })
}

func (d *Declared) set(key string, value any) error {
	if key == "promote_every" {
		return d.setPromote(value)
	}
	s, ok := value.(string)
	if !ok {
		return fmt.Errorf("found %s, want a string", spelling.Show(value))
	}
	if words[key] != nil {
		return d.setWord(key, s)
	}
	if key == "accumulate" {
		var err error
		d.Accumulate, err = ParseAccumulator(s)
		return err
	}
	return d.setType(key, s)
}

func (d *Declared) setWord(key, s string) error {
	allowed := words[key]
	if !slices.Contains(allowed, s) {
		return fmt.Errorf("found %s, want %s%s",
			spelling.Quote(s), strings.Join(allowed, " or "), spelling.Suggest(s, allowed))
	}
	*d.word(key) = s
	return nil
}

func (d *Declared) setType(key, s string) error {
	t, err := dtype.Parse(s)
	if err != nil || !t.Float() || t == dtype.F8E8M0 {
		return fmt.Errorf("found %s, want a floating-point type: %s%s",
			spelling.Quote(s), strings.Join(floats, ", "), spelling.Suggest(s, floats))
	}
	*d.field(key) = t
	return nil
}

func (d *Declared) setPromote(value any) error {
	n, ok := value.(json.Number)
	if !ok {
		return fmt.Errorf("found %s, want a whole number", spelling.Show(value))
	}
	i, err := n.Int64()
	if err != nil || i < 1 || i > 1<<20 {
		return fmt.Errorf("found %s, want a whole number from 1 to %d", spelling.Show(value), 1<<20)
	}
	d.PromoteEvery = int(i)
	return nil
}

func (d *Declared) field(key string) *dtype.Type {
	switch key {
	case "probabilities":
		return &d.Probabilities
	case "scores":
		return &d.Scores
	case "angle":
		return &d.Angle
	case "intermediate":
		return &d.Intermediate
	case "gate":
		return &d.Gate
	case "cap_chain":
		return &d.CapChain
	case "group_sum":
		return &d.GroupSum
	}
	return &d.Combine
}

func (d *Declared) word(key string) *string {
	switch key {
	case "form":
		return &d.Form
	case "exp":
		return &d.Exp
	case "tanh":
		return &d.Tanh
	case "frequencies":
		return &d.Frequencies
	}
	return &d.Subnormals
}

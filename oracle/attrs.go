package oracle

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/rope"
)

// Kind says what values an attribute has.
type Kind int

// The kinds of attributes.
const (
	Number Kind = iota // any finite number
	Count              // a whole number, not negative
	Flag               // true or false
	Choice             // one of several words
	YaRN               // the object that describes a stretched rotation
)

// Attr is one attribute of an op.
type Attr struct {
	Name    string
	Kind    Kind
	Default any      // float64, int, bool or string; nil where Missing says what happens
	Missing string   // "required", or in words what a missing attribute means
	Choices []string // of a Choice
	Letter  string   // of a Count: the letter that it binds in shapes
	Doc     string
}

// required marks an attribute that a recording must have.
const required = "required"

// String returns the default in words.
func (a Attr) String() string {
	if a.Default == nil {
		return a.Missing
	}
	return fmt.Sprint(a.Default)
}

// resolve returns the attribute's value: what the recording says, checked, or the default. nil means that it is missing.
func (a Attr) resolve(value any, present bool) (any, error) {
	if !present {
		if a.Missing == required {
			return nil, fmt.Errorf("missing, and this op has no default for it")
		}
		return a.Default, nil
	}
	switch a.Kind {
	case Number:
		return number(value)
	case Count:
		return count(value)
	case Flag:
		if b, ok := value.(bool); ok {
			return b, nil
		}
		return nil, fmt.Errorf("found %s, want true or false", show(value))
	case Choice:
		if n, ok := value.(json.Number); ok {
			value = n.String() // 2 for "2"
		}
		if s, ok := value.(string); ok && slices.Contains(a.Choices, s) {
			return s, nil
		}
		return nil, fmt.Errorf("found %s, want %s%s", show(value), strings.Join(a.Choices, " or "), near(value, a.Choices))
	}
	return yarn(value)
}

// near is what a message about a value ends with where one of the words allowed is near it.
func near(value any, allowed []string) string {
	s, _ := value.(string)
	return spelling.Suggest(s, allowed)
}

// show writes a JSON value for a message, cut to a length that fits a line.
func show(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		b = fmt.Append(nil, value)
	}
	if len(b) > 60 {
		return strings.ToValidUTF8(string(b[:57]), "") + "..."
	}
	return string(b)
}

func number(value any) (float64, error) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, fmt.Errorf("found %s, want a number", show(value))
	}
	x, err := n.Float64()
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
		return 0, fmt.Errorf("found %s, want a finite number", show(n))
	}
	return x, nil
}

// maxCount bounds whole attributes, so that shapes made of them cannot overflow.
const maxCount = math.MaxInt32

func count(value any) (int, error) {
	x, err := number(value)
	if err != nil {
		return 0, err
	}
	if x != math.Trunc(x) || x < 0 || x > maxCount {
		return 0, fmt.Errorf("found %s, want a whole number from 0 to %d", show(value), maxCount)
	}
	return int(x), nil
}

// yarn reads the object that describes a stretched rotation; null is none.
func yarn(value any) (any, error) {
	if value == nil {
		return nil, nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("found %s, want an object such as {\"factor\":40,\"original_context\":4096}", show(value))
	}
	y := rope.YaRN{Factor: 40, OriginalContext: 4096, BetaFast: 32, BetaSlow: 1, MScale: 1, MScaleAllDim: 1}
	numbers := map[string]*float64{"factor": &y.Factor, "beta_fast": &y.BetaFast, "beta_slow": &y.BetaSlow, "mscale": &y.MScale, "mscale_all_dim": &y.MScaleAllDim}
	for _, key := range sortedKeys(object) {
		var err error
		switch {
		case numbers[key] != nil:
			*numbers[key], err = number(object[key])
		case key == "original_context":
			y.OriginalContext, err = count(object[key])
		case key == "ramp":
			y.Ramp, err = ramp(object[key])
		default:
			err = unknownYaRN(key, object)
		}
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", spelling.Quote(key), err)
		}
	}
	if y.Factor < 1 || y.Factor > 1e9 || y.OriginalContext < 1 || y.BetaFast <= 0 || y.BetaSlow <= 0 || max(math.Abs(y.MScale), math.Abs(y.MScaleAllDim)) > 1e3 {
		return nil, fmt.Errorf("found %s, want factor ≥ 1, original_context ≥ 1, positive betas and scales of ordinary size", show(value))
	}
	return &y, nil
}

// yarnKeys are the keys of the object, in the order of the contract.
var yarnKeys = []string{"factor", "original_context", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "ramp"}

func unknownYaRN(key string, object map[string]any) error {
	return fmt.Errorf("unknown key, want one of %s%s", strings.Join(yarnKeys, ", "), spelling.Suggest(key, absent(slices.Clone(yarnKeys), object)))
}

func ramp(value any) (rope.Ramp, error) {
	switch value {
	case rope.IndexRamp.String():
		return rope.IndexRamp, nil
	case rope.RotationsRamp.String():
		return rope.RotationsRamp, nil
	}
	return 0, fmt.Errorf("found %s, want index or rotations", show(value))
}

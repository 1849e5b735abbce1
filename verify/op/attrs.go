package op

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
	Number  Kind = iota // any finite number
	Count               // a whole number, not negative
	Flag                // true or false
	Choice              // one of several words
	YaRN                // the object that describes a stretched rotation
	Pair                // two whole numbers, neither of them 0
	Integer             // a whole number, which may be negative
)

// String returns the kind in one word, as the catalogue in JSON has it.
func (k Kind) String() string {
	return [...]string{"number", "count", "flag", "choice", "yarn", "pair", "integer"}[k]
}

// Attr is one attribute of an op.
type Attr struct {
	Name    string
	Kind    Kind
	Default any      // float64, int, bool, string or [2]int; nil where Missing says what happens
	Missing string   // "required", or in words what a missing attribute means
	Choices []string // of a Choice
	Letter  string   // of a Count: the letter that it binds in shapes; of a Pair with 0 and 1 behind it
	Doc     string
	// what a missing number stands for, where that hangs on the recording; nil: on nothing
	Derived func(c *Case) float64
}

// Required marks an attribute that a recording must have.
const Required = "required"

// String returns the default in words.
func (a Attr) String() string {
	if a.Default == nil {
		return a.Missing
	}
	if both, ok := a.Default.([2]int); ok {
		return fmt.Sprintf("[%d,%d]", both[0], both[1])
	}
	return fmt.Sprint(a.Default)
}

// Values says in words which values the attribute has.
func (a Attr) Values() string {
	switch a.Kind {
	case Number:
		return "number"
	case Count:
		return "whole number"
	case Flag:
		return "true or false"
	case Choice:
		return strings.Join(a.Choices, " or ")
	case Pair:
		return "list of two whole numbers"
	case Integer:
		return "whole number, which may be negative"
	}
	return "object or null"
}

// resolve returns the attribute's value: what the recording says, checked, or the default. nil
// means that it is missing.
func (a Attr) resolve(value any, present bool) (any, error) {
	if !present {
		if a.Missing == Required {
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
		return flag(value)
	case Choice:
		return a.choice(value)
	case Pair:
		return pair(value)
	case Integer:
		return integer(value)
	}
	return yarn(value)
}

// pair reads a list of two whole numbers, such as [1, 128].
func pair(value any) (both [2]int, err error) {
	list, ok := value.([]any)
	if !ok || len(list) != 2 {
		return both, fmt.Errorf("found %s, want a list of two whole numbers, such as [1,128]", spelling.Show(value))
	}
	for i, v := range list {
		if both[i], err = count(v); err != nil {
			return both, err
		}
		if both[i] == 0 {
			return both, fmt.Errorf("found %s, want whole numbers from 1 on", spelling.Show(value))
		}
	}
	return both, nil
}

func flag(value any) (bool, error) {
	b, ok := value.(bool)
	if !ok {
		return false, fmt.Errorf("found %s, want true or false", spelling.Show(value))
	}
	return b, nil
}

func (a Attr) choice(value any) (string, error) {
	if n, ok := value.(json.Number); ok {
		value = n.String() // 2 for "2"
	}
	if s, ok := value.(string); ok && slices.Contains(a.Choices, s) {
		return s, nil
	}
	return "", fmt.Errorf(
		"found %s, want %s%s", spelling.Show(value), strings.Join(a.Choices, " or "), near(value, a.Choices),
	)
}

// near is what a message about a value ends with where one of the words allowed is near it.
func near(value any, allowed []string) string {
	s, _ := value.(string)
	return spelling.Suggest(s, allowed)
}

func number(value any) (float64, error) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, fmt.Errorf("found %s, want a number", spelling.Show(value))
	}
	x, err := n.Float64()
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
		return 0, fmt.Errorf("found %s, want a finite number", spelling.Show(n))
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
		return 0, fmt.Errorf("found %s, want a whole number from 0 to %d", spelling.Show(value), maxCount)
	}
	return int(x), nil
}

// integer reads a whole number of either sign.
func integer(value any) (int, error) {
	x, err := number(value)
	if err != nil {
		return 0, err
	}
	if x != math.Trunc(x) || math.Abs(x) > maxCount {
		return 0, fmt.Errorf("found %s, want a whole number from −%d to %d", spelling.Show(value), maxCount, maxCount)
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
		return nil, fmt.Errorf(
			"found %s, want an object such as {\"factor\":40,\"original_context\":4096}", spelling.Show(value),
		)
	}
	y := rope.YaRN{Factor: 40, OriginalContext: 4096, BetaFast: 32, BetaSlow: 1, MScale: 1, MScaleAllDim: 1}
	if object["mscale"] == nil && object["mscale_all_dim"] == nil {
		y.MScaleAllDim = 0 // YaRN's own: 0.1 ln s + 1 on cosines and sines, nothing on the scores
	}
	for _, key := range sortedKeys(object) {
		if err := setYaRN(&y, key, object); err != nil {
			return nil, fmt.Errorf("key %s: %w", spelling.Quote(key), err)
		}
	}
	if !ordinary(y) {
		return nil, fmt.Errorf(
			"found %s, want factor ≥ 1, original_context ≥ 1, positive betas and scales of ordinary size",
			spelling.Show(value),
		)
	}
	return &y, nil
}

// ordinary tells whether a stretched rotation has numbers of ordinary size.
func ordinary(y rope.YaRN) bool {
	return y.Factor >= 1 && y.Factor <= 1e9 && y.OriginalContext >= 1 && y.BetaFast > 0 && y.BetaSlow > 0 &&
		max(math.Abs(y.MScale), math.Abs(y.MScaleAllDim)) <= 1e3
}

func unknownYaRN(key string, object map[string]any) error {
	return fmt.Errorf(
		"unknown key, want one of %s%s", strings.Join(yarnKeys, ", "),
		spelling.Suggest(key, absent(slices.Clone(yarnKeys), object)),
	)
}

// yarnKeys are the keys of a stretched rotation.
var yarnKeys = []string{
	"factor", "original_context", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "attention_factor", "ramp",
	"truncate",
}

// setYaRN sets what one key says. A key that is null is as good as missing, as configurations have
// it.
func setYaRN(y *rope.YaRN, key string, object map[string]any) error {
	switch value := object[key]; {
	case !slices.Contains(yarnKeys, key):
		return unknownYaRN(key, object)
	case value != nil:
		return readYaRN(y, key, value)
	}
	return nil
}

// readYaRN reads the value of a known key.
func readYaRN(y *rope.YaRN, key string, value any) (err error) {
	switch key {
	case "factor":
		y.Factor, err = number(value)
	case "beta_fast":
		y.BetaFast, err = number(value)
	case "beta_slow":
		y.BetaSlow, err = number(value)
	case "mscale":
		y.MScale, err = number(value)
	case "mscale_all_dim":
		y.MScaleAllDim, err = number(value)
	case "attention_factor":
		y.AttentionFactor, err = attentionFactor(value)
	case "original_context":
		y.OriginalContext, err = count(value)
	case "ramp":
		y.Ramp, err = ramp(value)
	case "truncate":
		y.Unrounded, err = unrounded(value)
	}
	return err
}

// attentionFactor reads an amplitude.
func attentionFactor(value any) (float64, error) {
	x, err := number(value)
	if err == nil && (x <= 0 || x > 1e3) {
		err = fmt.Errorf("found %s, want an amplitude above 0 and at most 1000", spelling.Show(value))
	}
	return x, err
}

// unrounded reads whether the correction range is rounded to whole pairs, and says the opposite.
func unrounded(value any) (bool, error) {
	rounded, err := flag(value)
	return err == nil && !rounded, err
}

func ramp(value any) (rope.Ramp, error) {
	switch value {
	case rope.IndexRamp.String():
		return rope.IndexRamp, nil
	case rope.RotationsRamp.String():
		return rope.RotationsRamp, nil
	}
	return 0, fmt.Errorf("found %s, want index or rotations", spelling.Show(value))
}

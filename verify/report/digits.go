package report

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"plumbline/numbers/dtype"
	"plumbline/verify/verdict"
)

// Digits that mean something. Exponentials and fused products differ in their last bits between
// processors, and what is made of them differs after it: scores of the recordings that ship by up
// to 3·10⁻⁵ of their size, truths by up to 10⁻¹¹. What is printed stays short of that, so that a
// run gives the same bytes on every processor. A number may still lie between two that are printed,
// and then fall to either, as may the bits of a truth between two numbers of its type: 4 digits
// leave one chance in 10³ to a score that differs by 10⁻⁷, and most differ by less than 10⁻⁹.
const (
	scoreDigits = 4    // of scores, limits and σ
	scoreStep   = 1e-9 // scores are multiples of it: what is left of numbers that cancel means nothing
	truthDigits = 10   // of a true value
	drawnDigits = 3    // of what is drawn
)

// digits returns how many digits the numbers of a field have; 0 for the fewest that give the number
// back.
func digits(field string) int {
	switch field {
	case "got", "got_against": // the recorded bits, exactly
		return 0
	case "want", "score", "best":
		return truthDigits
	case "cell_rms", "cell_shares", "cell_strengths", "curve", "curve_below", "curve_above":
		return drawnDigits
	}
	return scoreDigits
}

// rounded returns the number of a field as it is printed.
func rounded(field string, x float64) float64 {
	n := digits(field)
	if n == 0 || !dtype.Finite(x) {
		return x
	}
	if n == scoreDigits && field != "sigma" && math.Abs(x) < 1e4*scoreStep {
		x = math.Round(x/scoreStep) * scoreStep
	}
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', n, 64), 64)
	if err != nil { // the largest finite number may round to beyond it
		return x
	}
	if n == scoreDigits {
		y += 0 // no −0
	}
	return y
}

// printed returns the outputs with the bits of each truth those of the number that is printed
// beside them.
func printed(outputs []verdict.Output) []verdict.Output {
	outputs = slices.Clone(outputs)
	for i := range outputs {
		typ, err := dtype.Parse(outputs[i].Type)
		if err != nil {
			continue
		}
		outputs[i].Worst = slices.Clone(outputs[i].Worst)
		for j := range outputs[i].Worst {
			e := &outputs[i].Worst[j]
			if truth := rounded("want", e.Want); dtype.Finite(truth) {
				e.WantHex = fmt.Sprintf("0x%0*x", 2*typ.Size(), typ.Bits(truth))
			}
		}
	}
	return outputs
}

// asPrinted returns the entry with the digits that mean something, those that JSON has: so words
// and pages are the same whether they are written when recordings are judged or later.
func (e Entry) asPrinted() Entry {
	e.Outputs = printed(e.Outputs)
	return withDigits(reflect.ValueOf(e), "").Interface().(Entry)
}

// withDigits returns a copy of a value whose numbers are those that are printed; what a file says
// of itself is left as it is.
func withDigits(v reflect.Value, field string) reflect.Value {
	kept := reflect.New(v.Type()).Elem()
	kept.Set(v)
	switch v.Kind() {
	case reflect.Float64:
		kept.SetFloat(rounded(field, v.Float()))
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			kept.Field(i).Set(withDigits(v.Field(i), name))
		}
	case reflect.Slice:
		kept.Set(reflect.AppendSlice(reflect.Zero(v.Type()), v))
		for i := range v.Len() {
			kept.Index(i).Set(withDigits(v.Index(i), field))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			kept.Set(reflect.New(v.Type().Elem()))
			kept.Elem().Set(withDigits(v.Elem(), field))
		}
	}
	return kept
}

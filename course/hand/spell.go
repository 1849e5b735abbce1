package hand

import (
	"math"
	"strconv"
	"strings"
)

// spelled returns a number as it is printed: of chosen numbers whole ones, decimals, fractions,
// logarithms and roots are told, all others have six digits at most.
func spelled(x float64, exact, fractions bool) string {
	switch {
	case math.IsNaN(x):
		return "NaN"
	case math.IsInf(x, 1):
		return "∞"
	case math.IsInf(x, -1):
		return "-∞"
	case x == 0, exact && math.Abs(x) < tiny:
		return "0"
	}
	if exact {
		for _, told := range tellers(fractions) {
			if text := told(math.Abs(x)); text != "" {
				return sign(x) + text
			}
		}
	}
	return short(x)
}

// short returns a number with six digits at most.
func short(x float64) string {
	text := strconv.FormatFloat(x, 'g', 6, 64)
	return strings.Replace(strings.Replace(text, "e-0", "e-", 1), "e+0", "e+", 1)
}

const (
	tiny  = 1e-13 // below which a chosen number is 0 but for roundings
	agree = 1e-12 // how far a number may be from what it is told to be, relatively
)

func sign(x float64) string {
	if x < 0 {
		return "-"
	}
	return ""
}

// tellers are the ways to tell what a positive number is, in their order.
func tellers(fractions bool) []func(x float64) string {
	if fractions {
		return []func(float64) string{asWhole, asFraction, asDecimal, asLogarithm, asAngle, asRoot}
	}
	return []func(float64) string{asWhole, asDecimal, asFraction, asLogarithm, asAngle, asRoot}
}

// near tells whether two positive numbers are one but for roundings.
func near(x, y float64) bool { return math.Abs(x-y) <= agree*y }

func asWhole(x float64) string {
	if n := math.Round(x); n > 0 && n < 1e9 && near(x, n) {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	return ""
}

// asDecimal tells numbers of two decimal places.
func asDecimal(x float64) string {
	if n := math.Round(x * 100); n > 0 && n < 1e6 && near(x*100, n) {
		return strconv.FormatFloat(n/100, 'f', -1, 64)
	}
	return ""
}

// Fractions have small denominators, and logarithms and roots are of small fractions.
const (
	mostBelow = 144
	mostAbove = 999
	mostOfLog = 16
)

// fraction returns the fraction with the smallest denominator, up to most, that a number is.
func fraction(x float64, most int) (above, below int) {
	for below = 1; below <= most; below++ {
		if n := math.Round(x * float64(below)); n > 0 && n <= mostAbove && near(x*float64(below), n) {
			return int(n), below
		}
	}
	return 0, 0
}

// over writes a fraction.
func over(above, below int) string {
	if below == 1 {
		return strconv.Itoa(above)
	}
	return strconv.Itoa(above) + "/" + strconv.Itoa(below)
}

func asFraction(x float64) string {
	if above, below := fraction(x, mostBelow); below > 0 {
		return over(above, below)
	}
	return ""
}

// asLogarithm tells ln 2, ln(3/2) and 2 ln 3.
func asLogarithm(x float64) string {
	if x > 4 {
		return ""
	}
	above, below := fraction(math.Exp(x), mostOfLog)
	switch {
	case below == 0 || above == below || above > 4*mostOfLog:
		return ""
	case below == 1:
		return "ln " + over(above, below)
	}
	return "ln(" + over(above, below) + ")"
}

// asAngle tells parts of π.
func asAngle(x float64) string {
	above, below := fraction(x/math.Pi, 12)
	switch {
	case below == 0:
		return ""
	case above == 1 && below == 1:
		return "π"
	case below == 1:
		return over(above, 1) + "π"
	case above == 1:
		return "π/" + strconv.Itoa(below)
	}
	return over(above, 1) + "π/" + strconv.Itoa(below)
}

// asRoot tells √2, 1/√2 and √(3/5).
func asRoot(x float64) string {
	above, below := fraction(x*x, mostOfLog)
	switch {
	case below == 0:
		return ""
	case below == 1:
		return "√" + over(above, below)
	case above == 1:
		return "1/√" + strconv.Itoa(below)
	}
	return "√(" + over(above, below) + ")"
}

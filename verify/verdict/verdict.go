// Package verdict judges recorded numbers against the truth, in units of the error that the
// declared arithmetic explains. It knows no op.
//
// For an output element with truth t, recorded value r, and σ the standard deviation of the errors
// made inside the kernel:
//
//	element score  z = max(0, |r − t| − ulp/2) / σ
//	scaled error   w = (r − t) / √(σ² + ulp²/12)
//	tensor score   √mean(w²)
//	bias           mean(w), and mean(w·sign t), which sees truncation toward zero
//
// ulp is the spacing of the output type at t: the last rounding is treated exactly. σ and what
// right kernels give for each score follow from executions of the op, see Sample. Every limit is a
// quantile of that, at a chance of a false alarm that is chosen, and with one allowance for σ being
// an average; limits.go names both. Where nothing is left to a kernel its output has to be exact.
package verdict

import (
	"fmt"
	"math"
)

// Status is one of the four verdicts.
type Status int

// The four verdicts, from good to bad.
const (
	Explained    Status = iota // the error is explained by the declared arithmetic
	Undetermined               // nothing could be judged, or several conventions fit
	Unexplained                // the error is not explained
	Unusable                   // the recording breaks the contract
)

// String returns the verdict's word.
func (s Status) String() string {
	return [...]string{"explained", "undetermined", "unexplained", "unusable"}[s]
}

// MarshalText writes the verdict's word, so that JSON has it too.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the verdict's word.
func (s *Status) UnmarshalText(text []byte) error {
	for *s = Explained; *s <= Unusable; *s++ {
		if s.String() == string(text) {
			return nil
		}
	}
	return fmt.Errorf("%.40q is no verdict", text)
}

// Verdict is what is said of one recording.
type Verdict struct {
	File      string     `json:"file"`
	Op        string     `json:"op"`
	Status    Status     `json:"status"`
	Reason    string     `json:"reason,omitempty"` // one line; empty when explained
	Outputs   []Output   `json:"outputs,omitempty"`
	Diagnosis *Diagnosis `json:"diagnosis,omitempty"`
	Vouching  *Vouching  `json:"vouching,omitempty"`
	Fault     string     `json:"-"` // what panicked, and the stack, where judging met a fault of ours
}

// Output is what is said of one output tensor.
type Output struct {
	Name      string  `json:"name"`
	Type      string  `json:"type"`
	Shape     []int   `json:"shape"`
	Status    Status  `json:"status"`
	Elements  int     `json:"elements"`
	MaxZ      float64 `json:"max_z"` // largest element score
	MaxZLimit float64 `json:"max_z_limit"`
	RMS       float64 `json:"rms"` // tensor score
	RMSLimit  float64 `json:"rms_limit"`
	Bias      float64 `json:"bias"` // the larger of the two means
	// 0: not judged, because no kernel that keeps to RMSLimit could exceed it
	BiasLimit float64 `json:"bias_limit,omitempty"`
	// of an output that is one number: how far off, relative to the truth, it may be and still be
	// explained
	Vouches float64 `json:"vouches,omitempty"`
	// |r − t| of the element with the largest scaled error, in units of the output type's spacing
	WorstUlp float64 `json:"worst_ulp"`
	// what no kernel means and would be explained as well: zeros, the negative, another order
	Blind     []string  `json:"blind,omitempty"`
	Unmoved   []string  `json:"-"`                    // what of these is the truth itself
	NotJudged string    `json:"not_judged,omitempty"` // how many elements are not, and why; of a mask nothing is said
	NonFinite int       `json:"non_finite,omitempty"` // elements whose kind (finite, NaN, ±Inf) is not the truth's
	Reasons   []string  `json:"reasons,omitempty"`    // which tests failed, in words
	Worst     []Element `json:"worst,omitempty"`      // worst elements, worst first
	Slices    []Slice   `json:"slices,omitempty"`     // slices beyond their limit, worst first within each axis

	// how many of Reasons are of factors and directions, and how far the furthest is, in limits
	Aside       int     `json:"-"`
	AsideBeyond float64 `json:"-"`

	// of one that is too large to be recomputed: then Elements and the scores are those of the part
	// that was recomputed and is farthest from what is expected
	Signs *Signs `json:"signs,omitempty"`

	ChoiceCount // of a discrete output: how its rows were answered

	Form    int      `json:"-"` // which of Expected's forms explains it best
	Picture *Picture `json:"picture,omitempty"`
}

// Element is one element of an output, for the report of a failure.
type Element struct {
	Index   []int   `json:"index"`
	Got     float64 `json:"got"`
	Want    float64 `json:"want"`
	GotHex  string  `json:"got_hex"`  // bits in the output type
	WantHex string  `json:"want_hex"` // bits of the truth rounded to the output type
	Ulps    float64 `json:"ulps"`     // (got − want) in units of the output type's spacing at want
	Sigma   float64 `json:"sigma"`
	Z       float64 `json:"z"`
}

// fail adds a failed test of a factor or a direction, with how many times its limit it is.
func (out *Output) fail(what string, beyond float64) {
	out.Reasons = append(out.Reasons, fmt.Sprintf("%s, %.3g times the limit", what, beyond))
	out.Aside, out.AsideBeyond = out.Aside+1, max(out.AsideBeyond, beyond)
}

// Slice is the score of the part of an output that one index (or one row) selects.
type Slice struct {
	Axis     string  `json:"axis"`  // name of the axis, or "row" for one index on every axis but the last
	Index    []int   `json:"index"` // the axis' index, or the row's
	Of       []int   `json:"of"`    // how many there are
	Elements int     `json:"elements"`
	RMS      float64 `json:"rms"`
	Limit    float64 `json:"limit"`
	MaxZ     float64 `json:"max_z"`
	Constant bool    `json:"constant,omitempty"` // every element has the same value though the truth's differ
	Part     int     `json:"-"`                  // its number in its family
}

// Worst returns the worse of two verdicts.
func Worst(a, b Status) Status { return max(a, b) }

// score is how one element compares with its truth.
type score struct {
	z, w      float64
	wrongKind bool
	unbounded bool // σ is not finite: nothing can be said
	unjudged  bool // outside a mask: counts nowhere
	exact     bool // no rounding anywhere, and none made: counts nowhere, since it would dilute those that may err
}

// compare scores one finite element against a finite truth.
func compare(got, want, sigma, ulp float64) score {
	if math.IsNaN(sigma) || math.IsInf(sigma, 0) {
		return score{unbounded: true}
	}
	e := got - want
	excess := max(0, math.Abs(e)-ulp/2)
	s := score{}
	if excess > 0 {
		s.z = excess / sigma
	}
	if e != 0 {
		s.w = e / deviation(sigma, ulp)
	}
	return s
}

// deviation is √(σ² + ulp²/12), which neither overflows nor vanishes before its parts do.
func deviation(sigma, ulp float64) float64 {
	if s := sigma*sigma + ulp*ulp/12; 1e-200 < s && s < 1e200 {
		return math.Sqrt(s)
	}
	return math.Hypot(sigma, ulp/math.Sqrt(12))
}

// kind is 0 for a finite number, 1 for NaN, 2 for +Inf and 3 for −Inf.
func kind(x float64) int {
	switch {
	case math.IsNaN(x):
		return 1
	case math.IsInf(x, 1):
		return 2
	case math.IsInf(x, -1):
		return 3
	}
	return 0
}

package emulate

import (
	"math"
	"slices"

	"plumbline/numbers/tensor"
)

// Quantity is a tensor that the formula of an op names between inputs and outputs, as D of
// attention's backward pass is: what a kernel may index wrongly as it may an input.
type Quantity struct {
	Name  string   // in a sentence: "D, the sum of do·o,"
	Shape []string // as that of an input: letters, or expressions of them
	Axes  []string // a word for each axis, where outputs have none for them
	Given bool     // by a kernel before this one

	Averaging Averaging // what it is in a mean over its last axis

	Slope, By string // the quantity that is its derivative, if there is one, and for which other
}

// Averaging is what a quantity is in a mean: what is averaged is multiplied by it, or divided; 0
// where it does not count.
type Averaging uint8

// A quantity is none of these, or one.
const (
	NoAverage Averaging = iota
	Weighs
	Divides
)

// What a layer of experts has of its gate, of each token in each slot.
const (
	Experts       = "the expert in each slot"
	ExpertWeights = "the weights of experts"
	Lengths       = "the length of each sequence"
)

// Quantities has for some of them, by name, what one run is to write into, and what it is to go on
// with in their place. Where a quantity is not formed nothing is written.
type Quantities struct {
	Formed, Instead map[string]*tensor.Tensor
}

// QuantitiesOf returns those of an op's kernel.
func QuantitiesOf(op string) []Quantity { return slices.Clone(kernels[op].Quantities) }

// Pass hands the elements from first on of a quantity, in the order of memory, to whom they may
// concern, and makes of them, in place, what the kernel is to go on with.
func Pass[T Number](j *Job, name string, first int, x []T) {
	if j.Quantities == nil {
		return
	}
	if to := j.Quantities.Formed[name]; to != nil {
		for i, v := range x {
			to.Data[first+i] = float64(v)
		}
	}
	if from := j.Quantities.Instead[name]; from != nil {
		for i := range x {
			x[i] = T(from.Data[first+i])
		}
	}
}

// PassOne is Pass for one element.
func PassOne[T Number](j *Job, name string, i int, x T) T {
	if j.Quantities == nil {
		return x
	}
	one := []T{x}
	Pass(j, name, i, one)
	return one[0]
}

// PassPlace is PassOne for a position.
func PassPlace[T Number](j *Job, name string, i, at int) int {
	if j.Quantities == nil {
		return at
	}
	if x := float64(PassOne(j, name, i, T(at))); math.Abs(x) < 1<<40 {
		return int(math.Round(x))
	}
	return 0
}

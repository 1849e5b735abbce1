// Package emulate runs kernels as hardware would: in float32, in tiles and splits, in some order of
// summation, with the roundings of narrow types; right ones, and wrong ones that make a mistake
// known from the wild. It is what the verdict is tested on, so it takes from the ops what a
// recording says, its attributes with their defaults and its shapes, and nothing of what is
// computed from it: scores, softmax, masks, rotations and norms are written here a second time, the
// way kernels write them.
//
// A kernel is one piece of code for every configuration. It is generic over its working type:
// float32 for all accumulators but F64, which works in float64 and rounds only where the
// configuration says so. Inputs are taken exactly; outputs are rounded once, at the end.
//
// Where hardware has its own transcendental functions, the correctly rounded one stands in, or with
// Config.Approximate one that errs as much as the vendor states.
package emulate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// Config says how a kernel computes: the choices that hardware and author are free in, the types
// that it declares, and its mistake. The zero value is a plain flash kernel.
type Config struct {
	Tile   int    // keys per step of the online softmax; 0 is 64
	Splits int    // parts of the keys that are computed apart and merged by their log-sum-exps; 0 is 1
	Order  Order  // order of the terms in every sum
	Seed   uint64 // of the shuffled order

	Accumulate arithmetic.Accumulator // sums of products; all but F64 are F32 for inputs that are not of 16 bits
	Fused      bool                   // product and sum rounded once, as an fma does

	Probabilities dtype.Type // softmax weights before the value product; Invalid is the value type
	// attention scores, before and after scaling; of a gate, scores and all that is made of them.
	// Invalid does not round them
	Scores dtype.Type
	// between two chained products; Invalid is the input type. Of an objective: all element-wise
	// results; Invalid is the working type
	Intermediate dtype.Type
	CapChain     dtype.Type // each step of a soft cap; Invalid is that of the scores
	// gradients of a group's heads, each rounded to its type, are added in it; Invalid adds all
	// queries of a group in one sum
	GroupSum dtype.Type
	Angle    dtype.Type // position × frequency; Invalid is F32
	Output   dtype.Type // of the outputs; Invalid is the input type, and F32 for log-sum-exps and tables

	Gate    dtype.Type // logits of a gate, and in a layer its weights; Invalid is the working type
	Combine dtype.Type // weighted outputs of experts, and their sums; Invalid is the working type
	Indices dtype.Type // of integer outputs; Invalid is I32
	Slots   Slots      // order of a token's experts
	Scales  dtype.Type // of FP8 blocks, if they are powers of two; Invalid is F32
	Fusion  Fusion     // how much of an expert keeps the working type

	PromoteEvery int    // elements of K between promotions of an FP8 product; 0 is 128
	Recipe       string // of FP8 codes where the request leaves it open: divide, reciprocal, amax; "" is divide

	// of mla.layer: naive or absorbed; of log-probabilities: any or stable. Another, and "", is the
	// op's default
	Form        string
	Frequencies Frequencies // how rotary frequencies are formed

	// weights are divided before they multiply, in one go, as in an eager framework: of keys in a
	// softmax, of tokens in a loss, of experts, of a unit by its sigmoid
	NormalizeFirst bool
	// the softmax denominator sums the rounded weights; such a kernel gives no log-sum-exp, which
	// would err as they do
	DenominatorRounded bool
	Base2              bool // exponentials to base 2, the scale multiplied with log₂e and applied in one fma
	// the softmax scale is rounded to the type of the scores, as PyTorch before 2.0 does with a
	// number times a tensor
	ScaleRounded    bool
	NormTwice       bool // mla.layer rounds normalised rows before the weight multiplies them, too
	Approximate     bool // exponentials with the error of a GPU's special function unit, 2⁻²² relative
	Flushed         bool // inputs and results below the normal float32 numbers are 0
	FastExp         bool // and their argument times log₂e rounded before it, as in __expf: declared
	FastTanh        bool // tanh with the error of the special function unit, 2⁻¹¹ relative: declared
	OperandsRounded bool // accumulate TF32: operands are rounded to nearest, not cut
	TiesLast        bool // of equal scores the one of the higher index is the better
	Dequantised     bool // FP8 codes are multiplied by their scales before they are summed
	ScaleInverted   bool // FP8 scales are inverses of (1/amax)·largest

	Other *Config // of the second engine, where an op has two; nil: the same

	Mistake string // one of Mistakes, or "" for a right kernel
	Also    string // a second one

	Quantities *Quantities // nil: nobody looks at what is formed on the way

	Blocks Blocks // of a product of what codes stand for
}

// Blocks says of an operand for how many rows and columns of it a scale is read; of the other it is
// for those of the contract.
type Blocks struct {
	Of           string // the operand; "" for neither
	Down, Across int
}

// ErrHidden is what Run returns for a mistake that cannot show on the request, by the condition
// under which it stays hidden.
var ErrHidden = errors.New("the mistake cannot show on this request")

// String returns the configuration in a line, for messages: what differs from the zero value.
func (c Config) String() string {
	text := strings.Join(slices.Concat(c.structure(), c.types(), c.flags()), ", ")
	if c.Other != nil {
		text += "; the other: " + c.Other.String()
	}
	return text
}

func (c Config) structure() []string {
	var words []string
	for _, part := range []struct {
		given bool
		word  string
	}{
		{c.Mistake != "", c.Mistake},
		{c.Form != "", c.Form},
		{c.Recipe != "", c.Recipe},
		{c.Tile > 0, fmt.Sprintf("tile %d", c.Tile)},
		{c.Splits > 0, fmt.Sprintf("splits %d", c.Splits)},
		{true, c.Order.String()},
		{c.Order == Shuffled || c.Slots == AtRandom, fmt.Sprintf("seed %d", c.Seed)},
		{c.Accumulate != arithmetic.F32, fmt.Sprintf("accumulate %s", c.Accumulate)},
		{c.PromoteEvery > 0, fmt.Sprintf("promoted every %d", c.PromoteEvery)},
	} {
		if part.given {
			words = append(words, part.word)
		}
	}
	return words
}

func (c Config) types() []string {
	var words []string
	types := []dtype.Type{
		c.Probabilities, c.Scores, c.Intermediate, c.CapChain, c.GroupSum, c.Angle, c.Gate, c.Combine, c.Indices,
		c.Scales, c.Output,
	}
	for i, name := range []string{
		"probabilities", "scores", "intermediate", "cap chain", "group sum", "angle", "gate", "combine", "indices",
		"scales", "output",
	} {
		if types[i] != dtype.Invalid {
			words = append(words, name+" "+types[i].String())
		}
	}
	if c.Frequencies != Power {
		words = append(words, "frequencies "+c.Frequencies.String())
	}
	if c.Slots != AsChosen {
		words = append(words, "slots "+c.Slots.String())
	}
	if c.Fusion != Unfused {
		words = append(words, "fused "+c.Fusion.String())
	}
	return words
}

func (c Config) flags() []string {
	var words []string
	flags := []bool{
		c.Fused, c.NormalizeFirst, c.DenominatorRounded, c.Base2, c.ScaleRounded, c.NormTwice, c.Approximate, c.Flushed,
		c.FastExp, c.FastTanh, c.OperandsRounded, c.TiesLast, c.Dequantised, c.ScaleInverted,
	}
	for i, name := range []string{
		"fused", "normalised first", "denominator rounded", "base 2", "scale rounded", "norm twice", "approximate",
		"flushed", "fast exp", "fast tanh", "operands rounded", "ties last", "dequantised", "scale inverted",
	} {
		if flags[i] {
			words = append(words, name)
		}
	}
	return words
}

// Kernel is one op in both working types, with what makes requests for it and a spread of right
// configurations: tiles, splits, orders of summation, accumulators and types, all of them right for
// every request.
type Kernel struct {
	Float32, Float64 func(*Job)
	Request          func(*Maker)
	Right            []Config
	Quantities       []Quantity
}

var kernels = map[string]Kernel{}

// Register adds the kernel of an op.
func Register(op string, k Kernel) {
	if _, twice := kernels[op]; twice {
		panic("emulate: a kernel is registered twice")
	}
	kernels[op] = k
}

// Ops returns the names of the ops that can be emulated, in alphabetical order.
func Ops() []string { return slices.Sorted(maps.Keys(kernels)) }

// Right returns a spread of right kernels of an op.
func Right(op string) []Config { return slices.Clone(kernels[op].Right) }

// Run returns the request with the outputs that a kernel of configuration c leaves, what it
// declares of its arithmetic, and its provenance. A mistake is never declared. The error is
// ErrHidden, wrapped, if the mistake cannot show on these inputs.
func Run(request *recording.Recording, c Config) (*recording.Recording, error) {
	b, err := Bind(request)
	if err != nil {
		return nil, err
	}
	return b.Run(c)
}

// Bound is a request that is checked, and whose inputs are decoded, once for all kernels that run
// on it.
type Bound struct {
	kernel Kernel
	bound  *op.Case
	asked  asked
}

// Bind checks a request.
func Bind(request *recording.Recording) (*Bound, error) {
	k, ok := kernels[request.Op]
	if !ok {
		return nil, fmt.Errorf("%s: op %q: cannot be emulated", request.Name, request.Op)
	}
	rec := request.Request()
	rec.Arithmetic = map[string]any{}
	bound, err := op.Bind(rec)
	if err != nil {
		return nil, err
	}
	return &Bound{kernel: k, bound: bound}, nil
}

// Run is [Run] on it.
func (b *Bound) Run(c Config) (*recording.Recording, error) {
	j, err := b.run(c, nil)
	if err != nil {
		return nil, err
	}
	j.declare(c)
	return j.Recording, nil
}

// Outputs returns the outputs alone, by name. It is for many kernels on one request: a right one is
// run first for what it asks for, and a mistake that it does not ask for is hidden at once.
func (b *Bound) Outputs(c Config) (map[string][]float64, error) {
	if b.leavesOut(c) {
		return nil, b.hidden(c)
	}
	all := map[string][]float64{}
	j, err := b.run(c, all)
	if err != nil {
		return nil, err
	}
	for _, name := range j.Recording.Outputs() {
		x, err := j.Recording.Tensor("out." + name)
		if err != nil {
			return nil, err
		}
		all[name] = x.Data
	}
	return all, nil
}

// compute runs the kernel in its working type.
func (b *Bound) compute(j *Job) {
	if j.Accumulate == arithmetic.F64 {
		b.kernel.Float64(j)
	} else {
		b.kernel.Float32(j)
	}
}

// run returns the job of a kernel that has run, and whose mistake shows.
func (b *Bound) run(c Config, kept map[string][]float64) (*Job, error) {
	rec := b.bound.Recording
	if c.Mistake != "" && !b.bound.Op.Makes(c.Mistake) {
		return nil, fmt.Errorf("%s: mistake %q: unknown for %s", rec.Name, c.Mistake, rec.Op)
	}
	j := newJob(b.bound.On(rec.Clone()), c)
	j.kept = kept
	b.compute(j)
	if err := j.Trouble(); err != nil {
		return nil, fmt.Errorf("%s: %w", rec.Name, err)
	}
	if c.Mistake != "" && !j.shown {
		return nil, b.hidden(c)
	}
	return j, nil
}

func (b *Bound) hidden(c Config) error {
	return fmt.Errorf("%s: %s: %w", b.bound.Recording.Name, c.Mistake, ErrHidden)
}

package golden

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// A Mutation makes a wrong recording of a right one: it changes an output, or an attribute for
// which the recorded outputs are then wrong. A verifier that calls the result explained has let a
// mistake slip through.
type Mutation struct {
	Name string // short, says where and what: the output, if one is changed, then the ID, if it has one
	ID   string // of the mistake in the bank, or of the one whose reverse it is; "" where the bank has neither
	Doc  string // a sentence: what a kernel with this mistake does

	// Output is the one output that is changed; "" for a mutation of attributes or arithmetic.
	Output string

	// Apply returns the wrong recording, and leaves the right one as it is. It returns none and the
	// reason where the mistake cannot show.
	Apply func() (wrong Wrong, hidden string)
}

// Wrong is a wrong recording, with the truth that it is judged by where that is known: that of the
// right one, or the one that was computed to see whether the mistake shows.
type Wrong struct {
	*recording.Recording
	Truth []verdict.Expected
}

// Mutations returns what can be done to a recording: each mistake for each of its floating-point
// outputs, and those of its attributes and arithmetic. The truth, as op.Expect returns it, says
// which of them can show.
func Mutations(rec *recording.Recording, truth []verdict.Expected) []Mutation {
	var list []Mutation
	for _, want := range truth {
		for _, m := range slices.Concat(outputMutations, choiceMutations) {
			if m.only == nil && want.Type.Float() || m.only != nil && m.only(rec.Op, want) {
				list = append(list, m.of(rec, want, truth))
			}
		}
	}
	for _, m := range slices.Concat(declarationMutations, choiceAttributes) {
		if m.appliesTo(rec) {
			list = append(list, m.of(rec, truth))
		}
	}
	return list
}

// idOf returns the id with which the name of a mutation starts, "" where the bank has none of it.
func idOf(name string) string {
	word, _, _ := strings.Cut(name, " ")
	id := strings.TrimSuffix(word, ",")
	if slices.ContainsFunc(op.Bank(), func(m op.Mistake) bool { return m.ID == id }) {
		return id
	}
	return ""
}

// outputMutation changes the values of one output in place, or says why it cannot show on them.
type outputMutation struct {
	name, doc string                                      // the name starts with the id that the bank has
	only      func(op string, want verdict.Expected) bool // the outputs that it means something for; nil: all
	change    func(o *output) (hidden string)
}

// of returns the mutation of one output.
func (m outputMutation) of(rec *recording.Recording, want verdict.Expected, truth []verdict.Expected) Mutation {
	made := Mutation{Name: want.Name + ": " + m.name, ID: idOf(m.name), Doc: m.doc, Output: want.Name}
	made.Apply = func() (Wrong, string) {
		o, err := readOutput(rec, want)
		if err != nil {
			return Wrong{}, err.Error()
		}
		before := slices.Clone(o.Data)
		if hidden := m.change(o); hidden != "" {
			return Wrong{}, hidden
		}
		if !o.changed(before) {
			return Wrong{}, "it changes no bit here"
		}
		wrong := rec.Clone()
		wrong.Set("out."+want.Name, o.want.Type, o.Tensor)
		return Wrong{wrong, truth}, ""
	}
	return made
}

// output is an output to be changed.
type output struct {
	*tensor.Tensor
	want verdict.Expected
	rec  *recording.Recording
}

func readOutput(rec *recording.Recording, want verdict.Expected) (*output, error) {
	x, err := rec.Tensor("out." + want.Name)
	if err != nil {
		return nil, err
	}
	return &output{Tensor: tensor.Of(slices.Clone(x.Data), x.Shape...), want: want, rec: rec}, nil
}

// changed tells whether an element that is judged has other bits than before.
func (o *output) changed(before []float64) bool {
	for i, v := range o.Data {
		if o.want.Judged(i) && o.want.Type.Bits(v) != o.want.Type.Bits(before[i]) {
			return true
		}
	}
	return false
}

// columns is the length of the last axis.
func (o *output) columns() int {
	if len(o.Shape) == 0 {
		return 1
	}
	return o.Shape[len(o.Shape)-1]
}

// row returns row i: the last axis at the i-th index of all others.
func (o *output) row(i int) []float64 { return o.Data[i*o.columns() : (i+1)*o.columns()] }

// ordinaryRow returns the index of the row whose norm, of what is judged, is the median of all that
// have a finite norm above 0; −1 where there is none.
func (o *output) ordinaryRow() int {
	type normed struct {
		row  int
		norm float64
	}
	var rows []normed
	for i := range o.Len() / max(o.columns(), 1) {
		var sum float64
		for c, v := range o.row(i) {
			if o.want.Judged(i*o.columns() + c) {
				sum += v * v
			}
		}
		if sum > 0 && !math.IsInf(sum, 0) && !math.IsNaN(sum) {
			rows = append(rows, normed{i, sum})
		}
	}
	if len(rows) == 0 {
		return -1
	}
	slices.SortStableFunc(rows, func(a, b normed) int { return cmp.Compare(a.norm, b.norm) })
	return rows[len(rows)/2].row
}

// ordinaryElement returns the index of the element of largest magnitude that is judged in the
// ordinary row, −1 where there is none.
func (o *output) ordinaryElement() int {
	i := o.ordinaryRow()
	if i < 0 {
		return -1
	}
	best := -1
	for e := i * o.columns(); e < (i+1)*o.columns(); e++ {
		if o.want.Judged(e) && (best < 0 || math.Abs(o.Data[e]) > math.Abs(o.Data[best])) {
			best = e
		}
	}
	return best
}

// drowned says that a change is hidden if it is less than enough times the deviation that the
// declared arithmetic explains.
func drowned(change, enough float64) string {
	if change < enough {
		return fmt.Sprintf("the change is only %.2g of the deviations that the declared arithmetic explains", change)
	}
	return ""
}

// head returns the indices of the elements of the head in the middle, or where there are no heads,
// of one index of the first axis.
func (o *output) head() []int {
	axis := max(slices.Index(o.want.Axes, "head"), 0)
	inner := 1
	for _, n := range o.Shape[axis+1:] {
		inner *= n
	}
	var part []int
	for e := range o.Data {
		if e/inner%o.Shape[axis] == o.Shape[axis]/2 {
			part = append(part, e)
		}
	}
	return part
}

// scaleHead scales the head in the middle.
func (o *output) scaleHead(by float64) string {
	if len(o.Shape) == 0 || o.Len() == 0 {
		return "the output is a scalar or empty"
	}
	var squares, finite float64
	for _, e := range o.head() {
		o.Data[e] *= by
		if t := o.want.Truth.Data[e]; o.want.Judged(e) && !math.IsInf(t, 0) && !math.IsNaN(t) {
			strength := (by - 1) * t / o.want.Explained(e)
			squares += strength * strength
			finite++
		}
	}
	if reason := o.together(o.head(), by-1); reason != "" {
		return reason
	}
	return drowned(math.Sqrt(squares/max(finite, 1)), 3)
}

// together says that roundings make a factor like this of all elements, where they do: of what the
// runs err along the truth, it is less than ten standard deviations.
func (o *output) together(elements []int, factor float64) string {
	if o.want.Sample == nil {
		return ""
	}
	var factors []float64
	for k := range o.want.Sample.Deviations {
		var along, norm float64
		for _, e := range elements {
			t, s := o.want.Truth.Data[e], o.want.Explained(e)
			if d := o.want.Sample.Of(k, e); o.want.Judged(e) && s > 0 && dtype.Finite(t) && !math.IsNaN(d) {
				along, norm = along+d*t/(s*s), norm+t*t/(s*s)
			}
		}
		factors = append(factors, along/max(norm, math.SmallestNonzeroFloat64))
	}
	if deviation := stat.StdDev(factors, nil); math.Abs(factor) < 10*deviation {
		return fmt.Sprintf("roundings make a factor of 1 ± %.2g of all these elements alike", deviation)
	}
	return ""
}

const nothingThere = "no element is finite and different from 0"

var outputMutations = []outputMutation{
	{
		"one element 8 steps of bf16 off",
		"Spoils the largest element of an ordinary row by 8 spacings of bf16, about 4 %.", nil,
		func(o *output) string {
			i := o.ordinaryElement()
			if i < 0 {
				return nothingThere
			}
			change := 8 * dtype.BF16.Spacing(o.Data[i])
			o.Data[i] += math.Copysign(change, o.Data[i])
			return drowned(change/o.want.Explained(i), 12)
		},
	},
	{
		"NaN in one element", "Leaves a NaN in one element.", nil,
		func(o *output) string { return o.plant(math.NaN()) },
	},
	{
		"+Inf in one element", "Leaves an infinity in one element.", nil,
		func(o *output) string { return o.plant(math.Inf(1)) },
	},
	{
		"a head times 1.01", "Scales one head, or where there are no heads one index of the first axis, by 1 %.", nil,
		func(o *output) string { return o.scaleHead(1.01) },
	},
	{
		"output-unwritten", "Leaves the whole output at 0.", nil,
		func(o *output) string {
			clear(o.Data)
			return ""
		},
	},
	{
		"output-unwritten, one row", "Leaves an ordinary row at 0.", nil,
		func(o *output) string {
			i := o.ordinaryRow()
			if i < 0 {
				return nothingThere
			}
			clear(o.row(i))
			return ""
		},
	},
	{
		"rows-swapped", "Stores an ordinary row in the place of its neighbour and the neighbour in its.", nil,
		func(o *output) string {
			i := o.ordinaryRow()
			if i < 0 {
				return nothingThere
			}
			rows := o.Len() / o.columns()
			if rows < 2 {
				return "there is one row"
			}
			a, b := o.row(i), o.row((i+1)%rows)
			for c := range a {
				a[c], b[c] = b[c], a[c]
			}
			return ""
		},
	},
	{
		"sign flipped", "Stores the negative.", nil,
		func(o *output) string {
			for i := range o.Data {
				o.Data[i] = -o.Data[i]
			}
			return ""
		},
	},
	{
		"heads transposed", "Stores [head, query] where [query, head] belongs, or the other way round.", hasHeads,
		(*output).transposeHeads,
	},
	{
		"layout-swapped",
		"Stores a rotated vector as two halves instead of interleaved pairs, or the other way round.",
		isRotated,
		(*output).otherLayout,
	},
	{
		"lse-base",
		"Stores the log-sum-exp in base 2 where e is declared, or in base e where 2 is.",
		isLogSumExp,
		func(o *output) string {
			unit := 1 / math.Ln2
			if o.rec.Attrs["lse_base"] == "2" {
				unit = math.Ln2
			}
			for i := range o.Data {
				o.Data[i] *= unit
			}
			return ""
		},
	},
	{
		"one element a neighbour up", "Leaves one element at the next number away from zero.", isExact,
		func(o *output) string { return o.neighbour(1) },
	},
	{
		"one element a neighbour down", "Leaves one element at the next number toward zero.", isExact,
		func(o *output) string { return o.neighbour(-1) },
	},
	{
		"output-truncated", "Cuts the result off toward zero where rounding to nearest is meant.", nil,
		(*output).truncate,
	},
}

// plant puts a value in the place of the ordinary element.
func (o *output) plant(v float64) string {
	i := o.ordinaryElement()
	if i < 0 {
		return nothingThere
	}
	if held := o.want.Type.Round(v); held != v && !(math.IsNaN(held) && math.IsNaN(v)) {
		return fmt.Sprintf("%v has no %v", o.want.Type, v)
	}
	o.Data[i] = v
	return ""
}

// isExact tells whether an output is judged to the last bit.
func isExact(op string, _ verdict.Expected) bool { return op == "mma.step" }

// neighbour moves the ordinary element to the next number of its type, away from zero or toward it.
func (o *output) neighbour(outward int) string {
	i := o.ordinaryElement()
	if i < 0 {
		return nothingThere
	}
	typ := o.want.Type
	o.Data[i] = typ.FromBits(typ.Bits(o.Data[i]) + uint64(outward))
	return ""
}

func hasHeads(_ string, want verdict.Expected) bool { return slices.Contains(want.Axes, "head") }

func isLogSumExp(_ string, want verdict.Expected) bool { return want.Name == "lse" }

func isRotated(op string, want verdict.Expected) bool {
	return op == "rope.apply" || op == "mla.layer" && want.Name == "rope_key"
}

// transposeHeads exchanges the heads' axis with its neighbour that counts queries, keys or tokens.
func (o *output) transposeHeads() string {
	axis := slices.Index(o.want.Axes, "head") - 1
	if axis >= 0 && o.want.Axes[axis] == "batch" {
		axis++
	}
	if axis < 0 || axis+1 == len(o.Shape) || o.Shape[axis] == 1 || o.Shape[axis+1] == 1 {
		return "no axis with more than one index stands beside that of the heads"
	}
	n, h := o.Shape[axis], o.Shape[axis+1]
	inner := 1
	for _, d := range o.Shape[axis+2:] {
		inner *= d
	}
	block := n * h * inner
	for start := 0; start < len(o.Data); start += block {
		right := slices.Clone(o.Data[start : start+block])
		for i := range n {
			for j := range h {
				copy(o.Data[start+(j*n+i)*inner:][:inner], right[(i*h+j)*inner:])
			}
		}
	}
	return ""
}

func (o *output) otherLayout() string {
	layout, _ := o.rec.Attrs["layout"].(string)
	columns := o.columns()
	for i := range o.Len() / columns {
		row := o.row(i)
		right := slices.Clone(row)
		for c := range columns / 2 {
			if layout == "" || layout == "interleaved" {
				row[c], row[columns/2+c] = right[2*c], right[2*c+1]
			} else {
				row[2*c], row[2*c+1] = right[c], right[columns/2+c]
			}
		}
	}
	return ""
}

// truncate cuts the truth off. It shows where the last rounding is most of the error that is
// explained.
func (o *output) truncate() string {
	if o.want.Choice != nil {
		return "codes are judged to the last bit, and their truth is rounded already"
	}
	var inside, judged float64
	last := 0
	for i, t := range o.want.Truth.Data {
		if math.IsNaN(t) || math.IsInf(t, 0) || !o.want.Judged(i) || t == 0 {
			continue
		}
		o.Data[i] = o.want.Type.Truncate(t)
		share := o.want.Widest(i) / o.want.Explained(i)
		inside += share * share
		judged, last = judged+1, i
	}
	if share := inside / judged; share > 0.25 {
		return fmt.Sprintf("%.0f %% of the explained error comes from inside the kernel", 100*share)
	}
	if judged == 1 { // no others go the same way
		return o.beyondHalf(last)
	}
	return ""
}

// beyondHalf says that element i is hidden if what it lies beyond half a spacing is little.
func (o *output) beyondHalf(i int) string {
	t := o.want.Truth.Data[i]
	beyond := math.Abs(o.Data[i]-t) - o.want.Type.Spacing(t)/2
	return drowned(max(beyond, 0)/o.want.Widest(i), 12)
}

package verdict

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"plumbline/internal/parallel"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// Expected is the truth of one output and the error that the declared arithmetic explains.
type Expected struct {
	Name  string
	Type  dtype.Type     // element type in which the output is recorded
	Axes  []string       // a name for each axis: batch, head, query, column …
	Truth *tensor.Tensor // float64, before the last rounding
	Sigma []float64      // standard deviation of the errors inside the kernel, in the order of Truth.Data

	// Sample is what runs of the op's arithmetic program deviate by, from which every limit
	// follows. Nil: nothing is left to the kernel, σ is 0, and all elements have to be exact.
	Sample *Sample
	// Forms are further samples, of forms of a kernel that the declaration leaves open as well and
	// whose errors are spread in another way. A recording has one of them.
	Forms []Form
	// FirstFormOnly says that there are others, which nobody has asked for.
	FirstFormOnly bool
	// Directions are shapes of error to look for beside the truth itself.
	Directions []Direction
	// Outputs is how many outputs of the recording are judged: they share one chance of a false
	// alarm.
	Outputs int

	// Unjudged marks the elements of which nothing is expected, those outside a mask. Nil: all are
	// judged.
	Unjudged []bool
	// Why says why these are not judged, where the recording's own mask does not.
	Why string
	// Gap says that the output is what two sides differ by, which may be no more than both err by:
	// that zeros would pass is an answer then.
	Gap bool
	// Untold says why it tells nothing that an output is explained: then it is undetermined.
	Untold string
	// Others lists, by index, further truths that an element may have: where a branch is decided
	// within the error of what it hangs on, either side is right. An element is judged against the
	// nearest.
	Others map[int][]float64
	// Branches are such decisions that several elements share: one for all tokens of a sequence.
	Branches []Branch

	// Summands are what a picture lays errors along beside the axes; they are no part of a verdict.
	// Nil: nothing.
	Summands *Summands

	// Part says where the output is in a larger one. Nil: it is whole.
	Part *Part

	// Choice is what is expected of a discrete output; then Truth and Sigma may be nil.
	Choice Choice
}

// Form is what is expected of one form of a kernel.
type Form struct {
	Sample *Sample
	Sigma  []float64
}

// AddForm adds what is expected of one form. The first one stands in Sample and Sigma themselves.
func (e *Expected) AddForm(s *Sample, sigma []float64) {
	if e.Sample == nil {
		e.Sample, e.Sigma = s, sigma
		return
	}
	e.Forms = append(e.Forms, Form{s, sigma})
}

// Widest returns σ of an element in the form that explains most.
func (e *Expected) Widest(i int) (sigma float64) {
	sigma = e.Sigma[i]
	for _, f := range e.Forms {
		sigma = max(sigma, f.Sigma[i])
	}
	return sigma
}

// Explained returns the deviation of an element that is explained, the last rounding included, in
// the form that explains most.
func (e *Expected) Explained(i int) float64 {
	return deviation(e.Widest(i), e.Type.Spacing(e.Truth.Data[i]))
}

// Sigmas returns σ of each form.
func (e *Expected) Sigmas() [][]float64 {
	all := [][]float64{e.Sigma}
	for _, f := range e.Forms {
		all = append(all, f.Sigma)
	}
	return all
}

// each returns what is expected for each form by itself.
func (e Expected) each() []Expected {
	forms := append([]Form{{e.Sample, e.Sigma}}, e.Forms...)
	all := make([]Expected, len(forms))
	for i, f := range forms {
		all[i] = e
		all[i].Sample, all[i].Sigma, all[i].Forms = f.Sample, f.Sigma, nil
	}
	return all
}

// Branch is a decision within the error of what it hangs on, with what it makes of the elements
// that hang on it.
type Branch struct {
	Elements []int
	Truths   [][]float64 // of the elements, for each further way to decide
}

// Columns returns the length of the last axis.
func (e Expected) Columns() int {
	if d := len(e.Truth.Shape); d > 0 {
		return e.Truth.Shape[d-1]
	}
	return 1
}

// AddOther adds a further truth of element i, once.
func (e *Expected) AddOther(i int, truth float64) {
	for _, o := range e.Others[i] {
		if o == truth || math.IsNaN(o) && math.IsNaN(truth) {
			return
		}
	}
	if e.Others == nil {
		e.Others = map[int][]float64{}
	}
	e.Others[i] = append(e.Others[i], truth)
}

// Judged tells whether element i is judged.
func (e Expected) Judged(i int) bool { return e.Unjudged == nil || !e.Unjudged[i] }

// Nearest returns the truth of element i that explains a recorded value best.
func (e Expected) Nearest(i int, got float64) float64 {
	best := e.Truth.Data[i]
	score := e.compare(i, got, best)
	for _, other := range e.Others[i] {
		if s := e.compare(i, got, other); s.z < score.z || s.z == score.z && math.Abs(s.w) < math.Abs(score.w) {
			best, score = other, s
		}
	}
	return best
}

// compare scores element i against one of its truths. Of a finite truth whose error has no bound
// nothing is said. Kinds (NaN, +Inf, −Inf, finite) are compared before numbers: a kind that differs
// has z = +Inf.
func (e Expected) compare(i int, got, truth float64) score {
	if kind(truth) == 0 && !dtype.Finite(e.Sigma[i]) {
		return score{unbounded: true}
	}
	if kind(got) != kind(truth) && !e.overflows(i, got, truth) {
		return score{z: math.Inf(1), w: math.Inf(1), wrongKind: true}
	}
	if kind(got) != 0 {
		return score{exact: true}
	}
	s := compare(got, truth, e.Sigma[i], e.Type.Spacing(truth))
	// nothing may round: below a power of two half a spacing is a neighbour
	if e.Sigma[i] == 0 && e.Type.Round(truth) == truth {
		if s.exact = got == truth; !s.exact {
			s.z = math.Inf(1)
		}
	}
	return s
}

// overflows tells whether an infinity is recorded for a finite truth that overflows the output
// type, or that σ can push over the edge.
func (e Expected) overflows(i int, got, truth float64) bool {
	if kind(truth) != 0 || !math.IsInf(got, 0) {
		return false
	}
	return got == e.Type.Round(truth) || got == e.Type.Round(truth+math.Copysign(overflowSigmas*e.Sigma[i], truth))
}

// take puts the truths of a branch in place that explain its elements best, all of them together.
func (e Expected) take(b Branch, got *tensor.Tensor) {
	best, least := []float64(nil), e.distance(b.Elements, pick(e.Truth.Data, b.Elements), got)
	for _, truths := range b.Truths {
		if d := e.distance(b.Elements, truths, got); d < least {
			best, least = truths, d
		}
	}
	for k, truth := range best {
		e.Truth.Data[b.Elements[k]] = truth
	}
}

// distance is the sum of the squared scores of some elements against truths of theirs; each may
// have a further one by itself.
func (e Expected) distance(elements []int, truths []float64, got *tensor.Tensor) (sum float64) {
	for k, i := range elements {
		w := math.Abs(e.compare(i, got.Data[i], truths[k]).w)
		for _, other := range e.Others[i] {
			w = min(w, math.Abs(e.compare(i, got.Data[i], other).w))
		}
		sum += w * w
	}
	return sum
}

func pick(x []float64, indices []int) []float64 {
	y := make([]float64, len(indices))
	for k, i := range indices {
		y[k] = x[i]
	}
	return y
}

// Settled returns what is expected with the truths decided: those of branches, then the nearest of
// each element, and 0 where nothing is judged.
func (e Expected) Settled(got *tensor.Tensor) Expected {
	if e.Unjudged == nil && e.Others == nil && e.Branches == nil {
		return e
	}
	e.Truth = tensor.Of(slices.Clone(e.Truth.Data), e.Truth.Shape...)
	for _, b := range e.Branches {
		e.take(b, got)
	}
	for i := range e.Others {
		e.Truth.Data[i] = e.Nearest(i, got.Data[i])
	}
	for i := range e.Truth.Data {
		if !e.Judged(i) {
			e.Truth.Data[i] = 0
		}
	}
	return e
}

// judged returns the elements of x that are judged.
func (e Expected) judged(x []float64) []float64 {
	if e.Unjudged == nil {
		return x
	}
	var kept []float64
	for i, v := range x {
		if !e.Unjudged[i] {
			kept = append(kept, v)
		}
	}
	return kept
}

// worstListed is how many elements and, for each axis, how many slices a failure lists.
const worstListed = 8

// Judge compares a recorded output with what is expected. got has the shape of want.Truth.
func Judge(want Expected, got *tensor.Tensor) Output {
	if want.Choice != nil {
		return judgeChoice(want, got)
	}
	out := want.described()
	if out.Status == Undetermined {
		return out
	}
	best := out
	for i, form := range want.each() {
		o := judgeForm(form, got, out)
		o.Form = i
		if i == 0 || o.Status < best.Status || o.Status == best.Status && o.Beyond() < best.Beyond() {
			best = o
		}
		if best.Status == Explained {
			break
		}
	}
	return best
}

// described returns what is said of an output before it is judged: undetermined where there is
// nothing to judge.
func (e Expected) described() Output {
	out := Output{
		Name: e.Name, Type: e.Type.String(), Shape: e.Truth.Shape, Elements: len(e.judged(e.Truth.Data)),
	}
	n := e.Truth.Len()
	if n > out.Elements && e.Why != "" {
		out.NotJudged = fmt.Sprintf("%d of %d elements are not judged: %s", n-out.Elements, n, e.Why)
	}
	if out.Elements > 0 {
		return out
	}
	out.Status, out.Reasons = Undetermined, []string{"the output has no elements"}
	if n > 0 {
		out.Reasons[0] = cmp.Or(out.NotJudged, "the mask leaves no element to judge")
	}
	return out
}

// judgeForm judges an output as one of a kernel of one form.
func judgeForm(want Expected, got *tensor.Tensor, out Output) Output {
	j := newJudgement(want, got)
	j.test(&out)
	if len(out.Reasons) == 0 {
		j.undetermined(want, &out)
		return out
	}
	out.Status = Unexplained
	out.Worst = j.worst()
	out.Reasons = append(j.flat(), out.Reasons...)
	return out
}

// Beyond is how far an output is beyond the limits of elements or the whole.
func (out Output) Beyond() float64 {
	return max(out.MaxZ/max(out.MaxZLimit, 1), out.RMS/max(out.RMSLimit, 1))
}

// test fills in the scores and the reasons why they fail.
func (j *judgement) test(out *Output) {
	j.scan(out)
	if j.want.Sample == nil {
		j.testExact(out)
		return
	}
	j.testSample(out)
}

// flat says in words that a recorded output is one value throughout, where the truth is not. NaN
// and infinities come from overflows as well as from memory that was never written.
func (j *judgement) flat() []string {
	v, constant := sameEverywhere(j.want.judged(j.got.Data))
	_, truth := sameEverywhere(j.want.judged(j.want.Truth.Data))
	switch {
	case !constant || truth:
		return nil
	case dtype.Finite(v):
		return []string{fmt.Sprintf("every element is %v, as if never written", v)}
	}
	return []string{fmt.Sprintf("every element is %v: an overflow, or as if never written", v)}
}

// judgement holds the scores of one output while it is judged.
type judgement struct {
	want    Expected
	got     *tensor.Tensor
	scores  []score
	ulp     []float64
	scale   []float64 // deviations, the last rounding included
	columns int
	noLimit bool // a limit is not a number
}

func newJudgement(want Expected, got *tensor.Tensor) *judgement {
	want = want.Settled(got)
	n := want.Truth.Len()
	j := &judgement{
		want: want, got: got, scores: make([]score, n), columns: want.Columns(),
		ulp: make([]float64, n), scale: make([]float64, n),
	}
	parallel.Chunks(n, func(from, to int) {
		for i := from; i < to; i++ {
			t := want.Truth.Data[i]
			j.ulp[i] = want.Type.Spacing(t)
			if want.Sample != nil {
				j.scale[i] = deviation(want.Sigma[i], j.ulp[i])
			}
			if want.Judged(i) {
				j.scores[i] = want.compare(i, got.Data[i], t)
			} else {
				j.scores[i].unjudged = true
			}
		}
	})
	return j
}

// scan fills in the largest scores and counts the elements of the wrong kind.
func (j *judgement) scan(out *Output) {
	worst := 0.0
	for i, s := range j.scores {
		if s.wrongKind {
			out.NonFinite++
			continue
		}
		out.MaxZ = max(out.MaxZ, s.z)
		if !s.unjudged && kind(j.want.Truth.Data[i]) == 0 && kind(j.got.Data[i]) == 0 {
			if w := math.Abs(s.w); w > worst {
				worst, out.WorstUlp = w, math.Abs(j.got.Data[i]-j.want.Truth.Data[i])/j.ulp[i]
			}
		}
	}
}

// undetermined makes a good verdict undetermined where nothing can be said: σ or a limit is not a
// number, or an output that no kernel means would pass too.
func (j *judgement) undetermined(want Expected, out *Output) {
	unbounded := j.unbounded()
	switch {
	case unbounded > 0:
		out.Reasons = []string{fmt.Sprintf(
			"the error of %d elements cannot be bounded: σ is not a finite number", unbounded,
		)}
	case j.noLimit:
		out.Reasons = []string{"a limit is not a number"}
	case want.Untold != "":
		out.Reasons = []string{want.Untold}
	case !want.Gap:
		out.blindTo(want, j.got.Data)
		if wide := slices.DeleteFunc(slices.Clone(out.Blind), func(name string) bool {
			return name == reversed
		}); len(wide) > 0 && out.Elements > 1 {
			out.Reasons = []string{WouldPass(wide)}
		}
	}
	if len(out.Reasons) > 0 {
		out.Status = Undetermined
	}
}

// unbounded counts the elements of which nothing can be said.
func (j *judgement) unbounded() (n int) {
	for _, s := range j.scores {
		if s.unbounded {
			n++
		}
	}
	return n
}

// checkLimit notes a limit that is not a number, which nothing would exceed.
func (j *judgement) checkLimit(limit float64) { j.noLimit = j.noLimit || math.IsNaN(limit) }

// testExact judges an output of which nothing is left to the kernel but the last rounding, where a
// truth is no number of the output's type.
func (j *judgement) testExact(out *Output) {
	j.kindReason(out)
	wrong := 0
	for _, s := range j.scores {
		if s.z > 0 && !s.wrongKind {
			wrong++
		}
	}
	if wrong > 0 {
		out.Reasons = append(out.Reasons, fmt.Sprintf("%d of %d elements are not exact", wrong, out.Elements))
	}
}

// elementReasons compares the largest score with its limit.
func (j *judgement) elementReasons(out *Output) {
	j.checkLimit(out.MaxZLimit)
	if out.Elements == 1 {
		out.Vouches = j.vouches(out.MaxZLimit)
	}
	j.kindReason(out)
	if out.MaxZ > out.MaxZLimit {
		out.Reasons = append(
			out.Reasons, fmt.Sprintf("largest element error %.3gσ, limit %.3gσ", out.MaxZ, out.MaxZLimit),
		)
	}
}

// kindReason says how many elements are of the wrong kind.
func (j *judgement) kindReason(out *Output) {
	if out.NonFinite > 0 {
		out.Reasons = append(
			out.Reasons,
			fmt.Sprintf("%d elements are not of the truth's kind (finite, NaN, +Inf, -Inf)", out.NonFinite),
		)
	}
}

// vouches returns for an output of one number how far off it may be, relative to the truth, and
// still be explained; 0 where that says nothing.
func (j *judgement) vouches(limit float64) float64 {
	for i, s := range j.scores {
		if t := j.want.Truth.Data[i]; !s.unjudged && t != 0 && dtype.Finite(t) && dtype.Finite(j.want.Sigma[i]) {
			return min(math.MaxFloat64, (limit*j.want.Sigma[i]+j.ulp[i]/2)/math.Abs(t))
		}
	}
	return 0
}

// worst lists the elements with the largest scores, and where no element stands out those with the
// largest scaled errors.
func (j *judgement) worst() []Element {
	var order []int // the worst so far, worst first
	for i, s := range j.scores {
		if s.w == 0 || len(order) == worstListed && !worse(s, j.scores[order[worstListed-1]]) {
			continue
		}
		at := slices.IndexFunc(order, func(k int) bool { return worse(s, j.scores[k]) })
		if at < 0 {
			at = len(order)
		}
		order = slices.Insert(order, at, i)
		order = order[:min(len(order), worstListed)]
	}
	list := make([]Element, len(order))
	for k, i := range order {
		list[k] = j.describe(i)
	}
	return list
}

func worse(a, b score) bool {
	if a.z != b.z {
		return a.z > b.z
	}
	return math.Abs(a.w) > math.Abs(b.w)
}

func (j *judgement) describe(i int) Element {
	t, g, typ := j.want.Truth.Data[i], j.got.Data[i], j.want.Type
	digits := 2 * typ.Size()
	return Element{
		Index: j.want.Part.at(0, tensor.Unravel(i, j.want.Truth.Shape)), Got: g, Want: t,
		GotHex:  fmt.Sprintf("0x%0*x", digits, typ.Bits(g)),
		WantHex: fmt.Sprintf("0x%0*x", digits, typ.Bits(t)),
		Ulps:    (g - t) / j.ulp[i], Sigma: j.want.Sigma[i], Z: j.scores[i].z,
	}
}

func sameEverywhere(x []float64) (float64, bool) {
	for _, v := range x {
		if math.Float64bits(v) != math.Float64bits(x[0]) {
			return 0, false
		}
	}
	return x[0], true
}

package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"plumbline/numbers/tensor"
)

// described is what a solved tensor may be: a times something known and b more, by itself or beside
// its own numbers.
type described struct {
	said    string
	z       []float64
	other   bool // it is no function of its own numbers
	changes bool // that is added to these
}

// descriptions are explanations of what was solved for, each of them once: a line that hangs on
// nothing else is one of the tensor itself.
func (o *solving) descriptions() (all []candidate) {
	for _, d := range o.known() {
		if a, b, found := o.line(d); found && (math.Abs(a) > nothing || d.said == ownNumber) {
			all = append(all, o.described(d, a, b))
		}
	}
	return all
}

// ownNumber is how a sentence has a number of the tensor itself.
const ownNumber = "it"

// known lists what a tensor may be a line of: its own numbers and functions of these, and others
// that are not the same numbers.
func (o *solving) known() (all []described) {
	for _, f := range append([]function{itself}, formulas()[varying:lines]...) {
		all = append(all, described{
			said: strings.TrimSpace(ownNumber + " " + taken(f.said)), z: eachOf(o.of.x, f.of).Data,
		})
	}
	targets := o.targets()
	for _, other := range slices.Concat(targets, o.wholeInputs(), o.indexOperands(targets)) {
		if other.name == o.of.name {
			continue
		}
		for _, b := range o.of.fitting(other) {
			if z := b.x().Data; !o.holds(z) {
				all = append(all, described{b.name, z, true, false}, described{b.name, z, true, true})
			}
		}
	}
	return all
}

// lines is from which of formulas on they are lines of a number themselves.
const lines = 13

// A line has to go through what was solved for at all but a few of the places, each as near as
// nearLine over the spread; it is looked for through pairs of fewAnchors of them.
const (
	nearLine   = 1e-3
	fewAnchors = 9
)

// solvedAt lists the places that say something of a description.
func (o *solving) solvedAt(d described) (all []int) {
	for i, found := range o.roots {
		counts := o.v.want.Judged(i) && o.v.loss[i] > 2*rightLoss
		if counts && !o.free[i] && len(found) > 0 && !math.IsNaN(d.z[i]) && !math.IsInf(d.z[i], 0) {
			all = append(all, i)
		}
	}
	return all
}

// line returns a and b of the line that goes through what was solved for.
func (o *solving) line(d described) (a, b float64, found bool) {
	at := o.solvedAt(d)
	if len(at) < fewSolved {
		return 0, 0, false
	}
	few, some, best := spread(at, fewAnchors), spread(at, 8*fewAnchors), 0
	for k, i := range few {
		for _, j := range few[k+1:] {
			for _, x := range o.roots[i] {
				for _, y := range o.roots[j] {
					slope := (d.over(y, o.of.x.Data[j]) - d.over(x, o.of.x.Data[i])) / (d.z[j] - d.z[i])
					more := d.over(x, o.of.x.Data[i]) - slope*d.z[i]
					if near, _, _ := o.through(d, some, slope, more, nearLine); near > best {
						a, b, best = slope, more, near
					}
				}
			}
		}
	}
	if best*10 < len(some)*9 {
		return 0, 0, false
	}
	return o.fitted(d, at, a, b)
}

// over is what a number is more than the tensor's own, of a description of that.
func (d described) over(root, own float64) float64 {
	if d.changes {
		return root - own
	}
	return root
}

// through counts the places at which a line is near to what was solved for, and returns these.
func (o *solving) through(d described, at []int, a, b, within float64) (near int, z, y []float64) {
	for _, i := range at {
		least, value := math.Inf(1), 0.0
		for _, root := range o.roots[i] {
			x := d.over(root, o.of.x.Data[i])
			if far := math.Abs(a*d.z[i] + b - x); far < least {
				least, value = far, x
			}
		}
		if least <= within*o.unit*(1+math.Abs(a)) {
			near, z, y = near+1, append(z, d.z[i]), append(y, value)
		}
	}
	return near, z, y
}

// fitted is a line of least squares, through ever nearer places.
func (o *solving) fitted(d described, at []int, a, b float64) (float64, float64, bool) {
	for within := nearLine; within > nearLine/1e4; within /= 10 {
		near, z, y := o.through(d, at, a, b, within)
		if within == nearLine && near*20 < len(at)*19 {
			return 0, 0, false
		}
		if near*2 < len(at) || near < fewSolved || slices.Max(z) == slices.Min(z) {
			break
		}
		b, a = stat.LinearRegression(z, y, nil, false)
	}
	return a, b, true
}

// described is the explanation that the tensor is a line of something, as it was fitted or with
// numbers of few digits.
func (o *solving) described(d described, a, b float64) candidate {
	as := func(a, b float64) candidate {
		c := o.of.as("takes "+within(o.of.name)+" "+d.inWords(a, b), func() *tensor.Tensor {
			y := tensor.New(o.of.x.Shape...)
			for i, z := range d.z {
				if y.Data[i] = a*z + b; d.changes {
					y.Data[i] += o.of.x.Data[i]
				}
			}
			return y
		})
		c.Kind, c.fitted, c.whole = "fit", d.numbers(a, b), true
		return c
	}
	short := as(rounded(a), rounded(b))
	short.others = []giver{as(a, b).give}
	return short
}

// numbers counts what was fitted: a slope that is not 1 or 0, an offset, and for one more that
// another tensor was chosen.
func (d described) numbers(a, b float64) (n int) {
	a, b = rounded(a), rounded(b)
	for _, is := range []bool{math.Abs(a-1) > nothing && math.Abs(a) > nothing, math.Abs(b) > nothing, d.other} {
		if is {
			n++
		}
	}
	return max(n, 1)
}

// nothing is up to which number a fitted one is for 0.
const nothing = 1e-6

// rounded returns a number of four digits.
func rounded(x float64) (y float64) {
	_, _ = fmt.Sscanf(fmt.Sprintf("%.4g", x), "%g", &y)
	return y
}

// inWords says what a tensor is taken for.
func (d described) inWords(a, b float64) string {
	said, a, b := d.said, rounded(a), rounded(b)
	switch {
	case math.Abs(a) < nothing:
		said = ""
	case math.Abs(a-1) > nothing:
		said = fmt.Sprintf("%.4g times %s", a, said)
	}
	more := fmt.Sprintf("%.4g more", b)
	if b < 0 {
		more = fmt.Sprintf("%.4g less", -b)
	}
	switch {
	case said == "":
		said = fmt.Sprintf("%.4g", b)
	case math.Abs(b) > nothing:
		said += " and " + more
	}
	switch {
	case d.changes:
		return "and in addition " + said
	case d.said == ownNumber && strings.HasPrefix(said, ownNumber+" and "):
		return strings.TrimPrefix(said, ownNumber+" ")
	}
	return "for " + said
}

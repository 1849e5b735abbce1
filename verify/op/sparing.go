package op

import (
	"fmt"
	"math"

	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// Large is a recording with one output that is too large to be recomputed as a whole.
type Large interface {
	// Work estimates what Screen takes, in products.
	Work() float64
	// Sample draws what is recomputed whatever it looks like.
	Sample() verdict.Suspect
	// Screen finds what looks wrong, worst first, with σ as of the sample.
	Screen(sample Excerpt, expected verdict.Expected) (*verdict.Signs, []verdict.Suspect)
	// LooksRight recomputes a part, and tells whether it errs as the sample says that it may: it is
	// for parts of which there are too many to judge each as a recording.
	LooksRight(of Excerpt) bool
	// Excerpt returns a part as a recording of its own.
	Excerpt(of verdict.Suspect) Excerpt
}

// Excerpt is a part of a recording that is a recording itself.
type Excerpt struct {
	Recording *recording.Recording
	Part      verdict.Part // of the output
	Where     string       // the part in words
}

// Judged is a recording with what is expected of it and what is said of it: one that is whole, or
// the excerpt of a larger one that is farthest from what is expected.
type Judged struct {
	Recording *recording.Recording
	Expected  []verdict.Expected
	Verdict   verdict.Verdict
	Where     string // which excerpt; "" where it is whole
}

// wrongJudged is how many parts are judged that are wrong, and mostJudged how many while none is
// before others are looked at first.
const (
	wrongJudged = 4
	mostJudged  = 16
)

// JudgeSparing is JudgeKnown, but that an output that is too large to be recomputed as a whole is
// checked by signed sums, and recomputed where it looks wrong and in a sample; and that of a
// recording that is explained what is expected is that of the form which explains it, unless all
// forms are asked for.
func JudgeSparing(rec *recording.Recording, most float64, all bool) (verdict.Verdict, Judged) {
	large, c, err := largeOf(rec)
	switch {
	case large == nil && err == nil:
		v, expected := judgeWithin(rec, most, all)
		return v, Judged{Recording: rec, Expected: expected, Verdict: v}
	case err == nil:
		err = affordableWork(rec, c.inputWork()+large.Work(), most)
	}
	if err != nil {
		return unusable(rec, err), Judged{Recording: rec}
	}
	j, err := guarded(func() (*sparing, error) {
		j := &sparing{rec: rec, large: large}
		return j, c.trouble.or(j.judge())
	})
	if err != nil {
		return unusable(rec, c.errorf("%w", err)), Judged{Recording: rec}
	}
	return j.verdict(), j.told()
}

// WorkSparing is Work of what JudgeSparing does.
func WorkSparing(rec *recording.Recording) (float64, error) {
	large, c, err := largeOf(rec)
	if err != nil || large == nil {
		return Work(rec)
	}
	return c.inputWork() + large.Work(), nil
}

// largeOf returns the recording as one that is too large to be recomputed as a whole, checked; nil
// where it is not, or cannot be judged at all.
func largeOf(rec *recording.Recording) (Large, *Case, error) {
	op, err := opOf(rec)
	if err != nil || op.Large == nil || rec.IsRequest() {
		return nil, nil, nil // JudgeKnown says why
	}
	type bound struct {
		Large
		c *Case
	}
	l, err := guarded(func() (bound, error) {
		c, err := bindHead(op, rec)
		if err != nil || !op.TooLarge(c) {
			return bound{}, nil
		}
		if c, err = bind(rec); err != nil {
			return bound{}, err
		}
		return bound{op.Large(c), c}, nil
	})
	return l.Large, l.c, err
}

// sparing is an output while it is judged by signed sums and in parts.
type sparing struct {
	rec   *recording.Recording
	large Large
	signs *verdict.Signs
	parts []Judged
	left  int // parts that look wrong, and were not judged
	worst Judged
}

// judge judges the sample, and what looks wrong, until enough of that is.
func (j *sparing) judge() error {
	sample := j.large.Excerpt(j.large.Sample())
	expected, err := j.add(sample, 2)
	if err != nil {
		return err
	}
	var found []verdict.Suspect
	j.signs, found = j.large.Screen(sample, expected)
	for _, s := range found {
		if j.signs.Wrong == wrongJudged || j.signs.Wrong > 0 && len(j.parts) > mostJudged {
			break
		}
		if err := j.look(j.large.Excerpt(s), len(found)); err != nil {
			return err
		}
	}
	j.choose()
	return nil
}

// look recomputes one of so many parts that look wrong, and judges it, but where many have been
// judged only if it still looks wrong.
func (j *sparing) look(x Excerpt, parts int) error {
	if len(j.parts) > mostJudged && j.large.LooksRight(x) {
		j.signs.Recomputed += len(x.Part.Places[0]) * len(x.Part.Places[1])
		return nil
	}
	if len(j.parts) > 2*mostJudged {
		j.left++
		return nil
	}
	if _, err := j.add(x, 2*parts); err != nil {
		return err
	}
	if last := j.parts[len(j.parts)-1]; last.Verdict.Status == verdict.Unexplained {
		j.signs.Wrong++
	}
	return nil
}

// add judges an excerpt, with one of so many shares of the chance of a false alarm.
func (j *sparing) add(x Excerpt, shares int) (verdict.Expected, error) {
	expected, err := expect(x.Recording, asked{excerpt: true})
	if err != nil {
		return verdict.Expected{}, err
	}
	expected[0].Outputs, expected[0].Part = shares, &x.Part
	v := JudgeAgainst(x.Recording, expected)
	j.parts = append(j.parts, Judged{x.Recording, expected, v, x.Where})
	return expected[0], nil
}

// choose picks the part that is farthest from what is expected, and counts all.
func (j *sparing) choose() {
	j.signs.Elements = int(outputsOf(j.rec))
	for i, p := range j.parts {
		out := p.Verdict.Outputs[0]
		j.signs.Recomputed += out.Elements
		if i == 0 || worse(out, j.worst.Verdict.Outputs[0]) {
			j.worst = p
		}
	}
}

// told returns the part of which a diagnosis is made: the worst one, but of tiles rather than of
// the sample, whose rows are not neighbours.
func (j *sparing) told() Judged {
	best := j.worst
	for i, p := range j.parts[1:] {
		if out := p.Verdict.Outputs[0]; out.Status == verdict.Unexplained &&
			(best.Where == j.parts[0].Where || worse(out, best.Verdict.Outputs[0])) {
			best = j.parts[i+1]
		}
	}
	return best
}

// worse tells whether an output is worse than another one.
func worse(a, b verdict.Output) bool {
	return a.Status > b.Status || a.Status == verdict.Unexplained && b.Status == a.Status && a.Beyond() > b.Beyond()
}

// verdict is what follows for the whole: the scores of the worst part, and what signs say.
func (j *sparing) verdict() verdict.Verdict {
	out := j.worst.Verdict.Outputs[0]
	out.Shape, out.Signs = j.rec.Shape("out."+out.Name), j.signs
	if len(out.Reasons) > 0 {
		out.Reasons = append([]string{j.worst.Where + ": " + out.Reasons[0]}, out.Reasons[1:]...)
	}
	if unsure := j.unsure(); out.Status == verdict.Explained && unsure != "" {
		out.Status, out.Reasons = verdict.Undetermined, []string{unsure}
	}
	for _, p := range j.parts {
		if o := p.Verdict.Outputs[0]; p.Where != j.worst.Where && o.Status == verdict.Unexplained {
			out.Reasons = append(out.Reasons, p.Where+" too: "+o.Reasons[0])
		}
	}
	v := verdict.Verdict{File: j.rec.Name, Op: j.rec.Op, Status: out.Status, Outputs: []verdict.Output{out}}
	if v.Reason = reason(v); out.Status == verdict.Explained && j.worst.Verdict.Status != verdict.Explained {
		v.Status, v.Reason = j.worst.Verdict.Status, j.worst.Verdict.Reason
	}
	return v
}

// unsure says why nothing is known although all that was recomputed is explained.
func (j *sparing) unsure() string {
	switch {
	case j.left > 0:
		return fmt.Sprintf("%d parts look wrong, and of the %d that were judged none is; --exact recomputes all",
			j.signs.Suspect, len(j.parts)-1)
	case j.signs.RMS > j.signs.RMSLimit:
		return fmt.Sprintf("the errors of all have a root mean square of %.3g by random signs, limit %.3g, and "+
			"what was recomputed is explained; --exact recomputes all", j.signs.RMS, j.signs.RMSLimit)
	}
	return ""
}

// InWords says which rows and columns a part has, from index lists in order.
func (x Excerpt) InWords() string {
	return "rows " + ranges(x.Part.Places[0]) + ", columns " + ranges(x.Part.Places[1])
}

// rangesSaid is how many runs of neighbours are said.
const rangesSaid = 4

// ranges writes indices as runs of neighbours: "0–127, 256".
func ranges(all []int) (text string) {
	for n := 0; len(all) > 0; n++ {
		if n == rangesSaid {
			return text + " …"
		}
		last := 0
		for last+1 < len(all) && all[last+1] == all[last]+1 {
			last++
		}
		if n > 0 {
			text += ", "
		}
		if text += fmt.Sprint(all[0]); last > 0 {
			text += fmt.Sprintf("–%d", all[last])
		}
		all = all[last+1:]
	}
	return text
}

// affordableWork says of a recording that asks for more work than most what it asks for.
func affordableWork(rec *recording.Recording, work, most float64) error {
	if work <= most && !math.IsNaN(work) {
		return nil
	}
	return fmt.Errorf("%s: judging it takes some %.2g products, about %s on two cores, more than the limit of %.2g",
		rec.Name, work, lasting(work/(2*productsPerSecond)), most)
}

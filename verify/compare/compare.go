// Package compare says of two recordings of one call in what their outputs differ: bit by bit, and
// in units of what both may err by. The kernels may be two, or one with other neighbours in its
// batch; each recording is judged by the arithmetic that it declares itself.
//
// With a and b the recorded numbers of an element, and s the deviation that each declaration
// explains, √(σ² + ulp²/12) as package verdict has it:
//
//	w   = (a − b) / √(s_a² + s_b²)
//	rms = √mean(w²)
//
// about 1 for kernels that err independently, less where they make the same roundings. Its limit is
// the larger of those that both have for their distance from the truth: a mean of two independent
// errors spreads no wider than the wider of them.
package compare

import (
	"fmt"
	"strings"

	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// Comparison is what is said of two recordings.
type Comparison struct {
	File    string         `json:"file"`
	Against string         `json:"against"`
	Op      string         `json:"op,omitempty"`
	Status  verdict.Status `json:"status"`           // the worst of both verdicts and of what follows from Outputs
	Reason  string         `json:"reason,omitempty"` // one line; empty when explained
	Part    Part           `json:"part,omitempty"`
	Outputs []Output       `json:"outputs,omitempty"`
	Alone   []string       `json:"alone,omitempty"` // outputs that one of the two has not

	Verdicts []verdict.Verdict `json:"-"` // of both, each as a whole
}

// Part says that one recording is a part of the other: entries from First on of the axis that
// batches. It is zero where the two are whole.
type Part struct {
	Of    string `json:"of,omitempty"` // the name of the larger recording
	Axis  string `json:"axis"`         // in words
	First int    `json:"first"`
	Count int    `json:"count"`
}

// Output is what is said of an output that both have.
type Output struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"` // of the file's
	Shape    []int    `json:"shape"`
	Axes     []string `json:"axes,omitempty"`
	Elements int      `json:"elements"`
	Differ   int      `json:"differ"` // elements that have not the same bits; any NaN counts as any other
	// the largest distance, in spacings of the coarser type at the larger number, at least 1
	Steps    float64 `json:"steps"`
	First    Place   `json:"first,omitempty"`             // the first element that differs
	Choice   bool    `json:"choice,omitempty"`            // whole numbers that are chosen: there is no RMS
	Decided  int     `json:"decided_otherwise,omitempty"` // elements on two sides of a decision in doubt: not in RMS
	RMS      float64 `json:"rms"`
	RMSLimit float64 `json:"rms_limit"` // 0: each has to be exact, and its verdict says so
	Beyond   bool    `json:"beyond,omitempty"`
}

// Place is one element of an output, with both numbers.
type Place struct {
	Index   []int   `json:"index"`
	Got     float64 `json:"got"`
	Against float64 `json:"got_against"`
}

// Within compares two recordings, if neither asks for more work than most.
func Within(file, against *recording.Recording, most float64) Comparison {
	c := Comparison{File: file.Name, Against: against.Name, Op: file.Op}
	recordings := [2]*recording.Recording{file, against}
	for _, rec := range recordings {
		if work, err := op.Work(rec); err != nil || !(work <= most) { // nothing is read for it
			return c.unusable(op.JudgeWithin(rec, most).Reason)
		}
	}
	sides, err := c.match(recordings)
	if err != nil {
		return c.unusable(err.Error())
	}
	for i := range sides {
		v, expected := op.JudgeKnown(recordings[i], most)
		c.Verdicts, sides[i].expected = append(c.Verdicts, v), expected
		if c.Status = verdict.Worst(c.Status, v.Status); v.Status == verdict.Unusable {
			return c.unusable(v.Reason)
		}
	}
	if err := c.compare(sides); err != nil {
		return c.unusable(err.Error())
	}
	c.Reason = c.reason()
	return c
}

func (c Comparison) unusable(reason string) Comparison {
	c.Status, c.Reason = verdict.Unusable, reason
	return c
}

// reason says in one line what keeps the comparison from being explained.
func (c Comparison) reason() string {
	var parts []string
	for _, v := range c.Verdicts {
		if v.Status != verdict.Explained {
			parts = append(parts, fmt.Sprintf("%s is %s", v.File, v.Status))
		}
	}
	for _, o := range c.Outputs {
		if o.Beyond {
			parts = append(parts, o.Name+": they differ by more than both may err")
		}
	}
	return strings.Join(parts, "; ")
}

// compare compares the outputs that both have.
func (c *Comparison) compare(sides [2]side) error {
	for _, want := range sides[0].expected {
		var both [2]values
		for i := range sides {
			var err error
			if both[i], err = sides[i].values(want.Name); err != nil {
				return err
			}
		}
		if both[0].got == nil || both[1].got == nil {
			continue
		}
		if err := comparable(both, c.Part); err != nil {
			return err
		}
		o := elements(both[0], both[1])
		for _, v := range c.Verdicts {
			o.limit(v)
		}
		if o.Beyond = o.RMSLimit > 0 && !(o.RMS <= o.RMSLimit); o.Beyond {
			c.Status = verdict.Worst(c.Status, verdict.Unexplained)
		}
		c.Outputs = append(c.Outputs, o)
	}
	return nil
}

// limit takes the limit of the output's distance from the truth where that is larger.
func (o *Output) limit(v verdict.Verdict) {
	for _, judged := range v.Outputs {
		if judged.Name == o.Name {
			o.RMSLimit = max(o.RMSLimit, judged.RMSLimit)
		}
	}
}

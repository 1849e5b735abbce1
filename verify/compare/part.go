package compare

import (
	"fmt"
	"slices"

	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// matchPart finds the entries of one recording that the other has alone, for kernels whose results
// should not hang on what else is in a batch.
func (c *Comparison) matchPart(known *op.Op, sides *[2]side) error {
	letter, word := batching(known)
	small, large, err := smaller(known, letter, sides)
	if err != nil {
		return err
	}
	small.count = entriesOf(known, letter, small.rec)
	var candidates []int
	for first := range entriesOf(known, letter, large.rec) - small.count + 1 {
		candidates = append(candidates, first)
	}
	for _, t := range known.Inputs {
		switch {
		case !small.rec.Has(t.Name):
		case axes(t, small.rec)[0] == letter:
			candidates, err = narrowed(candidates, small, large, t.Name)
		default:
			err = sameWhole(t.Name, [2]*recording.Recording{small.rec, large.rec})
		}
		if err != nil {
			return err
		}
	}
	large.first, large.count = candidates[0], small.count
	c.Part = Part{Of: large.rec.Name, Axis: word, First: large.first, Count: large.count}
	return nil
}

// batching returns the letter with which the shapes of all outputs begin, and what it stands for;
// "" where there is none.
func batching(known *op.Op) (letter, word string) {
	for i, t := range known.Outputs {
		if len(t.Shape) == 0 || i > 0 && t.Shape[0] != letter {
			return "", ""
		}
		letter, word = t.Shape[0], t.Axes[0]
	}
	return letter, word
}

// axes returns the declared shape of a tensor of a recording; of a scalar one axis without a name.
func axes(t op.Tensor, rec *recording.Recording) []string {
	n := len(rec.Shape(t.Name))
	switch {
	case n == 0:
		return []string{""}
	case len(t.Other) == n:
		return t.Other
	}
	return t.Shape
}

// smaller tells which side may be a part of the other: every input has the same shape in both, but
// for the first axis of those that begin with the letter.
func smaller(known *op.Op, letter string, sides *[2]side) (small, large *side, err error) {
	small, large = &sides[0], &sides[1]
	if entriesOf(known, letter, small.rec) > entriesOf(known, letter, large.rec) {
		small, large = large, small
	}
	for _, t := range known.Inputs {
		x, y := small.rec.Shape(t.Name), large.rec.Shape(t.Name)
		if len(x) == len(y) && len(x) > 0 && letter != "" && axes(t, small.rec)[0] == letter {
			if x[0] == 0 {
				return nil, nil, fmt.Errorf("tensor %q: shape %v has no entry to be compared", t.Name, x)
			}
			x, y = x[1:], y[1:]
		}
		if !slices.Equal(x, y) {
			return nil, nil, fmt.Errorf("tensor %q: shapes %v and %v, want those of one call, or of one part of it",
				t.Name, sides[0].rec.Shape(t.Name), sides[1].rec.Shape(t.Name))
		}
	}
	return small, large, nil
}

// entriesOf returns the length of the axis of that letter, 0 where no input begins with it.
func entriesOf(known *op.Op, letter string, rec *recording.Recording) int {
	for _, t := range known.Inputs {
		if letter != "" && rec.Has(t.Name) && axes(t, rec)[0] == letter {
			return rec.Shape(t.Name)[0]
		}
	}
	return 0
}

// narrowed keeps the places at which the large recording has an input of the small one.
func narrowed(candidates []int, small, large *side, name string) (kept []int, err error) {
	a, b := newReader(small.rec, name), newReader(large.rec, name)
	entry := a.total / small.count
	for _, first := range candidates {
		at, err := a.differs(0, b, first*entry, a.total)
		if err != nil {
			return nil, err
		}
		if at < 0 {
			kept = append(kept, first)
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("tensor %q: %s has it at no place of %s where what was compared before it agrees",
			name, large.rec.Name, small.rec.Name)
	}
	return kept, nil
}

package diagnosis

import (
	"fmt"
	"math"
	"slices"

	"plumbline/numbers/dtype"
)

// sumCandidates is a softmax whose weights are right but for their sum: the log-sum-exp is off by
// something of its own in each row, and the output by the reciprocal of that.
func sumCandidates(s *subject) []candidate {
	o, lse := s.view("o"), s.view("lse")
	if o == nil || lse == nil || !lse.failed || len(o.want.Truth.Shape) != 4 || len(lse.want.Truth.Shape) != 3 {
		return nil
	}
	sums := lse.sums(s.base())
	if len(sums.more) == 0 {
		return nil
	}
	w := slices.Clone(o.truth)
	for i := range w {
		w[i] *= sums.over[lse.rowOf(o, i)]
	}
	said := "the weights of keys are right, but not their sum: it is " + sums.inWords() +
		", and o is off by the reciprocal"
	if !o.failed {
		said = "the log-sum-exp is not that of the weights that o has: their sum is " + sums.inWords()
		w = slices.Clone(o.truth)
	}
	c := propose("factors", "sum of the weights", said, func() (outputs, error) {
		return outputs{"o": w, "lse": slices.Clone(lse.got)}, nil
	})
	c.fitted, c.whole = len(sums.more), true
	return []candidate{c}
}

// view returns an output by its name, nil if it was not recorded or is a choice.
func (s *subject) view(name string) *view {
	for _, v := range s.views {
		if v.want.Name == name && v.want.Choice == nil {
			return v
		}
	}
	return nil
}

// base is that of the log-sum-exp.
func (s *subject) base() float64 {
	if b, ok := s.bound.Attr("lse_base").(string); ok && b == "2" {
		return 2
	}
	return math.E
}

// rowOf returns the element of a log-sum-exp [B,H,S] that belongs to one of an output [B,S,H,V].
func (v *view) rowOf(o *view, i int) int {
	shape := o.want.Truth.Shape
	row := i / shape[3]
	b, at := row/(shape[1]*shape[2]), row%(shape[1]*shape[2])
	return (b*shape[2]+at%shape[2])*shape[1] + at/shape[2]
}

// weightSums are sums of exponentials beside what they should be.
type weightSums struct {
	over      []float64 // what should be over what is, 1 where that is no number
	more      []float64 // what is more than what should be, where it is wrong
	low, high float64   // of what is over what should be
}

func (v *view) sums(base float64) weightSums {
	s := weightSums{low: math.Inf(1), high: math.Inf(-1)}
	for i, t := range v.truth {
		ratio := math.Pow(base, v.got[i]-t)
		if v.loss[i] <= clear || !dtype.Finite(ratio) || ratio == 0 {
			s.over = append(s.over, 1)
			continue
		}
		s.over = append(s.over, 1/ratio)
		s.low, s.high = min(s.low, ratio), max(s.high, ratio)
		s.more = append(s.more, math.Pow(base, v.got[i])-math.Pow(base, t))
	}
	return s
}

// sameMore is how far apart what sums are too large by may be, in parts of it, to be one number.
const sameMore = 0.02

// inWords says by how much sums are off: by one number, as of keys whose score is 0, or by factors.
func (s weightSums) inWords() string {
	slices.Sort(s.more)
	if n := len(s.more); n > 1 {
		whole := math.Round(s.more[n/2])
		if whole != 0 && s.more[n-1]-s.more[0] < sameMore*math.Abs(whole) && math.Abs(s.more[n/2]-whole) < sameMore {
			return fmt.Sprintf("%v more than it should be in every row that is wrong, as of %v keys with a score of 0",
				whole, whole)
		}
	}
	return fmt.Sprintf("%.3g to %.3g times what it should be", s.low, s.high)
}

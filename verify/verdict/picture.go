package verdict

import (
	"math"

	"plumbline/internal/parallel"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// Picture shows how the errors of an output lie: how large they are beside those that executions of
// the op make, and where.
type Picture struct {
	Part      string     `json:"part,omitempty"`      // of what alone it is; "" for the whole output
	Exact     int        `json:"exact,omitempty"`     // elements where nothing may round and nothing did
	Histogram *Histogram `json:"histogram,omitempty"` // of scaled errors; nil where all elements are exact
	Maps      []Map      `json:"maps,omitempty"`
}

// Histogram counts scaled errors w in bins of one width from −Range to Range. Outputs are lumpy
// where their own spacing is large beside σ, so the curve is no bell but what executions of the op
// give, each rounded as the output is, and scaled to as many elements.
type Histogram struct {
	Range      float64   `json:"range"`
	Counts     []int     `json:"counts"`
	Below      int       `json:"below,omitempty"` // errors beyond the bins
	Above      int       `json:"above,omitempty"`
	Curve      []float64 `json:"curve"`
	CurveBelow float64   `json:"curve_below,omitempty"`
	CurveAbove float64   `json:"curve_above,omitempty"`
	// |w| at which elements are at the limit of z: one for each, as the last rounding is more of it
	// or less; 0 where there is no limit
	LimitFrom float64 `json:"limit_from,omitempty"`
	LimitTo   float64 `json:"limit_to,omitempty"`
}

// bins is odd, so that an error of nothing is in the middle of one.
const bins = 61

// The range of a histogram: beyond the limit of single elements by some, and never narrow.
const (
	roomBeyond = 1.25
	leastRange = 4
)

// mostPooled bounds how many errors of executions a curve is made of; they are of fewer executions
// where an output is large.
const mostPooled = 1 << 24

// Draw adds to what Judge says of an output how its errors lie, and its worst elements where it is
// explained too.
func (out *Output) Draw(want Expected, got *tensor.Tensor) {
	switch {
	case want.Choice != nil:
		if out.Allowed > 0 || out.Wrong > 0 {
			out.Picture = &Picture{Maps: choiceMaps(want, got)}
		}
	case len(want.judged(want.Truth.Data)) > 0:
		j := newJudgement(want.each()[out.Form], got)
		if out.Worst == nil {
			out.Worst = j.worst()
		}
		out.Picture = j.picture(out.MaxZLimit)
	}
}

func (j *judgement) picture(limit float64) *Picture {
	p := &Picture{Maps: append(j.maps(), j.summandMaps()...)}
	for _, s := range j.scores {
		if s.exact {
			p.Exact++
		}
	}
	if h := j.histogram(limit); h.errors() > 0 {
		p.Histogram = h
	}
	return p
}

// errors counts those of the output.
func (h *Histogram) errors() int {
	n := h.Below + h.Above
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// histogram counts the errors of the output and those of executions.
func (j *judgement) histogram(limit float64) *Histogram {
	h := &Histogram{Range: leastRange, Counts: make([]int, bins)}
	if dtype.Finite(limit) && limit > 0 || j.want.Sample == nil {
		h.LimitFrom, h.LimitTo = j.limitsOfErrors(limit)
		h.Range = max(h.Range, roomBeyond*h.LimitTo)
	}
	for i := range j.scores {
		if j.errs(i) {
			switch b := h.bin(j.scores[i].w); {
			case b < 0:
				h.Below++
			case b >= bins:
				h.Above++
			default:
				h.Counts[b]++
			}
		}
	}
	h.addCurve(j)
	return h
}

// errs tells whether an element counts in a picture: one that is judged and whose error is a
// number.
func (j *judgement) errs(i int) bool {
	s := &j.scores[i]
	return !s.unjudged && !s.unbounded && !s.wrongKind && !s.exact && kind(j.want.Truth.Data[i]) == 0
}

// bin returns where an error is: below 0 or from bins on where it is beyond the range.
func (h *Histogram) bin(w float64) int {
	x := math.Floor((w + h.Range) / (2 * h.Range) * bins)
	if w == h.Range {
		x = bins - 1
	}
	return int(max(-1, min(x, bins)))
}

// limitsOfErrors returns the least and the largest |w| at which an element is at the limit of z.
func (j *judgement) limitsOfErrors(limit float64) (from, to float64) {
	from = math.Inf(1)
	for i := range j.scores {
		if w := (limit*j.want.Sigma[i] + j.ulp[i]/2) / j.deviation(i); j.errs(i) && dtype.Finite(w) {
			from, to = min(from, w), max(to, w)
		}
	}
	return min(from, to), to
}

// deviation is what an element deviates by, the last rounding included.
func (j *judgement) deviation(i int) float64 { return deviation(j.want.Sigma[i], j.ulp[i]) }

// addCurve adds what executions of the op give, where nothing is left to a kernel the one rounding
// that all make.
func (h *Histogram) addCurve(j *judgement) {
	runs, at := [][]float64{make([]float64, len(j.scores))}, func(i int) int { return i }
	if s := j.want.Sample; s != nil {
		runs, at = s.Deviations, s.at
	}
	runs = runs[:min(len(runs), max(1, mostPooled/max(1, len(runs[0]))))]
	pooled := make([][bins + 2]int, len(runs))
	parallel.Each(len(runs), func(k int) {
		for e, d := range runs[k] {
			if w, ok := j.executed(at(e), d); ok {
				pooled[k][h.bin(w)+1]++
			}
		}
	})
	h.scaleCurve(pooled)
}

// executed returns the scaled error of an element that deviates by d before its last rounding.
func (j *judgement) executed(i int, d float64) (w float64, ok bool) {
	t := j.want.Truth.Data[i]
	if !j.errs(i) || j.nothingRounds(i) {
		return 0, false
	}
	w = (j.want.Type.Round(t+d) - t) / j.deviation(i)
	return w, dtype.Finite(w)
}

// scaleCurve makes counts of executions those of as many elements as the output has.
func (h *Histogram) scaleCurve(pooled [][bins + 2]int) {
	var sums [bins + 2]int
	all := 0
	for _, counts := range pooled {
		for b, n := range counts {
			sums[b] += n
			all += n
		}
	}
	scaled := make([]float64, len(sums))
	for b, n := range sums {
		scaled[b] = float64(n) * float64(h.errors()) / float64(max(all, 1))
	}
	h.CurveBelow, h.Curve, h.CurveAbove = scaled[0], scaled[1:bins+1], scaled[bins+1]
}

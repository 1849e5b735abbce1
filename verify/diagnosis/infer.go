package diagnosis

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"plumbline/internal/parallel"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// Inferred is what a recording is as one of a kernel that declares something.
type Inferred struct {
	Declares string         `json:"declares"` // "scores: BF16"; "" for what the recording says
	Status   verdict.Status `json:"status"`
	RMS      float64        `json:"rms"`   // of the output that is nearest its limit
	Fills    float64        `json:"fills"` // how much of that limit: 1 is the limit itself
	Reason   string         `json:"reason,omitempty"`
}

// Infer judges a recording as it is, and as one of a kernel that declares another value of each key
// of the op's arithmetic, and returns all: those first that explain, tightest first. The error says
// why it cannot be judged, or that it asks for more work than most.
func Infer(rec *recording.Recording, most float64) ([]Inferred, error) {
	o := op.Lookup(rec.Op)
	if o == nil || rec.IsRequest() {
		return nil, fmt.Errorf("%s", op.Judge(rec).Reason)
	}
	all := append([]declaration{{}}, declarations(o, rec)...)
	if work, err := op.Work(rec); err == nil && work*float64(len(all)) > most {
		return nil, fmt.Errorf("%s: %d declarations take some %.2g products, more than the limit of %.2g",
			rec.Name, len(all), work*float64(len(all)), most)
	}
	inferred := make([]Inferred, len(all))
	parallel.Each(len(all), func(i int) { inferred[i] = all[i].infer(rec) })
	if inferred[0].Status == verdict.Unusable {
		return nil, fmt.Errorf("%s", inferred[0].Reason)
	}
	slices.SortStableFunc(inferred, func(a, b Inferred) int {
		return cmp.Or(cmp.Compare(a.Status, b.Status), cmp.Compare(b.Fills, a.Fills))
	})
	return inferred, nil
}

// infer judges a recording as one with the declaration.
func (d declaration) infer(rec *recording.Recording) Inferred {
	i := Inferred{}
	if d.key != "" {
		rec, i.Declares = d.apply(rec), d.key+": "+d.value
	}
	v := op.Judge(rec)
	i.Status, i.Reason = v.Status, v.Reason
	for _, o := range v.Outputs {
		if f := o.RMS / max(o.RMSLimit, math.SmallestNonzeroFloat64); f >= i.Fills && o.RMSLimit > 0 {
			i.RMS, i.Fills = o.RMS, f
		}
	}
	return i
}

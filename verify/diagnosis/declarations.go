package diagnosis

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"plumbline/internal/parallel"
	"plumbline/internal/spelling"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// tryDeclarations judges the recording as one of a kernel that declares another value of one key,
// unless errors are as no arithmetic has them.
func (s *subject) tryDeclarations() {
	if s.beyondRounding() {
		return
	}
	var all []*trial
	for _, d := range declarations(s.bound.Op, s.rec) {
		t := &trial{candidate: candidate{Finding: d.finding(s)}, declared: d, judged: true, loss: s.loss}
		all = append(all, t)
	}
	work, _ := op.Work(s.rec)
	if work*float64(len(all)) > s.budget {
		s.untried = "not tried: other declarations, for which the budget of work is too small (-diagnosis raises it)"
		return
	}
	parallel.Each(len(all), func(i int) { s.judgeDeclared(all[i]) })
	s.tried += len(all)
	for _, t := range all {
		if t.explains {
			s.explaining = append(s.explaining, t)
		}
	}
	// tightest first: the one that leaves the output fullest of its limits
	slices.SortStableFunc(s.explaining, func(a, b *trial) int { return cmp.Compare(b.RMS, a.RMS) })
}

// halfAsLarge is the square of how large errors are beside the numbers themselves from which they
// are no roundings, whatever is declared.
const halfAsLarge = 0.25

// beyondRounding tells whether an output errs by that.
func (s *subject) beyondRounding() bool {
	return slices.ContainsFunc(s.views, func(v *view) bool {
		var square, size float64
		for i, t := range v.truth {
			if d := v.got[i] - t; v.want.Judged(i) && dtype.Finite(d) {
				square, size = square+d*d, size+t*t
			}
		}
		return square > halfAsLarge*size
	})
}

// declaration is a key of the arithmetic with a value.
type declaration struct{ key, value string }

// declarations lists what a recording may declare and does not, one key at a time; float64 is left
// out, which explains less than any other.
func declarations(o *op.Op, rec *recording.Recording) []declaration {
	var all []declaration
	for _, k := range o.Arithmetic {
		values := k.Values()
		if arithmetic.KindOf(k.Name) == arithmetic.WholeNumber {
			values = []string{"32", "64", "256", "512", "1048576"}
		}
		for _, v := range values {
			narrow := v != "F64" && !strings.HasPrefix(v, "F8")
			if narrow && v != spelled(rec.Arithmetic[k.Name], k.Default) && k.Default != op.Required {
				all = append(all, declaration{k.Name, v})
			}
		}
	}
	return all
}

func spelled(value any, missing string) string {
	if value == nil {
		return missing
	}
	return fmt.Sprint(value)
}

func (d declaration) finding(s *subject) verdict.Finding {
	said := "nothing of it"
	if v := s.rec.Arithmetic[d.key]; v != nil {
		said = spelling.Show(v)
	}
	f := verdict.Finding{Kind: "arithmetic", ID: d.key + "=" + d.value, Sentence: fmt.Sprintf(
		"with %s: %s declared, where the recording says %s", d.key, d.value, said,
	)}
	for _, m := range s.bound.Op.Mistakes() {
		if m.Declares == f.ID {
			f.ID, f.Numbers, f.Thread, f.Sentence = m.ID, m.Numbers, m.Thread, m.Sentence+"; it explains "+f.Sentence
		}
	}
	return f
}

// apply returns the recording with the declaration.
func (d declaration) apply(rec *recording.Recording) *recording.Recording {
	other := rec.Clone()
	if arithmetic.KindOf(d.key) == arithmetic.WholeNumber {
		other.Arithmetic[d.key] = json.Number(d.value)
	} else {
		other.Arithmetic[d.key] = d.value
	}
	return other
}

// tight is the share of a limit that errors have to fill for a declaration to be said to explain
// them: a wide one would explain anything.
const tight = 0.25

// judgeDeclared judges the recording as one that declares it.
func (s *subject) judgeDeclared(t *trial) {
	i := t.declared.infer(s.rec)
	t.RMS, t.explains = i.RMS, i.Status == verdict.Explained && i.Fills > tight
}

package diagnosis

import (
	"math"
	"slices"

	"plumbline/internal/parallel"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// Visible is the strength from which a recording shows a mistake: ten deviations of what right
// kernels give, all elements together.
const Visible = 10

// Effect is what a mistake does to the outputs of a recording.
type Effect struct {
	op.Mistake
	Shows    bool    // it can make a difference on these inputs
	Strength float64 // how far it moves all outputs together, in deviations: √Σ (w−t)²/s²
	Share    float64 // of the recorded outputs: 1 for a kernel that makes it, 0 for one that does not
}

// Effects returns what every mistake of the op does to a recording with these expectations, in the
// order of the bank.
func Effects(rec *recording.Recording, expected []verdict.Expected) ([]Effect, error) {
	s, err := newSubject(rec, expected, op.JudgeAgainst(rec, expected), 0)
	if err != nil {
		return nil, err
	}
	mistakes := s.bound.Op.Mistakes()
	effects := make([]Effect, len(mistakes))
	parallel.Each(len(mistakes), func(i int) { effects[i] = s.effect(mistakes[i]) })
	return effects, nil
}

// EffectsOnRequest returns what every mistake does to a request, whose outputs are those of a right
// kernel that declares what the request does.
func EffectsOnRequest(request *recording.Recording) ([]Effect, error) {
	bound, err := op.Bind(request)
	if err != nil {
		return nil, err
	}
	c := emulate.DeclaredBy(bound)
	c.Output = 0
	rec, err := emulate.Run(request, c)
	if err != nil {
		return nil, err
	}
	expected, err := op.Expect(rec)
	if err != nil {
		return nil, err
	}
	return Effects(rec, expected)
}

// effect returns what one mistake does: the difference that it makes to a kernel that rounds
// nothing, or where it is one of rounding or overflow to one that rounds as declared.
func (s *subject) effect(m op.Mistake) Effect {
	e := Effect{Mistake: m}
	if m.ID == "output-truncated" {
		return s.effectOfTruncation(e)
	}
	declared := emulate.DeclaredBy(s.bound)
	wide := declared
	wide.Accumulate = emulate.Exact("").Accumulate
	for i, c := range []emulate.Config{emulate.Exact(""), wide, declared} {
		wrong, err := s.kernel(m.ID, c)()
		if err != nil {
			continue
		}
		right := s.right()
		if i > 0 {
			if right, err = s.kernel("", c)(); err != nil {
				continue
			}
		}
		if e.Strength, e.Share = s.strength(wrong, right); e.Strength > 0 {
			e.Shows = true
			return e
		}
	}
	return e
}

// strength returns how far outputs are from right ones in deviations, and how much of that was
// recorded.
func (s *subject) strength(wrong, right outputs) (strength, share float64) {
	var cross, square float64
	for _, v := range s.views {
		w := v.aligned(s, wrong[v.want.Name], wrong)
		if w == nil {
			continue
		}
		if r := v.aligned(s, right[v.want.Name], right); r != nil && v.want.Choice == nil {
			w = v.shifted(w, r)
		}
		x, y := v.along(w)
		cross, square = cross+x, square+y
	}
	return math.Sqrt(square), cross / max(square, math.SmallestNonzeroFloat64)
}

// shifted returns the truth moved by a difference.
func (v *view) shifted(w, r []float64) []float64 {
	moved := slices.Clone(w)
	for i := range moved {
		if d := w[i] - r[i]; !math.IsNaN(d) && !math.IsInf(d, 0) && !math.IsNaN(v.truth[i]) {
			moved[i] = v.truth[i] + d
		}
	}
	return moved
}

// effectOfTruncation is half a spacing toward zero.
func (s *subject) effectOfTruncation(e Effect) Effect {
	cut := outputs{}
	for _, v := range s.views {
		if v.want.Choice == nil {
			cut[v.want.Name] = v.each(v.cut)
			break
		}
	}
	e.Strength, e.Share = s.strength(cut, s.right())
	e.Shows = e.Strength > 0
	return e
}

// Vouches returns what an explained recording vouches for: the mistakes that would show in it.
func Vouches(rec *recording.Recording, expected []verdict.Expected) *verdict.Vouching {
	effects, err := Effects(rec, expected)
	if err != nil || len(effects) == 0 {
		return nil
	}
	v := &verdict.Vouching{Known: len(effects)}
	for _, e := range effects {
		if e.Strength >= Visible {
			v.Against++
		} else {
			v.Blind = append(v.Blind, e.Names())
		}
	}
	return v
}

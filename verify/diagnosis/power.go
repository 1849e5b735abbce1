package diagnosis

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"plumbline/internal/parallel"
	"plumbline/numbers/dtype"
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
	Strength float64 // how far it moves the output that shows it most, in deviations
	Share    float64 // of the recorded outputs: 1 for a kernel that makes it, 0 for one that does not
}

// Power is what a recording can show.
type Power struct {
	Verdict verdict.Verdict // its status is Undetermined for a request, which has nothing to judge
	Request bool
	Effects []Effect // strongest first
}

// PowerOf returns what a recording can show, or a request once it has the outputs of a right
// kernel. The error says why that cannot be known, or that it takes more work than most.
func PowerOf(rec *recording.Recording, most float64) (p Power, err error) {
	if work := VouchingWork(rec); work > most {
		return p, fmt.Errorf("%s: what it can show takes some %.2g products to say, more than the limit of %.2g",
			rec.Name, work, most)
	}
	if p.Request = len(rec.Outputs()) == 0; p.Request {
		p.Verdict.Status = verdict.Undetermined
		p.Effects, err = EffectsOnRequest(rec)
	} else {
		var expected []verdict.Expected
		p.Verdict, expected = op.JudgeKnown(rec, most)
		if p.Verdict.Status == verdict.Unusable {
			return p, errors.New(p.Verdict.Reason)
		}
		p.Effects, err = effects(rec, expected, p.Verdict)
	}
	slices.SortStableFunc(p.Effects, func(a, b Effect) int { return cmp.Compare(b.Strength, a.Strength) })
	return p, err
}

// Effects returns what every mistake of the op does to a recording with these expectations, in the
// order of the bank.
func Effects(rec *recording.Recording, expected []verdict.Expected) ([]Effect, error) {
	return effects(rec, expected, op.JudgeAgainst(rec, expected))
}

// EffectOf returns what the mistake of that id does to a recording with these expectations.
func EffectOf(rec *recording.Recording, expected []verdict.Expected, id string) (Effect, error) {
	s, err := newSubject(rec, expected, op.JudgeAgainst(rec, expected), 0)
	if err != nil {
		return Effect{}, err
	}
	mistakes := s.bound.Op.Mistakes()
	i := slices.IndexFunc(mistakes, func(m op.Mistake) bool { return m.ID == id })
	if i < 0 {
		return Effect{}, fmt.Errorf("%s: mistake %q: unknown for %s", rec.Name, id, rec.Op)
	}
	return s.effect(mistakes[i]), nil
}

func effects(rec *recording.Recording, expected []verdict.Expected, v verdict.Verdict) ([]Effect, error) {
	s, err := newSubject(rec, expected, v, 0)
	if err != nil {
		return nil, err
	}
	mistakes := s.bound.Op.Mistakes()
	all := make([]Effect, len(mistakes))
	parallel.Each(len(mistakes), func(i int) { all[i] = s.effect(mistakes[i]) })
	return all, nil
}

// EffectsOnRequest returns what every mistake does to a request, whose outputs are those of a right
// kernel that declares what the request does.
func EffectsOnRequest(request *recording.Recording) ([]Effect, error) {
	bound, err := op.Bind(request)
	if err != nil {
		return nil, err
	}
	c := emulate.DeclaredBy(bound)
	c.Output = dtype.Invalid
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
// nothing, or where it is more, because it is one of rounding or overflow, to one that rounds as
// declared.
func (s *subject) effect(m op.Mistake) Effect {
	e := Effect{Mistake: m}
	if s.isDeclared(m) {
		return e
	}
	if m.ID == "output-truncated" {
		return s.effectOfTruncation(e)
	}
	for i, c := range s.roundings() {
		wrong, err := s.kernel(m.ID, c)()
		if err != nil {
			continue
		}
		right, err := s.unspoilt[i]()
		if err != nil {
			continue
		}
		if e = s.stronger(e, wrong, right); e.Strength >= Visible {
			if s.isFaint(wrong, right) {
				e.Strength = s.asDeclared(e, wrong, right)
			}
			break
		}
	}
	return e
}

// stronger returns an effect, or that of other outputs where they show more.
func (s *subject) stronger(e Effect, wrong, right outputs) Effect {
	if strength, share := s.strength(wrong, right); strength > e.Strength || !e.Shows {
		e.Strength, e.Share, e.Shows = strength, share, strength*strength >= least
	}
	return e
}

// isFaint tells whether a mistake moves the numbers that it moves by no more than one unit in the
// last place of an output that is exact otherwise, √12 of its deviations, in the root mean square.
// One that moves a choice farther than ties allow is not.
func (s *subject) isFaint(wrong, right outputs) bool {
	var square, moved float64
	for _, v := range s.views {
		w := v.displaced(s, wrong, right)
		if w == nil {
			continue
		}
		_, y := v.along(w)
		if v.want.Choice != nil {
			if y > 0 {
				return false
			}
			continue
		}
		square += y
		for i, x := range w {
			if v.want.Judged(i) && v.deviation(x, i) != 0 {
				moved++
			}
		}
	}
	return square < 12*moved
}

// asDeclared returns the strength of a faint mistake in a kernel that rounds as declared: what
// hangs on how other roundings fall goes another way there, and only its size tells of it.
func (s *subject) asDeclared(e Effect, wrong, right outputs) float64 {
	moved, err := s.kernel(e.ID, s.inPairs())()
	if err != nil {
		return e.Strength
	}
	from, err := s.paired()
	if err != nil {
		return e.Strength
	}
	var cross, square, size float64
	for _, v := range s.views {
		w, x := v.displaced(s, wrong, right), v.displaced(s, moved, from)
		if v.want.Choice != nil || w == nil || x == nil {
			continue
		}
		for i := range w {
			if d := v.deviation(w[i], i); v.want.Judged(i) {
				cross, square = cross+d*v.deviation(x[i], i), square+d*d
			}
		}
		size = max(size, v.want.StrengthOfNoise(x, v.truth))
	}
	return min(e.Strength, max(size, e.Strength*cross/max(square, math.SmallestNonzeroFloat64)))
}

// inPairs is a kernel that rounds as declared and adds up in pairs.
func (s *subject) inPairs() emulate.Config {
	c := emulate.DeclaredBy(s.bound)
	c.Order = emulate.Pairwise
	return c
}

// strength returns how far outputs are from right ones in deviations, that which shows it most, and
// how much of it was recorded.
func (s *subject) strength(wrong, right outputs) (strength, share float64) {
	var cross, square float64
	for _, v := range s.views {
		w := v.displaced(s, wrong, right)
		if w == nil {
			continue
		}
		x, y := v.along(w)
		cross, square = cross+x, square+y
		strength = max(strength, v.strength(w, y))
	}
	return strength, cross / max(square, math.SmallestNonzeroFloat64)
}

// strength is that of one output, whose elements or rows of a choice move by that square together.
func (v *view) strength(w []float64, square float64) float64 {
	if v.want.Choice != nil {
		return math.Sqrt(square)
	}
	return v.want.Strength(w, v.truth)
}

// displaced returns the truth moved as a wrong kernel's outputs are from a right one's; of a
// choice, the wrong one. Nil where these have no such output.
func (v *view) displaced(s *subject, wrong, right outputs) []float64 {
	w := v.aligned(s, wrong[v.want.Name], wrong)
	if w == nil {
		return nil
	}
	if r := v.aligned(s, right[v.want.Name], right); r != nil && v.want.Choice == nil {
		return v.shifted(w, r)
	}
	return w
}

// shifted returns the truth moved by a difference.
func (v *view) shifted(w, r []float64) []float64 {
	moved := slices.Clone(w)
	for i := range moved {
		if d := w[i] - r[i]; dtype.Finite(d) && !math.IsNaN(v.truth[i]) {
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
	_, e.Share = s.strength(cut, s.right())
	for _, v := range s.views {
		if w := cut[v.want.Name]; w != nil {
			e.Strength = v.want.StrengthOfTruncation(w, v.truth)
		}
	}
	e.Shows = e.Strength > 0
	return e
}

// vouches returns what an explained recording vouches for: the mistakes that would show in it, and
// those that the matched filter finds although no element, slice or factor shows them.
func vouches(rec *recording.Recording, expected []verdict.Expected, v verdict.Verdict) *verdict.Vouching {
	all, err := effects(rec, expected, v)
	if err != nil || len(all) == 0 {
		return nil
	}
	said := VouchingOf(all)
	for _, e := range all {
		if e.made() {
			said.Holds = append(said.Holds, fmt.Sprintf("%s, %.2f ± %.2f of it", e.Names(), e.Share, 1/e.Strength))
		}
	}
	return &said
}

// isDeclared tells whether a mistake of rounding is what the recording declares.
func (s *subject) isDeclared(m op.Mistake) bool {
	for _, k := range s.bound.Op.Arithmetic {
		if m.Declares == k.Name+"="+spelled(s.rec.Arithmetic[k.Name], k.Default) {
			return true
		}
	}
	return false
}

// surely is how many deviations of what right kernels have by chance there have to be of a mistake,
// and asOne how many the share of it may be from 1.
const (
	surely = 7
	asOne  = 4
)

// made tells whether the recorded outputs have a mistake in them, as much of it as a kernel makes.
func (e Effect) made() bool {
	return e.Strength >= Visible && e.Share*e.Strength > surely && math.Abs(e.Share-1)*e.Strength < asOne
}

// VouchingOf counts the mistakes that would show.
func VouchingOf(effects []Effect) verdict.Vouching {
	v := verdict.Vouching{Known: len(effects)}
	for _, e := range effects {
		if e.Strength >= Visible {
			v.Against++
		} else {
			v.Blind = append(v.Blind, e.Names())
		}
	}
	return v
}

// kernelsPerMistake is how many kernels are run to say what one mistake does: one to three.
const kernelsPerMistake = 2

// VouchingWork estimates what it takes to say what a recording vouches for, in products as op.Work
// counts them.
func VouchingWork(rec *recording.Recording) float64 {
	work, err := op.WorkOnce(rec)
	if err != nil {
		return 0 // it is refused at once
	}
	return work * kernelsPerMistake * float64(len(op.Lookup(rec.Op).Mistakes()))
}

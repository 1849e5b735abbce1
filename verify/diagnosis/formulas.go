package diagnosis

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"plumbline/internal/parallel"
)

// Where a formula is another one, the output may be a function of what the right one names: the
// square of a log-ratio, the scores before they are normalised, itself times a mask once more.

// tryFormulas tries outputs that are functions of quantities, inputs and other outputs, or right
// ones combined with these. No kernel runs for that, so that it takes nothing of the budget.
func (s *subject) tryFormulas() {
	if s.elements() > mostTarget {
		return
	}
	others := s.operands()
	for _, v := range s.views {
		letters := s.bound.Op.Output(v.want.Name).Shape
		if v.want.Choice != nil || !v.failed || len(v.got) < fewParts || len(letters) != len(v.want.Truth.Shape) {
			continue
		}
		o := operand{v.want.Name, letters, v.want.Axes, v.want.Truth, nil}
		for _, b := range others {
			s.trials = append(s.trials, s.formulasOf(v, o, b)...)
		}
	}
	s.settle()
}

// formulasOf returns what explains an output of functions of another tensor, alone and with the
// right output.
func (s *subject) formulasOf(v *view, o, other operand) (found []*trial) {
	var all []candidate
	for _, b := range o.fitting(other) {
		b.x = sync.OnceValue(b.x)
		for _, f := range append([]function{itself}, formulas()...) {
			said := strings.TrimSpace(fmt.Sprintf("%s holds %s %s", o.name, b.name, taken(f.said)))
			all = append(all, v.instead("combined", said, said, func() []float64 { return eachOf(b.x(), f.of).Data }))
		}
		for _, c := range combinations[1:] {
			said := "the kernel " + fmt.Sprintf(c.said, o.name, b.name)
			all = append(all, v.instead("combined", said, said, func() []float64 { return o.combined(c, b.x()) }))
		}
	}
	trials := make([]*trial, len(all))
	parallel.Each(len(all), func(i int) {
		if gives, err := all[i].give(); err == nil && v.near(gives[v.want.Name]) && !v.undefined(gives[v.want.Name]) {
			trials[i] = s.compared(all[i], func() (outputs, error) { return gives, nil })
		}
	})
	return slices.DeleteFunc(trials, func(t *trial) bool { return t == nil })
}

// undefined tells whether what a function gives is no number where it should be one: of a root, a
// logarithm or a quotient that has no value anything that is NaN would come.
func (v *view) undefined(w []float64) bool {
	for i, x := range w {
		if math.IsNaN(x) && !math.IsNaN(v.truth[i]) && v.want.Judged(i) {
			return true
		}
	}
	return false
}

// taken says as what something is taken.
func taken(said string) string {
	if said == "" {
		return ""
	}
	return "taken " + said
}

// near tells whether other numbers take nearly all of the error of an output away.
func (v *view) near(w []float64) bool {
	return excess(v.lossBeside(w)) < (1-worthJudging)*excess(v.loss)
}

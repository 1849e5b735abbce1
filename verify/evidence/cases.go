package evidence

import (
	"math/rand/v2"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// Case is a wrong output that a criterion was found to pass: what it measures on it here, and what
// Plumbline says.
type Case struct {
	Criterion string  `json:"criterion"`
	Defect    string  `json:"defect"`
	Data      string  `json:"data"`     // the recipe of the project, and what is smaller here
	Reported  string  `json:"reported"` // what was measured when the hole was found
	Value     float64 `json:"value"`
	Limit     float64 `json:"limit"`
	Right     float64 `json:"right"` // the value of a right kernel
	Passes    bool    `json:"passes"`
	Verdict   string  `json:"verdict"`       // on the wrong output
	OfRight   string  `json:"right_verdict"` // on the right one
	Says      string  `json:"says"`
}

// falsePass is how a case is made.
type falsePass struct {
	criterion, defect, data, reported string
	make                              func() (scene, error)
}

// scene is a right recording, a wrong one, and how the criterion measures either.
type scene struct {
	right, wrong *recording.Recording
	measure      measuring
}

// measuring measures a recording that was judged.
type measuring func(rec *recording.Recording, t *trial) (Measure, error)

func falsePasses() []falsePass {
	var all []falsePass
	for _, list := range [][]falsePass{productCases(), attentionCases(), expertCases(), lossCases()} {
		all = append(all, list...)
	}
	return all
}

func (o Options) cases() []falsePass {
	if !o.Cases {
		return nil
	}
	return falsePasses()
}

// run measures a case.
func (f falsePass) run() (Case, error) {
	c := Case{Criterion: f.criterion, Defect: f.defect, Data: f.data, Reported: f.reported}
	scene, err := f.make()
	if err != nil {
		return c, err
	}
	s, err := newSubject(scene.right)
	if err != nil {
		return c, err
	}
	right, of, err := scene.judge(s, scene.right)
	if err != nil {
		return c, err
	}
	c.Right, c.OfRight = right.Value, of.Status.String()
	wrong, of, err := scene.judge(s, scene.wrong)
	c.Value, c.Limit, c.Passes = wrong.Value, wrong.Limit, wrong.Passes()
	c.Verdict, c.Says = of.Status.String(), of.Reason
	return c, err
}

func (scene scene) judge(s *subject, rec *recording.Recording) (Measure, verdict.Verdict, error) {
	t, err := s.judge(rec)
	if err != nil {
		return Measure{}, verdict.Verdict{}, err
	}
	m, err := scene.measure(rec, t)
	return m, t.verdict, err
}

// Found tells whether Plumbline fails the wrong output.
func (c Case) Found() bool { return c.Verdict == verdict.Unexplained.String() }

// maker makes the inputs of a case.
type maker struct {
	*recording.Recording
	rng *rand.Rand
}

func newMaker(opName string, seed uint64) maker {
	return maker{recording.New(opName), rand.New(rand.NewPCG(seed, 6))}
}

// normal sets an input of normal numbers.
func (m maker) normal(name string, t dtype.Type, deviation float64, shape ...int) {
	x := tensor.New(shape...)
	for i := range x.Data {
		x.Data[i] = deviation * m.rng.NormFloat64()
	}
	m.Set(name, t, x)
}

// whole sets an input of whole numbers.
func (m maker) whole(name string, data []float64, shape ...int) {
	m.Set(name, dtype.I32, tensor.Of(data, shape...))
}

// number sets an attribute.
func (m maker) number(name string, x float64) { m.Attrs[name] = recording.Number(x) }

// otherwise runs a kernel on a request that is not the right one, and returns the right recording
// with its outputs: a kernel that reads the request wrongly.
func otherwise(right, request *recording.Recording, c emulate.Config) (*recording.Recording, error) {
	rec, err := emulate.Run(request, c)
	if err != nil {
		return nil, err
	}
	wrong := right.Clone()
	for _, name := range rec.Outputs() {
		x, err := rec.Tensor("out." + name)
		if err != nil {
			return nil, err
		}
		wrong.Set("out."+name, rec.Type("out."+name), x)
	}
	return wrong, nil
}

// wronging makes a wrong recording of a right one.
type wronging func(right *recording.Recording) (*recording.Recording, error)

// spoils changes the numbers of one output.
func spoils(output string, change func(x *tensor.Tensor)) wronging {
	return func(right *recording.Recording) (*recording.Recording, error) {
		wrong := right.Clone()
		return wrong, edit(wrong, "out."+output, change)
	}
}

// misreads runs the kernel on a request with one input changed.
func misreads(input string, change func(x *tensor.Tensor)) wronging {
	return func(right *recording.Recording) (*recording.Recording, error) {
		other := right.Clone()
		if err := edit(other, input, change); err != nil {
			return nil, err
		}
		return otherwise(right, other, emulate.Config{})
	}
}

// edit changes the numbers of a tensor.
func edit(rec *recording.Recording, name string, change func(x *tensor.Tensor)) error {
	x, err := rec.Tensor(name)
	if err != nil {
		return err
	}
	change(x)
	rec.Set(name, rec.Type(name), x)
	return nil
}

// by measures one output with a criterion of the tables.
func by(name, output string) measuring { return against(output, criterion(name).measure) }

// criterion returns the criterion of that name.
func criterion(name string) Criterion {
	for _, c := range Criteria() {
		if c.Name == name {
			return c
		}
	}
	panic("evidence: no such criterion")
}

// against measures one output beside its truth.
func against(output string, measure func(p *Pair) Measure) measuring {
	return func(_ *recording.Recording, t *trial) (Measure, error) {
		i := slices.IndexFunc(t.pairs, func(p *Pair) bool { return p.Output == output })
		return measure(t.pairs[i]), nil
	}
}

// withWrong returns the scene of a right kernel and of what makes a wrong recording of it.
func withWrong(request *recording.Recording, measure measuring, wrong wronging) (scene, error) {
	right, err := emulate.Run(request, emulate.Config{})
	if err != nil {
		return scene{}, err
	}
	w, err := wrong(right)
	return scene{right, w, measure}, err
}

// withMistake is withWrong for a kernel that makes a mistake of the bank.
func withMistake(request *recording.Recording, mistake string, measure measuring) (scene, error) {
	return withWrong(request, measure, func(right *recording.Recording) (*recording.Recording, error) {
		return otherwise(right, request, emulate.Config{Mistake: mistake})
	})
}

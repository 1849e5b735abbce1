// Package evidence measures what acceptance tests are worth: it runs right kernels and wrong ones
// through Plumbline's verdict and through the criteria of others, with their own numbers, and
// counts two things for each: right kernels that fail, which are false alarms, and mistakes that
// are visible and fail, which are found.
//
// A right kernel computes what it declares, in any tiling, order and type. A mistake is visible
// where its strength is 10 or more (verdict.Expected.Strength): what it makes of the truth in a
// kernel that rounds nothing else, in deviations of what right kernels err by. Indices, codes
// and decisions are visibly wrong where no error within the declared arithmetic gives them; there
// Plumbline is right by definition.
//
// Others are given the truth itself, rounded to float32 or to the type of the output, for their
// reference, and no element outside a mask: that is kinder than what their tests have.
package evidence

import (
	"errors"
	"fmt"
	"slices"

	"plumbline/internal/parallel"
	"plumbline/verify/emulate"
	"plumbline/verify/recording"
)

// Options say how much is measured.
type Options struct {
	Ops   []string // nil: all that can be emulated
	Seeds int      // requests of each op, on each scale of the inputs
	Turns int      // right kernels of each request: 0 is all
	Exp2  []int    // scales of the inputs, in powers of two; nil is 1 alone
	Large bool     // requests of DeepSeek-V3's sizes too
	Cases bool     // the false passes that were measured by others
	Heavy bool     // those among them that take long

	Begin func(name string) // called when an op is begun …
	End   func()            // … and done with, in the order of the report; nil: nobody watches
}

// Report is what was measured.
type Report struct {
	Seeds  int     `json:"seeds"`
	Exp2   []int   `json:"exp2"`
	Rates  []Rates `json:"rates"`  // by op, scale and criterion
	Unsure Count   `json:"unsure"` // verdicts on right kernels that say that the inputs cannot tell
	Alarms []Miss  `json:"alarms"` // Plumbline's false alarms
	Misses []Miss  `json:"misses"` // visible mistakes that it explains
	Cases  []Case  `json:"cases"`
}

// Kept tells whether no right kernel failed, and no visible mistake was explained but faint ones.
func (r Report) Kept() bool {
	return len(r.Alarms) == 0 && !slices.ContainsFunc(r.Misses, func(m Miss) bool { return !m.Faint })
}

// job is the requests of one op of one kind.
type job struct {
	op   string
	exp2 int
	size size
}

// size is what kind of request an op gets.
type size int

const (
	small size = iota
	full       // of DeepSeek-V3
)

// Jobs returns how many parts a run has, each of which is begun and ended.
func (o Options) Jobs() int { return len(o.jobs()) + len(o.cases()) }

func (o Options) jobs() (jobs []job) {
	for _, name := range o.ops() {
		for _, exp2 := range o.scales() {
			if exp2 == 0 || factors[name] != nil {
				jobs = append(jobs, job{name, exp2, small})
			}
		}
		if o.Large && large[name] != nil {
			jobs = append(jobs, job{name, 0, full})
		}
	}
	return jobs
}

func (o Options) ops() []string {
	if o.Ops == nil {
		return emulate.Ops()
	}
	return o.Ops
}

func (o Options) scales() []int {
	if o.Exp2 == nil {
		return []int{0}
	}
	return o.Exp2
}

// Run measures. It gives the same report on any number of processors.
func Run(o Options) (Report, error) {
	r := Report{Seeds: o.Seeds, Exp2: o.scales()}
	for _, j := range o.jobs() {
		o.begin(j.name())
		t, err := o.measure(j)
		if err != nil {
			return r, err
		}
		r.Rates = append(r.Rates, used(t.rates)...)
		r.Unsure.join(t.unsure)
		r.Alarms, r.Misses = append(r.Alarms, t.alarms...), append(r.Misses, t.misses...)
		o.end()
	}
	for _, f := range o.cases() {
		o.begin(f.criterion)
		c, err := f.run()
		if err != nil {
			return r, err
		}
		r.Cases = append(r.Cases, c)
		o.end()
	}
	return r, nil
}

func (o Options) begin(name string) {
	if o.Begin != nil {
		o.Begin(name)
	}
}

func (o Options) end() {
	if o.End != nil {
		o.End()
	}
}

// name says which part of a run it is.
func (j job) name() string {
	switch {
	case j.size == full:
		return j.op + " at full size"
	case j.exp2 != 0:
		return fmt.Sprintf("%s times 2^%d", j.op, j.exp2)
	}
	return j.op
}

// used leaves out the criteria that were applied to nothing.
func used(rates []Rates) []Rates {
	return slices.DeleteFunc(rates, func(r Rates) bool {
		return r.Alarms.Of == 0 && r.Found.Of == 0
	})
}

// measure runs all requests of a job, side by side.
func (o Options) measure(j job) (*tally, error) {
	seeds := o.Seeds
	if j.size == full {
		seeds = 1
	}
	tallies, errs := make([]*tally, seeds), make([]error, seeds)
	parallel.Each(seeds, func(i int) { tallies[i], errs[i] = o.seed(j, uint64(i)) })
	all := newTally(Criteria(), j.op, j.exp2)
	for _, t := range tallies {
		if t != nil {
			all.join(t)
		}
	}
	return all, errors.Join(errs...)
}

// seed runs the kernels of one request.
func (o Options) seed(j job, seed uint64) (*tally, error) {
	t := newTally(Criteria(), j.op, j.exp2)
	request, err := j.request(seed)
	if err != nil {
		return nil, err
	}
	s, err := newSubject(request)
	if err != nil {
		return nil, err
	}
	if err := o.rightKernels(t, s, seed); err != nil {
		return nil, err
	}
	return t, wrongKernels(t, s, seed)
}

func (j job) request(seed uint64) (*recording.Recording, error) {
	if j.size == full {
		return large[j.op](seed)
	}
	request, _, err := scaled(emulate.Request(j.op, seed), j.exp2)
	return request, err
}

// rightKernels runs those whose turn it is.
func (o Options) rightKernels(t *tally, s *subject, seed uint64) error {
	configs := emulate.Right(s.request.Op)
	n := o.Turns
	if n == 0 {
		n = len(configs)
	}
	for i := range n {
		c := configs[(int(seed)*n+int(seed)*n/len(configs)+i)%len(configs)]
		_, k, err := s.run(c)
		if err != nil {
			return err
		}
		t.right(k, c)
		if fails(k.verdict) {
			t.alarms = append(t.alarms, Miss{
				Op: s.request.Op, Seed: seed, Exp2: t.rates[0].Exp2, Kernel: c.String(), Says: k.verdict.Reason,
			})
		}
	}
	return nil
}

// wrongKernels runs every mistake that can show.
func wrongKernels(t *tally, s *subject, seed uint64) error {
	for _, mistake := range emulate.Mistakes(s.request.Op) {
		c := emulate.Config{Tile: 32, Splits: 3, Form: []string{"naive", "absorbed"}[seed%2], Mistake: mistake}
		rec, k, err := s.run(c)
		if errors.Is(err, emulate.ErrHidden) {
			continue
		}
		if err != nil {
			return err
		}
		e, err := s.effectOf(c, rec, k)
		if err != nil {
			return err
		}
		t.wrong(k, e)
		if m := e.total(everyOutput); m.strength >= visible && !fails(k.verdict) {
			t.misses = append(t.misses, Miss{
				Op: s.request.Op, Seed: seed, Exp2: t.rates[0].Exp2, Kernel: mistake, Strength: m.strength,
				Faint: m.faint(), Says: k.verdict.Status.String(),
			})
		}
	}
	return nil
}

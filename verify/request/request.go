// Package request makes the inputs on which kernels are worth recording: requests that show every
// mistake which kernels of an op are known to make.
//
// Each op has a few designs: inputs with planted keys at every edge, scattered and poisoned pages,
// ragged lengths, biases of both signs, ties, scales that vary by block, ratios beyond every clip.
// What they show is measured, by what each mistake does to them in an emulated kernel; where a
// design falls short others are drawn; and of all a few are chosen that together show everything.
package request

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/numbers/dtype"
	"plumbline/verify/diagnosis"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// design is one way to make a request of an op.
type design struct {
	name  string
	says  string // what is in it
	build func(m *maker)
}

// designs are those of each op, the ones to be preferred first.
var designs = map[string][]design{
	"attention.forward": attentionForward, "attention.backward": attentionBackward, "attention.merge": attentionMerge,
	"dpo.loss": preferenceLoss, "fp8.cast": fp8Cast, "fp8.gemm": fp8Product, "fp8.grouped_gemm": fp8Grouped,
	"grpo.advantage": groupAdvantage, "grpo.loss": policyLosses, "mla.decode": latentDecode, "mla.layer": latentLayer,
	"moe.balance_loss": balances(), "moe.bias_update": biasUpdate, "moe.dispatch": expertDispatch,
	"moe.experts": expertNetwork, "moe.gate": gateChoice, "moe.layer": expertLayer, "mtp.accept": predictionAccept,
	"mtp.combine": predictionCombine, "mtp.loss": predictionLoss, "norm.rms": normRMS,
	"policy.cross_entropy": crossEntropies, "policy.kl": divergences(), "policy.logprob": logProbs,
	"policy.mismatch": mismatches, "ppo.gae": gaeRecursion, "ppo.loss": policyLosses, "ppo.value_loss": valueLoss,
	"rope.apply": ropeApply, "rope.table": ropeTable,
}

// Ops returns the names of the ops that requests can be made for, in alphabetical order.
func Ops() []string { return slices.Sorted(maps.Keys(designs)) }

// Options say what a request may be like.
type Options struct {
	Attrs map[string]any // that are fixed, as a recording has them
	Type  dtype.Type     // of the inputs; Invalid leaves it to the designs
	Full  bool           // at DeepSeek-V3's sizes
	Watch func(done string)
}

// TypeOf returns the type of inputs of that name; "" leaves it to the designs.
func TypeOf(name string) (dtype.Type, error) {
	types := []dtype.Type{dtype.BF16, dtype.F16, dtype.F32}
	var names []string
	for _, t := range types {
		names = append(names, t.String())
	}
	switch i := slices.Index(names, name); {
	case i >= 0:
		return types[i], nil
	case name == "":
		return dtype.Invalid, nil
	}
	return 0, fmt.Errorf("%s, want one of %s%s", spelling.Quote(name), strings.Join(names, " "),
		spelling.Suggest(name, names))
}

// Set is a few requests that together show what can be shown.
type Set struct {
	Op       string
	Files    []File
	Mistakes []Shown // in the order of the bank
}

// File is one request.
type File struct {
	*recording.Recording
	Says     string // what is in it
	Measured bool   // its strengths are its own, not those of the same request in small
	strength map[string]float64
}

// Shown is where a mistake shows.
type Shown struct {
	op.Mistake
	File     int     // the number of the file that shows it best, from 0
	Strength float64 // there
	Excluded bool    // it does not show, but would if attributes and type were not fixed
}

// Shows tells whether one of the files shows it.
func (s Shown) Shows() bool { return s.Strength >= diagnosis.Visible }

// candidate is a design that was measured.
type candidate struct {
	design
	salt     int
	request  *recording.Recording
	strength map[string]float64
}

// draws is how often a design is drawn anew where one draw does not show everything.
const draws = 4

// Make makes the requests of an op. The error says which attribute does not fit.
func Make(name string, o Options) (*Set, error) {
	if op.Lookup(name) == nil || len(designs[name]) == 0 {
		return nil, fmt.Errorf("%s: no mistake of it is known that a request could show", name)
	}
	all, err := measured(name, o)
	if err != nil {
		return nil, err
	}
	set := &Set{Op: name}
	for _, c := range cover(all) {
		f, err := c.file(name, o)
		if err != nil {
			return nil, err
		}
		set.Files = append(set.Files, f)
	}
	set.say(op.Lookup(name).Mistakes())
	return set, set.exclude(name, o)
}

// measured measures every design, and while mistakes are left other draws of it.
func measured(name string, o Options) (all []candidate, err error) {
	var refused error
	for salt := range draws {
		left := unseen(name, all)
		if salt > 0 && len(left) == 0 {
			break
		}
		for _, d := range designs[name] {
			c := candidate{design: d, salt: salt}
			if err := c.measure(name, o); err != nil {
				refused = cmp.Or(refused, err)
				continue
			}
			if salt == 0 || slices.ContainsFunc(left, c.shows) {
				all = append(all, c)
			}
		}
	}
	if len(all) == 0 {
		return nil, cmp.Or(unknownKey(name, o.Attrs), refused)
	}
	return all, nil
}

// unknownKey is what is wrong with attributes that the op has not: said without those of a design,
// so that the one that was meant is suggested.
func unknownKey(name string, attrs map[string]any) error {
	bare := recording.New(name)
	bare.Name, bare.Attrs = name, attrs
	if _, err := op.Bind(bare); err != nil && strings.Contains(err.Error(), "unknown key") {
		return err
	}
	return nil
}

// unseen lists the mistakes that no candidate shows.
func unseen(name string, all []candidate) (ids []string) {
	for _, m := range op.Lookup(name).Mistakes() {
		if !slices.ContainsFunc(all, func(c candidate) bool { return c.shows(m.ID) }) {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// make builds a request, at full size or in small.
func (c *candidate) make(name string, o Options, full bool) (*recording.Recording, error) {
	m := c.maker(name, o, full)
	c.build(m)
	if m.err != nil {
		return nil, m.err
	}
	_, err := op.Bind(m.Recording)
	return m.Recording, err
}

// maker is what the design builds with.
func (c *candidate) maker(name string, o Options, full bool) *maker {
	m := &maker{
		Recording: recording.New(name), float: dtype.BF16, fixed: o.Attrs, full: full,
		seed: seedOf(name, c.name, c.salt),
	}
	m.Name = name
	if o.Type != dtype.Invalid {
		m.float, m.typed = o.Type, true
	}
	maps.Copy(m.Attrs, o.Attrs)
	m.note(c.salt, c.said(o))
	return m
}

// said says what is in the request.
func (c *candidate) said(o Options) string {
	if len(o.Attrs) > 0 {
		return c.says + "; as far as the attributes that are fixed allow"
	}
	return c.says
}

// measure says how strongly each mistake shows in small.
func (c *candidate) measure(name string, o Options) (err error) {
	if c.request, err = c.make(name, o, false); err != nil {
		return err
	}
	if o.Watch != nil {
		o.Watch(c.name)
	}
	c.strength, err = strengths(c.request)
	return err
}

func strengths(request *recording.Recording) (map[string]float64, error) {
	effects, err := diagnosis.EffectsOnRequest(request)
	all := map[string]float64{}
	for _, e := range effects {
		all[e.ID] = e.Strength
	}
	return all, err
}

// cover chooses few candidates that show what all do: always the one that shows most of what is
// left, and of equal ones the first.
func cover(all []candidate) (chosen []candidate) {
	left := map[string]bool{}
	for _, c := range all {
		for id := range c.strength {
			left[id] = true
		}
	}
	for {
		best, most := -1, 0
		for i, c := range all {
			if n := c.among(left); n > most {
				best, most = i, n
			}
		}
		if best < 0 {
			break
		}
		chosen = append(chosen, all[best])
		maps.DeleteFunc(left, func(id string, _ bool) bool { return all[best].shows(id) })
	}
	if len(chosen) == 0 {
		chosen = all[:1] // it shows nothing, but it is what was asked for
	}
	return chosen
}

// shows tells whether the candidate shows a mistake.
func (c *candidate) shows(id string) bool { return c.strength[id] >= diagnosis.Visible }

// among counts what the candidate shows of some mistakes.
func (c *candidate) among(ids map[string]bool) (n int) {
	for id := range ids {
		if c.shows(id) {
			n++
		}
	}
	return n
}

// mostMeasured is the work that may go into measuring a request at full size.
const mostMeasured = 5e9

// file is the request as it is written.
func (c *candidate) file(name string, o Options) (f File, err error) {
	f = File{Recording: c.request, Says: c.said(o), Measured: true, strength: c.strength}
	if !o.Full {
		return f, nil
	}
	if f.Recording, err = c.make(name, o, true); err != nil {
		return f, err
	}
	if f.Measured = diagnosis.VouchingWork(f.Recording) <= mostMeasured; f.Measured {
		if o.Watch != nil {
			o.Watch(c.name + " at full size")
		}
		f.strength, err = strengths(f.Recording)
	}
	return f, err
}

// say says of every mistake where it shows best.
func (s *Set) say(mistakes []op.Mistake) {
	for _, m := range mistakes {
		shown := Shown{Mistake: m}
		for i, f := range s.Files {
			if f.strength[m.ID] > shown.Strength {
				shown.File, shown.Strength = i, f.strength[m.ID]
			}
		}
		s.Mistakes = append(s.Mistakes, shown)
	}
}

// exclude marks the mistakes that show where nothing is fixed.
func (s *Set) exclude(name string, o Options) error {
	left := slices.ContainsFunc(s.Mistakes, func(m Shown) bool { return !m.Shows() })
	if !left || len(o.Attrs) == 0 && o.Type == dtype.Invalid {
		return nil
	}
	free, err := measured(name, Options{Watch: o.Watch})
	if err != nil {
		return err
	}
	none := unseen(name, free)
	for i, m := range s.Mistakes {
		s.Mistakes[i].Excluded = !m.Shows() && !slices.Contains(none, m.ID)
	}
	return nil
}

const extension = ".safetensors"

// Alone lists the mistakes that one file shows and no other does.
func (s *Set) Alone(file int) (mistakes []op.Mistake) {
	for _, m := range s.Mistakes {
		others := slices.ContainsFunc(s.Files, func(f File) bool {
			return f.Recording != s.Files[file].Recording && f.strength[m.ID] >= diagnosis.Visible
		})
		if m.Shows() && !others {
			mistakes = append(mistakes, m.Mistake)
		}
	}
	return mistakes
}

// Count is how many mistakes a file shows.
func (f *File) Count() (n int) {
	for _, x := range f.strength {
		if x >= diagnosis.Visible {
			n++
		}
	}
	return n
}

// Names returns the names of the files of a set: NAME.safetensors, NAME-2.safetensors and so on.
func (s *Set) Names(first string) []string {
	names := []string{first}
	for i := 1; i < len(s.Files); i++ {
		names = append(names, fmt.Sprintf("%s-%d%s", strings.TrimSuffix(first, extension), i+1, extension))
	}
	return names
}

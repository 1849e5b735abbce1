package exercise

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/verify/diagnosis"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// Letters name the kernels of a quiz.
var Letters = []string{"a", "b", "c", "d"}

// Quiz is one call by several kernels, one of which makes a mistake. Nothing in the recordings but
// their outputs tells which.
type Quiz struct {
	Op      string
	Kernels []*recording.Recording // by letter
	Choices []op.Mistake           // of which one is made
}

// Ops lists the ops of which a quiz can be made: those whose kernels make mistakes that can be told
// from one another. The one number of moe.balance_loss has many explanations whatever it is.
func Ops() []string {
	return slices.DeleteFunc(emulate.Ops(), func(name string) bool {
		return name == "moe.balance_loss" || len(op.Lookup(name).Mistakes()) < len(Letters)
	})
}

// requests is how many requests are tried for one on which a mistake shows.
const requests = 8

// Ask makes a quiz of an op: the same for the same seed.
func Ask(name string, seed uint64) (*Quiz, error) {
	if !slices.Contains(Ops(), name) {
		return nil, fmt.Errorf("no quiz of %s%s", spelling.Quote(name), spelling.Suggest(name, Ops()))
	}
	for i := range uint64(requests) {
		q, err := ask(name, seed*requests+i)
		if err != nil || q != nil {
			return q, err
		}
	}
	return nil, fmt.Errorf("%s: no mistake shows that can be told from others; another -seed makes other inputs", name)
}

// ask is Ask on one request, nil if nothing shows on it.
func ask(name string, seed uint64) (*Quiz, error) {
	hash := fnv.New64a()
	hash.Write([]byte(name))
	rng := rand.New(rand.NewPCG(seed, hash.Sum64()))
	bound, err := emulate.Bind(emulate.Request(name, seed))
	if err != nil {
		return nil, err
	}
	orders, mistakes := right(), op.Lookup(name).Mistakes()
	rng.Shuffle(len(orders), func(i, j int) { orders[i], orders[j] = orders[j], orders[i] })
	rng.Shuffle(len(mistakes), func(i, j int) { mistakes[i], mistakes[j] = mistakes[j], mistakes[i] })
	for i, m := range mistakes {
		wrong, err := spoilt(bound, orders[0], m)
		if err != nil {
			return nil, err
		}
		if wrong == nil {
			continue
		}
		q := &Quiz{Op: name, Choices: choices(mistakes, i)}
		if ok, err := q.join(bound, wrong, orders[1:]); err != nil || ok {
			rng.Shuffle(len(q.Kernels), func(i, j int) { q.Kernels[i], q.Kernels[j] = q.Kernels[j], q.Kernels[i] })
			return q, err
		}
	}
	return nil, nil
}

// right are kernels that declare the same arithmetic, and add up in different orders.
func right() []emulate.Config {
	return []emulate.Config{
		{}, {Order: emulate.Reversed}, {Order: emulate.Pairwise}, {Order: emulate.Strided}, {Fused: true},
		{Order: emulate.Shuffled, Seed: 3}, {Order: emulate.Shuffled, Seed: 5}, {Order: emulate.Shuffled, Seed: 7},
	}
}

// choices are the mistake that is made, and others, by their sentences.
func choices(mistakes []op.Mistake, made int) []op.Mistake {
	rest := slices.Delete(slices.Clone(mistakes), made, made+1)
	all := append([]op.Mistake{mistakes[made]}, rest[:len(Letters)-1]...)
	slices.SortFunc(all, func(a, b op.Mistake) int { return strings.Compare(a.Sentence, b.Sentence) })
	return all
}

// spoilt returns what a kernel gives that makes a mistake, nil where that would not be named.
func spoilt(bound *emulate.Bound, c emulate.Config, m op.Mistake) (*recording.Recording, error) {
	c.Mistake = m.ID
	rec, err := bound.Run(c)
	if errors.Is(err, emulate.ErrHidden) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	scrub(rec)
	v := judge(rec)
	if found, ok := named(v); v.Status != verdict.Unexplained || !ok || found.ID != m.ID {
		return nil, nil
	}
	return rec, nil
}

// scrub takes out what says who made a recording.
func scrub(rec *recording.Recording) { rec.Provenance, rec.Extra = nil, nil }

// judge judges a recording as plumbline verify does.
func judge(rec *recording.Recording) verdict.Verdict {
	return diagnosis.JudgeWith(rec, diagnosis.Options{Exact: true, Most: op.MaxWork, Budget: diagnosis.Budget})
}

// named returns the mistake of the bank that explains a recording, first of all explanations.
func named(v verdict.Verdict) (verdict.Finding, bool) {
	if v.Diagnosis == nil || len(v.Diagnosis.Explains) == 0 || v.Diagnosis.Alike {
		return verdict.Finding{}, false
	}
	f := v.Diagnosis.Explains[0]
	return f, f.Kind == "mistake"
}

// join adds right kernels to a wrong one, and tells whether there are enough, explained ones that
// say of themselves what the wrong one does, and whether one can see the difference.
func (q *Quiz) join(bound *emulate.Bound, wrong *recording.Recording, orders []emulate.Config) (bool, error) {
	q.Kernels = []*recording.Recording{wrong}
	for _, c := range orders {
		rec, err := bound.Run(c)
		if err != nil {
			return false, err
		}
		scrub(rec)
		if alike(rec, wrong) && judge(rec).Status == verdict.Explained {
			q.Kernels = append(q.Kernels, rec)
		}
		if len(q.Kernels) == len(Letters) {
			return q.shows()
		}
	}
	return false, nil
}

// seen is how far kernels have to part, so that one sees it in four digits.
const seen = 0.01

// shows tells whether the kernels part so far that one can see it.
func (q *Quiz) shows() (bool, error) {
	for _, name := range q.Kernels[0].Outputs() {
		if p, err := MostApart(q.Kernels, "out."+name); err != nil || p.Gap >= seen {
			return err == nil, err
		}
	}
	return false, nil
}

// alike tells whether two recordings differ in nothing but the numbers of their outputs.
func alike(a, b *recording.Recording) bool {
	if !reflect.DeepEqual(a.Arithmetic, b.Arithmetic) || !slices.Equal(a.Outputs(), b.Outputs()) {
		return false
	}
	for _, name := range a.Outputs() {
		name = "out." + name
		if a.Type(name) != b.Type(name) || !slices.Equal(a.Shape(name), b.Shape(name)) {
			return false
		}
	}
	return true
}

// Answer is what the recordings say to an answer.
type Answer struct {
	Right    bool
	Finding  verdict.Finding // of a right answer: the mistake
	Found    bool            // and whether it is one of the bank
	Sentence string          // of the one that was named
}

// Judge judges the recordings of a quiz, one of which is said to be wrong.
func Judge(kernels []*recording.Recording, said int) (Answer, error) {
	var wrong []int
	var a Answer
	for i, rec := range kernels {
		v := judge(rec)
		switch {
		case v.Status == verdict.Unexplained:
			wrong = append(wrong, i)
		case v.Status != verdict.Explained:
			return a, fmt.Errorf("%s: %s: %s", rec.Name, v.Status, v.Reason)
		}
		if i == said && v.Status == verdict.Unexplained {
			a.Right = true
			a.Finding, a.Found = named(v)
			if v.Diagnosis != nil {
				a.Sentence = v.Diagnosis.Sentence
			}
		}
	}
	if len(wrong) != 1 {
		return a, fmt.Errorf("%d of the %d recordings are wrong, want one: is this a quiz?", len(wrong), len(kernels))
	}
	return a, nil
}

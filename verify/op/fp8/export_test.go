package fp8

import (
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// LowerRunWork lowers what runs of a product may cost, until the returned function is called.
func LowerRunWork(work float64) (restore func()) {
	before := workOfRuns
	workOfRuns = work
	return func() { workOfRuns = before }
}

// LowerRecomputed lowers how many products the truth of an output may take that is recomputed as a
// whole, until the returned function is called.
func LowerRecomputed(products float64) (restore func()) {
	before := mostRecomputed
	mostRecomputed = products
	return func() { mostRecomputed = before }
}

// LooksRight tells what is found of some rows of a tile of columns that are recomputed, with σ of a
// sample.
func LooksRight(rec *recording.Recording, of verdict.Suspect) bool {
	c, err := op.Bind(rec)
	if err != nil {
		panic(err)
	}
	large := newLarge(c)
	sample := large.Excerpt(large.Sample())
	expected, err := op.Expect(sample.Recording)
	if err != nil {
		panic(err)
	}
	large.Screen(sample, expected[0])
	return large.LooksRight(large.Excerpt(of))
}

// Screener returns a function that screens outputs on the inputs of a recording, with σ of a sample
// that is judged once.
func Screener(rec *recording.Recording) func(rec *recording.Recording) *verdict.Signs {
	of := func(rec *recording.Recording) op.Large {
		c, err := op.Bind(rec)
		if err != nil {
			panic(err)
		}
		return newLarge(c)
	}
	large := of(rec)
	sample := large.Excerpt(large.Sample())
	expected, err := op.Expect(sample.Recording)
	if err != nil {
		panic(err)
	}
	return func(rec *recording.Recording) *verdict.Signs {
		signs, _ := of(rec).Screen(sample, expected[0])
		return signs
	}
}

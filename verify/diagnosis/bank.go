package diagnosis

import (
	"slices"

	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// mistakeCandidates are the mistakes of the bank that kernels of the op make.
func mistakeCandidates(s *subject) []candidate {
	var all []candidate
	for _, m := range s.bound.Op.Mistakes() {
		if !s.isDeclared(m) {
			all = append(all, s.withMistake(m))
		}
	}
	return all
}

// withMistake is the explanation that a kernel makes a mistake: one that rounds nothing, and where
// the mistake is one of rounding or of overflow, one that rounds what is declared.
func (s *subject) withMistake(m op.Mistake) candidate {
	c := candidate{Finding: findingOf(m), give: s.kernel(m.ID, emulate.Exact("")), made: s.making(m.ID)}
	if s.anyway != "" { // of two mistakes some kernels ask which is the first
		c.others = []giver{s.kernel(s.anyway, also(m.ID))}
	}
	for _, narrow := range s.roundings()[1:] {
		c.narrow = append(c.narrow, s.kernel(m.ID, narrow))
	}
	return c
}

// roundings are kernels that round more and more: nothing, what is declared in sums of float64, and
// in those declared.
func (s *subject) roundings() []emulate.Config {
	wide := emulate.DeclaredBy(s.bound)
	wide.Accumulate = emulate.Exact("").Accumulate
	return []emulate.Config{emulate.Exact(""), wide, emulate.DeclaredBy(s.bound)}
}

// tryVariants tries the mistakes once more, in kernels of other structures: orders of summation,
// tiles and splits, on which some of what is wrong hangs. Those that were found to have no part in
// the error are left out.
func (s *subject) tryVariants() {
	all := slices.DeleteFunc(mistakeCandidates(s), func(c candidate) bool {
		return !emulate.NeedsSplits(c.ID) &&
			slices.ContainsFunc(s.trials, func(t *trial) bool { return t.of == nil && t.ID == c.ID }) &&
			!slices.ContainsFunc(s.trials, func(t *trial) bool { return t.ID == c.ID && t.Share > noPart })
	})
	for i := range all {
		c := &all[i]
		c.give, c.narrow, c.structured = c.narrow[0], nil, true
		for _, v := range s.variants(c.ID) {
			c.others = append(c.others, s.kernel(c.ID, v))
		}
	}
	s.try(all)
	s.settle()
}

// noPart is the share of a mistake up to which it is said to have none.
const noPart = 0.05

// variants are kernels of other structures, that round nothing or what is declared.
func (s *subject) variants(mistake string) (all []emulate.Config) {
	for _, c := range []emulate.Config{emulate.Exact(""), emulate.DeclaredBy(s.bound)} {
		for i, order := range orders {
			c.Order, c.Tile, c.Base2 = order, []int{16, 128, 32, 64}[i], i%2 == 1
			all = append(all, c)
		}
		for _, splits := range []int{2, 3, 4, 8, 16} {
			c.Order, c.Splits = emulate.Sequential, splits
			for _, c.Tile = range []int{8, 16, 32, 64, 128} {
				for _, c.Base2 = range []bool{false, true} {
					if emulate.NeedsSplits(mistake) {
						all = append(all, c)
					}
				}
			}
		}
	}
	return all
}

// orders are those in which sums are tried.
var orders = []emulate.Order{emulate.Sequential, emulate.Reversed, emulate.Pairwise, emulate.Strided}

// making returns kernels that make a mistake.
func (s *subject) making(mistake string) func(c emulate.Config) giver {
	return func(c emulate.Config) giver { return s.kernel(mistake, c) }
}

// kernel returns what a kernel of a configuration gives that makes a mistake.
func (s *subject) kernel(mistake string, c emulate.Config) giver {
	c.Mistake = mistake
	return func() (outputs, error) { return s.run(s.request, c) }
}

// run returns what a kernel of the declared form gives for a request, which makes the mistake too
// that is made anyway.
func (s *subject) run(request *recording.Recording, c emulate.Config) (outputs, error) {
	switch c.Form = s.bound.Arithmetic.Form; {
	case c.Mistake == "":
		c.Mistake = s.anyway
	case c.Mistake != s.anyway && c.Also == "":
		c.Also = s.anyway
	}
	if request == s.request {
		return outputsOf(s.ready())(c)
	}
	return outputsOf(emulate.Bind(request))(c)
}

func findingOf(m op.Mistake) verdict.Finding {
	return verdict.Finding{
		Kind: "mistake", ID: m.ID, Numbers: m.Numbers, Sentence: m.Sentence, Hidden: m.Hidden, Thread: m.Thread,
	}
}

// outputsOf returns what gives the outputs of kernels on a request that was checked.
func outputsOf(b *emulate.Bound, err error) func(c emulate.Config) (outputs, error) {
	return func(c emulate.Config) (outputs, error) {
		if err != nil {
			return nil, err
		}
		return b.Outputs(c)
	}
}

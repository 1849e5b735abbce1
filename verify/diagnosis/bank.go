package diagnosis

import (
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// mistakeCandidates are the mistakes of the bank that kernels of the op make.
func mistakeCandidates(s *subject) []candidate {
	var all []candidate
	for _, m := range s.bound.Op.Mistakes() {
		all = append(all, s.withMistake(m))
	}
	return all
}

// withMistake is the explanation that a kernel makes a mistake. One that rounds nothing makes it;
// where the mistake is one of rounding or of overflow, one that rounds what is declared, in sums of
// float64 and then in those declared. Where it is one of splits, there may be some or many.
func (s *subject) withMistake(m op.Mistake) candidate {
	c := candidate{Finding: findingOf(m), give: s.kernel(m.ID, emulate.Exact("")), narrow: s.narrow(m.ID)}
	if !emulate.NeedsSplits(m.ID) {
		return c
	}
	for _, tile := range []int{16, 64} {
		for _, splits := range []int{2, 3, 4, 8, 16} {
			exact := emulate.Exact("")
			exact.Splits, exact.Tile = splits, tile
			c.others = append(c.others, s.kernel(m.ID, exact))
		}
	}
	return c
}

// narrow are kernels that round what is declared, in sums of float64 and in those declared, and
// that in several orders.
func (s *subject) narrow(mistake string) []giver {
	c := emulate.DeclaredBy(s.bound)
	wide := c
	wide.Accumulate = emulate.Exact("").Accumulate
	all := []giver{s.kernel(mistake, wide)}
	for _, order := range orders {
		c.Order = order
		all = append(all, s.kernel(mistake, c))
	}
	return all
}

// orders are those in which sums are tried.
var orders = []emulate.Order{emulate.Sequential, emulate.Reversed, emulate.Pairwise, emulate.Strided}

// kernel returns what a kernel of a configuration gives that makes a mistake.
func (s *subject) kernel(mistake string, c emulate.Config) giver {
	c.Mistake, c.Form = mistake, s.bound.Arithmetic.Form
	return func() (outputs, error) { return outputsOf(emulate.Run(s.request, c)) }
}

func findingOf(m op.Mistake) verdict.Finding {
	return verdict.Finding{
		Kind: "mistake", ID: m.ID, Numbers: m.Numbers, Sentence: m.Sentence, Hidden: m.Hidden, Thread: m.Thread,
	}
}

// outputsOf reads all outputs of a recording.
func outputsOf(rec *recording.Recording, err error) (outputs, error) {
	if err != nil {
		return nil, err
	}
	all := outputs{}
	for _, name := range rec.Outputs() {
		x, err := rec.Tensor("out." + name)
		if err != nil {
			return nil, err
		}
		all[name] = x.Data
	}
	return all, nil
}

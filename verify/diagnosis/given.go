package diagnosis

import (
	"slices"

	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
)

// A backward kernel has of the forward pass what that left, the log-sum-exp and the output. An
// input that it reads elsewhere than the formula says changes neither.

// tryGiven tries inputs that are read elsewhere, or in another way, by this kernel and not by the
// one before it.
func (s *subject) tryGiven() {
	given := s.given()
	if len(given) == 0 {
		return
	}
	var all []candidate
	for _, c := range slices.Concat(
		attributeCandidates(s), s.exchangedSets(), inputCandidates(s), s.functionsOfInputs(), misreadCandidates(s),
		strideCandidates(s),
	) {
		if c.changes != nil {
			all = append(all, withGiven(c, given))
		}
	}
	s.try(all)
	s.settle()
}

// fitGiven looks for the value of an attribute in this kernel alone.
func (s *subject) fitGiven(a op.Attr, x float64) {
	given := s.given()
	if len(given) == 0 {
		return
	}
	best := s.fittest(func(by float64) candidate { return withGiven(s.withFitted(a, by*x), given) })
	if best != nil {
		s.trials = append(s.trials, best)
	}
}

// given are the quantities that an earlier kernel has left, as they are right.
func (s *subject) given() map[string]*tensor.Tensor {
	formed, _ := s.formed()
	all := map[string]*tensor.Tensor{}
	for _, q := range emulate.QuantitiesOf(s.bound.Op.Name) {
		if x := formed[q.Name]; q.Given && x != nil {
			all[q.Name] = x
		}
	}
	return all
}

// withGiven is an explanation of this kernel alone.
func withGiven(c candidate, given map[string]*tensor.Tensor) candidate {
	everywhere := c.made
	made := func(as emulate.Config) giver {
		as.Quantities = &emulate.Quantities{Instead: given}
		return everywhere(as)
	}
	c.give, c.made, c.again, c.others = made(emulate.Exact("")), made, nil, nil
	c.ID, c.Sentence = c.ID+", here alone", c.Sentence+", by the backward pass alone"
	if c.family != "" {
		c.family, c.about = c.family+", here alone", c.about+", by the backward pass alone"
	}
	return c
}

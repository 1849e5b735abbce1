package diagnosis

// What a kernel counts twice it adds to an output as it is taken away where it is left out. So each
// explanation that leaves something out is turned round where outputs move against it.

// tryTwice tries what explanations leave out as counted twice.
func (s *subject) tryTwice() {
	var all []candidate
	for _, t := range s.trials {
		if t.twice != "" && t.of == nil && t.Share < -leastMirrored {
			all = append(all, s.mirrored(t))
		}
	}
	s.try(all)
	s.settle()
}

// leastMirrored is the share of an explanation that has to be there with the other sign: it may
// hold in a part of the outputs.
const leastMirrored = 0.02

// mirrored is the explanation that what another leaves out counts twice: 2t − w.
func (s *subject) mirrored(t *trial) candidate {
	c := propose(t.Kind, t.ID+", twice", t.twice, func() (outputs, error) { return s.partly(t, -1), nil })
	if t.family != "" {
		c.family, c.short, c.about = t.family+", twice", t.short, "what counts twice, by parts"
	}
	return c
}

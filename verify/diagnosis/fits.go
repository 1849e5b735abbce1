package diagnosis

// tryFits fits numbers where nothing that is known explains: a share of a mistake, an attribute,
// two mistakes together.
func (s *subject) tryFits() {}

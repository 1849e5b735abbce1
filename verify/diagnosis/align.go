package diagnosis

// aligned returns what an explanation gives for an output in the order in which it was recorded:
// pairs of an expert and its weight may stand in any. Of an expert that the explanation does not
// choose it says nothing, and the right weight stands. nil where it gives nothing of that shape.
func (v *view) aligned(s *subject, w []float64, all outputs) []float64 {
	if len(w) != len(v.got) {
		return nil
	}
	tensor := s.bound.Op.Output(v.want.Name)
	chosen, recorded := all[tensor.Pairs], s.got(tensor.Pairs)
	if tensor.Pairs == "" || chosen == nil || recorded == nil {
		return w
	}
	width := v.want.Columns()
	placed := append([]float64(nil), v.truth...)
	for i, expert := range recorded {
		row := i / width * width
		for j := row; j < row+width; j++ {
			if chosen[j] == expert {
				placed[i] = w[j]
			}
		}
	}
	return placed
}

// got returns what was recorded of an output, nil if nothing was.
func (s *subject) got(name string) []float64 {
	for _, v := range s.views {
		if v.want.Name == name {
			return v.got
		}
	}
	return nil
}

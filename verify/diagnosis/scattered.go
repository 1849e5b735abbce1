package diagnosis

// A decision is one of few numbers, and any rule that decides more often so than the right one
// meets some of those that are wrong. What is said to hold in a part has to hold in all of it.

// scattered tells whether what holds in rows of one whole number does not hold in what lies between
// them, at the distance that they have from each other.
func (p *parts) scattered() bool {
	for i, v := range p.views {
		if v.want.Choice == nil || v.want.Choice.Width() > 1 {
			continue
		}
		for k, t := range p.family {
			if gives := t.gives[v.want.Name]; gives != nil && v.missedBetween(p.of[i], k, gives) {
				return true
			}
		}
	}
	return false
}

// missedBetween tells whether more than a few rows between those of a member, and as far apart, are
// not as it has them.
func (v *view) missedBetween(of []int, member int, gives []float64) bool {
	first, last, step := -1, -1, 0
	for i, k := range of {
		if k != member || v.loss[i] <= clear {
			continue
		}
		if first < 0 {
			first = i
		} else {
			step = commonDivisor(step, i-last)
		}
		last = i
	}
	rows, missed := 0, 0
	for i := first; first >= 0 && i <= last; i += max(step, 1) {
		rows++
		if v.differs(i, gives) {
			missed++
		}
	}
	return float64(missed) > fewRows*float64(rows)
}

// commonDivisor is the greatest of two numbers, of which the first may be 0.
func commonDivisor(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

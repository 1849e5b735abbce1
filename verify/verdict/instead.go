package verdict

import (
	"math"
	"slices"

	"plumbline/numbers/tensor"
)

// Instead returns what is expected where the truth is another: that of a kernel with a known
// mistake. It errs as the right one does, in rows that are larger than the right ones by as much
// more, and by at least as much as is given (nil: not known). A row that the right kernel makes
// exactly errs as the others do, for its size.
func (e Expected) Instead(truth, least []float64) Expected {
	other := e
	other.Truth = tensor.Of(truth, e.Truth.Shape...)
	other.Others, other.Branches, other.Directions, other.Forms = nil, nil, nil, nil
	other.Sample, other.Sigma = nil, nil
	for _, form := range e.each() {
		g := form.spreadBeside(truth, least, form.rowSizes())
		other.AddForm(g.sample(form.Sample), g.sigma)
	}
	return other
}

// Besides returns a function of another truth: the deviation of each element that is explained
// beside it, as Instead has it, the last rounding included. What does not hang on that truth is
// formed once for all.
func (e Expected) Besides() func(truth []float64) []float64 {
	forms := e.each()
	sizes := make([]rowSizes, len(forms))
	for k, form := range forms {
		sizes[k] = form.rowSizes()
	}
	return func(truth []float64) []float64 {
		explained := make([]float64, len(truth))
		for k, form := range forms {
			form.widen(explained, truth, sizes[k])
		}
		for i, t := range truth {
			explained[i] = deviation(explained[i], e.Type.Spacing(t))
		}
		return explained
	}
}

// widen makes σ of each element at least as large as it is beside another truth.
func (e Expected) widen(sigma, truth []float64, sizes rowSizes) {
	n := e.Columns()
	for first := 0; first < len(truth); first += n {
		r := e.rowBeside(truth, nil, sizes, first)
		for c, own := range r.own {
			s := own * r.grow
			if r.exact || !(s/own <= math.MaxFloat64) { // as settled has it
				s = r.share(c, nil, sizes).settled(first+c, e.Sigma, sizes.widest).sigma
			}
			sigma[first+c] = max(sigma[first+c], s)
		}
	}
}

// rowSizes are what σ beside another truth takes from the right one.
type rowSizes struct {
	truth, sigma []float64 // root mean squares of each row, and of its σ
	level        float64   // that of all σ over that of all rows
	donor        int       // the first element of the row with the largest σ
	widest       int       // the element with the largest σ
}

func (e Expected) rowSizes() rowSizes {
	n, most := e.Columns(), -1.0
	r := rowSizes{level: size(e.Sigma) / size(e.Truth.Data), widest: largestOf(e.Sigma)}
	for first := 0; first < len(e.Sigma); first += n {
		s := size(e.Sigma[first : first+n])
		if s > most {
			r.donor, most = first, s
		}
		r.sigma, r.truth = append(r.sigma, s), append(r.truth, size(e.Truth.Data[first:first+n]))
	}
	return r
}

// spread is how large errors are beside another truth.
type spread struct {
	sigma []float64
	from  []int     // the element whose deviations, in units of its σ, these are
	by    []float64 // σ in units of that element's
}

// spreadBeside returns σ beside another truth: of each row in proportion to its size.
func (e Expected) spreadBeside(truth, least []float64, sizes rowSizes) spread {
	g := spread{make([]float64, len(truth)), make([]int, len(truth)), make([]float64, len(truth))}
	e.eachBeside(truth, least, sizes, func(i int, s share) { g.sigma[i], g.from[i], g.by[i] = s.sigma, s.from, s.by })
	return g
}

// share is what an element has of a spread.
type share struct {
	sigma float64
	from  int
	by    float64
}

// eachBeside calls f with what each element has of σ beside another truth.
func (e Expected) eachBeside(truth, least []float64, sizes rowSizes, f func(i int, s share)) {
	n := e.Columns()
	for first := 0; first < len(truth); first += n {
		r := e.rowBeside(truth, least, sizes, first)
		for c := range n {
			f(first+c, r.share(c, least, sizes).settled(first+c, e.Sigma, sizes.widest))
		}
	}
}

// rowBeside is what σ in a row hangs on beside another truth.
type rowBeside struct {
	first       int
	own         []float64 // its σ beside the right one
	grow, floor float64
	exact       bool // as where the right row is 0
}

func (e Expected) rowBeside(truth, least []float64, sizes rowSizes, first int) rowBeside {
	n := e.Columns()
	row := size(truth[first : first+n])
	grow := max(1, row/sizes.truth[first/n])
	floor := sizes.level * row
	if least != nil {
		floor = max(floor, size(least[first:first+n]))
	}
	exact := math.IsInf(grow, 0) || !(grow*sizes.sigma[first/n] > floor/16)
	return rowBeside{first, e.Sigma[first : first+n], grow, floor, exact}
}

// share is what an element of the row has of it, before it is settled.
func (r rowBeside) share(c int, least []float64, sizes rowSizes) share {
	if r.exact {
		return share{sigma: max(r.own[c], r.floor), from: sizes.donor + c}
	}
	s := share{sigma: r.own[c] * r.grow, from: r.first + c}
	if least != nil {
		s.sigma = max(s.sigma, least[r.first+c])
	}
	return s
}

// settled relates the deviations of an element to those that they are: to those of the widest where
// it had none, as where nothing was to be rounded, and to its own where that is no number.
func (s share) settled(i int, sigma []float64, widest int) share {
	if sigma[s.from] == 0 && s.sigma > 0 {
		s.from = widest
	}
	if s.by = s.sigma / sigma[s.from]; math.IsNaN(s.by) || math.IsInf(s.by, 0) {
		return share{sigma[i], i, 1}
	}
	return s
}

// largestOf returns the index of the largest number that is finite, 0 if there is none.
func largestOf(x []float64) (at int) {
	most := math.Inf(-1)
	for i, v := range x {
		if v > most && kind(v) == 0 {
			at, most = i, v
		}
	}
	return at
}

// size is the root mean square of what is finite.
func size(x []float64) float64 {
	var sum, n float64
	for _, v := range x {
		sum += v * v
	}
	if kind(sum) == 0 { // then everything is
		return math.Sqrt(sum / max(float64(len(x)), 1))
	}
	sum = 0
	for _, v := range x {
		if kind(v) == 0 {
			sum, n = sum+v*v, n+1
		}
	}
	return math.Sqrt(sum / max(n, 1))
}

// sample returns the sample of what grew.
func (g spread) sample(s *Sample) *Sample {
	if s == nil {
		return nil
	}
	other := &Sample{elements: s.elements, prior: s.prior, rare: s.rare, Native: g.scaled(s, s.Native)}
	for _, run := range s.Deviations {
		other.Deviations = append(other.Deviations, g.scaled(s, run))
	}
	return other
}

// scaled returns the deviations of one run.
func (g spread) scaled(s *Sample, run []float64) []float64 {
	scaled := make([]float64, len(run))
	for k := range run {
		i := s.at(k)
		from := g.from[i]
		if s.elements != nil {
			var in bool
			if from, in = slices.BinarySearch(s.elements, from); !in {
				from = k
			}
		}
		scaled[k] = run[from] * g.by[i]
	}
	return scaled
}

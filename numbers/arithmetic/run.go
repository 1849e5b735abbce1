package arithmetic

import (
	"math"
	"math/rand/v2"
	"slices"

	"plumbline/internal/loops"
	"plumbline/numbers/dtype"
)

// Run is one execution of an arithmetic program, the op as a kernel computes it, in units of its
// own. At every place where the program rounds, the grid of numbers is stretched by a factor that
// this run drew, x ↦ RN(s·x)/s: values land elsewhere in their binade, as they do in a kernel that
// forms them another way, but equal values still round alike. Sums take another order, and forms
// that a declaration leaves open are drawn. Many runs show what the declared arithmetic explains.
//
// A program asks for its places once, in a fixed order, before it computes. Two runs of the same
// number draw the same.
type Run struct {
	rng      *rand.Rand
	exact    bool
	native   bool
	branches []*Branch
	forced   func(place int, b *Branch)
	form     int // what is left of the number of the form that the run has
	forms    int // how many forms it met
}

// NewRun returns the run of that number.
func NewRun(number int) *Run {
	return &Run{rng: rand.New(rand.NewPCG(0x706c756d62, uint64(number))), forms: 1}
}

// In makes it a run of the form of that number, below Forms.
func (r *Run) In(form int) *Run {
	r.form = form
	return r
}

// Form returns which of n forms the run has, where a declaration leaves several open whose errors
// are so unlike that each is a sample of its own: 0 unless In says otherwise.
func (r *Run) Form(n int) int {
	f := r.form % n
	r.form, r.forms = r.form/n, r.forms*n
	return f
}

// Forms returns how many forms there are, once a program has run.
func (r *Run) Forms() int { return r.forms }

// NewExact returns a run in which nothing is rounded: float64 in the place of the truth.
func NewExact() *Run {
	r := NewRun(0)
	r.exact = true
	return r
}

// NewNative returns the run in the hardware's own units: no grid is stretched, every coin falls on
// the first side. A product of many numbers with one constant that is nearly a power of two errs in
// one direction all together, which few stretched grids show.
func NewNative() *Run {
	r := NewRun(0)
	r.native = true
	return r
}

// Exact tells whether nothing is rounded in this run.
func (r *Run) Exact() bool { return r.exact }

// Coin draws what a declaration leaves open and what hardly changes how errors are spread: true in
// half of the runs, false in the exact one and the native one.
func (r *Run) Coin() bool { return r.rng.Uint64()&1 == 1 && !r.exact && !r.native }

// Order returns the numbers below n in an order of the run's own, for a place where no grid can be
// stretched: steps of a tensor core take codes as they are, and only which of them it takes
// together is a kernel's choice. Most kernels go through them from the first to the last, or the
// other way, and where terms nearly cancel that may lose bits which few orders do: a quarter of the
// runs does each, the others have any order. In the exact run and the native one they are in order.
func (r *Run) Order(n int) []int {
	order, kind := r.rng.Perm(n), r.rng.IntN(4)
	if r.exact || r.native {
		kind = 0
	}
	if kind < 2 {
		slices.Sort(order)
	}
	if kind == 1 {
		slices.Reverse(order)
	}
	return order
}

// stretch draws the factor of a place: its logarithm is uniform over a binade, as that of a
// mantissa.
func (r *Run) stretch() float64 {
	if s := math.Exp2(r.rng.Float64()); !r.native {
		return s
	}
	return 1
}

// Grid is the numbers of a type at one place of a program, in the units of a run. The zero Grid
// rounds nothing.
type Grid struct {
	typ              dtype.Type
	cuts             bool    // toward zero, as tensor cores do
	stretch, inverse float64 // 0: nothing is rounded
	noise            float64 // what is this near to a number of the type, relative, is one but for earlier roundings
	tiny             float64 // results below it become 0

	// What certainly is not that near, by the bits that the type does not have: those less start
	// are below between. It spares nearly every rounding the comparison.
	spare, start, between uint64
}

// Grid returns the grid of a place where values are rounded to t.
func (r *Run) Grid(t dtype.Type) Grid {
	g := Grid{typ: t, stretch: r.stretch()}
	if r.Coin() {
		g.tiny = dtype.F32.MinNormal()
	}
	noise := dtype.F32.UnitRoundoff() / 64
	if t.UnitRoundoff() > dtype.F32.UnitRoundoff() {
		noise = 16 * dtype.F32.UnitRoundoff()
	}
	g.inverse = 1 / g.stretch
	if r.exact {
		g = Grid{typ: t}
	}
	return g.within(noise)
}

// After returns the grid where values bring so many roundings of F32 with them beside those that
// all do: what is as near to a number of the type as that is one.
func (g Grid) After(roundings float64) Grid {
	return g.within(g.noise + roundings*dtype.F32.UnitRoundoff())
}

// within returns the grid with another noise. Of the bits of x that the type does not have, the
// last is 2^−52 of x's binade, and noise·|x| is less than noise·2^53 of those, on both sides of the
// numbers of the type.
func (g Grid) within(noise float64) Grid {
	if g.noise = noise; g.stretch == 0 {
		return g
	}
	all, near := uint64(g.typ.UnitRoundoff()*(1<<53)), uint64(noise*(1<<53))+1
	if g.spare, g.start, g.between = all-1, near+1, 0; all > 2*near+1 {
		g.between = all - 2*near - 1
	}
	return g
}

// Type returns the type of the grid.
func (g *Grid) Type() dtype.Type { return g.typ }

// Round rounds x. What the type has exactly stays as it is.
func (g *Grid) Round(x float64) float64 {
	if (math.Float64bits(x)-g.start)&g.spare >= g.between {
		return g.round(x)
	}
	y := g.typ.Round(x*g.stretch) * g.inverse
	if g.cuts || !(math.Abs(y) <= math.MaxFloat64) {
		return g.round(x)
	}
	if math.Abs(y) < g.tiny {
		return 0
	}
	return y
}

// round is Round for any x.
func (g *Grid) round(x float64) float64 {
	switch {
	case g.stretch == 0:
		return x
	case g.typ == dtype.F64:
		return x * g.stretch * g.inverse
	}
	y := g.typ.Round(x)
	if math.Abs(y-x) > g.noise*math.Abs(x) {
		y = g.stretched(x, y)
	}
	if math.Abs(y) < g.tiny {
		return 0
	}
	return y
}

// stretched rounds x to the stretched grid, or to nearest where that overflows.
func (g *Grid) stretched(x, nearest float64) float64 {
	y := g.typ.Round(x*g.stretch) * g.inverse
	if g.cuts && math.Abs(y) > math.Abs(x) {
		y -= math.Copysign(g.typ.Spacing(x*g.stretch)*g.inverse, x)
	}
	if math.IsInf(y, 0) {
		return nearest
	}
	return y
}

// RoundAll rounds a slice in place and returns it.
func (g *Grid) RoundAll(x []float64) []float64 {
	if g.stretch == 0 {
		return x
	}
	r := g.rounding()
	if g.cuts || r.Count == 0 { // nothing is so ordinary
		g.roundEach(x)
		return x
	}
	loops.Each(len(x), func(from int) int { return r.Round(x[from:]) }, func(from, to int) { g.roundEach(x[from:to]) })
	return x
}

// roundEach is RoundAll one by one.
func (g *Grid) roundEach(x []float64) {
	nearest, ordinary := g.typ.Nearest(), !g.cuts
	for i, v := range x {
		y, normal := nearest.Round(v * g.stretch)
		y *= g.inverse
		if ordinary && normal && (math.Float64bits(v)-g.start)&g.spare < g.between && math.Abs(y) >= g.tiny {
			x[i] = y
		} else {
			x[i] = g.Round(v)
		}
	}
}

// rounding is what Round does to ordinary numbers.
func (g *Grid) rounding() loops.Rounding {
	n := g.typ.Nearest()
	return loops.Rounding{
		Stretch: g.stretch, Inverse: g.inverse, Noise: g.noise, Tiny: g.tiny,
		First: n.First, Count: n.Count, Drop: n.Drop, Half: n.Half, Keep: n.Keep,
	}
}

// Adder is a place where sums are formed, in an order of the run.
type Adder struct {
	Grid
	step  int     // terms added before one rounding: tensor cores' steps
	start float64 // where the order starts, a share of the terms
	turn  float64 // and how far it goes on, a share too; 0: in the order of the terms
	back  bool
	pairs bool // pairs first, and then the sums of pairs
}

// Adder returns the place of sums in an accumulator: one chain of additions, from the first term
// or the last, or in an order that has nothing to do with the terms', or pairs first.
func (r *Run) Adder(a Accumulator) Adder {
	s := Adder{Grid: r.Grid(a.Type()), step: 1, start: r.rng.Float64(), back: r.Coin()}
	if a.Truncates() && a != TF32 {
		s.cuts, s.step = true, a.core().Products
	}
	if r.rng.IntN(2) > 0 && !r.native {
		s.turn = r.rng.Float64()
	}
	s.pairs = r.rng.IntN(8) == 0 && s.step == 1 && !r.native
	return s
}

// Sum adds up terms.
func (s *Adder) Sum(terms []float64) float64 {
	n := len(terms)
	if n == 0 {
		return 0
	}
	if s.pairs {
		return s.sumPairs(terms)
	}
	at, stride := s.order(n)
	sum, fresh := 0.0, 0
	for range n {
		sum += terms[at]
		if fresh++; fresh == s.step {
			sum, fresh = s.Round(sum), 0
		}
		if at += stride; at >= n {
			at -= n
		}
	}
	if fresh > 0 {
		sum = s.Round(sum)
	}
	return sum
}

// SumFour is Sum of four lists of equally many terms, which are added up side by side: a processor
// starts the additions of one while it waits for those of the others.
func (s *Adder) SumFour(terms *[4][]float64) (sums [4]float64) {
	n := len(terms[0])
	if !s.singles() {
		for i, t := range terms {
			sums[i] = s.Sum(t)
		}
		return sums
	}
	at, stride := s.order(n)
	a, b, c, d := terms[0][:n], terms[1][:n], terms[2][:n], terms[3][:n]
	for range n {
		sums[0], sums[1] = s.near(sums[0]+a[at]), s.near(sums[1]+b[at])
		sums[2], sums[3] = s.near(sums[2]+c[at]), s.near(sums[3]+d[at])
		if at += stride; at >= n {
			at -= n
		}
	}
	return sums
}

// singles tells whether a sum is rounded to F32 after each term, in the order.
func (s *Adder) singles() bool {
	return !s.pairs && s.step == 1 && s.typ == dtype.F32 && !s.cuts && s.stretch != 0
}

// SumAll adds up lists of equally many terms each, and appends the sums.
func (s *Adder) SumAll(sums []float64, lists ...[]float64) []float64 {
	r := s.rounding()
	for ; len(lists) >= 8 && s.singles(); lists = lists[8:] {
		first, stride := s.order(len(lists[0]))
		eight, done := r.Sums((*[8][]float64)(lists), first, stride)
		if !done {
			break
		}
		sums = append(sums, eight[:]...)
	}
	for ; len(lists) >= 4; lists = lists[4:] {
		four := s.SumFour((*[4][]float64)(lists))
		sums = append(sums, four[:]...)
	}
	for _, terms := range lists {
		sums = append(sums, s.Sum(terms))
	}
	return sums
}

// near is Round to a grid of F32 that does not cut.
func (g *Grid) near(x float64) float64 {
	y := float64(float32(x*g.stretch)) * g.inverse
	size := math.Abs(y)
	if (math.Float64bits(x)-g.start)&g.spare < g.between && g.tiny <= size && size < math.MaxFloat64 {
		return y
	}
	return g.Round(x)
}

// sumPairs adds up the two halves first, and so each of them. While the number of terms is even,
// all sums of one depth are rounded together.
func (s *Adder) sumPairs(terms []float64) float64 {
	n := len(terms)
	if n == 1 {
		return terms[0]
	}
	if n%2 > 0 {
		return s.Round(s.sumPairs(terms[:n/2]) + s.sumPairs(terms[n/2:]))
	}
	parts := n & -n // as many as halving makes of one odd length
	sums := make([]float64, parts)
	for i := range sums {
		sums[i] = s.sumPairs(terms[i*(n/parts) : (i+1)*(n/parts)])
	}
	for ; len(sums) > 1; sums = s.RoundAll(sums[:len(sums)/2]) {
		for i := range len(sums) / 2 {
			sums[i] = sums[2*i] + sums[2*i+1]
		}
	}
	return sums[0]
}

// SumInLanes adds up terms in so many interleaved chains, and then those.
func (s *Adder) SumInLanes(terms []float64, lanes int) float64 {
	if lanes < 2 {
		return s.Sum(terms)
	}
	all, room := make([][]float64, lanes), make([]float64, 0, len(terms))
	for l := range all {
		first := len(room)
		for i := l; i < len(terms); i += lanes {
			room = append(room, terms[i])
		}
		all[l] = room[first:]
	}
	if len(terms)%lanes == 0 {
		return s.Sum(s.SumAll(nil, all...))
	}
	parts := make([]float64, lanes)
	for l, lane := range all {
		parts[l] = s.Sum(lane)
	}
	return s.Sum(parts)
}

// order returns the first term and how far it is from one to the next, which meets every one.
func (s *Adder) order(n int) (first, stride int) {
	switch {
	case s.turn == 0 && s.back:
		return n - 1, n - 1
	case s.turn == 0:
		return 0, 1
	}
	stride = max(1, int(s.turn*float64(n)))
	for gcd(stride, n) != 1 {
		stride++
	}
	return int(s.start * float64(n)), stride % max(n, 2)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// Function is a place where an elementary function is computed: its result is right to a few units
// in the last place, by an error that goes up and down with the argument, slowly as those of
// polynomials do or with its last bits, and is anything within its bound.
type Function struct {
	Grid
	amplitude, frequency, phase float64
	argument                    Grid    // of exponentials, which are formed in base 2
	log2e                       float64 // as the argument is multiplied by it
}

// Function returns the place of a function that is good to so many ulp in type t.
func (r *Run) Function(t dtype.Type, ulp float64) Function {
	f := Function{
		Grid: r.Grid(t), amplitude: ulp * 2 * t.UnitRoundoff(), frequency: math.Exp2(26*r.rng.Float64() - 2),
		phase:    r.rng.Float64(),
		argument: r.Grid(t),
	}
	f.log2e = f.argument.Round(math.Log2E)
	if r.native {
		f.amplitude = 0
	}
	return f
}

// Exp returns e^x, formed in base 2: the argument is multiplied by log₂e and rounded.
func (f *Function) Exp(x float64) float64 {
	if x == 0 || f.stretch == 0 {
		return math.Exp(x)
	}
	return f.Round(f.exponential(loops.PowerOfTwo(f.argument.Round(x*f.log2e)), x))
}

// ExpAll replaces numbers by their exponentials and returns them, as Exp does one by one.
func (f *Function) ExpAll(x []float64) []float64 {
	if f.stretch == 0 {
		for i, v := range x {
			x[i] = math.Exp(v)
		}
		return x
	}
	var arguments [64]float64
	for rest := x; len(rest) > 0; {
		part := rest[:min(len(rest), len(arguments))]
		f.expPart(part, arguments[:len(part)])
		rest = rest[len(part):]
	}
	return x
}

// expPart is ExpAll with room for the arguments.
func (f *Function) expPart(x, arguments []float64) {
	for i, v := range x {
		arguments[i] = v * f.log2e
	}
	loops.PowersOfTwo(f.argument.RoundAll(arguments))
	w := loops.Wave{Frequency: f.frequency, Phase: f.phase, Amplitude: f.amplitude, Steep: steep}
	loops.Each(len(x), func(from int) int { return w.Err(arguments[from:], x[from:]) }, func(from, to int) {
		for i, v := range x[from:to] {
			arguments[from+i] = f.exponential(arguments[from+i], v)
		}
	})
	copy(x, arguments)
	f.RoundAll(x)
}

// exponential returns y = e^x with the error of x, which is nothing at 0, where polynomials are 1.
func (f *Function) exponential(y, x float64) float64 {
	if x == 0 || y == 0 || math.IsInf(x, 0) {
		return y
	}
	return y * (1 + float64(min(1, steep*math.Abs(x))*f.amplitude*f.wave(x)))
}

// Log returns ln x.
func (f *Function) Log(x float64) float64 {
	if x == 1 || f.stretch == 0 {
		return math.Log(x)
	}
	return f.err(math.Log(x), x)
}

// Of returns y, the value of another function at x, with the error of this one.
func (f *Function) Of(y, x float64) float64 {
	if f.stretch == 0 {
		return y
	}
	return f.err(y, x)
}

// err moves y by the error at x, and rounds it.
func (f *Function) err(y, x float64) float64 {
	if y == 0 || math.IsInf(x, 0) {
		return y
	}
	return f.Round(y * (1 + float64(f.amplitude*f.wave(x))))
}

// steep is how fast the error of an exponential grows to its bound beside 0, where it is exact.
const steep = 1 << 20

// wave goes up and down between −1 and 1.
func (f *Function) wave(x float64) float64 {
	turn := float64(x*f.frequency) + f.phase
	return 4*math.Abs(turn-math.Floor(turn)-0.5) - 1
}

// Noise is a place where long sums err: too long to be added up one by one, they err by the second
// moments that are known of sums in an unknown order. Equal sums err alike, for they have the same
// terms.
type Noise struct {
	seed   uint64
	common float64 // what all sums err by together, in units of its deviation, away from zero
	off    bool
}

// Noise returns such a place; cuts says that sums are cut off toward zero.
func (r *Run) Noise(cuts bool) Noise {
	n := Noise{seed: r.rng.Uint64(), off: r.exact || r.native}
	if n.common = r.rng.NormFloat64(); cuts {
		n.common = -math.Sqrt(3) * r.rng.Float64()
	}
	return n
}

// Of returns the error of a sum with these second moments: of what it errs by itself, and of what
// all err by together.
func (n *Noise) Of(sum, apart, together float64) float64 {
	return n.of(sum, math.Sqrt(apart), math.Sqrt(together))
}

// of is Of for roots of second moments.
func (n *Noise) of(sum, apart, together float64) float64 {
	if n.off || sum == 0 || math.IsInf(sum, 0) || math.IsNaN(sum) {
		return 0
	}
	// its first bits tell sums apart; the last differ between processors, which fuse
	h := loops.Mix(uint64(math.Float32bits(float32(sum))) ^ n.seed)
	return math.Copysign(together, sum)*n.common + loops.Bell(h)*apart*stretched(h>>7^h)
}

// AddTo stores sums with their errors, of whose second moments these are the roots.
func (n *Noise) AddTo(to, sums, apart, together []float64) {
	if n.off {
		copy(to, sums)
		return
	}
	e := loops.Noise{Sizes: twoSizes, Seed: n.seed, Common: n.common}
	groups := func(from int) int { return e.AddTo(to[from:], sums[from:], apart[from:], together[from:]) }
	loops.Each(len(to), groups, func(from, end int) {
		for i, sum := range sums[from:end] {
			to[from+i] = sum + n.of(sum, apart[from+i], together[from+i])
		}
	})
}

// stretched makes the root of a number of mean 1 and variance 0.8, as the mean square of the
// partial sums in an unknown order has around that over all orders (a squared Brownian bridge):
// large once in four.
func stretched(h uint64) float64 {
	return twoSizes[h%8]
}

const small, large = 0.69541514, 1.59661935 // √(1 − √(0.8/3)), √(1 + √(0.8·3))

var twoSizes = [8]float64{large, small, small, small, large, small, small, small}

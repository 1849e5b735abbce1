package emulate

import (
	"math"

	"plumbline/numbers/dtype"
)

// Frequencies is how a kernel forms θ_i = base^(−2i/d).
type Frequencies uint8

// The ways found in the wild, all but Double in the working type throughout.
const (
	Power     Frequencies = iota // 1/pow(base, 2i/d)
	Exp                          // exp(−2i/d · ln base)
	Exp2                         // exp2(−2i/d · log₂ base)
	Double                       // in float64, then cast
	Recurrent                    // each the one before times pow(base, −2/d)
)

var frequencyNames = [...]string{"power", "exp", "exp2", "double", "recurrent"}

// String returns the way in a word.
func (f Frequencies) String() string { return frequencyNames[f] }

// theta returns θ_i of a rotary width, unscaled.
func theta[T number](f Frequencies, i, dim int, base float64) T {
	exponent := T(2*i) / T(dim)
	switch f {
	case Exp:
		return T(math.Exp(float64(-exponent * T(math.Log(base)))))
	case Exp2:
		return T(math.Exp2(float64(-exponent * T(math.Log2(base)))))
	case Double:
		return T(math.Pow(base, -float64(2*i)/float64(dim)))
	case Recurrent:
		theta, factor := T(1), T(math.Pow(base, float64(-2/T(dim))))
		for range i {
			theta *= factor
		}
		return theta
	}
	return 1 / T(math.Pow(base, float64(exponent)))
}

// yarn is the attribute of that name.
type yarn struct {
	factor, context, fast, slow, mscale, mscaleAll float64
	fixed                                          float64 // the amplitude, if it is given as such
	rotations                                      bool    // the ramp is linear in the rotations, not in the index
	unrounded                                      bool    // the correction range is not rounded to whole indices
}

// yarn returns the attribute, or nil without one.
func (j *job) yarn() *yarn {
	v, ok := j.attr("yarn")
	if !ok {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		j.fail("attribute %q: found %v, want an object", "yarn", v)
		return nil
	}
	get := func(name string, otherwise float64) float64 {
		if x, ok := m[name]; ok && x != nil {
			return j.asNumber("yarn."+name, x)
		}
		return otherwise
	}
	all := 1.0
	if m["mscale"] == nil && m["mscale_all_dim"] == nil {
		all = 0
	}
	return &yarn{factor: get("factor", 40), context: get("original_context", 4096), fast: get("beta_fast", 32),
		slow:   get("beta_slow", 1),
		mscale: get("mscale", 1), mscaleAll: get("mscale_all_dim", all), fixed: get("attention_factor", 0),
		rotations: m["ramp"] == "rotations", unrounded: m["truncate"] == false}
}

// mscale returns YaRN's m(factor, a) = 1 + 0.1·a·ln factor.
func mscale(factor, a float64) float64 {
	if factor <= 1 {
		return 1
	}
	return 0.1*a*math.Log(factor) + 1
}

// amplitude returns what cos and sin are multiplied by.
func (y *yarn) amplitude() float64 {
	if y.fixed != 0 {
		return y.fixed
	}
	return mscale(y.factor, y.mscale) / mscale(y.factor, y.mscaleAll)
}

// temperature returns what the softmax scale is multiplied by.
func (y *yarn) temperature() float64 {
	if y.fixed != 0 {
		return 1
	}
	return math.Pow(mscale(y.factor, y.mscaleAll), 2)
}

// wrong returns y as a kernel with a mistake of YaRN has it; nil for none at all.
func (y *yarn) wrong(mistake string) *yarn {
	w := *y
	switch mistake {
	case "yarn-missing":
		return nil
	case "yarn-betas-swapped":
		w.fast, w.slow = y.slow, y.fast
	case "yarn-range-extended":
		w.context *= y.factor
	case "amplitude-generic":
		w.mscale, w.mscaleAll, w.fixed = 1, 0, 0
	case "yarn-range-unrounded": // or rounded where it should not be
		w.unrounded = !y.unrounded
	}
	return &w
}

// correction returns the index of the pair that turns the given number of times in the original
// context.
func correction[T number](y *yarn, turns float64, dim int, base float64) float64 {
	ln := T(math.Log(float64(T(y.context) / T(T(turns)*T(2*math.Pi)))))
	return float64(T(T(dim)*ln) / (2 * T(math.Log(base))))
}

// bounds returns the ends of the ramp over the index, formed in T.
func bounds[T number](y *yarn, dim int, base float64) (low, high float64) {
	low, high = correction[T](y, y.fast, dim, base), correction[T](y, y.slow, dim, base)
	if !y.unrounded {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(dim-1))
	if low == high {
		high += 0.001
	}
	return low, high
}

// stretch returns the frequencies of the extended context.
func stretch[T number](y *yarn, theta []T, dim int, base float64, f Frequencies) []T {
	low, high := bounds[float64](y, dim, base)
	if f != Power && f != Double { // those are Python's, which has float64 for numbers
		low, high = bounds[T](y, dim, base)
	}
	out := make([]T, len(theta))
	for i, th := range theta {
		var smooth T
		if y.rotations {
			turns := T(y.context) * th / T(2*math.Pi)
			smooth = min(max((turns-T(y.slow))/T(y.fast-y.slow), 0), 1)
		} else {
			smooth = 1 - min(max((T(i)-T(low))/T(high-low), 0), 1)
		}
		out[i] = T(th/T(y.factor)*(1-smooth)) + T(th*smooth)
	}
	return out
}

// rotating lists the ops whose kernels form frequencies.
var rotating = []string{"rope.apply", "rope.table", "mla.layer"}

// rotary turns pairs of channels by position × frequency. It rounds the frequencies and the angle
// (to Config.Angle), cos and sin to the working type, and each product and sum of the rotation
// unless Config.Fused; rope.apply with Config.Intermediate rounds cos, sin and products to that.
// The result is left in the working type.
type rotary[T number] struct {
	*job
	theta     []T
	amplitude T
	layout    string
	kept      dtype.Type // of cosines, sines and their products
	repeated  bool       // the mistake of a table that repeats each frequency for neighbours
}

// newRotary returns the rotation of a kernel; moving tells whether any position is other than 0.
func newRotary[T number](j *job, dim int, moving bool) *rotary[T] {
	base := j.number("base", 10000)
	j.Angle = or(j.Angle, dtype.F32)
	r := &rotary[T]{job: j, layout: j.text("layout", "interleaved"), amplitude: 1, kept: dtype.F64}
	plain := r.frequencies(dim, base, moving)
	right := r.extend(j.yarn(), plain, dim, base)
	r.theta = right
	if y := j.yarn(); y != nil {
		amplitude := r.amplitude
		r.theta = r.extend(y.wrong(j.Mistake), plain, dim, base)
		j.show(moving && (differ(right, r.theta) || amplitude != r.amplitude))
	}
	r.confuseLayout(dim, moving)
	return r
}

// frequencies returns θ_i of every pair, unscaled.
func (r *rotary[T]) frequencies(dim int, base float64, moving bool) []T {
	plain, wrong := make([]T, dim/2), make([]T, dim/2)
	for i := range plain {
		plain[i], wrong[i] = theta[T](r.Frequencies, i, dim, base), theta[T](Recurrent, i, dim, base)
	}
	if r.makes("frequencies-recurrent") {
		r.show(moving && differ(plain, wrong) && r.in.Type("x").Size() != 2) // 16 bits hide it
		return wrong
	}
	return plain
}

// extend sets the amplitude and returns the frequencies that YaRN, if any, makes of theta.
func (r *rotary[T]) extend(y *yarn, theta []T, dim int, base float64) []T {
	if y == nil {
		r.amplitude = 1
		return theta
	}
	r.amplitude = T(y.amplitude())
	return stretch(y, theta, dim, base, r.Frequencies)
}

func differ[T number](a, b []T) bool {
	for i := range a {
		if a[i] != b[i] {
			return true
		}
	}
	return false
}

// confuseLayout makes the mistakes of pairing.
func (r *rotary[T]) confuseLayout(dim int, moving bool) {
	switch {
	case r.makes("layout-swapped"):
		r.layout = map[string]string{
			"interleaved": "half", "half": "interleaved", "interleaved_to_half": "half",
		}[r.layout]
		r.show(dim > 2 && moving)
	case r.makes("frequencies-repeated") && r.layout == "half":
		r.repeated = true
		r.show(dim > 2 && moving)
	}
}

// table returns cos and sin at a position.
func (r *rotary[T]) table(position int) (cos, sin []T) {
	angles := r.angles(position)
	cos, sin = make([]T, len(angles)), make([]T, len(angles))
	for i, a := range angles {
		cos[i] = r.curve(a, math.Cos) * r.amplitude
		sin[i] = r.curve(a, math.Sin) * r.amplitude
	}
	r.spoilTable(position, cos, sin)
	return toEach(r.kept, cos), toEach(r.kept, sin)
}

// curve returns a value of sine or cosine as the hardware has it; at 0 both are exact, the fast
// instructions too (PTX ISA, sin.approx and cos.approx).
func (r *rotary[T]) curve(angle float64, of func(float64) float64) T {
	if r.makes("sine-fast") {
		r.show(math.Abs(angle) > 1000)
		angle = onceReduced(angle)
	}
	x := of(angle)
	if r.Approximate && angle != 0 {
		x *= 1 + wobble(x)*0x1p-23
	}
	return T(x)
}

// onceReduced returns an angle less whole turns of a float32 2π, which is off by 1.7e-7: in one
// step, as fast sines do that are meant for a few turns.
func onceReduced(angle float64) float64 {
	const turn = float64(float32(2 * math.Pi))
	return angle - float64(math.Round(angle/turn)*turn)
}

// angles returns position × θ_i.
func (r *rotary[T]) angles(position int) []float64 {
	angle := r.Angle
	switch r.Mistake {
	case "position-off-by-one":
		position++
		r.show(true)
	case "angle-bf16":
		r.show(angle != dtype.BF16 && dtype.BF16.Round(float64(position)) != float64(position)) // from 257 on
		angle = dtype.BF16
	}
	out := make([]float64, len(r.theta))
	for i, th := range r.theta {
		out[i] = angle.Round(angle.Round(float64(position)) * angle.Round(float64(th)))
	}
	return out
}

// spoilTable makes the mistakes of the table of one position.
func (r *rotary[T]) spoilTable(position int, cos, sin []T) {
	switch r.Mistake {
	case "direction-reversed":
		for i := range sin {
			sin[i] = -sin[i]
		}
		r.show(position != 0)
	case "rotation-missing":
		for i := range sin {
			cos[i], sin[i] = 1, 0
		}
		r.show(position != 0)
	case "table-bf16":
		toEach(dtype.BF16, cos)
		toEach(dtype.BF16, sin)
		r.show(position != 0)
	}
}

// turn returns x rotated: the pair (a, b) becomes (a·cos − b·sin, a·sin + b·cos).
func (r *rotary[T]) turn(x, cos, sin []T) []T {
	y := make([]T, len(x))
	half := len(x) / 2
	for i := range half {
		near, far := r.pair(i, half, r.layout == "interleaved" || r.layout == "interleaved_to_half")
		a, b := x[near], x[far]
		first, second := i, i
		if r.repeated {
			first, second = i/2, (i+half)/2
		}
		near, far = r.pair(i, half, r.layout == "interleaved")
		y[near] = r.cross(a, cos[first], -b, sin[first])
		y[far] = r.cross(b, cos[second], a, sin[second])
	}
	return y
}

// pair returns the two channels of pair i: neighbours, or half the width apart.
func (r *rotary[T]) pair(i, half int, neighbours bool) (near, far int) {
	if neighbours {
		return 2 * i, 2*i + 1
	}
	return i, i + half
}

// cross returns a·b + c·d.
func (r *rotary[T]) cross(a, b, c, d T) T {
	if r.Fused && r.kept == dtype.F64 {
		return fma(a, b, T(c*d))
	}
	return to(r.kept, T(a*b)) + to(r.kept, T(c*d))
}

// ropeTable writes cos and sin in F32.
func ropeTable[T number](j *job) {
	positions := j.loadInts("positions")
	dim := j.whole("dim", 0)
	if j.err != nil {
		return
	}
	r := newRotary[T](j, dim, moving(positions))
	var cos, sin []T
	for _, p := range positions {
		c, s := r.table(p)
		cos, sin = append(cos, c...), append(sin, s...)
	}
	storeMain(j, "cos", dtype.F32, cos, len(positions), dim/2)
	store(j, "sin", dtype.F32, sin, len(positions), dim/2)
}

// ropeApply rotates x [N,H,D] and rounds the result once, to the type of x.
func ropeApply[T number](j *job) {
	shape := j.shape("x", 3)
	x, positions := load[T](j, "x"), j.loadInts("positions")
	inverse := j.flag("inverse", false)
	if j.err != nil {
		return
	}
	r := newRotary[T](j, shape[2], moving(positions))
	r.kept = or(j.Intermediate, dtype.F64)
	y := make([]T, 0, len(x))
	for n, p := range positions {
		cos, sin := r.table(p)
		if inverse {
			for i := range sin {
				sin[i] = -sin[i]
			}
		}
		for h := range shape[1] {
			y = append(y, r.turn(vector(x, n*shape[1]+h, shape[2]), cos, sin)...)
		}
	}
	storeMain(j, "y", j.in.Type("x"), y, shape...)
}

func moving(positions []int) bool {
	for _, p := range positions {
		if p != 0 {
			return true
		}
	}
	return false
}

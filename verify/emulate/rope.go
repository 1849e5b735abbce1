package emulate

import (
	"math"
	"math/bits"
	"slices"

	"plumbline/numbers/dtype"
	"plumbline/rope"
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
func theta[T Number](f Frequencies, i, dim int, base float64) T {
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

// mscale returns YaRN's m(factor, a) = 1 + 0.1·a·ln factor.
func mscale(factor, a float64) float64 {
	if factor <= 1 {
		return 1
	}
	return 0.1*a*math.Log(factor) + 1
}

// amplitudeOf returns what cos and sin are multiplied by.
func amplitudeOf(y *rope.YaRN) float64 {
	if y.AttentionFactor != 0 {
		return y.AttentionFactor
	}
	return mscale(y.Factor, y.MScale) / mscale(y.Factor, y.MScaleAllDim)
}

// Temperature returns what the softmax scale is multiplied by.
func Temperature(y *rope.YaRN) float64 {
	if y.AttentionFactor != 0 {
		return 1
	}
	return math.Pow(mscale(y.Factor, y.MScaleAllDim), 2)
}

// mistaken returns y as a kernel with a mistake of YaRN has it; nil for none at all.
func mistaken(y rope.YaRN, mistake string) *rope.YaRN {
	switch mistake {
	case "yarn-missing":
		return nil
	case "yarn-betas-swapped":
		y.BetaFast, y.BetaSlow = y.BetaSlow, y.BetaFast
	case "yarn-range-extended":
		y.OriginalContext = int(float64(y.OriginalContext) * y.Factor)
	case "amplitude-generic":
		y.MScale, y.MScaleAllDim, y.AttentionFactor = 1, 0, 0
	case "amplitude-undivided":
		y.MScaleAllDim = 0
	case "attention-factor-ignored":
		y.AttentionFactor = 0
	case "yarn-range-unrounded": // or rounded where it should not be
		y.Unrounded = !y.Unrounded
	case "yarn-turns-in-radians":
		y.BetaFast, y.BetaSlow = y.BetaFast/(2*math.Pi), y.BetaSlow/(2*math.Pi)
	}
	y.AttentionFactor = mistakenFactor(y, mistake)
	return &y
}

// ofYaRN are the mistakes of the extended context.
var ofYaRN = []string{
	"yarn-missing", "yarn-betas-swapped", "yarn-range-extended", "amplitude-generic", "amplitude-undivided",
	"attention-factor-ignored", "yarn-range-unrounded", "yarn-turns-in-radians", "amplitude-missing",
	"attention-factor-as-mscale", "attention-factor-multiplied", "yarn-range-clamped", "yarn-range-doubled",
	"yarn-range-halved", "yarn-range-cut", "yarn-factor-twice", "yarn-ramp-by-channel", "yarn-factor-in-base",
	"yarn-ramp-unclamped", "yarn-linear", "yarn-ramp-stepped", "yarn-ramp-reversed", "yarn-periods-mixed",
}

// mistakenFactor returns YaRN's attention_factor as a kernel with a mistake of it has it.
func mistakenFactor(y rope.YaRN, mistake string) float64 {
	switch {
	case mistake == "amplitude-missing":
		return 1
	case mistake == "attention-factor-as-mscale" && y.AttentionFactor != 0:
		return mscale(y.Factor, y.AttentionFactor)
	case mistake == "attention-factor-multiplied":
		return y.AttentionFactor * mscale(y.Factor, 1)
	}
	return y.AttentionFactor
}

// correction returns the index of the pair that turns the given number of times in the original
// context.
func correction[T Number](y *rope.YaRN, turns float64, dim int, base float64) float64 {
	ln := T(math.Log(float64(T(y.OriginalContext) / T(T(turns)*T(2*math.Pi)))))
	return float64(T(T(dim)*ln) / (2 * T(math.Log(base))))
}

// bounds returns the ends of the ramp over the index, formed in T, with a mistake or "".
func bounds[T Number](y *rope.YaRN, dim int, base float64, mistake string) (low, high float64) {
	top := dim - 1
	low, high = correction[T](y, y.BetaFast, dim, base), correction[T](y, y.BetaSlow, dim, base)
	switch {
	case mistake == "yarn-range-clamped":
		top = max(dim/2-1, 0)
	case mistake == "yarn-range-doubled":
		low, high = 2*low, 2*high
	case mistake == "yarn-range-halved":
		low, high = low/2, high/2
	case mistake == "yarn-range-cut" && !y.Unrounded:
		high = math.Floor(high)
	}
	if !y.Unrounded {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(top))
	if low == high {
		high += 0.001
	}
	return low, high
}

// stretch returns the frequencies of the extended context, with a mistake or "".
func stretch[T Number](y *rope.YaRN, theta []T, dim int, base float64, f Frequencies, mistake string) []T {
	low, high := bounds[float64](y, dim, base, mistake)
	if f != Power && f != Double { // those are Python's, which has float64 for numbers
		low, high = bounds[T](y, dim, base, mistake)
	}
	out := make([]T, len(theta))
	for i, th := range theta {
		at, factor := T(i), y.Factor
		switch mistake {
		case "yarn-factor-twice":
			th /= T(factor)
		case "yarn-ramp-by-channel":
			at *= 2
		case "yarn-factor-in-base":
			factor = math.Pow(factor, float64(2*i)/float64(dim))
		}
		var smooth T
		if y.Ramp == rope.RotationsRamp {
			turns := T(y.OriginalContext) * theta[i] / T(2*math.Pi)
			smooth = within((turns-T(y.BetaSlow))/T(y.BetaFast-y.BetaSlow), mistake)
		} else {
			smooth = 1 - within((at-T(low))/T(high-low), mistake)
		}
		out[i] = between(th, T(factor), smooth, mistake)
	}
	return out
}

// within returns a place on the ramp, from 0 to 1.
func within[T Number](x T, mistake string) T {
	if mistake == "yarn-ramp-unclamped" {
		return x
	}
	return min(max(x, 0), 1)
}

// between returns the frequency between a pair's own, where smooth is 1, and the one slowed by s.
func between[T Number](theta, s, smooth T, mistake string) T {
	switch mistake {
	case "yarn-linear":
		smooth = 0
	case "yarn-ramp-stepped":
		smooth = T(math.Round(float64(smooth)))
	case "yarn-ramp-reversed":
		smooth = 1 - smooth
	case "yarn-periods-mixed":
		return theta / (T(s*(1-smooth)) + smooth)
	}
	return T(theta/s*(1-smooth)) + T(theta*smooth)
}

// rotary turns pairs of channels by position × frequency. It rounds the frequencies and the angle
// (to Config.Angle), cos and sin to the working type, and each product and sum of the rotation
// unless Config.Fused; rope.apply with Config.Intermediate rounds cos, sin and products to that.
// The result is left in the working type.
type Rotary[T Number] struct {
	*Job
	theta     []T
	amplitude T
	layout    string
	Kept      dtype.Type // of cosines, sines and their products
	confused  string     // the mistake of a table that is laid out for other pairs, "" for none
}

// What a rotation has for each pair, and for each pair at a position.
const (
	Turns   = "the frequency of each pair"
	Cosines = "the cosine of each pair"
	Places  = "the position of each head"
	Sines   = "the sine of each pair"
)

// NewRotary returns the rotation of a kernel; moving tells whether any position is other than 0.
func NewRotary[T Number](j *Job, dim int, moving bool) *Rotary[T] {
	base := j.Float("base")
	r := &Rotary[T]{Job: j, layout: j.Word("layout"), amplitude: 1, Kept: dtype.F64}
	right := r.extend(j.YaRN(), frequencies[T](r.Frequencies, dim, dim, base), dim, base, "")
	amplitude := r.amplitude
	r.theta = r.wrongFrequencies(dim, base)
	Pass(j, Turns, 0, r.theta)
	j.Show(moving && (!slices.Equal(right, r.theta) || amplitude != r.amplitude))
	r.confuseLayout(dim, moving)
	return r
}

// frequencies returns θ_i of every pair, unscaled; width is the one in their exponents.
func frequencies[T Number](f Frequencies, dim, width int, base float64) []T {
	plain := make([]T, dim/2)
	for i := range plain {
		plain[i] = theta[T](f, i, width, base)
	}
	return plain
}

// late is by how many pairs the frequencies of a mistake are late.
var late = map[string]float64{"exponent-from-one": 1, "exponent-from-minus-one": -1, "exponent-odd": 0.5}

// wrongFrequencies sets the amplitude and returns the frequencies, with the mistakes that are made
// with them.
func (r *Rotary[T]) wrongFrequencies(dim int, base float64) []T {
	f, width, y, mistake := r.Frequencies, dim, r.YaRN(), ""
	if y != nil {
		mistake = r.Among(ofYaRN...)
		y = mistaken(*y, mistake)
	}
	plainBase := base
	switch {
	case r.Makes("frequencies-recurrent") && r.Recording.Type("x").Size() != 2: // 16 bits hide it
		f = Recurrent
	case r.Makes("base-default"):
		base, plainBase = 10000, 10000
	case r.Makes("logarithms-mixed"):
		plainBase = math.Pow(base, math.Ln2)
	case r.Makes("yarn-base-stretched") && y != nil && dim > 2:
		plainBase *= math.Pow(y.Factor, float64(dim)/float64(dim-2))
	case r.Makes("frequencies-bf16"):
		return RoundEach(dtype.BF16, r.extend(y, frequencies[T](f, dim, width, base), dim, base, ""))
	default:
		width = r.wrongWidth(dim)
	}
	by, _ := In(r.Job, late)
	plain := delayed(frequencies[T](f, dim, width, plainBase), math.Pow(plainBase, -2*by/float64(dim)))
	return r.extend(y, plain, dim, base, mistake)
}

// wrongWidth returns the width in the exponents of frequencies: that of what is rotated.
func (r *Rotary[T]) wrongWidth(dim int) int {
	switch {
	case r.Makes("exponent-halved"):
		return 2 * dim
	case r.Makes("exponent-quartered"):
		return 4 * dim
	case r.Makes("exponent-positive"):
		return -dim
	case r.Makes("exponent-to-the-end"):
		return max(dim-2, 1)
	case r.Makes("exponent-of-head"):
		return dim + r.Dim("Dn")
	}
	return dim
}

// delayed returns frequencies that are late by some pairs: each by a factor.
func delayed[T Number](theta []T, factor float64) []T {
	for i := range theta {
		theta[i] *= T(factor)
	}
	return theta
}

// extend sets the amplitude and returns the frequencies that YaRN, if any, makes of theta.
func (r *Rotary[T]) extend(y *rope.YaRN, theta []T, dim int, base float64, mistake string) []T {
	if y == nil {
		r.amplitude = 1
		return theta
	}
	r.amplitude = T(amplitudeOf(y))
	return stretch(y, theta, dim, base, r.Frequencies, mistake)
}

// WrongPositions returns positions with the mistakes that are made with all of them.
func (j *Job) WrongPositions(right []int) []int {
	wrong, half := slices.Clone(right), (len(right)+1)/2
	switch {
	case j.Makes("positions-ignored"):
		wrong = Indices(len(right))
	case j.Makes("positions-restarted"):
		copy(wrong[half:], right)
	case j.Makes("positions-from-first"):
		for n := range wrong {
			wrong[n] = right[0] + n
		}
	case j.Makes("positions-wrapped"):
		for n, p := range right {
			wrong[n] = p % (1 << max(bits.Len(uint(slices.Max(right)))-1, 0))
		}
	case j.Makes("positions-clamped") && j.YaRN() != nil:
		for n, p := range right {
			wrong[n] = min(p, j.YaRN().OriginalContext-1)
		}
	}
	j.Show(!slices.Equal(right, wrong))
	return wrong
}

// otherLayout is what a layout is taken for.
var otherLayout = map[string]string{
	"interleaved": "half", "half": "interleaved", "interleaved_to_half": "half",
}

// Swapped is the rotation in the other layout.
func (r *Rotary[T]) Swapped() *Rotary[T] {
	other := *r
	other.layout = otherLayout[r.layout]
	return &other
}

// confuseLayout makes the mistakes of pairing.
func (r *Rotary[T]) confuseLayout(dim int, moving bool) {
	switch {
	case r.Makes("layout-swapped"):
		r.layout = otherLayout[r.layout]
		r.Show(dim > 2 && moving)
	case r.Makes("frequencies-repeated"):
		r.take("half")
		r.Show(dim > 2 && moving)
	case r.Makes("frequencies-concatenated"):
		r.take("interleaved")
		r.Show(dim > 2 && moving)
	}
}

// take makes the mistake of a table laid out for other pairs than these. Where pairs change places
// they are right by themselves.
func (r *Rotary[T]) take(layout string) {
	r.confused = r.Config.Mistake
	if r.layout != "interleaved_to_half" {
		r.layout = layout
	}
}

// Table returns cos and sin at a position.
func (r *Rotary[T]) Table(position int) (cos, sin []T) {
	angles := r.angles(position)
	cos, sin = make([]T, len(angles)), make([]T, len(angles))
	for i, a := range angles {
		cos[i] = r.curve(a, math.Cos) * r.amplitude
		sin[i] = r.curve(a, math.Sin) * r.amplitude
	}
	r.spoilTable(position, cos, sin)
	return RoundEach(r.Kept, cos), RoundEach(r.Kept, sin)
}

// Direct turns the sines round where the request asks for the inverse.
func (r *Rotary[T]) Direct(sin []T) {
	if r.Flag("inverse") {
		for i := range sin {
			sin[i] = -sin[i]
		}
	}
}

// curve returns a value of sine or cosine as the hardware has it; at 0 both are exact, the fast
// instructions too (PTX ISA, sin.approx and cos.approx).
func (r *Rotary[T]) curve(angle float64, of func(float64) float64) T {
	if r.Makes("sine-fast") {
		r.Show(math.Abs(angle) > 1000)
		angle = onceReduced(angle)
	}
	x := of(angle)
	if r.Approximate && angle != 0 {
		x *= 1 + Wobble(x)*0x1p-23
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
func (r *Rotary[T]) angles(position int) []float64 {
	angle := r.Angle
	switch {
	case r.First("position-off-by-one"):
		position++
		r.Show(true)
	case r.First("angle-bf16"):
		r.Show(angle != dtype.BF16 && dtype.BF16.Round(float64(position)) != float64(position)) // from 257 on
		angle = dtype.BF16
	case r.First("positions-bf16"):
		position = r.stored(dtype.BF16, position)
	case r.First("positions-f16"):
		position = r.stored(dtype.F16, position)
	}
	out := make([]float64, len(r.theta))
	for i, th := range r.theta {
		out[i] = angle.Round(angle.Round(float64(position)) * angle.Round(float64(th)))
	}
	return out
}

// stored returns a position as a type has it.
func (r *Rotary[T]) stored(t dtype.Type, position int) int {
	so := int(min(t.Round(float64(position)), 1<<17)) // not infinite
	r.Show(so != position)
	return so
}

// spoilTable makes the mistakes of the table of one position.
func (r *Rotary[T]) spoilTable(position int, cos, sin []T) {
	switch {
	case r.First("direction-reversed"):
		for i := range sin {
			sin[i] = -sin[i]
		}
		r.Show(position != 0)
	case r.First("cosine-for-sine"):
		for i := range sin {
			cos[i], sin[i] = sin[i], cos[i]
		}
		r.Show(true)
	case r.First("rotation-missing"):
		for i := range sin {
			cos[i], sin[i] = 1, 0
		}
		r.Show(position != 0)
	case r.First("table-bf16"):
		RoundEach(dtype.BF16, cos)
		RoundEach(dtype.BF16, sin)
		r.Show(position != 0)
	}
}

// Turn returns x rotated: the pair (a, b) becomes (a·cos − b·sin, a·sin + b·cos).
func (r *Rotary[T]) Turn(x, cos, sin []T) []T {
	y := make([]T, len(x))
	half := len(x) / 2
	for i := range half {
		near, far := r.pair(i, half, r.layout == "interleaved" || r.layout == "interleaved_to_half")
		a, b := x[near], x[far]
		first, second := i, i
		switch r.confused {
		case "frequencies-repeated":
			first, second = i/2, (i+half)/2
		case "frequencies-concatenated":
			first, second = 2*i%half, (2*i+1)%half
		}
		near, far = r.pair(i, half, r.layout == "interleaved")
		y[near] = r.cross(a, cos[first], -b, sin[first])
		y[far] = r.cross(b, cos[second], a, sin[second])
		r.spoilPair(&y[near], &y[far], a, b, cos[first], sin[first])
	}
	return y
}

// spoilPair makes the mistakes with a pair (a, b) that is turned.
func (r *Rotary[T]) spoilPair(near, far *T, a, b, cos, sin T) {
	right, other := *near, *far
	switch {
	case r.Makes("sign-missing"):
		*near = r.cross(a, cos, b, sin)
	case r.Makes("signs-both-minus"):
		*far = r.cross(b, cos, -a, sin)
	case r.Makes("pair-overwritten"):
		*far = r.cross(b, cos, *near, sin)
	}
	r.Show(math.Abs(float64(*near-right))+math.Abs(float64(*far-other)) > 0.01)
}

// pair returns the two channels of pair i: neighbours, or half the width apart.
func (r *Rotary[T]) pair(i, half int, neighbours bool) (near, far int) {
	if neighbours {
		return 2 * i, 2*i + 1
	}
	return i, i + half
}

// cross returns a·b + c·d.
func (r *Rotary[T]) cross(a, b, c, d T) T {
	if r.Fused && r.Kept == dtype.F64 {
		return FMA(a, b, T(c*d))
	}
	return Round(r.Kept, T(a*b)) + Round(r.Kept, T(c*d))
}

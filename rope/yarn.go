package rope

import "math"

// Wavelength returns how many tokens a pair takes for one full turn.
//
//	λ = 2π/θ
//
// theta is in radians per token.
// It implements YaRN (13).
func Wavelength(theta float64) float64 {
	return 2 * math.Pi / theta
}

// InterpolatePositions returns positions squeezed into the trained context: position interpolation.
//
//	g(m) = m/s,  h(θ) = θ
//
// positions are in tokens, s = L'/L. Every pair is slowed alike, the fast ones too, so that
// neighbours become hard to tell apart. It implements YaRN (10)–(12).
func InterpolatePositions(positions []float64, s float64) []float64 {
	g := make([]float64, len(positions))
	for n, m := range positions {
		g[n] = m / s
	}
	return g
}

// NTKAwareFrequencies returns frequencies of a larger base, so that slow pairs are slowed more than
// fast ones.
//
//	g(m) = m,  h(θ_i) = b'^(−2i/d),  b' = b s^(d/(d−2))
//
// dim is d > 2, s = L'/L; the result is [d/2]. The fastest pair keeps its frequency, the slowest is
// slowed by exactly s. It implements YaRN (14)–(16).
func NTKAwareFrequencies(dim int, base, s float64) []float64 {
	d := float64(dim)
	return Frequencies(dim, base*math.Pow(s, d/(d-2)))
}

// Rotations returns how many full turns a pair makes within the trained context.
//
//	r = L/λ = L θ/(2π)
//
// theta is in radians per token, context is L in tokens.
// Differs in print: the PDF writes the base in (17) as b', the enlarged base of (16); b is meant.
// It implements YaRN (17).
func Rotations(theta float64, context int) float64 {
	return float64(context) / Wavelength(theta)
}

// GammaByRotations returns how much of its own frequency a pair keeps that makes r turns within the
// trained context.
//
//	γ(r) = 0 for r < α,  1 for r > β,  (r−α)/(β−α) between
//
// α = 1 and β = 32 in the paper; code calls them beta_slow and beta_fast.
// Differs in code: there it is linear in the index of the pair; see GammaByIndex.
// It implements YaRN (18).
func GammaByRotations(r, alpha, beta float64) float64 {
	return min(max((r-alpha)/(beta-alpha), 0), 1)
}

// ByParts returns the frequency between a pair's own and the one slowed by s.
//
//	h(θ) = (1−γ) θ/s + γ θ
//
// theta is in radians per token, gamma in [0, 1], s = L'/L.
// It implements YaRN (19) and (20).
func ByParts(theta, gamma, s float64) float64 {
	return (1-gamma)*theta/s + gamma*theta
}

// Temperature returns the temperature t that scores of a stretched context are divided by.
//
//	softmax(qᵀk/(t √d)),  √(1/t) = 0.1 ln s + 1
//
// s = L'/L; t = 1 for s ≤ 1. Code multiplies both rotated vectors by √(1/t), by way of the cosines
// and sines; see MScale for it. Differs in print: what DeepSeek-V2 and V3 print as √t is this
// √(1/t). It implements YaRN (21) and (22).
func Temperature(s float64) float64 {
	root := MScale(s, 1)
	return 1 / (root * root)
}

// Ramp says in what YaRN's γ is linear.
type Ramp int

const (
	IndexRamp     Ramp = iota // in the index of the pair, as in all code
	RotationsRamp             // in the turns the pair makes, as in the paper
)

// String returns the name that recordings use.
func (r Ramp) String() string {
	switch r {
	case IndexRamp:
		return "index"
	case RotationsRamp:
		return "rotations"
	}
	return "unknown"
}

// YaRN is how a model's rotation is stretched. DeepSeek-V3 has {40, 4096, 32, 1, 1, 1, IndexRamp};
// in DeepSeek-V2 both scales are 0.707. A model that names neither has YaRN's own: 1 and 0.
type YaRN struct {
	Factor             float64 // s = L'/L
	OriginalContext    int     // L, tokens
	BetaFast, BetaSlow float64 // β and α, turns within L
	MScale             float64 // scale of the temperature on the rotary part, rope_scaling.mscale
	MScaleAllDim       float64 // scale of the temperature on the whole score, rope_scaling.mscale_all_dim
	Ramp               Ramp
	Unrounded          bool    // the correction range is not rounded to whole pairs, rope_scaling.truncate = false
	AttentionFactor    float64 // the amplitude itself, rope_scaling.attention_factor; 0: none
}

// CorrectionIndex returns the index, as a real number, of the pair that makes that many turns
// within the trained context.
//
//	c(rot) = d ln(L/(2π rot)) / (2 ln b)
//
// rotations is rot, dim is d, base is b, context is L in tokens; it solves Rotations(θ_c) = rot for
// c. It implements YaRN (17) solved for the index, find_correction_dim of its code.
func CorrectionIndex(rotations float64, dim int, base float64, context int) float64 {
	return float64(dim) * math.Log(float64(context)/(rotations*2*math.Pi)) / (2 * math.Log(base))
}

// CorrectionRange returns between which indices the frequency goes from a pair's own to the one
// slowed by s.
//
//	low  = max(⌊c(β)⌋, 0)
//	high = min(⌈c(α)⌉, d−1),  raised by 0.001 if it equals low
//
// The upper clamp is d−1 and not d/2−1, as coded, although there are d/2 pairs. Differs in code:
// models with truncate = false leave ⌊⌋ and ⌈⌉ out, see Unrounded; no DeepSeek model does. It
// implements YaRN (18) as coded, find_correction_range of its code.
func CorrectionRange(dim int, base float64, y YaRN) (low, high float64) {
	low = CorrectionIndex(y.BetaFast, dim, base, y.OriginalContext)
	high = CorrectionIndex(y.BetaSlow, dim, base, y.OriginalContext)
	if !y.Unrounded {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(dim-1))
	if low == high {
		high += 0.001 // keeps the ramp from dividing by zero: it becomes a step
	}
	return low, high
}

// GammaByIndex returns how much of its own frequency pair i keeps.
//
//	γ_i = 1 − clamp((i−low)/(high−low), 0, 1)
//
// low and high come from CorrectionRange. The end points are the paper's, up to rounding to whole
// indices, the middle is not: θ falls exponentially in i, so a line in the index keeps more of the
// frequency than a line in the turns. It implements YaRN (18) as coded, there and by DeepSeek and
// Hugging Face.
func GammaByIndex(i int, low, high float64) float64 {
	return 1 - min(max((float64(i)-low)/(high-low), 0), 1)
}

// YaRNFrequencies returns the stretched frequency of every pair.
//
//	θ'_i = (1−γ_i) θ_i/s + γ_i θ_i
//
// dim is d, base is b; the result is [d/2], in radians per token. γ is GammaByIndex or
// GammaByRotations, as y.Ramp says. Differs in code: DeepSeek-V3's inference code stretches only
// when its maximum length exceeds L, Hugging Face always. It implements YaRN (17)–(20).
func YaRNFrequencies(dim int, base float64, y YaRN) []float64 {
	theta := Frequencies(dim, base)
	low, high := CorrectionRange(dim, base, y)
	for i, t := range theta {
		gamma := GammaByIndex(i, low, high)
		if y.Ramp == RotationsRamp {
			gamma = GammaByRotations(Rotations(t, y.OriginalContext), y.BetaSlow, y.BetaFast)
		}
		theta[i] = ByParts(t, gamma, y.Factor)
	}
	return theta
}

// MScale returns √(1/t), the root of the inverse temperature, with the logarithm weighted by m.
//
//	mscale(s, m) = 0.1 m ln s + 1 for s > 1, else 1
//
// s = L'/L. m = 1 is YaRN's own and DeepSeek-V3's (0.1 ln s + 1), m = 0.707 DeepSeek-V2's (0.0707
// ln s + 1), m = 0 gives 1. Differs in print: DeepSeek calls the result √t, YaRN √(1/t). It
// implements YaRN (22), DeepSeek-V2 section 3.1.4 and DeepSeek-V3 section 4.3.
func MScale(s, m float64) float64 {
	if s <= 1 {
		return 1
	}
	return 0.1*m*math.Log(s) + 1
}

// Amplitude returns what cosines and sines are multiplied by, which acts on the rotary part of a
// score alone, squared.
//
//	mscale(s, mscale) / mscale(s, mscale_all_dim)
//
// It is exactly 1 when both scales are equal, as in DeepSeek's checkpoints. An AttentionFactor
// stands for the whole of it. Differs in code: DeepSeek-V3's inference code never multiplies
// cosines and sines; later Hugging Face takes mscale(s, 1) as soon as one of the two scales is 0,
// which is the same only for mscale = 1. It implements DeepSeek-V2 section 3.1.4 as Hugging Face's
// DeepSeek-V3 has it.
func (y YaRN) Amplitude() float64 {
	if y.AttentionFactor != 0 {
		return y.AttentionFactor
	}
	return MScale(y.Factor, y.MScale) / MScale(y.Factor, y.MScaleAllDim)
}

// ScoreFactor returns what the softmax scale is multiplied by, which acts on the whole score, the
// part without rotation too.
//
//	mscale(s, mscale_all_dim)²
//
// It is 1 when mscale_all_dim is 0, and with an AttentionFactor. Differs in code: DeepSeek-V3's
// inference code squares mscale(s, mscale), and only when its maximum length exceeds L. It
// implements DeepSeek-V2 section 3.1.4 as Hugging Face's DeepSeek-V3 has it.
func (y YaRN) ScoreFactor() float64 {
	if y.AttentionFactor != 0 {
		return 1
	}
	m := MScale(y.Factor, y.MScaleAllDim)
	return m * m
}

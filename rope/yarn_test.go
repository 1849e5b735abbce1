package rope

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"pgregory.net/rapid"
)

// The rotation of DeepSeek-V3 and of DeepSeek-V2: 64 rotary elements, trained on 4096 tokens,
// stretched 40 times.
const (
	width = 64
	base  = 10000
)

var (
	v3 = YaRN{Factor: 40, OriginalContext: 4096, BetaFast: 32, BetaSlow: 1, MScale: 1, MScaleAllDim: 1}
	v2 = YaRN{Factor: 40, OriginalContext: 4096, BetaFast: 32, BetaSlow: 1, MScale: 0.707, MScaleAllDim: 0.707}
)

func TestWavelength(t *testing.T) {
	t.Run("the fastest pair is back after 2π tokens", func(t *testing.T) {
		near(t, "λ_0", Wavelength(1), 2*math.Pi, 0)
	})
	t.Run("it grows as b to the 2i/d", func(t *testing.T) {
		for i, theta := range Frequencies(width, base) {
			want := 2 * math.Pi * math.Pow(base, 2*float64(i)/width)
			near(t, "λ", Wavelength(theta), want, 8*u*want)
		}
	})
	t.Run("after one wavelength a vector is back", func(t *testing.T) {
		// The angle λθ is 2π but for two roundings, 4πu.
		theta := []float64{0.01}
		x := []float64{0.6, 0.8}
		nearAll(t, "x", at(x, Wavelength(0.01), theta, Interleaved), x, 24*u)
	})
}

func TestInterpolatePositions(t *testing.T) {
	t.Run("the wanted context falls on the trained one", func(t *testing.T) {
		same(t, "g", InterpolatePositions([]float64{0, 81920, 163840}, 40), []float64{0, 2048, 4096})
	})
	t.Run("squeezing positions is slowing every pair", func(t *testing.T) {
		theta, x := Frequencies(width, base), vector(width, 1)
		slow := make([]float64, len(theta))
		for i := range theta {
			slow[i] = theta[i] / 4
		}
		// A division by 4 is exact, so the angles are the same to the bit.
		for _, m := range []float64{1, 3, 1000} {
			g := InterpolatePositions([]float64{m}, 4)
			same(t, "R x", at(x, g[0], theta, Half), at(x, m, slow, Half))
		}
	})
	t.Run("s = 1 changes nothing", func(t *testing.T) {
		same(t, "g", InterpolatePositions([]float64{0, 1, 4095}, 1), []float64{0, 1, 4095})
	})
}

func TestNTKAwareFrequencies(t *testing.T) {
	t.Run("the fastest pair keeps its frequency, the slowest is slowed by exactly s", rapid.MakeCheck(func(t *rapid.T) {
		// θ'_i/θ_i = s^(−2i/(d−2)), which is s⁰ at i = 0 and s⁻¹ at i = d/2−1.
		d := 2 * rapid.IntRange(2, 128).Draw(t, "d/2")
		s := rapid.Float64Range(1, 64).Draw(t, "s")
		theta, slow := Frequencies(d, base), NTKAwareFrequencies(d, base, s)
		if slow[0] != 1 {
			t.Errorf("θ'_0 = %v, want exactly 1", slow[0])
		}
		last := d/2 - 1
		if got := theta[last] / slow[last]; math.Abs(got-s) > 64*u*s {
			t.Errorf("the slowest pair is slowed by %v, want %v", got, s)
		}
	}))
	t.Run("in between a pair is slowed by s to the 2i/(d−2)", func(t *testing.T) {
		theta, slow := Frequencies(width, base), NTKAwareFrequencies(width, base, 40)
		for i := range theta {
			near(t, "θ'/θ", slow[i]/theta[i], math.Pow(40, -2*float64(i)/(width-2)), 32*u)
		}
	})
	t.Run("s = 1 gives back the frequencies", func(t *testing.T) {
		same(t, "θ'", NTKAwareFrequencies(width, base, 1), Frequencies(width, base))
	})
}

func TestRotations(t *testing.T) {
	t.Run("the fastest pair of a 4096-token context makes 652 turns, the slowest not one tenth", func(t *testing.T) {
		theta := Frequencies(width, base)
		near(t, "r_0", Rotations(theta[0], 4096), 4096/(2*math.Pi), 4*u*652)
		near(t, "r_31", Rotations(theta[31], 4096), 0.0869, 0.00005)
	})
	t.Run("a pair whose wavelength is the context makes one turn", func(t *testing.T) {
		near(t, "r", Rotations(2*math.Pi/4096, 4096), 1, 4*u)
	})
}

func TestGammaByRotations(t *testing.T) {
	t.Run("below one turn nothing is kept, above 32 all, a line between", func(t *testing.T) {
		for _, c := range []struct{ r, gamma float64 }{{0, 0}, {0.99, 0}, {1, 0}, {16.5, 0.5}, {32, 1}, {652, 1}} {
			if got := GammaByRotations(c.r, 1, 32); got != c.gamma {
				t.Errorf("γ(%v) = %v, want %v", c.r, got, c.gamma)
			}
		}
	})
}

func TestGammaByIndex(t *testing.T) {
	t.Run("up to low all is kept, from high on nothing, a line between", func(t *testing.T) {
		for _, c := range []struct {
			i     int
			gamma float64
		}{{0, 1}, {10, 1}, {15, 0.5}, {20, 0}, {31, 0}} {
			if got := GammaByIndex(c.i, 10, 20); got != c.gamma {
				t.Errorf("γ_%d = %v, want %v", c.i, got, c.gamma)
			}
		}
	})
	t.Run("with low and high 0.001 apart it is a step", func(t *testing.T) {
		if GammaByIndex(5, 5, 5.001) != 1 || GammaByIndex(6, 5, 5.001) != 0 {
			t.Error("the ramp is not a step")
		}
	})
}

func TestByParts(t *testing.T) {
	t.Run("γ = 1 keeps the frequency, γ = 0 slows it by s, exactly", func(t *testing.T) {
		for _, theta := range Frequencies(width, base) {
			if ByParts(theta, 1, 40) != theta || ByParts(theta, 0, 40) != theta/40 {
				t.Errorf("θ = %v: got %v and %v", theta, ByParts(theta, 1, 40), ByParts(theta, 0, 40))
			}
		}
	})
	t.Run("half of it is the mean of both", func(t *testing.T) {
		near(t, "h", ByParts(0.5, 0.5, 2), 0.375, 0)
	})
}

func TestTemperature(t *testing.T) {
	t.Run("a context that is not stretched has temperature one", func(t *testing.T) {
		if Temperature(1) != 1 || Temperature(0.5) != 1 {
			t.Errorf("t = %v and %v", Temperature(1), Temperature(0.5))
		}
	})
	t.Run("√(1/t) is 0.1 ln s + 1", func(t *testing.T) {
		near(t, "√(1/t)", math.Sqrt(1/Temperature(40)), 0.1*math.Log(40)+1, 8*u)
	})
	t.Run("multiplying cosines and sines by √(1/t) divides every score by t", func(t *testing.T) {
		theta, q, k := Frequencies(width, base), vector(width, 2), vector(width, 3)
		cos, sin := Table([]float64{9, 4}, theta)
		plain := floats.Dot(
			Rotate(q, cos.RawRowView(0), sin.RawRowView(0), Interleaved),
			Rotate(k, cos.RawRowView(1), sin.RawRowView(1), Interleaved))
		cos.Scale(MScale(40, 1), cos)
		sin.Scale(MScale(40, 1), sin)
		cooled := floats.Dot(
			Rotate(q, cos.RawRowView(0), sin.RawRowView(0), Interleaved),
			Rotate(k, cos.RawRowView(1), sin.RawRowView(1), Interleaved))
		near(t, "score", cooled, plain/Temperature(40), 2*(width+16)*u*floats.Norm(q, 2)*floats.Norm(k, 2))
	})
	t.Run("what DeepSeek prints as √t is YaRN's √(1/t): it sharpens, it does not soften", func(t *testing.T) {
		if root := MScale(40, 1); !(root > 1) || !(Temperature(40) < 1) {
			t.Errorf("√(1/t) = %v, t = %v", root, Temperature(40))
		}
		near(t, "mscale² t", MScale(40, 1)*MScale(40, 1)*Temperature(40), 1, 4*u)
	})
}

func TestCorrectionIndex(t *testing.T) {
	t.Run("DeepSeek's 32 turns fall on index 10.4722, one turn on 22.5134", func(t *testing.T) {
		near(t, "c(32)", CorrectionIndex(32, width, base, 4096), 10.4722, 0.00005)
		near(t, "c(1)", CorrectionIndex(1, width, base, 4096), 22.5134, 0.00005)
	})
	t.Run("the pair at that index makes that many turns", rapid.MakeCheck(func(t *rapid.T) {
		turns := rapid.Float64Range(0.1, 600).Draw(t, "turns")
		c := CorrectionIndex(turns, width, base, 4096)
		// A relative error of c is one of turns enlarged by 2c/d·ln b < 10.
		if got := Rotations(math.Pow(base, -2*c/width), 4096); math.Abs(got-turns) > 100*u*turns {
			t.Errorf("r(c(%v)) = %v", turns, got)
		}
	}))
}

func TestCorrectionRange(t *testing.T) {
	t.Run("DeepSeek's ramp goes from index 10 to 23", func(t *testing.T) {
		if low, high := CorrectionRange(width, base, v3); low != 10 || high != 23 {
			t.Errorf("low = %v, high = %v", low, high)
		}
	})
	t.Run("the range comes from the trained context, not from the stretched one", func(t *testing.T) {
		stretched := v3
		stretched.OriginalContext = 163840
		if low, high := CorrectionRange(width, base, stretched); low != 23 || high != 36 {
			t.Errorf("low = %v, high = %v", low, high)
		}
	})
	t.Run("below it stops at zero", func(t *testing.T) {
		short := v3
		short.OriginalContext = 100 // not even the fastest pair makes 32 turns
		if low, _ := CorrectionRange(width, base, short); low != 0 {
			t.Errorf("low = %v", low)
		}
	})
	t.Run("above it stops at d−1, beyond the last pair", func(t *testing.T) {
		long := v3
		long.OriginalContext = 1 << 30
		if _, high := CorrectionRange(width, base, long); high != 63 {
			t.Errorf("high = %v", high)
		}
	})
	t.Run("ends that coincide are set 0.001 apart", func(t *testing.T) {
		// L = 6 < 2π: one turn falls on index −0.01, both ends on 0.
		tiny := v3
		tiny.OriginalContext = 6
		if low, high := CorrectionRange(4, base, tiny); low != 0 || high != 0.001 {
			t.Errorf("low = %v, high = %v", low, high)
		}
	})
}

func TestYaRNFrequencies(t *testing.T) {
	paper := v3
	paper.Ramp = RotationsRamp
	theta := Frequencies(width, base)
	coded, printed := YaRNFrequencies(width, base, v3), YaRNFrequencies(width, base, paper)

	t.Run("in code the multipliers fall by a line in the index", func(t *testing.T) {
		for i, want := range map[int]float64{10: 1, 11: 0.925, 16: 0.55, 22: 0.1, 23: 0.025} {
			near(t, "θ'/θ", coded[i]/theta[i], want, 8*u)
		}
	})
	t.Run("in the paper they fall by a line in the turns", func(t *testing.T) {
		for i, want := range map[int]float64{10: 1, 11: 0.85816, 16: 0.19858, 22: 0.03001, 23: 0.025} {
			near(t, "θ'/θ", printed[i]/theta[i], want, 0.000005)
		}
	})
	t.Run("fast pairs are kept and slow ones slowed by s, exactly, in both", func(t *testing.T) {
		for i := range theta {
			if i <= 10 && (coded[i] != theta[i] || printed[i] != theta[i]) {
				t.Errorf("pair %d is not kept", i)
			}
			if i >= 23 && (coded[i] != theta[i]/40 || printed[i] != theta[i]/40) {
				t.Errorf("pair %d is not slowed by 40", i)
			}
		}
	})
	t.Run("between the ends code keeps more of the frequency than the paper, at pair 22 3.3 times as much",
		func(t *testing.T) {
			for i := 11; i < 23; i++ {
				if !(coded[i] > printed[i]) {
					t.Errorf("pair %d: code %v, paper %v", i, coded[i], printed[i])
				}
			}
			near(t, "code/paper at 22", coded[22]/printed[22], 3.33, 0.005)
		})
	t.Run("in code the ends are whole indices, rounded away from each other", func(t *testing.T) {
		if low, high := CorrectionRange(width, base, v3); !(Rotations(theta[int(low)], 4096) > 32) ||
			!(Rotations(theta[int(high)], 4096) < 1) {
			t.Error("the coded ends are not outside the paper's")
		}
	})
	t.Run("s = 1 gives back the frequencies", func(t *testing.T) {
		one := v3
		one.Factor = 1
		for i, got := range YaRNFrequencies(width, base, one) {
			near(t, "θ'", got, theta[i], 2*u*theta[i]) // (1−γ)θ + γθ rounds
		}
	})
	t.Run("every pair lies between its own frequency and the one slowed by s, whichever the ramp",
		rapid.MakeCheck(func(t *rapid.T) {
			y := v3
			y.Factor = rapid.Float64Range(1, 64).Draw(t, "s")
			y.OriginalContext = 1 << rapid.IntRange(9, 18).Draw(t, "log L")
			y.Ramp = rapid.SampledFrom([]Ramp{IndexRamp, RotationsRamp}).Draw(t, "ramp")
			for i, got := range YaRNFrequencies(width, base, y) {
				if got > theta[i]*(1+4*u) || got < theta[i]/y.Factor*(1-4*u) {
					t.Errorf("pair %d: θ' = %v, θ = %v, s = %v", i, got, theta[i], y.Factor)
				}
			}
		}))
	t.Run("stretching only beyond the trained context parts from stretching always, within it too", func(t *testing.T) {
		// DeepSeek-V3's inference code takes θ up to 4096 tokens, Hugging Face θ': a score at
		// distance 1000 tells.
		q, k := vector(width, 2), vector(width, 3)
		here, there := score(q, k, 1000, 0, theta, Interleaved), score(q, k, 1000, 0, coded, Interleaved)
		if off := math.Abs(here - there); off < 0.1 {
			t.Errorf("the scores differ by %v only", off)
		}
	})
}

// A model of 64 rotary elements, base 150,000 and 4096 tokens stretched 32 times makes 32 turns at
// index 8.0927 and one at 17.398.
func TestUnroundedRange(t *testing.T) {
	y := YaRN{Factor: 32, OriginalContext: 4096, BetaFast: 32, BetaSlow: 1, MScale: 1, Unrounded: true}
	t.Run("its ends solve L θ(c)/2π = turns", func(t *testing.T) {
		low, high := CorrectionRange(64, 150000, y)
		near(t, "low", low, 8.0927, 0.0001)
		near(t, "high", high, 17.398, 0.001)
		for turns, c := range map[float64]float64{32: low, 1: high} {
			near(t, "turns", 4096/(2*math.Pi)*math.Pow(150000, -c/32), turns, 1e-12*turns)
		}
	})
	t.Run("rounded, it is 8 to 18, and every pair between keeps more of its own frequency or less", func(t *testing.T) {
		rounded := y
		rounded.Unrounded = false
		if low, high := CorrectionRange(64, 150000, rounded); low != 8 || high != 18 {
			t.Errorf("got %v to %v", low, high)
		}
		a, b := YaRNFrequencies(64, 150000, y), YaRNFrequencies(64, 150000, rounded)
		for i := range a {
			if differ := math.Abs(a[i]/b[i]-1) > 1e-4; differ != (i > 8 && i < 18) {
				t.Errorf("pair %d: %v and %v", i, a[i], b[i])
			}
		}
	})
	t.Run("it still ends within the width", func(t *testing.T) {
		short := y
		short.OriginalContext = 4
		if low, _ := CorrectionRange(64, 150000, short); low != 0 {
			t.Errorf("low is %v", low)
		}
		short.OriginalContext = 1 << 30
		short.BetaSlow = 1e-30
		if _, high := CorrectionRange(64, 150000, short); high != 63 {
			t.Errorf("high is %v", high)
		}
	})
}

func TestMScale(t *testing.T) {
	t.Run("ln 40 = 3.6888795", func(t *testing.T) {
		near(t, "ln 40", (MScale(40, 1)-1)*10, 3.6888795, 0.00000005)
	})
	t.Run("DeepSeek-V3's is 1.3688879, DeepSeek-V2's 1.2608038", func(t *testing.T) {
		near(t, "V3", MScale(40, 1), 1.3688879, 0.0000001)
		near(t, "V2", MScale(40, 0.707), 1.2608038, 0.0000001)
	})
	t.Run("DeepSeek-V2's 0.0707 ln s + 1 is m = 0.707", func(t *testing.T) {
		near(t, "mscale", MScale(40, 0.707), 0.0707*math.Log(40)+1, 4*u)
	})
	t.Run("a context that is not stretched has none", func(t *testing.T) {
		if MScale(1, 1) != 1 || MScale(0.25, 1) != 1 {
			t.Errorf("got %v and %v", MScale(1, 1), MScale(0.25, 1))
		}
	})
	t.Run("weight zero gives one", func(t *testing.T) {
		if MScale(40, 0) != 1 {
			t.Errorf("got %v", MScale(40, 0))
		}
	})
}

func TestAmplitude(t *testing.T) {
	t.Run("equal scales leave cosines and sines alone, exactly", func(t *testing.T) {
		if v3.Amplitude() != 1 || v2.Amplitude() != 1 {
			t.Errorf("got %v and %v", v3.Amplitude(), v2.Amplitude())
		}
	})
	t.Run("without mscale_all_dim it is YaRN's own √(1/t)", func(t *testing.T) {
		y := v3
		y.MScaleAllDim = 0
		near(t, "amplitude", y.Amplitude(), math.Sqrt(1/Temperature(40)), 8*u)
	})
	t.Run("without mscale_all_dim later Hugging Face forgets mscale too", func(t *testing.T) {
		// It takes mscale(s, 1) when either scale is 0: 1.3688879 instead of 1.2608038.
		y := v2
		y.MScaleAllDim = 0
		near(t, "amplitude", y.Amplitude(), 1.2608038, 0.0000001)
		near(t, "Hugging Face's", MScale(y.Factor, 1), 1.3688879, 0.0000001)
	})
	t.Run("an attention factor stands for both scales", func(t *testing.T) {
		y := v2
		y.AttentionFactor = 1.5
		if y.Amplitude() != 1.5 || y.ScoreFactor() != 1 {
			t.Errorf("got %v on the table and %v on the scores", y.Amplitude(), y.ScoreFactor())
		}
	})
	t.Run("s = 1 leaves cosines and sines alone", func(t *testing.T) {
		y := YaRN{Factor: 1, MScale: 1}
		if y.Amplitude() != 1 {
			t.Errorf("got %v", y.Amplitude())
		}
	})
}

func TestScoreFactor(t *testing.T) {
	// Query and key of DeepSeek are 128 + 64 wide.
	scale := 1 / math.Sqrt(192)

	t.Run("DeepSeek-V3 multiplies 1/√192 by 1.8738542", func(t *testing.T) {
		near(t, "factor", v3.ScoreFactor(), 1.8738542, 0.0000001)
		near(t, "1/√192", scale, 0.0721687836, 0.0000000001)
		near(t, "softmax scale", scale*v3.ScoreFactor(), 0.1352337788, 0.0000000001)
	})
	t.Run("DeepSeek-V2 multiplies 1/√192 by 1.5896262", func(t *testing.T) {
		near(t, "factor", v2.ScoreFactor(), 1.5896262, 0.0000001)
		near(t, "softmax scale", scale*v2.ScoreFactor(), 0.1147213868, 0.0000000001)
	})
	t.Run("without mscale_all_dim it is one", func(t *testing.T) {
		if got := (YaRN{Factor: 40, MScale: 1}).ScoreFactor(); got != 1 {
			t.Errorf("got %v", got)
		}
	})
	t.Run("it acts on the part without rotation too, an amplitude on the rotary part alone", func(t *testing.T) {
		// nope = rope = 1: DeepSeek's temperature makes mscale²·(1+1) of the score, YaRN's own 1 +
		// mscale².
		yarn := v3
		yarn.MScaleAllDim = 0
		deepseek := v3.ScoreFactor() * (1 + v3.Amplitude()*v3.Amplitude())
		original := yarn.ScoreFactor() * (1 + yarn.Amplitude()*yarn.Amplitude())
		near(t, "DeepSeek", deepseek, 2*1.8738542, 0.0000002)
		near(t, "YaRN", original, 1+1.8738542, 0.0000001)
	})
	t.Run("a rotary part alone does not tell the two apart", func(t *testing.T) {
		yarn := v3
		yarn.MScaleAllDim = 0
		near(t, "factor on the rotary part", v3.ScoreFactor(), yarn.Amplitude()*yarn.Amplitude(), 4*u)
	})
}

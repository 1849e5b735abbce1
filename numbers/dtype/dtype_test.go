package dtype_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/x448/float16"
	"pgregory.net/rapid"

	"plumbline/numbers/dtype"
)

func TestCodes(t *testing.T) {
	for _, l := range layouts {
		t.Run("every code of "+l.of.String()+" means what its standard says, in both directions", func(t *testing.T) {
			for code := range uint64(1) << l.bits {
				want := l.decode(code)
				got := l.of.FromBits(code)
				if !same(got, want) {
					t.Fatalf("code %#x is %v, want %v", code, got, want)
				}
				if back := l.of.Bits(want); back != code && want == want {
					t.Fatalf("%v is written %#x, want %#x", want, back, code)
				}
			}
		})
	}
	t.Run("every code of F16 means what x448/float16 says", func(t *testing.T) {
		for code := range 1 << 16 {
			want := float64(float16.Frombits(uint16(code)).Float32())
			if got := dtype.F16.FromBits(uint64(code)); !same(got, want) {
				t.Fatalf("code %#x is %v, want %v", code, got, want)
			}
		}
	})
	t.Run("every code of F8_E8M0 but the last is two to the code less 127", func(t *testing.T) {
		for code := range uint64(255) {
			want := math.Pow(2, float64(code)-127)
			if got := dtype.F8E8M0.FromBits(code); got != want {
				t.Fatalf("code %#x is %v, want %v", code, got, want)
			}
			if back := dtype.F8E8M0.Bits(want); back != code {
				t.Fatalf("%v is written %#x, want %#x", want, back, code)
			}
		}
		if got := dtype.F8E8M0.FromBits(0xFF); got == got {
			t.Errorf("code 0xff is %v, want NaN", got)
		}
	})
}

func TestFromBitsLooksAtTheLowBitsOnly(t *testing.T) {
	for of := dtype.F32; of <= dtype.Bool; of++ {
		if of == dtype.I64 {
			continue // has no higher bits
		}
		code := of.Bits(1)
		if got := of.FromBits(code | math.MaxUint64<<(8*of.Size())); got != 1 {
			t.Errorf("%v: the code of 1 below other bits is %v", of, got)
		}
	}
}

func TestNaNCodes(t *testing.T) {
	for of, want := range map[dtype.Type]uint64{
		dtype.F16: 0x7E00, dtype.BF16: 0x7FC0, dtype.F8E4M3: 0x7F, dtype.F8E5M2: 0x7E, dtype.F8E8M0: 0xFF,
	} {
		for _, x := range []float64{math.NaN(), -math.NaN(), math.Float64frombits(0xFFF0_0000_0000_0001)} {
			if got := of.Bits(x); got != want {
				t.Errorf("%v: NaN %#x is written %#x, want %#x", of, math.Float64bits(x), got, want)
			}
		}
	}
	const payload = 0x7FC12345
	if got := dtype.F32.Bits(dtype.F32.FromBits(payload)); got != payload {
		t.Errorf("F32: the NaN %#x came back as %#x", payload, got)
	}
}

func TestRoundAtEveryMidpoint(t *testing.T) {
	for _, l := range layouts {
		t.Run(l.of.String()+" goes to the even code half way and to the nearer neighbour beside it",
			func(t *testing.T) {
				values := l.values()
				for code := range len(values) - 1 {
					lower, upper := values[code], values[code+1]
					even := values[code+code%2]
					middle := (lower + upper) / 2
					checkRound(t, l.of, math.Nextafter(middle, lower), lower)
					checkRound(t, l.of, middle, even)
					checkRound(t, l.of, math.Nextafter(middle, upper), upper)
				}
			})
	}
}

// checkRound checks a value within range, its negative, and the code that is written for both.
func checkRound(t *testing.T, of dtype.Type, x, want float64) {
	t.Helper()
	for _, sign := range []float64{1, -1} {
		if got := of.Round(sign * x); !same(got, sign*want) {
			t.Fatalf("%v: Round(%x) = %x, want %x", of, sign*x, got, sign*want)
		}
		if got := of.RoundSaturating(sign * x); !same(got, sign*want) {
			t.Fatalf("%v: RoundSaturating(%x) = %x, want %x", of, sign*x, got, sign*want)
		}
		if got := of.FromBits(of.Bits(sign * x)); !same(got, sign*want) {
			t.Fatalf("%v: the code of %x means %x, want %x", of, sign*x, got, sign*want)
		}
	}
}

func TestOverflow(t *testing.T) {
	for _, l := range layouts {
		t.Run(l.of.String()+" overflows half a step beyond its largest value", func(t *testing.T) {
			values := l.values()
			largest, code := l.of.Max(), len(values)-1
			if largest != values[code] {
				t.Fatalf("Max() = %v, want %v", largest, values[code])
			}
			limit := largest + l.of.Spacing(largest)/2
			checkRound(t, l.of, math.Nextafter(limit, 0), largest)
			atLimit := largest
			if code%2 == 1 {
				atLimit = l.beyond(1)
			}
			checkOverflow(t, l.of, limit, atLimit)
			checkOverflow(t, l.of, math.Nextafter(limit, math.Inf(1)), l.beyond(1))
			checkOverflow(t, l.of, math.MaxFloat64, l.beyond(1))
			checkOverflow(t, l.of, math.Inf(1), l.beyond(1))
		})
	}
}

// checkOverflow checks both policies at x and −x, where x is at or beyond the largest value.
func checkOverflow(t *testing.T, of dtype.Type, x, want float64) {
	t.Helper()
	for _, sign := range []float64{1, -1} {
		if got := of.Round(sign * x); !same(got, sign*want) {
			t.Errorf("%v: Round(%v) = %v, want %v", of, sign*x, got, sign*want)
		}
		if got := of.RoundSaturating(sign * x); got != sign*of.Max() {
			t.Errorf("%v: RoundSaturating(%v) = %v, want %v", of, sign*x, got, sign*of.Max())
		}
	}
}

func TestRoundOnRandomValues(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 5))
	for _, l := range layouts {
		t.Run(l.of.String()+" agrees with a search of its values at every scale", func(t *testing.T) {
			ladder := l.ladder()
			for range 50_000 {
				x := math.Float64frombits(random.Uint64()) // scales far outside the type too
				if got, want := l.of.Round(x), l.nearest(ladder, x); !same(got, want) {
					t.Fatalf("Round(%x) = %x, want %x", x, got, want)
				}
				x = math.Ldexp(random.NormFloat64(), random.IntN(2*l.bias+l.fraction)-l.bias-l.fraction)
				if got, want := l.of.Round(x), l.nearest(ladder, x); !same(got, want) {
					t.Fatalf("Round(%x) = %x, want %x", x, got, want)
				}
			}
		})
	}
	t.Run("F16 agrees with x448/float16 on float32 values", func(t *testing.T) {
		for range 200_000 {
			x := math.Float32frombits(random.Uint32())
			want := float64(float16.Fromfloat32(x).Float32())
			if got := dtype.F16.Round(float64(x)); !same(got, want) {
				t.Fatalf("Round(%x) = %x, want %x", x, got, want)
			}
		}
	})
	t.Run("F32 agrees with math/big, subnormals and overflow among them", func(t *testing.T) {
		for range 50_000 {
			x := math.Ldexp(random.NormFloat64(), random.IntN(290)-155)
			want, _ := big.NewFloat(x).Float32()
			if got := dtype.F32.Round(x); !same(got, float64(want)) {
				t.Fatalf("Round(%x) = %x, want %x", x, got, want)
			}
		}
	})
}

func TestSpecialValues(t *testing.T) {
	for of := dtype.F64; of <= dtype.F8E5M2; of++ {
		t.Run(of.String()+" keeps NaN and signed zeros, and underflows to them", func(t *testing.T) {
			negativeZero := math.Copysign(0, -1)
			checkRound(t, of, 0, 0)
			if got := of.Round(negativeZero); !same(got, negativeZero) {
				t.Errorf("Round(-0) = %v", got)
			}
			if of != dtype.F64 {
				checkRound(t, of, math.SmallestNonzeroFloat64, 0)
			}
			if got := of.Round(math.NaN()); got == got {
				t.Errorf("Round(NaN) = %v", got)
			}
			if got := of.RoundSaturating(math.NaN()); got == got {
				t.Errorf("RoundSaturating(NaN) = %v", got)
			}
			if got := of.RoundSaturating(math.Inf(-1)); got != -of.Max() {
				t.Errorf("RoundSaturating(-Inf) = %v, want %v", got, -of.Max())
			}
		})
	}
}

func TestF32Subnormals(t *testing.T) {
	const step = math.SmallestNonzeroFloat32
	for _, k := range []float64{0, 1, 2, 3, 1<<23 - 2, 1<<23 - 1} {
		middle := (k + 0.5) * step
		even := k + math.Mod(k, 2)
		checkRound(t, dtype.F32, math.Nextafter(middle, 0), k*step)
		checkRound(t, dtype.F32, middle, even*step)
		checkRound(t, dtype.F32, math.Nextafter(middle, 1), (k+1)*step)
	}
}

// The trap: just above a midpoint of the narrow type float32 can only say "at the midpoint", and
// the tie then goes to the even neighbour below.
func TestRoundingByWayOfFloat32RoundsTwice(t *testing.T) {
	for _, l := range layouts {
		halfStep := l.of.UnitRoundoff()
		x := 1 + halfStep + 0x1p-40
		direct, twice := l.of.Round(x), l.of.Round(float64(float32(x)))
		if direct != 1+2*halfStep || twice != 1 {
			t.Errorf("%v: %x goes to %x directly and to %x by way of float32", l.of, x, direct, twice)
		}
	}
}

func TestE8M0Round(t *testing.T) {
	scale := dtype.F8E8M0
	for k := -127; k < 127; k++ {
		lower, upper := math.Ldexp(1, k), math.Ldexp(1, k+1)
		middle, even := 1.5*lower, lower
		if (k+127)%2 == 1 {
			even = upper
		}
		for x, want := range map[float64]float64{
			math.Nextafter(middle, 0): lower, middle: even, math.Nextafter(middle, upper): upper,
		} {
			if got := scale.Round(x); got != want {
				t.Errorf("Round(%x) = %x, want %x", x, got, want)
			}
		}
	}
	t.Run("below the smallest scale there is only the smallest scale", func(t *testing.T) {
		for _, x := range []float64{0x1p-127, 0x1p-128, 0x1p-1074} {
			if got := scale.Round(x); got != 0x1p-127 {
				t.Errorf("Round(%x) = %x", x, got)
			}
		}
	})
	t.Run("what is no positive number has no scale", func(t *testing.T) {
		for _, x := range []float64{0, math.Copysign(0, -1), -1, math.Inf(-1), math.NaN()} {
			for _, got := range []float64{scale.Round(x), scale.RoundSaturating(x), dtype.RoundUpE8M0(x)} {
				if got == got {
					t.Errorf("%v goes to %v, want NaN", x, got)
				}
			}
		}
	})
	t.Run("the top: half way to 2^128 the even code is the largest", func(t *testing.T) {
		checkTop := func(x, round float64) {
			t.Helper()
			if got := scale.Round(x); !same(got, round) {
				t.Errorf("Round(%x) = %x, want %x", x, got, round)
			}
			if got := scale.RoundSaturating(x); got != 0x1p127 {
				t.Errorf("RoundSaturating(%x) = %x, want 2^127", x, got)
			}
		}
		checkTop(0x1.8p127, 0x1p127)
		checkTop(math.Nextafter(0x1.8p127, math.Inf(1)), math.NaN())
		checkTop(math.Inf(1), math.NaN())
	})
}

func TestRoundUpE8M0(t *testing.T) {
	for k := -127; k <= 127; k++ {
		power := math.Ldexp(1, k)
		above := 2 * power
		if k == 127 {
			above = math.NaN()
		}
		if got := dtype.RoundUpE8M0(power); got != power {
			t.Errorf("RoundUpE8M0(2^%d) = %x", k, got)
		}
		if got := dtype.RoundUpE8M0(math.Nextafter(power, math.Inf(1))); !same(got, above) {
			t.Errorf("RoundUpE8M0 just above 2^%d = %x, want %x", k, got, above)
		}
	}
	if got := dtype.RoundUpE8M0(math.SmallestNonzeroFloat64); got != 0x1p-127 {
		t.Errorf("RoundUpE8M0 of the smallest float64 = %x, want 2^-127", got)
	}
}

func TestSpacing(t *testing.T) {
	for _, l := range layouts {
		values := l.values()
		for code := range len(values) - 1 {
			want := values[code+1] - values[code]
			if got := l.of.Spacing(-values[code]); got != want {
				t.Fatalf("%v: Spacing(%x) = %x, want %x", l.of, values[code], got, want)
			}
		}
		if got, want := l.of.Spacing(1e300), l.of.Spacing(l.of.Max()); got != want {
			t.Errorf("%v: Spacing(1e300) = %x, want that of the last binade, %x", l.of, got, want)
		}
		if got := l.of.Spacing(math.Inf(1)); got == got {
			t.Errorf("%v: Spacing(Inf) = %v, want NaN", l.of, got)
		}
	}
	for _, x := range []float64{0, 1, 1.5, math.Pi, 0x1p-1022, 0x1p-1030, 1e300} {
		if got, want := dtype.F64.Spacing(x), math.Nextafter(x, math.Inf(1))-x; got != want {
			t.Errorf("F64: Spacing(%x) = %x, want %x", x, got, want)
		}
	}
	if got := dtype.I32.Spacing(1000); got != 1 {
		t.Errorf("I32: Spacing(1000) = %v", got)
	}
}

func TestUnitRoundoff(t *testing.T) {
	for of, precision := range map[dtype.Type]int{
		dtype.F64: 53, dtype.F32: 24, dtype.F16: 11, dtype.BF16: 8, dtype.F8E4M3: 4, dtype.F8E5M2: 3, dtype.F8E8M0: 1,
	} {
		if got, want := of.UnitRoundoff(), math.Ldexp(1, -precision); got != want {
			t.Errorf("%v: %v, want 2^-%d", of, got, precision)
		}
	}
	if got := dtype.U8.UnitRoundoff(); got != 0 {
		t.Errorf("U8: %v, want 0", got)
	}
}

func TestRange(t *testing.T) {
	for of, want := range map[dtype.Type][2]float64{
		dtype.F64:    {0x1p-1022, math.MaxFloat64},
		dtype.F32:    {0x1p-126, math.MaxFloat32},
		dtype.F16:    {0x1p-14, 65504},
		dtype.BF16:   {0x1p-126, 0x1.FEp127},
		dtype.F8E4M3: {0x1p-6, 448},
		dtype.F8E5M2: {0x1p-14, 57344},
		dtype.F8E8M0: {0x1p-127, 0x1p127},
		dtype.I32:    {1, math.MaxInt32},
		dtype.Bool:   {1, 1},
	} {
		if got := [2]float64{of.MinNormal(), of.Max()}; got != want {
			t.Errorf("%v: MinNormal and Max are %x, want %x", of, got, want)
		}
	}
}

func TestIntegers(t *testing.T) {
	for _, c := range []struct {
		of                         dtype.Type
		x, want, wantSaturating    float64
		code                       uint64
		nothingToEncode, saturates bool
	}{
		{of: dtype.I32, x: 2.5, want: 2, code: 2},
		{of: dtype.I32, x: -3.5, want: -4, code: 0xFFFF_FFFC},
		{of: dtype.I32, x: math.Copysign(0.25, -1), want: 0, code: 0},
		{of: dtype.I32, x: math.MinInt32, want: math.MinInt32, code: 0x8000_0000},
		{of: dtype.I32, x: math.MaxInt32 + 1, saturates: true, wantSaturating: math.MaxInt32},
		{of: dtype.I64, x: -1, want: -1, code: math.MaxUint64},
		{of: dtype.I64, x: 1 << 63, saturates: true, wantSaturating: 1<<63 - 1024},
		{of: dtype.I64, x: math.Inf(-1), saturates: true, wantSaturating: -1 << 63},
		{of: dtype.U8, x: 255, want: 255, code: 255},
		{of: dtype.U8, x: -1, saturates: true, wantSaturating: 0},
		{of: dtype.Bool, x: 1, want: 1, code: 1},
		{of: dtype.Bool, x: 2, saturates: true, wantSaturating: 1},
	} {
		want := c.want
		if c.saturates {
			want = math.NaN()
		} else {
			c.wantSaturating = want
			standsFor(t, c.of, c.x, c.code, want)
		}
		if got := c.of.Round(c.x); !same(got, want) {
			t.Errorf("%v: Round(%v) = %v, want %v", c.of, c.x, got, want)
		}
		if got := c.of.RoundSaturating(c.x); !same(got, c.wantSaturating) {
			t.Errorf("%v: RoundSaturating(%v) = %v, want %v", c.of, c.x, got, c.wantSaturating)
		}
	}
	if got := dtype.Bool.FromBits(2); got != 1 {
		t.Errorf("BOOL: code 2 is %v, want 1", got)
	}
}

// standsFor wants x to be written as a code, and that to be read as want.
func standsFor(t *testing.T, of dtype.Type, x float64, code uint64, want float64) {
	t.Helper()
	if got := of.Bits(x); got != code {
		t.Errorf("%v: %v is written %#x, want %#x", of, x, got, code)
	}
	if got := of.FromBits(code); !same(got, want) {
		t.Errorf("%v: code %#x is %v, want %v", of, code, got, want)
	}
}

func TestBulk(t *testing.T) {
	t.Run("Encode and Decode are Bits and FromBits in little-endian order", func(t *testing.T) {
		for of := dtype.F64; of <= dtype.Bool; of++ {
			src := []float64{1, 0, 0.75, 1}
			dst := make([]byte, len(src)*of.Size())
			of.Encode(dst, src)
			back := make([]float64, len(src))
			of.Decode(back, dst)
			for i, x := range src {
				var code [8]byte
				copy(code[:], dst[i*of.Size():(i+1)*of.Size()])
				if got, want := binary.LittleEndian.Uint64(code[:]), of.Bits(x); got != want {
					t.Errorf("%v: %v is written %#x, want %#x", of, x, got, want)
				}
				if want := of.Round(x); !same(back[i], want) {
					t.Errorf("%v: %v came back as %v, want %v", of, x, back[i], want)
				}
			}
		}
	})
	t.Run("every code of the 16-bit types survives Decode and Encode, NaN apart", func(t *testing.T) {
		codes := make([]byte, 2<<16)
		for code := range 1 << 16 {
			binary.LittleEndian.PutUint16(codes[2*code:], uint16(code))
		}
		for _, of := range []dtype.Type{dtype.F16, dtype.BF16} {
			values, back := make([]float64, 1<<16), make([]byte, 2<<16)
			of.Decode(values, codes)
			of.Encode(back, values)
			for code, x := range values {
				if got := binary.LittleEndian.Uint16(back[2*code:]); int(got) != code && x == x {
					t.Fatalf("%v: code %#x came back as %#x", of, code, got)
				}
			}
		}
	})
}

func TestNames(t *testing.T) {
	for of := dtype.F64; of <= dtype.Bool; of++ {
		if got, err := dtype.Parse(of.String()); err != nil || got != of {
			t.Errorf("Parse(%q) = %v, %v", of.String(), got, err)
		}
	}
	if _, err := dtype.Parse("F4"); err == nil || !strings.Contains(err.Error(), `"F4"`) ||
		!strings.Contains(err.Error(), "BF16") {
		t.Errorf("Parse(F4) says %v", err)
	}
	if _, err := dtype.Parse("INVALID"); err == nil {
		t.Error("Parse(INVALID) gives no error")
	}
	if dtype.I64.Float() || !dtype.BF16.Float() || !dtype.F8E8M0.Float() || dtype.Invalid.Float() {
		t.Error("Float is wrong of one of I64, BF16, F8_E8M0, Invalid")
	}
	if got := dtype.Type(77).String(); got != "dtype.Type(77)" {
		t.Errorf("String of no type = %q", got)
	}
}

func TestPanics(t *testing.T) {
	for want, call := range map[string]func(){
		"dtype: length mismatch":            func() { dtype.F32.Encode(make([]byte, 3), make([]float64, 1)) },
		"dtype: length mismatch ":           func() { dtype.F32.Decode(make([]float64, 2), make([]byte, 4)) },
		"dtype: no code in an integer type": func() { dtype.U8.Bits(256) },
		"dtype: invalid type":               func() { dtype.Invalid.Round(1) },
		"dtype: invalid type ":              func() { dtype.Invalid.FromBits(1) },
		"dtype: invalid type  ":             func() { dtype.Invalid.Encode(nil, nil) },
		"dtype: invalid type   ":            func() { dtype.Invalid.Decode(nil, nil) },
		"dtype: invalid type    ":           func() { dtype.Invalid.Bits(1) },
	} {
		func() {
			defer func() {
				if got := recover(); got != strings.TrimSpace(want) {
					t.Errorf("panic %v, want %q", got, want)
				}
			}()
			call()
		}()
	}
}

func TestRoundProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		of := dtype.Type(rapid.IntRange(int(dtype.F64), int(dtype.F8E5M2)).Draw(t, "type"))
		x := rapid.Float64().Draw(t, "x")
		y := rapid.Float64().Draw(t, "y")
		r := of.Round(x)
		if !same(of.Round(r), r) {
			t.Errorf("%v: rounding %x again gives %x", of, r, of.Round(r))
		}
		if !same(of.Round(-x), -r) {
			t.Errorf("%v: rounding %x and its negative gives %x and %x", of, x, r, of.Round(-x))
		}
		if math.Abs(x) <= of.Max() && math.Abs(x-r) > of.Spacing(x)/2 {
			t.Errorf("%v: %x moved to %x, more than half of %x", of, x, r, of.Spacing(x))
		}
		if x <= y && r > of.Round(y) {
			t.Errorf("%v: %x ≤ %x but %x > %x", of, x, y, r, of.Round(y))
		}
	})
}

func ExampleType_Round() {
	fmt.Println(dtype.BF16.Round(math.Pi), dtype.BF16.Spacing(math.Pi))
	fmt.Println(dtype.F8E4M3.Round(464), dtype.F8E4M3.Round(465), dtype.F8E4M3.RoundSaturating(465))
	fmt.Println(dtype.RoundUpE8M0(0.3))
	// Output:
	// 3.140625 0.015625
	// 448 NaN 448
	// 0.5
}

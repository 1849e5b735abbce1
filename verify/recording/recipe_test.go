package recording

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

func pointer(x float32) *float32 { return &x }

func TestSplitmix64(t *testing.T) {
	// The published outputs for seed 0.
	for i, want := range []uint64{
		0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC, 0x1B39896A51A8749B,
	} {
		if got := splitmix64(0, uint64(i)); got != want {
			t.Errorf("output %d: %#016x, want %#016x", i, got, want)
		}
	}
}

// The hashes come from a program of its own, in Python, with exact rational numbers and integers of
// any length.
var recipes = []Recipe{
	{
		Type: dtype.BF16, Dist: "normal", Seed: 7, Exp2: -2,
		SHA256: "cea8f6069590925ac2373182fcb0c111f4359e9d6c38752211f555ca38db4b35",
	},
	{
		Type: dtype.F32, Dist: "normal", Seed: 1, Exp2: 3, Shift: pointer(0.1),
		SHA256: "813a5590b6a17ab6424db173624b1d63bc8660afa0203cb0d321a1a8cf65ffd1",
	},
	{
		Type: dtype.F16, Dist: "uniform", Seed: math.MaxUint64,
		SHA256: "e398141bde702246f025154d72fce3c0c3882080bb50800d35f4e0862aa03bc1",
	},
	{
		Type: dtype.F64, Dist: "uniform", Seed: 5, Exp2: -900,
		SHA256: "cc3808e1ad068f0cc8ff2f575b1e781c759cb6fc074f94419315577cb4376dbf",
	},
	{
		Type: dtype.F8E4M3, Dist: "normal", Seed: 9, Exp2: 4,
		SHA256: "3096b65669e8325f789104eb39adb936b901476e397ac9d68e8a645ba2dd3d61",
	},
	{
		Type: dtype.F8E5M2, Dist: "uniform", Seed: 11, Exp2: -12,
		SHA256: "302374e4175a478a3c40cb9667241f38104ffbc722bfd4f3343b93a2964d5503",
	},
	{
		Type: dtype.BF16, Dist: "uniform", Seed: 3, Exp2: -7, Shift: pointer(1),
		SHA256: "ed24b5b4ef614ff811acad87fb9f12dc30f7f97ecce686639c054302b008c849",
	},
	{
		Type: dtype.I64, Dist: "ints", Seed: 2, Lo: -1 << 53, Hi: 1 << 53,
		SHA256: "4bfebc99bd708bed5b2b2b508adfa3eaeb7003c51c01630ea578cd05b98fa7b3",
	},
	{
		Type: dtype.I32, Dist: "ints", Seed: 4, Lo: -5, Hi: 1_000_003,
		SHA256: "0ccb0b362503f23b2eb6a1071a67e70d984d25d81509d4c27c3b4fb834681502",
	},
	{
		Type: dtype.U8, Dist: "ints", Seed: 6, Lo: 0, Hi: 256,
		SHA256: "b5dfe971b11e807b1731a0a046f85b8fb2268ce518c122a3553ab2f9380b2626",
	},
	{
		Type: dtype.Bool, Dist: "ints", Seed: 8, Lo: 0, Hi: 2,
		SHA256: "320bf270e20fdb5db024b7a812855e23512abb408ca7c5fe88e19b0cbb0e3bf9",
	},
	{
		Type: dtype.F32, Dist: "ints", Seed: 8, Exp2: -1, Lo: -3, Hi: 3,
		SHA256: "11f18d0c05cae75cebdd26674697767568aefb2324106838f7d46a15c91ea534",
	},
	{
		Type: dtype.I32, Dist: "permutation", Seed: 10,
		SHA256: "5dcdb839bafc05cb4413ddbac25ccacb584b9463e6541d74042c6dc0c70f32ff",
	},
	{
		Type: dtype.I64, Dist: "permutation", Seed: 0, Exp2: 1, Shift: pointer(-7),
		SHA256: "90de5f018906eeb5c72e0952e43e2626d83c571429392d15b58a9604717776f3",
	},
}

func TestRecipesMakeTheBitsOfAnotherProgram(t *testing.T) {
	for _, rc := range recipes {
		rc.Shape = []int{1000}
		t.Run(fmt.Sprint(rc.Type, " ", rc.Dist), func(t *testing.T) {
			r := New("test")
			if err := r.Generate("x", rc); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Tensor("x"); err != nil {
				t.Error(err)
			}
		})
	}
}

// plainRecipe makes the values before rounding from the words of the format, one element at a time,
// in exact numbers.
func plainRecipe(rc Recipe) []*big.Rat {
	n := tensor.New(rc.Shape...).Len()
	values := make([]*big.Rat, n)
	for i := range values {
		values[i] = big.NewRat(int64(i), 1)
	}
	for i := n - 1; i >= 0; i-- {
		word := plainWord(rc.Seed, i)
		whole := new(big.Int).SetUint64(word)
		switch rc.Dist {
		case "uniform":
			values[i] = big.NewRat(int64(word/(1<<40))-8388608, 8388608)
		case "normal":
			values[i] = big.NewRat(plainNormal(word), 32768)
		case "ints":
			span := new(big.Int).Sub(big.NewInt(rc.Hi), big.NewInt(rc.Lo))
			values[i] = new(big.Rat).SetInt(whole.Mod(whole, span).Add(whole, big.NewInt(rc.Lo)))
		case "permutation":
			j := whole.Mod(whole, big.NewInt(int64(i)+1)).Int64()
			values[i], values[j] = values[j], values[i]
		}
	}
	return values
}

// plainWord returns output i of splitmix64.
func plainWord(seed uint64, i int) uint64 {
	state := seed
	for range i + 1 {
		state += 0x9E3779B97F4A7C15
	}
	z := state
	z ^= z >> 30
	z *= 0xBF58476D1CE4E5B9
	z ^= z >> 27
	z *= 0x94D049BB133111EB
	z ^= z >> 31
	return z
}

// plainNormal adds the four 16-bit fields of a word, and centres the sum.
func plainNormal(word uint64) int64 {
	var fields [8]byte
	binary.BigEndian.PutUint64(fields[:], word)
	sum := int64(-131070)
	for k := 0; k < 8; k += 2 {
		sum += int64(fields[k])<<8 + int64(fields[k+1])
	}
	return sum
}

// scaled returns v·2^exp2 + shift.
func scaled(v *big.Rat, rc Recipe) *big.Rat {
	power := new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(max(rc.Exp2, -rc.Exp2))))
	if rc.Exp2 < 0 {
		power.Inv(power)
	}
	v = new(big.Rat).Mul(v, power)
	if rc.Shift != nil {
		v.Add(v, new(big.Rat).SetFloat64(float64(*rc.Shift)))
	}
	return v
}

// drawUnedited draws a recipe of up to 40 elements, without edits.
func drawUnedited(t *rapid.T) Recipe {
	rc := Recipe{
		Type:  dtype.Type(rapid.IntRange(int(dtype.F64), int(dtype.I32)).Draw(t, "type")),
		Shape: []int{rapid.IntRange(0, 40).Draw(t, "n")},
		Seed:  rapid.Uint64().Draw(t, "seed"),
	}
	if !rc.Type.Float() {
		rc.Dist = rapid.SampledFrom([]string{"ints", "permutation"}).Draw(t, "integers")
	} else {
		rc.Dist = rapid.SampledFrom([]string{"uniform", "normal", "ints"}).Draw(t, "values")
		rc.Exp2 = rapid.IntRange(-20, 20).Draw(t, "exp2")
		if rapid.Bool().Draw(t, "shifted") {
			rc.Shift = pointer(rapid.Float32Range(-4, 4).Draw(t, "shift"))
		}
	}
	if rc.Dist == "ints" {
		rc.Lo = rapid.Int64Range(-1000, 1000).Draw(t, "lo")
		rc.Hi = rc.Lo + rapid.Int64Range(1, 1<<31-1001).Draw(t, "span")
	}
	return rc
}

func TestRecipesAgreeWithThePlainReading(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rc := drawUnedited(t)
		r := New("test")
		if err := r.Generate("x", rc); err != nil {
			t.Fatal(err)
		}
		got, err := r.Tensor("x")
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range plainRecipe(rc) {
			// The sum is the nearest float64 to the exact one: Float64 rounds to nearest even.
			sum, _ := scaled(v, rc).Float64()
			if want := rc.Type.Round(sum); !sameFloat(got.Data[i], want) ||
				math.Signbit(got.Data[i]) != math.Signbit(want) {
				t.Fatalf("element %d: %v, want %v", i, got.Data[i], want)
			}
		}
	})
}

func TestRecipesTakeTheirBitsIntoTheFile(t *testing.T) {
	r := New("test")
	names := "abcdefghijklmnopqrstuvwxyz"
	for i, rc := range recipes {
		rc.Shape = []int{1000}
		if err := r.Generate(names[i:i+1], rc); err != nil {
			t.Fatal(err)
		}
	}
	edited := Recipe{Type: dtype.F64, Shape: []int{2, 2}, Dist: "uniform", Shift: pointer(0.1), Edits: []Edit{
		{[]int{0}, nonFinite["nan"]}, {[]int{1, 0}, math.Inf(1)}, {[]int{1, 1}, math.Inf(-1)}, {[]int{0, 1}, 0.1}}}
	if err := r.Generate("z", edited); err != nil {
		t.Fatal(err)
	}
	b := written(t, r)
	again := mustRead(t, b)
	sameRecording(t, again, r)
	for _, name := range again.Inputs() {
		if _, err := again.Tensor(name); err != nil {
			t.Error(err)
		}
	}
	if !bytes.Contains(b, []byte(`\"shift\":0.10000000149011612`)) {
		t.Error("the shift is not written as the float32 it is")
	}
}

func TestEdits(t *testing.T) {
	x := func(typ dtype.Type, shape []int, edits ...Edit) (*tensor.Tensor, error) {
		r := New("test")
		rc := Recipe{Type: typ, Shape: shape, Dist: "ints", Lo: 1, Hi: 2, Edits: edits}
		if err := r.Generate("x", rc); err != nil {
			return nil, err
		}
		return r.Tensor("x")
	}
	t.Run("one element, rounded into the type", func(t *testing.T) {
		got, err := x(dtype.BF16, []int{2, 2}, Edit{[]int{1, 0}, 2.001})
		if err != nil || !slices.Equal(got.Data, []float64{1, 1, 2, 1}) {
			t.Error(got, err)
		}
	})
	t.Run("a shorter index sets all beneath it", func(t *testing.T) {
		got, err := x(dtype.F32, []int{2, 3}, Edit{[]int{1}, 5}, Edit{[]int{1, 1}, 7})
		if err != nil || !slices.Equal(got.Data, []float64{1, 1, 1, 5, 7, 5}) {
			t.Error(got, err)
		}
		got, err = x(dtype.F32, []int{3}, Edit{nil, 5})
		if err != nil || !slices.Equal(got.Data, []float64{5, 5, 5}) {
			t.Error(got, err)
		}
	})
	t.Run("a scalar", func(t *testing.T) {
		got, err := x(dtype.F32, nil, Edit{[]int{}, -0.5})
		if err != nil || got.Data[0] != -0.5 {
			t.Error(got, err)
		}
	})
	t.Run("the codes of what is not finite", func(t *testing.T) {
		for typ, want := range map[dtype.Type]string{
			dtype.F64: "000000000000f87f" + "000000000000f0ff", dtype.F32: "0000c07f" + "000080ff",
			dtype.BF16: "c07f" + "80ff",
			dtype.F16:  "007e" + "00fc", dtype.F8E5M2: "7e" + "fc",
		} {
			b, _ := hex.DecodeString(want)
			sum := sha256.Sum256(b)
			r := New("test")
			edits := []Edit{{[]int{0}, nonFinite["nan"]}, {[]int{1}, math.Inf(-1)}}
			if err := r.Generate(
				"x",
				Recipe{Type: typ, Shape: []int{2}, Dist: "uniform", Edits: edits, SHA256: hex.EncodeToString(sum[:])},
			); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Tensor("x"); err != nil {
				t.Error(typ, err)
			}
		}
	})
	t.Run("what is wrong with one", func(t *testing.T) {
		for _, test := range []struct {
			typ  dtype.Type
			edit Edit
			want string
		}{
			{dtype.F32, Edit{[]int{0, 0, 0}, 1}, `edits: number 0: index [0 0 0], want at most 2 axes`},
			{dtype.F32, Edit{[]int{0, 3}, 1}, `edits: number 0: index [0 3], want it within shape [2 3]`},
			{dtype.F32, Edit{[]int{-1, 0}, 1}, `edits: number 0: index [-1 0], want it within shape [2 3]`},
			{dtype.F8E4M3, Edit{[]int{0, 0}, math.Inf(1)}, `edits: number 0: value +Inf, want one that F8_E4M3 has`},
			{dtype.I32, Edit{[]int{0, 0}, 0.5}, `edits: number 0: value 0.5, want one that I32 has`},
			{dtype.I32, Edit{[]int{0, 0}, 1 << 31}, `want one that I32 has`},
			{dtype.I64, Edit{[]int{0, 0}, 1 << 54}, `want one that I64 has`},
			{dtype.I64, Edit{[]int{0, 0}, math.NaN()}, `value NaN, want one that I64 has`},
		} {
			_, err := x(test.typ, []int{2, 3}, test.edit)
			wantError(t, err, `test: tensor "x": generated: `)
			wantError(t, err, test.want)
		}
	})
}

func TestAWrongHashIsAMismatch(t *testing.T) {
	zeros := strings.Repeat("0", 64)
	r := New("test")
	if err := r.Generate(
		"q", Recipe{Type: dtype.BF16, Shape: []int{1000}, Dist: "normal", Seed: 7, Exp2: -2, SHA256: zeros},
	); err != nil {
		t.Fatal(err)
	}
	_, err := mustRead(t, written(t, r)).Tensor("q")
	if !errors.Is(err, ErrMismatch) {
		t.Error("not ErrMismatch")
	}
	wantError(
		t, err,
		`x.safetensors: tensor "q": sha256 mismatch: made `+
			`cea8f6069590925ac2373182fcb0c111f4359e9d6c38752211f555ca38db4b35, want `+zeros,
	)
}

func TestUpperCaseHashesAreHashes(t *testing.T) {
	recipe := `{"q":{"dtype":"BF16","shape":[1000],"dist":"normal","seed":7,"exp2":-2,"sha256":"` +
		strings.ToUpper(recipes[0].SHA256) + `"}}`
	if _, err := mustRead(t, file(withMetadata("generated", recipe))).Tensor("q"); err != nil {
		t.Error(err)
	}
}

// generatedFile returns a file with one generated input "q"; fields replace those of a right
// recipe, and "" removes one.
func generatedFile(replace map[string]string) []byte {
	fields := map[string]string{
		"dtype": `"U8"`, "shape": `[2]`, "dist": `"ints"`, "seed": `1`, "lo": `0`, "hi": `5`,
		"sha256": `"` + strings.Repeat("0", 64) + `"`,
	}
	for key, value := range replace {
		fields[key] = value
	}
	var members []string
	for key, value := range fields {
		if value != "" {
			members = append(members, `"`+key+`":`+value)
		}
	}
	slices.Sort(members)
	return file(withMetadata("generated", `{"q":{`+strings.Join(members, ",")+`}}`))
}

func TestHostileRecipesAreErrors(t *testing.T) {
	const m = `x.safetensors: __metadata__: generated: tensor "q": `
	mustRead(t, generatedFile(nil))
	type fields = map[string]string
	for _, test := range []struct {
		name   string
		fields fields
		want   string
	}{
		{"unknown key", fields{"sd": `1`}, m + `sd: unknown key`},
		{"key twice", fields{"seed": `1,"seed":1`}, m + `duplicate key "seed"`},
		{"no dtype", fields{"dtype": ""}, m + `dtype: missing`},
		{"no shape", fields{"shape": ""}, m + `shape: missing`},
		{"no dist", fields{"dist": ""}, m + `lo, hi: with dist "", want them with ints only`},
		{"no seed", fields{"seed": ""}, m + `seed: missing`},
		{"no lo", fields{"lo": ""}, m + `lo: missing`},
		{"no hi", fields{"hi": ""}, m + `hi: missing`},
		{"no sha256", fields{"sha256": ""}, m + `sha256: missing`},
		{"empty sha256", fields{"sha256": `""`}, m + `sha256: empty`},
		{"short sha256", fields{"sha256": `"00"`}, m + `sha256: "00", want 64 hexadecimal digits`},
		{"sha256 of other digits", fields{"sha256": `"` + strings.Repeat("g", 64) + `"`}, `want 64 hexadecimal digits`},
		{"unknown dtype", fields{"dtype": `"F4"`}, m + `dtype: element type "F4": unknown`},
		{
			"unknown dist", fields{"dist": `"gauss"`, "lo": "", "hi": ""},
			m + `dist: "gauss", want uniform, normal, ints or permutation`,
		},
		{
			"lo without ints", fields{"dist": `"uniform"`, "hi": ""},
			m + `lo, hi: with dist "uniform", want them with ints only`,
		},
		{"lo = hi", fields{"lo": `5`}, m + `lo, hi: 5 and 5, want lo < hi`},
		{"lo > hi", fields{"lo": `6`}, m + `lo, hi: 6 and 5, want lo < hi`},
		{
			"lo beyond 2^53", fields{"lo": `-9007199254740993`},
			m + `lo: -9007199254740993, want an integer from -9007199254740992 to 9007199254740992`,
		},
		{
			"hi - lo that overflows", fields{"lo": `-9223372036854775808`, "hi": `9223372036854775807`},
			m + `hi: 9223372036854775807, want an integer`,
		},
		{"negative seed", fields{"seed": `-1`}, m + `seed: -1, want an integer from 0 to 2^64`},
		{"seed of 2^64", fields{"seed": `18446744073709551616`}, m + `seed: 18446744073709551616, want`},
		{"fractional seed", fields{"seed": `1.0`}, m + `seed: 1.0, want`},
		{"seed a string", fields{"seed": `"1"`}, m + `seed: string "1", want a number`},
		{"exp2 of 901", fields{"exp2": `901`}, m + `exp2: 901, want an integer from -900 to 900`},
		{"fractional exp2", fields{"exp2": `0.5`}, m + `exp2: 0.5, want an integer`},
		{"shift beyond float32", fields{"shift": `1e39`}, m + `shift: 1e39, want a float32`},
		{"shift null", fields{"shift": `null`}, m + `shift: null, want a number`},
		{"negative axis", fields{"shape": `[-1]`}, m + `shape: -1, want an integer`},
		{
			"permutation of a float", fields{"dtype": `"F32"`, "dist": `"permutation"`, "lo": "", "hi": ""},
			m + `dist: permutation of shape [2] and dtype F32`,
		},
		{
			"permutation of a matrix", fields{"shape": `[2,1]`, "dist": `"permutation"`, "lo": "", "hi": ""},
			m + `dist: permutation of shape [2 1]`,
		},
		{
			"too many elements", fields{"shape": `[68719476737,1]`},
			m + `shape: 68719476737, want an integer from 0 to 2147483647`,
		},
		{
			"too many elements in all", fields{"shape": `[65537,1048576]`},
			m + `68720525312 generated elements in the recording so far, want at most 68719476736`,
		},
		{
			"a permutation too long to be held", fields{
				"shape": `[268435457]`, "dist": `"permutation"`, "lo": "", "hi": "",
			},
			m + `dist: permutation of 268435457 elements, want at most 268435456`,
		},
		{
			"far too many elements", fields{"shape": `[65536,65536,65536,65536]`},
			m + `shape [65536 65536 65536 65536]: negative or more than`,
		},
		{
			"too many edited",
			fields{"shape": `[32768,1048576]`, "edits": `[{"index":[],"value":0},{"index":[0,0],"value":0}]`},
			m + `68719476737 generated elements`,
		},
		{"edits an object", fields{"edits": `{}`}, m + `edits: an object, want an array`},
		{
			"edit with an unknown key", fields{"edits": `[{"index":[0],"values":0}]`},
			m + `edits: number 0: "values": unknown key`,
		},
		{"edit without value", fields{"edits": `[{"index":[0]}]`}, m + `edits: number 0: want index and value`},
		{"edit without index", fields{"edits": `[{"value":0}]`}, m + `edits: number 0: want index and value`},
		{
			"edit out of bounds", fields{"edits": `[{"index":[0],"value":0},{"index":[2],"value":0}]`},
			m + `edits: number 1: index [2], want it within shape [2]`,
		},
		{
			"edit of an unknown word", fields{"edits": `[{"index":[0],"value":"NaN"}]`},
			m + `edits: number 0: "value": string "NaN", want a number, "nan", "inf" or "-inf"`,
		},
		{
			"edit beyond float64", fields{"edits": `[{"index":[0],"value":1e999}]`},
			m + `edits: number 0: "value": number 1e999, want a number`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := readBytes(generatedFile(test.fields))
			wantError(t, err, test.want)
		})
	}
	other := map[string]string{
		`[]`:                      `__metadata__: generated: an array, want an object`,
		`{"out.o":{}}`:            `generated: tensor "out.o": `,
		`{"q":1}`:                 `generated: tensor "q": number 1, want an object`,
		`{"q":{"edits":[[[[]]]}}`: `generated: tensor "q": edits: number 0: an array, want an object`,
		`{} x`:                    `generated: more text after the JSON value`,
	}
	for generated, want := range other {
		_, err := readBytes(file(withMetadata("generated", generated)))
		wantError(t, err, want)
	}
}

func TestGeneratedNames(t *testing.T) {
	right := Recipe{Type: dtype.F32, Shape: []int{2}, Dist: "normal"}
	recipe := `{"dtype":"U8","shape":[2],"dist":"uniform","seed":1,"sha256":"` + strings.Repeat("0", 64) + `"}`
	t.Run("outputs are not generated", func(t *testing.T) {
		wantError(
			t, New("test").Generate("out.o", right), `test: tensor "out.o": generated: an output, want inputs only`,
		)
		_, err := readBytes(file(withMetadata("generated", `{"out.o":`+recipe+`}`)))
		wantError(t, err, `generated: tensor "out.o": an output, want inputs only`)
	})
	t.Run("a name is needed", func(t *testing.T) {
		wantError(t, New("test").Generate("", right), `tensor "": not a tensor's name`)
	})
	t.Run("a name comes once", func(t *testing.T) {
		_, err := readBytes(file(withMetadata("generated", `{"q":`+recipe+`,"q":`+recipe+`}`)))
		wantError(t, err, `generated: duplicate key "q"`)
	})
	t.Run("stored or generated, not both", func(t *testing.T) {
		header := strings.TrimSuffix(
			withMetadata("generated", `{"q":`+recipe+`}`), "}",
		) + `,"q":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`
		_, err := readBytes(file(header, 1, 2))
		wantError(t, err, `x.safetensors: __metadata__: generated: tensor "q": stored as well`)
	})
}

func TestGenerateSaysWhatIsWrong(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	longBesideEmpty, long := "shape [0 -1]", -1 // a 32-bit processor has no longer axis than is allowed
	if bits.UintSize == 64 {
		longBesideEmpty, long = fmt.Sprintf("shape [0 %d]", math.MaxInt), math.MaxInt
	}
	for want, rc := range map[string]Recipe{
		`dtype: missing`:                       {Shape: []int{2}, Dist: "normal"},
		`shape [-2]: negative`:                 {Type: dtype.F32, Shape: []int{-2}, Dist: "normal"},
		`: more than 16 axes`:                  {Type: dtype.F32, Shape: make([]int, 17), Dist: "normal"},
		longBesideEmpty + `: negative or more`: {Type: dtype.F32, Shape: []int{0, long}, Dist: "normal"},
		`dist: "", want`:                       {Type: dtype.F32},
		`shift: NaN, want a finite number`:     {Type: dtype.F32, Dist: "normal", Shift: &nan},
		`shift: +Inf, want a finite number`:    {Type: dtype.F32, Dist: "normal", Shift: &inf},
		`exp2: -901, want -900 to 900`:         {Type: dtype.F32, Dist: "normal", Exp2: -901},
		`lo, hi: with dist "normal"`:           {Type: dtype.F32, Dist: "normal", Hi: 1},
		`lo, hi: 0 and 9007199254740993, want`: {Type: dtype.F32, Dist: "ints", Hi: maxExact + 1},
		`sha256: "xyz"`:                        {Type: dtype.F32, Dist: "normal", SHA256: "xyz"},
		`index [0]: value 256, want an integer that`: {
			Type: dtype.U8, Shape: []int{1}, Dist: "ints", Lo: 256, Hi: 257,
		},
		`index [1 0]: value 0.5, want an integer tha`: {
			Type: dtype.I32, Shape: []int{2, 1}, Dist: "ints", Hi: 2, Exp2: -1, Seed: 6,
		},
		`index []: value -9.007199254740994e+15, wan`: {
			Type: dtype.I64, Dist: "ints", Lo: -maxExact, Hi: -maxExact + 1, Shift: pointer(-2),
		},
	} {
		t.Run(want, func(t *testing.T) {
			err := New("test").Generate("x", rc)
			wantError(t, err, `test: tensor "x": generated: `)
			wantError(t, err, want)
		})
	}
	t.Run("the sum over a recording", func(t *testing.T) {
		r := New("test")
		r.limit = 10
		rc := Recipe{Type: dtype.F32, Shape: []int{6}, Dist: "normal"}
		for range 3 { // replacing does not add up
			if err := r.Generate("a", rc); err != nil {
				t.Fatal(err)
			}
		}
		wantError(t, r.Generate("b", rc), `12 generated elements in the recording so far, want at most 10`)
		r.Delete("a")
		if err := r.Generate("b", rc); err != nil {
			t.Error(err)
		}
	})
	t.Run("a recipe that fails changes nothing", func(t *testing.T) {
		r := New("test")
		r.Set("x", dtype.F32, tensor.New(3))
		if err := r.Generate("x", Recipe{Type: dtype.U8, Shape: []int{2}, Dist: "uniform"}); err == nil {
			t.Fatal("no error")
		}
		if _, ok := r.Recipe("x"); ok || !slices.Equal(r.Shape("x"), []int{3}) || r.generated != 0 {
			t.Error("changed")
		}
	})
	t.Run("the caller's recipe stays the caller's", func(t *testing.T) {
		r := New("test")
		rc := Recipe{Type: dtype.F32, Shape: []int{2}, Dist: "normal", Shift: pointer(1), Edits: []Edit{{[]int{0}, 1}}}
		if err := r.Generate("x", rc); err != nil {
			t.Fatal(err)
		}
		before, _ := r.Recipe("x")
		rc.Shape[0], *rc.Shift, rc.Edits[0].Index[0] = 7, 7, 1
		if after, _ := r.Recipe("x"); !reflect.DeepEqual(before, after) {
			t.Error(before, after)
		}
	})
}

// BenchmarkGenerate makes and checks the key-value cache of a full-size DeepSeek-V3 decode: 4
// requests of 4096 tokens, 576 wide.
func BenchmarkGenerate(b *testing.B) {
	for _, typ := range []dtype.Type{dtype.BF16, dtype.F32, dtype.F8E4M3} {
		b.Run(typ.String(), func(b *testing.B) {
			r := New("mla.decode")
			if err := r.Generate(
				"kv_cache", Recipe{Type: typ, Shape: []int{256, 64, 1, 576}, Dist: "normal", Seed: 1, Exp2: -2},
			); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(256 * 64 * 576 * int64(typ.Size()))
			for b.Loop() {
				if _, err := r.Tensor("kv_cache"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

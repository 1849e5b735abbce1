package fp8_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	_ "plumbline/verify/emulate/all"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// named says how the verdict names each mistake of a quantiser, where it has words for it.
var named = map[string]string{
	"scale-inverse":       "each of the scales would be right as its inverse",
	"scale-rounded-up":    "each of the codes would be right with its scale not rounded up to a power of two",
	"scale-truncated":     "each of the scales would be right rounded down to a power of two",
	"scale-of-next-block": "each of the scales would be right for the block behind it",
	"scales-transposed":   "each of the scales would be right in column-major order",
	"scale-by-logarithm":  "each of the scales would be right rounded down to a power of two",
	"floor-missing":       "each of the scales would be right without the floor",
	"amax-of-row":         "each of the scales would be right for the largest number of its whole row of blocks",
	"amax-of-tensor":      "each of the scales would be right for the largest number of the whole tensor",
	"codes-truncated":     "each of the codes would be right truncated, not rounded",
	"codes-half-up":       "each of the codes would be right if ties went away from zero",
	"saturated-at-256":    "each of the codes would be right if the largest number stood for all from 256 on",
	"codes-fnuz":          "each of the codes would be right in the bytes of the FNUZ format, which mean half",
	"recipe-other":        "which is not the one that is declared",
}

// TestMistakesOfCastsAreNamed: nine of ten times the words for a mistake are there; an infinity in
// the input, for one, makes scales of which nobody knows what they are.
func TestMistakesOfCastsAreNamed(t *testing.T) {
	for mistake, want := range named {
		t.Run(mistake, func(t *testing.T) {
			t.Parallel()
			found, of := 0, 0
			for seed := uint64(0); seed < 200 && of < check.Times(40, 5); seed++ {
				said := said(seed, mistake)
				if said == "" {
					continue
				}
				if of++; strings.Contains(said, want) {
					found++
				} else {
					t.Logf("seed %d: %s", seed, said)
				}
			}
			if of < 3 || 10*(of-found) > max(10, of) {
				t.Errorf("named in %d of %d verdicts", found, of)
			}
		})
	}
}

// said returns what the verdict says of a mistake on a request, nothing where it does not show.
func said(seed uint64, mistake string) string {
	wrong, err := emulate.Run(emulate.Request("fp8.cast", seed), emulate.Config{Mistake: mistake})
	if errors.Is(err, emulate.ErrHidden) {
		return ""
	}
	optest.Must(err)
	v := op.Judge(wrong)
	if v.Status != verdict.Unexplained {
		return ""
	}
	return words(v)
}

// words are all reasons of a verdict.
func words(v verdict.Verdict) string {
	var all []string
	for _, o := range v.Outputs {
		all = append(all, o.Reasons...)
	}
	return strings.Join(all, "\n")
}

// quantised is a recording of a right kernel on numbers that lie evenly.
func quantised(attrs map[string]any) *recording.Recording {
	request := recording.New("fp8.cast")
	request.Name = "cast"
	x := tensor.New(4, 256)
	for i := range x.Data {
		x.Data[i] = math.Sin(float64(i*i)) * math.Exp(float64(i%5))
	}
	request.Set("x", dtype.F32, x)
	request.Attrs = attrs
	rec, err := emulate.Run(request, emulate.Config{})
	optest.Must(err)
	return rec
}

// TestOtherWaysOfCasting are those that no emulated kernel takes.
func TestOtherWaysOfCasting(t *testing.T) {
	for _, c := range []struct {
		output, want string
		attrs        map[string]any
		change       func(i int, x float64) float64
	}{
		{
			"scale", "for a format whose largest number is 240", nil,
			func(_ int, s float64) float64 { return dtype.F32.Round(s * 448 / 240) },
		},
		{
			"scale", "rounded up to a power of two, which is UE8M0", nil,
			func(_ int, s float64) float64 { return dtype.RoundUpE8M0(s) },
		},
		{
			"scale", "rounded to the nearest power of two", map[string]any{"scale": "UE8M0"},
			func(i int, s float64) float64 { return s / []float64{1, 1, 2, 1, 1, 1, 2, 1}[i] },
		},
	} {
		rec := quantised(c.attrs)
		changeOutput(rec, c.output, c.change)
		if v := optest.Judge(t, rec); !strings.Contains(words(v), c.want) {
			t.Errorf("%s: want %q, have: %s", v.Status, c.want, words(v))
		}
	}
}

// TestOverflowingCodes: under scales that are too small, codes that are too large are the largest
// one, or NaN where the format is not saturated.
func TestOverflowingCodes(t *testing.T) {
	rec := quantised(map[string]any{"scale": "UE8M0"})
	rec, err := emulate.Run(rec, emulate.Config{Mistake: "scale-truncated"})
	optest.Must(err)
	scales, err := rec.Tensor("out.scale")
	optest.Must(err)
	x, err := rec.Tensor("x")
	optest.Must(err)
	changeOutput(rec, "q", func(i int, _ float64) float64 { return dtype.F8E4M3.Round(x.Data[i] / scales.Data[i/128]) })
	if v, want := optest.Judge(t, rec), "if what is too large became NaN"; !strings.Contains(words(v), want) {
		t.Errorf("%s: want %q, have: %s", v.Status, want, words(v))
	}
}

func changeOutput(rec *recording.Recording, name string, change func(i int, x float64) float64) {
	x, err := rec.Tensor("out." + name)
	optest.Must(err)
	rec.Set("out."+name, rec.Type("out."+name), changed(x, change))
}

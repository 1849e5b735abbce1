package main

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// write records a function whose results are off by what is said: at 1.5 by so many last places,
// and elsewhere by nothing.
func write(t *testing.T, folder, name string, off, counted float64) {
	t.Helper()
	truth := math.Exp2(1.5)
	y := truth + off*0x1p-22 // 2 ≤ 2^1.5 < 4
	rec := recording.New("probe.function")
	rec.Attrs["function"] = name
	set := func(tensorName string, x ...float64) { rec.Set(tensorName, dtype.F32, tensor.Of(x, len(x))) }
	set("x", 0, 1)
	set("out.y", 1, 2)
	set("worst_x", 1.5, -150, 3)
	set("out.worst_y", y, 0, 8)
	set("worst_ulps", counted, math.Exp2(-1), 0)
	set("absolute_x", 1.5, 0, 3)
	set("out.absolute_y", y, 1, 8)
	set("absolute", off*0x1p-22, 0, 0)
	if err := rec.Save(filepath.Join(folder, "function-"+name+".safetensors")); err != nil {
		t.Fatal(err)
	}
}

func TestLineOfAFunction(t *testing.T) {
	folder := t.TempDir()
	stored := func(off float64) float64 { // float32 rounds what is written
		truth := math.Exp2(1.5)
		return math.Abs(float64(float32(truth+off*0x1p-22))-truth) / 0x1p-22
	}
	write(t, folder, "ex2.approx.ftz.f32", 5, stored(5))
	var out strings.Builder
	if err := judgeFolder(folder, &out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines, want a head and one function:\n%s", len(lines), out.String())
	}
	got := strings.Fields(lines[1])
	if got[0] != "ex2.approx.ftz.f32" || got[2] != "1.5" || got[5] != "0" || got[6] != "0" {
		t.Errorf("found %v", got)
	}
	if want := fmt.Sprintf("%.4g", stored(5)); got[1] != want {
		t.Errorf("largest error %s, want %s last places", got[1], want)
	}
}

func TestRefusals(t *testing.T) {
	folder := t.TempDir()
	if err := judgeFolder(folder, &strings.Builder{}); err == nil {
		t.Error("an empty folder is taken")
	}
	write(t, folder, "ex2.approx.f32", 5, 1)
	write(t, folder, "gamma", 0, 0)
	err := judgeFolder(folder, &strings.Builder{})
	if err == nil || !strings.Contains(err.Error(), "the GPU counted 1") || !strings.Contains(err.Error(), `"gamma"`) {
		t.Errorf("found %v, want a miscounted error and an unknown function", err)
	}
}

func TestDistance(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	for _, c := range []struct{ y, t, want float64 }{
		{1, 1, 0}, {1 + 0x1p-23, 1, 1}, {1 - 0x1p-24, 1, 0.5}, {0, 0x1p-140, 512}, {0, 0x1p-127, 1 << 22},
		{inf, 0x1p200, 0}, {math.MaxFloat32, 0x1p200, inf}, {inf, 1, inf}, {nan, 1, inf}, {1, nan, inf},
		{nan, nan, 0}, {-inf, inf, inf},
	} {
		if got := distance(c.y, c.t); got != c.want {
			t.Errorf("%v from %v: %v last places, want %v", c.y, c.t, got, c.want)
		}
	}
}

// TestLog2NearOne: where the logarithm is small, all of its digits count.
func TestLog2NearOne(t *testing.T) {
	x := 1 + 0x1p-23
	want := (0x1p-23 - 0x1p-47 + 0x1p-69/3) / math.Ln2
	if got := log2(x); math.Abs(got-want) > 1e-15*want {
		t.Errorf("log2(1 + 2⁻²³) = %v, want %v", got, want)
	}
}

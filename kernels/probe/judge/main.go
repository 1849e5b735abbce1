// Judge reads what kernels/probe recorded of a GPU's functions of one number, and says how far from
// the true ones they are:
//
//	go run ./kernels/probe/judge FOLDER
//
// For each function-*.safetensors it prints the largest error in last places of float32 over all
// normal results, with its argument; the largest absolute error of arguments below 4; how many
// subnormal results are further than one last place away (flushed to zero, as a rule); and how many
// of the 512 exponents and signs hold a result that is infinite or not a number where the truth is
// not, or the reverse. The truth is Go's float64. It compares its own count with the GPU's.
package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: judge FOLDER")
		os.Exit(2)
	}
	if err := judgeFolder(os.Args[1], os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "judge: %v\n", err)
		os.Exit(1)
	}
}

// judgeFolder prints a line for each function recorded in a folder. Files that cannot be judged are
// named in the error; the others are printed all the same.
func judgeFolder(folder string, out io.Writer) error {
	paths, err := filepath.Glob(filepath.Join(folder, "function-*.safetensors"))
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return fmt.Errorf("%q: no function-*.safetensors", folder)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "function\tulps\tat\t|error|, |x|<4\tat\tsubnormal off\tinfinite off")
	var problems []error
	for _, path := range paths {
		line, err := judgeFile(path)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		fmt.Fprintln(w, line)
	}
	return errors.Join(append(problems, w.Flush())...)
}

// columns are the tensors of a file.
type columns struct {
	x, y                     []float64 // a sample
	worstX, worstY, ulps     []float64 // where the error is largest in last places, by exponent and sign
	absoluteX, absoluteY, at []float64 // where it is largest as it stands, and what it is
}

func judgeFile(path string) (string, error) {
	rec, err := recording.Open(path)
	if err != nil {
		return "", err
	}
	defer rec.Close()
	name, _ := rec.Attrs["function"].(string)
	truth, ok := truths[strings.TrimSuffix(strings.TrimSuffix(strings.TrimPrefix(name, "__"), ".f32"), ".ftz")]
	if rec.Op != "probe.function" || !ok {
		return "", fmt.Errorf("%q: op %q, function %q: not one that is known here", path, rec.Op, name)
	}
	c, err := readColumns(rec)
	if err != nil {
		return "", fmt.Errorf("%q: %w", path, err)
	}
	s := summarise(c, truth)
	if s.disagree != "" {
		return "", fmt.Errorf("%q: %s", path, s.disagree)
	}
	return fmt.Sprintf("%s\t%.4g\t%.9g\t%.3g\t%.9g\t%d\t%d",
		name, s.ulps, s.ulpsAt, s.absolute, s.absoluteAt, s.subnormals, s.infinite), nil
}

func readColumns(rec *recording.Recording) (c columns, err error) {
	names := []string{"x", "out.y", "worst_x", "out.worst_y", "worst_ulps", "absolute_x", "out.absolute_y", "absolute"}
	for i, to := range []*[]float64{&c.x, &c.y, &c.worstX, &c.worstY, &c.ulps, &c.absoluteX, &c.absoluteY, &c.at} {
		t, err := rec.Tensor(names[i])
		if err != nil {
			return c, err
		}
		*to = t.Data
	}
	if len(c.x) != len(c.y) || !allAsLong(c.worstX, c.worstY, c.ulps, c.absoluteX, c.absoluteY, c.at) {
		return c, fmt.Errorf("tensors of unequal length")
	}
	return c, nil
}

func allAsLong(first []float64, others ...[]float64) bool {
	for _, o := range others {
		if len(o) != len(first) {
			return false
		}
	}
	return true
}

// truths are the functions that the device's names stand for, without their ending.
var truths = map[string]func(float64) float64{
	"ex2.approx": math.Exp2, "exp2f": math.Exp2, "expf": math.Exp, "expm1f": math.Expm1,
	"lg2.approx": log2, "log2f": log2, "logf": math.Log, "log1pf": math.Log1p,
	"tanh.approx": math.Tanh, "tanhf": math.Tanh,
	"sin.approx": math.Sin, "sinf": math.Sin, "cos.approx": math.Cos, "cosf": math.Cos,
	"rcp.approx": reciprocal, "reciprocal": reciprocal,
	"sqrt.approx": math.Sqrt, "sqrtf": math.Sqrt, "rsqrt.approx": rsqrt, "rsqrtf": rsqrt,
}

// log2 keeps its digits near 1, where math.Log2 adds two terms that cancel.
func log2(x float64) float64 {
	if x > 0.5 && x < 2 {
		return math.Log1p(x-1) / math.Ln2
	}
	return math.Log2(x)
}

func reciprocal(x float64) float64 { return 1 / x }
func rsqrt(x float64) float64      { return 1 / math.Sqrt(x) }

// distance returns the error of y in last places of the float32 nearest to t: 0 where both are not
// a number or the same infinity, infinite where one is alone.
func distance(y, t float64) (ulps float64) {
	rounded := float64(float32(t))
	if math.IsNaN(y) || math.IsNaN(t) || !dtype.Finite(y) || !dtype.Finite(rounded) {
		if y == rounded || math.IsNaN(y) && math.IsNaN(t) {
			return 0
		}
		return math.Inf(1)
	}
	return math.Abs(y-t) / math.Ldexp(1, max(exponentOf(t), -126)-23)
}

// exponentOf returns ⌊log₂|t|⌋.
func exponentOf(t float64) int {
	_, e := math.Frexp(t)
	return e - 1
}

// summary is the line of a function.
type summary struct {
	ulps, ulpsAt         float64
	absolute, absoluteAt float64
	subnormals, infinite int
	disagree             string // where the GPU counted otherwise
}

func summarise(c columns, truth func(float64) float64) summary {
	var s summary
	for i, x := range c.worstX {
		s.include(x, c.worstY[i], truth(x))
		if d := distance(c.worstY[i], truth(x)); !agree(d, c.ulps[i]) {
			s.disagree = fmt.Sprintf("x = %v: %v last places from the truth, the GPU counted %v", x, d, c.ulps[i])
		}
	}
	for i, x := range c.x {
		s.include(x, c.y[i], truth(x))
	}
	for i, x := range c.absoluteX {
		s.includeAbsolute(x, c.absoluteY[i], truth(x))
	}
	return s
}

// agree allows for the last bits of two libraries' float64.
func agree(mine, gpus float64) bool {
	return mine == gpus || math.Abs(mine-gpus) <= 0.01+0.02*math.Abs(mine)
}

func (s *summary) include(x, y, t float64) {
	d := distance(y, t)
	switch {
	case math.IsInf(d, 1):
		s.infinite++
	case math.Abs(t) < 0x1p-126:
		if d > 1 {
			s.subnormals++
		}
	case d > s.ulps:
		s.ulps, s.ulpsAt = d, x
	}
}

func (s *summary) includeAbsolute(x, y, t float64) {
	if d := math.Abs(y - t); math.Abs(x) < 4 && dtype.Finite(d) && d > s.absolute {
		s.absolute, s.absoluteAt = d, x
	}
}

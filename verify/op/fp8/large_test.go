package fp8_test

import (
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/mathext"

	fp8eq "plumbline/fp8"
	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
	"plumbline/verify/op/fp8"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// signed is a product, or one for each expert, that is checked by signed sums, with its truth.
type signed struct {
	*recording.Recording
	truth *tensor.Tensor
	rng   *rand.Rand
}

// normal returns normal numbers, quantised.
func (p signed) normal(rows, cols int, block fp8eq.BlockSize) fp8eq.Blocked {
	x := mat.NewDense(rows, cols, nil)
	x.Apply(func(int, int, float64) float64 { return p.rng.NormFloat64() }, x)
	return fp8eq.Quantise(x, fp8eq.Config{Block: block, Format: dtype.F8E4M3})
}

// newSigned makes a product with a right output, in BF16; with counts one of experts.
func newSigned(seed uint64, rows, cols, width int, counts ...float64) signed {
	p := signed{recording.New("fp8.gemm"), tensor.New(rows, cols), rand.New(rand.NewPCG(seed, 21))}
	segments := []float64{float64(rows)}
	if counts != nil {
		p.Recording, segments = recording.New("fp8.grouped_gemm"), counts
		p.Set("counts", dtype.I64, tensor.Of(counts, len(counts)))
	}
	p.Name = "large"
	a := p.normal(rows, width, fp8eq.BlockSize{Rows: 1, Cols: 128})
	p.set("a", dtype.F8E4M3, a.Codes, nil)
	p.set("a_scale", dtype.F32, a.Scales, nil)
	p.multiply(a.Dequantise(), cols, segments, counts)
	p.record(func([]float64) {})
	return p
}

// multiply draws the other operand, and fills in the truth.
func (p signed) multiply(a *mat.Dense, cols int, segments, counts []float64) {
	var codes, scales []float64
	_, width := a.Dims()
	from := 0
	for _, n := range segments {
		b := p.normal(cols, width, fp8eq.BlockSize{Rows: 128, Cols: 128})
		codes = append(codes, b.Codes.RawMatrix().Data...)
		scales = append(scales, b.Scales.RawMatrix().Data...)
		if to := from + int(n); to > from {
			rows := p.truth.View(0).Slice(from, to, 0, cols).(*mat.Dense)
			rows.Mul(a.Slice(from, to, 0, width), b.Dequantise().T())
			from = to
		}
	}
	across, blocks := (cols+127)/128, (width+127)/128
	p.set("b", dtype.F8E4M3, mat.NewDense(len(segments)*cols, width, codes), counts)
	p.set("b_scale", dtype.F32, mat.NewDense(len(segments)*across, blocks, scales), counts)
}

// set stores a matrix, or one for each of some experts below each other.
func (p signed) set(name string, t dtype.Type, m *mat.Dense, counts []float64) {
	rows, cols := m.Dims()
	shape := []int{rows, cols}
	if counts != nil {
		shape = []int{len(counts), rows / len(counts), cols}
	}
	p.Set(name, t, tensor.Of(m.RawMatrix().Data, shape...))
}

// record stores the output of a kernel that errs by 2⁻²³, after a change to it.
func (p signed) record(change func(c []float64)) {
	c := tensor.New(p.truth.Shape...)
	for i, t := range p.truth.Data {
		c.Data[i] = t * (1 + 0x1p-23*p.rng.NormFloat64())
	}
	change(c.Data)
	p.Set("out.c", dtype.BF16, c)
}

// asLarge lowers what is recomputed as a whole and what runs may cost, so that small products are
// judged as large ones are, until the returned function is called.
func asLarge() (restore func()) {
	one, other := fp8.LowerRecomputed(1), fp8.LowerRunWork(1<<19)
	return func() { one(); other() }
}

// sparing judges a recording as a large one.
func sparing(t *testing.T, rec *recording.Recording) (verdict.Verdict, *verdict.Signs) {
	t.Helper()
	v, _ := op.JudgeSparing(rec, op.MaxWork, true)
	if v.Fault != "" || len(v.Outputs) != 1 || v.Outputs[0].Signs == nil {
		t.Fatalf("%s: %s %s", v.Status, v.Reason, v.Fault)
	}
	return v, v.Outputs[0].Signs
}

// TestLargeRightKernels: no right kernel fails, of any declaration, whatever the edges of tiles.
func TestLargeRightKernels(t *testing.T) {
	defer asLarge()()
	for _, name := range []string{"fp8.gemm", "fp8.grouped_gemm"} {
		configs := emulate.Right(name)
		for seed := range check.Times(4*len(configs), 2) {
			counts := []float64{17, 0, 52, 1}
			if name == "fp8.gemm" {
				counts = nil
			}
			c := configs[(seed*5+3)%len(configs)]
			rec, err := emulate.Run(newSigned(uint64(seed), 70, 140, 140, counts...).Request(), c)
			optest.Must(err)
			if v, s := sparing(t, rec); v.Status != verdict.Explained || s.Suspect > 0 {
				t.Errorf("%s, seed %d, %s: %s: %s, %+v", name, seed, c, v.Status, v.Reason, *s)
			}
		}
	}
}

// The product in which errors are planted: [300 × 520], 3 × 5 tiles, of which the third of columns
// in the second of rows is wrong.
const (
	signedRows, signedCols, signedWidth = 300, 520, 160
	wrongTop, wrongLeft                 = 128, 256
)

// inTile calls f for the elements of the tile.
func inTile(f func(row, col, i int)) {
	for row := wrongTop; row < wrongTop+128; row++ {
		for col := wrongLeft; col < wrongLeft+128; col++ {
			f(row, col, row*signedCols+col)
		}
	}
}

// TestWrongPartsAreFound: what is wrong in one tile alone is seen, and where it is said.
func TestWrongPartsAreFound(t *testing.T) {
	defer asLarge()()
	p := newSigned(1, signedRows, signedCols, signedWidth)
	block := p.block(t, 1)
	at := (wrongTop+77)*signedCols + wrongLeft + 5
	for name, change := range map[string]func(c []float64){
		"a scale that is 3 % too large": func(c []float64) { inTile(func(_, _, i int) { c[i] += 0.03 * block[i] }) },
		"a block of K left out":         func(c []float64) { inTile(func(_, _, i int) { c[i] -= block[i] }) },
		"one row moved": func(c []float64) {
			copy(c[at-5:at+123], c[at-4:at+124])
		},
		"neighbours exchanged": func(c []float64) {
			inTile(func(_, col, i int) {
				if col%2 == 0 {
					c[i], c[i+1] = c[i+1], c[i]
				}
			})
		},
		"one element":      func(c []float64) { c[at] += 4 },
		"one large number": func(c []float64) { c[at] = 1e30 },
		"one NaN":          func(c []float64) { c[at] = math.NaN() },
		"never written":    func(c []float64) { inTile(func(_, _, i int) { c[i] = 0 }) },
	} {
		p.record(change)
		v, s := sparing(t, p.Recording)
		if v.Status != verdict.Unexplained || s.Suspect != 1 || s.Wrong != 1 ||
			!strings.Contains(v.Reason, "rows 128–255, columns 256–383: ") {
			t.Errorf("%s: %s: %s, %+v", name, v.Status, v.Reason, *s)
		}
		for _, e := range v.Outputs[0].Worst {
			if i := e.Index[0]*signedCols + e.Index[1]; math.Abs(e.Want-p.truth.Data[i]) > 1e-9 {
				t.Errorf("%s: the truth at %v is %v, want %v", name, e.Index, e.Want, p.truth.Data[i])
			}
		}
	}
}

// block returns what one block of K adds to each element.
func (p signed) block(t *testing.T, k int) []float64 {
	t.Helper()
	a, b := optest.Input(t, p.Recording, "a"), optest.Input(t, p.Recording, "b")
	scaleA, scaleB := optest.Input(t, p.Recording, "a_scale"), optest.Input(t, p.Recording, "b_scale")
	var sums mat.Dense
	first, last := 128*k, min(128*(k+1), signedWidth)
	sums.Mul(a.View(0).Slice(0, signedRows, first, last), b.View(0).Slice(0, signedCols, first, last).T())
	sums.Apply(func(i, j int, v float64) float64 { return v * scaleA.At(i, k) * scaleB.At(j/128, k) }, &sums)
	return sums.RawMatrix().Data
}

// TestWrongRow: errors of a row that no tile shows are seen in all tiles together.
func TestWrongRow(t *testing.T) {
	defer asLarge()()
	const rows, cols, wrong = 40, 2048, 14
	p := newSigned(2, rows, cols, 128)
	p.record(func(c []float64) {
		for i := wrong * cols; i < (wrong+1)*cols; i++ {
			c[i] += 0.41 * dtype.BF16.Spacing(c[i]) * p.sign()
		}
	})
	if v, s := sparing(t, p.Recording); v.Status != verdict.Unexplained || !strings.Contains(v.Reason, "rows 14, ") {
		t.Errorf("%s: %s, %+v", v.Status, v.Reason, *s)
	}
}

func (p signed) sign() float64 { return float64(2*p.rng.IntN(2) - 1) }

// TestCodesThatAreNoNumbers: NaN in a row of a, or of b, is in all that hangs on it; elsewhere it
// is not.
func TestCodesThatAreNoNumbers(t *testing.T) {
	defer asLarge()()
	p := newSigned(3, signedRows, signedCols, signedWidth)
	for name, at := range map[string]int{"a": 150*signedWidth + 7, "b": 300*signedWidth + 9} {
		x := optest.Input(t, p.Recording, name)
		x.Data[at] = math.NaN()
		p.Set(name, dtype.F8E4M3, x)
	}
	for i := range p.truth.Data {
		if i/signedCols == 150 || i%signedCols == 300 {
			p.truth.Data[i] = math.NaN()
		}
	}
	p.record(func([]float64) {})
	if v, s := sparing(t, p.Recording); v.Status != verdict.Explained || s.Suspect > 0 {
		t.Errorf("%s: %s, %+v", v.Status, v.Reason, *s)
	}
	p.record(func(c []float64) { c[150*signedCols+260] = 0 })
	if v, _ := sparing(t, p.Recording); v.Status != verdict.Unexplained || !strings.Contains(v.Reason, "rows 128–255") {
		t.Errorf("a number where NaN should be: %s: %s", v.Status, v.Reason)
	}
}

// TestEqualRowsLookRight: rows that are copies of one another have one signed sum, by chance a
// large one, and not as many.
func TestEqualRowsLookRight(t *testing.T) {
	defer asLarge()()
	for seed := range uint64(4) {
		p := newSigned(seed, 128, 1024, 128)
		for _, name := range []string{"a", "a_scale"} {
			x := optest.Input(t, p.Recording, name)
			for r := range 128 {
				copy(x.Row(r), x.Row(r%2))
			}
			p.Set(name, p.Type(name), x)
		}
		p.record(func([]float64) {})
		c := optest.Input(t, p.Recording, "out.c")
		for r := range 128 {
			copy(c.Row(r), c.Row(r%2))
		}
		p.Set("out.c", dtype.BF16, c)
		if v, s := sparing(t, p.Recording); v.Status != verdict.Explained || s.Suspect > 0 {
			t.Errorf("seed %d: %s: %s, %+v", seed, v.Status, v.Reason, *s)
		}
	}
}

// TestMissedTiles: a tile with errors of the size that is stated is missed as rarely as that, one
// with smaller errors as often as their size says, and a right one nearly always: so is an element.
func TestMissedTiles(t *testing.T) {
	defer asLarge()()
	p := newSigned(4, 128, 128, 128)
	screen := fp8.Screener(p.Recording)
	s := screen(p.Recording)
	missed := func(change func(c []float64)) (share float64) {
		times := check.Times(2000, 60)
		for range times {
			if p.record(change); screen(p.Recording).Suspect == 0 {
				share++
			}
		}
		return share / float64(times)
	}
	half := s.Seen * math.Sqrt(2*mathext.GammaIncRegInv(256, s.Missed)/512) // of χ² of 512, whose mean is 512
	alone := func(deviations float64) func(c []float64) {
		return func(c []float64) {
			i := p.rng.IntN(len(c))
			c[i] += p.sign() * deviations * p.meanDeviation(i)
		}
	}
	for _, c := range []struct {
		what      string
		of        func(c []float64)
		few, most float64
	}{
		{"stated", p.errors(s.Seen), 0, 0}, {"of the limit's size", p.errors(half), 0.3, 0.8},
		{"right", p.errors(1), 0.97, 1}, {"stated, in one element", alone(s.SeenAlone), 0, 0},
		{"smaller, in one element", alone(s.SeenAlone / 2), 0.2, 1},
	} {
		if share := missed(c.of); share < c.few || share > c.most {
			t.Errorf("%s: %.3g of all missed, want %.3g to %.3g", c.what, share, c.few, c.most)
		}
	}
}

// errors returns a change that gives all elements errors of this root mean square, with the last
// rounding.
func (p signed) errors(rms float64) func(c []float64) {
	return func(c []float64) {
		for i, t := range p.truth.Data {
			c[i] += dtype.BF16.Spacing(t) * math.Sqrt(rms*rms-1) * (p.rng.Float64() - 0.5)
		}
	}
}

// meanDeviation is that of the last roundings in the group of element i.
func (p signed) meanDeviation(i int) float64 {
	sum := 0.0
	for _, t := range p.truth.Data[i/32*32 : i/32*32+32] {
		sum += dtype.BF16.Spacing(t) * dtype.BF16.Spacing(t) / 12 / 32
	}
	return math.Sqrt(sum)
}

// TestOneProcessorGivesTheSame: the verdict hangs on nothing but the file.
func TestOneProcessorGivesTheSame(t *testing.T) {
	defer asLarge()()
	p := newSigned(5, signedRows, signedCols, signedWidth)
	p.record(func(c []float64) { inTile(func(_, _, i int) { c[i] *= 1.01 }) })
	many, _ := sparing(t, p.Recording)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one, _ := sparing(t, p.Recording)
	if d := cmp.Diff(many, one); d != "" {
		t.Error(d)
	}
}

// TestSmallProductsAreRecomputed: up to the limit nothing is summed with signs, and JudgeKnown
// never does.
func TestSmallProductsAreRecomputed(t *testing.T) {
	defer fp8.LowerRunWork(1 << 21)()
	p := newSigned(6, 64, 128, 128)
	small, _ := op.JudgeSparing(p.Recording, op.MaxWork, true)
	defer fp8.LowerRecomputed(1)()
	exact := op.JudgeWithin(p.Recording, op.MaxWork)
	if d := cmp.Diff(small, exact); d != "" || small.Outputs[0].Signs != nil {
		t.Error("signs where they are not needed", d)
	}
	if v, s := sparing(t, p.Recording); v.Status != exact.Status || s.Elements != 64*128 {
		t.Errorf("%s, recomputed: %s", v.Status, exact.Status)
	}
}

// TestLargeWorkIsLimited: what signed sums take is compared with the limit, not what all would.
func TestLargeWorkIsLimited(t *testing.T) {
	defer asLarge()()
	p := newSigned(7, 64, 128, 128)
	work, err := op.WorkSparing(p.Recording)
	optest.Must(err)
	v, _ := op.JudgeSparing(p.Recording, work/2, true)
	if v.Status != verdict.Unusable || !strings.Contains(v.Reason, "more than the limit of") {
		t.Errorf("%s: %s", v.Status, v.Reason)
	}
}

// TestLargeSumsThatAreCut: of outputs in F32 nearly all that errs is inside, toward zero where
// tensor cores cut sums off, alike in all elements where all terms have one sign; of any size that
// is a right kernel's.
func TestLargeSumsThatAreCut(t *testing.T) {
	defer asLarge()()
	for seed := range check.Times(16, 1) {
		for _, accumulate := range []arithmetic.Accumulator{arithmetic.F32, arithmetic.F32Hopper} {
			rec, err := emulate.Run(wide(uint64(seed)), emulate.Config{Output: dtype.F32, Accumulate: accumulate})
			optest.Must(err)
			if v, s := sparing(t, rec); v.Status != verdict.Explained {
				t.Errorf("seed %d, %s: %s: %s, %+v", seed, accumulate, v.Status, v.Reason, *s)
			}
		}
	}
}

// TestLooksRight: of a part that is recomputed without runs of its own, an error of the whole, of a
// row, or of one element is seen, and none where there is none.
func TestLooksRight(t *testing.T) {
	defer asLarge()()
	p := newSigned(8, 128, 200, 160)
	all := verdict.Suspect{Tiles: []int{1}} // of columns 128 … 199
	for r := range 128 {
		all.Rows = append(all.Rows, r)
	}
	for name, c := range map[string]struct {
		change func(c []float64)
		right  bool
	}{
		"right":       {func([]float64) {}, true},
		"elsewhere":   {func(c []float64) { c[5*200+127] = 99 }, true},
		"one element": {func(c []float64) { c[5*200+128] += 2.2 * dtype.BF16.Spacing(c[5*200+128]) }, false},
		"one NaN":     {func(c []float64) { c[5*200+128] = math.NaN() }, false},
		"a row": {func(c []float64) {
			for i := 5*200 + 128; i < 6*200; i++ {
				c[i] += 0.45 * p.sign() * dtype.BF16.Spacing(c[i])
			}
		}, false},
		"all of it": {p.errors(1.3), false},
	} {
		p.record(c.change)
		if got := fp8.LooksRight(p.Recording, all); got != c.right {
			t.Errorf("%s: looks right: %t", name, got)
		}
	}
}

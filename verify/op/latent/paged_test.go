package latent_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// paged is a decode call whose sequences have pages all over a cache that is larger than they need.
type paged struct {
	blocks, page, width, values, batch, keys, heads int
}

func (p paged) cache() []int { return []int{p.blocks, p.page, 1, p.width} }

// block is that of page i of sequence b.
func (p paged) block(b, i int) int {
	used := p.keys / p.page
	return (b*used + i) * (p.blocks / (p.batch * used))
}

// small sets everything but the cache.
func (p paged) small(rec *recording.Recording) {
	rec.Attrs["scale"], rec.Attrs["value_dim"] = json.Number("0.0625"), json.Number(fmt.Sprint(p.values))
	made := recording.New("")
	optest.Must(made.Generate("q", recording.Recipe{
		Type: dtype.BF16, Shape: []int{p.batch, 1, p.heads, p.width}, Dist: "normal", Seed: 5, Exp2: -1,
	}))
	q, err := made.Tensor("q")
	optest.Must(err)
	table, lens := tensor.New(p.batch, p.keys/p.page), tensor.New(p.batch)
	for b := range p.batch {
		lens.Data[b] = float64(p.keys)
		for i := range table.Row(b) {
			table.Row(b)[i] = float64(p.block(b, i))
		}
	}
	rec.Set("q", dtype.BF16, q)
	rec.Set("block_table", dtype.I32, table)
	rec.Set("kv_lens", dtype.I32, lens)
	rec.Set("out.o", dtype.BF16, tensor.New(p.batch, 1, p.heads, p.values))
	rec.Set("out.lse", dtype.F32, tensor.New(p.batch, p.heads, 1))
}

// decode is a kernel in float32 with weights of bf16, which reads the cache of cached a page at a
// time.
func (p paged) decode(rec, cached *recording.Recording) {
	q, err := rec.Tensor("q")
	optest.Must(err)
	o, lse := tensor.New(p.batch, 1, p.heads, p.values), tensor.New(p.batch, p.heads, 1)
	for b := range p.batch {
		var rows []*tensor.Tensor
		for i := range p.keys / p.page {
			page, err := cached.Rows("kv_cache", p.block(b, i), p.block(b, i)+1)
			optest.Must(err)
			rows = append(rows, page)
		}
		for h := range p.heads {
			lse.Set(p.head(q.Row(b, 0, h), rows, o.Row(b, 0, h)), b, h, 0)
		}
	}
	rec.Set("out.o", dtype.BF16, o)
	rec.Set("out.lse", dtype.F32, lse)
}

// head writes the output of one head and returns its log-sum-exp.
func (p paged) head(q []float64, pages []*tensor.Tensor, o []float64) float64 {
	scores, largest := make([]float32, p.keys), float32(math.Inf(-1))
	row := func(j int) []float64 { return pages[j/p.page].Row(0, j%p.page, 0) }
	for j := range scores {
		var sum float32
		for c, k := range row(j) {
			sum += float32(q[c]) * float32(k)
		}
		scores[j] = sum * 0.0625
		largest = max(largest, scores[j])
	}
	sums, all := make([]float32, p.values), float32(0)
	for j, x := range scores {
		weight := float32(math.Exp(float64(x - largest)))
		all += weight
		weight = float32(dtype.BF16.Round(float64(weight)))
		for c, v := range row(j)[:p.values] {
			sums[c] += weight * float32(v)
		}
	}
	for c, sum := range sums {
		o[c] = float64(sum / all)
	}
	return float64(largest + float32(math.Log(float64(all))))
}

// generated saves the call with a cache that a recipe makes.
func (p paged) generated(path string) {
	rec := recording.New("mla.decode")
	p.small(rec)
	optest.Must(rec.Generate("kv_cache", recording.Recipe{
		Type: dtype.BF16, Shape: p.cache(), Dist: "normal", Seed: 7, Exp2: -1,
	}))
	p.decode(rec, rec)
	optest.Must(rec.Save(path))
}

// stored writes the call with a cache that stands in the file: zeros, which take no place on the
// disk, but for the pages that are in use.
func (p paged) stored(path string) {
	rec := recording.New("mla.decode")
	p.small(rec)
	optest.Must(rec.Generate("kv_cache", recording.Recipe{
		Type: dtype.BF16, Shape: []int{
			p.batch * p.keys / p.page, p.page, 1, p.width,
		}, Dist: "normal", Seed: 7, Exp2: -1,
	}))
	dense := p
	dense.blocks = p.batch * p.keys / p.page
	dense.decode(rec, rec)
	file, err := os.Create(path)
	optest.Must(err)
	defer file.Close()
	begin := p.layOut(file, rec)
	size := p.page * p.width
	for b := range p.batch {
		for i := range p.keys / p.page {
			page, err := rec.Part("kv_cache", dense.block(b, i)*size, size)
			optest.Must(err)
			codes := make([]byte, 2*size)
			dtype.BF16.Encode(codes, page)
			_, err = file.WriteAt(codes, begin+int64(p.block(b, i))*int64(2*size))
			optest.Must(err)
		}
	}
}

// layOut writes a header, the small tensors and room for the cache, and returns where that begins.
func (p paged) layOut(file *os.File, rec *recording.Recording) int64 {
	cache := int64(p.blocks) * int64(p.page) * int64(p.width) * 2
	attrs, err := json.Marshal(rec.Attrs)
	optest.Must(err)
	header := map[string]any{
		"__metadata__": map[string]string{"plumbline": "1", "op": rec.Op, "attrs": string(attrs)},
		"kv_cache":     placed(dtype.BF16, p.cache(), 0, cache),
	}
	var data []byte
	for _, name := range []string{"q", "block_table", "kv_lens", "out.o", "out.lse"} {
		x, err := rec.Tensor(name)
		optest.Must(err)
		typ, at := rec.Type(name), cache+int64(len(data))
		codes := make([]byte, x.Len()*typ.Size())
		typ.Encode(codes, x.Data)
		header[name] = placed(typ, x.Shape, at, at+int64(len(codes)))
		data = append(data, codes...)
	}
	return write(file, header, cache, data)
}

func placed(typ dtype.Type, shape []int, begin, end int64) map[string]any {
	return map[string]any{"dtype": typ.String(), "shape": shape, "data_offsets": []int64{begin, end}}
}

// write writes a header, and data that begins so far behind it; it returns where the header ends.
func write(file *os.File, header map[string]any, gap int64, data []byte) int64 {
	text, err := json.Marshal(header)
	optest.Must(err)
	begin := int64(8 + len(text))
	_, err = file.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...))
	optest.Must(err)
	_, err = file.WriteAt(data, begin+gap)
	optest.Must(err)
	return begin
}

// smallCall has a cache of 64 MB, 256 MB decoded, of which 1 MB is in use, or without -long half of
// that cache.
func smallCall() paged {
	return paged{
		blocks: check.Times(880, 440), page: 64, width: 576, values: 512, batch: 2, keys: 448, heads: 2,
	}
}

// openStored writes the small recording to a file and opens that.
func openStored(t *testing.T) (file *os.File, size int64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "stored.safetensors")
	smallCall().stored(path)
	file, err := os.Open(path)
	optest.Must(err)
	t.Cleanup(func() { file.Close() })
	info, err := file.Stat()
	optest.Must(err)
	return file, info.Size()
}

// TestACacheIsReadByPage: of a stored cache no page is read that is not in use.
func TestACacheIsReadByPage(t *testing.T) {
	file, size := openStored(t)
	source := &check.Reads{ReaderAt: file}
	rec, err := recording.Read(source, size, "stored")
	optest.Must(err)
	var v verdict.Verdict
	used := check.Allocated(func() { v = op.JudgeWithin(rec, op.MaxWork) })
	if v.Status != verdict.Explained {
		t.Error(v.Status, v.Reason)
	}
	if cache := int64(2 * 448 * 576 * 2); source.N > cache+cache/4 {
		t.Errorf("%d bytes read, want the %d of the pages in use and little more", source.N, cache)
	}
	if used > 96<<20 {
		t.Errorf("%d MiB allocated, for a cache of which 4 MiB are in use", used>>20)
	}
}

// broken is a disk that fails on reads of one length.
type broken struct {
	io.ReaderAt
	length int
}

func (r broken) ReadAt(b []byte, at int64) (int, error) {
	if len(b) == r.length {
		return 0, errors.New("broken disk")
	}
	return r.ReaderAt.ReadAt(b, at)
}

// TestABrokenDiskIsUnusable: what cannot be read when it is asked for says nothing of the kernel.
func TestABrokenDiskIsUnusable(t *testing.T) {
	file, size := openStored(t)
	for name, length := range map[string]int{"kv_cache": 64 * 576 * 2, "q": 2 * 2 * 576 * 2} {
		rec, err := recording.Read(broken{file, length}, size, "stored")
		optest.Must(err)
		want := fmt.Sprintf("stored: tensor %q: data: broken disk", name)
		if v := op.Judge(rec); v.Status != verdict.Unusable || v.Reason != want {
			t.Errorf("%v: %s, want %s", v.Status, v.Reason, want)
		}
	}
}

// TestACacheIsMadeByPage: of a generated cache all is made for its sha256, in chunks, and no page
// kept that is not in use.
func TestACacheIsMadeByPage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "generated.safetensors")
	smallCall().generated(path)
	rec, err := recording.Open(path)
	optest.Must(err)
	defer rec.Close()
	var v verdict.Verdict
	used := check.Allocated(func() { v = op.JudgeWithin(rec, op.MaxWork) })
	if v.Status != verdict.Explained {
		t.Error(v.Status, v.Reason)
	}
	if used > 96<<20 {
		t.Errorf("%d MiB allocated, for a cache of which 4 MiB are in use", used>>20)
	}
	recipe, _ := rec.Recipe("kv_cache")
	recipe.SHA256 = strings.Repeat("0", 64)
	wrong := rec.Clone()
	optest.Must(wrong.Generate("kv_cache", recipe))
	if v := op.Judge(wrong); v.Status != verdict.Unusable || !strings.Contains(
		v.Reason, `"kv_cache": sha256 mismatch`,
	) {
		t.Error(v.Status, v.Reason)
	}
}

// childFile names the recording that TestJudgeAsAChild judges.
const childFile = "PLUMBLINE_TEST_JUDGE"

// TestJudgeAsAChild is what TestTwentyGigabytes runs as a process of its own.
func TestJudgeAsAChild(t *testing.T) {
	path := os.Getenv(childFile)
	if path == "" {
		t.Skip("no recording to judge")
	}
	debug.SetMemoryLimit(3 << 29)
	rec, err := recording.Open(path)
	optest.Must(err)
	defer rec.Close()
	v := op.JudgeWithin(rec, op.MaxWork)
	if v.Status != verdict.Explained {
		t.Error(v.Status, v.Reason)
	}
	status, err := os.ReadFile("/proc/self/status")
	optest.Must(err)
	for line := range strings.Lines(string(status)) {
		var peak int
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &peak); n == 1 {
			t.Logf("peak memory %d MiB", peak>>10)
			if peak > 2<<20 {
				t.Errorf("%d KiB, want less than 2 GiB", peak)
			}
		}
	}
}

// TestTwentyGigabytes judges calls with a cache of 20 GB, stored and generated, of which a million
// keys are in use, in less than 2 GiB.
func TestTwentyGigabytes(t *testing.T) {
	if !*check.Long {
		t.Skip("some ten minutes: run with -long")
	}
	if runtime.GOOS != "linux" {
		t.Skip("peak memory is read from /proc")
	}
	call := paged{blocks: 271270, page: 64, width: 576, values: 512, batch: 64, keys: 16384, heads: 4}
	for name, save := range map[string]func(string){"stored": call.stored, "generated": call.generated} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name+".safetensors")
			start := time.Now()
			save(path)
			t.Logf("made in %v", time.Since(start).Round(time.Second))
			start = time.Now()
			child := exec.Command(os.Args[0], "-test.run=^TestJudgeAsAChild$", "-test.v", "-test.timeout=1h")
			child.Env = append(os.Environ(), childFile+"="+path)
			out, err := child.CombinedOutput()
			t.Logf("judged in %v\n%s", time.Since(start).Round(time.Second), out)
			if err != nil {
				t.Error(err)
			}
		})
	}
}

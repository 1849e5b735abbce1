package fp8_test

import (
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"plumbline/internal/check"
	"plumbline/internal/optest"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// TestFullSize: a product of DeepSeek-V3's sizes is judged in seconds and in little memory, and one
// wrong tile of it is found.
func TestFullSize(t *testing.T) {
	if !*check.Long {
		t.Skip("it takes minutes to make: -long")
	}
	const rows, cols, width = 4096, 7168, 7168
	p := newSigned(1, rows, cols, width)
	v, at := judgedInSeconds(t, p.Recording)
	if s := v.Outputs[0].Signs; v.Status != verdict.Explained || s.Suspect > 0 || s.Seen > 1.6 || at.Where == "" {
		t.Errorf("%s: %s, %+v", v.Status, v.Reason, *s)
	}
	p.record(func(c []float64) {
		for i := range c {
			if row, col := i/cols, i%cols; row/128 == 20 && col/128 == 30 {
				c[i] *= 1.01
			}
		}
	})
	v, _ = judgedInSeconds(t, p.Recording)
	if v.Status != verdict.Unexplained || !strings.Contains(v.Reason, "rows 2560–2687, columns 3840–3967: ") {
		t.Errorf("a wrong tile: %s: %s", v.Status, v.Reason)
	}
}

// judgedInSeconds judges a recording from a file, in a tenth of the memory that its numbers would
// take in float64.
func judgedInSeconds(t *testing.T, rec *recording.Recording) (verdict.Verdict, op.Judged) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "full.safetensors")
	optest.Must(rec.Save(path))
	file, err := recording.Open(path)
	optest.Must(err)
	defer file.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	v, at := op.JudgeSparing(file, op.MaxWork, true)
	runtime.ReadMemStats(&after)
	t.Logf("%.2g s, %d MB allocated in all", time.Since(start).Seconds(), (after.TotalAlloc-before.TotalAlloc)>>20)
	if took := time.Since(start); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	return v, at
}

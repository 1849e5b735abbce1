package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
	"plumbline/verify/report"
	"plumbline/verify/verdict"
)

func TestBench(t *testing.T) {
	t.Run("results come in order though the first takes longest", func(t *testing.T) {
		b := newBench(func(rec *recording.Recording) verdict.Verdict {
			if rec.Op == "slow" {
				time.Sleep(20 * time.Millisecond)
			}
			return verdict.Verdict{Op: rec.Op}
		}, nil, io.Discard)
		got, err := judged(b, "slow", "b", "slow", "d", "e", "f", "g", "h", "i")
		if err != nil || got != "slow b slow d e f g h i" {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("a recording that cannot be read is unusable, and the others are judged", func(t *testing.T) {
		b := newBench(judgeNothing, nil, io.Discard)
		var got []report.Entry
		list := []source{missing("lost", errors.New("no such file")), memory("b")}
		if err := b.run(list, func(e report.Entry) error { got = append(got, e); return nil }); err != nil {
			t.Fatal(err)
		}
		if got[0].Status != verdict.Unusable || got[0].Reason != "no such file" || got[1].Op != "b" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a panic costs its own recording and is not hidden", func(t *testing.T) {
		var log strings.Builder
		b := newBench(func(rec *recording.Recording) verdict.Verdict {
			if rec.Op == "bad" {
				panic("boom")
			}
			return judgeNothing(rec)
		}, nil, &log)
		var summary report.Summary
		err := b.run([]source{memory("a"), memory("bad"), memory("c")}, func(e report.Entry) error {
			summary.Count(e.Status)
			return nil
		})
		if err != nil || summary.Unusable != 1 || summary.Explained != 2 || exitStatus(summary) != exitUnusable {
			t.Errorf("%v, %v", summary, err)
		}
		if !strings.Contains(log.String(), "bad: internal error: boom\n") ||
			!strings.Contains(log.String(), "judge_test.go") {
			t.Errorf("the log lacks the panic or its stack:\n%s", log.String())
		}
	})
	t.Run("an error of the report ends the run", func(t *testing.T) {
		full := errors.New("full")
		err := newBench(
			judgeNothing, nil, io.Discard,
		).run([]source{memory("a"), memory("b")}, func(report.Entry) error {
			return full
		})
		if !errors.Is(err, full) {
			t.Error(err)
		}
	})
}

func TestWeighCountsEveryTensor(t *testing.T) {
	rec := recording.New("x")
	rec.Set("a", dtype.BF16, tensor.New(3, 5))
	rec.Set("out.y", dtype.F32, tensor.New(7))
	if got, want := weigh(rec), int64((15+7)*bytesPerElement); got != want {
		t.Errorf("%d, want %d", got, want)
	}
}

// TestBudget lets many take at once what only some can have: what is taken never exceeds the total,
// and a giant waits for all of it.
func TestBudget(t *testing.T) {
	b := newBudget(10)
	b.take(1000)
	if b.left != 0 {
		t.Errorf("a giant took %d of 10", 10-b.left)
	}
	taken := make(chan bool)
	go func() { b.take(4); taken <- true }()
	select {
	case <-taken:
		t.Error("something was taken beside a giant")
	case <-time.After(10 * time.Millisecond):
	}
	b.give(1000)
	<-taken
	if b.left != 6 {
		t.Errorf("%d left, want 6", b.left)
	}
}

func TestProgress(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	t.Run("on a terminal one line is drawn over, names what is waited for, and is taken away", func(t *testing.T) {
		var b strings.Builder
		p := &progress{w: &b, total: 3, now: func() time.Time { return now }}
		line := func(want string) {
			t.Helper()
			if got := b.String(); got != want {
				t.Errorf("%q, want %q", got, want)
			}
			b.Reset()
		}
		slow := &waiting{name: "runs/slow\x1b.safetensors"}
		p.await(slow)
		line("\r0 of 3 judged\x1b[K")
		p.begin(slow)
		b.Reset()
		now = now.Add(72*time.Second + 300*time.Millisecond)
		p.end() // a later one
		line("\r0 of 3 judged; \"runs/slow\\x1b.safetensors\", 1m12s (1 behind it ready)\x1b[K")
		p.end()
		b.Reset()
		p.clear()
		line("\r\x1b[K")
		p.clear()
		line("")
		p.step()
		line("\r1 of 3 judged\x1b[K")
		p.await(&waiting{name: strings.Repeat("a", 50) + "é.safetensors", begun: now})
		line("\r1 of 3 judged; …" + strings.Repeat("a", 26) + "é.safetensors, 0s (1 behind it ready)\x1b[K")
	})
	t.Run("it is drawn while nothing else happens, and not after it is stopped", func(t *testing.T) {
		lines := make(chan string, 100)
		p := &progress{w: writerFunc(func(s string) { lines <- s }), total: 1, now: time.Now}
		stop := p.start()
		if got := <-lines; got != "\r0 of 1 judged\x1b[K" {
			t.Errorf("%q", got)
		}
		stop()
	})
	t.Run("in a pipe it is silent", func(t *testing.T) {
		for _, p := range []*progress{nil, {total: 2, now: time.Now}} {
			stop := p.start()
			p.await(&waiting{})
			p.begin(&waiting{})
			p.end()
			p.step()
			p.clear()
			stop()
		}
	})
}

type writerFunc func(string)

func (f writerFunc) Write(p []byte) (int, error) {
	f(string(p))
	return len(p), nil
}

// memory is a source that holds an empty recording of an op.
func memory(op string) source {
	return source{op, func() (*recording.Recording, error) { return recording.New(op), nil }}
}

func judgeNothing(rec *recording.Recording) verdict.Verdict { return verdict.Verdict{Op: rec.Op} }

// judged runs recordings of these ops and returns the ops of the results.
func judged(b *bench, names ...string) (string, error) {
	var list []source
	for _, name := range names {
		list = append(list, memory(name))
	}
	var got []string
	err := b.run(list, func(e report.Entry) error { got = append(got, e.Op); return nil })
	return strings.Join(got, " "), err
}

package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"plumbline/dtype"
	"plumbline/recording"
	"plumbline/report"
	"plumbline/tensor"
	"plumbline/verdict"
)

func TestBench(t *testing.T) {
	t.Run("results come in order though the first takes longest", func(t *testing.T) {
		b := newBench(func(rec *recording.Recording) verdict.Verdict {
			if rec.Op == "slow" {
				time.Sleep(20 * time.Millisecond)
			}
			return verdict.Verdict{Op: rec.Op}
		}, io.Discard)
		got, err := judged(b, "slow", "b", "slow", "d", "e", "f", "g", "h", "i")
		if err != nil || got != "slow b slow d e f g h i" {
			t.Errorf("%q, %v", got, err)
		}
	})
	t.Run("a recording that cannot be read is unusable, and the others are judged", func(t *testing.T) {
		b := newBench(judgeNothing, io.Discard)
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
		}, &log)
		var summary report.Summary
		err := b.run([]source{memory("a"), memory("bad"), memory("c")}, func(e report.Entry) error {
			summary.Count(e.Status)
			return nil
		})
		if err != nil || summary.Unusable != 1 || summary.Explained != 2 || exitStatus(summary) != exitUnusable {
			t.Errorf("%v, %v", summary, err)
		}
		if !strings.Contains(log.String(), "bad: internal error: boom\n") || !strings.Contains(log.String(), "judge_test.go") {
			t.Errorf("the log lacks the panic or its stack:\n%s", log.String())
		}
	})
	t.Run("an error of the report ends the run", func(t *testing.T) {
		full := errors.New("full")
		err := newBench(judgeNothing, io.Discard).run([]source{memory("a"), memory("b")}, func(report.Entry) error { return full })
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

// TestBudget lets many take at once what only some can have: what is taken never exceeds the total, and a giant waits for all of it.
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
	t.Run("on a terminal one line is drawn over and taken away", func(t *testing.T) {
		var b strings.Builder
		p := &progress{w: &b, total: 2}
		p.draw()
		p.clear()
		p.step()
		p.clear()
		p.step()
		const clear = "\r\x1b[K"
		if got, want := b.String(), "\r0 of 2 judged\x1b[K"+clear+"\r1 of 2 judged\x1b[K"+clear; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
	t.Run("in a pipe it is silent", func(t *testing.T) {
		p := &progress{total: 2}
		p.draw()
		p.step()
		p.clear()
	})
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

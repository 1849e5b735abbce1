package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"

	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/report"
	"plumbline/verify/verdict"
)

// A bench judges recordings in parallel and hands the results on in order. It looks only so far
// ahead, and lets only so many recordings into memory, that a run of any length stays small.
type bench struct {
	judge  func(*recording.Recording) verdict.Verdict
	log    io.Writer // stacks of panics
	watch  *progress // may be nil
	memory *budget
	slots  chan struct{}
}

// job is a recording on its way: what is said of it comes once.
type job struct {
	waiting
	done chan report.Entry
}

// memoryBudget bounds the estimated memory of the recordings judged at one time; a larger recording
// is judged alone.
const memoryBudget = 4 << 30

// bytesPerElement estimates what judging takes: the value, its truth, its deviation, its score, and
// room for what the truth needs on its way.
const bytesPerElement = 64

func newBench(judge func(*recording.Recording) verdict.Verdict, watch *progress, log io.Writer) *bench {
	return &bench{
		judge: judge, watch: watch, log: log, memory: newBudget(memoryBudget),
		slots: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
}

// run judges every source and calls emit for each in order, as soon as it and all before it are
// judged.
func (b *bench) run(list []source, emit func(report.Entry) error) error {
	pending := make(chan *job, 2*cap(b.slots))
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		defer close(pending)
		for _, s := range list {
			j := &job{waiting{name: s.name}, make(chan report.Entry, 1)}
			select {
			case pending <- j:
				b.start(s, j)
			case <-stop:
				return
			}
		}
	}()
	for j := range pending {
		b.watch.await(&j.waiting)
		if err := emit(<-j.done); err != nil {
			return err
		}
	}
	return nil
}

// start reads the head of a recording, waits until there is room for it, and judges it on the side.
func (b *bench) start(s source, j *job) {
	rec, err := s.open()
	if err != nil {
		b.watch.end()
		j.done <- report.NewUnusable(s.name, err.Error())
		return
	}
	size := weigh(rec)
	b.slots <- struct{}{}
	b.memory.take(size)
	go func() {
		b.watch.begin(&j.waiting)
		e := b.one(s.name, rec)
		b.watch.end()
		j.done <- e
		b.memory.give(size)
		<-b.slots
	}()
}

// one judges one recording. Nothing in Plumbline is meant to panic; should something, one file must
// not cost the verdicts of the others, so the file is called unusable with the panic as reason, the
// stack is shown, and the run goes on to its exit status 2.
func (b *bench) one(name string, rec *recording.Recording) (e report.Entry) {
	defer rec.Close()
	defer func() {
		if p := recover(); p != nil {
			b.logFault(name, fmt.Sprintf("%v\n%s", p, debug.Stack()))
			e = report.NewUnusable(name, (&op.Fault{Value: p}).Error())
			e.Op = rec.Op
		}
	}()
	v := b.judge(rec)
	if v.Fault != "" {
		b.logFault(name, v.Fault)
	}
	e = report.NewEntry(v, rec.Provenance)
	e.Attrs, e.Arithmetic = rec.Attrs, rec.Arithmetic
	return e
}

// logFault shows a fault of ours with its stack.
func (b *bench) logFault(name, text string) {
	first, stack, _ := strings.Cut(text, "\n")
	complain(b.log, "plumbline", fmt.Errorf("%s: internal error: %s", name, first))
	for line := range strings.Lines(stack) {
		fmt.Fprintln(b.log, strings.ReplaceAll(report.Line(strings.TrimRight(line, "\n")), `\t`, "\t"))
	}
}

// weigh estimates the memory that judging a recording takes, in bytes.
func weigh(rec *recording.Recording) int64 {
	var elements int64
	count := func(name string) {
		n := int64(1)
		for _, d := range rec.Shape(name) {
			n *= int64(d)
		}
		elements += n
	}
	for _, name := range rec.Inputs() {
		count(name)
	}
	for _, name := range rec.Outputs() {
		count("out." + name)
	}
	return elements * bytesPerElement
}

// A budget is an amount that is taken and given back; whoever asks for more than is left waits.
type budget struct {
	mu    sync.Mutex
	given sync.Cond
	total int64
	left  int64
}

func newBudget(total int64) *budget {
	b := &budget{total: total, left: total}
	b.given.L = &b.mu
	return b
}

// take waits until n are left, or everything is where n is more than there is.
func (b *budget) take(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for n = min(n, b.total); b.left < n; {
		b.given.Wait()
	}
	b.left -= n
}

// give returns what take(n) took.
func (b *budget) give(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left += min(n, b.total)
	b.given.Broadcast()
}

package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"plumbline/verify/report"
)

// statusOn returns how one line on a terminal says what is being done, and how it is taken away.
// Elsewhere both do nothing.
func statusOn(w io.Writer) (say func(text string), clear func()) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return func(string) {}, func() {}
	}
	return func(text string) { fmt.Fprintf(f, "\r%s\x1b[K", text) }, func() { fmt.Fprint(f, "\r\x1b[K") }
}

// A progress is a line on a terminal that says how far a run is: how many recordings are reported,
// which one the report waits for and how long that has been judged, and how many later ones are
// ready behind it. In a pipe it is silent. A nil progress is one that nobody watches.
type progress struct {
	w     io.Writer // nil where nobody watches
	total int
	now   func() time.Time

	mu      sync.Mutex
	shown   bool      // a line is on the terminal
	done    int       // reported
	ready   int       // judged and not yet reported
	waiting *waiting  // what the report waits for
	stopped chan bool // closed when nothing more is drawn
}

// waiting is a recording on its way through the run.
type waiting struct {
	name  string
	begun time.Time // when judging it began; zero before
}

// every is how often the line is drawn anew.
const every = time.Second

// start draws the line every second until stop is called.
func (p *progress) start() (stop func()) {
	if p == nil || p.w == nil {
		return func() {}
	}
	ticker := time.NewTicker(every)
	p.stopped = make(chan bool)
	go func() {
		for {
			select {
			case <-ticker.C:
				p.change(func() {})
			case <-p.stopped:
				return
			}
		}
	}()
	return func() {
		ticker.Stop()
		close(p.stopped)
		p.clear()
	}
}

// await names what the report waits for.
func (p *progress) await(w *waiting) { p.change(func() { p.waiting = w }) }

// begin marks the time at which a recording is judged.
func (p *progress) begin(w *waiting) { p.change(func() { w.begun = p.now() }) }

// end counts a recording that is ready to be reported.
func (p *progress) end() { p.change(func() { p.ready++ }) }

// step counts one that has been reported.
func (p *progress) step() { p.change(func() { p.ready, p.done, p.waiting = p.ready-1, p.done+1, nil }) }

func (p *progress) change(f func()) {
	if p == nil || p.w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	p.draw()
}

// widestName bounds a name on the line, which must not be longer than a terminal is wide.
const widestName = 40

func (p *progress) draw() {
	if p.done >= p.total {
		return
	}
	text := fmt.Sprintf("%d of %d judged", p.done, p.total)
	if w := p.waiting; w != nil && !w.begun.IsZero() {
		text += fmt.Sprintf("; %s, %s", tail(report.Printable(w.name)), p.now().Sub(w.begun).Truncate(every))
		if p.ready > 0 {
			text += fmt.Sprintf(" (%d behind it ready)", p.ready)
		}
	}
	fmt.Fprintf(p.w, "\r%s\x1b[K", text)
	p.shown = true
}

// tail returns the end of a name that is too long, where files differ.
func tail(name string) string {
	if runes := []rune(name); len(runes) > widestName {
		return "…" + string(runes[len(runes)-widestName+1:])
	}
	return name
}

// clear takes the line away, so that something else can be written.
func (p *progress) clear() {
	if p == nil || p.w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

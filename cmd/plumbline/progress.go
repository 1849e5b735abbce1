package main

import (
	"fmt"
	"io"
)

// A progress is a line on a terminal that counts the recordings judged; in a pipe it is silent.
type progress struct {
	w     io.Writer // nil where nobody watches
	total int
	done  int
}

// step counts one more and draws the line again.
func (p *progress) step() {
	p.done++
	p.draw()
}

func (p *progress) draw() {
	if p.w != nil && p.done < p.total {
		fmt.Fprintf(p.w, "\r%d of %d judged\x1b[K", p.done, p.total)
	}
}

// clear takes the line away, so that something else can be written.
func (p *progress) clear() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

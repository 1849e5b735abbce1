package main

import (
	"fmt"
	"io"
	"os"

	"plumbline/verify/report"
)

// checked is the standard output, which remembers the first write that failed: a command whose
// output is not all there has failed, however many writes ago that was. The file is no embedded
// field, since its WriteString would then pass by Write.
type checked struct {
	file *os.File
	err  error
}

// Write passes on what is written until a write fails, and nothing after it.
func (c *checked) Write(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.file.Write(p)
	c.err = err
	return n, err
}

// complain writes an error as one line. What is wrong often has a file's name or contents in it,
// and these may hold anything.
func complain(stderr io.Writer, command string, err error) {
	fmt.Fprintf(stderr, "%s: %s\n", command, report.Line(err.Error()))
}

package op

import (
	"fmt"

	"plumbline/internal/parallel"
)

// Fault is a fault of Plumbline itself. Nothing is meant to panic; should something, one recording
// gets this error, and whoever judges many, or has tests of his own to run, goes on.
type Fault struct {
	Value any    // what was panicked with
	Stack string // where
}

// Error says whose fault it is.
func (f *Fault) Error() string {
	return fmt.Sprintf("internal error, a fault of plumbline and not of this file, please report it: %v", f.Value)
}

// fault wraps what was recovered.
func fault(p any) *Fault {
	caught := parallel.Caught(p)
	return &Fault{caught.Value, caught.Stack}
}

// guarded calls f and returns its panic as an error.
func guarded[T any](f func() (T, error)) (result T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault(p)
		}
	}()
	return f()
}

// Package parallel spreads independent work over the processors.
package parallel

import (
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Fault is a panic of a worker, with the stack where it happened.
type Fault struct {
	Value any
	Stack string
}

// Caught returns what was recovered as a Fault; that of a worker keeps the stack of the worker.
func Caught(p any) *Fault {
	if f, ok := p.(*Fault); ok {
		return f
	}
	return &Fault{p, string(debug.Stack())}
}

// chunk is how many elements are worth another goroutine.
const chunk = 1 << 14

// Chunks calls f for parts of 0 … n−1, from … to−1, as Each does.
func Chunks(n int, f func(from, to int)) {
	Each((n+chunk-1)/chunk, func(i int) { f(i*chunk, min((i+1)*chunk, n)) })
}

// Each calls f for 0 … n−1 on as many goroutines as there are processors. Calls write to places of
// their own, so that results do not depend on their order. A panic in a call becomes a Fault that
// the caller panics with.
func Each(n int, f func(i int)) {
	var next atomic.Int64
	var failed atomic.Pointer[Fault]
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					failed.Store(Caught(p))
				}
			}()
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
	if p := failed.Load(); p != nil {
		panic(p)
	}
}

package op

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// each calls f for 0 … n−1 on as many goroutines as there are processors. Calls write to places of
// their own, so that results do not depend on their order. A panic in a call becomes one of the
// caller.
func each(n int, f func(i int)) {
	var next atomic.Int64
	var failed atomic.Value
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					failed.Store(fault(p))
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

// Package heap spares short runs the collection of garbage.
package heap

import (
	"os"
	"runtime"
)

// floor is never written, so that it takes addresses and no memory.
var floor []byte

// Floor lets the heap grow by so many bytes before it is collected first, times what GOGC has. Go
// collects at twice what is kept, and who keeps little and makes much would collect all the time; a
// higher GOGC would cost those dear who keep much. Where GOGC is set in the environment, that holds
// alone.
func Floor(bytes int) {
	if os.Getenv("GOGC") == "" {
		floor = make([]byte, bytes)
		runtime.KeepAlive(floor)
	}
}

package check

import (
	"flag"
	"os"
	"runtime/debug"

	"plumbline/internal/heap"
)

// Long is set where tests may take long.
var Long = flag.Bool("long", false, "run every seed, kernel, mistake and request, and the tables at full size")

// Tests make much and keep little: garbage is collected from 256 MiB on, or at four times what is
// kept, which spares a third of their time.
func init() {
	heap.Floor(64 << 20)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
	}
}

// Times is how often a test draws: with -long, and by default.
func Times(all, few int) int {
	if *Long {
		return all
	}
	return few
}

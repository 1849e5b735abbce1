package check

import (
	"flag"
	"os"
	"runtime/debug"
)

// Long is set where tests may take long.
var Long = flag.Bool("long", false, "run every seed, kernel, mistake and request, and the tables at full size")

// Tests make much and keep little: unless GOGC says otherwise, memory grows to four times what is
// kept before it is collected, which spares a tenth of their time.
func init() {
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

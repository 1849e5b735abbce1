package check

import "flag"

// Long is set where tests may take long.
var Long = flag.Bool("long", false, "run every seed, kernel, mistake and request, and the tables at full size")

// Times is how often a test draws: with -long, and by default.
func Times(all, few int) int {
	if *Long {
		return all
	}
	return few
}

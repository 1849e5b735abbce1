package experts

// LowerRunElements lowers how many outputs of experts may be in memory in all runs, until the
// returned function is called.
func LowerRunElements(n int) (restore func()) {
	before := runElements
	runElements = n
	return func() { runElements = before }
}

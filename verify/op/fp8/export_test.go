package fp8

// LowerRunWork lowers what runs of a product may cost, until the returned function is called.
func LowerRunWork(work float64) (restore func()) {
	before := workOfRuns
	workOfRuns = work
	return func() { workOfRuns = before }
}

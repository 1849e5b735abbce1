package prediction

// LowerRunProducts lowers how many products all runs may take, until the returned function is
// called.
func LowerRunProducts(n float64) (restore func()) {
	before := runProducts
	runProducts = n
	return func() { runProducts = before }
}

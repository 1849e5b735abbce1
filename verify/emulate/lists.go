package emulate

// Indices returns 0 … n−1.
func Indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// Picked returns the elements of x at some places.
func Picked[T any](x []T, places []int) []T {
	y := make([]T, len(places))
	for i, at := range places {
		y[i] = x[at]
	}
	return y
}

package optest

// Must is for steps of a test that cannot fail.
func Must(err error) {
	if err != nil {
		panic(err)
	}
}

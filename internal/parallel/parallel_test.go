package parallel_test

import (
	"testing"

	"plumbline/internal/parallel"
)

// TestEachCarriesAPanic: a panic in a worker is one of the caller, so that whoever judges many
// recordings can name the one that failed.
func TestEachCarriesAPanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("the panic was lost")
		}
	}()
	parallel.Each(8, func(i int) {
		if i == 5 {
			panic("op: five")
		}
	})
}

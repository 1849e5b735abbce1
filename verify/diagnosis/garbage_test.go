package diagnosis

import (
	"testing"

	"plumbline/internal/check"
	"plumbline/verify/emulate"
	"plumbline/verify/op"
)

// Whatever was recorded, a diagnosis ends without a fault of ours: here outputs are numbers by
// chance, some of them none.
func TestGarbageIsDiagnosedWithoutFault(t *testing.T) {
	for i, name := range emulate.Ops() {
		if (i-2)%check.Times(1, 9) != 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rec, err := emulate.Run(emulate.Request(name, 1), emulate.Config{})
			if err != nil {
				t.Fatal(err)
			}
			random := emulate.NewRand(1, name)
			for _, output := range rec.Outputs() {
				if op.Lookup(name).Output(output).Integer {
					continue
				}
				rec = edited(rec, "out."+output, func(_ int, x float64) float64 {
					return []float64{x, -x, 3 * random.NormFloat64(), x / float64(random.IntN(3))}[random.IntN(4)]
				})
			}
			if v := Judge(rec, op.MaxWork, Budget); v.Fault != "" {
				t.Error(v.Fault)
			}
		})
	}
}

package optest

import (
	"testing"

	"plumbline/verify/emulate"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// JudgeKernel judges what a kernel makes of a request.
func JudgeKernel(t *testing.T, request *recording.Recording, c emulate.Config) verdict.Verdict {
	t.Helper()
	rec, err := emulate.Run(request, c)
	if err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	return Judge(t, rec)
}

// Recorded returns a right recording of an op.
func Recorded(t *testing.T, opName string, seed uint64) *recording.Recording {
	t.Helper()
	rec, err := emulate.Run(emulate.Request(opName, seed), emulate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	rec.Name = "r.safetensors"
	return rec
}

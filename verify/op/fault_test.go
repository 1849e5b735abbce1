package op

import (
	"strings"
	"testing"

	"plumbline/internal/parallel"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// An op that panics, in the caller's goroutine and in a worker's: Judge, Expect and JudgeAgainst
// are the public ways to judge.
func TestAFaultOfOursIsAnErrorOfOneRecording(t *testing.T) {
	before := registry
	t.Cleanup(func() { registry = before })
	for name, broken := range map[string]func(c *Case) ([]verdict.Expected, error){
		"broken.caller": func(*Case) ([]verdict.Expected, error) { panic("a key is NaN") },
		"broken.worker": func(*Case) ([]verdict.Expected, error) {
			parallel.Each(3, func(int) { panic("a key is NaN") })
			return nil, nil
		},
	} {
		Register(&Op{
			Name: name, Outputs: []Tensor{{Name: "y", Shape: []string{"N"}, Axes: []string{"row"}}}, Truth: broken,
		})
		rec := recording.New(name)
		rec.Name = "some.safetensors"
		rec.Set("out.y", dtype.F32, tensor.New(2))
		v := Judge(rec)
		if v.Status != verdict.Unusable ||
			!strings.Contains(v.Reason, "some.safetensors: internal error, a fault of plumbline") ||
			!strings.Contains(v.Reason, "a key is NaN") {
			t.Errorf("%s: %v, %q", name, v.Status, v.Reason)
		}
		if !strings.Contains(v.Fault, "fault_test.go") {
			t.Errorf("%s: the stack does not lead here:\n%s", name, v.Fault)
		}
		wrong := []verdict.Expected{{Name: "y", Truth: tensor.New(2)}} // no σ: judging it panics
		if v := JudgeAgainst(rec, wrong); v.Status != verdict.Unusable || v.Fault == "" {
			t.Errorf("%s against a truth that is broken: %v, %q", name, v.Status, v.Reason)
		}
	}
}

package main

import (
	"io"
	"testing"

	"plumbline/golden"
	"plumbline/internal/optest"
	"plumbline/verify/diagnosis"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/report"
)

// BenchmarkSmall verifies the recordings that ship of at most a thousand numbers each, as the
// command does.
func BenchmarkSmall(b *testing.B) {
	var list []source
	for _, name := range golden.Names() {
		rec, err := golden.Open(name)
		optest.Must(err)
		if weigh(rec) <= 1000*bytesPerElement {
			list = append(list, source{name, func() (*recording.Recording, error) { return golden.Open(name) }})
		}
	}
	judge := judgeUpTo(verifying{mostWork: op.MaxWork, budget: diagnosis.Budget}, diagnosis.Budget*share(false))
	for b.Loop() {
		optest.Must(newBench(judge, nil, io.Discard).run(list, func(report.Entry) error { return nil }))
	}
	b.ReportMetric(float64(len(list)), "recordings/op")
}

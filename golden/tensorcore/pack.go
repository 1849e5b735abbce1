package main

import (
	"fmt"
	"strings"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// names are the devices as their owners call them.
var names = map[string]string{
	"V100": "NVIDIA V100", "A100": "NVIDIA A100", "A2": "NVIDIA A2",
	"Ada":  "NVIDIA RTX 1000 Ada (L40S gave the same bits)",
	"H100": "NVIDIA H100", "H200": "NVIDIA H200", "B200": "NVIDIA B200",
}

// name returns the recording's: mma-step-h100-bf16, and -f16 at the end for float16 results.
func (o *origin) name(output string) string {
	name := "mma-step-" + strings.ToLower(o.device+"-"+o.operands)
	if output == "d16" {
		name += "-f16"
	}
	return name
}

// instruction returns the instruction that gave an output, as the origin's programs say.
func (o *origin) instruction(output string) string {
	switch {
	case o.types["a"].Size() > 1:
		return "wmma (mma.sync)"
	case o.ignoresC(output):
		return "wgmma without an accumulator"
	}
	return "mma.sync.m16n8k32"
}

// pack returns a recording of the rows chosen, with the notice that has to travel with them.
func (o *origin) pack(output, licence string) *recording.Recording {
	rows := o.chosen(output)
	_, k := o.rows()
	rec := recording.New("mma.step")
	rec.Name = o.name(output)
	rec.Set("a", o.types["a"], o.pick("a", rows, k))
	rec.Set("b", o.types["b"], o.pick("b", rows, k))
	if !o.ignoresC(output) {
		rec.Set("c", dtype.F32, o.pick("c", rows, 0))
	}
	rec.Set("out.d", o.types[output], o.pick(output, rows, 0))
	rec.Arithmetic["accumulate"] = o.accumulate.String()
	rec.Provenance["producer"] = "Faizan A. Khattak and Mantas Mikaitis (recorded by them on the device, packed here)"
	rec.Provenance["source"] = "https://github.com/north-numerical-computing/MATLAB-tensor-core, model_validation/, " +
		"commit b12b5a700957655375a1b0c1d0c26e76065da015"
	rec.Provenance["paper"] = "Accurate Models of NVIDIA Tensor Cores, arXiv 2512.07004, doi 10.1145/3830409"
	rec.Provenance["licence"] = "BSD-2-Clause, (c) 2025 Faizan A. Khattak and Mantas Mikaitis; " +
		"its text is in this file's metadata"
	rec.Extra["licence"] = licence
	rec.Provenance["device"], rec.Provenance["driver"] = names[o.device], "not stated"
	rec.Provenance["command"] = "go run ./golden/tensorcore FOLDER"
	n, _ := o.rows()
	rec.Provenance["note"] = fmt.Sprintf("%s; %d of %d rows, those that tell this step from its neighbours, "+
		"bit for bit", o.instruction(output), len(rows), n)
	return rec
}

// pick returns rows of a tensor, [N × k], or of one without columns, [N].
func (o *origin) pick(name string, rows []int, k int) *tensor.Tensor {
	shape := []int{len(rows), k}
	if k == 0 {
		shape, k = shape[:1], 1
	}
	data := make([]float64, 0, len(rows)*k)
	for _, i := range rows {
		data = append(data, o.values[name][i*k:][:k]...)
	}
	return tensor.Of(data, shape...)
}

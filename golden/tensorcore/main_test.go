package main

import (
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// writeOrigin writes a file as the origin's were packed: rows of random operands with the results
// of a tensor core.
func writeOrigin(t *testing.T, folder, name string, a arithmetic.Accumulator, operands dtype.Type, spoil bool) {
	t.Helper()
	values := stepsOf(t, a, operands)
	if spoil {
		values["d"][17] *= 1.5
	}
	header, body := packed(values, operands)
	text, err := json.Marshal(header)
	if err != nil {
		t.Fatal(err)
	}
	file := append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)
	if err := os.WriteFile(filepath.Join(folder, name+".safetensors"), append(file, body...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "LICENCE"), []byte("the notice"), 0o644); err != nil {
		t.Fatal(err)
	}
}

const rows, k = 600, 32 // of an origin's file, and products of a row

// stepsOf returns random operands with the results of a tensor core.
func stepsOf(t *testing.T, a arithmetic.Accumulator, operands dtype.Type) map[string][]float64 {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	core, err := a.TensorCore(operands, dtype.F32)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]float64{"a": nil, "b": nil, "c": nil, "d": nil}
	for range rows {
		x, y, c := make([]float64, k), make([]float64, k), dtype.F32.Round(rng.Float64())
		for i := range x {
			x[i], y[i] = operands.Round(rng.NormFloat64()), operands.Round(rng.NormFloat64())
		}
		values["a"], values["b"] = append(values["a"], x...), append(values["b"], y...)
		values["c"], values["d"] = append(values["c"], c), append(values["d"], core.Dot(c, x, y))
	}
	return values
}

// packed lays tensors one behind the other.
func packed(values map[string][]float64, operands dtype.Type) (header map[string]entry, body []byte) {
	header = map[string]entry{}
	for _, name := range []string{"a", "b", "c", "d"} {
		typ, shape := dtype.F32, []int{rows}
		if name < "c" {
			typ, shape = operands, []int{rows, k}
		}
		data := make([]byte, len(values[name])*typ.Size())
		typ.Encode(data, values[name])
		header[name] = entry{typ.String(), shape, [2]int64{int64(len(body)), int64(len(body) + len(data))}}
		body = append(body, data...)
	}
	return header, body
}

func TestPack(t *testing.T) {
	from, to, again := t.TempDir(), t.TempDir(), t.TempDir()
	writeOrigin(t, from, "A100-bf16", arithmetic.F32Ampere, dtype.BF16, false)
	for _, folder := range []string{to, again} {
		if err := run(from, folder, false); err != nil {
			t.Fatal(err)
		}
	}
	rec, err := recording.Open(filepath.Join(to, "mma-step-a100-bf16.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer rec.Close()
	if v := op.Judge(rec); v.Status != verdict.Explained || v.Outputs[0].Elements != kept {
		t.Errorf("%s %s", v.Status, v.Reason)
	}
	if rec.Extra["licence"] != "the notice" {
		t.Error("the notice does not travel")
	}
	t.Run("the rows tell the step from its neighbours", func(t *testing.T) {
		for _, device := range []string{"F32_HOPPER", "F32_BLACKWELL"} {
			wrong := rec.Clone()
			wrong.Arithmetic["accumulate"] = device
			if v := op.Judge(wrong); v.Status != verdict.Unexplained {
				t.Errorf("%s: %s", device, v.Status)
			}
		}
	})
	t.Run("they are always the same", func(t *testing.T) {
		for _, name := range []string{"mma-step-a100-bf16.safetensors", "LICENCE-tensor-cores.txt"} {
			first, _ := os.ReadFile(filepath.Join(to, name))
			second, _ := os.ReadFile(filepath.Join(again, name))
			if len(first) == 0 || string(first) != string(second) {
				t.Errorf("%s differs", name)
			}
		}
	})
}

func TestAResultThatDiffersIsAnError(t *testing.T) {
	from := t.TempDir()
	writeOrigin(t, from, "H100-fp16", arithmetic.F32Hopper, dtype.F16, true)
	if err := run(from, t.TempDir(), true); err == nil || !strings.Contains(err.Error(), "does not explain") {
		t.Error(err)
	}
}

func TestBrokenFilesAreErrors(t *testing.T) {
	for name, content := range map[string]string{
		"X-bf16": "", "H100-bf16": "\x05\x00\x00\x00\x00\x00\x00\x00{}   ",
		"A2-bf16": "\xff\xff\xff\xff\xff\xff\xff\xff", "A100-bf16": "\x02\x00\x00\x00\x00\x00\x00\x00[]",
		"Ada-bf16":  header(`{"a":{"dtype":"F32","shape":[2,4],"data_offsets":[0,400]}}`),
		"V100-bf16": header(`{"a":{"dtype":"F32","shape":[-2,4],"data_offsets":[0,-32]}}`),
		"B200-bf16": header(`{"a":{"dtype":"F32","shape":[1073741824,1073741824,16],"data_offsets":[0,0]}}`),
	} {
		from := t.TempDir()
		if err := os.WriteFile(filepath.Join(from, name+".safetensors"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := run(from, from, true); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := run(t.TempDir(), t.TempDir(), true); err == nil {
		t.Error("an empty folder: no error")
	}
}

func header(text string) string {
	return string(binary.LittleEndian.AppendUint64(nil, uint64(len(text)))) + text
}

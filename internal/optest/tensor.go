package optest

import (
	"encoding/json"
	"testing"

	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
)

// Nudged returns a recording with an element of an output moved by one unit in the last place.
func Nudged(t *testing.T, rec *recording.Recording, name string, i int) *recording.Recording {
	t.Helper()
	y, err := rec.Tensor("out." + name)
	if err != nil {
		t.Fatal(err)
	}
	typ := rec.Type("out." + name)
	y.Data[i] += typ.Spacing(y.Data[i])
	other := rec.Clone()
	other.Set("out."+name, typ, y)
	return other
}

// Input returns a tensor of a recording.
func Input(t *testing.T, r *recording.Recording, name string) *tensor.Tensor {
	t.Helper()
	x, err := r.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// Object reads the value of the attribute as a file has it.
func Object(t *testing.T, text string) map[string]any {
	t.Helper()
	object := map[string]any{}
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	for key, value := range object {
		if x, ok := value.(float64); ok {
			object[key] = recording.Number(x)
		}
	}
	return object
}

package foreign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumbline/golden"
	"plumbline/internal/optest"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// bundle is a graph of hipDNN that a test writes, with its tensors.
type bundle struct {
	folder  string
	tensors []map[string]any
	inputs  map[string]any
	outputs map[string]any
	attrs   map[string]any
	kind    string
	typ     string
}

func newBundle(t *testing.T, kind string) *bundle {
	return &bundle{
		folder: t.TempDir(), kind: kind, inputs: map[string]any{}, outputs: map[string]any{}, attrs: map[string]any{},
	}
}

// add writes a tensor with strides and returns its uid.
func (b *bundle) add(name, typ string, dims, strides []int, data []byte) int {
	uid := len(b.tensors)
	b.tensors = append(b.tensors, map[string]any{
		"uid": uid, "name": name, "dims": dims, "strides": strides, "data_type": typ, "virtual": false,
	})
	optest.Must(os.WriteFile(b.file(uid), data, 0o600))
	return uid
}

// file returns the path of a tensor.
func (b *bundle) file(uid int) string {
	return filepath.Join(b.folder, fmt.Sprintf("Small.tensor%d.bin", uid))
}

// write writes the graph and returns its path.
func (b *bundle) write() string {
	path := filepath.Join(b.folder, "Small.json")
	text, err := json.Marshal(map[string]any{
		"tensors": b.tensors, "name": "", "io_data_type": b.typ, "compute_data_type": "float",
		"nodes": []any{map[string]any{
			"type": b.kind, "name": "", "inputs": b.inputs, "outputs": b.outputs, "attributes": b.attrs,
		}},
	})
	optest.Must(err)
	optest.Must(os.WriteFile(path, text, 0o600))
	return path
}

// shipped opens a recording that ships.
func shipped(name string) *recording.Recording {
	rec, err := golden.Open(name + ".safetensors")
	optest.Must(err)
	return rec
}

// bytesOfTensor returns what a tensor of a recording holds, generated or stored.
func bytesOfTensor(rec *recording.Recording, name string) []byte {
	x, err := rec.Tensor(name)
	optest.Must(err)
	b := make([]byte, len(x.Data)*rec.Type(name).Size())
	rec.Type(name).Encode(b, x.Data)
	return b
}

// hipdnnNames are the names that hipDNN has for element types.
var hipdnnNames = map[string]string{"F32": "float", "F16": "half", "BF16": "bfloat16"}

// attentionBundle writes attention as hipDNN has it: logically [B, H, S, D]. As it lies in memory
// it is [B, S, H, D], by strides, or with packed it is as it is said.
func attentionBundle(t *testing.T, rec *recording.Recording, kind string, packed bool) *bundle {
	b := newBundle(t, kind)
	for i, name := range append(rec.Inputs(), outputNames(rec)...) {
		s := rec.Shape(name)
		data := bytesOfTensor(rec, name)
		dims, strides := []int{s[0], s[1], s[2]}, rowMajor(s)
		if len(s) == 4 {
			dims, strides = []int{s[0], s[2], s[1], s[3]}, []int{s[1] * s[2] * s[3], s[3], s[2] * s[3], 1}
		}
		typ := rec.Type(name)
		if packed && len(s) == 4 {
			a, err := Array{Type: typ, Size: typ.Size(), Shape: s, Data: data}.permuted(0, 2, 1, 3)
			optest.Must(err)
			data, strides = a.Data, rowMajor(dims)
		}
		uid := b.add(fmt.Sprint("T", i), hipdnnNames[typ.String()], dims, strides, data)
		side, word := b.inputs, name
		if output, ok := strings.CutPrefix(name, "out."); ok {
			side, word = b.outputs, strings.Replace(output, "lse", "stats", 1)
		}
		side[word+uidSuffix] = uid
	}
	return b
}

// sameTensors checks that an import has the bits of a recording.
func sameTensors(t *testing.T, got, want *recording.Recording) {
	t.Helper()
	for _, name := range append(want.Inputs(), outputNames(want)...) {
		b, err := got.Bytes(name)
		same := bytes.Equal(b, bytesOfTensor(want, name)) && slices.Equal(got.Shape(name), want.Shape(name))
		if err != nil || !same {
			t.Errorf("%s: %v %v, want %v: %v", name, got.Type(name), got.Shape(name), want.Shape(name), err)
		}
	}
}

// TestBundlesBecomeRecordings writes recordings that ship as bundles, and imports these.
func TestBundlesBecomeRecordings(t *testing.T) {
	for _, packed := range []bool{false, true} {
		rec := shipped("attention-forward-mha-bf16")
		rec.Delete("kv_lens")
		b := attentionBundle(t, rec, "SdpaAttributes", packed)
		b.attrs = map[string]any{"diagonal_alignment": "BOTTOM_RIGHT", "right_bound": 0, "left_bound": -1}
		got, err := Read([]string{b.write()}, Options{Arithmetic: rec.Arithmetic})
		if err != nil {
			t.Fatalf("%v, %+v", err, got)
		}
		sameTensors(t, got.Recording, rec)
		if got.Recording.Attrs["causal"] != true || len(got.Left) != 0 {
			t.Errorf("%v, %+v", got.Recording.Attrs, got.Left)
		}
	}
}

// TestBundlesAreJudged imports a right bundle and one whose output lacks the last key.
func TestBundlesAreJudged(t *testing.T) {
	rec := shipped("attention-forward-gqa-f32-sdpa-math")
	b := attentionBundle(t, rec, "SdpaAttributes", true)
	b.attrs = map[string]any{
		"causal_mask_bottom_right": rec.Attrs["causal"] == true, "attn_scale_value": rec.Attrs["scale"],
		"diagonal_alignment": "TOP_LEFT", "generate_stats": true, "mma_core_mode": "float", "dropout_probability": 0.0,
	}
	path := b.write()
	got, err := Read([]string{path}, Options{Arithmetic: rec.Arithmetic})
	if err != nil {
		t.Fatalf("%v, %+v", err, got)
	}
	if v := op.Judge(got.Recording); v.Status != verdict.Explained {
		t.Errorf("%v: %s", v.Status, v.Reason)
	}
	b.attrs["attn_scale_value"] = 0.5
	b.write()
	got, err = Read([]string{path}, Options{Arithmetic: rec.Arithmetic})
	optest.Must(err)
	if v := op.Judge(got.Recording); v.Status != verdict.Unexplained {
		t.Errorf("of another scale: %v", v.Status)
	}
}

// TestBundlesOfSums has a log-sum-exp of the right shape, and of another with as many elements.
func TestBundlesOfSums(t *testing.T) {
	for _, c := range []struct {
		shape []int
		want  string
	}{
		{[]int{1, 2, 3}, ""}, {[]int{1, 2, 3, 1}, ""},
		{[]int{1, 3, 2}, "L (tensor 4) of shape [1 3 2], want [1 2 3 1], with or without the last axis"},
	} {
		_, err := sdpa(t, 3, map[string]any{}, func(b *bundle) {
			b.outputs["stats"+uidSuffix] = b.add("L", "float", c.shape, rowMajor(c.shape), make([]byte, 24))
		})
		if c.want == "" && err != nil {
			t.Error(err)
		} else if c.want != "" {
			refused(t, err, c.want)
		}
	}
}

func TestBundlesOfGradients(t *testing.T) {
	rec := shipped("attention-backward-autograd-f32")
	b := attentionBundle(t, rec, "SdpaBackwardAttributes", true)
	b.inputs["o"+uidSuffix], b.inputs["stats"+uidSuffix] = 0, 0
	got, err := Read([]string{b.write()}, Options{Attrs: rec.Attrs, Arithmetic: rec.Arithmetic})
	if err != nil {
		t.Fatalf("%v, %+v", err, got)
	}
	sameTensors(t, got.Recording, rec)
	if len(got.Left) != 2 || got.Left[0].Name != "o" || got.Left[1].Name != "stats" {
		t.Errorf("%+v", got.Left)
	}
}

// normBundle writes a norm of rows [2, 3, 8].
func normBundle(t *testing.T, scale []int) *bundle {
	b := newBundle(t, "RMSNormAttributes")
	ones := bytes.Repeat([]byte{0, 0, 0x80, 0x3f}, 48)
	width := 1
	for _, d := range scale {
		width *= d
	}
	shape := []int{2, 3, 8}
	b.inputs["x"+uidSuffix] = b.add("X", "float", shape, rowMajor(shape), ones)
	b.inputs["scale"+uidSuffix] = b.add("S", "float", scale, rowMajor(scale), ones[:4*width])
	b.inputs["epsilon"+uidSuffix] = b.add("E", "float", []int{1}, []int{1}, []byte{0, 0, 0x80, 0x3e})
	b.outputs["y"+uidSuffix] = b.add("Y", "float", shape, rowMajor(shape), ones)
	return b
}

func TestBundlesOfNorms(t *testing.T) {
	for _, c := range []struct {
		scale []int
		want  []int // rows and width; nil: refused
	}{
		{[]int{1, 1, 8}, []int{6, 8}}, {[]int{8}, []int{6, 8}}, {[]int{1, 3, 8}, []int{2, 24}},
		{[]int{3, 8}, []int{2, 24}}, {[]int{1, 3, 1}, nil}, {[]int{2, 3, 8}, nil}, {[]int{1}, nil},
	} {
		got, err := Read([]string{normBundle(t, c.scale).write()}, Options{})
		switch {
		case c.want == nil:
			refused(t, err, fmt.Sprintf("scale of %v and y of [2 3 8], want y as x", c.scale))
		case err != nil || !slices.Equal(got.Recording.Shape("x"), c.want):
			t.Errorf("%v: %v", c.scale, err)
		case got.Recording.Attrs["eps"] != json.Number("0.25"):
			t.Errorf("%v", got.Recording.Attrs)
		}
	}
	t.Run("an epsilon that stands in the graph", func(t *testing.T) {
		b := normBundle(t, []int{8})
		optest.Must(os.Remove(b.file(2)))
		_, err := Read([]string{b.write()}, Options{})
		refused(t, err, "E (tensor 2): Small.tensor2.bin: no such file or directory")
		b.tensors[2]["value"], b.tensors[2]["value_type"] = 0.5, "Float32Value"
		got, err := Read([]string{b.write()}, Options{})
		if err != nil || got.Recording.Attrs["eps"] != json.Number("0.5") {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// sdpa returns the import of a bundle of 3 queries and so many keys with these attributes.
func sdpa(t *testing.T, keys int, attrs map[string]any, change func(b *bundle)) (*Import, error) {
	b := newBundle(t, "SdpaAttributes")
	q, k := []int{1, 2, 3, 4}, []int{1, 1, keys, 4}
	data := bytes.Repeat([]byte{0, 0, 0x80, 0x3f}, 96)
	for name, dims := range map[string][]int{"q": q, "k": k, "v": k} {
		b.inputs[name+uidSuffix] = b.add(name, "float", dims, rowMajor(dims), data[:16*dims[1]*dims[2]])
	}
	b.outputs["o"+uidSuffix] = b.add("o", "float", q, rowMajor(q), data[:96])
	b.attrs = attrs
	change(b)
	return Read([]string{b.write()}, Options{})
}

func TestMasks(t *testing.T) {
	top, bottom := "TOP_LEFT", "BOTTOM_RIGHT"
	for _, c := range []struct {
		keys   int
		attrs  map[string]any
		want   string // attributes, or what is refused
		lens   bool   // kv_lens is set
		refuse bool
	}{
		{5, map[string]any{"diagonal_alignment": top}, `{}`, false, false},
		{3, map[string]any{"causal_mask": true}, `{"causal":true}`, false, false},
		{5, map[string]any{"causal_mask": true}, `{"causal":true}`, true, false},
		{5, map[string]any{"causal_mask_bottom_right": true}, `{"causal":true}`, false, false},
		{5, map[string]any{"right_bound": 0, "diagonal_alignment": bottom}, `{"causal":true}`, false, false},
		{
			5, map[string]any{"right_bound": 0, "left_bound": 1, "diagonal_alignment": bottom},
			`{"causal":true,"window":2}`, false, false,
		},
		{5, map[string]any{"left_bound": 0, "diagonal_alignment": bottom}, `{"window":1}`, false, false},
		{3, map[string]any{"left_bound": 0}, `{"window":1}`, false, false},
		{5, map[string]any{"left_bound": 0}, "diagonal_alignment", false, true},
		{2, map[string]any{"causal_mask": true}, "diagonal_alignment", false, true},
		{5, map[string]any{"right_bound": 1, "diagonal_alignment": bottom}, "right_bound", false, true},
		{5, map[string]any{"alibi_mask": true}, "alibi_mask", false, true},
		{5, map[string]any{"padding_mask": true}, "padding_mask", false, true},
		{5, map[string]any{"dropout_probability": 0.1}, "dropout_probability", false, true},
		{5, map[string]any{"unheard_of": 1}, "unheard_of", false, true},
	} {
		got, err := sdpa(t, c.keys, c.attrs, func(*bundle) {})
		if c.refuse {
			if got == nil || got.Left[0].Name != c.want || !got.Left[0].Needed {
				t.Errorf("%v: %+v, %v", c.attrs, got, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%v: %v, %+v", c.attrs, err, got)
			continue
		}
		text, _ := json.Marshal(got.Recording.Attrs)
		if string(text) != c.want || got.Recording.Has("kv_lens") != c.lens {
			t.Errorf("%v: %s, lengths %v", c.attrs, text, got.Recording.Has("kv_lens"))
		}
	}
}

func TestHostileBundles(t *testing.T) {
	for _, c := range []struct {
		key   string // of the first tensor
		value any
		want  string
	}{
		{"data_type", "fp4_e2m1", `data_type "fp4_e2m1", which recordings do not have`},
		{"strides", []int{0, 0, 1}, "dims [2 3 8] with strides [0 0 1] lie in 8 elements"},
		{"strides", []int{-24, 8, 1}, "strides [-24 8 1], want them positive"},
		{"strides", []int{1}, "dims [2 3 8] and strides [1], want as many of both"},
		{"strides", []int{math.MaxInt, 8, 1}, "want them positive and within 4294967296 bytes"},
		{"dims", []int{1 << 30, 1 << 30, 8}, "more than 4294967296 bytes"},
		{"dims", []int{-2, 3, 8}, "an axis of length -2"},
		{"dims", []int{2, 3, 4}, "192 bytes, want the 176 of its dims, strides and data_type"},
		{"dims", "x", `"dims": found "x", want a list of whole numbers`},
		{"uid", 1, `"uid": found 1, want a number of its own`},
		{"uid", 1.5, `"uid": found 1.5, want a whole number`},
		{"uid", 9, "no tensor has the uid 0"},
		{"virtual", true, "virtual: it has no bytes"},
		{"ragged_offset_tensor_uid", 1, "ragged_offset_tensor_uid: sequences that are packed"},
	} {
		b := normBundle(t, []int{8})
		b.tensors[0][c.key] = c.value
		_, err := Read([]string{b.write()}, Options{})
		refused(t, err, c.want)
	}
	for want, change := range map[string]func(b *bundle){
		"no tensor has the uid 77":                            func(b *bundle) { b.inputs["x"+uidSuffix] = 77 },
		`"x_tensor_uid": found 1.5, want a whole number`:      func(b *bundle) { b.inputs["x"+uidSuffix] = 1.5 },
		"inputs: no x_tensor_uid":                             func(b *bundle) { delete(b.inputs, "x"+uidSuffix) },
		`a node of type "ConvolutionFwdAttributes", of which`: func(b *bundle) { b.kind = "ConvolutionFwdAttributes" },
		"Small.tensor0.bin: no such file or directory":        func(b *bundle) { optest.Must(os.Remove(b.file(0))) },
	} {
		b := normBundle(t, []int{8})
		change(b)
		_, err := Read([]string{b.write()}, Options{})
		refused(t, err, want)
	}
}

func TestWhatBundlesMayNotHave(t *testing.T) {
	t.Run("a link that leads out of the folder", func(t *testing.T) {
		b := normBundle(t, []int{8})
		outside := filepath.Join(t.TempDir(), "outside")
		optest.Must(os.Rename(b.file(0), outside))
		optest.Must(os.Symlink(outside, b.file(0)))
		_, err := Read([]string{b.write()}, Options{})
		refused(t, err, "path escapes from parent")
	})
	t.Run("what the op has no input for", func(t *testing.T) {
		b := normBundle(t, []int{8})
		b.inputs["bias"+uidSuffix], b.outputs["inv_rms"+uidSuffix] = 1, 3
		got, err := Read([]string{b.write()}, Options{})
		if err == nil || !slices.Equal(got.Left, []Left{
			{"bias", "an input, for which norm.rms has none", true},
			{"inv_rms", "an output, for which norm.rms has none", false},
		}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

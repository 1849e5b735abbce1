// Package count counts models: parameters, the cache of keys and values, operations, bubbles of a
// pipeline, and the balance of experts. The command and a page print the same tables.
package count

import (
	"fmt"
	"strconv"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/model"
)

// Model is what is counted, under a name.
type Model struct {
	Name            string
	Also            string // models of the same sizes
	Printed, Active string // parameters as they are printed by those who made it
	In              Format // of its matrices, as they are released
	Sizes           model.Sizes
}

// Format is what the parameters of a model are kept in.
type Format int

// A byte or two for each parameter; in FP4 routed experts have half a byte for each, and one more
// for 32, and the rest is in FP8.
const (
	BF16 Format = iota
	FP8
	FP4
)

// String returns the name as tables have it.
func (f Format) String() string { return [...]string{"BF16", "FP8", "FP8, experts in FP4"}[f] }

// Models returns those that are known by name.
func Models() []Model {
	return []Model{
		{Name: "DeepSeek-V2", Printed: "236B", Active: "21B", Sizes: model.DeepSeekV2().Sizes()},
		{Name: "DeepSeek-V2-Lite", Printed: "15.7B", Active: "2.4B", Sizes: model.DeepSeekV2Lite().Sizes()},
		{
			Name: "DeepSeek-V3", Also: "DeepSeek-R1, DeepSeek-V3.1", Printed: "671B", Active: "37B", In: FP8,
			Sizes: model.DeepSeekV3().Sizes(),
		},
		{Name: "DeepSeek-V3.2", Printed: "–", Active: "–", In: FP8, Sizes: model.DeepSeekV32()},
		{Name: "DeepSeek-V4-Flash", Printed: "284B", Active: "13B", In: FP4, Sizes: model.DeepSeekV4Flash()},
		{Name: "DeepSeek-V4-Pro", Printed: "1.6T", Active: "49B", In: FP4, Sizes: model.DeepSeekV4Pro()},
	}
}

// Names returns the names by which models are known, those of the same sizes too.
func Names() (names []string) {
	for _, m := range Models() {
		names = append(names, m.Name)
		if m.Also != "" {
			names = append(names, strings.Split(m.Also, ", ")...)
		}
	}
	return names
}

// Lookup returns the model of a name, in any case and with or without DeepSeek before it.
func Lookup(name string) (Model, bool) {
	for _, m := range Models() {
		for _, known := range append(strings.Split(m.Also, ", "), m.Name) {
			_, short, _ := strings.Cut(known, "-")
			if known != "" && (strings.EqualFold(name, known) || strings.EqualFold(name, short)) {
				m.Name = known
				return m, true
			}
		}
	}
	return Model{}, false
}

// GPU is a device and its memory.
type GPU struct {
	Name string
	GiB  float64
}

// gpus are those that are known by name, with the memory that their makers print, which is in GiB
// nearly; of a B200 less is usable than of the 192 GB on it.
var gpus = []GPU{
	{"A100", 80}, {"H100", 80}, {"H800", 80}, {"H20", 96}, {"H200", 141}, {"B200", 180}, {"MI300X", 192},
}

// GPUNames returns the names of the devices that are known.
func GPUNames() (names []string) {
	for _, g := range gpus {
		names = append(names, g.Name)
	}
	return names
}

// ParseGPU returns a device by its name, or one of so many GiB.
func ParseGPU(text string) (GPU, error) {
	for _, g := range gpus {
		if strings.EqualFold(text, g.Name) {
			return g, nil
		}
	}
	const most = 1 << 20
	if gib, err := strconv.ParseFloat(text, 64); err == nil && gib >= 1 && gib <= most {
		return GPU{"GPU", gib}, nil
	}
	return GPU{}, fmt.Errorf("no GPU %s%s, want one of %s, or its memory in GiB, 1 to %d",
		spelling.Quote(text), spelling.Suggest(text, GPUNames()), strings.Join(GPUNames(), ", "), most)
}

// Options are what a model is counted for.
type Options struct {
	Context, Batch int64 // tokens of a sequence, and how many sequences there are
	GPU            GPU
}

// The largest context and batch that are counted: products of them fit.
const (
	MostContext = 1 << 30
	MostBatch   = 1 << 20
)

// Defaults are the context of DeepSeek-V3 and R1, one sequence, and the GPU they were trained on.
var Defaults = Options{Context: 128 << 10, Batch: 1, GPU: GPU{"H800", 80}}

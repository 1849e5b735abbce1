// Requests writes the requests that kernels are recorded on, and their table:
//
//	go run ./kernels/requests
//
// It makes the same bytes at every run. A request is a recording without outputs. Inputs are
// recipes wherever one can say what is wanted, so that the files hold little but block tables,
// lengths, sinks and masks.
package main

import (
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"

	_ "plumbline/verify/op/all"

	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
)

func main() {
	folder := flag.String("o", filepath.Join("kernels", "requests"), "folder to write to")
	flag.Parse()
	if err := write(*folder); err != nil {
		fmt.Fprintf(os.Stderr, "requests: %v\n", err)
		os.Exit(1)
	}
}

func write(folder string) error {
	for _, f := range files() {
		rec, err := f.make(nil)
		if err != nil {
			return err
		}
		path := filepath.Join(folder, f.path())
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
		if err := rec.Save(path); err != nil {
			return err
		}
	}
	text, err := table()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "README.md"), []byte(text), 0o666)
}

// The folders of requests that are not run by default.
const (
	others = "others" // ops and types that the kernels of this project do not take
	large  = "large"  // outputs of tens of megabytes: to be timed, not to be kept
)

// A request is one call, in each of its types.
type request struct {
	name   string
	catch  string // what it is there to catch
	types  []dtype.Type
	folder string
	full   bool // of a model's size: too large to emulate in a test
	build  func(b *builder)
}

// both are the types of a request that names none.
var both = []dtype.Type{dtype.BF16, dtype.F32}

// A file is one request in one type.
type file struct {
	request
	op string
	t  dtype.Type
}

// families are the requests of each op, in the order of the catalogue.
var families = []struct {
	op       string
	requests []request
}{
	{"rope.table", ropeTables},
	{"rope.apply", ropeApplications},
	{"norm.rms", norms},
	{"attention.forward", forwards},
	{"attention.backward", backwards},
	{"attention.merge", merges},
	{"mla.decode", decodes},
	{"mla.layer", layers},
	{"moe.gate", gates},
	{"moe.balance_loss", balances},
	{"moe.bias_update", biasUpdates},
	{"moe.dispatch", dispatches},
	{"moe.experts", mixtures},
	{"moe.layer", mixtureLayers},
	{"fp8.cast", casts},
	{"fp8.gemm", products},
	{"fp8.grouped_gemm", groupedProducts},
	{"policy.logprob", logProbs},
	{"policy.kl", divergences},
	{"ppo.gae", recursions},
	{"ppo.loss", policyLosses},
	{"grpo.loss", groupLosses},
	{"ppo.value_loss", valueLosses},
	{"grpo.advantage", groupAdvantages},
	{"dpo.loss", preferenceLosses},
}

// files lists every request in every type.
func files() []file {
	var all []file
	for _, family := range families {
		for _, r := range family.requests {
			if r.types == nil {
				r.types = both
			}
			for _, t := range r.types {
				all = append(all, file{r, family.op, t})
			}
		}
	}
	return all
}

// base is the file's name without its ending.
func (f file) base() string {
	name := strings.NewReplacer(".", "-", "_", "-").Replace(f.op) + "-" + f.name
	if len(f.types) > 1 || f.t != dtype.F32 || f.op != "rope.table" {
		name += "-" + strings.ToLower(f.t.String())
	}
	return name
}

// path is where the file lies below the folder of requests.
func (f file) path() string { return filepath.Join(f.folder, f.base()+".safetensors") }

// digests gives the sha256 of a generated input that is known already.
type digests func(input string) string

// make builds the request. Where digests is nil, they are computed.
func (f file) make(d digests) (*recording.Recording, error) {
	b := &builder{Recording: recording.New(f.op), t: f.t, name: f.base(), digests: d}
	b.Name = b.name
	b.Provenance["note"] = f.catch
	f.build(b)
	if b.err != nil {
		return nil, fmt.Errorf("%s: %w", b.name, b.err)
	}
	return b.Recording, nil
}

// seed returns the seed of an input, which depends on its name and that of its file alone.
func seed(file, input string) uint64 {
	hash := fnv.New32a()
	hash.Write([]byte(file + "/" + input))
	return uint64(hash.Sum32())
}

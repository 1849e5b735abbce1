// Requests writes the requests that kernels are recorded on, and their table:
//
//	go run ./kernels/requests
//
// It makes the same bytes at every run; the digests of large inputs are taken from the files that
// are there, if their recipes are the same. A request is a recording without outputs. Inputs are
// recipes wherever one can say what is wanted, so that the files hold little but block tables,
// lengths, sinks and masks.
package main

import (
	"flag"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"

	_ "plumbline/verify/op/all"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
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
		path := filepath.Join(folder, f.path())
		rec, err := f.make(known(path, few))
		if err != nil {
			return err
		}
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
	others = "others" // for other people's code alone
	large  = "large"  // tens of megabytes and more: to be timed, not to be kept
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
	{"moe.gate", slices.Concat(gates, otherGates)},
	{"moe.balance_loss", slices.Concat(balances, otherBalances)},
	{"moe.bias_update", slices.Concat(biasUpdates, otherBiasUpdates)},
	{"moe.dispatch", slices.Concat(dispatches, otherDispatches)},
	{"moe.experts", slices.Concat(mixtures, otherMixtures)},
	{"moe.layer", slices.Concat(mixtureLayers, otherMixtureLayers)},
	{"fp8.cast", slices.Concat(casts, otherCasts)},
	{"fp8.gemm", slices.Concat(products, otherProducts)},
	{"fp8.grouped_gemm", slices.Concat(groupedProducts, otherGroupedProducts)},
	{"mtp.combine", combinations},
	{"mtp.loss", predictionLosses},
	{"mtp.accept", acceptances},
	{"policy.logprob", logProbs},
	{"policy.cross_entropy", crossEntropies},
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
		name += "-" + strings.ToLower(strings.TrimPrefix(f.t.String(), "F8_"))
	}
	return name
}

// path is where the file lies below the folder of requests.
func (f file) path() string { return filepath.Join(f.folder, f.base()+".safetensors") }

// digests gives the sha256 of a generated input that is known already, or "".
type digests func(input string, rc recipe) string

// few is how many elements of inputs a request has whose digests are computed every time.
const few = 1 << 17

// known gives the digests of inputs of a large request that a file has, where the recipe is the
// same: those of all DeepSeek-V3's experts take minutes. Of few elements they are computed; it is
// nil then.
func known(path string, few int) digests {
	old, err := recording.Open(path)
	if err != nil {
		return nil
	}
	defer old.Close()
	if elements(old) <= few {
		return nil
	}
	return func(input string, rc recipe) string {
		if stored, ok := old.Recipe(input); ok && described(stored) == described(rc) {
			return stored.SHA256
		}
		return ""
	}
}

// elements counts the elements of all inputs.
func elements(r *recording.Recording) int {
	var sum int
	for _, name := range r.Inputs() {
		n, _ := tensor.Elements(r.Shape(name))
		sum += n
	}
	return sum
}

// described is all that a recipe says but for its digest.
func described(rc recipe) string {
	var shift any
	if rc.Shift != nil {
		shift = *rc.Shift
	}
	rc.Shift, rc.SHA256 = nil, ""
	return fmt.Sprintf("%+v %v", rc, shift)
}

// make builds the request. Digests that are not known are computed.
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

package golden

import (
	gocmp "cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"plumbline/verify/op"
	"plumbline/verify/recording"
)

func TestOpen(t *testing.T) {
	t.Run("every name opens, and says where it comes from", func(t *testing.T) {
		for _, name := range Names() {
			rec, err := Open(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"producer", "device"} {
				if rec.Provenance[key] == nil {
					t.Errorf("%s: provenance lacks %q", name, key)
				}
			}
		}
	})
	t.Run("another name is an error", func(t *testing.T) {
		if _, err := Open("../golden.go"); err == nil || err.Error() != "../golden.go: no such embedded recording" {
			t.Error(err)
		}
	})
	t.Run("every op of the catalogue has a recording", func(t *testing.T) {
		recorded := map[string]bool{}
		for _, name := range Names() {
			recorded[open(t, name).Op] = true
		}
		for _, op := range op.Ops() {
			if !recorded[op.Name] {
				t.Errorf("%s has none", op.Name)
			}
		}
	})
}

func TestCheck(t *testing.T) {
	right := open(t, "rope-interleaved-to-half-f32.safetensors")
	t.Run("an explained recording passes", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "right.safetensors")
		if err := right.Save(path); err != nil {
			t.Fatal(err)
		}
		Check(t, path)
	})
	t.Run("an unexplained one fails with the report in words", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "wrong.safetensors")
		if err := mutated(t, right, "y: a head times 1.01").Save(path); err != nil {
			t.Fatal(err)
		}
		said := &listener{TB: t}
		Check(said, path)
		for _, want := range []string{"unexplained", path, "head 1 of 3", "recorded by plumbline emulate"} {
			if !strings.Contains(said.text, want) {
				t.Errorf("%q is missing in\n%s", want, said.text)
			}
		}
	})
	t.Run("one that is not there fails with the reason", func(t *testing.T) {
		said := &listener{TB: t}
		Check(said, "missing.safetensors")
		if !strings.Contains(said.text, "missing.safetensors: no such file") {
			t.Error(said.text)
		}
	})
}

// folderVariable names the folder that TestCheckDirOf judges, in a process of its own: a sub-test
// that fails would fail the test around it too.
const folderVariable = "PLUMBLINE_TEST_FOLDER"

func TestCheckDirOf(t *testing.T) {
	if folder, ok := os.LookupEnv(folderVariable); ok {
		CheckDir(t, folder)
	}
}

// checkedDir returns what a test says, with -v, that calls CheckDir, and whether it passed.
func checkedDir(t *testing.T, folder string) (said string, passed bool) {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestCheckDirOf$", "-test.v")
	command.Env = append(os.Environ(), folderVariable+"="+folder)
	out, err := command.CombinedOutput()
	return string(out), err == nil
}

func TestCheckDir(t *testing.T) {
	right, folder := open(t, "rope-interleaved-to-half-f32.safetensors"), t.TempDir()
	save := func(rec *recording.Recording, name string) {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := gocmp.Or(os.MkdirAll(filepath.Dir(path), 0o700), rec.Save(path)); err != nil {
			t.Fatal(err)
		}
	}
	save(right, "a.safetensors")
	save(right, "b/c.safetensors")
	t.Run("each recording below it is a sub-test", func(t *testing.T) {
		said, passed := checkedDir(t, folder)
		for _, want := range []string{
			"--- PASS: TestCheckDirOf/a.safetensors", "--- PASS: TestCheckDirOf/b/c.safetensors",
		} {
			if !passed || !strings.Contains(said, want) {
				t.Errorf("%q is missing in\n%s", want, said)
			}
		}
	})
	t.Run("one that is unexplained fails alone, with the report in words", func(t *testing.T) {
		save(mutated(t, right, "y: a head times 1.01"), "b/wrong.safetensors")
		said, passed := checkedDir(t, folder)
		for _, want := range []string{
			"--- FAIL: TestCheckDirOf/b/wrong.safetensors", "--- PASS: TestCheckDirOf/b/c.safetensors",
			filepath.Join(folder, "b/wrong.safetensors"), "head 1 of 3",
		} {
			if passed || !strings.Contains(said, want) {
				t.Errorf("%q is missing in\n%s", want, said)
			}
		}
	})
	t.Run("a folder without recordings fails, and one that is not there", func(t *testing.T) {
		for folder, want := range map[string]string{
			t.TempDir(): "no .safetensors file below this folder", "missing": "missing: stat .: no such file",
		} {
			if said, passed := checkedDir(t, folder); passed || !strings.Contains(said, want) {
				t.Errorf("%q is missing in\n%s", want, said)
			}
		}
	})
}

// listener is a test that keeps what a check says instead of failing.
type listener struct {
	testing.TB
	text string
}

func (l *listener) Errorf(format string, args ...any) { l.text += fmt.Sprintf(format, args...) }
func (l *listener) Error(args ...any)                 { l.text += fmt.Sprintln(args...) }

func TestMutations(t *testing.T) {
	t.Run("the right recording stays as it is", func(t *testing.T) {
		rec := open(t, "rope-plain-bf16.safetensors")
		before := bytesOf(t, rec)
		for _, m := range mutations(t, rec) {
			if wrong, _ := m.Apply(); wrong.Recording != nil && bytesOf(t, wrong.Recording) == before {
				t.Errorf("%s: the wrong recording is the right one", m.Name)
			}
		}
		if bytesOf(t, rec) != before {
			t.Error("it has been changed")
		}
	})
	t.Run("one that cannot show says why", func(t *testing.T) {
		for _, m := range mutations(t, open(t, "rope-yarn-f32.safetensors")) {
			if wrong, hidden := m.Apply(); (wrong.Recording == nil) != (hidden != "") {
				t.Errorf("%s: wrong recording %v, hidden %q", m.Name, wrong.Recording != nil, hidden)
			}
		}
	})
	t.Run("each shows on some recording", func(t *testing.T) {
		unseen, tried := allKinds(), map[string]bool{}
		for _, rec := range byWork(t) {
			if !mayHave(rec, unseen, !tried[rec.Op]) {
				continue
			}
			tried[rec.Op] = true
			for _, m := range mutations(t, rec) {
				if kind := strings.TrimPrefix(m.Name, m.Output+": "); unseen[kind] {
					if wrong, _ := m.Apply(); wrong.Recording != nil {
						delete(unseen, kind)
					}
				}
			}
		}
		for name := range unseen {
			t.Errorf("%s shows nowhere", name)
		}
	})
}

// TestMutationsHaveTheBanksIds: what the bank has as well has one name. An id that is changed
// there, or misspelt here, is missing in the list.
func TestMutationsHaveTheBanksIds(t *testing.T) {
	want := []string{
		"aggregation-swapped", "causal-missing", "direction-reversed", "dual-clip-missing", "eps-default", "kl-sign",
		"layout-swapped", "lse-base", "output-truncated", "output-unwritten", "position-off-by-one", "rows-swapped",
		"sampling-temperature-missing", "scale-of-latent", "smoothing-missing", "softcap-missing",
		"softmax-for-sigmoid", "weights-unnormalized", "window-missing", "yarn-missing",
	}
	found := map[string]bool{}
	for name := range allKinds() {
		found[idOf(name)] = true
	}
	delete(found, "")
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(found))); diff != "" {
		t.Errorf("want (-), found (+):\n%s", diff)
	}
	for _, m := range mutations(t, open(t, "mla-decode-bf16.safetensors")) {
		if name := strings.TrimPrefix(m.Name, m.Output+": "); !strings.HasPrefix(name, m.ID) || m.ID != idOf(name) {
			t.Errorf("%s has the id %q", m.Name, m.ID)
		}
	}
}

// byWork returns the embedded recordings, first those that take least.
func byWork(t *testing.T) (all []*recording.Recording) {
	t.Helper()
	work := map[*recording.Recording]float64{}
	for _, name := range Names() {
		rec := open(t, name)
		all = append(all, rec)
		var err error
		if work[rec], err = op.Work(rec); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortStableFunc(all, func(a, b *recording.Recording) int { return gocmp.Compare(work[a], work[b]) })
	return all
}

// mayHave tells whether one of the kinds may be a mutation of a recording, as far as what is
// declared tells, or of its outputs.
func mayHave(rec *recording.Recording, kinds map[string]bool, outputs bool) bool {
	n := len(kinds)
	for _, m := range slices.Concat(declarationMutations, choiceAttributes) {
		if kinds[m.name] {
			if m.appliesTo(rec) {
				return true
			}
			n--
		}
	}
	return outputs && n > 0
}

// allKinds returns the kinds of mutations.
func allKinds() map[string]bool {
	kinds := map[string]bool{}
	for _, m := range slices.Concat(outputMutations, choiceMutations) {
		kinds[m.name] = true
	}
	for _, m := range slices.Concat(declarationMutations, choiceAttributes) {
		kinds[m.name] = true
	}
	return kinds
}

func open(t *testing.T, name string) *recording.Recording {
	t.Helper()
	rec, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func mutations(t *testing.T, rec *recording.Recording) []Mutation {
	t.Helper()
	truth, err := op.Expect(rec)
	if err != nil {
		t.Fatal(err)
	}
	return Mutations(rec, truth)
}

func mutated(t *testing.T, rec *recording.Recording, name string) *recording.Recording {
	t.Helper()
	for _, m := range mutations(t, rec) {
		if m.Name == name {
			wrong, hidden := m.Apply()
			if wrong.Recording == nil {
				t.Fatal(hidden)
			}
			return wrong.Recording
		}
	}
	t.Fatalf("no mutation %q", name)
	return nil
}

func bytesOf(t *testing.T, rec *recording.Recording) string {
	t.Helper()
	var b strings.Builder
	if _, err := rec.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

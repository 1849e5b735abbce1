package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"plumbline/golden"
	"plumbline/internal/optest"
	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// evil holds what terminals obey or are deceived by: an escape, a bell, line ends, a C1 control, a
// direction override, an invisible tag, a byte that is no UTF-8.
const evil = "a\x1b[2J\x07\r\n\u009b2J\u202e\u2066\U000E0041\u2028\x7f\xff"

// TestNothingReachesTheTerminalUnescaped names files, tensors, keys and values so, and looks at
// every byte of both streams.
func TestNothingReachesTheTerminalUnescaped(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, change func(*recording.Recording)) string {
		t.Helper()
		rec, err := golden.Open("rope-interleaved-to-half-f32.safetensors")
		if err != nil {
			t.Fatal(err)
		}
		rec.Name = filepath.Join(dir, name)
		change(rec)
		if err := rec.Save(rec.Name); err != nil {
			t.Fatal(err)
		}
		return rec.Name
	}
	word := strings.ToValidUTF8(evil, "")
	// A file may not have controls in its name.
	name := strings.NewReplacer("\x1b", "", "\x07", "", "\r", "", "\n", "", "\u009b", "", "\x7f", "").Replace(word)
	files := []string{
		write(evil+"right.safetensors", func(*recording.Recording) {}),
		write("wrong.safetensors", func(r *recording.Recording) {
			r.Provenance = map[string]any{"producer": word, word: word, "note": []any{word}}
			r.Set("out.y", dtype.F32, tensor.New(r.Shape("out.y")...))
		}),
		write("op.safetensors", func(r *recording.Recording) { r.Op = word }),
		write("attr.safetensors", func(r *recording.Recording) { r.Attrs[word] = word }),
		write("value.safetensors", func(r *recording.Recording) { r.Attrs["layout"] = word }),
		write("yarn.safetensors", func(r *recording.Recording) { r.Attrs["yarn"] = map[string]any{word: word} }),
		write("key.safetensors", func(r *recording.Recording) { r.Arithmetic[word] = word }),
		write("type.safetensors", func(r *recording.Recording) { r.Arithmetic["angle"] = word }),
		write("list.safetensors", func(r *recording.Recording) { r.Arithmetic["angle"] = []any{word} }),
		write("tensor.safetensors", func(r *recording.Recording) { r.Set(name, dtype.F32, tensor.New(1)) }),
		write("output.safetensors", func(r *recording.Recording) { r.Set("out."+name, dtype.F32, tensor.New(1)) }),
		filepath.Join(dir, evil+"missing"), filepath.Join(dir, evil+"missing*"), filepath.Join(dir, evil+"missing["),
		filepath.Join(dir, evil), dir,
	}
	if err := os.WriteFile(files[len(files)-2], []byte("no recording"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range [][]string{
		{
			"verify", "-v", "-color=never",
		}, {"verify", "-json"}, {"inspect"}, {"show"}, {"ops"}, {"mistakes"}, {"help"}, {}, {"version"}, {"-" + evil},
		{evil}, {"verify", "-" + evil}, {"verify", "-color=" + evil}, {"verify", "-json=" + evil},
		{"inspect", "-" + evil}, {"verify", "-against=" + evil}, {"learn"}, {"learn", "-root=../.."},
		{"learn", "-" + evil}, {"learn", "-quiz"}, {"learn", "-answer=" + evil}, {"learn", "-root=" + evil},
	} {
		args := append(line, files...)
		if len(line) > 0 && slices.Contains([]string{"ops", "mistakes", "help", "learn"}, line[0]) {
			args = append(line, evil)
		}
		stdout, stderr := output(t, args)
		shown(t, strings.Join(line, " ")+" on stdout", stdout)
		shown(t, strings.Join(line, " ")+" on stderr", stderr)
	}
}

// TestComparisonsAreEscaped: what two files are called, and what is wrong with one, in words and in
// JSON.
func TestComparisonsAreEscaped(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, change func(*recording.Recording)) string {
		t.Helper()
		rec, err := golden.Open("norm-rms-bf16.safetensors")
		if err != nil {
			t.Fatal(err)
		}
		change(rec)
		path := filepath.Join(dir, name)
		if err := rec.Save(path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	word := strings.ToValidUTF8(evil, "")
	right := write(evil+".safetensors", func(r *recording.Recording) {
		r.Provenance = map[string]any{"producer": word}
	})
	for _, other := range []string{
		right, write("op", func(r *recording.Recording) { r.Op = word }),
		write("attr", func(r *recording.Recording) { r.Attrs[word] = word }),
		write(evil+"zero", func(r *recording.Recording) {
			r.Set("out.y", dtype.BF16, tensor.New(r.Shape("out.y")...))
		}),
		filepath.Join(dir, evil+"missing"), dir,
	} {
		for _, flag := range []string{"-v", "-json"} {
			stdout, stderr := output(t, []string{"verify", flag, "--against", other, right})
			shown(t, "stdout", stdout)
			shown(t, "stderr", stderr)
			if stdout == "" {
				t.Errorf("nothing is said of %q", other)
			}
		}
	}
}

// output runs a command line and returns what it writes.
func output(t *testing.T, args []string) (stdout, stderr string) {
	t.Helper()
	var files [2]*os.File
	for i := range files {
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[i] = f
	}
	run(args, files[0], files[1])
	var text [2]string
	for i, f := range files {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		text[i] = string(b)
	}
	return text[0], text[1]
}

// shown demands that a terminal shows every character of a text.
func shown(t *testing.T, what, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s: invalid UTF-8: %q", what, text)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.ContainsFunc(line, func(r rune) bool {
			return r != '\t' && !unicode.IsPrint(r)
		}) || strings.HasPrefix(line, "2J") {
			t.Errorf("%s: %q", what, line)
		}
	}
}

func TestAPanicIsLoggedWithoutEscapes(t *testing.T) {
	var log strings.Builder
	b := newBench(func(*recording.Recording) verdict.Verdict { panic(evil) }, nil, &log)
	got, err := judged(b, evil)
	if err != nil || got != evil {
		t.Errorf("%q, %v", got, err)
	}
	shown(t, "the log", log.String())
	if !strings.Contains(log.String(), "internal error") || !strings.Contains(log.String(), "hostile_test.go") {
		t.Error(log.String())
	}
}

func TestInspectCutsLongValues(t *testing.T) {
	rec, err := golden.Open("rope-plain-bf16.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	rec.Attrs["base"], rec.Provenance["note"] = json.Number(strings.Repeat("9", 20000)), strings.Repeat("x", 20000)
	path := filepath.Join(t.TempDir(), "long.safetensors")
	if err := rec.Save(path); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"inspect", "verify"} {
		if stdout, _ := output(t, []string{command, path}); len(stdout) > 4000 || !strings.Contains(stdout, "9999") {
			t.Errorf("%s: %d bytes", command, len(stdout))
		}
	}
}

// TestNothingOfForeignFilesReachesTheTerminalUnescaped imports files whose names, arrays and keys
// are so.
func TestNothingOfForeignFilesReachesTheTerminalUnescaped(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir) // where recordings go
	word := strings.ToValidUTF8(evil, "")
	quoted, err := json.Marshal(word)
	optest.Must(err)
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		optest.Must(os.MkdirAll(filepath.Dir(path), 0o700))
		optest.Must(os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	header := "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1)}"
	array := "\x93NUMPY\x01\x00" + string(rune(len(header))) + "\x00" + header + "1234"
	write(evil+"/"+evil+"x.npy", array)
	write(evil+"/weight.npy", strings.Replace(array, "(1, 1)", "(1,)  ", 1))
	w := string(quoted)
	for _, args := range [][]string{
		{"-op=norm.rms", filepath.Join(dir, evil)}, {"-op=norm.rms", "-map=x=" + evil + "x", filepath.Join(dir, evil)},
		{"-op=" + evil, filepath.Join(dir, evil)}, {"-op=norm.rms", "-map=" + evil + "=x", filepath.Join(dir, evil)},
		{"-op=norm.rms", write("type.npy", strings.Replace(array, "<f4", evil, 1))},
		{"-op=norm.rms", "-o=" + filepath.Join(dir, evil+"no", evil), "-map=x=" + evil + "x", filepath.Join(dir, evil)},
		{write("a.json", `{"nodes":[{"type":`+w+`}]}`)}, {write("b.json", `{`+w+`:1,`+w+`:2}`)},
		{write("c.json", `{"nodes":[{"type":"RMSNormAttributes","inputs":{"x_tensor_uid":0}}],"tensors":[{"uid":0,`+
			`"name":`+w+`,"data_type":`+w+`,"dims":[1],"strides":[1]}]}`)},
		{write("d.json", `{"axes":{},"name":`+w+`,"op_type":`+w+`}`)},
		{write("e.json", `{"axes":{},"name":"rmsnorm_h1","op_type":"rmsnorm","inputs":{`+w+`:{"dtype":`+w+`}}}`),
			write("e.jsonl", `{"definition":"rmsnorm_h1","workload":{"uuid":`+w+`,"inputs":{`+w+`:{"type":`+w+`}}}}`)},
		{filepath.Dir(write("f/metadata.jsonl", `{"function_name":`+w+`,`+w+`:1}`))},
		{filepath.Dir(write("g/metadata.jsonl", `{"function_name":"rmsnorm","input_metadata":{`+w+`:`+w+`}}`))},
		{evil}, {"-permute=" + evil}, {"-type=x=" + evil}, {"-attrs=" + evil},
	} {
		args = append([]string{"import"}, args...)
		stdout, stderr := output(t, args)
		shown(t, strings.Join(args, " ")+" on stdout", stdout)
		shown(t, strings.Join(args, " ")+" on stderr", stderr)
		stdout, stderr = output(t, append(args, "-json"))
		shown(t, strings.Join(args, " ")+" as JSON", stdout+stderr)
	}
}

// Web builds the page that judges recordings in a browser:
//
//	go run ./web -o dist/web
//
// The folder has everything: it works from a disk as from a server, and loads nothing from anywhere
// else. The engine is the same code as the command's, compiled to WebAssembly.
package main

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	_ "plumbline/verify/op/all"

	"plumbline/internal/catalogue"
	"plumbline/verify/op"
)

//go:embed page
var page embed.FS

func main() {
	log.SetFlags(0)
	log.SetPrefix("web: ")
	folder := flag.String("o", filepath.Join("dist", "web"), "the folder that is written")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("%q: want no argument", flag.Arg(0))
	}
	if err := build(*folder); err != nil {
		log.Fatal(err)
	}
}

// build writes the page into a folder.
func build(folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"index.html", "page.css", "page.js"} {
		if err := copyOut(folder, name); err != nil {
			return err
		}
	}
	if err := writeCatalogue(folder); err != nil {
		return err
	}
	return writeEngine(folder)
}

func copyOut(folder, name string) error {
	text, err := page.ReadFile("page/" + name)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name), text, 0o644)
}

// assign writes a script that gives a name to a value: a page on a disk may load scripts, and
// nothing else.
func assign(path, name string, value any) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "const %s = ", name)
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// example is a recording that the page offers to those who have none.
type example struct {
	Title string `json:"title"`
	Name  string `json:"name"`
	Bytes []byte `json:"base64"`
}

// examples are recordings of golden/testdata.
var examples = []struct{ title, file string }{
	{"a right attention kernel", "attention-forward-mha-bf16.safetensors"},
	{"one whose causal mask is missing", "invalid/attention-forward-high-logits-bf16.causal-missing.safetensors"},
	{"a gate that rounds its scores", "invalid/moe-gate-eps-bf16.scores-bf16.safetensors"},
}

// writeCatalogue writes the ops that can be judged, as docs/ops.json has them, and the examples.
func writeCatalogue(folder string) error {
	text, err := catalogue.JSON(op.Ops())
	if err != nil {
		return err
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	some, err := readExamples()
	if err != nil {
		return err
	}
	if all["examples"], err = json.Marshal(some); err != nil {
		return err
	}
	return assign(filepath.Join(folder, "catalogue.js"), "catalogue", all)
}

func readExamples() (some []example, err error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	for _, e := range examples {
		data, err := os.ReadFile(filepath.Join(root, "golden", "testdata", filepath.FromSlash(e.file)))
		if err != nil {
			return nil, err
		}
		some = append(some, example{e.title, filepath.Base(e.file), data})
	}
	return some, nil
}

// goTool runs the go command and returns what it prints.
func goTool(environment []string, args ...string) (string, error) {
	command := exec.Command("go", args...)
	command.Env = append(os.Environ(), environment...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

// moduleRoot is the folder of the module in which this runs.
func moduleRoot() (string, error) { return goTool(nil, "list", "-m", "-f", "{{.Dir}}") }

// writeEngine compiles the engine and writes it with what its worker runs.
func writeEngine(folder string) error {
	temporary, err := os.MkdirTemp("", "plumbline-web")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	wasm, err := compiled(filepath.Join(temporary, "engine.wasm"))
	if err != nil {
		return err
	}
	root, err := goTool(nil, "env", "GOROOT")
	if err != nil {
		return err
	}
	exec, err := os.ReadFile(filepath.Join(root, "lib", "wasm", "wasm_exec.js"))
	if err != nil {
		return err
	}
	worker, err := page.ReadFile("page/worker.js")
	if err != nil {
		return err
	}
	pack := map[string]any{"wasm": wasm, "exec": string(exec), "worker": string(worker)}
	return assign(filepath.Join(folder, "engine.js"), "enginePack", pack)
}

// compiled compiles the engine into a file and returns that compressed.
func compiled(path string) ([]byte, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	_, err = goTool([]string{"GOOS=js", "GOARCH=wasm"},
		"build", "-C", root, "-trimpath", "-ldflags=-s -w", "-o", path, "./web/wasm")
	if err != nil {
		return nil, err
	}
	return packed(path)
}

// packed returns a file, compressed.
func packed(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}

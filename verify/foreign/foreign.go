// Package foreign makes recordings of files that other programs write: arrays of NumPy, tensors of
// safetensors files, dumps and traces of FlashInfer, golden bundles of hipDNN.
//
// Elements are taken over bit by bit; what is changed is their place, where another program has its
// axes in another order, keeps sequences one behind the other, or in pages. What a file says and no
// op has a word for is named, with the reason: what says nothing about the result is left out, and
// what changes the result keeps the call from being imported.
//
// # Hostile files
//
// Files may come from anywhere. What they claim is checked before memory is taken for it: arrays
// take as many bytes as are there, or as deflate can make of these, and [MaxBytes] at most, those
// that are laid out anew too. JSON is read as strictly as that of a recording. A path that a file
// names is opened inside of one folder alone, whatever it says and wherever links lead.
package foreign

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/recording"
)

// Options say what files do not say themselves.
type Options struct {
	// Of arrays, whose files hold nothing but them; a key is the name of a tensor in the recording.
	Op      string
	Map     map[string]string     // the name of its array
	Types   map[string]dtype.Type // what the elements are, where NumPy knows no more than their size
	Permute map[string][]int      // its axes, as numbers of the array's

	Attrs      map[string]any // beside what the files say, and before it
	Arithmetic map[string]any

	Workload string // of a trace with several: the uuid, or how it begins
	Root     string // the folder that paths in a trace start from; "": found by itself
	Sequence int    // of a batch whose queries are not equal in number: the one to take, from 1 on; 0: all
}

// Import is what became of foreign files.
type Import struct {
	Recording *recording.Recording // nil where an error says that there is none
	Format    string               // in words
	Op        string
	Mapped    []Mapped
	Left      []Left
}

// Mapped is a tensor of the recording.
type Mapped struct {
	To, From string
	Type     dtype.Type
	Shape    []int
	How      string // what was done to it, if anything was
}

// Left is a part of the files that is not in the recording, or a tensor that the op wants and no
// file has.
type Left struct {
	Name, Why string
	Needed    bool // without it there is no recording
}

// ErrUnmapped says that a call has parts that would have to be mapped, and that Left has them.
var ErrUnmapped = errors.New("not imported: it has what no recording of the op can say, or lacks what one must have")

// Read imports one call, from the files and folders that hold it. With an error that is ErrUnmapped
// the import says what could not be mapped.
func Read(paths []string, o Options) (*Import, error) {
	b, err := read(paths, o)
	if err != nil {
		return nil, err
	}
	return b.finish(paths)
}

func read(paths []string, o Options) (*builder, error) {
	if len(paths) == 0 {
		return nil, errors.New("no file is named")
	}
	kind, err := kindOf(paths[0])
	if err != nil {
		return nil, err
	}
	if err := o.apply(kind, paths[0]); err != nil {
		return nil, err
	}
	switch kind {
	case graphKind:
		return readGraph(paths, o)
	case definitionKind:
		return readTrace(paths, o)
	case dumpKind:
		return readDump(paths, o)
	}
	return readNamed(paths, o)
}

// The kinds of files.
const (
	arraysKind     = "arrays"
	dumpKind       = "a dump of FlashInfer"
	definitionKind = "a trace of FlashInfer"
	graphKind      = "a golden bundle of hipDNN"
)

// kindOf tells what the first of the files is, by its name and, of JSON, by its keys.
func kindOf(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", within(path, cause(err))
	}
	switch _, err := os.Stat(filepath.Join(path, metadataFile)); {
	case info.IsDir() && err == nil:
		return dumpKind, nil
	case info.IsDir() || isArrays(path):
		return arraysKind, nil
	case slices.Contains([]string{".pt", ".pth", ".pkl"}, filepath.Ext(path)):
		return "", fmt.Errorf("%s: pickled, which is not read: write the tensors with safetensors or numpy.savez", path)
	case filepath.Ext(path) != ".json":
		return "", fmt.Errorf("%s: not known here, want .npz, .npy, .safetensors, .json or a folder", path)
	}
	object, err := readJSON(path)
	switch {
	case err != nil:
		return "", err
	case object["nodes"] != nil:
		return graphKind, nil
	case object["axes"] != nil:
		return definitionKind, nil
	}
	return "", fmt.Errorf("%s: neither a graph of hipDNN, which has nodes, nor a definition of FlashInfer, which has "+
		"axes", path)
}

// apply refuses options that mean nothing for a kind of files.
func (o Options) apply(kind, path string) error {
	for _, option := range []struct {
		flag  string
		given bool
		kinds []string
	}{
		{"-op", o.Op != "", []string{arraysKind}},
		{"-map", len(o.Map) > 0, []string{arraysKind}},
		{"-type", len(o.Types) > 0, []string{arraysKind}},
		{"-permute", len(o.Permute) > 0, []string{arraysKind}},
		{"-workload", o.Workload != "", []string{definitionKind}},
		{"-root", o.Root != "", []string{definitionKind}},
		{"-sequence", o.Sequence != 0, []string{definitionKind, dumpKind}},
	} {
		if option.given && !slices.Contains(option.kinds, kind) {
			return fmt.Errorf("%s is %s, of which %s says nothing", path, kind, option.flag)
		}
	}
	return nil
}

// builder collects what becomes a recording.
type builder struct {
	Import
	o       Options
	op      *op.Op
	rec     *recording.Recording
	refused bool
}

// begin returns a builder of a call of an op.
func begin(format, opName string, o Options) *builder {
	b := &builder{Import: Import{Format: format, Op: opName}, o: o, op: op.Lookup(opName), rec: recording.New(opName)}
	b.rec.Provenance["command"] = "plumbline import"
	return b
}

// set puts an array into the recording. An axis may have any length here: the op says which.
func (b *builder) set(to, from string, a Array, how string) {
	b.rec.SetBytes(to, a.Type, a.Shape, a.Data)
	b.Mapped = append(b.Mapped, Mapped{To: to, From: from, Type: a.Type, Shape: a.Shape, How: how})
}

// attr sets an attribute of the call.
func (b *builder) attr(name string, value any) { b.rec.Attrs[name] = recording.Value(value) }

// leave names what is left out.
func (b *builder) leave(name, why string) { b.Left = append(b.Left, Left{Name: name, Why: why}) }

// refuse names what may not be left out.
func (b *builder) refuse(name, format string, args ...any) {
	b.Left = append(b.Left, Left{Name: name, Why: fmt.Sprintf(format, args...), Needed: true})
	b.refused = true
}

// finish adds what the options say, and checks that the recording can be judged once it has
// outputs.
func (b *builder) finish(paths []string) (*Import, error) {
	for key, value := range b.o.Attrs {
		b.rec.Attrs[key] = value
	}
	for key, value := range b.o.Arithmetic {
		b.rec.Arithmetic[key] = value
	}
	if err := b.cite(paths); err != nil {
		return nil, err
	}
	b.lacking()
	b.sort()
	if b.refused {
		return &b.Import, fmt.Errorf("%s: %w", paths[0], ErrUnmapped)
	}
	b.rec.Name = paths[0]
	if _, err := op.Bind(b.rec); err != nil {
		return nil, err
	}
	b.Recording = b.rec
	return &b.Import, nil
}

// lacking names the inputs that the op needs and nothing gave.
func (b *builder) lacking() {
	if b.op == nil || b.refused {
		return
	}
	for _, t := range b.op.Inputs {
		if !t.Optional && !b.rec.Has(t.Name) {
			b.refuse(t.Name, "%s wants it, %s %s, and it is not there", b.op.Name, t.TypeText(), t.ShapeText())
		}
	}
}

// sort puts tensors into the order of the catalogue.
func (b *builder) sort() {
	if b.op == nil {
		return
	}
	names := tensorNames(b.op)
	place := func(m Mapped) int { return slices.Index(names, m.To) }
	slices.SortStableFunc(b.Mapped, func(x, y Mapped) int { return place(x) - place(y) })
}

// tensorNames lists the names that tensors of an op have in a recording.
func tensorNames(o *op.Op) (names []string) {
	for _, t := range o.Inputs {
		names = append(names, t.Name)
	}
	for _, t := range o.Outputs {
		names = append(names, "out."+t.Name)
	}
	return names
}

// lookup returns the op of that name, or says which is near.
func lookup(name string) (*op.Op, error) {
	if found := op.Lookup(name); found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("no op %s%s", spelling.Quote(name), op.Near(name))
}

// cite names the files in the provenance, and what the first one holds.
func (b *builder) cite(paths []string) error {
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = filepath.ToSlash(path)
	}
	if b.Format != arraysKind { // which say nothing of who made them
		b.rec.Provenance["producer"] = b.Format
	}
	b.rec.Provenance["source"] = strings.ToValidUTF8(strings.Join(names, ", "), "\uFFFD")
	sum, err := digest(paths[0])
	if err == nil && sum != "" {
		b.rec.Provenance["source_sha256"] = sum
	}
	return err
}

package foreign

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
)

// maxInflation is how many bytes deflate can make of one: 258 of two bits.
const maxInflation = 1032

// arrays are arrays under their names, of one or several files.
type arrays struct {
	named map[string]Array
	from  map[string]string // the file of each
	bytes int               // of all of them
}

// isArrays tells whether a file is one of arrays, by its name.
func isArrays(path string) bool {
	return slices.Contains([]string{".npz", ".npy", ".safetensors"}, filepath.Ext(path))
}

// readArrays reads files of arrays, and folders of .npy files.
func readArrays(paths []string) (*arrays, error) {
	all := &arrays{named: map[string]Array{}, from: map[string]string{}}
	for _, path := range paths {
		if err := all.read(path); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (all *arrays) read(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return within(path, cause(err))
	case info.IsDir():
		return all.readFolder(path)
	case filepath.Ext(path) == ".npz":
		return all.readNPZ(path)
	case filepath.Ext(path) == ".npy":
		return all.readFile(path, strings.TrimSuffix(filepath.Base(path), ".npy"))
	case filepath.Ext(path) == ".safetensors":
		return all.readSafetensors(path)
	}
	return fmt.Errorf("%s: not a file of arrays, want .npz, .npy, .safetensors or a folder of .npy", path)
}

// add keeps an array. Two of one name are an error, whatever files they are of.
func (all *arrays) add(path, name string, a Array) error {
	if first, ok := all.from[name]; ok {
		return fmt.Errorf("%s: array %s: there is one of this name already, in %s", path, spelling.Quote(name), first)
	}
	if all.bytes += len(a.Data); all.bytes > MaxBytes {
		return fmt.Errorf("%s: array %s: more than %d bytes in all arrays", path, spelling.Quote(name), int64(MaxBytes))
	}
	all.named[name], all.from[name] = a, path
	return nil
}

// readFile reads one .npy file.
func (all *arrays) readFile(path, name string) error {
	f, err := open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	a, err := readNPY(f, f.size)
	if err != nil {
		return within(path, err)
	}
	return all.add(path, name, a)
}

// readFolder reads the .npy files of a folder, not those of folders in it.
func (all *arrays) readFolder(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return within(folder, cause(err))
	}
	found := false
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".npy"); ok {
			found = true
			if err := all.readFile(filepath.Join(folder, e.Name()), name); err != nil {
				return err
			}
		}
	}
	if !found {
		return fmt.Errorf("%s: no .npy file in this folder", folder)
	}
	return nil
}

// readNPZ reads an archive of .npy files.
func (all *arrays) readNPZ(path string) error {
	f, err := open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	archive, err := zip.NewReader(f, f.size)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // nothing is written under these names
		return within(path, err)
	}
	for _, member := range archive.File {
		name, ok := strings.CutSuffix(member.Name, ".npy")
		if !ok {
			return fmt.Errorf("%s: member %s: want .npy files only", path, spelling.Quote(member.Name))
		}
		a, err := readMember(member)
		if err != nil {
			return fmt.Errorf("%s: array %s: %w", path, spelling.Quote(name), err)
		}
		if err := all.add(path, name, a); err != nil {
			return err
		}
	}
	return nil
}

// readMember reads a .npy file of an archive, to its end, where its checksum is compared. The size
// that the archive claims has to be one that so many bytes can have.
func readMember(member *zip.File) (Array, error) {
	size, packed := member.UncompressedSize64, member.CompressedSize64
	if size > MaxBytes || size > packed*maxInflation {
		return Array{}, fmt.Errorf("%d bytes, want at most %d, and no more than %d packed ones can hold", size,
			int64(MaxBytes), packed)
	}
	r, err := member.Open()
	if err != nil {
		return Array{}, err
	}
	defer r.Close()
	a, err := readNPY(r, int64(size))
	if err != nil {
		return Array{}, err
	}
	if n, err := io.Copy(io.Discard, io.LimitReader(r, 1)); err != nil || n > 0 {
		return Array{}, errors.Join(err, fmt.Errorf("%d bytes behind the data", n))
	}
	return a, nil
}

// readSafetensors reads a file of tensors.
func (all *arrays) readSafetensors(path string) error {
	f, err := open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	rec, err := openTensors(f, path)
	if err != nil {
		return err
	}
	for _, name := range append(rec.Inputs(), outputNames(rec)...) {
		a, err := tensorOf(rec, name)
		if err == nil {
			err = all.add(path, name, a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// openTensors reads the header of a safetensors file. What Git has in the place of a large file
// that was not fetched is said to be that.
func openTensors(f *regular, path string) (*recording.Recording, error) {
	rec, err := recording.ReadTensors(f, f.size, path)
	if err == nil {
		return rec, nil
	}
	start := make([]byte, len(pointer))
	if _, short := f.ReadAt(start, 0); short == nil && string(start) == pointer {
		return nil, fmt.Errorf("%s: a pointer of Git LFS, want the file that it stands for (git lfs pull)", path)
	}
	return nil, err
}

// pointer begins what Git LFS has for a file that is not there.
const pointer = "version https://git-lfs"

// tensorOf returns a tensor of a safetensors file.
func tensorOf(rec *recording.Recording, name string) (Array, error) {
	t := rec.Type(name)
	if _, err := bytesOf(rec.Shape(name), t.Size()); err != nil {
		return Array{}, fmt.Errorf("%s: tensor %s: %w", rec.Name, spelling.Quote(name), err)
	}
	data, err := rec.Bytes(name)
	return Array{Type: t, Size: t.Size(), Shape: rec.Shape(name), Data: data}, err
}

// outputNames lists the outputs of a recording under the names of their tensors.
func outputNames(rec *recording.Recording) []string {
	names := rec.Outputs()
	for i, name := range names {
		names[i] = "out." + name
	}
	return names
}

// readNamed imports a call of an op whose tensors are arrays.
func readNamed(paths []string, o Options) (*builder, error) {
	if o.Op == "" {
		return nil, fmt.Errorf("%s: arrays say nothing of their op, want -op", paths[0])
	}
	known, err := lookup(o.Op)
	if err != nil {
		return nil, err
	}
	all, err := readArrays(paths)
	if err != nil {
		return nil, err
	}
	b := begin(arraysKind, known.Name, o)
	chosen, err := b.choose(all)
	if err != nil {
		return nil, err
	}
	for _, to := range tensorNames(known) {
		if name, ok := chosen[to]; ok {
			b.take(to, name, all.named[name])
		}
	}
	b.leaveOthers(all, chosen)
	return b, nil
}

// choose says which array is which tensor: as -map has it, and where an array has the name of one.
func (b *builder) choose(all *arrays) (map[string]string, error) {
	names := tensorNames(b.op)
	for _, option := range []struct {
		flag string
		keys []string
	}{{"-map", sorted(b.o.Map)}, {"-type", sorted(b.o.Types)}, {"-permute", sorted(b.o.Permute)}} {
		for _, key := range option.keys {
			if !slices.Contains(names, key) {
				return nil, fmt.Errorf("%s: %s has no tensor %s, it has %s%s", option.flag, b.op.Name,
					spelling.Quote(key), strings.Join(names, ", "), suggest(key, names))
			}
		}
	}
	chosen := map[string]string{}
	for _, to := range names {
		given, mapped := b.o.Map[to]
		name, found := pick(all, to, given)
		if mapped && !found {
			return nil, fmt.Errorf("-map: no array %s for %s%s", spelling.Quote(given), to,
				spelling.Suggest(given, sorted(all.named)))
		}
		if found {
			chosen[to] = name
		}
	}
	return chosen, nil
}

// sorted returns the keys of a map in their order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// pick returns the array of a tensor: the one that is given, or one of its name. Keywords of Python
// have no dots, so that out_o is good for out.o.
func pick(all *arrays, to, given string) (string, bool) {
	for _, name := range []string{to, strings.Replace(to, "out.", "out_", 1)} {
		if given != "" {
			name = given
		}
		if _, ok := all.named[name]; ok {
			return name, true
		}
	}
	return given, false
}

// take puts an array into the recording, as the options say.
func (b *builder) take(to, name string, a Array) {
	a, err := b.typed(to, a)
	how := a.Note
	if axes := b.o.Permute[to]; axes != nil && err == nil {
		a, err = a.permuted(axes...)
		how = strings.TrimPrefix(fmt.Sprintf("%s, axes %v", how, axes), ", ")
	}
	const mostAxes = 16
	if err == nil && len(a.Shape) > mostAxes {
		err = fmt.Errorf("%d axes, want at most %d", len(a.Shape), mostAxes)
	}
	if err != nil {
		b.refuse(name, "as %s: %v", to, err)
		return
	}
	b.set(to, name, a, how)
}

// typed returns an array with the elements that the options say, or else its own.
func (b *builder) typed(to string, a Array) (Array, error) {
	if t := b.o.Types[to]; t != dtype.Invalid {
		return a.as(t)
	}
	return a.settled()
}

// leaveOthers names the arrays that nothing was made of, and what they may have been meant for.
func (b *builder) leaveOthers(all *arrays, chosen map[string]string) {
	taken := slices.Collect(maps.Values(chosen))
	var free []string
	for _, to := range tensorNames(b.op) {
		if _, ok := chosen[to]; !ok {
			free = append(free, to)
		}
	}
	for _, name := range sorted(all.named) {
		if slices.Contains(taken, name) {
			continue
		}
		why := fmt.Sprintf("no tensor of %s has this name", b.op.Name)
		if near := nearest(name, free); near != "" {
			why += fmt.Sprintf("; did you mean -map %s=%s?", near, name)
		} else if len(free) > 0 {
			why += "; -map may give it to " + strings.Join(free, ", ")
		}
		b.leave(name, why)
	}
}

// nearest returns the tensor that an array may have been meant for, an output also by its name
// without the prefix; "" where none is near.
func nearest(name string, free []string) string {
	var short []string
	for _, to := range free {
		short = append(short, strings.TrimPrefix(to, "out."))
	}
	for _, known := range [][]string{free, short} {
		if near, ok := spelling.Nearest(name, known); ok {
			return free[slices.Index(known, near)]
		}
	}
	return ""
}

// suggest ends a message with the name of a tensor that was meant.
func suggest(word string, names []string) string {
	if near := nearest(word, names); near != "" {
		return `; did you mean "` + near + `"?`
	}
	return ""
}

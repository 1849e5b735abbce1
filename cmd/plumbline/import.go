package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/numbers/dtype"
	"plumbline/verify/foreign"
	"plumbline/verify/recording"
)

// imports makes a recording of files that other programs write.
func imports(args []string, stdout *checked, stderr io.Writer) int {
	var i importing
	flags := i.flags()
	paths, status, done := parse(flags, args, stdout, stderr)
	if done {
		return status
	}
	if err := i.choose(paths); err != nil {
		return usageError(stderr, "import", err)
	}
	if err := i.run(paths, stdout); err != nil {
		complain(stderr, "plumbline import", err)
		return exitUnusable
	}
	return exitExplained
}

// importing is what the flags of the command ask for.
type importing struct {
	name, attrs, arithmetic string
	asJSON                  bool
	options                 foreign.Options
}

func (i *importing) flags() *flag.FlagSet {
	flags := flag.NewFlagSet("import", flag.ContinueOnError)
	o := &i.options
	o.Map, o.Types, o.Permute = map[string]string{}, map[string]dtype.Type{}, map[string][]int{}
	flags.StringVar(&i.name, "o", "", "")
	flags.StringVar(&i.attrs, "attrs", "{}", "")
	flags.StringVar(&i.arithmetic, "arithmetic", "{}", "")
	flags.BoolVar(&i.asJSON, "json", false, "")
	flags.StringVar(&o.Op, "op", "", "")
	flags.StringVar(&o.Workload, "workload", "", "")
	flags.StringVar(&o.Root, "root", "", "")
	flags.IntVar(&o.Sequence, "sequence", 0, "")
	flags.Func("map", "", pairs(func(to, from string) error { o.Map[to] = from; return nil }))
	flags.Func("type", "", pairs(func(to, name string) (err error) {
		o.Types[to], err = dtype.Parse(name)
		return err
	}))
	flags.Func("permute", "", pairs(func(to, axes string) (err error) {
		o.Permute[to], err = digits(axes)
		return err
	}))
	return flags
}

// pairs reads NAME=VALUE, or several of these with commas between them.
func pairs(set func(name, value string) error) func(string) error {
	return func(text string) error {
		for pair := range strings.SplitSeq(text, ",") {
			name, value, ok := strings.Cut(pair, "=")
			if !ok || name == "" || value == "" {
				return fmt.Errorf("found %s, want NAME=VALUE", spelling.Quote(pair))
			}
			if err := set(name, value); err != nil {
				return err
			}
		}
		return nil
	}
}

// digits reads the order of axes: 0213 has the third one second.
func digits(text string) ([]int, error) {
	axes := make([]int, 0, len(text))
	for _, r := range text {
		if r < '0' || r > '9' {
			return nil, fmt.Errorf("found %s, want a digit for each axis, such as 0213", spelling.Quote(text))
		}
		axes = append(axes, int(r-'0'))
	}
	return axes, nil
}

// choose checks what the flags say, and where the recording goes.
func (i *importing) choose(paths []string) (err error) {
	if len(paths) == 0 {
		return errors.New("0 arguments, want the files of one call")
	}
	if i.options.Sequence < 0 {
		return fmt.Errorf("-sequence is %d, want one from 1 on", i.options.Sequence)
	}
	if i.options.Attrs, err = jsonObject("-attrs", i.attrs, `{"causal":true}`); err != nil {
		return err
	}
	if i.options.Arithmetic, err = jsonObject("-arithmetic", i.arithmetic, `{"scores":"BF16"}`); err != nil {
		return err
	}
	i.name = target(i.name, paths[0])
	return nil
}

// target returns the file that a recording goes to: name, or below the folder that this is, as the
// source is called.
func target(name, source string) string {
	own := strings.TrimSuffix(filepath.Base(source), filepath.Ext(source)) + extension
	if info, err := os.Stat(source); err == nil && info.IsDir() {
		own = filepath.Base(source) + extension
	}
	if name == "" {
		return own
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return filepath.Join(name, own)
	}
	if !strings.HasSuffix(name, extension) {
		name += extension
	}
	return name
}

// run imports, saves, and says what became of the files.
func (i *importing) run(paths []string, stdout io.Writer) error {
	if err := vacant(i.name); err != nil {
		return err
	}
	got, failed := foreign.Read(paths, i.options)
	if got == nil {
		return failed
	}
	said := sayImport(got, paths)
	if failed == nil {
		if err := got.Recording.Save(i.name); err != nil {
			return err
		}
		said.Written = i.name
	}
	if i.asJSON {
		writeJSON(stdout, said)
	} else {
		said.write(stdout)
	}
	return failed
}

// jsonObject reads what a flag has as JSON.
func jsonObject(flag, text, example string) (map[string]any, error) {
	object, err := recording.ParseObject(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w, want a JSON object such as %s", flag, err, example)
	}
	return object, nil
}

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"plumbline/course/count"
	"plumbline/internal/bounded"
	"plumbline/internal/spelling"
	"plumbline/model"
	"plumbline/verify/report"
)

// counts prints what a model has, keeps and costs; without one, which are known.
func counts(args []string, stdout *checked, stderr io.Writer) int {
	flags := flag.NewFlagSet("count", flag.ContinueOnError)
	context := flags.Int("context", int(count.Defaults.Context), "")
	batch := flags.Int("batch", int(count.Defaults.Batch), "")
	gpu := flags.String("gpu", count.Defaults.GPU.Name, "")
	names, status, done := parse(flags, args, stdout, stderr)
	if done {
		return status
	}
	o, err := countOptions(*context, *batch, *gpu)
	switch {
	case err != nil:
		return usageError(stderr, "count", err)
	case len(names) == 0:
		count.List(stdout)
		return exitExplained
	case len(names) > 1:
		return usageError(stderr, "count", fmt.Errorf("%d models, want one", len(names)))
	}
	return countOne(names[0], o, stdout, stderr)
}

func countOptions(context, batch int, gpu string) (count.Options, error) {
	if context < 1 || context > count.MostContext {
		return count.Options{}, fmt.Errorf("-context is %d, want 1 to %d", context, count.MostContext)
	}
	if batch < 1 || batch > count.MostBatch {
		return count.Options{}, fmt.Errorf("-batch is %d, want 1 to %d", batch, count.MostBatch)
	}
	g, err := count.ParseGPU(gpu)
	if err != nil {
		return count.Options{}, fmt.Errorf("-gpu: %w", err)
	}
	return count.Options{Context: int64(context), Batch: int64(batch), GPU: g}, nil
}

func countOne(name string, o count.Options, stdout *checked, stderr io.Writer) int {
	m, known := count.Lookup(name)
	if !known {
		if !isPath(name) {
			return usageError(stderr, "count", fmt.Errorf("no model %s and no such file%s", spelling.Quote(name),
				spelling.Suggest(name, count.Names())))
		}
		sizes, err := readSizes(name)
		if err != nil {
			complain(stderr, "plumbline count", err)
			return exitUnusable
		}
		m = count.Model{Name: report.Printable(name), Sizes: sizes}
	}
	count.Write(stdout, m, o)
	return exitExplained
}

// isPath tells whether an argument that is no model is meant as a path, there or not.
func isPath(name string) bool {
	_, err := os.Stat(name)
	return err == nil || strings.ContainsAny(name, `/\`) || strings.HasSuffix(name, ".json")
}

// mostConfig is how long a config.json may be: those of released models have a few thousand bytes.
const mostConfig = 1 << 20

// readSizes reads a config.json, or that of a folder.
func readSizes(path string) (model.Sizes, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "config.json")
	}
	text, err := bounded.Read(path, mostConfig)
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		err = fmt.Errorf("%s: %w", path, at.Err)
	}
	if err != nil {
		return model.Sizes{}, err
	}
	sizes, err := model.ParseSizes(text)
	if err != nil {
		return model.Sizes{}, fmt.Errorf("%s: %w", path, err)
	}
	return sizes, nil
}

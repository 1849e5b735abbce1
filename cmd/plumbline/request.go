package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"plumbline/internal/spelling"
	"plumbline/verify/op"
	"plumbline/verify/report"
	requests "plumbline/verify/request"
)

// request writes inputs that show every mistake that kernels of an op are known to make.
func request(args []string, stdout *checked, stderr *os.File) int {
	r := requesting{stderr: stderr}
	flags := flag.NewFlagSet("request", flag.ContinueOnError)
	flags.StringVar(&r.name, "o", "", "")
	flags.StringVar(&r.attrs, "attrs", "{}", "")
	flags.StringVar(&r.dtype, "dtype", "", "")
	flags.BoolVar(&r.options.Full, "full", false, "")
	flags.BoolVar(&r.asJSON, "json", false, "")
	args, status, done := parse(flags, args, stdout, stderr)
	if done {
		return status
	}
	if err := r.choose(args); err != nil {
		return usageError(stderr, "request", err)
	}
	if err := r.run(stdout); err != nil {
		complain(stderr, "plumbline request", err)
		return exitUnusable
	}
	return exitExplained
}

// requesting is what the flags of the command ask for.
type requesting struct {
	op, name, attrs, dtype string
	asJSON                 bool
	options                requests.Options
	stderr                 *os.File
}

// choose reads the flags.
func (r *requesting) choose(args []string) (err error) {
	if len(args) != 1 {
		return fmt.Errorf("%d arguments, want one op", len(args))
	}
	switch r.op = args[0]; {
	case op.Lookup(r.op) == nil:
		return fmt.Errorf("no op %s%s", spelling.Quote(r.op), op.Near(r.op))
	case r.name == "":
		r.name = r.op
	}
	if !strings.HasSuffix(r.name, extension) {
		r.name += extension
	}
	if r.options.Type, err = requests.TypeOf(r.dtype); err != nil {
		return fmt.Errorf("-dtype is %w", err)
	}
	r.options.Attrs, err = jsonObject("-attrs", r.attrs, `{"causal":true}`)
	return err
}

// run makes the requests, saves them and says what they show.
func (r *requesting) run(stdout io.Writer) error {
	if err := vacant(r.name); err != nil {
		return err
	}
	clear := r.watch()
	set, err := requests.Make(r.op, r.options)
	clear()
	if err != nil {
		return err
	}
	names := set.Names(r.name)
	if err := vacant(names...); err != nil {
		return err
	}
	for i, f := range set.Files {
		if err := f.Save(names[i]); err != nil {
			return err
		}
	}
	said := sayRequest(set, names)
	if r.asJSON {
		writeJSON(stdout, said)
		return nil
	}
	said.write(stdout)
	return nil
}

// vacant says of the first file that is there already that it is.
func vacant(names ...string) error {
	for _, name := range names {
		switch _, err := os.Lstat(name); {
		case err == nil:
			return fmt.Errorf("%s: is there already, and is not overwritten; -o names another", name)
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%s: %w", name, reason(err))
		}
	}
	return nil
}

// watch says on a terminal what is being measured, until the function it returns is called.
func (r *requesting) watch() (clear func()) {
	say, clear := statusOn(r.stderr)
	r.options.Watch = func(what string) {
		say(fmt.Sprintf("measuring %s, %s", r.op, report.Printable(what)))
	}
	return clear
}

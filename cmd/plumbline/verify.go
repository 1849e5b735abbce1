package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"plumbline/verify/diagnosis"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/report"
	"plumbline/verify/verdict"
)

// verify judges recordings and reports them in order.
func verify(args []string, stdout *checked, stderr *os.File) int {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	forms := reportFlags(flags)
	color := flags.String("color", "auto", "")
	mostWork := flags.Float64("max-work", op.MaxWork, "")
	budget := flags.Float64("diagnosis", diagnosis.Budget, "")
	exact := flags.Bool("exact", false, "")
	other := flags.String("against", "", "")
	part := flags.String("shard", "", "")
	args, status, done := parse(flags, args, stdout, stderr)
	if done {
		return status
	}
	colored, err := wantsColor(*color, stdout.file)
	if err = cmp.Or(err, checkWork(*mostWork, *budget), checkShard(*part, *other)); err != nil {
		return usageError(stderr, "verify", err)
	}
	forms.text.Color = colored
	how := verifying{*forms, *exact, *mostWork, *budget}
	if given(flags, "against") {
		return against(*other, args, how, stdout, stderr)
	}
	return verifyShard(*part, args, how, stdout, stderr)
}

// verifying is how recordings are judged and reported.
type verifying struct {
	forms
	exact    bool // everything is recomputed
	mostWork float64
	budget   float64 // of a diagnosis
}

// given tells whether a flag is on the command line.
func given(flags *flag.FlagSet, name string) (found bool) {
	flags.Visit(func(f *flag.Flag) { found = found || f.Name == name })
	return found
}

func verifyAll(list []source, how verifying, stdout *checked, stderr *os.File) int {
	out, err := how.open(names(list), currentVersion(), stdout, stderr)
	if err != nil {
		return usageError(how.log(stderr), "verify", err)
	}
	judge := judgeUpTo(how, how.budget*share(how.text.Details))
	log := how.log(stderr)
	bench := newBench(judge, newProgress(len(list), stderr), log)
	summary, err := judgeAll(bench, list, out)
	if err = out.finish(err); err != nil {
		return cutShort(err, "verify", stdout, log)
	}
	return exitStatus(summary)
}

// checkWork checks the numbers of products that flags ask for.
func checkWork(most, budget float64) error {
	if !(most > 0) {
		return fmt.Errorf("-max-work is %v, want a number of products above 0, or +Inf", most)
	}
	if !(budget >= 0) {
		return fmt.Errorf("-diagnosis is %v, want a number of products, or 0 for no diagnosis", budget)
	}
	return nil
}

// cutShort says why a run did not come to its end.
func cutShort(err error, command string, stdout *checked, stderr io.Writer) int {
	if stdout.err == nil { // else it is said once, for all commands
		complain(stderr, "plumbline "+command, err)
	}
	return exitUnusable
}

// newProgress watches over a number of recordings, and shows it where somebody is looking.
func newProgress(total int, stderr *os.File) *progress {
	watch := &progress{total: total, now: time.Now}
	if term.IsTerminal(int(stderr.Fd())) {
		watch.w = stderr
	}
	return watch
}

// names are those of sources.
func names(list []source) (all []string) {
	for _, s := range list {
		all = append(all, s.name)
	}
	return all
}

// judgeAll reports every recording, and counts them.
func judgeAll(b *bench, list []source, out report.Report) (summary report.Summary, err error) {
	stop := b.watch.start()
	err = b.run(list, func(e report.Entry) error {
		summary.Count(e.Status)
		b.watch.clear()
		err := out.Add(e)
		b.watch.step()
		return err
	})
	stop()
	if err == nil {
		err = out.Close()
	}
	return summary, err
}

// share is how much of the budget of a diagnosis it may take to say what an explained recording
// vouches for: all where details are asked for, and else little, so that a run of many stays quick.
func share(details bool) float64 {
	if details {
		return 1
	}
	return 0.01
}

// judgeUpTo judges what asks for no more work than a limit, and says of anything else how that is
// changed; what is not explained is diagnosed within a budget of work, and what is explained is
// said to vouch for something within another.
func judgeUpTo(how verifying, vouching float64) func(*recording.Recording) verdict.Verdict {
	estimate := op.WorkSparing
	if how.exact {
		estimate = op.Work
	}
	options := diagnosis.Options{
		Exact: how.exact, Most: how.mostWork, Budget: how.budget, Vouching: vouching, Draw: how.draws(),
	}
	return func(rec *recording.Recording) verdict.Verdict {
		v := diagnosis.JudgeWith(rec, options)
		if v.Status != verdict.Unusable {
			return v
		}
		if work, err := estimate(rec); err == nil && !(work <= how.mostWork) {
			v.Reason += " (-max-work raises it)"
		}
		return v
	}
}

func exitStatus(s report.Summary) int {
	switch {
	case s.Unusable > 0:
		return exitUnusable
	case s.Unexplained+s.Undetermined > 0:
		return exitUnexplained
	}
	return exitExplained
}

// wantsColor decides whether words are coloured: by the flag, and where that says auto on a
// terminal without NO_COLOR (https://no-color.org).
func wantsColor(flag string, stdout *os.File) (bool, error) {
	switch flag {
	case "always":
		return true, nil
	case "never":
		return false, nil
	case "auto":
		return os.Getenv("NO_COLOR") == "" && term.IsTerminal(int(stdout.Fd())), nil
	}
	return false, fmt.Errorf("-color is %q, want auto, always or never", flag)
}

package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"plumbline/verify/op"
	"plumbline/verify/report"
)

// A shard is one of several machines that share a run.
type shard struct {
	index, total int    // index counts from 1; a total of 1 is the whole run
	from         string // what says so
}

var whole = shard{index: 1, total: 1}

// An engine is a system that starts several machines for one run, and tells each by variables which
// it is.
type engine struct {
	index, total string // names of variables
	first        int    // the index of its first machine
	status       string // names the file that says that shards are known here; may be empty
}

// sharers are engines whose variables mean that this run is shared. Bazel sets its own where a test
// has a shard_count, and fails one that does not heed them. Kubernetes numbers the pods of an
// Indexed Job; how many there are it does not say, and whoever wrote the job does.
var sharers = []engine{
	{index: "TEST_SHARD_INDEX", total: "TEST_TOTAL_SHARDS", status: "TEST_SHARD_STATUS_FILE"},
	{index: "JOB_COMPLETION_INDEX", total: "PLUMBLINE_SHARDS"},
}

// numberers are engines whose variables are there as well where machines do each the whole, as
// those of a matrix of GitLab do: a run that took them for shards would leave recordings out and
// say that all is well. They are read with -shard auto.
var numberers = []engine{
	{index: "CI_NODE_INDEX", total: "CI_NODE_TOTAL", first: 1},               // GitLab
	{index: "CIRCLE_NODE_INDEX", total: "CIRCLE_NODE_TOTAL"},                 // CircleCI
	{index: "BUILDKITE_PARALLEL_JOB", total: "BUILDKITE_PARALLEL_JOB_COUNT"}, // Buildkite
}

// verifyShard judges the recordings of one shard.
func verifyShard(flag string, args []string, how verifying, stdout *checked, stderr *os.File) int {
	mine, err := shardOf(flag, os.Getenv)
	if err != nil {
		return usageError(stderr, "verify", err)
	}
	list := sources(args)
	how.inputs = names(list)
	if mine.total == 1 {
		return verifyAll(list, how, stdout, stderr)
	}
	how.shard = report.Shard{Index: mine.index, Of: mine.total}
	part := mine.take(list)
	if !how.asJSON { // which says it itself, and may stand in one log with what is said here
		fmt.Fprintf(stderr, "plumbline verify: shard %d of %d (%s): %d of %d recordings\n",
			mine.index, mine.total, mine.from, len(part), len(list))
	}
	return verifyAll(part, how, stdout, stderr)
}

// checkShard checks that a comparison is not asked for in parts.
func checkShard(flag, against string) error {
	if flag != "" && against != "" {
		return errors.New("-shard says nothing of -against, which compares two recordings")
	}
	return nil
}

// shardOf returns the shard that a flag names, or where it is "" or "auto" the variables of an
// engine.
func shardOf(flag string, env func(string) string) (shard, error) {
	switch flag {
	case "":
		return shardOfEngine(sharers, env)
	case "auto":
		return shardOfEngine(slices.Concat(sharers, numberers), env)
	case "off":
		return whole, nil
	}
	index, total, ok := strings.Cut(flag, "/")
	i, iErr := strconv.Atoi(index)
	n, nErr := strconv.Atoi(total)
	if !ok || iErr != nil || nErr != nil || i < 1 || i > n {
		return shard{}, fmt.Errorf("-shard is %q, want i/n with i from 1 to n, or off, or auto", flag)
	}
	return shard{i, n, "-shard"}, nil
}

// shardOfEngine returns what the first engine that gives a total says, and the whole run where none
// does. GitLab says a total of 1, and no index, of a machine that is alone.
func shardOfEngine(engines []engine, env func(string) string) (shard, error) {
	for _, e := range engines {
		total := env(e.total)
		if total == "1" { // Bazel wants to know all the same
			if err := heed(env(e.status)); err != nil {
				return shard{}, err
			}
		}
		if total == "" || total == "1" {
			continue
		}
		n, err := strconv.Atoi(total)
		if err != nil || n < 1 {
			return shard{}, fmt.Errorf("%s is %q, want a number of shards (-shard off ignores it)", e.total, total)
		}
		i, err := strconv.Atoi(env(e.index))
		if last := e.first + n - 1; err != nil || i < e.first || i > last {
			return shard{}, fmt.Errorf("%s is %q, want %d to %d, since %s is %d (-shard off ignores both)",
				e.index, env(e.index), e.first, last, e.total, n)
		}
		return shard{i - e.first + 1, n, e.index + " and " + e.total}, heed(env(e.status))
	}
	return whole, nil
}

// heed makes the file by which Bazel learns that a test heeds its variables.
func heed(status string) error {
	if status == "" {
		return nil
	}
	f, err := os.OpenFile(status, os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return fmt.Errorf("TEST_SHARD_STATUS_FILE: %w", err)
	}
	return f.Close()
}

// take returns the recordings of a shard, in the order of the run.
func (s shard) take(list []source) []source {
	mine := slices.DeleteFunc(slices.Clone(s.deal(list)), func(x dealt) bool { return x.to != s.index-1 })
	part := make([]source, len(mine))
	for i, x := range mine {
		part[i] = x.source
	}
	return part
}

// dealt is a recording, what judging it weighs, and the shard that does it, counted from 0.
type dealt struct {
	source
	weight float64
	to     int
}

// deal gives every recording to one shard: those that weigh most first, each to the shard that has
// least, of equals to the first. It hangs on the recordings alone, so that machines that see the
// same files agree.
func (s shard) deal(list []source) []dealt {
	all := make([]dealt, len(list))
	heaviest := make([]*dealt, len(list))
	for i, x := range list {
		all[i] = dealt{source: x, weight: weightOf(x)}
		heaviest[i] = &all[i]
	}
	slices.SortStableFunc(heaviest, func(a, b *dealt) int { return cmp.Compare(b.weight, a.weight) })
	loads := make([]float64, min(s.total, len(list))) // no later shard can come to have least
	for _, x := range heaviest {
		x.to = slices.Index(loads, slices.Min(loads))
		loads[x.to] += x.weight
	}
	return all
}

// leastWeight is what reading and reporting a small recording comes to, in products: some 10 ms.
const leastWeight = 1 << 24

// mostRecomputed is what a product takes that is just small enough to be recomputed as a whole.
const mostRecomputed = 1 << 36

// weightOf estimates what judging a recording takes. What cannot be judged weighs least.
func weightOf(s source) float64 {
	rec, err := s.open()
	if err != nil {
		return leastWeight
	}
	defer rec.Close()
	work, err := op.Work(rec)
	if err != nil {
		return leastWeight
	}
	return weightOfWork(work, op.Lookup(rec.Op).TooLarge != nil)
}

// weightOfWork returns a power of two: a processor that fuses products into sums may have another
// last bit, and must not deal otherwise. What may be checked by signs is recomputed up to a size.
func weightOfWork(work float64, sampled bool) float64 {
	most := float64(op.MaxWork)
	if sampled {
		most = mostRecomputed
	}
	return math.Ldexp(1, math.Ilogb(min(max(work, leastWeight), most)))
}

package main

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"plumbline/verify/report"
)

func TestShardOf(t *testing.T) {
	for _, c := range []struct {
		name, flag, env string
		want            shard
		err             string
	}{
		{"nothing is the whole run", "", "", whole, ""},
		{"a flag", "2/4", "", shard{2, 4, "-shard"}, ""},
		{"a flag before variables", "3/3", "TEST_SHARD_INDEX=0 TEST_TOTAL_SHARDS=2", shard{3, 3, "-shard"}, ""},
		{"off", "off", "TEST_SHARD_INDEX=0 TEST_TOTAL_SHARDS=2", whole, ""},
		{"Bazel counts from 0", "", "TEST_SHARD_INDEX=1 TEST_TOTAL_SHARDS=2",
			shard{2, 2, "TEST_SHARD_INDEX and TEST_TOTAL_SHARDS"}, ""},
		{"Kubernetes with a total", "", "JOB_COMPLETION_INDEX=0 PLUMBLINE_SHARDS=3",
			shard{1, 3, "JOB_COMPLETION_INDEX and PLUMBLINE_SHARDS"}, ""},
		{"Kubernetes without one", "", "JOB_COMPLETION_INDEX=1", whole, ""},
		{"GitLab is asked for", "", "CI_NODE_INDEX=2 CI_NODE_TOTAL=3", whole, ""},
		{"GitLab counts from 1", "auto", "CI_NODE_INDEX=3 CI_NODE_TOTAL=3",
			shard{3, 3, "CI_NODE_INDEX and CI_NODE_TOTAL"}, ""},
		{"GitLab with one machine gives no index", "auto", "CI_NODE_TOTAL=1", whole, ""},
		{"CircleCI counts from 0", "auto", "CIRCLE_NODE_INDEX=0 CIRCLE_NODE_TOTAL=3",
			shard{1, 3, "CIRCLE_NODE_INDEX and CIRCLE_NODE_TOTAL"}, ""},
		{"Buildkite counts from 0", "auto", "BUILDKITE_PARALLEL_JOB=2 BUILDKITE_PARALLEL_JOB_COUNT=3",
			shard{3, 3, "BUILDKITE_PARALLEL_JOB and BUILDKITE_PARALLEL_JOB_COUNT"}, ""},
		{"auto alone", "auto", "", whole, ""},
		{"beyond the last", "5/4", "", shard{}, `-shard is "5/4", want i/n with i from 1 to n, or off, or auto`},
		{"before the first", "0/4", "", shard{}, `-shard is "0/4", want i/n`},
		{"half a shard", "/4", "", shard{}, `-shard is "/4", want i/n`},
		{"a word", "first", "", shard{}, `-shard is "first", want i/n`},
		{"an index that is missing", "", "PLUMBLINE_SHARDS=3", shard{},
			`JOB_COMPLETION_INDEX is "", want 0 to 2, since PLUMBLINE_SHARDS is 3 (-shard off ignores both)`},
		{"GitLab's 0", "auto", "CI_NODE_INDEX=0 CI_NODE_TOTAL=3", shard{}, `CI_NODE_INDEX is "0", want 1 to 3`},
		{"GitLab's 4 of 3", "auto", "CI_NODE_INDEX=4 CI_NODE_TOTAL=3", shard{}, `CI_NODE_INDEX is "4", want 1 to 3`},
		{"no total", "", "TEST_SHARD_INDEX=0 TEST_TOTAL_SHARDS=0", shard{},
			`TEST_TOTAL_SHARDS is "0", want a number of shards (-shard off ignores it)`},
		{"no number", "", "TEST_SHARD_INDEX=0 TEST_TOTAL_SHARDS=x", shard{}, `TEST_TOTAL_SHARDS is "x", want`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := shardOf(c.flag, variables(c.env))
			if c.err == "" && (err != nil || got != c.want) {
				t.Errorf("%+v, %v, want %+v", got, err, c.want)
			}
			if c.err != "" && (err == nil || !strings.HasPrefix(err.Error(), c.err)) {
				t.Errorf("%v, want %s", err, c.err)
			}
		})
	}
}

// variables looks up words such as NAME=value.
func variables(words string) func(string) string {
	return func(name string) string {
		for _, word := range strings.Fields(words) {
			if value, ok := strings.CutPrefix(word, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

func TestBazelLearnsThatShardsAreHeeded(t *testing.T) {
	status := filepath.Join(t.TempDir(), "status")
	shared := "TEST_SHARD_INDEX=0 TEST_TOTAL_SHARDS=2 TEST_SHARD_STATUS_FILE="
	if _, err := shardOf("off", variables(shared+status)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(status); err == nil {
		t.Error("the file is there though the variables were not heeded")
	}
	if _, err := shardOf("", variables(shared+status)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(status); err != nil {
		t.Error(err)
	}
	alone := status + "-alone"
	one, err := shardOf("", variables("TEST_SHARD_INDEX=0 TEST_TOTAL_SHARDS=1 TEST_SHARD_STATUS_FILE="+alone))
	if _, none := os.Stat(alone); err != nil || none != nil || one != whole {
		t.Errorf("of one shard: %+v, %v, %v", one, err, none)
	}
	if _, err := shardOf("", variables(shared+status+"/in/no/folder")); err == nil {
		t.Error("a file that cannot be made is no error")
	}
}

// TestEveryRecordingIsInOneShard, in the order of the run, whatever the number of shards; also what
// cannot be read.
func TestEveryRecordingIsInOneShard(t *testing.T) {
	list := append(embedded()[:9], missing("lost", errNone))
	for _, total := range []int{1, 2, 3, 7, len(list), len(list) + 3, math.MaxInt} {
		met := map[string]int{}
		for index := 1; index <= min(total, len(list)+3); index++ {
			part := shard{index: index, total: total}.take(list)
			if !slices.IsSortedFunc(part, func(a, b source) int { return place(list, a) - place(list, b) }) {
				t.Errorf("shard %d of %d: not in the order of the run", index, total)
			}
			for _, s := range part {
				met[s.name]++
			}
		}
		for _, s := range list {
			if met[s.name] != 1 {
				t.Errorf("%s is in %d of %d shards", s.name, met[s.name], total)
			}
		}
	}
}

func place(list []source, s source) int {
	return slices.IndexFunc(list, func(x source) bool { return x.name == s.name })
}

// TestShardsWeighAlike: no shard has more than a half over its share, but for one recording that
// weighs more than that itself.
func TestShardsWeighAlike(t *testing.T) {
	list := embedded()
	for total := 2; total <= 8; total++ {
		loads, all, heaviest := make([]float64, total), 0.0, 0.0
		for _, x := range (shard{total: total}).deal(list) {
			loads[x.to] += x.weight
			all += x.weight
			heaviest = max(heaviest, x.weight)
		}
		if most := max(heaviest, 1.5*all/float64(total)); slices.Max(loads) > most || heaviest == leastWeight {
			t.Errorf("%d shards: %v, want at most %v", total, loads, most)
		}
	}
}

// TestWhatWeighsTheSameIsDealtInTurn, since nothing else is known of it.
func TestWhatWeighsTheSameIsDealtInTurn(t *testing.T) {
	var list []source
	for range 7 {
		list = append(list, missing("lost", errNone))
	}
	for i, x := range (shard{total: 3}).deal(list) {
		if x.to != i%3 || x.weight != leastWeight {
			t.Errorf("%d is dealt to %d, and weighs %v", i, x.to, x.weight)
		}
	}
}

// TestWeights: they are powers of two within bounds, so that sums of them are exact; a product that
// is checked by signs is not recomputed, and what asks for too much is refused.
func TestWeights(t *testing.T) {
	for _, c := range []struct {
		work    float64
		sampled bool
		want    float64
	}{
		{0, false, leastWeight},
		{leastWeight + 1, false, leastWeight},
		{math.Nextafter(0x1p30, 0), false, 0x1p29},
		{0x1p30, false, 0x1p30},
		{0x1p40, false, 0x1p40},
		{0x1p40, true, mostRecomputed},
		{math.Inf(1), false, 0x1p41},
	} {
		if got := weightOfWork(c.work, c.sampled); got != c.want {
			t.Errorf("%v, sampled %v: %v, want %v", c.work, c.sampled, got, c.want)
		}
	}
}

// TestGaps: what is missing is named in runs, however many shards a report speaks of.
func TestGaps(t *testing.T) {
	parts := func(all ...report.Shard) (j joined) {
		for i, s := range all {
			j.parts = append(j.parts, part{s, string(rune('a' + i))})
		}
		return j
	}
	for _, c := range []struct {
		is   joined
		says string
	}{
		{parts(), ""},
		{parts(report.Shard{Index: 2, Of: 2}, report.Shard{Index: 1, Of: 2}, report.Shard{Index: 1, Of: 1}), ""},
		{parts(report.Shard{Index: 2, Of: 2}), "shard 1 of 2 is missing"},
		{parts(report.Shard{Index: 5, Of: 8}, report.Shard{Index: 3, Of: 8}), "shards 1–2, 4, 6–8 of 8 are missing"},
		{parts(report.Shard{Index: 1, Of: 1}, report.Shard{Index: 1, Of: 1}),
			"shard 1 of 1 is there twice, in a and in b"},
		{
			parts(report.Shard{Index: math.MaxInt, Of: math.MaxInt}),
			fmt.Sprintf("shards 1–%d of %d are missing", math.MaxInt-1, math.MaxInt),
		},
		{parts(report.Shard{Index: 1, Of: 2}, report.Shard{Index: 3, Of: 3}),
			"shard 2 of 2 is missing; shards 1–2 of 3 are missing"},
	} {
		if err := c.is.gaps(); fmt.Sprint(err) != cmp.Or(c.says, "<nil>") {
			t.Errorf("%v: %v, want %q", c.is.parts, err, c.says)
		}
	}
}

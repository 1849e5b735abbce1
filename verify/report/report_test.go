package report

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"plumbline/verify/verdict"
)

// right is a verdict without fault; wrong has everything that a report can show of a failure.
var (
	right = verdict.Verdict{File: "right.safetensors", Op: "rope.apply", Outputs: []verdict.Output{
		{
			Name: "y", Type: "BF16", Shape: []int{33, 8, 64}, Elements: 16896, MaxZ: 1.9, MaxZLimit: 5.8, RMS: 0.83,
			RMSLimit: 1.2, BiasLimit: 0.05,
		},
	}}
	wrong = verdict.Verdict{File: "wrong.safetensors", Op: "mla.decode", Status: verdict.Unexplained,
		Reason: "o: root mean square 14.2, limit 1.4", Outputs: []verdict.Output{
			{
				Name: "o", Type: "BF16", Shape: []int{2, 1, 8, 32}, Status: verdict.Unexplained, Elements: 512,
				MaxZ: 12345.678, MaxZLimit: 6.9, RMS: math.Inf(1), RMSLimit: 1.4, Bias: -0.25, BiasLimit: 0.3,
				WorstUlp: 4e7, NonFinite: 1,
				Reasons: []string{"largest element error 1.23e+04σ, limit 6.9σ", "root mean square 14.2, limit 1.4"},
				Worst: []verdict.Element{
					{
						Index: []int{1, 0, 3, 17}, Got: math.NaN(), Want: 0.125, GotHex: "0x7fc0", WantHex: "0x3e00",
						Ulps: math.NaN(), Sigma: 0.001, Z: math.Inf(1),
					},
					{
						Index: []int{1, 0, 3, 9}, Got: -1.25, Want: 0.1, GotHex: "0xbfa0", WantHex: "0x3dcd",
						Ulps:  -2764.8,
						Sigma: 0.001, Z: 1350,
					},
					{
						Index: []int{0, 0, 0, 1}, Got: 1, Want: 1.001, GotHex: "0x3f80", WantHex: "0x3f80",
						Ulps:  -0.128,
						Sigma: 0.001, Z: 0.5,
					},
				},
				Slices: []verdict.Slice{
					{Axis: "batch", Index: []int{1}, Of: []int{2}, Elements: 256, RMS: 3, Limit: 1.5, MaxZ: 1350},
					{Axis: "head", Index: []int{3}, Of: []int{8}, Elements: 64, RMS: 14.2, Limit: 1.42, MaxZ: 1350},
					{Axis: "head", Index: []int{5}, Of: []int{8}, Elements: 64, RMS: 9, Limit: 1.42, MaxZ: 22},
					{Axis: "head", Index: []int{6}, Of: []int{8}, Elements: 64, RMS: 8, Limit: 1.42, MaxZ: 21},
					{
						Axis: "row", Index: []int{1, 0, 3}, Of: []int{2, 1, 8}, Elements: 32, RMS: 5, Limit: 2,
						MaxZ:     1350,
						Constant: true,
					},
				},
			},
			{Name: "lse", Type: "F32", Shape: []int{2, 8, 1}, Elements: 16, MaxZ: 1, MaxZLimit: 6, RMS: 1, RMSLimit: 3},
		}}
	unusable = verdict.Verdict{
		File: "no.safetensors", Status: verdict.Unusable, Reason: "no.safetensors: header: 3 bytes, want at least 8",
	}
	undecided = verdict.Verdict{File: "empty.safetensors", Op: "norm.rms", Status: verdict.Undetermined,
		Reason: "y: the output has no elements", Outputs: []verdict.Output{
			{
				Name: "y", Type: "F32", Shape: []int{0, 8}, Status: verdict.Undetermined,
				Reasons: []string{"the output has no elements"},
			},
		}}
	origin = map[string]any{"producer": "kernel.cu", "device": "H200", "odd": true}
)

func TestText(t *testing.T) {
	t.Run("an explained recording is one line", func(t *testing.T) {
		want := "" +
			"explained     right.safetensors  rope.apply          y        max    1.9σ of 5.8   rms   0.83 of 1.2\n" +
			"1 recording: 1 explained\n"
		same(t, text(t, TextOptions{}, NewEntry(right, origin)), want)
	})
	t.Run("an unexplained one says what failed, the worst elements, and where", func(t *testing.T) {
		want := "" +
			"unexplained   wrong.safetensors  mla.decode          o        max  12350σ of 6.9   rms   +Inf of 1.4  1 " +
			"NaN or Inf out of place  (farthest beyond its limit of 2 outputs)\n" +
			"    o: BF16 [2 1 8 32], unexplained\n" +
			"      scores  max 12350σ of 6.9, rms +Inf of 1.4, bias -0.25 of ±0.3, worst element off by 4e+07 ulp\n" +
			"      failed  largest element error 1.23e+04σ, limit 6.9σ\n" +
			"              root mean square 14.2, limit 1.4\n" +
			"      worst   at          recorded          true           error      in σ\n" +
			"              [1,0,3,17]  NaN       0x7fc0  0.125  0x3e00  NaN ulp    +Infσ\n" +
			"              [1,0,3,9]   -1.25     0xbfa0  0.1    0x3dcd  -2765 ulp  1350σ\n" +
			"      where   head 3 of 8: rms 14.2 (limit 1.42), max 1350σ; also 5, 6\n" +
			"              row [1,0,3] of [2,1,8]: rms 5 (limit 2), max 1350σ, one value throughout\n" +
			"              batch 1 of 2: rms 3 (limit 1.5), max 1350σ\n" +
			"    recorded by kernel.cu, H200\n" +
			"1 recording: 1 unexplained\n"
		same(t, text(t, TextOptions{}, NewEntry(wrong, origin)), want)
	})
	t.Run("a single number says what it vouches for; what is not judged and what would pass as well is said",
		func(t *testing.T) {
			loss := verdict.Verdict{File: "loss.safetensors", Op: "ppo.loss", Outputs: []verdict.Output{
				{
					Name: "loss", Type: "F32", Elements: 1, MaxZ: 1, MaxZLimit: 6, RMS: 1, RMSLimit: 3, Vouches: 0.0213,
					Blind: []string{"zeros"},
				},
			}}
			want := "" +
				"explained     loss.safetensors  ppo.loss            loss     max      1σ of 6     rms      1 of 3  " +
				"loss " +
				"to 1 ± 0.021\n" +
				"    loss: F32 [], explained\n" +
				"      scores  max 1σ of 6, rms 1 of 3, bias 0 (not judged: the errors may share a sign), worst " +
				"element " +
				"off by 0 ulp\n" +
				"      one number, which the arithmetic explains to 1 ± 0.021\n" +
				"      blind   zeros would pass as well\n" +
				"1 recording: 1 explained\n"
			same(t, text(t, TextOptions{Details: true}, NewEntry(loss, nil)), want)
		})
	t.Run("of what has to be exact, and is, there is nothing to score", func(t *testing.T) {
		step := verdict.Verdict{
			File: "step.safetensors", Op: "mma.step",
			Outputs: []verdict.Output{{Name: "d", Type: "F32", Shape: []int{256}, Elements: 256}},
		}
		want := "" +
			"explained     step.safetensors  mma.step            d        all 256 elements are exact, as they have " +
			"to be\n" +
			"    d: F32 [256], explained\n" +
			"      scores  none, all 256 elements are exact, as they have to be\n" +
			"1 recording: 1 explained\n"
		same(t, text(t, TextOptions{Details: true}, NewEntry(step, nil)), want)
	})
	t.Run("of what has to be exact, and is not, it is said how far off it is", func(t *testing.T) {
		step := verdict.Verdict{
			File: "step.safetensors", Op: "mma.step", Status: verdict.Unexplained,
			Outputs: []verdict.Output{{
				Name: "d", Type: "F32", Shape: []int{256}, Elements: 256, Status: verdict.Unexplained,
				MaxZ: math.Inf(1), WorstUlp: 2, Reasons: []string{"3 of 256 elements are not exact"},
			}},
		}
		want := "" +
			"unexplained   step.safetensors  mma.step            d        not exact, as it has to be: worst " +
			"element off by 2 ulp\n" +
			"    d: F32 [256], unexplained\n" +
			"      scores  none, not exact, as it has to be: worst element off by 2 ulp\n" +
			"      failed  3 of 256 elements are not exact\n" +
			"1 recording: 1 unexplained\n"
		same(t, text(t, TextOptions{}, NewEntry(step, nil)), want)
	})
	t.Run("what cannot be judged gives its reason, without the file's name a second time", func(t *testing.T) {
		want := "" +
			"unusable      no.safetensors  -                   header: 3 bytes, want at least 8\n" +
			"undetermined  empty.safetensors  norm.rms            y: the output has no elements\n" +
			"2 recordings: 1 undetermined, 1 unusable\n"
		options := TextOptions{Files: []string{"no.safetensors"}}
		same(t, text(t, options, NewEntry(unusable, nil), NewEntry(undecided, nil)), want)
	})
	t.Run("columns stand in line from the first recording", func(t *testing.T) {
		got := text(
			t, TextOptions{Files: []string{"right.safetensors", "no.safetensors"}}, NewEntry(unusable, nil),
			NewEntry(right, nil),
		)
		lines := strings.Split(got, "\n")
		if a, b := strings.Index(lines[0], "  -  "), strings.Index(lines[1], "  rope.apply  "); a != b {
			t.Errorf("the column of ops begins at %d and %d:\n%s", a, b, got)
		}
	})
	t.Run("colour is on the word of the verdict alone", func(t *testing.T) {
		got := text(t, TextOptions{Color: true}, NewEntry(right, nil))
		if !strings.HasPrefix(got, "\x1b[32mexplained   \x1b[0m  right") || strings.Count(got, "\x1b") != 2 {
			t.Errorf("%q", got)
		}
	})
	t.Run("nothing of a file reaches the terminal as a command", func(t *testing.T) {
		v := right
		v.File, v.Op = "a\x1b[2J\n", "b\r"
		got := text(t, TextOptions{Details: true}, NewEntry(v, map[string]any{"producer": "\x07"}))
		if strings.ContainsAny(got, "\x1b\r\x07") {
			t.Errorf("%q", got)
		}
	})
	t.Run("a reason keeps its words, and what a terminal would obey in it is escaped", func(t *testing.T) {
		v := unusable
		v.Reason = "a\x1b[2J\n\u202e\xff\"é\": 3 bytes, want at least 8"
		got := text(t, TextOptions{}, NewEntry(v, nil))
		if !strings.Contains(got, `a\x1b[2J\n\u202e\xff"é": 3 bytes, want at least 8`) {
			t.Errorf("%q", got)
		}
	})
	t.Run("values as long as a file are cut", func(t *testing.T) {
		v := right
		v.Op = strings.Repeat("é", 20000)
		got := text(
			t, TextOptions{Details: true},
			NewEntry(v, map[string]any{"producer": json.Number(strings.Repeat("9", 20000))}),
		)
		if len(got) > 1500 || strings.Count(got, "…") != 2 {
			t.Error(len(got), strings.Count(got, "…"))
		}
		if s := strings.Repeat("é", 200); Brief(s) != s || Brief(s+"x") != s+"…" ||
			Brief("\x1b"+s) != `"\x1b`+s[:398]+`"…` {
			t.Errorf("%s", Brief("\x1b"+s))
		}
	})
	t.Run("an output of NaN has no score that reads as a good one", func(t *testing.T) {
		o := verdict.Output{
			Name: "o", Type: "F32", Shape: []int{64}, Status: verdict.Unexplained, Elements: 64, NonFinite: 64,
			MaxZLimit: 5, RMS: math.Inf(1),
			Worst: []verdict.Element{{
				Index: []int{0}, Got: math.NaN(), Want: 0.125, GotHex: "0x7fc00000", WantHex: "0x3e000000",
				Z: math.Inf(1),
			}},
		}
		got := text(
			t, TextOptions{},
			NewEntry(
				verdict.Verdict{File: "f", Op: "norm.rms", Status: verdict.Unexplained, Outputs: []verdict.Output{o}},
				nil,
			),
		)
		if strings.Contains(got, "max") ||
			strings.Count(got, "all 64 elements are NaN or Inf out of place: the first is NaN, the truth 0.125") != 2 {
			t.Error(got)
		}
	})
}

// TestJSON reads what is written with encoding/json and finds everything that verdicts hold.
func TestJSON(t *testing.T) {
	var b strings.Builder
	write(t, NewJSON(&b, "v1.2.3"), NewEntry(right, nil), NewEntry(wrong, origin), NewEntry(unusable, nil))
	var run struct {
		Plumbline  int
		Version    string
		Recordings []map[string]any
		Summary    Summary
	}
	if err := json.Unmarshal([]byte(b.String()), &run); err != nil {
		t.Fatal(err)
	}
	t.Run("a run has its version and its summary", func(t *testing.T) {
		if run.Plumbline != 1 || run.Version != "v1.2.3" ||
			run.Summary != (Summary{Recordings: 3, Explained: 1, Unexplained: 1, Unusable: 1}) {
			t.Errorf("plumbline %d, summary %+v", run.Plumbline, run.Summary)
		}
	})
	t.Run("finite verdicts are what encoding/json writes", func(t *testing.T) {
		reference, err := json.Marshal(right)
		if err != nil {
			t.Fatal(err)
		}
		var want map[string]any
		if err := json.Unmarshal(reference, &want); err != nil {
			t.Fatal(err)
		}
		same(t, run.Recordings[0], want)
	})
	t.Run("non-finite numbers are strings", func(t *testing.T) {
		output := run.Recordings[1]["outputs"].([]any)[0].(map[string]any)
		element := output["worst"].([]any)[0].(map[string]any)
		same(t, []any{output["rms"], element["got"], element["z"]}, []any{"+Inf", "NaN", "+Inf"})
	})
	t.Run("scores have four digits, truths ten, what was recorded all", func(t *testing.T) {
		v := verdict.Verdict{File: "f", Outputs: []verdict.Output{{
			Type: "F32", MaxZ: 1.23456789, RMS: 0.000123456789, Bias: -3e-17, MaxZLimit: 12345.6,
			Worst: []verdict.Element{{
				Got: float64(float32(0.1)), Want: 0.12345678901234567, Sigma: 1.23456789e-20, Z: 5.00005,
				WantHex: "0x00000000",
			}},
		}}}
		var b strings.Builder
		write(t, NewJSON(&b, ""), NewEntry(v, nil))
		for _, want := range []string{
			`"max_z":1.235`, `"rms":0.0001235`, `"bias":0,`, `"max_z_limit":12350`, `"got":0.10000000149011612`,
			`"want":0.123456789,`,
			`"want_hex":"0x3dfcd6ea"`, `"sigma":1.235e-20`, `"z":5}`,
		} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("no %s in %s", want, b.String())
			}
		}
	})
	t.Run("so have those of a diagnosis, which may be no numbers", func(t *testing.T) {
		var b strings.Builder
		write(t, NewJSON(&b, ""), NewEntry(verdict.Verdict{Diagnosis: &verdict.Diagnosis{
			Explains: []verdict.Finding{{Share: 0.99997708, RMS: math.NaN(), Strength: math.Inf(1)}},
		}}, nil))
		for _, want := range []string{`"share":1,`, `"rms":"NaN"`, `"strength":"+Inf"`} {
			if !strings.Contains(b.String(), want) {
				t.Errorf("no %s in %s", want, b.String())
			}
		}
	})
	t.Run("what a terminal would obey is escaped, and reads back as it was", func(t *testing.T) {
		name := "a\u009b2J\u202e\x7f\U000e0001b\x1b"
		var b strings.Builder
		write(t, NewJSON(&b, name), NewEntry(verdict.Verdict{File: name}, map[string]any{name: name}))
		var run struct {
			Version    string
			Recordings []map[string]any
		}
		if err := json.Unmarshal([]byte(b.String()), &run); err != nil {
			t.Fatal(err)
		}
		same(t, []any{run.Version, run.Recordings[0]["file"], run.Recordings[0]["provenance"]},
			[]any{name, name, map[string]any{name: name}})
		if hidden := strings.IndexFunc(b.String(), func(r rune) bool {
			return r != '\n' && !unicode.IsPrint(r)
		}); hidden >= 0 {
			t.Errorf("%q", b.String()[hidden:])
		}
	})
	t.Run("provenance stands beside the verdict", func(t *testing.T) {
		same(t, run.Recordings[1]["provenance"],
			any(map[string]any{"producer": "kernel.cu", "device": "H200", "odd": true}))
	})
	t.Run("a run without recordings is an object too", func(t *testing.T) {
		var empty strings.Builder
		write(t, NewJSON(&empty, ""))
		if !json.Valid([]byte(empty.String())) {
			t.Errorf("%s", empty.String())
		}
	})
}

func TestReportsPassOnErrorsOfWriting(t *testing.T) {
	for _, r := range []Report{NewText(failing{}, TextOptions{}), NewJSON(failing{}, "")} {
		if r.Add(NewEntry(right, nil)) == nil || r.Close() == nil {
			t.Errorf("%T: the error is lost", r)
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestSummary(t *testing.T) {
	var s Summary
	same(t, s.String(), "0 recordings")
	for range 15 {
		s.Count(verdict.Explained)
	}
	s.Count(verdict.Unexplained)
	same(t, s.String(), "16 recordings: 15 explained, 1 unexplained")
}

func text(t *testing.T, options TextOptions, entries ...Entry) string {
	t.Helper()
	var b strings.Builder
	write(t, NewText(&b, options), entries...)
	return b.String()
}

func write(t *testing.T, r Report, entries ...Entry) {
	t.Helper()
	for _, e := range entries {
		if err := r.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func same[T any](t *testing.T, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

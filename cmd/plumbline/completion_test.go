package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestComplete(t *testing.T) {
	for _, c := range []struct{ name, line, want string }{
		{"commands", "in", "inspect infer"},
		{"no command", "x", ""},
		{"flags", "verify -ma", "-max-work"},
		{"flags with two dashes", "verify --ma", "--max-work"},
		{"the value of a flag", "verify -color al", "always"},
		{"any value", "verify a.safetensors --color ", "auto always never"},
		{"a value behind =", "verify -color=al", "-color=always"},
		{"the same as bash splits it", "verify -color = al", "always"},
		{"the same with nothing behind it", "verify -color = ", "auto always never"},
		{"the same as bash gives it", "verify -color =", "auto always never"},
		{"a flag without value takes none", "verify -json ", ":files"},
		{"files", "verify run", ":files"},
		{"files as values", "verify -against ", ":files"},
		{"files behind --", "verify -- -", ":files"},
		{"a number is not known", "verify -max-work ", ""},
		{"ops", "ops norm", "norm.rms"},
		{"ops of a flag", "evidence -op norm", "norm.rms"},
		{"models as they are written", "count DeepSeek-V2", "DeepSeek-V2 DeepSeek-V2-Lite :files"},
		{"GPUs", "count -gpu H2", "H20 H200"},
		{"mistakes by op and id", "mistakes mtp.acc", "mtp.accept"},
		{"mistakes by id", "mistakes layout-", "layout-swapped"},
		{"helps", "help mis", "mistakes"},
		{"exercises", "learn mla.AbsorbQ", "mla.AbsorbQuery mla.AbsorbQueryWeight :files"},
		{"letters of a quiz", "learn -answer ", "a b c d"},
		{"shells", "completion ", "bash fish zsh"},
		{"nothing", "version ", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			words := strings.Split(c.line, " ")
			if strings.HasSuffix(c.line, "= ") { // bash has two words there, = being the last
				words = words[:len(words)-1]
			}
			var got []string
			for _, x := range complete(words) {
				got = append(got, x.word)
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("%q, want %q", s, c.want)
			}
		})
	}
}

// TestEveryCommandIsCompletedAndExplained compares what there is with what the helps say.
func TestEveryCommandIsCompletedAndExplained(t *testing.T) {
	var listed []string
	for _, c := range commands() {
		listed = append(listed, c.word)
		if c.about == "" || helps[c.word] == "" || c.word != "help" && commandOf(c.word) == nil {
			t.Errorf("%s is completed, but has no help or is no command", c.word)
		}
	}
	slices.Sort(listed)
	if all := slices.Sorted(maps.Keys(helps)); !slices.Equal(all, listed) {
		t.Errorf("listed are %q, explained %q", listed, all)
	}
}

// TestEveryFlagIsExplained: the flags that commands define are those that helps explain, from where
// completion has them.
func TestEveryFlagIsExplained(t *testing.T) {
	explained := map[string]bool{}
	for command := range helps {
		for name := range flagsOf(command) {
			explained[name] = true
			if _, stderr := output(t, []string{command, name + "=", "-h"}); strings.Contains(stderr, "not defined") {
				t.Errorf("plumbline %s has no %s", command, name)
			}
		}
	}
	defined := regexp.MustCompile(`flags\.(?:Bool|String|Float64|Int)(?:Var\(&?[\w.]+, |\()"([^"]+)"`)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range defined.FindAllStringSubmatch(string(source), -1) {
			if !explained["-"+m[1]] {
				t.Errorf("%s: no help explains -%s", file, m[1])
			}
		}
	}
}

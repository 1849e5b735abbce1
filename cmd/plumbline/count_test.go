package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCountsAreEscaped: what a folder is called, and what a config.json says that is refused.
func TestCountsAreEscaped(t *testing.T) {
	word := strings.NewReplacer("\n", "", "\r", "").Replace(strings.ToValidUTF8(evil, ""))
	folder := filepath.Join(t.TempDir(), word)
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Skip(err) // not every system has such names
	}
	sizes := map[string]any{
		"model_type": "llama", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
		"intermediate_size": 3, word: word,
	}
	said(t, "parameters", folder, sizes)
	for key, want := range map[string]string{"model_type": "want one of", "hidden_act": "want silu"} {
		changed := maps.Clone(sizes)
		changed[key] = word
		said(t, want, folder, changed)
	}
	for _, args := range [][]string{{word}, {folder + "missing/" + word}, {"V3", "-gpu", word}} {
		_, stderr := output(t, append([]string{"count"}, args...))
		shown(t, "stderr", stderr)
	}
}

// said writes a config.json into a folder, and demands what is said when it is counted.
func said(t *testing.T, want, folder string, config map[string]any) {
	t.Helper()
	text, err := json.Marshal(config)
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "config.json"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	stdout, stderr := output(t, []string{"count", folder})
	shown(t, "stdout", stdout)
	shown(t, "stderr", stderr)
	if !strings.Contains(stdout+stderr, want) {
		t.Errorf("%q, want %q", stdout+stderr, want)
	}
}

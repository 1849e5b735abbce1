package spelling

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	types := []string{"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0", "I64", "I32", "U8", "BOOL"}
	ops := []string{
		"attention.backward", "attention.forward", "attention.merge", "mla.decode", "mla.layer", "norm.rms",
		"rope.apply", "rope.table",
	}
	attrs := []string{"scale", "causal", "window", "softcap", "lse_base", "eps", "clip_low", "clip_high"}
	for _, c := range []struct {
		word  string
		known []string
		want  string // "" if nothing is near
	}{
		{"bf16", types, "BF16"}, {"torch.bfloat16", types, "BF16"}, {"bfloat16", types, "BF16"},
		{"float32", types, "F32"},
		{"FP32", types, "F32"}, {"torch.float32", types, "F32"}, {"jnp.float16", types, "F16"}, {"half", types, "F16"},
		{"fp8_e4m3", types, "F8_E4M3"},
		{"float8_e4m3fn", types, "F8_E4M3"}, {"F8E4M3", types, "F8_E4M3"},
		{"e5m2", types, "F8_E5M2"}, {"int64", types, "I64"}, {"bool", types, "BOOL"},
		{"float8_e4m3fnuz", types, ""}, // another format
		{"mla.decod", ops, "mla.decode"}, {"attention_forward", ops, "attention.forward"},
		{"attn.fwd", ops, "attention.forward"},
		{"Attention.Forward", ops, "attention.forward"}, {"rmsnorm", ops, "norm.rms"},
		{"atention.foward", ops, "attention.forward"},
		{"mla.dcetode", ops, "mla.decode"}, {"moe.gate", ops, ""}, {"", ops, ""}, {"...", ops, ""},
		{strings.Repeat("mla.decode", 1000), ops, ""},
		{"is_causal", attrs, "causal"}, {"softmax_scale", attrs, "scale"}, {"lseBase", attrs, "lse_base"},
		{"casual", attrs, "causal"}, {"scale_factor", attrs, "scale"}, {"clip", attrs, ""}, {"soft", attrs, "softcap"},
		{"clip_hihg", attrs, "clip_high"}, {"x", attrs, ""}, {"frobnicate", attrs, ""},
	} {
		if got, _ := Nearest(c.word, c.known); got != c.want {
			t.Errorf("%.40q: %q, want %q", c.word, got, c.want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "abcd", 1},
		{"abc", "xbc", 1}, {"kitten", "sitting", 3}, {"é", "e", 1},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestQuote(t *testing.T) {
	if got := Quote("a\x1b\u202e"); got != `"a\x1b\u202e"` {
		t.Error(got)
	}
	if got := Quote(strings.Repeat("é", 100)); got != `"`+strings.Repeat("é", 60)+`…"` {
		t.Error(got)
	}
}

// TestNamesAreNormal: a name that is not would never be found.
func TestNamesAreNormal(t *testing.T) {
	for name, meant := range names {
		for _, word := range append(meant, name) {
			if normal(word) != word {
				t.Errorf("%q", word)
			}
		}
	}
}

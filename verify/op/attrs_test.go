package op_test

import (
	"testing"

	"plumbline/internal/optest"
	"plumbline/verify/op"
)

// TestYaRNRefusals: what is wrong with a key is said with the keys that there are.
func TestYaRNRefusals(t *testing.T) {
	for text, want := range map[string]string{
		`{"mscale_all_dims":1}`: `key "mscale_all_dims": unknown key, want one of factor, original_context, ` +
			`beta_fast, ` +
			`beta_slow, mscale, mscale_all_dim, attention_factor, ramp, truncate; did you mean "mscale_all_dim"?`,
		`{"truncate":0}`:             `key "truncate": found 0, want true or false`,
		`{"truncate":"false"}`:       `key "truncate": found "false", want true or false`,
		`{"attention_factor":0}`:     `key "attention_factor": found 0, want an amplitude above 0 and at most 1000`,
		`{"attention_factor":-1}`:    `key "attention_factor": found -1, want an amplitude above 0 and at most 1000`,
		`{"attention_factor":"1.0"}`: `key "attention_factor": found "1.0", want a number`,
	} {
		if _, err := op.ParseYaRN(any(optest.Object(t, text))); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

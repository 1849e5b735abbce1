package arithmetic

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestValuesAreAllowed: what is listed for a key is what Parse takes, and of a word and an
// accumulator all that it takes.
func TestValuesAreAllowed(t *testing.T) {
	kinds := map[string]Kind{
		"accumulate": AnAccumulator, "promote_every": WholeNumber, "exp": OneWord, "scores": FloatType,
	}
	for key, kind := range kinds {
		if KindOf(key) != kind {
			t.Errorf("%s is a %s, want %s", key, KindOf(key), kind)
		}
		for _, value := range Values(key) {
			if _, err := Parse(map[string]any{key: value}, Declared{}, []string{key}); err != nil {
				t.Errorf("%s: %s: %v", key, value, err)
			}
		}
	}
	count := map[string]any{"promote_every": json.Number("8")}
	if _, err := Parse(count, Declared{}, []string{"promote_every"}); err != nil || Values("promote_every") != nil {
		t.Error(Values("promote_every"), err)
	}
}

// TestDevicesAreThoseOfMessages: the list and the words of messages name the same devices.
func TestDevicesAreThoseOfMessages(t *testing.T) {
	want := strings.ReplaceAll(DeviceNames, " or ", ", ")
	if got := strings.Join(Devices(), ", "); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

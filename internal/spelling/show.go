package spelling

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Show writes a JSON value for a message, cut to a length that fits a line.
func Show(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		b = fmt.Append(nil, value)
	}
	if len(b) > 60 {
		return strings.ToValidUTF8(string(b[:57]), "") + "..."
	}
	return string(b)
}

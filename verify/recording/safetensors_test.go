package recording

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"plumbline/internal/check"
)

func TestHostileFilesAreErrors(t *testing.T) {
	const q = `"q":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}`
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"empty file", nil, `x.safetensors: 0 bytes, want at least 8`},
		{"seven bytes", make([]byte, 7), `7 bytes, want at least 8`},
		{"no header", make([]byte, 8), `header: want a JSON object from its first byte`},
		{
			"header longer than the file", append(binary.LittleEndian.AppendUint64(nil, 16<<30), make([]byte, 92)...),
			`header: 17179869184 bytes, want at most the 92 that follow`,
		},
		{
			"header of 2^64-1 bytes", bytes.Repeat([]byte{0xFF}, 100),
			`header: 18446744073709551615 bytes, want at most the 92`,
		},
		{"header cut short", file(with(q))[:30], `header: `},
		{"space before the object", file(" "+with(q), 1, 2), `want a JSON object from its first byte`},
		{"array for a header", file(`[]`), `want a JSON object from its first byte`},
		{"half an object", file(`{"q":`), `tensor "q": not JSON: unexpected EOF`},
		{
			"comma after the last", file(strings.Replace(with(q), "]}}", "]},}", 1), 1, 2),
			`header: not JSON: invalid character '}'`,
		},
		{
			"text after the object", file(with(q)+" x", 1, 2),
			`header: byte 0x78 after the JSON object, want spaces only`,
		},
		{"newline after the object", file(with(q)+"\n", 1, 2), `header: byte 0x0a after the JSON object`},
		{"NUL after the object", file(with(q)+"\x00", 1, 2), `header: byte 0x00 after the JSON object`},
		{"second object", file(with(q)+with(q), 1, 2), `header: byte 0x7b after the JSON object`},
		{"invalid UTF-8", file(with(strings.Replace(q, "q", "\xff", 1)), 1, 2), `header: invalid UTF-8`},
		{
			"half a surrogate pair", file(with(strings.Replace(q, "q", `\ud800`, 1)), 1, 2),
			`header: a \u escape of half a surrogate pair`,
		},
		{
			"surrogates in the wrong order", file(with(strings.Replace(q, "q", `\udc00\ud800`, 1)), 1, 2),
			`half a surrogate pair`,
		},
		{
			"NUL", file(with(strings.Replace(q, "q", "\x00", 1)), 1, 2),
			`header: not JSON: invalid character '\x00' in string literal`,
		},
		{"escaped NUL", file(with(strings.Replace(q, "q", `q\u0000`, 1)), 1, 2), `header: a string with NUL: "q\x00"`},
		{
			"control character in a name", file(with(strings.Replace(q, "q", `q\n`, 1)), 1, 2),
			`tensor "q\n": name with control characters`,
		},
		{"empty name", file(with(strings.Replace(q, "q", ``, 1)), 1, 2), `tensor "": not a tensor's name`},
		{
			"output without a name", file(with(strings.Replace(q, "q", `out.`, 1)), 1, 2),
			`tensor "out.": not a tensor's name`,
		},
		{"deep nesting", file(`{"q":` + strings.Repeat("[", 100_000)), `tensor "q": an array, want an object`},
		{
			"tensor twice", file(with(q, strings.Replace(q, "[0,2]", "[2,4]", 1)), 1, 2, 3, 4),
			`header: duplicate key "q"`,
		},
		{
			"tensor twice, once escaped", file(with(q, strings.Replace(q, "q", `\u0071`, 1)), 1, 2),
			`header: duplicate key "q"`,
		},
		{"metadata twice", file(with(`"__metadata__":{}`)), `header: duplicate key "__metadata__"`},
		{
			"metadata key twice", file(`{"__metadata__":{"plumbline":"1","op":"a","op":"b"}}`),
			`__metadata__: duplicate key "op"`,
		},
		{
			"dtype twice", file(with(`"q":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}`), 1),
			`tensor "q": duplicate key "dtype"`,
		},
		{"metadata not an object", file(`{"__metadata__":"1"}`), `__metadata__: string "1", want an object`},
		{
			"metadata value not a string", file(`{"__metadata__":{"plumbline":1}}`),
			`__metadata__: "plumbline": number 1, want a string`,
		},
		{"tensor not an object", file(with(`"q":[]`)), `tensor "q": an array, want an object`},
		{
			"unknown dtype", file(with(`"q":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}`), 1),
			`tensor "q": dtype: element type "F4": unknown`,
		},
		{
			"dtype not a string", file(with(`"q":{"dtype":4,"shape":[2],"data_offsets":[0,1]}`), 1),
			`tensor "q": dtype: number 4, want a string`,
		},
		{
			"unknown key", file(with(`"q":{"dtype":"U8","shape":[2],"data_offsets":[0,2],"order":"C"}`), 1, 2),
			`tensor "q": unknown key "order"`,
		},
		{"no dtype", file(with(`"q":{"shape":[2],"data_offsets":[0,2]}`), 1, 2), `tensor "q": dtype: missing`},
		{"no shape", file(with(`"q":{"dtype":"U8","data_offsets":[0,2]}`), 1, 2), `tensor "q": shape: missing`},
		{"no offsets", file(with(`"q":{"dtype":"U8","shape":[2]}`), 1, 2), `tensor "q": data_offsets: missing`},
		{
			"one offset", file(with(`"q":{"dtype":"U8","shape":[2],"data_offsets":[0]}`), 1, 2),
			`tensor "q": data_offsets: [0], want begin and end`,
		},
		{
			"three offsets", file(with(`"q":{"dtype":"U8","shape":[2],"data_offsets":[0,2,2]}`), 1, 2),
			`tensor "q": data_offsets: more than 2 integers`,
		},
		{
			"offsets backwards", file(with(`"q":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}`), 1, 2),
			`tensor "q": data_offsets: [2 0], want begin and end`,
		},
		{
			"negative offset", file(with(`"q":{"dtype":"U8","shape":[2],"data_offsets":[-2,0]}`), 1, 2),
			`tensor "q": data_offsets: -2, want an integer from 0`,
		},
		{
			"minus zero", file(with(`"q":{"dtype":"U8","shape":[2],"data_offsets":[-0,2]}`), 1, 2),
			`tensor "q": data_offsets: -0, want an integer`,
		},
		{
			"fraction", file(with(`"q":{"dtype":"U8","shape":[2],"data_offsets":[0,2.0]}`), 1, 2),
			`tensor "q": data_offsets: 2.0, want an integer`,
		},
		{
			"exponent", file(with(`"q":{"dtype":"U8","shape":[2e0],"data_offsets":[0,2]}`), 1, 2),
			`tensor "q": shape: 2e0, want an integer`,
		},
		{
			"leading zero", file(with(`"q":{"dtype":"U8","shape":[02],"data_offsets":[0,2]}`), 1, 2),
			`tensor "q": shape: not JSON: `,
		},
		{
			"beyond int64", file(with(`"q":{"dtype":"U8","shape":[2],"data_offsets":[0,9223372036854775808]}`), 1, 2),
			`tensor "q": data_offsets: 9223372036854775808, want an integer`,
		},
		{
			"null in a shape", file(with(`"q":{"dtype":"U8","shape":[null],"data_offsets":[0,2]}`), 1, 2),
			`tensor "q": shape: null, want a number`,
		},
		{
			"shape a string", file(with(`"q":{"dtype":"U8","shape":"[2]","data_offsets":[0,2]}`), 1, 2),
			`tensor "q": shape: string "[2]", want an array`,
		},
		{
			"nested shape", file(with(`"q":{"dtype":"U8","shape":[[2]],"data_offsets":[0,2]}`), 1, 2),
			`tensor "q": shape: an array, want a number`,
		},
		{
			"negative shape", file(with(`"q":{"dtype":"U8","shape":[-1,-2],"data_offsets":[0,2]}`), 1, 2),
			`tensor "q": shape: -1, want an integer`,
		},
		{
			"17 axes",
			file(with(`"q":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}`), 1),
			`tensor "q": shape: more than 16 integers`,
		},
		{
			"axis beyond the limit", file(with(`"q":{"dtype":"U8","shape":[0,2147483648],"data_offsets":[0,0]}`)),
			`tensor "q": shape: 2147483648, want an integer from 0 to 2147483647`,
		},
		{
			"product that overflows to 0",
			file(with(`"q":{"dtype":"U8","shape":[1073741824,1073741824,16],"data_offsets":[0,0]}`)),
			`tensor "q": shape [1073741824 1073741824 16]: negative or more than 1099511627776 elements`,
		},
		{
			"too many elements", file(with(`"q":{"dtype":"U8","shape":[1048577,1048576],"data_offsets":[0,1]}`)),
			`tensor "q": shape [1048577 1048576]: negative or more than 1099511627776 elements`,
		},
		{
			"shape unlike the offsets",
			file(with(`"q":{"dtype":"F32","shape":[2,1],"data_offsets":[0,4]}`), 1, 2, 3, 4),
			`tensor "q": shape [2 1] of F32 takes 8 bytes, data_offsets [0 4] give 4`,
		},
		{"data cut short", file(with(q), 1), `tensor "q": data_offsets [0 2]: beyond the 1 bytes of data in the file`},
		{
			"16 GiB in a short file",
			file(with(`"q":{"dtype":"F64","shape":[2147483647],"data_offsets":[0,17179869176]}`)),
			`tensor "q": data_offsets [0 17179869176]: beyond the 0 bytes`,
		},
		{"data left over", file(with(q), 1, 2, 3), `x.safetensors: 1 bytes of data after those of the last tensor`},
		{"data without a tensor", file(with(), 1), `1 bytes of data after those of the last tensor`},
		{
			"overlap", file(with(q, `"k":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}`), 1, 2, 3),
			`tensor "k": data_offsets [1 3]: overlap, the data before ends at 2`,
		},
		{
			"the same data twice", file(with(q, strings.Replace(q, "q", "k", 1)), 1, 2),
			`tensor "k": data_offsets [0 2]: overlap`,
		},
		{
			"empty tensor inside another", file(with(q, `"k":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}`), 1, 2),
			`tensor "k": data_offsets [1 1]: overlap`,
		},
		{
			"gap", file(with(q, `"k":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}`), 1, 2, 3, 4),
			`tensor "k": data_offsets [3 4]: gap, the data before ends at 2`,
		},
		{
			"gap at the beginning", file(with(`"k":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}`), 1, 2),
			`tensor "k": data_offsets [1 2]: gap, the data before ends at 0`,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := readBytes(test.file)
			wantError(t, err, test.want)
			if !strings.HasPrefix(err.Error(), "x.safetensors: ") {
				t.Errorf("%q does not begin with the file", err)
			}
		})
	}
}

func TestSafetensorsThatAreUnusualButRight(t *testing.T) {
	t.Run("data in another order than the header", func(t *testing.T) {
		r := mustRead(
			t,
			file(
				with(
					`"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}`,
					`"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}`,
				),
				1, 2, 3,
			),
		)
		if got := r.Inputs(); !slices.Equal(got, []string{"b", "a"}) {
			t.Errorf("inputs %v, want those of the header in its order", got)
		}
		if x, err := r.Tensor("b"); err != nil || x.Data[0] != 3 {
			t.Error(x, err)
		}
	})
	t.Run("metadata last, white space, escapes, keys in another order", func(t *testing.T) {
		r := mustRead(
			t,
			file(
				"{\n\t\"\\u0071\" : {\"data_offsets\":[ 0,2 ],\"shape\":[ "+
					"1],\"dtype\":\"BF16\"},\"__metadata__\":{\"op\":\"test\",\"plumbline\":\"1\"}}   ",
				0x80, 0x3F,
			),
		)
		if x, err := r.Tensor("q"); err != nil || x.Data[0] != 1 {
			t.Error(x, err)
		}
	})
	t.Run("empty tensors between the others", func(t *testing.T) {
		r := mustRead(
			t,
			file(
				with(
					`"a":{"dtype":"F32","shape":[0,7],"data_offsets":[0,0]}`,
					`"b":{"dtype":"U8","shape":[],"data_offsets":[0,1]}`,
					`"c":{"dtype":"U8","shape":[0],"data_offsets":[1,1]}`,
				),
				9,
			),
		)
		for name, want := range map[string]int{"a": 0, "b": 1, "c": 0} {
			if x, err := r.Tensor(name); err != nil || x.Len() != want {
				t.Error(name, x, err)
			}
		}
		if shape := r.Shape("b"); shape == nil || len(shape) != 0 {
			t.Errorf("shape of a scalar: %#v", shape)
		}
	})
	t.Run("surrogate pairs", func(t *testing.T) {
		r := mustRead(t, file(with(`"\\\ud83d\ude00\"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}`), 1))
		if !r.Has(`\😀"`) {
			t.Error(r.Inputs())
		}
	})
}

func TestTooManyTensors(t *testing.T) {
	var entries []string
	for i := range maxTensors + 1 {
		entries = append(entries, fmt.Sprintf(`"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, i))
	}
	_, err := readBytes(file(with(entries...)))
	wantError(t, err, `x.safetensors: header: more than 65536 tensors`)
}

func TestClaimsAreNotAllocated(t *testing.T) {
	const claim = `"q":{"dtype":"F64","shape":[2147483647],"data_offsets":[0,17179869176]}`
	zeros := strings.Repeat("0", 64)
	recipe := `{"q":{"dtype":"U8","shape":[2147483647,33],"dist":"uniform","seed":1,"sha256":"` + zeros + `"}}`
	for name, b := range map[string][]byte{
		"header of 16 GiB":  append(binary.LittleEndian.AppendUint64(nil, 16<<30), make([]byte, 92)...),
		"header of 99 MB":   append(binary.LittleEndian.AppendUint64(nil, 99_000_000), make([]byte, 92)...),
		"tensor of 16 GiB":  file(with(claim)),
		"recipe of 528 GiB": file(withMetadata("generated", recipe)),
	} {
		if got := check.Allocated(func() {
			if _, err := readBytes(b); err == nil {
				t.Error(name, "was read")
			}
		}); got > 1<<20 {
			t.Errorf("%s: %d bytes allocated", name, got)
		}
	}
}

// A size that is larger than what the reader holds is the caller's mistake, or a file cut while it
// is read.

func TestReadersThatEndEarly(t *testing.T) {
	whole := file(with(`"q":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}`), 1, 2)
	for _, n := range []int{0, 7, 8, 20, len(whole) - 2} {
		_, err := Read(bytes.NewReader(whole[:n]), int64(len(whole)), "x")
		if n < len(whole)-2 {
			if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%d bytes: %v, want the end of the file", n, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := Read(bytes.NewReader(whole[:len(whole)-1]), int64(len(whole)), "x")
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Tensor("q")
	wantError(t, err, `x: tensor "q": data: EOF`)
	_, err = r.WriteTo(io.Discard)
	wantError(t, err, `x: tensor "q": unexpected EOF`)
}

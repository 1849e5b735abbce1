package recording

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
)

// MaxGenerated is how many elements the generated inputs of a recording may have together, edits
// counted by the elements that they write. A recipe takes a few bytes whatever its shape, so this
// bounds the time that a hostile file can ask for, some half an hour of a processor; memory is
// bounded by [MaxWhole].
const MaxGenerated = 1 << 36

// maxExp2 keeps value × 2^Exp2 exact in float64, for every distribution.
const maxExp2 = 900

// Recipe says how to make an input that is not stored. It is integer arithmetic, so that every
// language makes the same bits.
//
// Element i in row-major order uses z = splitmix64(Seed, i):
//
//	uniform      ((z >> 40) − 2²³) · 2⁻²³
//	normal       (sum of the four 16-bit fields of z − 131070) · 2⁻¹⁵
//	ints         Lo + z mod (Hi − Lo)
//	permutation  0 … n−1, then for i from n−1 down to 1 element i swapped with element z mod (i+1)
//
// times 2^Exp2, plus Shift, rounded to nearest even into Type; then the edits. The product is exact
// in float64, as |Exp2| ≤ 900 and |Lo|, |Hi| ≤ 2⁵³. The sum is a float64 sum, as of double in C and
// float64 in NumPy: exact, so that there is one rounding in all, unless value and shift together
// span more than 53 bits. An integer type takes integers of its range up to ±2⁵³ and nothing else;
// a permutation is one axis of an integer type.
type Recipe struct {
	Type   dtype.Type
	Shape  []int
	Dist   string // uniform, normal, ints, permutation
	Seed   uint64
	Exp2   int
	Shift  *float32 // nil: none
	Lo, Hi int64    // of ints
	SHA256 string   // of the little-endian bytes after the edits, in lower-case hexadecimal
	Edits  []Edit
}

// Edit plants a value in a generated input: rounded to nearest even into a floating type, exact in
// an integer type. An index shorter than the shape sets all elements beneath it, as x[index] =
// value does in NumPy and PyTorch. In JSON, NaN and the infinities are the strings "nan", "inf" and
// "-inf". NaN gets the code that dtype.Type.Bits writes, in F64 and F32 7FF8000000000000 and
// 7FC00000.
type Edit struct {
	Index []int
	Value float64
}

func (rc Recipe) clone() Recipe {
	rc.Shape = append([]int{}, rc.Shape...)
	rc.Edits = slices.Clone(rc.Edits)
	for i, e := range rc.Edits {
		rc.Edits[i].Index = append([]int{}, e.Index...)
	}
	if rc.Shift != nil {
		shift := *rc.Shift
		rc.Shift = &shift
	}
	return rc
}

// check says what is wrong with a recipe, without making anything, and counts the elements that it
// writes.
func (rc *Recipe) check() (int64, error) {
	if rc.Type == dtype.Invalid || rc.Type > dtype.Bool {
		return 0, errors.New("dtype: missing")
	}
	n, err := elements(rc.Shape)
	if err != nil {
		return 0, err
	}
	if err := rc.checkDist(); err != nil {
		return 0, err
	}
	if rc.Exp2 < -maxExp2 || rc.Exp2 > maxExp2 {
		return 0, fmt.Errorf("exp2: %d, want -%d to %[2]d", rc.Exp2, maxExp2)
	}
	if rc.Shift != nil && !(math.Abs(float64(*rc.Shift)) <= math.MaxFloat32) {
		return 0, fmt.Errorf("shift: %v, want a finite number", *rc.Shift)
	}
	if hash, err := hex.DecodeString(rc.SHA256); rc.SHA256 != "" && (err != nil || len(hash) != sha256.Size) {
		return 0, fmt.Errorf("sha256: %s, want 64 hexadecimal digits", short(rc.SHA256))
	}
	return rc.checkEdits(int64(n))
}

func (rc *Recipe) checkDist() error {
	if rc.Dist != "ints" && (rc.Lo != 0 || rc.Hi != 0) {
		return fmt.Errorf("lo, hi: with dist %s, want them with ints only", short(rc.Dist))
	}
	switch rc.Dist {
	case "uniform", "normal":
	case "ints":
		if rc.Lo >= rc.Hi || rc.Lo < -maxExact || rc.Hi > maxExact {
			return fmt.Errorf("lo, hi: %d and %d, want lo < hi, both within ±2^53", rc.Lo, rc.Hi)
		}
	case "permutation":
		if len(rc.Shape) != 1 || rc.Type.Float() {
			return fmt.Errorf(
				"dist: permutation of shape %v and dtype %v, want one axis of an integer type", rc.Shape, rc.Type,
			)
		}
		if rc.Shape[0] > MaxWhole {
			return fmt.Errorf("dist: permutation of %d elements, want at most %d", rc.Shape[0], MaxWhole)
		}
	default:
		return fmt.Errorf("dist: %s, want uniform, normal, ints or permutation", short(rc.Dist))
	}
	return nil
}

// checkEdits returns n and the number of elements that the edits write.
func (rc *Recipe) checkEdits(n int64) (int64, error) {
	for i, e := range rc.Edits {
		if err := rc.checkEdit(e); err != nil {
			return 0, fmt.Errorf("edits: number %d: %w", i, err)
		}
		_, beneath := rc.reach(e)
		n += int64(beneath)
	}
	return n, nil
}

func (rc *Recipe) checkEdit(e Edit) error {
	if len(e.Index) > len(rc.Shape) {
		return fmt.Errorf("index %v, want at most %d axes", e.Index, len(rc.Shape))
	}
	for axis, i := range e.Index {
		if i < 0 || i >= rc.Shape[axis] {
			return fmt.Errorf("index %v, want it within shape %v", e.Index, rc.Shape)
		}
	}
	rounded := rc.Type.Round(e.Value)
	lost := rc.Type.Float() && math.IsInf(e.Value, 0) && rounded != e.Value
	inexact := !rc.Type.Float() && (rounded != e.Value || math.Abs(rounded) > maxExact)
	if lost || inexact {
		return fmt.Errorf("value %v, want one that %v has", e.Value, rc.Type)
	}
	return nil
}

// reach returns the first element that an edit writes, and how many.
func (rc *Recipe) reach(e Edit) (first, n int) {
	for axis, i := range e.Index {
		first = first*rc.Shape[axis] + i
	}
	n, _ = tensor.Elements(rc.Shape[len(e.Index):])
	return first * n, n
}

// parseGenerated reads the metadata entry of that name.
func (r *Recording) parseGenerated(text string) error {
	p, err := newParser(text)
	if err != nil {
		return err
	}
	err = p.object(func(name string) error {
		recipe, err := p.recipe()
		if err == nil && r.Has(name) {
			err = errors.New("stored as well, want one or the other")
		}
		if err == nil {
			err = r.generate(name, &recipe)
		}
		return within("tensor "+short(name), err)
	})
	if err != nil {
		return err
	}
	return p.end()
}

// recipe reads a Recipe: dtype, shape, dist, seed and sha256 are required, with ints also lo and
// hi.
func (p *parser) recipe() (Recipe, error) {
	var rc Recipe
	present := map[string]bool{}
	err := p.object(func(key string) error {
		present[key] = true
		return within(key, p.ingredient(&rc, key))
	})
	if err != nil {
		return rc, err
	}
	required := []string{"dtype", "shape", "dist", "seed", "sha256"}
	if rc.Dist == "ints" {
		required = append(required, "lo", "hi")
	} else if present["lo"] || present["hi"] {
		return rc, fmt.Errorf("lo, hi: with dist %s, want them with ints only", short(rc.Dist))
	}
	for _, key := range required {
		if !present[key] {
			return rc, fmt.Errorf("%s: missing", key)
		}
	}
	if rc.SHA256 == "" {
		return rc, errors.New("sha256: empty, want 64 hexadecimal digits")
	}
	return rc, nil
}

func (p *parser) ingredient(rc *Recipe, key string) (err error) {
	switch key {
	case "dtype":
		rc.Type, err = p.dtype()
	case "shape":
		rc.Shape, err = p.shape()
	case "dist":
		rc.Dist, err = p.string()
	case "seed":
		rc.Seed, err = p.seed()
	case "exp2":
		rc.Exp2, err = p.exp2()
	case "shift":
		rc.Shift, err = p.float32()
	case "lo":
		rc.Lo, err = p.integer(-maxExact, maxExact)
	case "hi":
		rc.Hi, err = p.integer(-maxExact, maxExact)
	case "sha256":
		rc.SHA256, err = p.string()
	case "edits":
		rc.Edits, err = p.edits()
	default:
		err = errors.New("unknown key")
	}
	return err
}

func (p *parser) exp2() (int, error) {
	exp2, err := p.integer(-maxExp2, maxExp2)
	return int(exp2), err
}

func (p *parser) seed() (uint64, error) {
	n, err := p.number()
	if err != nil {
		return 0, err
	}
	seed, err := strconv.ParseUint(string(n), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s, want an integer from 0 to 2^64 − 1", clip(string(n)))
	}
	return seed, nil
}

// float32 reads a number, rounded to float32.
func (p *parser) float32() (*float32, error) {
	n, err := p.number()
	if err != nil {
		return nil, err
	}
	wide, err := strconv.ParseFloat(string(n), 32)
	if err != nil {
		return nil, fmt.Errorf("%s, want a float32", clip(string(n)))
	}
	x := float32(wide)
	return &x, nil
}

func (p *parser) edits() (edits []Edit, err error) {
	err = p.array(func() error {
		e, err := p.edit()
		edits = append(edits, e)
		return within(fmt.Sprint("number ", len(edits)-1), err)
	})
	return edits, err
}

// edit reads {"index":[…],"value":…}.
func (p *parser) edit() (e Edit, err error) {
	valued := false
	err = p.object(func(key string) (err error) {
		switch key {
		case "index":
			e.Index, err = p.shape()
		case "value":
			valued = true
			e.Value, err = p.planted()
		default:
			err = errors.New("unknown key, want index, value")
		}
		return within(short(key), err)
	})
	if err == nil && (e.Index == nil || !valued) {
		err = errors.New("want index and value")
	}
	return e, err
}

// nonFinite are the values of edits that JSON has no numbers for. math.NaN would show its payload
// in F64.
var nonFinite = map[string]float64{
	"nan":  math.Float64frombits(0x7FF8000000000000),
	"inf":  math.Inf(1),
	"-inf": math.Inf(-1),
}

// planted reads the value of an edit.
func (p *parser) planted() (float64, error) {
	t, err := p.token()
	if err != nil {
		return 0, err
	}
	switch t := t.(type) {
	case json.Number:
		if x, err := t.Float64(); err == nil {
			return x, nil
		}
	case string:
		if x, ok := nonFinite[t]; ok {
			return x, nil
		}
	}
	return 0, fmt.Errorf(`%s, want a number, "nan", "inf" or "-inf"`, describe(t))
}

// fields returns the recipe as JSON, without what has its default.
func (rc *Recipe) fields() map[string]any {
	fields := map[string]any{
		"dtype": rc.Type.String(), "shape": rc.Shape, "dist": rc.Dist, "seed": rc.Seed, "sha256": rc.SHA256,
	}
	if rc.Dist == "ints" {
		fields["lo"], fields["hi"] = rc.Lo, rc.Hi
	}
	if rc.Exp2 != 0 {
		fields["exp2"] = rc.Exp2
	}
	if rc.Shift != nil {
		fields["shift"] = float64(*rc.Shift)
	}
	var edits []any
	for _, e := range rc.Edits {
		edits = append(edits, map[string]any{"index": e.Index, "value": e.json()})
	}
	if edits != nil {
		fields["edits"] = edits
	}
	return fields
}

func (e *Edit) json() any {
	switch {
	case e.Value != e.Value:
		return "nan"
	case math.IsInf(e.Value, 1):
		return "inf"
	case math.IsInf(e.Value, -1):
		return "-inf"
	}
	return e.Value
}

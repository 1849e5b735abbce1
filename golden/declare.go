package golden

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"plumbline/numbers/arithmetic"
	"plumbline/numbers/dtype"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// declarationMutation changes what a recording declares, so that its outputs are those of a kernel
// that did something else, or says why that cannot show.
type declarationMutation struct {
	attr      string                              // that it changes; "" for arithmetic
	only      func(rec *recording.Recording) bool // of those that have the attribute; nil: all
	name, doc string                              // the name starts with the id that the bank has
	change    func(wrong *recording.Recording) (hidden string)

	// judge is change where that takes the truth of what is declared, which it returns.
	judge func(wrong *recording.Recording, honest []verdict.Expected) (truth []verdict.Expected, hidden string)
}

// appliesTo tells whether it is a mutation of a recording.
func (m declarationMutation) appliesTo(rec *recording.Recording) bool {
	return (m.attr == "" || declared(rec, m.attr) != nil) && (m.only == nil || m.only(rec))
}

func (m declarationMutation) of(rec *recording.Recording, honest []verdict.Expected) Mutation {
	return Mutation{Name: m.name, ID: idOf(m.name), Doc: m.doc, Apply: func() (Wrong, string) {
		wrong := Wrong{Recording: rec.Clone()}
		var hidden string
		if m.judge != nil {
			wrong.Truth, hidden = m.judge(wrong.Recording, honest)
		} else {
			hidden = m.change(wrong.Recording)
		}
		if hidden != "" {
			return Wrong{}, hidden
		}
		return wrong, ""
	}}
}

// declarationMutations are those of attributes, in the order of the catalogue, and of arithmetic.
var declarationMutations = []declarationMutation{
	{
		attr: "base", name: "base 10000 for 500000",
		doc: "Rotates with another base than is declared.",
		change: func(wrong *recording.Recording) string {
			return scaleAttr(wrong, "base", 50)
		},
	},
	{
		attr: "layout", name: "layout-swapped, by what is declared",
		change: otherLayoutDeclared,
		doc:    "Pairs the columns of rotated vectors otherwise than is declared.",
	},
	{
		attr: "inverse", name: "direction-reversed",
		doc: "Rotates forward where the inverse is declared, or the other way round.",
		change: func(wrong *recording.Recording) string {
			return flipAttr(wrong, "inverse")
		},
	},
	{
		attr: "yarn", name: "yarn-missing or its reverse", change: toggleYaRN,
		doc: "Rotates without YaRN where it is declared, or with it where it is not.",
	},
	{
		attr: "scale", only: hasLatent, name: "scale-of-latent", change: otherScale,
		doc: "Scales the scores by the width of the latent instead of the width of a head.",
	},
	{
		attr: "scale", only: hasNoLatent, name: "another scale", change: otherScale,
		doc: "Scales by 1/√576 for 1/√192, or by another kind of scale than is declared.",
	},
	{
		attr: "causal", name: "causal-missing or its reverse",
		doc: "Masks the future where it is seen, or sees it where it is masked.",
		change: func(wrong *recording.Recording) string {
			if queries(wrong) < 2 {
				return "one query sees every key, causal or not"
			}
			return flipAttr(wrong, "causal")
		},
	},
	{
		attr: "window", name: "window-missing or its reverse", change: otherWindow,
		doc: "Sees all keys where a window is declared, or has one where none is.",
	},
	{
		attr: "softcap", name: "softcap-missing or its reverse",
		doc: "Does not cap the scores where a cap is declared, or caps them where none is.",
		change: func(wrong *recording.Recording) string {
			return toggleNumber(wrong, "softcap", 2)
		},
	},
	{
		attr: "lse_base", name: "lse-base, by what is declared", change: otherBase,
		doc: "Gives the log-sum-exp in another base than is declared.",
	},
	{
		attr: "eps", name: "eps-default, 1e-6 for 0.1",
		doc: "Adds another ε than is declared.",
		change: func(wrong *recording.Recording) string {
			return setAttr(wrong, "eps", 0.1)
		},
	},
	{
		attr: "start", name: "position-off-by-one",
		doc: "Counts positions from 0 where 1 is declared.",
		change: func(wrong *recording.Recording) string {
			if !wrong.Has("out.rope_key") {
				return "only the rotated key depends on where positions start, and it is not recorded"
			}
			return setAttr(wrong, "start", attrNumber(wrong, "start")+1)
		},
	},
	{
		name: "the step of another device", judge: otherDevice,
		doc: "Adds products as the tensor cores of another device do than is declared.",
	},
	{
		name: "more precision declared than kept", judge: overclaim,
		doc: "Rounds to 16 bits on the way where float32 is declared.",
	},
}

// declared returns the op's attribute of that name, nil if it has none.
func declared(rec *recording.Recording, name string) *op.Attr {
	known := op.Lookup(rec.Op)
	if known == nil {
		return nil
	}
	if i := slices.IndexFunc(known.Attrs, func(a op.Attr) bool { return a.Name == name }); i >= 0 {
		return &known.Attrs[i]
	}
	return nil
}

// attr returns the value of an attribute: what the recording says, or the default.
func attr(rec *recording.Recording, name string) any {
	if v, ok := rec.Attrs[name]; ok {
		return v
	}
	if a := declared(rec, name); a != nil {
		return a.Default
	}
	return nil
}

// attrNumber returns a numeric attribute; a missing one is 0.
func attrNumber(rec *recording.Recording, name string) float64 {
	x, _ := strconv.ParseFloat(fmt.Sprint(attr(rec, name)), 64)
	return x
}

func setAttr(wrong *recording.Recording, name string, x float64) string {
	wrong.Attrs[name] = json.Number(strconv.FormatFloat(x, 'g', -1, 64))
	return ""
}

func scaleAttr(wrong *recording.Recording, name string, by float64) string {
	return setAttr(wrong, name, by*attrNumber(wrong, name))
}

// toggleNumber sets a number that is 0 to on, and any other to 0.
func toggleNumber(wrong *recording.Recording, name string, on float64) string {
	if attrNumber(wrong, name) != 0 {
		on = 0
	}
	return setAttr(wrong, name, on)
}

func flipAttr(wrong *recording.Recording, name string) string {
	wrong.Attrs[name] = attr(wrong, name) != true
	return ""
}

func toggleYaRN(wrong *recording.Recording) string {
	switch {
	case wrong.Attrs["yarn"] != nil:
		delete(wrong.Attrs, "yarn")
	default:
		wrong.Attrs["yarn"] = map[string]any{"factor": json.Number("40"), "original_context": json.Number("4096")}
	}
	return ""
}

func otherLayoutDeclared(wrong *recording.Recording) string {
	if wrong.Attrs["layout"] == "half" {
		wrong.Attrs["layout"] = "interleaved"
	} else {
		wrong.Attrs["layout"] = "half"
	}
	return ""
}

// hasLatent tells whether scores are those of a latent, whose width a scale may be mistaken for.
func hasLatent(rec *recording.Recording) bool { return strings.HasPrefix(rec.Op, "mla.") }

func hasNoLatent(rec *recording.Recording) bool { return !hasLatent(rec) }

// otherScale multiplies the scale by √(192/576); that of an MLA layer becomes 1/√(latent + rope).
func otherScale(wrong *recording.Recording) string {
	switch {
	case wrong.Op == "fp8.cast":
		return otherKindOfScale(wrong)
	case wrong.Op == "moe.gate" && !wrong.Has("out.weights"):
		return "no weights are recorded"
	case wrong.Op == "mla.layer":
		return setAttr(wrong, "scale", 1/math.Sqrt(float64(wrong.Shape("w_dkv")[0])))
	case attrNumber(wrong, "scale") == 0:
		q := wrong.Shape("q")
		return setAttr(wrong, "scale", 1/math.Sqrt(3*float64(q[len(q)-1])))
	}
	return scaleAttr(wrong, "scale", math.Sqrt(192.0/576))
}

// otherKindOfScale declares powers of two for scales that are none, or the other way round.
func otherKindOfScale(wrong *recording.Recording) string {
	switch {
	case !wrong.Has("out.scale"):
		return "no scale is recorded"
	case wrong.Type("out.scale") == dtype.F8E8M0:
		return "F8_E8M0 has powers of two alone"
	case wrong.Attrs["scale"] == "UE8M0":
		return setWord(wrong, "scale", "F32")
	}
	return setWord(wrong, "scale", "UE8M0")
}

// queries returns S, which is the second axis of q, or of x in a layer.
func queries(rec *recording.Recording) int {
	for _, name := range []string{"q", "x"} {
		if shape := rec.Shape(name); len(shape) > 2 {
			return shape[1]
		}
	}
	return 0
}

func otherWindow(wrong *recording.Recording) string {
	return toggleNumber(wrong, "window", float64(max(1, wrong.Shape("k")[1]/2)))
}

func otherBase(wrong *recording.Recording) string {
	switch {
	case !wrong.Has("lse") && !wrong.Has("out.lse"):
		return "no log-sum-exp is recorded"
	case wrong.Attrs["lse_base"] == "2":
		wrong.Attrs["lse_base"] = "e"
	default:
		wrong.Attrs["lse_base"] = "2"
	}
	return ""
}

// overclaim declares float32 wherever the arithmetic has a type. It shows where the error that is
// then still explained is less than half of what the honest declaration explains.
func overclaim(
	wrong *recording.Recording, honest []verdict.Expected,
) (claimed []verdict.Expected, hidden string) {
	if !claimAll(wrong) {
		return nil, "the declared arithmetic is float32 already"
	}
	claimed, err := op.Expect(wrong)
	if err != nil {
		return nil, err.Error()
	}
	for i := range honest {
		var squares float64
		for e := range honest[i].Sigma {
			ratio := honest[i].Explained(e) / claimed[i].Explained(e)
			squares += ratio * ratio
		}
		if squares > 4*float64(len(honest[i].Sigma)) {
			return claimed, ""
		}
	}
	return nil, "it explains little less than the honest declaration"
}

// otherDevice declares the first device whose step gives another result somewhere; of a step, other
// ops allow for more than these differ by.
func otherDevice(
	wrong *recording.Recording, honest []verdict.Expected,
) (truth []verdict.Expected, hidden string) {
	if wrong.Op != "mma.step" {
		return nil, "only a step is judged to the last bit"
	}
	for a := arithmetic.F32Hopper; a < arithmetic.TF32; a++ {
		wrong.Arithmetic["accumulate"] = a.String()
		other, err := op.Expect(wrong)
		if err == nil && !slices.Equal(other[0].Truth.Data, honest[0].Truth.Data) {
			return other, ""
		}
	}
	return nil, "every device that sums products of this type gives the same here"
}

// claimAll declares float32 for every key of the arithmetic that has a type, and tells whether that
// is anything new.
func claimAll(wrong *recording.Recording) bool {
	const claim = "F32"
	claimed := false
	for _, key := range op.Lookup(wrong.Op).Arithmetic {
		before, said := wrong.Arithmetic[key.Name]
		if !said {
			before = key.Default
		}
		if (key.Name == "accumulate" || arithmetic.Typed(key.Name)) && before != claim {
			wrong.Arithmetic[key.Name] = claim
			claimed = true
		}
	}
	return claimed
}

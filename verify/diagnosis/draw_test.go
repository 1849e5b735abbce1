package diagnosis

import (
	"math"
	"slices"
	"testing"

	"plumbline/internal/optest"
	"plumbline/verify/op"
	"plumbline/verify/verdict"
)

func TestDraw(t *testing.T) {
	right := rotated()
	t.Run("pictures are drawn where they are asked for", func(t *testing.T) {
		o := Options{Most: math.Inf(1)}
		if out := JudgeWith(right, o).Outputs[0]; out.Picture != nil || out.Worst != nil {
			t.Errorf("nobody asked for %+v", out)
		}
		o.Draw = true
		out := JudgeWith(right, o).Outputs[0]
		if out.Picture == nil || out.Picture.Part != "" || len(out.Picture.Maps) == 0 || len(out.Worst) == 0 {
			t.Errorf("%+v", out)
		}
	})
	t.Run("pages of a cache where an op has them, of what is no part", func(t *testing.T) {
		rec := optest.Recorded(t, "mla.decode", 12)
		o := Options{Most: math.Inf(1), Draw: true}
		v, at := judged(rec, o)
		pages := func(m verdict.Map) bool { return m.Axes[len(m.Axes)-1] == "page" && m.Strengths != nil }
		if draw(&v, at); !slices.ContainsFunc(v.Outputs[0].Picture.Maps, pages) {
			t.Errorf("%+v", v.Outputs[0].Picture.Maps)
		}
		at.Where = "rows 1–2"
		if draw(&v, at); slices.ContainsFunc(v.Outputs[0].Picture.Maps, pages) {
			t.Error("the whole is drawn for a part")
		}
	})
	t.Run("that of a part says of which", func(t *testing.T) {
		whole, at := op.JudgeSparing(right, math.Inf(1), true)
		v := verdict.Verdict{Outputs: []verdict.Output{whole.Outputs[0]}}
		at.Where = "rows 1–2"
		if draw(&v, at); v.Outputs[0].Picture.Part != "rows 1–2" {
			t.Errorf("%+v", v.Outputs[0].Picture)
		}
	})
}

package compare_test

import (
	"slices"
	"strings"
	"testing"

	"plumbline/numbers/dtype"
	"plumbline/numbers/tensor"
	"plumbline/verify/compare"
	"plumbline/verify/op"
	"plumbline/verify/recording"
	"plumbline/verify/verdict"
)

// cut returns a recording of entries from … to−1 of some tensors.
func cut(t *testing.T, rec *recording.Recording, from, to int, names ...string) *recording.Recording {
	t.Helper()
	return changed(rec, func(r *recording.Recording) {
		for _, name := range names {
			x, err := rec.Rows(name, from, to)
			if err != nil {
				t.Fatal(err)
			}
			r.Set(name, rec.Type(name), x)
		}
	})
}

func TestPartsOfABatch(t *testing.T) {
	norm := open(t, "norm-rms-bf16")
	attention := open(t, "attention-forward-eager-bf16")
	t.Run("a row by itself is compared with that row of the batch", func(t *testing.T) {
		c := compare.Within(cut(t, norm, 3, 4, "x", "out.y"), norm, op.MaxWork)
		want := compare.Part{Of: norm.Name, Axis: "token", First: 3, Count: 1}
		if c.Part != want || c.Status != verdict.Explained || c.Outputs[0].Differ != 0 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("several sequences are, and the file may be the larger", func(t *testing.T) {
		names := []string{"q", "k", "v", "out.o", "out.lse"}
		n := attention.Shape("q")[0]
		c := compare.Within(attention, cut(t, attention, n-1, n, names...), op.MaxWork)
		want := compare.Part{Of: attention.Name, Axis: "batch", First: n - 1, Count: 1}
		if c.Part != want || c.Status != verdict.Explained || c.Outputs[0].Differ != 0 {
			t.Errorf("%+v", c)
		}
		c = compare.Within(cut(t, norm, 1, 5, "x", "out.y"), norm, op.MaxWork)
		if c.Part.First != 1 || c.Part.Count != 4 || c.Outputs[0].Shape[0] != 4 {
			t.Errorf("%+v", c)
		}
	})
	t.Run("a difference has the index that it has in the part", func(t *testing.T) {
		row := cut(t, norm, 3, 4, "x", "out.y")
		set(row, "out.y", 2, func(x float64) float64 { return x + dtype.BF16.Spacing(x) })
		c := compare.Within(row, norm, op.MaxWork)
		if o := c.Outputs[0]; o.Differ != 1 || !slices.Equal(o.First.Index, []int{0, 2}) {
			t.Errorf("%+v", o)
		}
	})
	t.Run("a row that is not in the batch is refused by the tensor's name", func(t *testing.T) {
		row := cut(t, norm, 3, 4, "x", "out.y")
		set(row, "x", 2, func(x float64) float64 { return -x - 1 })
		c := compare.Within(row, norm, op.MaxWork)
		if c.Status != verdict.Unusable || !strings.Contains(c.Reason, `tensor "x"`) {
			t.Errorf("%+v", c)
		}
	})
	t.Run("so is another weight beside it", func(t *testing.T) {
		row := cut(t, norm, 3, 4, "x", "out.y")
		set(row, "weight", 1, func(x float64) float64 { return -x - 1 })
		c := compare.Within(row, norm, op.MaxWork)
		if !strings.Contains(c.Reason, `tensor "weight": element [1] differs`) {
			t.Errorf("%+v", c)
		}
	})
	t.Run("so are keys of another length", func(t *testing.T) {
		x := attention.Shape("k")
		x[0], x[1] = 1, x[1]-1
		short := changed(cut(t, attention, 0, 1, "q", "k", "v", "out.o", "out.lse"), func(r *recording.Recording) {
			r.Set("k", r.Type("k"), tensor.New(x...))
			x[len(x)-1] = r.Shape("v")[3]
			r.Set("v", r.Type("v"), tensor.New(x...))
		})
		if c := compare.Within(short, attention, op.MaxWork); !strings.Contains(c.Reason, `tensor "k": shapes [1 `) {
			t.Errorf("%+v", c)
		}
	})
}

// TestPartsThatHangOnTheRest: an advantage is one of its group, which a part of the batch has not.
func TestPartsThatHangOnTheRest(t *testing.T) {
	all := open(t, "grpo-advantage-sample-std")
	part := cut(t, all, 0, 3, "rewards", "group", "out.advantage")
	c := compare.Within(part, all, op.MaxWork)
	if c.Status != verdict.Unusable || !strings.Contains(c.Reason, "hangs on the others beside it") {
		t.Errorf("%+v", c)
	}
	loss := open(t, "grpo-loss-k3-f32")
	names := append(loss.Inputs(), "out.dlogprob", "out.token_loss", "out.sequence_loss")
	c = compare.Within(cut(t, loss, 0, 1, names...), loss, op.MaxWork)
	if c.Status != verdict.Unusable || !strings.Contains(c.Reason, "shapes") {
		t.Errorf("%+v", c)
	}
}

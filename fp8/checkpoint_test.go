package fp8_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"plumbline/fp8"
	"plumbline/internal/check"
	"plumbline/numbers/dtype"
	"plumbline/verify/recording"
)

// weight is the name of the first projection of a layer of DeepSeek-V3, whose 576 rows end in half
// a block.
const weight = "model.layers.0.self_attn.kv_a_proj_with_mqa.weight"

func TestCheckpointScales(t *testing.T) {
	for _, c := range []struct {
		name               string
		out, in, rows, col int
	}{
		{"kv_a_proj_with_mqa", 576, 7168, 5, 56}, {"q_a_proj", 1536, 7168, 12, 56}, {
			"down_proj of an expert", 7168, 2048, 56, 16,
		},
	} {
		if rows, cols := fp8.CheckpointScales(c.out, c.in); rows != c.rows || cols != c.col {
			t.Errorf("%s: [%d × %d], want [%d × %d]", c.name, rows, cols, c.rows, c.col)
		}
	}
}

func TestDequantiseCheckpoint(t *testing.T) {
	w := mat.NewDense(576, 300, check.Random(1, 576*300, 0.05))
	q := fp8.Quantise(w, fp8.Config{Block: fp8.BlockSize{Rows: 128, Cols: 128}, Format: dtype.F8E4M3, Floor: 1e-4})
	codes, scales := stored(t, q)
	t.Run("a file has the weight, and scales of the shape that is told", func(t *testing.T) {
		rows, cols := fp8.CheckpointScales(576, 300)
		if r, c := scales.Dims(); r != rows || c != cols {
			t.Errorf("[%d × %d] scales, want [%d × %d]", r, c, rows, cols)
		}
		check.NearMatrix(t, "W", fp8.DequantiseCheckpoint(codes, scales), q.Dequantise(), 0)
	})
	t.Run("it is within 1/17 of the weight, or half a step where that is small", func(t *testing.T) {
		got := fp8.DequantiseCheckpoint(codes, scales)
		for i := range 576 {
			for j := range 300 {
				bound := max(math.Abs(w.At(i, j))/17, 0x1p-10*scales.At(i/128, j/128))
				check.Near(t, "W", got.At(i, j), w.At(i, j), bound*(1+0x1p-20))
			}
		}
	})
	// x/s in the place of x·s is off by s², here by 10⁻⁴ squared.
	t.Run("weight_scale_inv multiplies: who divides by it is off by its square", func(t *testing.T) {
		var inverse mat.Dense
		inverse.Apply(func(_, _ int, s float64) float64 { return 1 / s }, scales)
		wrong, right := fp8.DequantiseCheckpoint(codes, &inverse), fp8.DequantiseCheckpoint(codes, scales)
		s := scales.At(0, 0)
		check.Near(t, "right over wrong", right.At(0, 0)/wrong.At(0, 0), s*s, 4*check.U*s*s)
		check.Apart(t, "wrong over right", wrong.At(0, 0)/right.At(0, 0), 1, 1e6)
	})
}

// stored writes a weight to a file as a checkpoint has it, which is no recording, and returns what
// is read from it.
func stored(t *testing.T, q fp8.Blocked) (codes, scales *mat.Dense) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model-00001-of-000163.safetensors")
	codeBytes, scaleBytes := encoded(dtype.F8E4M3, q.Codes), encoded(dtype.F32, q.Scales)
	rows, cols := q.Codes.Dims()
	scaleRows, scaleCols := q.Scales.Dims()
	header := fmt.Sprintf(`{"__metadata__":{"format":"pt"},`+
		`%q:{"dtype":"F8_E4M3","shape":[%d,%d],"data_offsets":[0,%d]},`+
		`%q:{"dtype":"F32","shape":[%d,%d],"data_offsets":[%[4]d,%[8]d]}}`,
		weight, rows, cols, len(codeBytes), weight+"_scale_inv", scaleRows, scaleCols, len(codeBytes)+len(scaleBytes))
	file := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	if err := os.WriteFile(path, slices.Concat(file, []byte(header), codeBytes, scaleBytes), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := recording.OpenTensors(path)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := fmt.Sprint(again.Type(weight), again.Type(weight+"_scale_inv")); got != "F8_E4M3 F32" {
		t.Errorf("types %s", got)
	}
	return loaded(t, again, weight), loaded(t, again, weight+"_scale_inv")
}

// encoded returns the bytes of a matrix in a type.
func encoded(typ dtype.Type, m *mat.Dense) []byte {
	data := m.RawMatrix().Data
	bytes := make([]byte, len(data)*typ.Size())
	typ.Encode(bytes, data)
	return bytes
}

// loaded returns a tensor of a file as a matrix.
func loaded(t *testing.T, file *recording.Recording, name string) *mat.Dense {
	t.Helper()
	x, err := file.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return mat.NewDense(x.Shape[0], x.Shape[1], x.Data)
}

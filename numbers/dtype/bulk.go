package dtype

import (
	"encoding/binary"
	"math"

	"plumbline/internal/loops"
)

// Encode writes the codes of src to dst in little-endian order, as Bits gives them.
// It panics if len(dst) is not len(src)·t.Size().
func (t Type) Encode(dst []byte, src []float64) {
	t.checkLengths(len(src), len(dst))
	switch t.Size() {
	case 1:
		for i, x := range src {
			dst[i] = byte(t.Bits(x))
		}
	case 2:
		t.encodePairs(dst, src)
	case 4:
		t.encodeFours(dst, src)
	case 8:
		for i, x := range src {
			binary.LittleEndian.PutUint64(dst[8*i:], t.Bits(x))
		}
	}
}

// encodePairs and encodeFours, decodePairs and decodeFours have loops of their own for BF16 and
// F32, of which recordings are full.
func (t Type) encodePairs(dst []byte, src []float64) {
	for i, x := range src {
		code := uint16(formats[t].nan)
		if r := t.Round(x); t != BF16 {
			code = uint16(formats[t].floatBits(r))
		} else if r == r {
			code = uint16(math.Float32bits(float32(r)) >> 16)
		}
		binary.LittleEndian.PutUint16(dst[2*i:], code)
	}
}

func (t Type) encodeFours(dst []byte, src []float64) {
	if t == F32 {
		for i, x := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(float32(x)))
		}
		return
	}
	for i, x := range src {
		binary.LittleEndian.PutUint32(dst[4*i:], uint32(t.Bits(x)))
	}
}

// Decode reads little-endian codes from src into dst, as FromBits takes them.
// It panics if len(src) is not len(dst)·t.Size().
func (t Type) Decode(dst []float64, src []byte) {
	t.checkLengths(len(dst), len(src))
	switch t.Size() {
	case 1:
		t.decodeBytes(dst, src)
	case 2:
		t.decodePairs(dst, src)
	case 4:
		t.decodeFours(dst, src)
	case 8:
		for i := range dst {
			dst[i] = t.FromBits(binary.LittleEndian.Uint64(src[8*i:]))
		}
	}
}

func (t Type) decodePairs(dst []float64, src []byte) {
	if t == BF16 {
		for i := loops.WidenBF16(dst, src); i < len(dst); i++ {
			dst[i] = float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(src[2*i:])) << 16))
		}
		return
	}
	for i := range dst {
		dst[i] = t.FromBits(uint64(binary.LittleEndian.Uint16(src[2*i:])))
	}
}

func (t Type) decodeFours(dst []float64, src []byte) {
	if t == F32 {
		for i := loops.WidenF32(dst, src); i < len(dst); i++ {
			dst[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:])))
		}
		return
	}
	for i := range dst {
		dst[i] = t.FromBits(uint64(binary.LittleEndian.Uint32(src[4*i:])))
	}
}

func (t Type) decodeBytes(dst []float64, src []byte) {
	if t.Float() {
		table := &decoded[t-F8E4M3]
		for i, code := range src {
			dst[i] = table[code]
		}
		return
	}
	for i, code := range src {
		dst[i] = t.FromBits(uint64(code))
	}
}

func (t Type) checkLengths(elements, bytes int) {
	if t == Invalid {
		panic("dtype: invalid type")
	}
	if bytes != elements*t.Size() {
		panic("dtype: length mismatch")
	}
}

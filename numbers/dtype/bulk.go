package dtype

import "encoding/binary"

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
		for i, x := range src {
			binary.LittleEndian.PutUint16(dst[2*i:], uint16(t.Bits(x)))
		}
	case 4:
		for i, x := range src {
			binary.LittleEndian.PutUint32(dst[4*i:], uint32(t.Bits(x)))
		}
	case 8:
		for i, x := range src {
			binary.LittleEndian.PutUint64(dst[8*i:], t.Bits(x))
		}
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
		for i := range dst {
			dst[i] = t.FromBits(uint64(binary.LittleEndian.Uint16(src[2*i:])))
		}
	case 4:
		for i := range dst {
			dst[i] = t.FromBits(uint64(binary.LittleEndian.Uint32(src[4*i:])))
		}
	case 8:
		for i := range dst {
			dst[i] = t.FromBits(binary.LittleEndian.Uint64(src[8*i:]))
		}
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

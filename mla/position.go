package mla

import (
	"gonum.org/v1/gonum/mat"

	"plumbline/rope"
)

// Rotation is how every row of a sequence is turned: one row of cosines and sines per token.
type Rotation struct {
	Cos, Sin *mat.Dense // [T × d_h^R/2], with YaRN's amplitude where there is one
	Layout   rope.Layout
}

// rows returns x [T × n·d_h^R] with each of its n rotary parts per row turned.
func (r Rotation) rows(x mat.Matrix) *mat.Dense {
	tokens, width := x.Dims()
	n, pairs := r.Cos.Dims()
	if n != tokens || width%(2*pairs) != 0 {
		panic("mla: rotation does not fit the rows")
	}
	y := mat.DenseCopyOf(x)
	for t := range tokens {
		row := y.RawRowView(t)
		for at := 0; at < width; at += 2 * pairs {
			part := row[at : at+2*pairs]
			copy(part, rope.Rotate(part, r.Cos.RawRowView(t), r.Sin.RawRowView(t), r.Layout))
		}
	}
	return y
}

// RopeQuery returns the part of the queries that carries position.
//
//	qR_t = RoPE(W^QR cQ_t)
//
// cQ is [T × d_c'], wQR is [d_h^R × d_c'] of one head, or [n_h·d_h^R × d_c'] of all, which are
// turned one by one; the result is [T × d_h^R] or [T × n_h·d_h^R]. Differs in code: Hugging Face
// turns it with rope.InterleavedToHalf, which permutes its elements; scores stay the same, as kR is
// permuted alike. It implements DeepSeek-V2 (14) and (39), and DeepSeek-V3 (8).
func RopeQuery(cQ, wQR mat.Matrix, r Rotation) *mat.Dense {
	return r.rows(project(cQ, wQR))
}

// RopeKey returns the part of the keys that carries position, one per token and shared by all
// heads.
//
//	kR_t = RoPE(W^KR h_t)
//
// h is [T × d], wKR is [d_h^R × d]; the result is [T × d_h^R]. It is made from h, not from cKV:
// with a position inside, W^UK could not be absorbed any more. It is cached turned, and never
// turned again. Differs in code: wKR is the last rows of the matrix that begins with wDKV; kR is
// not normalised. It implements DeepSeek-V2 (15) and (43), and DeepSeek-V3 (3).
func RopeKey(h, wKR mat.Matrix, r Rotation) *mat.Dense {
	return r.rows(project(h, wKR))
}

// ConcatQuery returns the queries of one head.
//
//	q_{t,i} = [qC_{t,i}; qR_{t,i}]
//
// qC is [T × d_h], qR is [T × d_h^R]; the result is [T × (d_h+d_h^R)]. Absorbed queries [T × d_c]
// take the place of qC alike. It implements DeepSeek-V2 (16) and (40), and DeepSeek-V3 (9).
func ConcatQuery(qC, qR mat.Matrix) *mat.Dense {
	return concat(qC, qR)
}

// ConcatKey returns the keys of one head; kR is the same for all.
//
//	k_{t,i} = [kC_{t,i}; kR_t]
//
// kC is [T × d_h], kR is [T × d_h^R]; the result is [T × (d_h+d_h^R)]. With the latent [T × d_c] in
// the place of kC it is the row that is cached. It implements DeepSeek-V2 (17) and (44), and
// DeepSeek-V3 (4).
func ConcatKey(kC, kR mat.Matrix) *mat.Dense {
	return concat(kC, kR)
}

// concat returns [a; b] for each row.
func concat(a, b mat.Matrix) *mat.Dense {
	rows, _ := a.Dims()
	if r, _ := b.Dims(); r != rows {
		panic("mla: numbers of rows differ")
	}
	var ab mat.Dense
	ab.Augment(a, b)
	return &ab
}

#include "textflag.h"

// One number of A times six of B is added to three registers of sums.
#define TERM(x, s0, s1, s2) \
	VLD1R.P 8(R1), [x.D2] \
	VFMLA x.D2, V24.D2, s0.D2 \
	VFMLA x.D2, V25.D2, s1.D2 \
	VFMLA x.D2, V26.D2, s2.D2

// What C has is added to a row of sums: its product with 1 is exact, and Go's assembler has no other sum.
#define GATHER(s0, s1, s2) \
	VLD1 (R6), [V24.D2, V25.D2, V26.D2] \
	VFMLA V31.D2, V24.D2, s0.D2 \
	VFMLA V31.D2, V25.D2, s1.D2 \
	VFMLA V31.D2, V26.D2, s2.D2 \
	ADD R4, R6

#define STORE(s0, s1, s2) \
	VST1 [s0.D2, s1.D2, s2.D2], (R3) \
	ADD R4, R3

#define CLEAR(s0, s1, s2) \
	VEOR s0.B16, s0.B16, s0.B16 \
	VEOR s1.B16, s1.B16, s1.B16 \
	VEOR s2.B16, s2.B16, s2.B16

// func kernelNEON(k int, a, b, c *float64, ldc int, add bool)
TEXT ·kernelNEON(SB), NOSPLIT, $0-41
	MOVD  k+0(FP), R0
	MOVD  a+8(FP), R1
	MOVD  b+16(FP), R2
	MOVD  c+24(FP), R3
	MOVD  ldc+32(FP), R4
	MOVBU add+40(FP), R5
	LSL   $3, R4
	CLEAR(V0, V1, V2)
	CLEAR(V3, V4, V5)
	CLEAR(V6, V7, V8)
	CLEAR(V9, V10, V11)
	CLEAR(V12, V13, V14)
	CLEAR(V15, V16, V17)
	CLEAR(V18, V19, V20)
	CLEAR(V21, V22, V23)

term:
	VLD1.P 48(R2), [V24.D2, V25.D2, V26.D2]
	TERM(V27, V0, V1, V2)
	TERM(V28, V3, V4, V5)
	TERM(V29, V6, V7, V8)
	TERM(V30, V9, V10, V11)
	TERM(V27, V12, V13, V14)
	TERM(V28, V15, V16, V17)
	TERM(V29, V18, V19, V20)
	TERM(V30, V21, V22, V23)
	SUBS   $1, R0
	BNE    term
	CBZ    R5, store

	FMOVD $1.0, F31
	VDUP  V31.D[0], V31.D2
	MOVD  R3, R6
	GATHER(V0, V1, V2)
	GATHER(V3, V4, V5)
	GATHER(V6, V7, V8)
	GATHER(V9, V10, V11)
	GATHER(V12, V13, V14)
	GATHER(V15, V16, V17)
	GATHER(V18, V19, V20)
	GATHER(V21, V22, V23)

store:
	STORE(V0, V1, V2)
	STORE(V3, V4, V5)
	STORE(V6, V7, V8)
	STORE(V9, V10, V11)
	STORE(V12, V13, V14)
	STORE(V15, V16, V17)
	STORE(V18, V19, V20)
	STORE(V21, V22, V23)
	RET

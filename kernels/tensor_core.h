// Tensor-core products of bfloat16 with float32 accumulators, by mma.sync m16n8k16, and the copies that feed them.
//
// One mma of a warp is acc[16×8] += a[16×16] · b[16×8]. With group = lane/4 and pair = 2·(lane%4), a lane holds (PTX ISA, "Matrix Fragments for
// mma.m16n8k16 with floating point type"):
//
//	a   register 0  row group,    columns pair, pair+1          acc  0, 1  row group,    columns pair, pair+1
//	    register 1  row group+8,  columns pair, pair+1               2, 3  row group+8,  columns pair, pair+1
//	    register 2  row group,    columns pair+8, pair+9        b    register 0  rows pair, pair+1,     column group
//	    register 3  row group+8,  columns pair+8, pair+9             register 1  rows pair+8, pair+9,   column group
//
// So two neighbouring accumulators, rounded and packed, are one a fragment: attention weights go from product to product in registers.
// ldmatrix.x4 loads four 8×8 matrices, matrix i from the row addresses of lanes 8i … 8i+7; a lane gets row group, columns pair and pair+1 of each,
// or of its transpose with .trans.
//
// What is rounded: products are exact; each mma adds sixteen of them and the accumulator in one fused sum that is cut off toward zero (on Hopper at
// 25 fraction bits of the largest term, the result at float32). That is the declared accumulator F32_HOPPER.
//
// FP8 goes through wgmma m64n64k32, which compute capability 9 alone has: 128 threads, a warpgroup, compute acc[64×64] += a[64×32] · b[64×32]ᵀ from shared memory. Warp w
// has rows 16w …, in fragments like the above, eight columns after the other.
#pragma once
#include "bf16.h"

namespace plumbline {

#ifdef PLUMBLINE_ON_CPU

inline void loadMatrices(uint32_t (&r)[4], const bf16 *row) { oncpu::loadMatrices(r, row, false); }
inline void loadTransposed(uint32_t (&r)[4], const bf16 *row) { oncpu::loadMatrices(r, row, true); }
inline void mma(float (&acc)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) { oncpu::mma(acc, a, b0, b1); }
inline void copyAsync(bf16 *to, const bf16 *from, bool there) { oncpu::copyAsync(to, from, there); }
inline void commitCopies() { oncpu::commitCopies(); }
template <int pending> inline void waitCopies() { oncpu::waitCopies(pending); }
inline void publishShared() {}
template <int HALVES, int TILES> inline void beginProducts(float (&)[HALVES][TILES][4]) {}
inline void multiplyCodes(float (&acc)[8][4], uint64_t a, uint64_t b, bool keep) { oncpu::wgmma(acc, a, b, keep); }
template <int HALVES, int TILES> inline void endProducts(float (&)[HALVES][TILES][4]) {}
inline uint32_t sharedAddress(const void *p) { return uint32_t(static_cast<const unsigned char *>(p) - oncpu::sharedMemory()); }

#else

DEVICE void loadMatrices(uint32_t (&r)[4], const bf16 *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(uint32_t(__cvta_generic_to_shared(row)))
               : "memory");
}
DEVICE void loadTransposed(uint32_t (&r)[4], const bf16 *row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(uint32_t(__cvta_generic_to_shared(row)))
               : "memory");
}
DEVICE void mma(float (&acc)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(acc[0]), "+f"(acc[1]), "+f"(acc[2]), "+f"(acc[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
// copyAsync copies eight elements to shared memory, or writes zeros without reading anything.
DEVICE void copyAsync(bf16 *to, const bf16 *from, bool there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(uint32_t(__cvta_generic_to_shared(to))), "l"(from), "r"(there ? 16 : 0)
               : "memory");
}
DEVICE void commitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// waitCopies waits until at most that many of this thread's groups of copies are under way.
template <int pending> DEVICE void waitCopies() { asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory"); }
DEVICE uint32_t sharedAddress(const void *p) { return uint32_t(__cvta_generic_to_shared(p)); }

// wgmma is there where the code is compiled for sm_90a; elsewhere its kernels end at once, and the recorder does not launch them.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define WGMMA(text) asm volatile(text ::: "memory")
#else
#define WGMMA(text)
#endif

// publishShared lets the tensor core see what this thread wrote to shared memory, once all threads have met behind it.
DEVICE void publishShared() { WGMMA("fence.proxy.async.shared::cta;"); }
// beginProducts stands before the first of several products, endProducts behind the last: only then the accumulators may be read.
template <int HALVES, int TILES> DEVICE void holdInRegisters(float (&acc)[HALVES][TILES][4]) {
#pragma unroll
  for (int i = 0; i < HALVES * TILES * 4; i++) asm volatile("" : "+f"(acc[i / (TILES * 4)][i / 4 % TILES][i % 4])::"memory");
}
template <int HALVES, int TILES> DEVICE void beginProducts(float (&acc)[HALVES][TILES][4]) {
  holdInRegisters(acc);
  WGMMA("wgmma.fence.sync.aligned;");
}
template <int HALVES, int TILES> DEVICE void endProducts(float (&acc)[HALVES][TILES][4]) {
  WGMMA("wgmma.commit_group.sync.aligned;");
  WGMMA("wgmma.wait_group.sync.aligned 0;");
  holdInRegisters(acc);
}
// multiplyCodes adds a product of F8_E4M3 codes to the accumulators, or puts it in their place.
DEVICE void multiplyCodes(float (&acc)[8][4], uint64_t a, uint64_t b, bool keep) {
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define FOUR(n) "+f"(acc[n][0]), "+f"(acc[n][1]), "+f"(acc[n][2]), "+f"(acc[n][3])
  asm volatile(
      "{.reg .pred p; setp.ne.b32 p, %34, 0; wgmma.mma_async.sync.aligned.m64n64k32.f32.e4m3.e4m3 "
      "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31}, %32, %33, p, 1, 1;}"
      : FOUR(0), FOUR(1), FOUR(2), FOUR(3), FOUR(4), FOUR(5), FOUR(6), FOUR(7)
      : "l"(a), "l"(b), "r"(int(keep)));
#undef FOUR
#else
  asm volatile("trap;");
#endif
}

#endif

// Tiles of codes for wgmma have rows of 128 bytes, each of whose eight chunks of 16 bytes stands in the place that the row's number mod 8 exchanges it for, so that
// eight neighbouring rows lie in different banks (PTX ISA, "128-byte swizzling modes"). The exchange is one of address bits: tiles begin at multiples of 1024.
constexpr int swizzleBytes = 1024;
BOTH int swizzled(int row, int chunk) { return row * 128 + (chunk ^ row % 8) * 16; }
DEVICE unsigned char *alignedForSwizzle(unsigned char *p) { return p + (swizzleBytes - sharedAddress(p) % swizzleBytes) % swizzleBytes; }

// codeRows describes such rows to wgmma, from a column on: where they begin, 1024 bytes from eight rows to the next eight, and the way of the exchange.
DEVICE uint64_t codeRows(const uint8_t *at) {
  return uint64_t(sharedAddress(at) >> 4 & 0x3FFF) | uint64_t(1) << 16 | uint64_t(swizzleBytes >> 4) << 32 | uint64_t(1) << 62;
}
DEVICE void copyAsync(uint8_t *to, const uint8_t *from, bool there) { copyAsync(reinterpret_cast<bf16 *>(to), reinterpret_cast<const bf16 *>(from), there); }

// Rows of a tile in shared memory are 16 bytes longer than their columns, so that eight neighbouring rows lie in different banks.
BOTH constexpr int padded(int columns) { return columns + 8; }

// loadTile copies rows × columns of a matrix into a tile of ROWS × COLUMNS, with zeros around. Rows behind the last are not read.
template <int ROWS, int COLUMNS, int THREADS>
DEVICE void loadTile(bf16 *tile, const bf16 *matrix, int64_t stride, int rows, int columns) {
  constexpr int chunks = COLUMNS / 8;
  for (int i = threadIdx.x; i < ROWS * chunks; i += THREADS) {
    const int r = i / chunks, c = i % chunks * 8;
    const bool there = r < rows && c < columns;
    copyAsync(tile + r * padded(COLUMNS) + c, there ? matrix + r * stride + c : matrix, there);
  }
}

// multiplyTransposed adds a·bᵀ to acc: a is the 16 × K strip at a, b the N × K tile at b, both with rows of their stride.
template <int K, int N>
DEVICE void multiplyTransposed(float (&acc)[N / 8][4], const bf16 *a, int strideA, const bf16 *b, int strideB) {
  const int lane = threadIdx.x % 32;
  const bf16 *rowA = a + lane % 16 * strideA + lane / 16 * 8;                        // matrices: rows 0–7, rows 8–15, then the next 8 columns
  const bf16 *rowB = b + (lane % 8 + lane / 16 * 8) * strideB + lane / 8 % 2 * 8;  // matrices: columns 0–7, columns 8–15, then the next 8 rows
#pragma unroll 2
  for (int k = 0; k < K; k += 16) {
    uint32_t fa[4], fb[4];
    loadMatrices(fa, rowA + k);
#pragma unroll
    for (int n = 0; n < N; n += 16) {
      loadMatrices(fb, rowB + n * strideB + k);
      mma(acc[n / 8], fa, fb[0], fb[1]);
      mma(acc[n / 8 + 1], fa, fb[2], fb[3]);
    }
  }
}

// multiplyWeights adds w·b to acc: w is a 16 × K strip in fragments, b the K × N tile at b.
template <int K, int N>
DEVICE void multiplyWeights(float (&acc)[N / 8][4], const uint32_t (&w)[K / 16][4], const bf16 *b, int strideB) {
  const int lane = threadIdx.x % 32;
  const bf16 *rowB = b + lane % 16 * strideB + lane / 16 * 8;
#pragma unroll
  for (int n = 0; n < N; n += 16) {
#pragma unroll
    for (int k = 0; k < K; k += 16) {
      uint32_t fb[4];
      loadTransposed(fb, rowB + k * strideB + n);
      mma(acc[n / 8], w[k / 16], fb[0], fb[1]);
      mma(acc[n / 8 + 1], w[k / 16], fb[2], fb[3]);
    }
  }
}

// packWeights rounds a strip of accumulators [16 × K] to bfloat16 and packs it into fragments.
template <int K>
DEVICE void packWeights(uint32_t (&w)[K / 16][4], const float (&x)[K / 8][4]) {
#pragma unroll
  for (int k = 0; k < K / 16; k++) {
    w[k][0] = packBF16(x[2 * k][0], x[2 * k][1]);
    w[k][1] = packBF16(x[2 * k][2], x[2 * k][3]);
    w[k][2] = packBF16(x[2 * k + 1][0], x[2 * k + 1][1]);
    w[k][3] = packBF16(x[2 * k + 1][2], x[2 * k + 1][3]);
  }
}

// scaleRows multiplies the accumulators of the lane's two rows.
template <int TILES>
DEVICE void scaleRows(float (&acc)[TILES][4], float first, float second) {
#pragma unroll
  for (int n = 0; n < TILES; n++) {
    acc[n][0] *= first;
    acc[n][1] *= first;
    acc[n][2] *= second;
    acc[n][3] *= second;
  }
}

// storeRow rounds one of the lane's two rows (0 or 1) and stores its columns below width.
template <int TILES>
DEVICE void storeRow(bf16 *row, const float (&acc)[TILES][4], int which, int width) {
  const int pair = threadIdx.x % 4 * 2;
#pragma unroll
  for (int n = 0; n < TILES; n++) {
    const int column = n * 8 + pair;
    if (column < width) *reinterpret_cast<uint32_t *>(row + column) = packBF16(acc[n][2 * which], acc[n][2 * which + 1]);
  }
}

}  // namespace plumbline

// fp8.gemm and fp8.grouped_gemm: products of block-scaled F8_E4M3 matrices by wgmma on compute capability 9, promoted to float32 every 128 elements of K.
//
// A block of 128 threads, one warpgroup, computes 64 rows by 128 columns: the columns that share one scale of b. Both operands are read from shared memory, where the
// next 128 elements of K arrive by asynchronous copies meanwhile; rows whose length 16 does not divide are copied byte by byte. In a grouped product
// the rows of each expert have tiles of their own (experts.h). What lies behind the last row, column or element of K is zeros.
//
// Roundings. Products of codes are exact. One wgmma adds 32 of them and its accumulator in a fused sum that is cut off at 13 fraction bits, the result too
// (accumulate F32_HOPPER); four of them make a block of 128. The block's sum leaves the tensor core's accumulator: it is multiplied by the product of its two
// scales, which is rounded once, and added to a float32 sum by a fused product (promote_every 128). The output is rounded once, or is that sum.
//
// mma.sync has no FP8 of its own on compute capability 9: its operands become F16, and its sums are longer. So this kernel has none, and needs a 90a device.
#include "experts.h"
#include "fp8.h"
#include "tensor_core.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int productThreads = 128, productRows = 64, productColumns = 128, productDepth = 128, halfTile = 64, blockOfScale = 128;
constexpr int tilesOfHalf = halfTile / 8;

// ProductStage holds 128 elements of K of either operand, in rows of 128 bytes (tensor_core.h).
struct ProductStage {
  uint8_t a[productRows * productDepth], b[productColumns * productDepth];
};
constexpr size_t productShared = 2 * sizeof(ProductStage) + swizzleBytes;

// loadCodes copies elements k … k+127 of so many rows of a matrix of that width, zeros behind the last.
template <int ROWS> DEVICE void loadCodes(uint8_t *tile, const uint8_t *matrix, int64_t width, int rows, int64_t k) {
  for (int i = threadIdx.x; i < ROWS * productDepth / 16; i += productThreads) {
    const int r = i / 8, chunk = i % 8;
    const int64_t column = k + chunk * 16;
    uint8_t *to = tile + swizzled(r, chunk);
    if (width % 16 == 0) {
      const bool there = r < rows && column < width;
      copyAsync(to, there ? matrix + r * width + column : matrix, there);
    } else {
      for (int j = 0; j < 16; j++) to[j] = r < rows && column + j < width ? matrix[r * width + column + j] : 0;
    }
  }
}

// Blocks counts the blocks of K, and says where scales stand.
struct Blocks {
  int count, now;
};

DEVICE float scaleOfA(const ProductCall &c, int64_t row, Blocks k) {
#ifdef MISTAKE_SCALE_OF_FIRST_BLOCK
  k.now = 0;
#endif
#ifdef MISTAKE_SCALES_TRANSPOSED
  return scaleAt(c.aScale, c.aCodes, k.now * int64_t(c.M) + row);
#endif
  return scaleAt(c.aScale, c.aCodes, row * k.count + k.now);
}
DEVICE float scaleOfB(const ProductCall &c, int expert, int column, Blocks k) {
  return scaleAt(c.bScale, c.bCodes, (int64_t(expert) * ceilDivide(c.N, blockOfScale) + column / blockOfScale) * k.count + k.now);
}

// promotes says whether the sum of a block leaves the tensor core's accumulator. Where it does not, the accumulator goes on in units of the next block's scales.
DEVICE bool promotes(Blocks k) {
#ifdef MISTAKE_PROMOTION_MISSING
  return k.now + 1 == k.count;
#endif
  return true;
}

// multiplyStage adds the products of a stage to the accumulators, or to nothing.
DEVICE void multiplyStage(float (&acc)[2][tilesOfHalf][4], const ProductStage &s, bool keep) {
  beginProducts(acc);
#pragma unroll
  for (int k = 0; k < productDepth; k += 32) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
      multiplyCodes(acc[half], codeRows(s.a + k), codeRows(s.b + half * halfTile * productDepth + k), keep || k > 0);
    }
  }
  endProducts(acc);
}

// storeSums rounds the lane's row i of a tile, of which so many columns are there.
template <class T> DEVICE void storeSums(T *to, const float (&sums)[2][tilesOfHalf][4], int i, int columns) {
#pragma unroll
  for (int n = 0; n < 2 * tilesOfHalf; n++) {
    for (int e = 0; e < 2; e++) {
      const int column = n * 8 + int(threadIdx.x) % 4 * 2 + e;
      if (column < columns) store(to + column, sums[n / tilesOfHalf][n % tilesOfHalf][2 * i + e]);
    }
  }
}

DEVICE bool leavesOut(int columnTile) {
#ifdef MISTAKE_TILE_UNWRITTEN
  return columnTile + 1 == int(gridDim.x);
#endif
  return false;
}

template <class T> __global__ void __launch_bounds__(productThreads) productKernel(ProductCall c) {
  SHARED_MEMORY(memory);
  ProductStage *stages = reinterpret_cast<ProductStage *>(alignedForSwizzle(memory));
  const RowTile tile = rowTile<productRows>(c.counts, c.E, c.M, blockIdx.y);
  const int column0 = blockIdx.x * productColumns, columns = least(c.N - column0, productColumns);
  if (tile.rows <= 0 || leavesOut(blockIdx.x)) return;
  const uint8_t *a = c.a + int64_t(tile.first) * c.K, *b = c.b + (int64_t(tile.expert) * c.N + column0) * c.K;
  const int local = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;  // this lane holds rows local and local + 8 of the tile
  const auto load = [&](ProductStage &s, int64_t k) {
    loadCodes<productRows>(s.a, a, c.K, tile.rows, k);
    loadCodes<productColumns>(s.b, b, c.K, columns, k);
    commitCopies();
  };
  float sums[2][tilesOfHalf][4] = {}, acc[2][tilesOfHalf][4] = {}, scales[2], before[2] = {1, 1};
  bool fresh = true;
  load(stages[0], 0);
  for (Blocks k{ceilDivide(c.K, blockOfScale), 0}; k.now < k.count; k.now++) {
    if (k.now + 1 < k.count) {
      load(stages[(k.now + 1) % 2], int64_t(k.now + 1) * productDepth);
    } else {
      commitCopies();
    }
    waitCopies<1>();  // this stage is here, the next may be under way
    publishShared();
    barrier();
    for (int i = 0; i < 2; i++) {
      const bool there = local + 8 * i < tile.rows;
      scales[i] = there ? scaleOfA(c, tile.first + local + 8 * i, k) * scaleOfB(c, tile.expert, column0, k) : 1;
    }
    for (int half = 0; half < 2 && !fresh; half++) scaleRows(acc[half], before[0] / scales[0], before[1] / scales[1]);
    multiplyStage(acc, stages[k.now % 2], !fresh);
    fresh = promotes(k);
#pragma unroll
    for (int n = 0; n < 2 * tilesOfHalf; n++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        float &sum = sums[n / tilesOfHalf][n % tilesOfHalf][e];
        if (fresh) sum = fmaf(acc[n / tilesOfHalf][n % tilesOfHalf][e], scales[e / 2], sum);
      }
    }
    for (int i = 0; i < 2; i++) before[i] = scales[i];
    barrier();  // all warps are done with the stage
  }
  waitCopies<0>();
  for (int i = 0; i < 2; i++) {
    const int64_t row = tile.first + local + 8 * i;
    if (local + 8 * i < tile.rows) storeSums(static_cast<T *>(c.c) + row * c.N + column0, sums, i, columns);
  }
}

}  // namespace

void fp8Product(const ProductCall &c) {
  const dim3 grid(ceilDivide(c.N, productColumns), unsigned(tilesAtMost<productRows>(c.counts, c.E, c.M)));
  launch(c.type == BF16 ? productKernel<bf16> : productKernel<float>, grid, productThreads, productShared, c);
}

}  // namespace VARIANT
}  // namespace plumbline

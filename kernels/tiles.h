// Products of bfloat16 on tensor cores in tiles of 64 rows by 64 columns, one for a block.
//
// Eight warps share a tile: warp w has rows 16·(w mod 4) … and half w/4 of the columns. The next 64 elements of the common axis arrive by asynchronous copies
// meanwhile.
#pragma once
#include "tensor_core.h"

namespace plumbline {

constexpr int tileThreads = 256, tileRows = 64, tileColumns = 64, tileDepth = 64, halfColumns = tileColumns / 2;
constexpr int tileStride = padded(tileDepth), tileElements = tileRows * tileStride;

// Stage holds what one step along the common axis takes: rows, and one or two tiles of weights.
template <int MATRICES> struct Stage {
  bf16 rows[tileElements];
  bf16 weights[MATRICES][tileElements];
};

// Place says where a thread's part of a tile is.
struct Place {
  int strip, half, group;
  DEVICE Place() : strip(threadIdx.x / 32 % 4), half(threadIdx.x / 32 / 4), group(threadIdx.x % 32 / 4) {}
  DEVICE int row(int i) const { return strip * 16 + group + 8 * i; }
};

// loadRows copies 64 columns of the tile's rows, of which so many are there; at returns where eight of them stand, or null for zeros. any is some memory.
template <class At> DEVICE void loadRows(bf16 *tile, const bf16 *any, int rows, int columns, At at) {
  for (int i = threadIdx.x; i < tileRows * tileDepth / 8; i += tileThreads) {
    const int r = i / (tileDepth / 8), column = i % (tileDepth / 8) * 8;
    const bf16 *from = r < rows && column < columns ? at(r, column) : nullptr;
    copyAsync(tile + r * tileStride + column, from != nullptr ? from : any, from != nullptr);
  }
}

// multiplyTiles goes along the common axis: load fills a stage from column k on, multiply adds its products.
template <int MATRICES, class Load, class Multiply> DEVICE void multiplyTiles(Stage<MATRICES> *stages, int width, Load load, Multiply multiply) {
  load(stages[0], 0);
  commitCopies();
  for (int k = 0; k < width; k += tileDepth) {
    const int now = k / tileDepth % 2;
    if (k + tileDepth < width) load(stages[1 - now], k + tileDepth);
    commitCopies();
    waitCopies<1>();  // this stage is here, the next may be under way
    barrier();
    multiply(stages[now]);
    barrier();  // all warps are done with it
  }
  waitCopies<0>();
}

// Adds the products of a warp's strip of rows with its half of a tile of weights, whose rows are columns of the result.
DEVICE void multiplyStrip(float (&acc)[halfColumns / 8][4], const Place &at, const bf16 *rows, const bf16 *weights) {
  multiplyTransposed<tileDepth, halfColumns>(acc, rows + at.strip * 16 * tileStride, tileStride, weights + at.half * halfColumns * tileStride, tileStride);
}

// multiplyStraight does so with weights whose columns are columns of the result.
DEVICE void multiplyStraight(float (&acc)[halfColumns / 8][4], const Place &at, const bf16 *rows, const bf16 *weights) {
  const int lane = threadIdx.x % 32;
  const bf16 *row = rows + (at.strip * 16 + lane % 16) * tileStride + lane / 16 * 8;
  const bf16 *weight = weights + lane % 16 * tileStride + at.half * halfColumns + lane / 16 * 8;
#pragma unroll 2
  for (int k = 0; k < tileDepth; k += 16) {
    uint32_t fa[4], fb[4];
    loadMatrices(fa, row + k);
#pragma unroll
    for (int n = 0; n < halfColumns; n += 16) {
      loadTransposed(fb, weight + k * tileStride + n);
      mma(acc[n / 8], fa, fb[0], fb[1]);
      mma(acc[n / 8 + 1], fa, fb[2], fb[3]);
    }
  }
}

}  // namespace plumbline

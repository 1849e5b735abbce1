// Attention in plain float32, without tensor cores: one warp computes one query, a lane one key of a tile of 32.
//
// Scores are sums of D fused products in order; a lane sums its columns of the value product in the order of the keys. Keys that a query does not see are
// neither scored nor multiplied.
#pragma once
#include "attend.h"

namespace plumbline {
namespace VARIANT {

constexpr int plainThreads = 256, plainWarps = plainThreads / 32, plainKeys = 32;

// The rows of keys and values of one head, in a dense tensor or in a paged cache.
struct DenseRows {
  const float *k, *v;
  int64_t strideK, strideV;
  DEVICE const float *key(int j) const { return k + j * strideK; }
  DEVICE const float *value(int j) const { return v + j * strideV; }
};
struct PagedRows {
  const float *cache;
  const int *table;
  int page, width;
  DEVICE const float *key(int j) const { return cache + pageRow(table, page, j) * width; }
  DEVICE const float *value(int j) const { return key(j); }
};

// tileStride is odd for even widths, so that the lanes of a warp read different banks.
BOTH int tileStride(int width) { return width + 1; }
inline size_t plainShared(int D) { return (size_t(plainWarps) * D + size_t(plainKeys) * tileStride(D)) * sizeof(float); }

// loadRow copies a warp's row to shared memory. A warp without a row passes null.
DEVICE void loadRow(float *to, const float *from, int width) {
  for (int i = threadIdx.x % 32; i < width; i += 32) to[i] = from == nullptr ? 0.0f : from[i];
}

// dot returns Σ a_i b_i in order.
DEVICE float dot(const float *a, const float *b, int width) {
  float sum = 0;
  for (int i = 0; i < width; i++) sum = fmaf(a[i], b[i], sum);
  return sum;
}

// plainAttention runs the online softmax of a warp's query over the tiles of the range any, which is the block's; seen is the query's own.
// acc[i] is column lane + 32·i of Σ weight·v, not divided yet.
template <int COLUMNS, class Rows>
DEVICE void plainAttention(const Rows &rows, const float *q, Range seen, Range any, int D, int V, const Logits &l, float *memory, float (&acc)[COLUMNS],
                           Row &row) {
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  float *query = memory + warp * D, *tile = memory + plainWarps * D;
  loadRow(query, q, D);
  for (int j = any.lo / plainKeys * plainKeys; j < any.hi; j += plainKeys) {
    barrier();  // all warps are done with the tile before
    for (int i = threadIdx.x; i < plainKeys * D; i += plainThreads) {
      const int r = i / D, column = i % D;
      tile[r * tileStride(D) + column] = j + r < any.hi ? rows.key(j + r)[column] : 0.0f;
    }
    barrier();
    const bool sees = holds(seen, j + lane);
    const float y = sees ? logit(l, dot(query, tile + lane * tileStride(D), D)) : minusInfinity;
    const float factor = advance(row, warpMax(y)), p = weight(row, y);
    row.sum += warpSum(p);
#pragma unroll
    for (int i = 0; i < COLUMNS; i++) acc[i] *= factor;
    for (unsigned left = whichLanes(sees); left != 0; left &= left - 1) {
      const int key = lowestBit(left);
      const float w = shuffle(p, key);
      const float *v = rows.value(j + key);
#pragma unroll
      for (int i = 0; i < COLUMNS; i++) {
        if (lane + 32 * i < V) acc[i] = fmaf(w, v[lane + 32 * i], acc[i]);
      }
    }
  }
}

// storePlain divides and stores a warp's output row.
template <int COLUMNS> DEVICE void storePlain(float *o, const float (&acc)[COLUMNS], int V, float factor) {
#pragma unroll
  for (int i = 0; i < COLUMNS; i++) {
    const int column = int(threadIdx.x % 32) + 32 * i;
    if (column < V) o[column] = acc[i] * factor;
  }
}

}  // namespace VARIANT
}  // namespace plumbline

// moe.experts in bfloat16 on tensor cores: SwiGLU experts as products of the rows of each with its matrices, rows sorted by expert (moe_dispatch.cu).
//
// A block computes 64 rows by 64 columns (tiles.h). The first kernel gathers tokens through the order of the dispatch and forms gate and up together, so that their
// activation stays in registers; the second multiplies by W2; the third sums a token's experts. Shared experts go through the same kernels, as one
// expert of all tokens.
//
// Roundings. Products are sums of the tensor core (accumulate F32_HOPPER, see tensor_core.h). Gate and up stay in float32 through the activation, expf (2 ulp), a
// sum, a quotient, a product; what W2 multiplies is rounded to bfloat16 once, and so is the output of W2 (intermediate BF16, which allows more). Experts are
// summed in float32 by fused products with their weights in the order of the slots, the shared output is added last (combine F32), and the sum is rounded
// once. No atomics: two runs give the same bits.
#include "experts.h"
#include "tiles.h"

namespace plumbline {
namespace VARIANT {
namespace {

__global__ void __launch_bounds__(tileThreads) upKernel(ExpertsCall c, Network w) {
  SHARED_MEMORY(memory);
  auto *stages = reinterpret_cast<Stage<2> *>(memory);
  const RowTile tile = rowTile<tileRows>(w.counts, w.E, w.rows, blockIdx.y);
  const int column0 = blockIdx.x * tileColumns;
  if (tile.rows <= 0) return;
  const int64_t matrix = (int64_t(tile.expert) * w.F + column0) * c.d;
  const bf16 *x = static_cast<const bf16 *>(c.x), *weights[2] = {static_cast<const bf16 *>(w.gate) + matrix, static_cast<const bf16 *>(w.up) + matrix};
  const Place at;
  float gate[halfColumns / 8][4] = {}, up[halfColumns / 8][4] = {};
  const auto load = [&](Stage<2> &s, int k) {
    loadRows(s.rows, x, tile.rows, c.d - k, [&](int r, int column) {
      return x + int64_t(w.order == nullptr ? tile.first + r : w.order[tile.first + r] / c.K) * c.d + k + column;
    });
    for (int i = 0; i < 2; i++) loadTile<tileColumns, tileDepth, tileThreads>(s.weights[i], weights[i] + k, c.d, w.F - column0, c.d - k);
  };
  multiplyTiles(stages, c.d, load, [&](const Stage<2> &s) {
    multiplyStrip(gate, at, s.rows, s.weights[0]);
    multiplyStrip(up, at, s.rows, s.weights[1]);
  });
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int row = tile.first + at.row(i);
    if (at.row(i) >= tile.rows) continue;
    const float weight = w.weighted ? weightOf(c, w.order[row]) : 1;
#pragma unroll
    for (int n = 0; n < halfColumns / 8; n++) {
      for (int e = 2 * i; e < 2 * i + 2; e++) gate[n][e] = activated(gate[n][e], up[n][e], c.limit) * weight;
    }
    const int column = column0 + at.half * halfColumns;
    storeRow(static_cast<bf16 *>(w.hidden) + int64_t(row) * w.F + column, gate, i, w.F - column);
  }
}

__global__ void __launch_bounds__(tileThreads) downKernel(ExpertsCall c, Network w) {
  SHARED_MEMORY(memory);
  auto *stages = reinterpret_cast<Stage<1> *>(memory);
  const RowTile tile = rowTile<tileRows>(w.counts, w.E, w.rows, blockIdx.y);
  const int column0 = blockIdx.x * tileColumns;
  if (tile.rows <= 0) return;
  const bf16 *hidden = static_cast<const bf16 *>(w.hidden), *down = static_cast<const bf16 *>(w.down) + (int64_t(tile.expert) * c.d + column0) * w.F;
  const Place at;
  float acc[halfColumns / 8][4] = {};
  const auto load = [&](Stage<1> &s, int k) {
    loadRows(s.rows, hidden, tile.rows, w.F - k, [&](int r, int column) { return hidden + int64_t(tile.first + r) * w.F + k + column; });
    loadTile<tileColumns, tileDepth, tileThreads>(s.weights[0], down + k, w.F, c.d - column0, w.F - k);
  };
  multiplyTiles(stages, w.F, load, [&](const Stage<1> &s) { multiplyStrip(acc, at, s.rows, s.weights[0]); });
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int column = column0 + at.half * halfColumns;
    if (at.row(i) < tile.rows) storeRow(static_cast<bf16 *>(w.out) + int64_t(tile.first + at.row(i)) * c.d + column, acc, i, c.d - column);
  }
}

void run(const ExpertsCall &c, const Network &w) {
  const unsigned tiles = unsigned(tilesAtMost<tileRows>(w.counts, w.E, w.rows));
  launch(upKernel, dim3(ceilDivide(w.F, tileColumns), tiles), tileThreads, 2 * sizeof(Stage<2>), c, w);
  launch(downKernel, dim3(ceilDivide(c.d, tileColumns), tiles), tileThreads, 2 * sizeof(Stage<1>), c, w);
}

}  // namespace

// Widths d, F and Fs are multiples of 8.
void moeExperts(const ExpertsCall &c) {
  run(c, routedOf(c));
  if (hasShared(c)) run(c, sharedOf(c));
  combine<bf16>(c);
}

}  // namespace VARIANT
}  // namespace plumbline

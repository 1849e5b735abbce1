// mtp.combine in bfloat16 on tensor cores: hidden states and the embeddings of the next tokens, each normalised, side by side, times the projection.
//
//	y_i = M [norm(h_i); norm(e_i)],  or with the embedding first
//
// The norms are those of norm_rms.cu. The concatenation is nowhere stored: the product goes along its columns and loads each from the half that it belongs to. A block
// computes 64 rows by 64 columns (tiles.h).
//
// Roundings. Those of norm_rms.cu, whose rows are rounded to bfloat16 once (intermediate BF16). The product is a sum of the tensor core over both halves
// (accumulate F32_HOPPER, see tensor_core.h), rounded once.
#include "combine.h"
#include "tiles.h"

namespace plumbline {
namespace VARIANT {
namespace {

__global__ void __launch_bounds__(tileThreads) combineKernel(CombineCall c) {
  SHARED_MEMORY(memory);
  auto *stages = reinterpret_cast<Stage<1> *>(memory);
  const int64_t row0 = int64_t(blockIdx.y) * tileRows;
  const int column0 = blockIdx.x * tileColumns, width = 2 * c.d, rows = int(least(int64_t(tileRows), c.N - row0));
  const bf16 *projection = static_cast<const bf16 *>(c.projection) + int64_t(column0) * width;
  const Place at;
  float acc[halfColumns / 8][4] = {};
  const auto load = [&](Stage<1> &s, int k) {
    loadRows(s.rows, projection, rows, width - k, [&](int r, int column) { return joinedAt<bf16>(c, row0 + r, k + column); });
    loadTile<tileColumns, tileDepth, tileThreads>(s.weights[0], projection + k, width, c.d - column0, width - k);
  };
  multiplyTiles(stages, width, load, [&](const Stage<1> &s) { multiplyStrip(acc, at, s.rows, s.weights[0]); });
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int column = column0 + at.half * halfColumns;
    if (at.row(i) < rows) storeRow(static_cast<bf16 *>(c.y) + (row0 + at.row(i)) * c.d + column, acc, i, c.d - column);
  }
}

}  // namespace

// The width d is a multiple of 8.
void mtpCombine(const CombineCall &c) {
  normalise(c);
  launch(combineKernel, dim3(ceilDivide(c.d, tileColumns), ceilDivide(c.N, tileRows)), tileThreads, 2 * sizeof(Stage<1>), c);
}

}  // namespace VARIANT
}  // namespace plumbline

// moe.experts in float32 without tensor cores, for any widths: a warp computes one element of a sorted row.
//
// Roundings. Everything is float32 (accumulate, intermediate and combine F32): an element of a product is a sum of fused products, each lane over every 32nd,
// joined by a tree; activation and combination are those of experts.h.
#include "dot.h"
#include "experts.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int plainThreads = 256, plainWarps = plainThreads / 32;

// A block has one row and a column for each warp.
DEVICE int columnOfWarp() { return blockIdx.x * plainWarps + threadIdx.x / 32; }

__global__ void plainUpKernel(ExpertsCall c, Network w) {
  const RowTile row = rowTile<1>(w.counts, w.E, w.rows, blockIdx.y);
  const int column = columnOfWarp();
  if (row.rows <= 0 || column >= w.F) return;
  const int64_t token = w.order == nullptr ? row.first : w.order[row.first] / c.K, matrix = (int64_t(row.expert) * w.F + column) * c.d;
  const float *x = static_cast<const float *>(c.x) + token * c.d;
  const float gate = dotOfWarp(x, static_cast<const float *>(w.gate) + matrix, c.d), up = dotOfWarp(x, static_cast<const float *>(w.up) + matrix, c.d);
  const float weight = w.weighted ? weightOf(c, w.order[row.first]) : 1;
  if (threadIdx.x % 32 == 0) static_cast<float *>(w.hidden)[int64_t(row.first) * w.F + column] = activated(gate, up, c.limit) * weight;
}

__global__ void plainDownKernel(ExpertsCall c, Network w) {
  const RowTile row = rowTile<1>(w.counts, w.E, w.rows, blockIdx.y);
  const int column = columnOfWarp();
  if (row.rows <= 0 || column >= c.d) return;
  const float *hidden = static_cast<const float *>(w.hidden) + int64_t(row.first) * w.F;
  const float y = dotOfWarp(hidden, static_cast<const float *>(w.down) + (int64_t(row.expert) * c.d + column) * w.F, w.F);
  if (threadIdx.x % 32 == 0) static_cast<float *>(w.out)[int64_t(row.first) * c.d + column] = y;
}

void runPlain(const ExpertsCall &c, const Network &w) {
  launch(plainUpKernel, dim3(ceilDivide(w.F, plainWarps), w.rows), plainThreads, 0, c, w);
  launch(plainDownKernel, dim3(ceilDivide(c.d, plainWarps), w.rows), plainThreads, 0, c, w);
}

}  // namespace

void moeExpertsF32(const ExpertsCall &c) {
  runPlain(c, routedOf(c));
  if (hasShared(c)) runPlain(c, sharedOf(c));
  combine<float>(c);
}

}  // namespace VARIANT
}  // namespace plumbline

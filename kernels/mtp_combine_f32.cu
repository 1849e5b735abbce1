// mtp.combine in float32 without tensor cores, for any width: a warp computes one element.
//
// Roundings. Everything is float32 (accumulate and intermediate F32): the norms are those of norm_rms.cu, an element is a sum of fused products, each lane over every
// 32nd column of the concatenation, joined by a tree.
#include "combine.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int plainThreads = 256, plainWarps = plainThreads / 32;

__global__ void plainCombineKernel(CombineCall c) {
  const int64_t row = blockIdx.y;
  const int column = blockIdx.x * plainWarps + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (column >= c.d) return;
  const float *projection = static_cast<const float *>(c.projection) + int64_t(column) * 2 * c.d;
  float sum = 0;
  for (int k = lane; k < 2 * c.d; k += 32) {
    const float *x = joinedAt<float>(c, row, k);
    if (x != nullptr) sum = fmaf(*x, projection[k], sum);
  }
  sum = warpSum(sum);
  if (lane == 0) static_cast<float *>(c.y)[row * c.d + column] = sum;
}

}  // namespace

void mtpCombineF32(const CombineCall &c) {
  normalise(c);
  launch(plainCombineKernel, dim3(ceilDivide(c.d, plainWarps), c.N), plainThreads, 0, c);
}

}  // namespace VARIANT
}  // namespace plumbline

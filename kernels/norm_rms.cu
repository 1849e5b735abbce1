// norm.rms: each row divided by its root mean square, times the weight.
//
// Roundings. Squares are summed in float32 with fused products: 256 strided partial sums, joined by a tree in each warp and then warp by warp
// (accumulate F32); mean, eps, root and reciprocal are a float32 operation each. The row stays in float32 between the division and the weight
// (intermediate F32); the result is rounded to the output type once.
#include "bf16.h"
#include "launch.h"
#include "reduce.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int normThreads = 256;

template <class T, class W> __global__ void normKernel(NormCall c) {
  SHARED_MEMORY(memory);
  const T *x = static_cast<const T *>(c.x) + int64_t(blockIdx.x) * c.d;
  const W *weight = static_cast<const W *>(c.weight);
  T *y = static_cast<T *>(c.y) + int64_t(blockIdx.x) * c.d;
  float squares = 0;
  for (int i = threadIdx.x; i < c.d; i += normThreads) squares = fmaf(toFloat(x[i]), toFloat(x[i]), squares);
  const float mean = blockSum<normThreads>(squares, reinterpret_cast<float *>(memory)) / float(c.d);
  const float inverse = 1 / sqrtf(mean + c.eps);
  for (int i = threadIdx.x; i < c.d; i += normThreads) store(&y[i], toFloat(x[i]) * inverse * toFloat(weight[i]));
}

}  // namespace

void normRMS(const NormCall &c) {
  const auto kernel = c.type == BF16 ? (c.weightType == BF16 ? normKernel<bf16, bf16> : normKernel<bf16, float>)
                                     : (c.weightType == BF16 ? normKernel<float, bf16> : normKernel<float, float>);
  launch(kernel, dim3(c.N), normThreads, normThreads / 32 * sizeof(float), c);
}

}  // namespace VARIANT
}  // namespace plumbline

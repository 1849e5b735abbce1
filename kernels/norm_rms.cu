// norm.rms: each row divided by its root mean square, times the weight.
//
// Rows are loaded and stored sixteen bytes at a time, but for their ends where they are not aligned.
//
// Roundings. Squares are summed in float32 with fused products: 256 partial sums, each over every 256th pack of sixteen bytes from left to right (and over what
// lies before and behind the packs), joined by a tree in each warp and then warp by warp (accumulate F32); mean, eps, root and reciprocal are a float32 operation each. The row stays in float32 between the division and the weight
// (intermediate F32); the result is rounded to the output type once.
#include "launch.h"
#include "packs.h"
#include "reduce.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int normThreads = 256;

// scaleRow stores x · inverse · weight.
template <class T, class W> DEVICE void scaleRow(const T *x, const W *weight, T *y, int d, float inverse) {
  const Packs<T> packs(x, y, d);
  const bool aligned = packs.head == 0 && packed(weight);
  const auto one = [&](int i) { store(&y[i], toFloat(x[i]) * inverse * toFloat(weight[i])); };
  for (int i = threadIdx.x; i < packs.head; i += normThreads) one(i);
  for (int p = threadIdx.x; p < packs.count; p += normThreads) {
    const int at = packs.head + p * packs.width;
    auto pack = loadPack(x + at);
    float w[packs.width];
    loadFloats(w, weight + at, aligned);
    for (int k = 0; k < packs.width; k++) store(&pack.x[k], toFloat(pack.x[k]) * inverse * w[k]);
    storePack(y + at, pack);
  }
  for (int i = packs.tail + int(threadIdx.x); i < d; i += normThreads) one(i);
}

template <class T, class W> __global__ void normKernel(NormCall c) {
  SHARED_MEMORY(memory);
  const T *x = static_cast<const T *>(c.x) + int64_t(blockIdx.x) * c.d;
  const W *weight = static_cast<const W *>(c.weight);
  T *y = static_cast<T *>(c.y) + int64_t(blockIdx.x) * c.d;
  float squares = 0;
  eachElement<normThreads>(x, c.d, [&](int, float v) { squares = fmaf(v, v, squares); });
  const float mean = blockSum<normThreads>(squares, reinterpret_cast<float *>(memory)) / float(c.d);
  const float inverse = 1 / sqrtf(mean + c.eps);
  scaleRow(x, weight, y, c.d, inverse);
}

}  // namespace

void normRMS(const NormCall &c) {
  const auto kernel = c.type == BF16 ? (c.weightType == BF16 ? normKernel<bf16, bf16> : normKernel<bf16, float>)
                                     : (c.weightType == BF16 ? normKernel<float, bf16> : normKernel<float, float>);
  launch(kernel, dim3(c.N), normThreads, normThreads / 32 * sizeof(float), c);
}

}  // namespace VARIANT
}  // namespace plumbline

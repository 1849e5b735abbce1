// rope.apply and rope.table: rotary position embedding.
//
// Roundings. The frequency of a pair, with YaRN's stretching, is formed in float64 on the host and rounded to float32 once. The angle, position ×
// frequency, is one float32 product (angle F32); a position above 2²⁴ is rounded before it. cosf and sinf are good to 2 ulp and are multiplied by YaRN's
// amplitude in float32. An output is x_a cos − x_b sin with one product rounded and the other fused with the sum (accumulate F32, intermediate F32),
// then rounded to the output type once.
#include "bf16.h"
#include "launch.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int ropeThreads = 128;

DEVICE void cosSin(float *cosine, float *sine, int64_t position, float theta, float amplitude) {
  const float angle = float(rotaryPosition(position)) * theta;
  *cosine = cosf(angle) * amplitude;
  *sine = sinf(angle) * amplitude;
}

// One block rotates all heads of one token: cosines and sines are made once.
template <class T> __global__ void ropeKernel(RopeCall c) {
  SHARED_MEMORY(memory);
  const int pairs = c.D / 2;
  float *cosines = reinterpret_cast<float *>(memory), *sines = cosines + pairs;
  const int64_t n = blockIdx.x;
  for (int i = threadIdx.x; i < pairs; i += ropeThreads) {
    cosSin(&cosines[i], &sines[i], c.positions[n], c.theta[i], c.amplitude);
    if (c.inverse) sines[i] = -sines[i];
  }
  barrier();
  const Layout layout = Layout(c.layout);
  for (int work = threadIdx.x; work < c.H * pairs; work += ropeThreads) {
    const int h = work / pairs, i = work % pairs;
    const T *x = static_cast<const T *>(c.x) + (n * c.H + h) * c.D;
    T *y = static_cast<T *>(c.y) + (n * c.H + h) * c.D;
    const Pair from = readPair(layout, i, pairs), to = writePair(layout, i, pairs);
    const float a = toFloat(x[from.first]), b = toFloat(x[from.second]);
    store(&y[to.first], fmaf(a, cosines[i], -(b * sines[i])));
    store(&y[to.second], fmaf(a, sines[i], b * cosines[i]));
  }
}

__global__ void ropeTableKernel(RopeTableCall c) {
  const int64_t n = blockIdx.x;
  for (int i = threadIdx.x; i < c.pairs; i += ropeThreads) {
    cosSin(&c.cos[n * c.pairs + i], &c.sin[n * c.pairs + i], c.positions[n], c.theta[i], c.amplitude);
  }
}

}  // namespace

void ropeApply(const RopeCall &c) {
  const size_t shared = size_t(c.D) * sizeof(float);
  if (c.type == BF16) {
    launch(ropeKernel<bf16>, dim3(c.N), ropeThreads, shared, c);
  } else {
    launch(ropeKernel<float>, dim3(c.N), ropeThreads, shared, c);
  }
}

void ropeTable(const RopeTableCall &c) { launch(ropeTableKernel, dim3(c.N), ropeThreads, 0, c); }

}  // namespace VARIANT
}  // namespace plumbline

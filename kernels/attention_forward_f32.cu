// attention.forward in float32 without tensor cores, for widths up to 256.
//
// Roundings. Everything is float32 (accumulate, scores and probabilities F32): products are fused with their sums, in order; the scale is one constant,
// scale · log₂e; weights are exp2f (2 ulp) of the distance to the running maximum; with a soft cap scores go through tanhf.
// See plain_attention.h.
#include "launch.h"
#include "plain_attention.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int plainColumns = maxAttentionWidth / 32;

__global__ void plainForwardKernel(ForwardCall c, Logits l) {
  SHARED_MEMORY(memory);
  const int s0 = blockIdx.x * plainWarps, h = blockIdx.y, b = blockIdx.z, g = groupOf(h, c.H, c.G);
  const int s = s0 + threadIdx.x / 32, keys = c.kvLens == nullptr ? c.T : c.kvLens[b];
  const Mask mask{c.causal, c.window, c.S, keys};
  const int64_t at = (int64_t(b) * c.S + s) * c.H + h, firstKey = int64_t(b) * c.T * c.G + g;
  const DenseRows rows{static_cast<const float *>(c.k) + firstKey * c.D, static_cast<const float *>(c.v) + firstKey * c.V, int64_t(c.G) * c.D,
                       int64_t(c.G) * c.V};
  float acc[plainColumns] = {};
  Row row;
  plainAttention(rows, s < c.S ? static_cast<const float *>(c.q) + at * c.D : nullptr, seenBy(mask, s),
                 seenByAny(mask, s0, least(s0 + plainWarps, c.S) - 1), c.D, c.V, l, reinterpret_cast<float *>(memory), acc, row);
  if (s >= c.S) return;
  storePlain(static_cast<float *>(c.o) + at * c.V, acc, c.V, normaliser(row, c.sink == nullptr ? nullptr : c.sink + h));
  if (threadIdx.x % 32 == 0) c.lse[(int64_t(b) * c.H + h) * c.S + s] = logSum(row) * (c.base2 ? 1.0f : float(ln2));
}

}  // namespace

void attentionForwardF32(const ForwardCall &c) {
  launch(plainForwardKernel, dim3(ceilDivide(c.S, plainWarps), c.H, c.B), plainThreads, plainShared(c.D), c, makeLogits(c.scale, c.softcap));
}

}  // namespace VARIANT
}  // namespace plumbline

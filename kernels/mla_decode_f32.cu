// mla.decode in float32 without tensor cores and without splits, for widths up to 576 and values up to 512.
//
// Roundings. Everything is float32 (accumulate, scores and probabilities F32), as in attention_forward_f32.cu; see plain_attention.h.
#include "launch.h"
#include "plain_attention.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int plainColumns = maxDecodeValues / 32;

__global__ void plainDecodeKernel(DecodeCall c, Logits l) {
  SHARED_MEMORY(memory);
  const int r0 = blockIdx.x * plainWarps, b = blockIdx.y, rowsOfSequence = c.S * c.H;
  const int r = r0 + threadIdx.x / 32, s = r / c.H, h = r % c.H;
  const Mask mask{c.causal, 0, c.S, c.kvLens[b]};
  Range seen = r < rowsOfSequence ? seenBy(mask, s) : Range{0, 0};
  Range any = seenByAny(mask, r0 / c.H, (least(r0 + plainWarps, rowsOfSequence) - 1) / c.H);
  seen.hi = throughPage(seen.hi, c.page);
  any.hi = throughPage(any.hi, c.page);
  const int64_t at = int64_t(b) * rowsOfSequence + r;
  const PagedRows rows{static_cast<const float *>(c.cache), c.table + int64_t(b) * c.cols, c.page, c.D};
  float acc[plainColumns] = {};
  Row row;
  plainAttention(rows, r < rowsOfSequence ? static_cast<const float *>(c.q) + at * c.D : nullptr, seen, any, c.D, c.V, l,
                 reinterpret_cast<float *>(memory), acc, row);
  if (r >= rowsOfSequence) return;
  storePlain(c.o + at * c.V, acc, c.V, normaliser(row, nullptr));
  if (threadIdx.x % 32 == 0) c.lse[(int64_t(b) * c.H + h) * c.S + s] = logSum(row) * (c.base2 ? 1.0f : float(ln2));
}

}  // namespace

void mlaDecodeF32(const DecodeCall &c) {
  launch(plainDecodeKernel, dim3(ceilDivide(c.S * c.H, plainWarps), c.B), plainThreads, plainShared(c.D), c,
         makeLogits(decodeScale(c.scale, c.D), 0));
}

}  // namespace VARIANT
}  // namespace plumbline

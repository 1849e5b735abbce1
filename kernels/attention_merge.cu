// attention.merge: joins the attention of the same queries to disjoint parts of the keys. mla_decode.cu ends with it.
//
// Roundings. All in float32 (accumulate F32): weights w_p = b^(lse_p − max) with expf or exp2f (2 ulp), their sum in the order of the parts, each
// weight divided by it, the weighted values summed by fused products in the order of the parts; the output is rounded once. The log-sum-exp is max +
// log_b of the sum (logf or log2f, 1 ulp), times a constant if it leaves in the other base. A part with lse −∞ is not read.
#include "bf16.h"
#include "launch.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int mergeThreads = 128;

DEVICE bool readsBase2(bool base2) {
#ifdef MISTAKE_MERGE_BASE
  return !base2;
#endif
  return base2;
}
DEVICE float power(bool base2, float x) { return base2 ? exp2f(x) : expf(x); }
DEVICE float logarithm(bool base2, float x) { return base2 ? log2f(x) : logf(x); }

// One block merges one row. The weights of its parts lie in shared memory.
template <class In, class Out> __global__ void mergeKernel(MergeCall c) {
  SHARED_MEMORY(memory);
  float *weights = reinterpret_cast<float *>(memory);
  const int64_t n = blockIdx.x;
  const bool base2 = readsBase2(c.base2In);
  float top = minusInfinity;
  for (int p = 0; p < c.P; p++) top = fmaxf(top, c.lse[p * int64_t(c.N) + n]);
  for (int p = threadIdx.x; p < c.P; p += mergeThreads) {
    const float lse = c.lse[p * int64_t(c.N) + n];
    weights[p] = lse == minusInfinity ? 0.0f : power(base2, lse - top);
  }
  barrier();
  float total = 0;
  for (int p = 0; p < c.P; p++) total += weights[p];
  const In *o = static_cast<const In *>(c.o) + n * c.V;
  for (int column = threadIdx.x; column < c.V; column += mergeThreads) {
    float sum = 0;
    for (int p = 0; p < c.P; p++) {
      if (weights[p] != 0) sum = fmaf(weights[p] / total, toFloat(o[p * int64_t(c.N) * c.V + column]), sum);
    }
    store(static_cast<Out *>(c.outO) + n * c.V + column, sum);
  }
  if (threadIdx.x == 0) {
    const float unit = c.base2In == c.base2Out ? 1.0f : c.base2In ? float(ln2) : float(log2e);
    const int64_t perSequence = int64_t(c.S) * c.H;
    const int64_t at = (n / perSequence * c.H + n % c.H) * c.S + n / c.H % c.S;
    c.outLse[at] = total == 0 ? minusInfinity : (top + logarithm(base2, total)) * unit;
  }
}

}  // namespace

void attentionMerge(const MergeCall &c) {
  const auto kernel = c.type == BF16 ? (c.outType == BF16 ? mergeKernel<bf16, bf16> : mergeKernel<bf16, float>)
                                     : (c.outType == BF16 ? mergeKernel<float, bf16> : mergeKernel<float, float>);
  launch(kernel, dim3(c.N), mergeThreads, size_t(c.P) * sizeof(float), c);
}

}  // namespace VARIANT
}  // namespace plumbline

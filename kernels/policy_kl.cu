// policy.kl: estimates of the divergence from the reference, token by token.
//
// Roundings. All in float32 (accumulate F32). δ = log π_ref − log π is rounded once; k2 squares and halves it, k3 is e^δ − δ − 1 in that order (expf, 2 ulp),
// with the cancellation that this has. The output is float32, as trainers keep it, and 0 outside the mask.
#include "bf16.h"
#include "launch.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int klThreads = 256;

template <class T> __global__ void klKernel(DivergenceCall c) {
  const int t = int(blockIdx.x) * klThreads + int(threadIdx.x);
  if (t >= c.L) return;
  const int64_t row = int64_t(blockIdx.y) * c.L, at = row + t;
  const T *logprob = static_cast<const T *>(c.logprob), *ref = static_cast<const T *>(c.ref);
  c.kl[at] = counts(c.mask + row, t, c.L) ? divergence(c.estimator, toFloat(logprob[at]), toFloat(ref[at]), c.limit).loss : 0;
}

}  // namespace

void policyKL(const DivergenceCall &c) {
  launch(c.type == BF16 ? klKernel<bf16> : klKernel<float>, dim3(unsigned(ceilDivide(c.L, klThreads)), unsigned(c.N)), klThreads, 0, c);
}

}  // namespace VARIANT
}  // namespace plumbline

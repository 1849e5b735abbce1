// policy.logprob: the log-probability of each row's token, and the entropy of its distribution, one block a row. Logits are loaded sixteen bytes at a time.
//
// Roundings. All in float32 (accumulate F32). Logits are multiplied by the rounded 1/T, unless T is 1. In one pass, each of 512 threads keeps its maximum m, the
// sum s of e^{x−m} and t of e^{x−m}(x−m), and multiplies both by e^{m−m'} when a larger maximum comes (expf, 2 ulp); threads are joined in the same way, as a
// tree. Then log π = (x_k − m) − log s and the entropy is log s − t/s (logf, 1 ulp). Excluded tokens, −∞, are passed over. Both outputs are float32,
// as trainers keep them.
#include "launch.h"
#include "log_softmax.h"

namespace plumbline {
namespace VARIANT {
namespace {

template <class T> __global__ void logProbKernel(LogProbCall c) {
  SHARED_MEMORY(memory);
  const T *row = static_cast<const T *>(c.logits) + int64_t(blockIdx.x) * c.vocab;
  const float temperature = temperatureAsRead(c.temperature), factor = 1 / temperature;
  const Softmax all = softmaxOf(row, c.vocab, factor, reinterpret_cast<Softmax *>(memory));
  if (threadIdx.x != 0) return;
  const float x = toFloat(row[c.tokens[blockIdx.x]]) * factor, logSum = logf(all.s);
  c.logprob[blockIdx.x] = all.m == minusInfinity ? minusInfinity : x - all.m - logSum;
  c.entropy[blockIdx.x] = all.m == minusInfinity ? 0 : logSum - all.t / all.s;
}

}  // namespace

void policyLogProb(const LogProbCall &c) {
  launch(c.type == BF16 ? logProbKernel<bf16> : logProbKernel<float>, dim3(unsigned(c.N)), rowThreads, rowThreads / 32 * sizeof(Softmax), c);
}

}  // namespace VARIANT
}  // namespace plumbline

// mtp.loss: cross-entropies of the tokens that each depth predicts, over a whole vocabulary, one block a row of logits; their mean for each depth, and the
// weighted mean over the depths.
//
//	L_k = 1/n Σ_i −log π_k,i(t_{i+k+1}),  loss = λ/D Σ_k L_k;  n is T, or the number of positions whose token exists
//
// Roundings. All in float32 (accumulate and intermediate F32). A log-probability is that of policy_logprob.cu: one pass over the row, (x − m) − log s. A depth's losses are
// summed in 256 strided parts, joined as a tree, and divided; depths are added in order, the sum is multiplied by the rounded λ/D. Rows that predict nothing are
// not read.
#include "log_softmax.h"
#include "launch.h"
#include "prediction.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int lossThreads = 256;

template <class T> __global__ void rowKernel(PredictionLossCall c) {
  SHARED_MEMORY(memory);
  const int64_t row = blockIdx.x;
  const int target = targetOf(int(row % c.T), int(row / c.T) + 1, c.known);
  if (target < 0) return;
  const T *logits = static_cast<const T *>(c.logits) + row * c.vocab;
  const Softmax all = softmaxOf(logits, c.vocab, 1, reinterpret_cast<Softmax *>(memory));
  if (threadIdx.x != 0) return;
  c.losses[row] = -(all.m == minusInfinity ? minusInfinity : toFloat(logits[c.tokens[target]]) - all.m - logf(all.s));
}

__global__ void meanKernel(PredictionLossCall c) {
  SHARED_MEMORY(memory);
  float *parts = reinterpret_cast<float *>(memory), total = 0;
  for (int k = 1; k <= c.depth; k++) {
    float sum = 0, counted = 0;
    for (int i = threadIdx.x; i < c.T; i += lossThreads) {
      if (targetOf(i, k, c.known) < 0) continue;
      sum += c.losses[int64_t(k - 1) * c.T + i];
      counted++;
    }
    sum = blockSum<lossThreads>(sum, parts);
    counted = blockSum<lossThreads>(counted, parts);
    const float mean = sum / float(depthDivisor(c.valid, c.T, int(counted)));
    if (threadIdx.x == 0) c.perDepth[k - 1] = mean;
    total += mean;
  }
  if (threadIdx.x == 0) *c.loss = depthWeight(c.weight, c.depth) * total;
}

}  // namespace

void mtpLoss(const PredictionLossCall &c) {
  const dim3 rows(unsigned(c.depth) * unsigned(c.T));
  launch(c.type == BF16 ? rowKernel<bf16> : rowKernel<float>, rows, rowThreads, rowThreads / 32 * sizeof(Softmax), c);
  launch(meanKernel, 1, lossThreads, lossThreads / 32 * sizeof(float), c);
}

}  // namespace VARIANT
}  // namespace plumbline

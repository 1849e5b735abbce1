// How the tokens of a batch become one loss. A block takes a chunk of a sequence; sums go from threads to chunks to the batch, each in a fixed order, so that two
// runs give the same bits.
//
// Roundings. Losses are added up in float32: strided in each thread, as a tree over the 256 threads of a block, then, times the weight of their
// sequence, in the same way over all chunks. Weights are float32: one product and one quotient. Counts are exact.
#pragma once
#include "bf16.h"
#include "launch.h"
#include "reduce.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int tokenThreads = 256;
constexpr size_t sumBytes = tokenThreads / 32 * sizeof(float);

inline dim3 gridOf(const BatchCall &b) { return dim3(unsigned(b.chunks), unsigned(b.N)); }

// eachToken calls work(token, index) for every token of this block's chunk that falls to this thread.
template <class Work> DEVICE void eachToken(const BatchCall &b, Work work) {
  const int first = int(blockIdx.x) * chunkTokens, last = least(first + chunkTokens, b.L);
  for (int t = first + int(threadIdx.x); t < last; t += tokenThreads) work(t, int64_t(blockIdx.y) * b.L + t);
}

DEVICE bool countsHere(const BatchCall &b, int t) { return counts(b.mask + int64_t(blockIdx.y) * b.L, t, b.L); }

DEVICE int64_t chunkNow(const BatchCall &b) { return int64_t(blockIdx.y) * b.chunks + blockIdx.x; }

__global__ void countKernel(BatchCall b) {
  SHARED_MEMORY(memory);
  float mine = 0;
  eachToken(b, [&](int t, int64_t) { mine += countsHere(b, t); });
  const float sum = blockSum<tokenThreads>(mine, reinterpret_cast<float *>(memory));
  if (threadIdx.x == 0) b.counts[chunkNow(b)] = sum;
}

// totalsOf adds up the sequences first … last−1, the same to every thread.
DEVICE Totals totalsOf(const BatchCall &b, int first, int last, Totals *parts) {
  barrier();  // tokensOf is written, and parts is no longer read
  Totals mine{0, 0};
  for (int i = first + int(threadIdx.x); i < last; i += tokenThreads) {
    mine.tokens += int64_t(b.tokensOf[i]);
    mine.sequences += b.tokensOf[i] > 0;
  }
  parts[threadIdx.x] = mine;
  barrier();
  Totals all{0, 0};
  for (int k = 0; k < tokenThreads; k++) {
    all.tokens += parts[k].tokens;
    all.sequences += parts[k].sequences;
  }
  return all;
}

// One block finds what the tokens of each sequence weigh.
__global__ void weightKernel(BatchCall b) {
  SHARED_MEMORY(memory);
  for (int i = threadIdx.x; i < b.N; i += tokenThreads) {
    b.tokensOf[i] = 0;
    for (int k = 0; k < b.chunks; k++) b.tokensOf[i] += b.counts[int64_t(i) * b.chunks + k];
  }
  const int size = ceilDivide(b.N, microBatches());
  for (int first = 0; first < b.N; first += size) {
    const int last = least(first + size, b.N);
    const Totals whole = totalsOf(b, first, last, reinterpret_cast<Totals *>(memory));
    for (int i = first + int(threadIdx.x); i < last; i += tokenThreads) {
      b.weights[i] = tokenWeight(b.aggregation, int64_t(b.tokensOf[i]), whole, b.length) / float(microBatches());
    }
  }
}

// One block adds up the chunks.
__global__ void lossKernel(BatchCall b) {
  SHARED_MEMORY(memory);
  float mine = 0;
  for (int64_t k = threadIdx.x; k < int64_t(b.N) * b.chunks; k += tokenThreads) mine += b.losses[k] * b.weights[k / b.chunks];
  const float sum = blockSum<tokenThreads>(mine, reinterpret_cast<float *>(memory));
  if (threadIdx.x == 0) *b.loss = sum;
}

// findWeights and addUp stand before and behind the kernel that fills losses with a sum for each chunk.
inline void findWeights(const BatchCall &b) {
  launch(countKernel, gridOf(b), tokenThreads, sumBytes, b);
  launch(weightKernel, dim3(1), tokenThreads, tokenThreads * sizeof(Totals), b);
}
inline void addUp(const BatchCall &b) { launch(lossKernel, dim3(1), tokenThreads, sumBytes, b); }

}  // namespace
}  // namespace VARIANT
}  // namespace plumbline

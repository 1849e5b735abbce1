// policy.cross_entropy in float32 without tensor cores, for any width: a warp computes a logit, which is stored nowhere.
//
// Roundings. Everything is float32 (accumulate, intermediate and combine F32): a logit is a sum of fused products, each lane over every 32nd, joined by a tree, times the
// rounded 1/T; the softmax is that of log_softmax.h, each warp over every eighth token. Elements of the gradients are sums of fused products, over the vocabulary
// or over the rows in order.
#include "cross_entropy.h"
#include "dot.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int plainThreads = 256, plainWarps = plainThreads / 32;

// logitAt returns a logit divided by the temperature, to every lane.
DEVICE float logitAt(const CrossEntropyCall &c, int row, int column) {
  const float *hidden = static_cast<const float *>(c.hidden) + int64_t(row) * c.d, *weight = static_cast<const float *>(c.weight) + int64_t(column) * c.d;
  return dotOfWarp(hidden, weight, c.d) * (1 / temperatureAsRead(c.temperature));
}

__global__ void plainRowKernel(CrossEntropyCall c) {
  SHARED_MEMORY(memory);
  auto *parts = reinterpret_cast<Softmax *>(memory);
  const int row = blockIdx.x, warp = threadIdx.x / 32;
  Softmax mine;
  for (int column = warp; column < c.vocab; column += plainWarps) {
    const float x = logitAt(c, row, column);
    include(mine, x);
    if (c.targets[row] == column && threadIdx.x % 32 == 0) c.logits[row] = x;
  }
  if (threadIdx.x % 32 == 0) parts[warp] = mine;
  barrier();
  if (threadIdx.x != 0) return;
  for (int w = 1; w < plainWarps; w++) mine = joined(mine, parts[w]);
  finishRow(c, row, mine);
}

__global__ void plainSlopesKernel(CrossEntropyCall c, int chunk) {
  const int row = blockIdx.y, column = chunk + int(blockIdx.x) * plainWarps + int(threadIdx.x) / 32;
  if (column >= least(chunk + vocabularyChunk, c.vocab)) return;
  const float slope = slopeAt(c, row, column, logitAt(c, row, column));
  if (threadIdx.x % 32 == 0) static_cast<float *>(c.slopes)[int64_t(row) * vocabularyChunk + column - chunk] = slope;
}

__global__ void plainHiddenKernel(CrossEntropyCall c, int chunk, int columns) {
  const int row = blockIdx.y, i = blockIdx.x * plainThreads + threadIdx.x;
  if (i >= c.d) return;
  const float *slopes = static_cast<const float *>(c.slopes) + int64_t(row) * vocabularyChunk, *weight = static_cast<const float *>(c.weight) + int64_t(chunk) * c.d + i;
  float *out = static_cast<float *>(c.dhidden) + int64_t(row) * c.d + i, sum = chunk == 0 ? 0 : *out;
  for (int j = 0; j < columns; j++) sum = fmaf(slopes[j], weight[int64_t(j) * c.d], sum);
  *out = sum;
}

__global__ void plainWeightKernel(CrossEntropyCall c, int chunk) {
  const int j = blockIdx.y, i = blockIdx.x * plainThreads + threadIdx.x;
  if (i >= c.d) return;
  const float *slopes = static_cast<const float *>(c.slopes) + j, *hidden = static_cast<const float *>(c.hidden) + i;
  float sum = 0;
  for (int n = 0; n < c.N; n++) sum = fmaf(slopes[int64_t(n) * vocabularyChunk], hidden[int64_t(n) * c.d], sum);
  static_cast<float *>(c.dweight)[(int64_t(chunk) + j) * c.d + i] = sum;
}

}  // namespace

void policyCrossEntropyF32(const CrossEntropyCall &c) {
  launch(plainRowKernel, dim3(unsigned(c.N)), plainThreads, plainWarps * sizeof(Softmax), c);
  averageLosses(c);
  for (int chunk = 0; chunk < c.vocab; chunk += vocabularyChunk) {
    const int columns = least(vocabularyChunk, c.vocab - chunk);
    launch(plainSlopesKernel, dim3(ceilDivide(columns, plainWarps), c.N), plainThreads, 0, c, chunk);
    launch(plainHiddenKernel, dim3(ceilDivide(c.d, plainThreads), c.N), plainThreads, 0, c, chunk, columns);
    if (c.dweight != nullptr) launch(plainWeightKernel, dim3(ceilDivide(c.d, plainThreads), columns), plainThreads, 0, c, chunk);
  }
}

}  // namespace VARIANT
}  // namespace plumbline

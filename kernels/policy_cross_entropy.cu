// policy.cross_entropy in bfloat16 on tensor cores, fused with the product that makes the logits: they are stored nowhere.
//
//	z = H Wᵀ/T,  loss = Σ_n −log softmax(z_n)_{y_n} / n,  dz = (softmax(z) − onehot(y)) / (T n),  dH = dz W,  dW = dzᵀ H;  n rows count, or 1 for a sum
//
// The first kernel forms tiles of 64 rows by 64 columns of logits (tiles.h) and keeps of each row its maximum and the sum of exponentials below it; the second
// joins a row's tiles. The gradient takes the vocabulary 4096 columns at a time: logits are formed again, their gradients stored, by rows and turned, and multiplied by W
// and by H.
//
// Roundings. Logits are sums of the tensor core (accumulate F32_HOPPER) and stay in float32 through the multiplication by the rounded 1/T and the softmax, expf (2 ulp) and
// logf (1 ulp). Gradients of logits are rounded to bfloat16 once (intermediate BF16, which allows more), as both products of the tensor core take them. dH adds up its
// chunks in float32, dW is over all rows at once (combine F32); both are rounded once. No atomics: two runs give the same bits.
#include "cross_entropy.h"
#include "tiles.h"

namespace plumbline {
namespace VARIANT {
namespace {

// tileOfLogits calls work(row, column, x) for those of a tile of x = z/T that are this thread's, the columns of a row from left to right.
template <class Work> DEVICE void tileOfLogits(const CrossEntropyCall &c, unsigned char *memory, int row0, int column0, Work work) {
  auto *stages = reinterpret_cast<Stage<1> *>(memory);
  const bf16 *hidden = static_cast<const bf16 *>(c.hidden), *weight = static_cast<const bf16 *>(c.weight) + int64_t(column0) * c.d;
  const int rows = least(tileRows, c.N - row0);
  const Place at;
  float acc[halfColumns / 8][4] = {};
  const auto load = [&](Stage<1> &s, int k) {
    loadRows(s.rows, hidden, rows, c.d - k, [&](int r, int column) { return hidden + int64_t(row0 + r) * c.d + k + column; });
    loadTile<tileColumns, tileDepth, tileThreads>(s.weights[0], weight + k, c.d, c.vocab - column0, c.d - k);
  };
  multiplyTiles(stages, c.d, load, [&](const Stage<1> &s) { multiplyStrip(acc, at, s.rows, s.weights[0]); });
  const float factor = 1 / temperatureAsRead(c.temperature);
#pragma unroll
  for (int i = 0; i < 2; i++) {
#pragma unroll
    for (int n = 0; n < halfColumns / 8; n++) {
      for (int e = 0; e < 2; e++) work(i, at.row(i), at.half * halfColumns + n * 8 + int(threadIdx.x) % 4 * 2 + e, acc[n][2 * i + e] * factor);
    }
  }
}

DEVICE Softmax joinedOverQuad(Softmax a) {
  for (int mask = 1; mask <= 2; mask *= 2) a = joined(a, {shuffleXor(a.m, mask), shuffleXor(a.s, mask), 0});
  return a;
}

// A part of the vocabulary is a tile wide; a row's maximum and sum of each are neighbours.
DEVICE float *partOf(const CrossEntropyCall &c, int64_t row, int part) { return c.parts + (row * ceilDivide(c.vocab, tileColumns) + part) * 2; }

__global__ void __launch_bounds__(tileThreads) partsKernel(CrossEntropyCall c) {
  SHARED_MEMORY(memory);
  const int row0 = blockIdx.y * tileRows, column0 = blockIdx.x * tileColumns;
  Softmax mine[2];
  tileOfLogits(c, memory, row0, column0, [&](int i, int r, int column, float x) {
    if (row0 + r >= c.N || column0 + column >= c.vocab) return;
    include(mine[i], x);
    if (c.targets[row0 + r] == column0 + column) c.logits[row0 + r] = x;
  });
  auto *halves = reinterpret_cast<Softmax *>(memory);  // [2][tileRows]; the products are done with it
  const Place at;
  for (int i = 0; i < 2; i++) {
    mine[i] = joinedOverQuad(mine[i]);
    if (threadIdx.x % 4 == 0) halves[at.half * tileRows + at.row(i)] = mine[i];
  }
  barrier();
  const int r = threadIdx.x;
  if (r >= tileRows || row0 + r >= c.N) return;
  const Softmax all = joined(halves[r], halves[tileRows + r]);
  float *part = partOf(c, row0 + r, blockIdx.x);
  part[0] = all.m, part[1] = all.s;
}

// Joins the parts of a row.
__global__ void rowKernel(CrossEntropyCall c) {
  SHARED_MEMORY(memory);
  auto *parts = reinterpret_cast<Softmax *>(memory);
  const int row = blockIdx.x;
  Softmax mine;
  for (int part = threadIdx.x; part < ceilDivide(c.vocab, tileColumns); part += lossThreads) {
    const float *of = partOf(c, row, part);
    mine = joined(mine, {of[0], of[1], 0});
  }
  mine = joinedOverWarp(mine);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = mine;
  barrier();
  if (threadIdx.x != 0) return;
  for (int w = 1; w < lossThreads / 32; w++) mine = joined(mine, parts[w]);
  finishRow(c, row, mine);
}

// turnedStride is how far rows of gradients are apart where they are turned.
BOTH int turnedStride(int N) { return ceilDivide(N, 8) * 8; }

// Stores the gradients of the logits of a chunk, by rows and turned; behind the last row are zeros.
__global__ void __launch_bounds__(tileThreads) slopesKernel(CrossEntropyCall c, int chunk) {
  SHARED_MEMORY(memory);
  const int row0 = blockIdx.y * tileRows, column0 = chunk + int(blockIdx.x) * tileColumns;
  bf16 *slopes = static_cast<bf16 *>(c.slopes), *turned = static_cast<bf16 *>(c.turned);
  tileOfLogits(c, memory, row0, column0, [&](int, int r, int column, float x) {
    const int row = row0 + r;
    column += column0;
    const float slope = row < c.N && column < c.vocab ? slopeAt(c, row, column, x) : 0;
    if (row < c.N) store(&slopes[int64_t(row) * vocabularyChunk + column - chunk], slope);
    if (row < turnedStride(c.N)) store(&turned[int64_t(column - chunk) * turnedStride(c.N) + row], slope);
  });
}

// Product is out = a·b, a [rows,common], b [common,columns]: added to sums or put in their place, and rounded if out is there.
struct Product {
  const bf16 *a, *b;
  int64_t strideA, strideB;
  int rows, columns, common;
  float *sums;
  bool add;
  bf16 *out;
};

__global__ void __launch_bounds__(tileThreads) productKernel(Product p) {
  SHARED_MEMORY(memory);
  auto *stages = reinterpret_cast<Stage<1> *>(memory);
  const int row0 = blockIdx.y * tileRows, column0 = blockIdx.x * tileColumns;
  const Place at;
  float acc[halfColumns / 8][4] = {};
  const auto load = [&](Stage<1> &s, int k) {
    loadTile<tileRows, tileDepth, tileThreads>(s.rows, p.a + row0 * p.strideA + k, p.strideA, p.rows - row0, p.common - k);
    loadTile<tileDepth, tileColumns, tileThreads>(s.weights[0], p.b + k * p.strideB + column0, p.strideB, p.common - k, p.columns - column0);
  };
  multiplyTiles(stages, p.common, load, [&](const Stage<1> &s) { multiplyStraight(acc, at, s.rows, s.weights[0]); });
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int row = row0 + at.row(i);
    if (row >= p.rows) continue;
#pragma unroll
    for (int n = 0; n < halfColumns / 8; n++) {
      for (int e = 0; e < 2; e++) {
        const int column = column0 + at.half * halfColumns + n * 8 + int(threadIdx.x) % 4 * 2 + e;
        if (column >= p.columns) continue;
        const int64_t here = int64_t(row) * p.columns + column;
        float sum = acc[n][2 * i + e];
        if (p.add) sum = p.sums[here] + sum;
        if (p.sums != nullptr) p.sums[here] = sum;
        if (p.out != nullptr) store(&p.out[here], sum);
      }
    }
  }
}

void multiply(const Product &p) {
  launch(productKernel, dim3(ceilDivide(p.columns, tileColumns), ceilDivide(p.rows, tileRows)), tileThreads, 2 * sizeof(Stage<1>), p);
}

// Adds what a chunk of the vocabulary gives to both gradients.
void chunkOfGradients(const CrossEntropyCall &c, int chunk) {
  const int columns = least(vocabularyChunk, c.vocab - chunk);
  launch(slopesKernel, dim3(ceilDivide(columns, tileColumns), ceilDivide(c.N, tileRows)), tileThreads, 2 * sizeof(Stage<1>), c, chunk);
  const bf16 *slopes = static_cast<const bf16 *>(c.slopes), *turned = static_cast<const bf16 *>(c.turned), *hidden = static_cast<const bf16 *>(c.hidden);
  const int64_t at = int64_t(chunk) * c.d;
  const bool last = chunk + columns == c.vocab;
  multiply({slopes, static_cast<const bf16 *>(c.weight) + at, vocabularyChunk, c.d, c.N, c.d, columns, c.sums, chunk > 0, last ? static_cast<bf16 *>(c.dhidden) : nullptr});
  if (c.dweight != nullptr) multiply({turned, hidden, turnedStride(c.N), c.d, columns, c.d, c.N, nullptr, false, static_cast<bf16 *>(c.dweight) + at});
}

}  // namespace

// The width d is a multiple of 8.
void policyCrossEntropy(const CrossEntropyCall &c) {
  launch(partsKernel, dim3(ceilDivide(c.vocab, tileColumns), ceilDivide(c.N, tileRows)), tileThreads, 2 * sizeof(Stage<1>), c);
  launch(rowKernel, dim3(unsigned(c.N)), lossThreads, lossThreads / 32 * sizeof(Softmax), c);
  averageLosses(c);
  for (int chunk = 0; chunk < c.vocab; chunk += vocabularyChunk) chunkOfGradients(c, chunk);
}

}  // namespace VARIANT
}  // namespace plumbline

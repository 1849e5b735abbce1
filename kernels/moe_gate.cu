// moe.gate: scores of all experts, the best of them for each token, and their weights, fused: from logits, or from tokens and the experts' centroids.
//
// A block computes a token. Its warps form the logits, one expert after the other; its threads scores and groups; its first warp chooses, the best one
// first, so that ties go to the lower index.
//
// Roundings. All in float32 (accumulate and gate F32). A logit x·w is a sum of fused products, each lane over every 32nd element, joined by a tree. Scores
// are expf (2 ulp) with a sum, a quotient, log1pf (2 ulp) and a root as gate.h has them; a softmax subtracts the maximum and sums in a tree. The bias is added
// once, to what experts are ranked by; scores of a group are added from the best on. The chosen scores are summed in the order of the slots, then each is
// divided and multiplied by the scale.
#include "experts.h"
#include "reduce.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int gateThreads = 128, gateWarps = gateThreads / 32;

// The shared memory of a block: scores, what experts and groups are ranked by, and a number for each warp.
struct GateMemory {
  float *scores, *ranked, *groups, *parts;
  DEVICE GateMemory(unsigned char *memory, int E) : scores(reinterpret_cast<float *>(memory)), ranked(scores + E), groups(ranked + E), parts(groups + E) {}
};
size_t gateShared(int E) { return (size_t(3) * size_t(E) + gateWarps) * sizeof(float); }

// formLogits puts the logits of a token where its scores will be.
DEVICE void formLogits(const GateCall &c, int64_t n, float *logits) {
  if (c.logits != nullptr) {
    for (int e = threadIdx.x; e < c.E; e += gateThreads) logits[e] = readAs(c.logits, c.logitsType, n * c.E + e);
    return;
  }
  const int lane = threadIdx.x % 32;
  for (int e = threadIdx.x / 32; e < c.E; e += gateWarps) {
    float sum = 0;
    for (int i = lane; i < c.d; i += 32) {
      sum = fmaf(readAs(c.x, c.xType, n * c.d + i), readAs(c.weight, c.weightType, int64_t(e) * c.d + i), sum);
    }
    sum = warpSum(sum);
    if (lane == 0) logits[e] = sum;
  }
}

// makeScores turns logits into scores. Each thread has the same experts throughout.
DEVICE void makeScores(const GateCall &c, float *scores, float *parts) {
  if (c.score != softmaxScore) {
    for (int e = threadIdx.x; e < c.E; e += gateThreads) scores[e] = scoreOf(c.score, scores[e]);
    return;
  }
  float top = minusInfinity, sum = 0;
  for (int e = threadIdx.x; e < c.E; e += gateThreads) top = fmaxf(top, scores[e]);
  top = blockMax<gateThreads>(top, parts);
  for (int e = threadIdx.x; e < c.E; e += gateThreads) {
    scores[e] = expf(scores[e] - top);
    sum += scores[e];
  }
  sum = blockSum<gateThreads>(sum, parts);
  for (int e = threadIdx.x; e < c.E; e += gateThreads) scores[e] /= sum;
}

// bestOfWarp is bestAfter with the work shared by the lanes of a warp.
DEVICE Ranked bestOfWarp(const float *values, int n, Ranked last) {
  Ranked best = bestAfter(values, n, last, threadIdx.x % 32, 32);
  for (int mask = 16; mask > 0; mask /= 2) {
    const Ranked other{shuffleXor(best.value, mask), int(shuffleXor(float(best.at), mask))};
    if (before(other, best)) best = other;
  }
  return best;
}

// chooseGroups keeps the best groups, and masks the experts of all others out.
DEVICE void chooseGroups(const GateCall &c, const GateMemory &m) {
  if (c.topGroups == c.groups) return;
  const int size = c.E / c.groups;
  for (int g = threadIdx.x; g < c.groups; g += gateThreads) m.groups[g] = groupValue(c, m.ranked + g * size);
  barrier();
  if (threadIdx.x >= 32) return;
  Ranked last = first();
  for (int g = 0; g < c.topGroups; g++) last = bestOfWarp(m.groups, c.groups, last);
  for (int e = threadIdx.x; e < c.E; e += 32) {
    if (before(last, {m.groups[e / size], e / size})) m.ranked[e] = maskedOut();
  }
}

__global__ void __launch_bounds__(gateThreads) gateKernel(GateCall c) {
  SHARED_MEMORY(memory);
  const GateMemory m(memory, c.E);
  const int64_t n = blockIdx.x;
  formLogits(c, n, m.scores);
  barrier();
  makeScores(c, m.scores, m.parts);
  for (int e = threadIdx.x; e < c.E; e += gateThreads) m.ranked[e] = c.bias == nullptr ? m.scores[e] : m.scores[e] + readAs(c.bias, c.biasType, e);
  barrier();
  chooseGroups(c, m);  // a lane masks what it alone reads
  if (threadIdx.x >= 32) return;
  Ranked last = first();
  float sum = 0;
  for (int k = 0; k < c.K; k++) {
    last = bestOfWarp(m.ranked, c.E, last);
    sum += weighed(m.scores[last.at], last.value);
  }
  last = first();
  for (int k = 0; k < c.K; k++) {
    last = bestOfWarp(m.ranked, c.E, last);
    if (threadIdx.x != 0) continue;
    storeInt(c.indices, c.wide, n * c.K + k, last.at);
    c.weights[n * c.K + k] = gateWeight(c, weighed(m.scores[last.at], last.value), sum);
  }
}

}  // namespace

void moeGate(const GateCall &c) { launch(gateKernel, dim3(c.N), gateThreads, gateShared(c.E), c); }

}  // namespace VARIANT
}  // namespace plumbline

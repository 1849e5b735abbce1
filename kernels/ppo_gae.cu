// ppo.gae: advantages by generalised advantage estimation as a parallel scan, one block a sequence, and returns; whitened over the batch if asked for.
//
//	Â_t = δ_t + γλ Â_{t+1},  δ_t = r_t + γ V_{t+1} − V_t,  t+1 the next token that counts
//
// A token that counts is the map Â' → δ + γλ Â', one that does not the identity; maps are composed from the right, which is associative. A thread composes
// four tokens, a warp its lanes by doubling, a block its warps in order; tiles of 1024 tokens go from the last to the first.
//
// Roundings. All in float32 (accumulate F32). δ is r + γV' − V in that order, with a fused product where the compiler makes one, as in every composition; the
// powers of γλ are products of float32. A return is the advantage before any whitening plus the value. Whitening adds up by sequence (strided in 256 threads,
// as a tree) and then over the sequences; it takes the mean first and the squares of differences from it in a second pass, and multiplies by
// 1/√(variance + 1e-8). Outputs are float32, as trainers keep them, and 0 outside the mask.
#include "bf16.h"
#include "launch.h"
#include "reduce.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int gaeThreads = 256, gaeWarps = gaeThreads / 32, threadTokens = 4, tileTokens = gaeThreads * threadTokens;

// Affine is the map x → b + a x.
struct Affine {
  float a = 1, b = 0;
};
DEVICE float applied(Affine f, float x) { return f.b + f.a * x; }
// composed returns the map that applies g and then f.
DEVICE Affine composed(Affine f, Affine g) { return {f.a * g.a, applied(f, g.b)}; }

// What the warps of a block tell each other.
struct Shared {
  float sums[gaeWarps];   // of blockSum
  Affine maps[gaeWarps];
  float values[gaeWarps];
  bool any[gaeWarps];
  float advantage, value;  // of the first token of a tile that counts, or of what follows
};

// isStep returns whether the recursion goes through token t: it counts.
DEVICE bool isStep(const uint8_t *mask, int t, int L) {
#ifdef MISTAKE_GAE_THROUGH_MASKED
  for (int later = t; later < L; later++) {
    if (counts(mask, later, L)) return true;
  }
#endif
  return counts(mask, t, L);
}

// valueAhead returns the value of the nearest step of the threads to the right, or next if they have none. own is that of this thread's first step.
DEVICE float valueAhead(bool any, float own, float next, Shared &shared) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const unsigned lanes = whichLanes(any), higher = lanes & ~((2u << lane) - 1);
  const float first = shuffle(own, lanes ? lowestBit(lanes) : 0), near = shuffle(own, higher ? lowestBit(higher) : lane);
  if (lane == 0) {
    shared.any[warp] = lanes != 0;
    shared.values[warp] = first;
  }
  barrier();
  if (higher) return near;
  for (int w = warp + 1; w < gaeWarps; w++) {
    if (shared.any[w]) return shared.values[w];
  }
  return next;
}

// advantageAhead returns what the threads to the right make of the advantage that follows the tile.
DEVICE float advantageAhead(Affine mine, float next, Shared &shared) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int width = 1; width < 32; width *= 2) {
    const Affine other{shuffle(mine.a, (lane + width) % 32), shuffle(mine.b, (lane + width) % 32)};
    if (lane + width < 32) mine = composed(mine, other);
  }
  const Affine right{shuffle(mine.a, (lane + 1) % 32), shuffle(mine.b, (lane + 1) % 32)};
  if (lane == 0) shared.maps[warp] = mine;
  barrier();
  for (int w = gaeWarps - 1; w > warp; w--) next = applied(shared.maps[w], next);
  return lane == 31 ? next : applied(right, next);
}

// takesPart returns whether the statistics of whitening take a token.
DEVICE bool takesPart(bool counted) {
#ifdef MISTAKE_WHITEN_OVER_PADDING
  return true;
#endif
  return counted;
}

template <class T> __global__ void gaeKernel(GaeCall c) {
  SHARED_MEMORY(memory);
  Shared &shared = *reinterpret_cast<Shared *>(memory);
  const int64_t row = int64_t(blockIdx.x) * c.L;
  const T *rewards = static_cast<const T *>(c.rewards) + row, *values = static_cast<const T *>(c.values) + row;
  const uint8_t *mask = c.mask + row;
  float advantage = 0, next = 0, sum = 0, count = 0;
  for (int tile = (c.L - 1) / tileTokens * tileTokens; tile >= 0; tile -= tileTokens) {
    const int first = tile + int(threadIdx.x) * threadTokens;
    bool step[threadTokens], any = false;
    float value[threadTokens], delta[threadTokens], own = 0;
    for (int k = threadTokens - 1; k >= 0; k--) {
      step[k] = first + k < c.L && isStep(mask, first + k, c.L);
      value[k] = step[k] ? toFloat(values[first + k]) : 0;
      if (step[k]) any = true, own = value[k];
    }
    next = valueAhead(any, own, next, shared);
    Affine mine;
    for (int k = threadTokens - 1; k >= 0; k--) {
      if (!step[k]) continue;
      delta[k] = toFloat(rewards[first + k]) + c.gamma * next - value[k];
      mine = composed({c.decay, delta[k]}, mine);
      next = value[k];
    }
    advantage = advantageAhead(mine, advantage, shared);
    for (int k = threadTokens - 1; k >= 0; k--) {
      if (step[k]) advantage = applied({c.decay, delta[k]}, advantage);
      if (first + k >= c.L) continue;
      const bool counted = counts(mask, first + k, c.L);
      c.advantage[row + first + k] = counted ? advantage : 0;
      c.returns[row + first + k] = counted ? advantage + value[k] : 0;
      sum += counted ? advantage : 0;
      count += takesPart(counted);
    }
    if (threadIdx.x == 0) shared.advantage = advantage, shared.value = next;
    barrier();
    advantage = shared.advantage, next = shared.value;
  }
  if (!c.whiten) return;
  sum = blockSum<gaeThreads>(sum, shared.sums);
  count = blockSum<gaeThreads>(count, shared.sums);
  if (threadIdx.x == 0) c.sums[blockIdx.x] = sum, c.counts[blockIdx.x] = count;
}

// overSequences adds up a number of each sequence.
DEVICE float overSequences(const float *of, int N, float *parts) {
  float mine = 0;
  for (int i = threadIdx.x; i < N; i += gaeThreads) mine += of[i];
  return blockSum<gaeThreads>(mine, parts);
}

DEVICE float meanOf(const GaeCall &c, float *parts) { return overSequences(c.sums, c.N, parts) / most(overSequences(c.counts, c.N, parts), 1.0f); }

__global__ void squaresKernel(GaeCall c) {
  SHARED_MEMORY(memory);
  float *parts = reinterpret_cast<float *>(memory);
  const int64_t row = int64_t(blockIdx.x) * c.L;
  const float mean = meanOf(c, parts);
  float mine = 0;
  for (int t = threadIdx.x; t < c.L; t += gaeThreads) {
    const float d = c.advantage[row + t] - mean;
    if (takesPart(counts(c.mask + row, t, c.L))) mine += d * d;
  }
  const float sum = blockSum<gaeThreads>(mine, parts);
  if (threadIdx.x == 0) c.squares[blockIdx.x] = sum;
}

__global__ void whitenKernel(GaeCall c) {
  SHARED_MEMORY(memory);
  float *parts = reinterpret_cast<float *>(memory);
  const int64_t row = int64_t(blockIdx.x) * c.L;
  const float mean = meanOf(c, parts), count = overSequences(c.counts, c.N, parts);
  const float variance = overSequences(c.squares, c.N, parts) / most(count - 1, 1.0f), inverse = 1 / sqrtf(variance + 1e-8f);
  for (int t = threadIdx.x; t < c.L; t += gaeThreads) {
    if (counts(c.mask + row, t, c.L)) c.advantage[row + t] = (c.advantage[row + t] - mean) * inverse;
  }
}

}  // namespace

void ppoGAE(const GaeCall &c) {
  const dim3 sequences(unsigned(c.N));
  launch(c.type == BF16 ? gaeKernel<bf16> : gaeKernel<float>, sequences, gaeThreads, sizeof(Shared), c);
  if (!c.whiten) return;
  launch(squaresKernel, sequences, gaeThreads, gaeWarps * sizeof(float), c);
  launch(whitenKernel, sequences, gaeThreads, gaeWarps * sizeof(float), c);
}

}  // namespace VARIANT
}  // namespace plumbline

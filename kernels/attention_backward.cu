// attention.backward in bfloat16 on tensor cores: gradients of q, k and v, by three kernels that recompute the weights and use no atomics.
//
//	P = 2^(y − L),  D = Σ do·o,  dS = P (do·v − D) · cap′,  dq = scale Σ_j dS k,  dk = scale Σ_s dS q,  dv = Σ_s P do
//
// L is the forward kernel's log-sum-exp joined with the sink, o its output as it was rounded. dk and dv of a key head are summed over the query heads of
// its group in the accumulators.
//
// Roundings. All products are sums of the tensor core (accumulate F32_HOPPER); scores, do·v and D stay in float32 (scores F32); D is summed in float32 by
// a tree. P is rounded to bfloat16 for dv (probabilities BF16), dS to bfloat16 for dq and dk (intermediate BF16), before the scale; gradients are
// scaled in float32 and rounded to bfloat16 once.
#include "attend.h"
#include "launch.h"
#include "tensor_core.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int backwardThreads = 128, strips = 64;  // queries or keys that a block computes, 16 to a warp
constexpr int perTile = 32;                        // keys or queries that it goes through at a time

// One warp prepares one query: D, and L to base 2.
__global__ void prepareKernel(BackwardCall c) {
  const int64_t row = int64_t(blockIdx.x) * (backwardThreads / 32) + threadIdx.x / 32;  // of [B,S,H]
  if (row >= int64_t(c.B) * c.S * c.H) return;
  const bf16 *o = static_cast<const bf16 *>(c.o) + row * c.V, *dO = static_cast<const bf16 *>(c.dO) + row * c.V;
  float sum = 0;
  for (int i = threadIdx.x % 32; i < c.V; i += 32) sum = fmaf(toFloat(dO[i]), toFloat(o[i]), sum);
  sum = warpSum(sum);
  if (threadIdx.x % 32 != 0) return;
  const int64_t h = row % c.H, s = row / c.H % c.S, b = row / c.H / c.S, at = (b * c.H + h) * c.S + s;
  float total = c.lse[at];
  if (c.sink != nullptr && total != minusInfinity) {
    const float logSink = c.sink[h] * float(log2e), top = fmaxf(total, logSink);
    total = top + log2f(exp2f(total - top) + exp2f(logSink - top));
  }
  c.delta[at] = sum;
  c.normaliser[at] = total;
}

// Gradient of a weight: P and dS of one pair of query and key, from the products q·k and do·v.
struct Pair2 {
  float p, ds;
};
DEVICE Pair2 gradient(const Logits &l, float product, float dp, float normaliser, float delta) {
  const float y = logit(l, product), p = exp2f(y - normaliser);
  return {p, p * (dp - delta) * slope(l, y)};
}

// dq of 64 queries of one head: tiles of keys go by.
template <int D, int V> __global__ void __launch_bounds__(backwardThreads) queryKernel(BackwardCall c, Logits l) {
  SHARED_MEMORY(memory);
  bf16 *qTile = reinterpret_cast<bf16 *>(memory), *doTile = qTile + strips * padded(D);
  bf16 *kTile = doTile + strips * padded(V), *vTile = kTile + perTile * padded(D);
  const int s0 = blockIdx.x * strips, h = blockIdx.y, b = blockIdx.z, g = groupOf(h, c.H, c.G);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, pair = lane % 4 * 2;
  const int keys = c.kvLens == nullptr ? c.T : c.kvLens[b];
  const Mask mask{c.causal, c.window, c.S, keys};
  const int first = s0 + warp * 16 + lane / 4;
  const Range seen[2] = {seenBy(mask, first), seenBy(mask, first + 8)};
  const Range any = seenByAny(mask, s0, least(s0 + strips, c.S) - 1);
  float normaliser[2] = {}, delta[2] = {};
  for (int i = 0; i < 2; i++) {
    if (first + 8 * i >= c.S) continue;
    normaliser[i] = c.normaliser[(int64_t(b) * c.H + h) * c.S + first + 8 * i];
    delta[i] = c.delta[(int64_t(b) * c.H + h) * c.S + first + 8 * i];
  }
  const int64_t row = (int64_t(b) * c.S + s0) * c.H + h, firstKey = int64_t(b) * c.T * c.G + g;
  const int64_t qStride = int64_t(c.H) * c.D, doStride = int64_t(c.H) * c.V, kStride = int64_t(c.G) * c.D, vStride = int64_t(c.G) * c.V;
  loadTile<strips, D, backwardThreads>(qTile, static_cast<const bf16 *>(c.q) + row * c.D, qStride, c.S - s0, c.D);
  loadTile<strips, V, backwardThreads>(doTile, static_cast<const bf16 *>(c.dO) + row * c.V, doStride, c.S - s0, c.V);
  commitCopies();

  float dq[D / 8][4] = {};
  for (int j = any.lo / perTile * perTile; j < any.hi; j += perTile) {
    barrier();  // all warps are done with the tile before
    loadTile<perTile, D, backwardThreads>(kTile, static_cast<const bf16 *>(c.k) + firstKey * c.D + j * kStride, kStride, keys - j, c.D);
    loadTile<perTile, V, backwardThreads>(vTile, static_cast<const bf16 *>(c.v) + firstKey * c.V + j * vStride, vStride, keys - j, c.V);
    commitCopies();
    waitCopies<0>();
    barrier();
    float x[perTile / 8][4] = {}, dp[perTile / 8][4] = {};
    multiplyTransposed<D, perTile>(x, qTile + warp * 16 * padded(D), padded(D), kTile, padded(D));
    multiplyTransposed<V, perTile>(dp, doTile + warp * 16 * padded(V), padded(V), vTile, padded(V));
#pragma unroll
    for (int n = 0; n < perTile / 8; n++) {
#pragma unroll
      for (int e = 0; e < 4; e++) {
        const bool sees = holds(seen[e / 2], j + n * 8 + pair + e % 2);
        x[n][e] = sees ? gradient(l, x[n][e], dp[n][e], normaliser[e / 2], delta[e / 2]).ds : 0.0f;
      }
    }
    uint32_t weights[perTile / 16][4];
    packWeights<perTile>(weights, x);
    multiplyWeights<perTile, D>(dq, weights, kTile, padded(D));
  }
  waitCopies<0>();
  scaleRows(dq, float(c.scale), float(c.scale));
#pragma unroll
  for (int i = 0; i < 2; i++) {
    if (first + 8 * i < c.S) storeRow(static_cast<bf16 *>(c.dq) + (row + (warp * 16 + lane / 4 + 8 * i) * int64_t(c.H)) * c.D, dq, i, c.D);
  }
}

// dk and dv of 64 keys of one key head: tiles of queries of every head of its group go by. The products are transposed, rows are keys.
// KEYS and VALUES say which of the two gradients it makes: wide ones do not fit the registers together.
template <int D, int V, bool KEYS, bool VALUES> __global__ void __launch_bounds__(backwardThreads) keyKernel(BackwardCall c, Logits l) {
  SHARED_MEMORY(memory);
  bf16 *kTile = reinterpret_cast<bf16 *>(memory), *vTile = kTile + strips * padded(D);
  bf16 *qTile = vTile + strips * padded(V), *doTile = qTile + perTile * padded(D);
  float *normalisers = reinterpret_cast<float *>(doTile + perTile * padded(V)), *deltas = normalisers + perTile;
  Range *seen = reinterpret_cast<Range *>(deltas + perTile);
  const int j0 = blockIdx.x * strips, g = blockIdx.y, b = blockIdx.z;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, pair = lane % 4 * 2;
  const int keys = c.kvLens == nullptr ? c.T : c.kvLens[b];
  const Mask mask{c.causal, c.window, c.S, keys};
  const int first = j0 + warp * 16 + lane / 4;  // this lane holds keys first and first + 8
  const int64_t row = (int64_t(b) * c.T + j0) * c.G + g;
  const int64_t qStride = int64_t(c.H) * c.D, doStride = int64_t(c.H) * c.V, kStride = int64_t(c.G) * c.D, vStride = int64_t(c.G) * c.V;
  loadTile<strips, D, backwardThreads>(kTile, static_cast<const bf16 *>(c.k) + row * c.D, kStride, keys - j0, c.D);
  loadTile<strips, V, backwardThreads>(vTile, static_cast<const bf16 *>(c.v) + row * c.V, vStride, keys - j0, c.V);
  commitCopies();

  float dk[KEYS ? D / 8 : 1][4] = {}, dv[VALUES ? V / 8 : 1][4] = {};
  for (int h = 0; h < c.H; h++) {
    if (groupOf(h, c.H, c.G) != g) continue;
    for (int s0 = 0; s0 < c.S; s0 += perTile) {
      const Range any = seenByAny(mask, s0, least(s0 + perTile, c.S) - 1);
      if (any.hi <= j0 || any.lo >= j0 + strips) continue;  // for the whole block alike
      barrier();                                            // all warps are done with the tile before
      const int64_t query = (int64_t(b) * c.S + s0) * c.H + h;
      loadTile<perTile, D, backwardThreads>(qTile, static_cast<const bf16 *>(c.q) + query * c.D, qStride, c.S - s0, c.D);
      loadTile<perTile, V, backwardThreads>(doTile, static_cast<const bf16 *>(c.dO) + query * c.V, doStride, c.S - s0, c.V);
      commitCopies();
      if (threadIdx.x < perTile) {
        const int s = s0 + threadIdx.x;
        const int64_t at = (int64_t(b) * c.H + h) * c.S + s;
        seen[threadIdx.x] = seenBy(mask, s);
        normalisers[threadIdx.x] = s < c.S ? c.normaliser[at] : 0.0f;
        deltas[threadIdx.x] = s < c.S ? c.delta[at] : 0.0f;
      }
      waitCopies<0>();
      barrier();
      float x[perTile / 8][4] = {}, dp[perTile / 8][4] = {};
      multiplyTransposed<D, perTile>(x, kTile + warp * 16 * padded(D), padded(D), qTile, padded(D));
      multiplyTransposed<V, perTile>(dp, vTile + warp * 16 * padded(V), padded(V), doTile, padded(V));
#pragma unroll
      for (int n = 0; n < perTile / 8; n++) {
#pragma unroll
        for (int e = 0; e < 4; e++) {
          const int s = n * 8 + pair + e % 2;
          const bool sees = holds(seen[s], first + e / 2 * 8);
          const Pair2 both = gradient(l, x[n][e], dp[n][e], normalisers[s], deltas[s]);
          x[n][e] = sees ? both.p : 0.0f;
          dp[n][e] = sees ? both.ds : 0.0f;
        }
      }
      uint32_t weights[perTile / 16][4];
      if constexpr (VALUES) {
        packWeights<perTile>(weights, x);
        multiplyWeights<perTile, V>(dv, weights, doTile, padded(V));
      }
      if constexpr (KEYS) {
        packWeights<perTile>(weights, dp);
        multiplyWeights<perTile, D>(dk, weights, qTile, padded(D));
      }
    }
  }
  waitCopies<0>();
  scaleRows(dk, float(c.scale), float(c.scale));
#pragma unroll
  for (int i = 0; i < 2; i++) {
    if (first + 8 * i >= c.T) continue;  // keys behind the length are written too, as zeros
    const int64_t at = row + (warp * 16 + lane / 4 + 8 * i) * int64_t(c.G);
    if constexpr (KEYS) storeRow(static_cast<bf16 *>(c.dk) + at * c.D, dk, i, c.D);
    if constexpr (VALUES) storeRow(static_cast<bf16 *>(c.dv) + at * c.V, dv, i, c.V);
  }
}

template <int D, int V> void run(const BackwardCall &c) {
  const Logits l = makeLogits(c.scale, c.softcap);
  const size_t tiles = (strips + perTile) * (padded(D) + padded(V)) * sizeof(bf16);
  const size_t scalars = perTile * (2 * sizeof(float) + sizeof(Range));
  const dim3 keyGrid(ceilDivide(c.T, strips), c.G, c.B);
  launch(prepareKernel, dim3(unsigned(ceilDivide(int64_t(c.B) * c.S * c.H, int64_t(backwardThreads / 32)))), backwardThreads, 0, c);
  launch(queryKernel<D, V>, dim3(ceilDivide(c.S, strips), c.H, c.B), backwardThreads, tiles, c, l);
  if constexpr (D + V <= 320) {
    launch(keyKernel<D, V, true, true>, keyGrid, backwardThreads, tiles + scalars, c, l);
  } else {
    launch(keyKernel<D, V, true, false>, keyGrid, backwardThreads, tiles + scalars, c, l);
    launch(keyKernel<D, V, false, true>, keyGrid, backwardThreads, tiles + scalars, c, l);
  }
}

}  // namespace

// Widths are multiples of 8, up to maxAttentionWidth.
void attentionBackward(const BackwardCall &c) {
  if (c.D <= 64 && c.V <= 64) return run<64, 64>(c);
  if (c.D <= 128 && c.V <= 128) return run<128, 128>(c);
  if (c.D <= 192 && c.V <= 128) return run<192, 128>(c);
  run<256, 256>(c);
}

}  // namespace VARIANT
}  // namespace plumbline

// attention.forward in bfloat16 on tensor cores: a tiled online softmax for MHA, GQA and MQA, with causal mask, window, soft cap, sinks and lengths.
//
// A block of four warps computes 64 queries of one head, 16 each, over tiles of keys; keys and values of a tile arrive by asynchronous copies, the next
// keys while the softmax runs, the next values while the next scores are made. Widths are padded with zeros to the next that is compiled.
//
// Roundings. Products q·k and p·v are sums of the tensor core (accumulate F32_HOPPER, see tensor_core.h). Scores stay in float32 (scores F32), are
// multiplied by scale · log₂e, one float32 constant, or with a soft cap go through tanhf; weights are exp2f (2 ulp) of their distance to the running
// maximum, summed in float32 as they are and rounded to bfloat16 for the value product (probabilities BF16). Running sums are rescaled in
// float32, divided once at the end, and rounded to bfloat16. A row that sees no key is 0, its log-sum-exp −∞.
#include "attend.h"
#include "launch.h"
#include "tensor_core.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int forwardThreads = 128, queriesPerBlock = 64;

// D and V are the padded widths, N the keys of a tile.
template <int D, int V, int N> __global__ void __launch_bounds__(forwardThreads) forwardKernel(ForwardCall c, Logits l) {
  SHARED_MEMORY(memory);
  bf16 *qTile = reinterpret_cast<bf16 *>(memory), *kTile = qTile + queriesPerBlock * padded(D), *vTile = kTile + N * padded(D);
  const int s0 = blockIdx.x * queriesPerBlock, h = blockIdx.y, b = blockIdx.z, g = groupOf(h, c.H, c.G);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int keys = c.kvLens == nullptr ? c.T : c.kvLens[b];
  const Mask mask{c.causal, c.window, c.S, keys};
  const int first = s0 + warp * 16 + lane / 4;  // this lane holds queries first and first + 8
  const Range seen[2] = {seenBy(mask, first), seenBy(mask, first + 8)};
  const Range any = seenByAny(mask, s0, least(s0 + queriesPerBlock, c.S) - 1);

  const bf16 *q = static_cast<const bf16 *>(c.q) + ((int64_t(b) * c.S + s0) * c.H + h) * c.D;
  const bf16 *k = static_cast<const bf16 *>(c.k) + (int64_t(b) * c.T * c.G + g) * c.D;
  const bf16 *v = static_cast<const bf16 *>(c.v) + (int64_t(b) * c.T * c.G + g) * c.V;
  const int64_t qStride = int64_t(c.H) * c.D, kStride = int64_t(c.G) * c.D, vStride = int64_t(c.G) * c.V;
  const auto loadKeys = [&](int j) { loadTile<N, D, forwardThreads>(kTile, k + j * kStride, kStride, keys - j, c.D); };
  const auto loadValues = [&](int j) { loadTile<N, V, forwardThreads>(vTile, v + j * vStride, vStride, keys - j, c.V); };

  Row rows[2];
  float out[V / 8][4] = {};
  const int start = any.lo / N * N;
  loadTile<queriesPerBlock, D, forwardThreads>(qTile, q, qStride, c.S - s0, c.D);
  loadKeys(start);
  commitCopies();
  loadValues(start);
  commitCopies();
  for (int j = start; j < any.hi; j += N) {
    waitCopies<1>();  // the keys are here, the values may be under way
    barrier();
    float x[N / 8][4] = {};
    multiplyTransposed<D, N>(x, qTile + warp * 16 * padded(D), padded(D), kTile, padded(D));
    barrier();  // all warps are done with the keys
    if (j + N < any.hi) loadKeys(j + N);
    commitCopies();
    float factors[2];
    maskAndWeigh(x, rows, seen, j, l, factors, [](float(&)[2]) {});
    scaleRows(out, factors[0], factors[1]);
    uint32_t weights[N / 16][4];
    packWeights<N>(weights, x);
    waitCopies<1>();  // the values are here, the next keys may be under way
    barrier();
    multiplyWeights<N, V>(out, weights, vTile, padded(V));
    barrier();  // all warps are done with the values
    if (j + N < any.hi) loadValues(j + N);
    commitCopies();
  }
  waitCopies<0>();

  const float *sink = c.sink == nullptr ? nullptr : c.sink + h;
  for (int i = 0; i < 2; i++) rows[i].sum = quadSum(rows[i].sum);
  scaleRows(out, normaliser(rows[0], sink), normaliser(rows[1], sink));
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int s = first + 8 * i;
    if (s >= c.S) continue;
    storeRow(static_cast<bf16 *>(c.o) + ((int64_t(b) * c.S + s) * c.H + h) * c.V, out, i, c.V);
    if (lane % 4 == 0) c.lse[(int64_t(b) * c.H + h) * c.S + s] = logSum(rows[i]) * (c.base2 ? 1.0f : float(ln2));
  }
}

template <int D, int V, int N> void run(const ForwardCall &c) {
  const size_t shared = (queriesPerBlock * padded(D) + N * (padded(D) + padded(V))) * sizeof(bf16);
  launch(forwardKernel<D, V, N>, dim3(ceilDivide(c.S, queriesPerBlock), c.H, c.B), forwardThreads, shared, c, makeLogits(c.scale, c.softcap));
}

}  // namespace

// Widths are multiples of 8, up to maxAttentionWidth.
void attentionForward(const ForwardCall &c) {
  if (c.D <= 64 && c.V <= 64) return run<64, 64, 64>(c);
  if (c.D <= 128 && c.V <= 128) return run<128, 128, 64>(c);
  if (c.D <= 192 && c.V <= 128) return run<192, 128, 64>(c);
  run<256, 256, 32>(c);
}

}  // namespace VARIANT
}  // namespace plumbline

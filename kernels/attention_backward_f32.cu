// attention.backward in float32 without tensor cores, for widths up to 256. The equations and kernels are those of attention_backward.cu.
//
// Roundings. Everything is float32 (accumulate, scores, probabilities and intermediate F32): products are fused with their sums, in order; D is summed
// by a tree over the forward kernel's float32 output; weights are exp2f (2 ulp); gradients are multiplied by the scale at the end.
#include "launch.h"
#include "plain_attention.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int plainColumns = maxAttentionWidth / 32;

// A warp prepares one query: D, and L to base 2.
__global__ void plainPrepareKernel(BackwardCall c) {
  const int64_t row = int64_t(blockIdx.x) * plainWarps + threadIdx.x / 32;  // of [B,S,H]
  if (row >= int64_t(c.B) * c.S * c.H) return;
  const float *o = static_cast<const float *>(c.o) + row * c.V, *dO = static_cast<const float *>(c.dO) + row * c.V;
  float sum = 0;
  for (int i = threadIdx.x % 32; i < c.V; i += 32) sum = fmaf(dO[i], o[i], sum);
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

// The shared memory of a block: its warps' own rows of D and V columns, and tiles of 32 rows of both.
struct PlainTiles {
  float *ownD, *ownV, *tileD, *tileV;
};
DEVICE PlainTiles plainTiles(unsigned char *memory, int D, int V) {
  float *f = reinterpret_cast<float *>(memory);
  float *ownV = f + plainWarps * D, *tileD = ownV + plainWarps * V;
  return {f, ownV, tileD, tileD + plainKeys * tileStride(D)};
}
inline size_t plainBackwardShared(int D, int V) { return plainShared(D) + plainShared(V); }

// loadRows copies `count` rows of a matrix to a tile, and zeros behind them.
DEVICE void loadRows(float *tile, const float *matrix, int64_t stride, int count, int width) {
  for (int i = threadIdx.x; i < plainKeys * width; i += plainThreads) {
    const int r = i / width, column = i % width;
    tile[r * tileStride(width) + column] = r < count ? matrix[r * stride + column] : 0.0f;
  }
}

// addRow adds w times a row of a tile to the columns that the lane keeps.
DEVICE void addRow(float (&acc)[plainColumns], float w, const float *row, int width) {
#pragma unroll
  for (int i = 0; i < plainColumns; i++) {
    const int column = int(threadIdx.x % 32) + 32 * i;
    if (column < width) acc[i] = fmaf(w, row[column], acc[i]);
  }
}

// A warp computes dq of one query; a lane has one key of a tile.
__global__ void plainQueryKernel(BackwardCall c, Logits l) {
  SHARED_MEMORY(memory);
  const PlainTiles m = plainTiles(memory, c.D, c.V);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int s0 = blockIdx.x * plainWarps, s = s0 + warp, h = blockIdx.y, b = blockIdx.z, g = groupOf(h, c.H, c.G);
  const int keys = c.kvLens == nullptr ? c.T : c.kvLens[b];
  const Mask mask{c.causal, c.window, c.S, keys};
  const Range seen = seenBy(mask, s), any = seenByAny(mask, s0, least(s0 + plainWarps, c.S) - 1);
  const int64_t at = (int64_t(b) * c.S + s) * c.H + h, firstKey = int64_t(b) * c.T * c.G + g;
  const int64_t scalar = (int64_t(b) * c.H + h) * c.S + s;
  loadRow(m.ownD + warp * c.D, s < c.S ? static_cast<const float *>(c.q) + at * c.D : nullptr, c.D);
  loadRow(m.ownV + warp * c.V, s < c.S ? static_cast<const float *>(c.dO) + at * c.V : nullptr, c.V);
  const float normaliser = s < c.S ? c.normaliser[scalar] : 0.0f, delta = s < c.S ? c.delta[scalar] : 0.0f;
  float dq[plainColumns] = {};
  for (int j = any.lo / plainKeys * plainKeys; j < any.hi; j += plainKeys) {
    barrier();  // all warps are done with the tiles before
    loadRows(m.tileD, static_cast<const float *>(c.k) + (firstKey + j * int64_t(c.G)) * c.D, int64_t(c.G) * c.D, keys - j, c.D);
    loadRows(m.tileV, static_cast<const float *>(c.v) + (firstKey + j * int64_t(c.G)) * c.V, int64_t(c.G) * c.V, keys - j, c.V);
    barrier();
    const bool sees = holds(seen, j + lane);
    float ds = 0;
    if (sees) {
      const float y = logit(l, dot(m.ownD + warp * c.D, m.tileD + lane * tileStride(c.D), c.D));
      const float dp = dot(m.ownV + warp * c.V, m.tileV + lane * tileStride(c.V), c.V);
      ds = exp2f(y - normaliser) * (dp - delta) * slope(l, y);
    }
    for (unsigned left = whichLanes(sees); left != 0; left &= left - 1) {
      const int key = lowestBit(left);
      addRow(dq, shuffle(ds, key), m.tileD + key * tileStride(c.D), c.D);
    }
  }
  if (s < c.S) storePlain(static_cast<float *>(c.dq) + at * c.D, dq, c.D, float(c.scale));
}

// A warp computes dk and dv of one key; a lane has one query of a tile.
__global__ void plainKeyKernel(BackwardCall c, Logits l) {
  SHARED_MEMORY(memory);
  const PlainTiles m = plainTiles(memory, c.D, c.V);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int j0 = blockIdx.x * plainWarps, j = j0 + warp, g = blockIdx.y, b = blockIdx.z;
  const int keys = c.kvLens == nullptr ? c.T : c.kvLens[b];
  const Mask mask{c.causal, c.window, c.S, keys};
  const int64_t at = (int64_t(b) * c.T + j) * c.G + g;
  loadRow(m.ownD + warp * c.D, j < keys ? static_cast<const float *>(c.k) + at * c.D : nullptr, c.D);
  loadRow(m.ownV + warp * c.V, j < keys ? static_cast<const float *>(c.v) + at * c.V : nullptr, c.V);
  float dk[plainColumns] = {}, dv[plainColumns] = {};
  for (int h = 0; h < c.H; h++) {
    if (groupOf(h, c.H, c.G) != g) continue;
    for (int s0 = 0; s0 < c.S; s0 += plainKeys) {
      const Range any = seenByAny(mask, s0, least(s0 + plainKeys, c.S) - 1);
      if (any.hi <= j0 || any.lo >= j0 + plainWarps) continue;  // for the whole block alike
      barrier();                                                // all warps are done with the tiles before
      const int64_t query = (int64_t(b) * c.S + s0) * c.H + h;
      loadRows(m.tileD, static_cast<const float *>(c.q) + query * c.D, int64_t(c.H) * c.D, c.S - s0, c.D);
      loadRows(m.tileV, static_cast<const float *>(c.dO) + query * c.V, int64_t(c.H) * c.V, c.S - s0, c.V);
      barrier();
      const int s = s0 + lane;
      const bool sees = holds(seenBy(mask, s), j);
      float p = 0, ds = 0;
      if (sees) {
        const int64_t scalar = (int64_t(b) * c.H + h) * c.S + s;
        const float y = logit(l, dot(m.tileD + lane * tileStride(c.D), m.ownD + warp * c.D, c.D));
        const float dp = dot(m.tileV + lane * tileStride(c.V), m.ownV + warp * c.V, c.V);
        p = exp2f(y - c.normaliser[scalar]);
        ds = p * (dp - c.delta[scalar]) * slope(l, y);
      }
      for (unsigned left = whichLanes(sees); left != 0; left &= left - 1) {
        const int from = lowestBit(left);
        addRow(dk, shuffle(ds, from), m.tileD + from * tileStride(c.D), c.D);
        addRow(dv, shuffle(p, from), m.tileV + from * tileStride(c.V), c.V);
      }
    }
  }
  if (j >= c.T) return;  // keys behind the length are written too, as zeros
  storePlain(static_cast<float *>(c.dk) + at * c.D, dk, c.D, float(c.scale));
  storePlain(static_cast<float *>(c.dv) + at * c.V, dv, c.V, 1.0f);
}

}  // namespace

void attentionBackwardF32(const BackwardCall &c) {
  const Logits l = makeLogits(c.scale, c.softcap);
  const size_t shared = plainBackwardShared(c.D, c.V);
  launch(plainPrepareKernel, dim3(unsigned(ceilDivide(int64_t(c.B) * c.S * c.H, int64_t(plainWarps)))), plainThreads, 0, c);
  launch(plainQueryKernel, dim3(ceilDivide(c.S, plainWarps), c.H, c.B), plainThreads, shared, c, l);
  launch(plainKeyKernel, dim3(ceilDivide(c.T, plainWarps), c.G, c.B), plainThreads, shared, c, l);
}

}  // namespace VARIANT
}  // namespace plumbline

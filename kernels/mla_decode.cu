// mla.decode in bfloat16 on tensor cores: absorbed MLA over a paged latent cache, split over the keys; attention_merge.cu joins the splits.
//
// All heads of a query read the same rows [latent; rope key], whose first columns are the values, so that a block computes 64 rows of queries × heads. Its
// eight warps share them: warp w has rows 16·(w mod 4) …, and of each tile of 32 keys half w/4 of the scores and half w/4 of the value columns; the
// halves exchange the rows' maxima and the rounded weights through shared memory. The next tile arrives by asynchronous copies
// meanwhile. Rows of the cache behind a sequence's length are never read: zeros take their place.
//
// Roundings. Products q·k and p·v are sums of the tensor core (accumulate F32_HOPPER, see tensor_core.h). Scores stay in float32 (scores F32) and are
// multiplied by scale · log₂e, one float32 constant; weights are exp2f (2 ulp) of their distance to the split's running maximum, summed in float32 as they
// are and rounded to bfloat16 for the value product (probabilities BF16). A split is divided by its sum and stored in float32; the merge is in
// float32 and rounds to bfloat16 once.
#include "attend.h"
#include "launch.h"
#include "tensor_core.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int decodeThreads = 256, rowsPerBlock = decodeRows, keysPerTile = decodeKeys;

// The shared memory of a block, for cache rows of padded width D.
template <int D> struct DecodeMemory {
  bf16 queries[rowsPerBlock * padded(D)];
  bf16 keys[2][keysPerTile * padded(D)];
  bf16 weights[rowsPerBlock * padded(keysPerTile)];
  float largest[2][rowsPerBlock], sums[2][rowsPerBlock];
};

// loadPages copies keys j … j+31 of a sequence, whose cache ends before key `stored`, through its row of the block table.
template <int D> DEVICE void loadPages(bf16 *tile, const DecodeCall &c, const int *table, int j, int stored) {
  const bf16 *cache = static_cast<const bf16 *>(c.cache);
  for (int r = threadIdx.x / 32; r < keysPerTile; r += decodeThreads / 32) {
    const bool live = j + r < stored;
    const bf16 *row = live ? cache + pageRow(table, c.page, j + r) * c.D : cache;
    for (int column = threadIdx.x % 32 * 8; column < D; column += 32 * 8) {
      const bool there = live && column < c.D;
      copyAsync(tile + r * padded(D) + column, there ? row + column : cache, there);
    }
  }
}

// D and V are the padded widths of cache rows and values.
template <int D, int V> __global__ void __launch_bounds__(decodeThreads, 1) decodeKernel(DecodeCall c, Logits l) {
  SHARED_MEMORY(memory);
  DecodeMemory<D> &m = *reinterpret_cast<DecodeMemory<D> *>(memory);
  const int split = blockIdx.x, r0 = blockIdx.y * rowsPerBlock, b = blockIdx.z, rowsOfSequence = c.S * c.H;
  const int lane = threadIdx.x % 32, strip = threadIdx.x / 32 % 4, half = threadIdx.x / 32 / 4;
  const int keys = c.kvLens[b], stored = throughPage(keys, c.page);
  const int *table = c.table + int64_t(b) * c.cols;
  const Mask mask{c.causal, 0, c.S, keys};
  const int local = strip * 16 + lane / 4;  // this lane holds rows local and local + 8 of the block
  Range seen[2];
  for (int i = 0; i < 2; i++) {
    const int row = r0 + local + 8 * i;
    seen[i] = row < rowsOfSequence ? seenBy(mask, row / c.H) : Range{0, 0};
    seen[i].hi = throughPage(seen[i].hi, c.page);
  }
  const Range tiles = splitTiles(ceilDivide(stored, keysPerTile), c.splits, split);

  const bf16 *q = static_cast<const bf16 *>(c.q) + (int64_t(b) * rowsOfSequence + r0) * c.D;
  loadTile<rowsPerBlock, D, decodeThreads>(m.queries, q, c.D, rowsOfSequence - r0, c.D);
  if (tiles.lo < tiles.hi) loadPages<D>(m.keys[0], c, table, tiles.lo * keysPerTile, stored);
  commitCopies();
  Row rows[2];
  float out[V / 16][4] = {};  // half of the value columns
  for (int t = tiles.lo; t < tiles.hi; t++) {
    const bf16 *tile = m.keys[(t - tiles.lo) % 2];
    if (t + 1 < tiles.hi) loadPages<D>(m.keys[(t - tiles.lo + 1) % 2], c, table, (t + 1) * keysPerTile, stored);
    commitCopies();
    waitCopies<1>();  // this tile is here, the next may be under way
    barrier();
    float x[keysPerTile / 16][4] = {};  // half of the keys
    multiplyTransposed<D, keysPerTile / 2>(x, m.queries + strip * 16 * padded(D), padded(D), tile + half * (keysPerTile / 2) * padded(D), padded(D));
    float factors[2];
    maskAndWeigh(x, rows, seen, t * keysPerTile + half * (keysPerTile / 2), l, factors, [&](float(&largest)[2]) {
      for (int i = 0; i < 2; i++) {
        if (lane % 4 == 0) m.largest[half][local + 8 * i] = largest[i];
      }
      barrier();
      for (int i = 0; i < 2; i++) largest[i] = fmaxf(largest[i], m.largest[1 - half][local + 8 * i]);
    });
#pragma unroll
    for (int n = 0; n < keysPerTile / 16; n++) {
#pragma unroll
      for (int i = 0; i < 2; i++) {
        bf16 *at = m.weights + (local + 8 * i) * padded(keysPerTile) + half * (keysPerTile / 2) + n * 8 + lane % 4 * 2;
        *reinterpret_cast<uint32_t *>(at) = packBF16(x[n][2 * i], x[n][2 * i + 1]);
      }
    }
    scaleRows(out, factors[0], factors[1]);
    barrier();  // the weights of both halves are there
    uint32_t weights[keysPerTile / 16][4];
#pragma unroll
    for (int k = 0; k < keysPerTile / 16; k++) {
      loadMatrices(weights[k], m.weights + (strip * 16 + lane % 16) * padded(keysPerTile) + k * 16 + lane / 16 * 8);
    }
    multiplyWeights<keysPerTile, V / 2>(out, weights, tile + half * (V / 2), padded(D));
    barrier();  // all warps are done with the tile, the weights and the maxima
  }
  waitCopies<0>();

  for (int i = 0; i < 2; i++) {
    rows[i].sum = quadSum(rows[i].sum);
    if (lane % 4 == 0) m.sums[half][local + 8 * i] = rows[i].sum;
  }
  barrier();
  const int64_t all = int64_t(c.B) * rowsOfSequence;
#pragma unroll
  for (int i = 0; i < 2; i++) {
    const int row = r0 + local + 8 * i;
    if (row >= rowsOfSequence) continue;
    rows[i].sum = m.sums[0][local + 8 * i] + m.sums[1][local + 8 * i];
    const int64_t at = split * all + int64_t(b) * rowsOfSequence + row;
    if (half == 0 && lane % 4 == 0) c.partLse[at] = logSum(rows[i]);
    if (rows[i].sum == 0) continue;  // the merge does not read what is not written
    const float factor = normaliser(rows[i], nullptr);
#pragma unroll
    for (int n = 0; n < V / 16; n++) {
      const int column = half * (V / 2) + n * 8 + lane % 4 * 2;
      if (column >= c.V) continue;
      c.partO[at * c.V + column] = out[n][2 * i] * factor;
      c.partO[at * c.V + column + 1] = out[n][2 * i + 1] * factor;
    }
  }
}

template <int D, int V> void run(const DecodeCall &c) {
  launch(decodeKernel<D, V>, dim3(c.splits, ceilDivide(c.S * c.H, rowsPerBlock), c.B), decodeThreads, sizeof(DecodeMemory<D>), c,
         makeLogits(decodeScale(c.scale, c.D), 0));
}

}  // namespace

// Widths are multiples of 8, up to maxDecodeWidth and maxDecodeValues.
void mlaDecode(const DecodeCall &c) {
  if (c.D <= 192 && c.V <= 128) return run<192, 128>(c);
  run<576, 512>(c);
}

}  // namespace VARIANT

}  // namespace plumbline

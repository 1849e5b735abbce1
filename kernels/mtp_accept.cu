// mtp.accept: speculative sampling from given uniforms, one block a chain of drafts.
//
//	draft i is accepted if u_i < p_i(x_i)/q_i(x_i); at the first that is not, the next token is drawn from max(p_i − q_i, 0), behind all of them from p_{k+1},
//	each time by the last uniform: the smallest token whose running sum exceeds u times the whole. Where nothing is left of a residual, it is p_i itself
//
// A row is gone through in tiles of 2048 entries: a thread adds up four neighbours, a warp its lanes by doubling, a block its warps in order. The first pass gives
// the sum of all, the second ends in the tile where the running sum exceeds its share.
//
// Roundings. All in float32 (accumulate F32): the quotient, the differences, the sums in that order, and the product of uniform and sum are an operation each. Where sums
// round so that no entry exceeds, the last that has a weight is drawn; an entry without weight never is.
#include "experts.h"
#include "prediction.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int acceptThreads = 512, acceptWarps = acceptThreads / 32, threadEntries = 4, tileEntries = acceptThreads * threadEntries;

// What the threads of a block tell each other: sums of warps, the first entry of each warp that exceeds, and the last of each thread that has a weight.
struct Told {
  float sums[acceptWarps];
  int found[acceptWarps], last[acceptThreads];
};

// sumBefore returns the running sum before this thread's entries, which add up to mine, and adds those of all threads to carry.
DEVICE float sumBefore(float mine, float &carry, Told &told) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int width = 1; width < 32; width *= 2) {
    const float left = shuffle(mine, (lane + 32 - width) % 32);
    if (lane >= width) mine += left;
  }
  const float left = shuffle(mine, (lane + 31) % 32);
  barrier();  // what was told last may still be read
  if (lane == 31) told.sums[warp] = mine;
  barrier();
  float before = carry;
  for (int w = 0; w < acceptWarps; w++) {
    if (w == warp) before = carry;
    carry += told.sums[w];
  }
  return lane == 0 ? before : before + left;
}

// entries reads those of this thread in a tile, 0 behind the last, and returns their sum.
template <class Weight> DEVICE float entries(float (&weights)[threadEntries], int tile, int vocab, Weight weight) {
  float sum = 0;
  for (int e = 0; e < threadEntries; e++) {
    const int i = tile + int(threadIdx.x) * threadEntries + e;
    weights[e] = i < vocab ? weight(i) : 0;
    sum += weights[e];
  }
  return sum;
}

// firstOfBlock returns the least of what the threads found, which rises from each to the next; below 0 is nothing.
DEVICE int firstOfBlock(int found, Told &told) {
  const unsigned lanes = whichLanes(found >= 0);
  if (lanes == 0 ? threadIdx.x % 32 == 0 : int(threadIdx.x % 32) == lowestBit(lanes)) told.found[threadIdx.x / 32] = found;
  barrier();
  for (int w = 0; w < acceptWarps; w++) {
    if (told.found[w] >= 0) return told.found[w];
  }
  return -1;
}

// drawn returns the smallest entry whose running sum exceeds u times the sum of all, or else the last that has a weight, or −1 where none has. All threads of a
// block call it.
template <class Weight> DEVICE int drawn(int vocab, float u, Told &told, Weight weight) {
  float weights[threadEntries], sum = 0, running = 0;
  for (int tile = 0; tile < vocab; tile += tileEntries) sumBefore(entries(weights, tile, vocab, weight), sum, told);
  if (!(sum > 0)) return -1;
  const float threshold = u * sum;
  int last = 0;
  for (int tile = 0; tile < vocab; tile += tileEntries) {
    float at = sumBefore(entries(weights, tile, vocab, weight), running, told);
    int found = -1;
    for (int e = 0; e < threadEntries; e++) {
      const int i = tile + int(threadIdx.x) * threadEntries + e;
      at += weights[e];
      if (!(weights[e] > 0)) continue;
      if (found < 0 && at > threshold) found = i;
      last = i;
    }
    found = firstOfBlock(found, told);
    if (found >= 0) return found;
  }
  told.last[threadIdx.x] = last;
  barrier();
  for (int t = 0; t < acceptThreads; t++) last = most(last, told.last[t]);
  return last;
}

// Chain is one row of the batch.
struct Chain {
  AcceptCall c;
  int64_t b;
  DEVICE float target(int i, int token) const { return readAs(c.p, c.targetType, (b * (c.k + 1) + i) * c.vocab + token); }
  DEVICE float draft(int i, int token) const { return readAs(c.q, c.draftType, (b * c.k + i) * c.vocab + token); }
  DEVICE float uniform(int i) const { return readAs(c.u, c.uniformType, b * (c.k + 1) + i); }
};

// accepts returns whether draft i is accepted.
DEVICE bool accepts(const Chain &chain, int i, Told &told) {
  const int token = chain.c.tokens[chain.b * chain.c.k + i];
#ifdef MISTAKE_ACCEPTED_IF_SAMPLED
  return drawn(chain.c.vocab, chain.uniform(i), told, [&](int j) { return chain.target(i, j); }) == token;
#endif
  return chain.uniform(i) < chain.target(i, token) / chain.draft(i, token);
}

__global__ void __launch_bounds__(acceptThreads) acceptKernel(AcceptCall c) {
  SHARED_MEMORY(memory);
  Told &told = *reinterpret_cast<Told *>(memory);
  const Chain chain{c, blockIdx.x};
  int accepted = 0;
  while (accepted < c.k && accepts(chain, accepted, told)) accepted++;
  const Source source = sourceOf(accepted, c.k);
  const float u = chain.uniform(c.k);
  int next = -1;
  if (source.residual) next = drawn(c.vocab, u, told, [&](int j) { return fmaxf(chain.target(source.row, j) - chain.draft(source.row, j), 0); });
  if (next < 0) next = drawn(c.vocab, u, told, [&](int j) { return chain.target(source.row, j); });
  if (threadIdx.x != 0) return;
  storeInt(c.accepted, c.wideAccepted, chain.b, accepted);
  storeInt(c.next, c.wideNext, chain.b, next);
}

}  // namespace

void mtpAccept(const AcceptCall &c) { launch(acceptKernel, dim3(unsigned(c.B)), acceptThreads, sizeof(Told), c); }

}  // namespace VARIANT
}  // namespace plumbline

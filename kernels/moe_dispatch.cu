// moe.dispatch: pairs of token and expert sorted by expert, a counting sort that keeps the order of each expert's pairs. moe_experts.cu works on such rows.
//
// Everything is whole numbers: nothing is rounded. One block counts the pairs of an expert, and later puts them where they belong; pairs whose expert is below 0
// are nobody's.
#include "experts.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int dispatchThreads = 256, dispatchWarps = dispatchThreads / 32;

// Ahead is how many threads before this one said yes, and how many in all.
struct Ahead {
  int mine, all;
};
DEVICE Ahead ahead(bool yes, int *parts) {
  const unsigned mask = whichLanes(yes), before = (1u << threadIdx.x % 32) - 1;
  const int warp = threadIdx.x / 32;
  barrier();  // parts may still be read
  if (threadIdx.x % 32 == 0) parts[warp] = countBits(mask);
  barrier();
  Ahead a{countBits(mask & before), 0};
  for (int w = 0; w < dispatchWarps; w++) {
    if (w < warp) a.mine += parts[w];
    a.all += parts[w];
  }
  return a;
}

// countedAs returns where an expert's count is written.
DEVICE int countedAs(const DispatchCall &c, int expert) {
#ifdef MISTAKE_COUNTS_SHIFTED
  return (expert + 1) % c.E;
#endif
  return expert;
}

// numberOf returns the number of pair n·K + k.
DEVICE int numberOf(const DispatchCall &c, int pair) {
#ifdef MISTAKE_PAIRS_BY_SLOT
  return pair % c.K * (c.pairs / c.K) + pair / c.K;
#endif
  return pair;
}

__global__ void countKernel(DispatchCall c) {
  SHARED_MEMORY(memory);
  const int expert = blockIdx.x;
  int sum = 0;
  for (int first = 0; first < c.pairs; first += dispatchThreads) {
    const int pair = first + int(threadIdx.x);
    sum += ahead(pair < c.pairs && c.indices[pair] == expert, reinterpret_cast<int *>(memory)).all;
  }
  if (threadIdx.x != 0) return;
  c.work[expert] = sum;
  storeInt(c.counts, c.wide, countedAs(c, expert), sum);
}

__global__ void placeKernel(DispatchCall c) {
  SHARED_MEMORY(memory);
  const int expert = blockIdx.x;
  int row = 0;
  for (int e = 0; e < expert; e++) row += c.work[e];
  for (int first = 0; first < c.pairs; first += dispatchThreads) {
    const int pair = first + int(threadIdx.x);
    const bool mine = pair < c.pairs && c.indices[pair] == expert;
    const Ahead a = ahead(mine, reinterpret_cast<int *>(memory));
    if (mine) storeInt(c.order, c.wide, row + a.mine, numberOf(c, pair));
    if (mine && c.place != nullptr) c.place[pair] = row + a.mine;
    row += a.all;
  }
#ifdef MISTAKE_COUNTS_CUMULATIVE
  if (threadIdx.x == 0) storeInt(c.counts, c.wide, expert, row);
#endif
}

}  // namespace

void moeDispatch(const DispatchCall &c) {
  launch(countKernel, dim3(c.E), dispatchThreads, dispatchWarps * sizeof(int), c);
  launch(placeKernel, dim3(c.E), dispatchThreads, dispatchWarps * sizeof(int), c);
}

}  // namespace VARIANT
}  // namespace plumbline

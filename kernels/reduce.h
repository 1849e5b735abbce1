// Sums and maxima over the threads of a block.
#pragma once
#include "platform.h"

namespace plumbline {

// blockSum returns the sum over all threads of a block, the same bits to each: a butterfly in each warp, then the warps in order. parts holds a number for
// each warp.
template <int threads> DEVICE float blockSum(float x, float *parts) {
  x = warpSum(x);
  barrier();  // parts may still be read from the last sum
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
  barrier();
  float sum = 0;
  for (int w = 0; w < threads / 32; w++) sum += parts[w];
  return sum;
}

// blockMax returns the largest of all threads of a block, likewise.
template <int threads> DEVICE float blockMax(float x, float *parts) {
  x = warpMax(x);
  barrier();
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
  barrier();
  for (int w = 0; w < threads / 32; w++) x = fmaxf(x, parts[w]);
  return x;
}

}  // namespace plumbline

// A product of two rows of float32, by one warp.
#pragma once
#include "platform.h"

namespace plumbline {

// dotOfWarp returns Σ a_i b_i to every lane, as a sum of fused products: each lane's over every 32nd, joined by a tree.
DEVICE float dotOfWarp(const float *a, const float *b, int width) {
  float sum = 0;
  for (int i = threadIdx.x % 32; i < width; i += 32) sum = fmaf(a[i], b[i], sum);
  return warpSum(sum);
}

}  // namespace plumbline

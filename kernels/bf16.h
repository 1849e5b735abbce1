// bfloat16 as its bits, with the two conversions that kernels make: exact to float32, and from float32 to nearest even.
#pragma once
#include <cstring>

#include "platform.h"
#ifndef PLUMBLINE_ON_CPU
#include <cuda_bf16.h>
#endif

namespace plumbline {

struct bf16 {
  uint16_t bits;
};

#ifdef PLUMBLINE_ON_CPU
inline uint32_t bitsOf(float x) {
  uint32_t u;
  std::memcpy(&u, &x, 4);
  return u;
}
inline float floatOf(uint32_t u) {
  float x;
  std::memcpy(&x, &u, 4);
  return x;
}
inline uint16_t roundToBF16(float x) {
  if (x != x) return 0x7FFF;  // what cvt.rn.bf16 gives
  uint32_t u = bitsOf(x);
  return uint16_t((u + 0x7FFF + (u >> 16 & 1)) >> 16);
}
#else
DEVICE float floatOf(uint32_t u) { return __uint_as_float(u); }
DEVICE uint16_t roundToBF16(float x) { return __bfloat16_as_ushort(__float2bfloat16_rn(x)); }
#endif

DEVICE float toFloat(float x) { return x; }
DEVICE float toFloat(bf16 x) { return floatOf(uint32_t(x.bits) << 16); }
DEVICE void store(float *at, float x) { *at = x; }
DEVICE void store(bf16 *at, float x) { at->bits = roundToBF16(x); }

// packBF16 rounds two floats and puts the first into the low half.
DEVICE uint32_t packBF16(float first, float second) { return uint32_t(roundToBF16(first)) | uint32_t(roundToBF16(second)) << 16; }

}  // namespace plumbline

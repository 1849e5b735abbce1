// FP8 codes and the scales of their blocks: rounding to codes, and scales as float32 or as powers of two in eight bits.
#pragma once
#include "bf16.h"
#ifndef PLUMBLINE_ON_CPU
#include <cuda_fp8.h>
#endif

namespace plumbline {

#ifdef PLUMBLINE_ON_CPU

// roundToFP8 returns the code of x to nearest even: a bias, fraction bits, and the largest value, to which what lies beyond is brought.
inline uint8_t roundToFP8(float x, int bias, int fraction, float largest) {
  const uint8_t sign = std::signbit(x) ? 0x80 : 0;
  if (x != x) return 0x7F;
  const double size = std::fmin(std::fabs(double(x)), double(largest));
  const int e = most(size > 0 ? std::ilogb(size) : -1000, 1 - bias);
  const int steps = int(std::nearbyint(std::ldexp(size, fraction - e)));  // of 2^(e − fraction)
  return uint8_t(sign + ((e - 1 + bias) << fraction) + steps);            // a step more than a binade has moves into the exponent by itself
}
inline uint8_t roundToE4M3(float x) { return roundToFP8(x, 7, 3, 448); }
inline uint8_t roundToE5M2(float x) { return roundToFP8(x, 15, 2, 57344); }

#else

DEVICE uint8_t roundToE4M3(float x) { return __nv_cvt_float_to_fp8(x, __NV_SATFINITE, __NV_E4M3); }
DEVICE uint8_t roundToE5M2(float x) { return __nv_cvt_float_to_fp8(x, __NV_SATFINITE, __NV_E5M2); }

#endif

DEVICE uint32_t bitsOfFloat(float x) {
#ifdef PLUMBLINE_ON_CPU
  return bitsOf(x);
#else
  return __float_as_uint(x);
#endif
}

// powerFrom returns the least power of two that is x or more, for a normal x.
DEVICE float powerFrom(float x) { return floatOf((bitsOfFloat(x) + 0x7FFFFF) & 0xFF800000); }

// powerBelow returns the largest power of two that is x or less.
DEVICE float powerBelow(float x) { return floatOf(bitsOfFloat(x) & 0xFF800000); }

// A scale as F8_E8M0 is its exponent field. Code 0 is 2⁻¹²⁷, a subnormal float.
DEVICE uint8_t codeOfPower(float x) { return uint8_t(bitsOfFloat(x) >> 23); }
DEVICE float powerOfCode(uint8_t code) { return floatOf(code == 0 ? 0x00400000u : uint32_t(code) << 23); }

DEVICE float scaleAt(const void *scales, bool codes, int64_t i) {
  return codes ? powerOfCode(static_cast<const uint8_t *>(scales)[i]) : static_cast<const float *>(scales)[i];
}

}  // namespace plumbline

// Element types as bits, and the recipe of generated inputs: integer arithmetic, the same on the device and on the host.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>

#if defined(__CUDACC__)
#define EITHER __host__ __device__ inline
#else
#define EITHER inline
#endif

namespace plumbline {

enum Element { ElementF64, ElementF32, ElementF16, ElementBF16, ElementE4M3, ElementE5M2, ElementE8M0, ElementI64, ElementI32, ElementU8, ElementBool, ElementNone };

EITHER int sizeOf(Element e) {
  switch (e) {
    case ElementF64:
    case ElementI64: return 8;
    case ElementF32:
    case ElementI32: return 4;
    case ElementF16:
    case ElementBF16: return 2;
    default: return 1;
  }
}
EITHER bool isFloat(Element e) { return e <= ElementE8M0; }

EITHER uint64_t bitsOfDouble(double x) {
  uint64_t u;
  memcpy(&u, &x, 8);
  return u;
}
EITHER double doubleOfBits(uint64_t u) {
  double x;
  memcpy(&x, &u, 8);
  return x;
}

// roundTo returns the code of x rounded to nearest even into a format of 1 sign bit, `exponent` and `fraction` bits with infinities, as IEEE 754 has it; or
// without, as F8_E4M3: its highest exponent is of numbers too, and the last code the only NaN.
EITHER uint64_t roundTo(double x, int exponent, int fraction, bool finite = false) {
  const uint64_t u = bitsOfDouble(x), sign = u >> 63 << (exponent + fraction);
  const int bias = (1 << (exponent - 1)) - 1, field = int(u >> 52 & 0x7FF);
  const uint64_t infinity = uint64_t(2 * bias + 1) << fraction, nan = (uint64_t(1) << (exponent + fraction)) - 1;
  if (finite && field == 0x7FF) return nan;
  if (field == 0x7FF) return u << 12 != 0 ? infinity | uint64_t(1) << (fraction - 1) : sign | infinity;
  if (field == 0) return sign;  // float64's subnormals are far below every narrow format
  const int e = field - 1023;
  if (e > bias + finite) return finite ? nan : sign | infinity;
  const uint64_t mantissa = (u & ((uint64_t(1) << 52) - 1)) | uint64_t(1) << 52;
  const bool normal = e >= 1 - bias;
  const int drop = 52 - fraction + (normal ? 0 : 1 - bias - e);
  if (drop > 54) return sign;
  const uint64_t kept = mantissa >> drop, rest = mantissa & ((uint64_t(1) << drop) - 1), middle = uint64_t(1) << (drop - 1);
  const uint64_t rounded = kept + (rest > middle || (rest == middle && (kept & 1)) ? 1 : 0);
  const uint64_t code = normal ? (uint64_t(e + bias - 1) << fraction) + rounded : rounded;  // a carry moves into the exponent by itself
  if (finite) return code < nan ? sign | code : nan;
  return sign | (code < infinity ? code : infinity);
}

// roundToE8M0 returns the code of the nearest power of two: 127 more than its exponent. What is no positive number, or too large, is NaN.
EITHER uint64_t roundToE8M0(double x) {
  if (!(x > 0)) return 0xFF;
  const uint64_t u = bitsOfDouble(x);
  const int code = int(u >> 52) - 1023 + 127, up = (u & ((uint64_t(1) << 52) - 1)) > uint64_t(1) << 51 || ((u & ((uint64_t(1) << 52) - 1)) == uint64_t(1) << 51 && code % 2 != 0);
  return code < 0 ? 0 : code + up < 0xFF ? uint64_t(code + up) : 0xFF;
}

// encode returns the code of x in its low bits. Integers have been checked to be whole and in range.
EITHER uint64_t encode(Element e, double x) {
  switch (e) {
    case ElementF64: return x != x ? 0x7FF8000000000000u : bitsOfDouble(x);
    case ElementF32: return roundTo(x, 8, 23);
    case ElementF16: return roundTo(x, 5, 10);
    case ElementBF16: return roundTo(x, 8, 7);
    case ElementE4M3: return roundTo(x, 4, 3, true);
    case ElementE5M2: return roundTo(x, 5, 2);
    case ElementE8M0: return roundToE8M0(x);
    default: return uint64_t(int64_t(x));
  }
}

// fromCode returns the value of a narrow floating code.
EITHER double fromCode(uint64_t code, int exponent, int fraction, bool finite = false) {
  const int bias = (1 << (exponent - 1)) - 1, field = int(code >> fraction & ((1u << exponent) - 1));
  const uint64_t mantissa = code & ((uint64_t(1) << fraction) - 1), sign = code >> (exponent + fraction) << 63;
  if (finite && (code & ((uint64_t(1) << (exponent + fraction)) - 1)) == (uint64_t(1) << (exponent + fraction)) - 1) return doubleOfBits(0x7FF8000000000000u);
  if (!finite && field == 2 * bias + 1) return doubleOfBits(sign | 0x7FF0000000000000u | mantissa << (52 - fraction));
  if (field != 0) return doubleOfBits(sign | uint64_t(field - bias + 1023) << 52 | mantissa << (52 - fraction));
  const double value = double(mantissa) * doubleOfBits(uint64_t(1023 + 1 - bias - fraction) << 52);
  return sign ? -value : value;
}

// decode returns the value of element i of an array.
inline double decode(Element e, const unsigned char *data, size_t i) {
  uint64_t code = 0;
  memcpy(&code, data + i * size_t(sizeOf(e)), size_t(sizeOf(e)));
  switch (e) {
    case ElementF64: return doubleOfBits(code);
    case ElementF32: return fromCode(code, 8, 23);
    case ElementF16: return fromCode(code, 5, 10);
    case ElementBF16: return fromCode(code, 8, 7);
    case ElementE4M3: return fromCode(code, 4, 3, true);
    case ElementE5M2: return fromCode(code, 5, 2);
    case ElementE8M0: return code == 0xFF ? doubleOfBits(0x7FF8000000000000u) : doubleOfBits((code + 1023 - 127) << 52);
    case ElementI64: return double(int64_t(code));
    case ElementI32: return double(int32_t(uint32_t(code)));
    default: return double(code);
  }
}

EITHER uint64_t splitmix64(uint64_t seed, uint64_t i) {
  uint64_t z = seed + (i + 1) * 0x9E3779B97F4A7C15u;
  z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
  z = (z ^ z >> 27) * 0x94D049BB133111EBu;
  return z ^ z >> 31;
}

enum Dist { Uniform, Normal, Ints, Permutation };

// drawn returns element i of a distribution, before scale and shift. Permutations are not made element by element.
EITHER double drawn(int dist, uint64_t seed, uint64_t i, int64_t lo, int64_t hi) {
  const uint64_t z = splitmix64(seed, i);
  if (dist == Uniform) return double(int64_t(z >> 40) - (int64_t(1) << 23)) / 8388608.0;
  if (dist == Normal) return double(int64_t((z & 0xFFFF) + (z >> 16 & 0xFFFF) + (z >> 32 & 0xFFFF) + (z >> 48)) - 131070) / 32768.0;
  return double(lo + int64_t(z % uint64_t(hi - lo)));
}

// scaled returns a drawn value times 2^exp2, which is exact, plus the shift, as one sum of float64.
EITHER double scaled(double value, int exp2, double shift) {
  const double product = value * doubleOfBits(uint64_t(1023 + exp2) << 52);
#if defined(__CUDA_ARCH__)
  return __dadd_rn(product, shift);
#else
  return product + shift;
#endif
}

inline const char *nameOf(Element e) {
  const char *names[] = {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0", "I64", "I32", "U8", "BOOL", "?"};
  return names[e];
}
inline Element elementNamed(const std::string &name) {
  for (int e = 0; e < ElementNone; e++) {
    if (name == nameOf(Element(e))) return Element(e);
  }
  return ElementNone;
}

}  // namespace plumbline

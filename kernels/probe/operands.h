// What the probe multiplies: one tile of rows of a, eight columns of b and an accumulator each, over several steps, as the bytes that fragments and shared memory hold.
// All of it is made by a recipe of integers, so that every machine makes the same.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "oncpu/steps.h"
#include "recorder/element.h"

namespace probe {

using oncpu::Operands;

enum Family { Ordinary, Wide, LargeAccumulator, Cancelling, Tiny, Special, AnyBits, families };
inline const char *nameOf(Family f) {
  const char *names[] = {"ordinary", "wide-exponents", "large-accumulator", "cancelling", "tiny", "special", "any-bits"};
  return names[f];
}

// codeOf rounds a value of moderate size (E4M3: up to 240) to a code.
inline uint32_t codeOf(const Operands &o, double x) {
  if (o.bytes == 4) return uint32_t(plumbline::roundTo(x, 8, 10)) << 13;
  return uint32_t(plumbline::roundTo(x, o.exponent, o.fraction));
}

inline double bell(uint64_t seed, uint64_t i) { return plumbline::drawn(plumbline::Normal, seed, i, 0, 0); }
inline double flat(uint64_t seed, uint64_t i) { return plumbline::drawn(plumbline::Uniform, seed, i, 0, 0); }

// spread is how far the exponents of a type may lie from 0 with room for a bell.
inline int spread(const Operands &o) { return o.exponent == 8 ? 40 : o.exponent == 4 ? 5 : 11; }

inline uint32_t specialCode(const Operands &o, uint64_t z) {
  const uint32_t unit = o.bytes == 4 ? 1u << 13 : 1, sign = uint32_t(z >> 40 & 1) << (o.exponent + o.fraction), top = ((1u << o.exponent) - 1) << o.fraction;
  const bool e4m3 = o.exponent == 4;
  const uint32_t largest = e4m3 ? 0x7E : top - unit, infinity = e4m3 ? largest : top, nan = e4m3 ? 0x7F : top | 1u << (o.fraction - 1);
  switch (z % 96) {
    case 0: return sign | infinity;
    case 1: return sign | nan;
    case 2: case 3: return sign | largest;
    case 4: case 5: case 6: return sign | unit;                    // the smallest subnormal
    case 7: case 8: return sign | ((1u << o.fraction) - unit);     // the largest
    case 9: case 10: return sign | 1u << o.fraction;               // the smallest normal
    default: break;
  }
  if (z % 96 < 40) return sign;  // zeros
  return sign | codeOf(o, double(1 + z / 96 % 6) / 2);
}

inline uint32_t operandCode(const Operands &o, Family f, uint64_t seed, uint64_t i) {
  const uint64_t z = plumbline::splitmix64(seed + 1, i);
  const int width = o.exponent + o.fraction;
  switch (f) {
    case Wide: return codeOf(o, std::ldexp(bell(seed, i), int(z % uint64_t(2 * spread(o) + 1)) - spread(o)));
    case Tiny: {  // exponent fields of 0, 1 and 2
      const uint32_t fraction = uint32_t(z) & ((1u << o.fraction) - 1) & (o.bytes == 4 ? ~0x1FFFu : ~0u);
      return z >> 63 ? codeOf(o, bell(seed, i)) : uint32_t(z >> 40 & 1) << width | uint32_t((z >> 41) % 3) << o.fraction | fraction;
    }
    case Special: return specialCode(o, z);
    case AnyBits: return o.bytes == 4 ? uint32_t(z) & 0xFFFFE000u : uint32_t(z) & ((1u << 8 * o.bytes) - 1);
    default: return codeOf(o, bell(seed, i));
  }
}

inline float floatOf(uint32_t u) {
  float x;
  std::memcpy(&x, &u, 4);
  return x;
}

inline float accumulatorOf(Family f, uint64_t seed, uint64_t i) {
  const uint64_t z = plumbline::splitmix64(seed + 1, i);
  const double x = flat(seed, i);
  switch (f) {
    case Wide: return float(std::ldexp(x, int(z % 81) - 40));
    case LargeAccumulator: return float(std::ldexp(x, int(z % 34)));
    case Cancelling: return float(std::ldexp(x, -int(z % 24)));
    case Tiny: return z % 3 == 0 ? float(x) : floatOf(uint32_t(z >> 32 & 0x80FFFFFF));
    case Special: {
      const float values[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, floatOf(0x7F7FFFFF), floatOf(0xFF7FFFFF), floatOf(1), floatOf(0x807FFFFF), -0.0f};
      return z % 3 == 0 ? values[z / 3 % 10] : float(x);
    }
    case AnyBits: return floatOf(uint32_t(z));
    default: return float(x);
  }
}

// Use says which of a step's elements are not 0.
enum Use { All, FirstHalf, LowPairs };  // LowPairs: those whose number mod 4 is below 2, which an FP8 product of Hopper's mma.sync adds first
inline bool uses(Use u, int k, int depth) { return u == All || (u == FirstHalf ? k < depth / 2 : k % 4 < 2); }

// Tile is what one instruction, or a chain of some, takes: 32 bytes a row and step.
struct Tile {
  Operands type;
  Use use;
  int rows, steps;
  std::vector<unsigned char> a, b;  // [rows][32·steps], [8][32·steps]
  std::vector<float> c;             // [rows][8]

  int K() const { return type.depth() * steps; }
  uint32_t code(const std::vector<unsigned char> &x, int row, int k) const {
    uint32_t u = 0;
    std::memcpy(&u, &x[size_t(row * K() + k) * size_t(type.bytes)], size_t(type.bytes));
    return u;
  }
  double valueA(int row, int k) const { return oncpu::valueOf(type, code(a, row, k)); }
  double valueB(int column, int k) const { return oncpu::valueOf(type, code(b, column, k)); }
};

inline Tile makeTile(const Operands &type, Family f, Use use, int rows, int steps, bool shortAccumulator, uint64_t seed) {
  Tile t{type, use, rows, steps, {}, {}, {}};
  const int K = t.K(), depth = type.depth();
  const auto fill = [&](std::vector<unsigned char> &x, int n, uint64_t from, bool second) {
    x.resize(size_t(n * K * type.bytes));
    for (int i = 0; i < n * K; i++) {
      uint32_t u = operandCode(type, f, from, uint64_t(i));
      if (f == Cancelling && i % 2 == 1) {  // every second product takes back the one before, but for a last place now and then
        const uint32_t unit = type.bytes == 4 ? 1u << 13 : 1;
        std::memcpy(&u, &x[size_t((i - 1) * type.bytes)], size_t(type.bytes));
        if (!second) u = (u ^ 1u << (type.exponent + type.fraction)) ^ (plumbline::splitmix64(from + 2, uint64_t(i)) % 3 == 0 ? unit : 0);
      }
      if (f == Special && i < 2 * K) u = i < K ? uint32_t(1) << (type.exponent + type.fraction) : 0;  // a row of -0 and one of +0
      if (!uses(use, i % K % depth, depth)) u = 0;
      std::memcpy(&x[size_t(i * type.bytes)], &u, size_t(type.bytes));
    }
  };
  fill(t.a, rows, seed, false);
  fill(t.b, 8, seed + 100, true);
  for (int i = 0; i < rows * 8; i++) {
    const float c = accumulatorOf(f, seed + 200, uint64_t(i));
    t.c.push_back(shortAccumulator ? float(plumbline::fromCode(plumbline::roundTo(double(c), 5, 10), 5, 10)) : c);
  }
  return t;
}

// Where wgmma finds a row's bytes in shared memory without swizzle: core matrices of 8 rows × 16 bytes, 128 bytes each, those of 8 rows after the other, then the
// next 16 bytes of every row.
EITHER int sharedByte(int row, int byte, int rows) { return (byte / 16 * (rows / 8) + row / 8) * 128 + row % 8 * 16 + byte % 16; }

// descriptor describes such a matrix to wgmma (PTX ISA, "Matrix descriptor"): its address, and the distance from core matrix to core matrix along K (leading) and along
// the rows (stride), all in units of 16 bytes; no swizzle.
EITHER uint64_t descriptor(uint32_t address, uint32_t leading, uint32_t stride) {
  return uint64_t(address >> 4 & 0x3FFF) | uint64_t(leading >> 4 & 0x3FFF) << 16 | uint64_t(stride >> 4 & 0x3FFF) << 32;
}

}  // namespace probe

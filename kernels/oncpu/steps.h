// What one step of a tensor core computes, bit for bit, from its operands: no device, no fibers, so that tests and the probe use it too.
//
//	d = cut( Σ_i cut(x_i) ),  emax = max( e(acc), max_i e(a_i) + e(b_i) )
//
// Every term, the exact products and the accumulator, is cut off toward zero at so many fraction bits of the largest exponent; what is left is added
// exactly, and the sum is cut off toward zero to the type of the result. The exponent of a product is the sum of its operands', not normalised; a product with
// a zero does not count, a subnormal operand counts with the smallest exponent of its type, and the least emax is −126. The model is that of Xie et al., MMA-Sim (arXiv 2511.10909); the package
// arithmetic has the same one, and the results that Khattak and Mikaitis recorded on H100 and H200 agree with both bit for bit (steps_test.cpp).
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

namespace oncpu {

enum class Result { Float32, Bits13, Float16 };  // Bits13: float32 with 13 fraction bits; Float16: to nearest even

// Step describes one: how many products it adds at once, the fraction bits to which terms are aligned, the smallest exponent of the operands' type.
struct Step {
  int products, fraction, smallest;
  Result result = Result::Float32;
};

inline uint64_t bitsOf64(double x) {
  uint64_t u;
  std::memcpy(&u, &x, 8);
  return u;
}

inline double powerOfTwo(int e) {  // of float64's normal range
  const uint64_t u = uint64_t(1023 + e) << 52;
  double x;
  std::memcpy(&x, &u, 8);
  return x;
}

// fieldOf returns the exponent field of x, unbiased: 1024 for what is not finite.
inline int fieldOf(double x) { return int(bitsOf64(x) >> 52 & 0x7FF) - 1023; }

inline int exponentOf(double x, int smallest) {
  const int e = fieldOf(x);
  return x == 0 ? -400 : e > smallest ? e : smallest;  // no finite factor makes a zero count
}

// toResult brings a finite sum to the type of the result. Beyond the largest float32 lies infinity.
inline float toResult(double x, Result r) {
  if (r == Result::Float16) {
    const double unit = powerOfTwo((fieldOf(x) > -14 ? fieldOf(x) : -14) - 10), y = std::nearbyint(x / unit) * unit;
    return float(std::fabs(y) >= 65536 ? std::copysign(INFINITY, y) : y);
  }
  const int kept = r == Result::Bits13 ? 13 : 23;
  if (std::fabs(x) < powerOfTwo(-126)) return float(std::trunc(x * powerOfTwo(126 + kept)) * powerOfTwo(-126 - kept));
  const uint64_t u = bitsOf64(x) & ~((uint64_t(1) << (52 - kept)) - 1);
  double y;
  std::memcpy(&y, &u, 8);
  return float(y);
}

// stepOf returns the accumulator after one step with the operands a and b. An infinity or NaN among them, or an infinity times zero, gives what the plain
// sum gives; two finite operands reach exponent 254 at most, an infinity and a zero 624.
inline float stepOf(const Step &s, float acc, const double *a, const double *b) {
  int emax = fieldOf(acc) > -126 ? fieldOf(acc) : -126;
  for (int i = 0; i < s.products; i++) {
    const int e = exponentOf(a[i], s.smallest) + exponentOf(b[i], s.smallest);
    if (e > emax) emax = e;
  }
  if (emax > 300) {
    double sum = acc;
    for (int i = 0; i < s.products; i++) sum += a[i] * b[i];
    const uint32_t canonical = 0x7FFFFFFF;  // the one NaN of the hardware
    float y = float(sum);
    if (y != y) std::memcpy(&y, &canonical, 4);
    return y;
  }
  const double up = powerOfTwo(s.fraction - emax);
  int64_t sum = int64_t(double(acc) * up);
  for (int i = 0; i < s.products; i++) sum += int64_t(a[i] * b[i] * up);
  return toResult(double(sum) * powerOfTwo(emax - s.fraction), s.result);
}

// Operands is a type that tensor cores multiply, and the step of Hopper's wgmma for it: 32 bytes of either operand.
struct Operands {
  const char *name;
  int bytes, exponent, fraction;
  Step step;

  constexpr int depth() const { return 32 / bytes; }  // of one instruction
};
constexpr Operands bf16{"bf16", 2, 8, 7, {16, 25, -126}};
constexpr Operands f16{"f16", 2, 5, 10, {16, 25, -14}};
constexpr Operands tf32{"tf32", 4, 8, 23, {8, 25, -126}};  // as float32 with thirteen low bits of 0
constexpr Operands e4m3{"e4m3", 1, 4, 3, {32, 13, -6, Result::Bits13}};
constexpr Operands e5m2{"e5m2", 1, 5, 2, {32, 13, -14, Result::Bits13}};

// valueOf returns the value of a code. E4M3 has no infinities, and one NaN of either sign.
inline double valueOf(const Operands &o, uint32_t code) {
  const int largest = (1 << o.exponent) - 1, bias = largest / 2, field = int(code >> o.fraction & uint32_t(largest));
  const uint32_t fraction = code & ((1u << o.fraction) - 1);
  const double sign = code >> (o.exponent + o.fraction) & 1 ? -1 : 1;
  if (o.exponent == 4 ? (code & 0x7F) == 0x7F : field == largest) return o.exponent == 4 || fraction != 0 ? double(NAN) : sign * INFINITY;
  if (field == 0) return sign * std::ldexp(double(fraction), 1 - bias - o.fraction);
  return sign * std::ldexp(double(fraction + (1u << o.fraction)), field - bias - o.fraction);
}

// mmaSync returns what one mma.sync of Hopper makes of an accumulator and 32 bytes of values. It has no FP8 of its own: such operands become F16, and are added in
// two steps, those whose number mod 4 is below 2, and then the others.
inline float mmaSync(const Operands &o, float acc, const double *a, const double *b, Result result = Result::Float32) {
  if (o.bytes != 1) return stepOf({o.step.products, o.step.fraction, o.step.smallest, result}, acc, a, b);
  for (int part = 0; part < 2; part++) {
    double x[16], y[16];
    for (int k = 0; k < 16; k++) {
      x[k] = a[k / 2 * 4 + 2 * part + k % 2];
      y[k] = b[k / 2 * 4 + 2 * part + k % 2];
    }
    acc = stepOf({16, 25, -14, result}, acc, x, y);
  }
  return acc;
}

}  // namespace oncpu

// What one step of a tensor core computes, bit for bit, from its operands: no device, no fibers, so that tests and the probe use it too.
//
//	d = cut( Σ_i cut(x_i) ),  emax = max( e(acc), max_i e(a_i) + e(b_i) )
//
// Every term, the exact products and the accumulator, is cut off toward zero at so many fraction bits of the largest exponent; what is left is added
// exactly, and the sum is cut off toward zero to the type of the result. The exponent of a product is the sum of its operands', not normalised; a zero
// counts as 2⁻¹²⁶, a subnormal operand with the smallest exponent of its type. The model is that of Xie et al., MMA-Sim (arXiv 2511.10909); the package
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

// Hopper's steps take 32 bytes of either operand.
constexpr Step hopperBF16{16, 25, -126}, hopperF16{16, 25, -14}, hopperTF32{8, 25, -126};
constexpr Step hopperE4M3{32, 13, -6, Result::Bits13}, hopperE5M2{32, 13, -14, Result::Bits13};

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
  return x == 0 ? -126 : e > smallest ? e : smallest;
}

// toResult brings a finite sum to the type of the result. Beyond the largest float32 lies infinity.
inline float toResult(double x, Result r) {
  if (r == Result::Float16) {
    const double unit = powerOfTwo((fieldOf(x) > -14 ? fieldOf(x) : -14) - 10), y = std::nearbyint(x / unit) * unit;
    return float(std::fabs(y) >= 65536 ? std::copysign(INFINITY, y) : y);
  }
  if (std::fabs(x) < powerOfTwo(-126)) return float(std::trunc(x * powerOfTwo(149)) * powerOfTwo(-149));
  const uint64_t u = bitsOf64(x) & ~((uint64_t(1) << (r == Result::Bits13 ? 39 : 29)) - 1);
  double y;
  std::memcpy(&y, &u, 8);
  return float(y);
}

// stepOf returns the accumulator after one step with the operands a and b. An infinity or NaN among them, or an infinity times zero, gives what the plain
// sum gives; two finite operands reach exponent 254 at most, an infinity and a zero 898.
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

}  // namespace oncpu

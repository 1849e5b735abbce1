// The device's functions of one float32: the vendor's fast instructions, and what the compiler's library makes.
#pragma once
#include <cstdint>
#include <vector>

namespace probe {

constexpr int bins = 512;  // of float32's patterns by sign and exponent: the upper nine bits

int functions();
const char *functionName(int f);

// evaluate returns f of each x.
std::vector<float> evaluate(int f, const std::vector<float> &x);

// Worst is, for each bin, the pattern where f is furthest from float64's function, in last places of the truth and as it stands. Patterns are taken `stride` apart: 1 is
// all of them. What is NaN or infinite on one side alone counts as infinitely far.
struct Worst {
  std::vector<float> x, y, ulps;                      // [bins]
  std::vector<float> absoluteX, absoluteY, absolute;  // [bins]
};
Worst worstOf(int f, uint32_t stride);

}  // namespace probe

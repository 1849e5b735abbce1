// Tests of the stand-in's tensor core: against recorded steps of a real one, and against what special values have to give.
#include "steps.h"

#include <cstdio>
#include <cstring>
#include <vector>

#include "../fp8.h"
#include "../tensor_core.h"

using namespace oncpu;

namespace {

struct Vector {
  int type;
  uint32_t c, d;
  uint32_t a[32], b[32];
};

#include "steps_vectors.inc"

const Operands types[] = {bf16, f16, tf32, e4m3, e5m2};

int failures = 0, checks = 0;

void check(bool good, const char *what, double got, double want) {
  checks++;
  if (good) return;
  failures++;
  std::printf("FAIL %s: %.9g (%a), want %.9g (%a)\n", what, got, got, want, want);
}

bool same(float x, float y) {
  return std::memcmp(&x, &y, 4) == 0;
}

float floatOf(uint32_t u) {
  float x;
  std::memcpy(&x, &u, 4);
  return x;
}

void testRecorded() {
  for (const Vector &v : vectors) {
    const Operands &t = types[v.type];
    double a[32] = {}, b[32] = {};
    for (int k = 0; k < (v.type == 2 ? 4 : t.depth()); k++) {
      a[k] = valueOf(t, v.a[k]);
      b[k] = valueOf(t, v.b[k]);
    }
    const float got = stepOf(t.step, floatOf(v.c), a, b), want = floatOf(v.d);
    check(same(got, want), t.name, got, want);
  }
}

// Every special value comes in the first product; all others are 1·1, and the accumulator is 1 unless said.
void testSpecial() {
  const double infinity = INFINITY;
  const float nan = NAN;
  const struct {
    const char *what;
    float acc;
    double x, y;
    float want;
  } cases[] = {
      {"infinity times zero is not a number", 1, infinity, 0, nan},
      {"zero times infinity is not a number", 1, 0, -infinity, nan},
      {"zero times NaN is not a number", 1, 0, nan, nan},
      {"infinity times a subnormal is infinite", 1, infinity, 0x1p-133, INFINITY},
      {"and has the sign of the product", 1, infinity, -0x1p-133, -INFINITY},
      {"infinity less infinity is not a number", -INFINITY, infinity, 1, nan},
      {"an infinite accumulator stays", -INFINITY, 1, 1, -INFINITY},
      {"a NaN accumulator stays", nan, 1, 1, nan},
      {"beyond the largest float32 lies infinity", 1, 0x1.fep127, 0x1.fep127, INFINITY},
      {"what lies below 25 bits of a large accumulator is lost", 0x1p40, 1, 1, 0x1p40},
      {"negative zeros add to zero", -0.0f, -0.0, 1, 15},
      {"subnormal operands count", 0x1p-126f, 0x1p-133, 1, 15},
  };
  double large[16] = {}, zeros[16] = {};
  large[0] = 0x1p127;
  check(same(stepOf(bf16.step, 0x1p-149f, large, zeros), 0x1p-149f), "a large number times zero costs nothing", stepOf(bf16.step, 0x1p-149f, large, zeros), 0x1p-149);
  const float cut = toResult(0x1.fff8p-127, Result::Bits13);
  check(same(cut, 0x1.fffp-127f), "thirteen bits are cut at a fixed place below the normal numbers", cut, 0x1.fffp-127);
  for (const auto &c : cases) {
    double a[16], b[16];
    for (int k = 0; k < 16; k++) a[k] = b[k] = 1;
    a[0] = c.x;
    b[0] = c.y;
    const float got = stepOf(bf16.step, c.acc, a, b);
    check(c.want != c.want ? got != got : same(got, c.want), c.what, got, c.want);
  }
}

// The same vectors through the fragments of a warp: row r of a and column r mod 8 of b belong to vector r, and the diagonal is compared.
__global__ void mmaKernel(float (*out)[16][8], const uint16_t (*a)[16], const uint16_t (*b)[16], const float *c) {
  const int lane = threadIdx.x, group = lane / 4, pair = lane % 4 * 2;
  const auto packed = [&](const uint16_t *row, int k) { return uint32_t(row[k]) | uint32_t(row[k + 1]) << 16; };
  float acc[4] = {c[group], c[group], c[group + 8], c[group + 8]};
  const uint32_t fa[4] = {packed(a[group], pair), packed(a[group + 8], pair), packed(a[group], pair + 8), packed(a[group + 8], pair + 8)};
  plumbline::mma(acc, fa, packed(b[group], pair), packed(b[group], pair + 8));
  for (int e = 0; e < 4; e++) (*out)[group + e / 2 * 8][pair + e % 2] = acc[e];
}

void testFragments() {
  std::vector<const Vector *> rows;
  for (const Vector &v : vectors) {
    if (v.type == 0 && rows.size() < 8) rows.push_back(&v);
  }
  uint16_t a[16][16] = {}, b[8][16] = {};
  float c[16] = {}, out[16][8];
  for (size_t r = 0; r < rows.size(); r++) {
    for (int k = 0; k < 16; k++) {
      a[r][k] = a[r + 8][k] = uint16_t(rows[r]->a[k]);
      b[r][k] = uint16_t(rows[r]->b[k]);
    }
    c[r] = c[r + 8] = floatOf(rows[r]->c);
  }
  launch(mmaKernel, dim3(1), 32, 0, &out, a, b, c);
  for (size_t r = 0; r < rows.size(); r++) {
    for (size_t row : {r, r + 8}) check(same(out[row][r], floatOf(rows[r]->d)), "mma.sync of a warp", out[row][r], floatOf(rows[r]->d));
  }
}

// A product of 64 × 128 codes with as many, in four steps of 32, once from nothing and once more on top.
__global__ void wgmmaKernel(float (*out)[64][64], const uint8_t (*a)[128], const uint8_t (*b)[128]) {
  unsigned char *sa = plumbline::alignedForSwizzle(oncpu::sharedMemory()), *sb = sa + 64 * 128;
  for (int i = threadIdx.x; i < 64 * 128; i += 128) {
    sa[plumbline::swizzled(i / 128, i % 128 / 16) + i % 16] = a[i / 128][i % 128];
    sb[plumbline::swizzled(i / 128, i % 128 / 16) + i % 16] = b[i / 128][i % 128];
  }
  ::barrier();
  float acc[1][8][4];
  for (int turn = 0; turn < 2; turn++) {
    plumbline::beginProducts(acc);
    for (int k = 0; k < 128; k += 32) plumbline::multiplyCodes(acc[0], plumbline::codeRows(sa + k), plumbline::codeRows(sb + k), turn > 0 || k > 0);
    plumbline::endProducts(acc);
  }
  for (int n = 0; n < 8; n++) {
    for (int e = 0; e < 4; e++) (*out)[threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4 + e / 2 * 8][n * 8 + threadIdx.x % 4 * 2 + e % 2] = acc[0][n][e];
  }
}

void testWarpgroups() {
  static uint8_t a[64][128], b[64][128];
  static float out[64][64];
  uint32_t state = 1;
  const auto code = [&] {
    state = state * 1664525 + 1013904223;
    return uint8_t((state >> 24) % 0x7F | (state >> 16 & 0x80));  // no NaN
  };
  for (int i = 0; i < 64 * 128; i++) a[i / 128][i % 128] = code(), b[i / 128][i % 128] = code();
  launch(wgmmaKernel, dim3(1), 128, 2 * 64 * 128 + 1024, &out, a, b);
  int differ = 0;
  for (int i = 0; i < 64 * 64; i++) {
    float acc = 0;
    for (int k = 0; k < 256; k += 32) {
      double x[32], y[32];
      for (int j = 0; j < 32; j++) x[j] = valueOf(e4m3, a[i / 64][(k + j) % 128]), y[j] = valueOf(e4m3, b[i % 64][(k + j) % 128]);
      acc = stepOf(e4m3.step, acc, x, y);
    }
    differ += !same(out[i / 64][i % 64], acc);
  }
  check(differ == 0, "elements of a warpgroup's product differ", differ, 0);
}

// Codes of both formats, half way between neighbours too, and beyond the last.
void testCodes() {
  using plumbline::roundToE4M3, plumbline::roundToE5M2;
  for (const Operands *o : {&e4m3, &e5m2}) {
    const auto round = [&](double x) { return int(o == &e4m3 ? roundToE4M3(float(x)) : roundToE5M2(float(x))); };
    const int last = o == &e4m3 ? 0x7E : 0x7B;
    for (int c = 0; c <= last; c++) {
      const double x = valueOf(*o, uint32_t(c)), middle = (x + valueOf(*o, uint32_t(c) + 1)) / 2;
      check(round(x) == c && round(-x) == (c | 0x80), "a code is that of its value", round(x), c);
      if (c < last) check(round(middle) == c + c % 2 && round(middle * 1.0001) == c + 1 && round(middle * 0.9999) == c, "between two codes, the even one", round(middle), c + c % 2);
    }
    check(round(1e30) == last && round(-INFINITY) == (last | 0x80) && round(NAN) == 0x7F, "what lies beyond is brought to the largest", round(1e30), last);
  }
  check(plumbline::powerFrom(0.75f) == 1 && plumbline::powerFrom(0.5f) == 0.5f && plumbline::powerFrom(0x1.000002p-3f) == 0.25f, "the least power of two from there on", plumbline::powerFrom(0.75f), 1);
  for (int c = 0; c < 255; c++) {
    check(plumbline::powerOfCode(uint8_t(c)) == std::ldexp(1.0f, c - 127) && (c == 0 || plumbline::codeOfPower(plumbline::powerOfCode(uint8_t(c))) == c), "codes of powers of two", plumbline::powerOfCode(uint8_t(c)), std::ldexp(1.0, c - 127));
  }
}

}  // namespace

int main() {
  testRecorded();
  testSpecial();
  testFragments();
  testWarpgroups();
  testCodes();
  std::printf("tensor core of the stand-in: %d checks, %d failures\n", checks, failures);
  return failures != 0;
}

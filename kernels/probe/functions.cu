#include "probe/functions.h"

#include <cmath>
#include <cstring>

#include "platform.h"
#include "recorder/device.h"

namespace probe {

using plumbline::Buffer;

// Number, name, the kernel's expression for a GPU, that for a processor, and the true function of float64. The .ftz forms flush subnormals.
#define FUNCTIONS(X)                                                             \
  X(0, "ex2.approx.ftz.f32", APPROX("ex2.approx.ftz.f32"), exp2f(x), exp2(t))    \
  X(1, "ex2.approx.f32", APPROX("ex2.approx.f32"), exp2f(x), exp2(t))            \
  X(2, "tanh.approx.f32", APPROX("tanh.approx.f32"), tanhf(x), tanh(t))          \
  X(3, "sin.approx.f32", APPROX("sin.approx.f32"), sinf(x), sin(t))              \
  X(4, "cos.approx.f32", APPROX("cos.approx.f32"), cosf(x), cos(t))              \
  X(5, "lg2.approx.ftz.f32", APPROX("lg2.approx.ftz.f32"), log2f(x), log2(t))    \
  X(6, "lg2.approx.f32", APPROX("lg2.approx.f32"), log2f(x), log2(t))            \
  X(7, "rcp.approx.ftz.f32", APPROX("rcp.approx.ftz.f32"), 1 / x, 1 / t)         \
  X(8, "rcp.approx.f32", APPROX("rcp.approx.f32"), 1 / x, 1 / t)                 \
  X(9, "rsqrt.approx.ftz.f32", APPROX("rsqrt.approx.ftz.f32"), 1 / sqrtf(x), 1 / sqrt(t)) \
  X(10, "rsqrt.approx.f32", APPROX("rsqrt.approx.f32"), 1 / sqrtf(x), 1 / sqrt(t)) \
  X(11, "sqrt.approx.f32", APPROX("sqrt.approx.f32"), sqrtf(x), sqrt(t))         \
  X(12, "__expf", __expf(x), expf(x), exp(t))                                    \
  X(13, "__logf", __logf(x), logf(x), log(t))                                    \
  X(14, "__sinf", __sinf(x), sinf(x), sin(t))                                    \
  X(15, "__cosf", __cosf(x), cosf(x), cos(t))                                    \
  X(16, "expf", expf(x), expf(x), exp(t))                                        \
  X(17, "exp2f", exp2f(x), exp2f(x), exp2(t))                                    \
  X(18, "expm1f", expm1f(x), expm1f(x), expm1(t))                                \
  X(19, "logf", logf(x), logf(x), log(t))                                        \
  X(20, "log2f", log2f(x), log2f(x), log2(t))                                    \
  X(21, "log1pf", log1pf(x), log1pf(x), log1p(t))                                \
  X(22, "tanhf", tanhf(x), tanhf(x), tanh(t))                                    \
  X(23, "sinf", sinf(x), sinf(x), sin(t))                                        \
  X(24, "cosf", cosf(x), cosf(x), cos(t))                                        \
  X(25, "rsqrtf", rsqrtf(x), 1 / sqrtf(x), 1 / sqrt(t))                          \
  X(26, "sqrtf", sqrtf(x), sqrtf(x), sqrt(t))                                    \
  X(27, "reciprocal", 1 / x, 1 / x, 1 / t)

namespace {

#ifdef PLUMBLINE_ON_CPU
#define CASE(number, name, gpu, cpu, truth) case number: return cpu;
#else
#define APPROX(instruction) ([&] { float y; asm(instruction " %0, %1;" : "=f"(y) : "f"(x)); return y; }())
#define CASE(number, name, gpu, cpu, truth) case number: return gpu;
#endif

BOTH float apply(int f, float x) {
#if defined(__CUDA_ARCH__) || defined(PLUMBLINE_ON_CPU)
  switch (f) { FUNCTIONS(CASE) }
#endif
  return x;
}

#define TRUE_CASE(number, name, gpu, cpu, truth) case number: return truth;
BOTH double trueValue(int f, double t) {
  switch (f) { FUNCTIONS(TRUE_CASE) }
  return t;
}

BOTH float fromPattern(uint32_t u) {
  float x;
  memcpy(&x, &u, 4);
  return x;
}

BOTH bool isFinite(double x) { return x - x == 0; }

struct Off {
  float ulps, absolute;
};

// offBy compares with the truth, which is infinite from where float32 overflows on.
BOTH Off offBy(float y, double t) {
  const float infinite = INFINITY, rounded = float(t);
  if (t != t || y != y) return t != t && y != y ? Off{0, 0} : Off{infinite, infinite};
  if (!isFinite(rounded) || !isFinite(y)) return rounded == y ? Off{0, 0} : Off{infinite, infinite};
  const double off = fabs(double(y) - t);
  int e = -126;
  if (fabs(t) >= 0x1p-126) frexp(t, &e), e--;
  return {float(ldexp(off, 23 - e)), float(off)};
}

// A measure not below 0 in front of a pattern: the largest of them is the worst.
BOTH uint64_t packed(float measure, uint32_t pattern) {
  uint32_t u;
  memcpy(&u, &measure, 4);
  return uint64_t(u) << 32 | pattern;
}

constexpr uint32_t binPatterns = 1u << 23;

BOTH void include(int f, uint32_t pattern, uint64_t &ulps, uint64_t &absolute) {
  const float x = fromPattern(pattern);
  const Off off = offBy(apply(f, x), trueValue(f, double(x)));
  const uint64_t u = packed(off.ulps, pattern), a = packed(off.absolute, pattern);
  if (u > ulps) ulps = u;
  if (a > absolute) absolute = a;
}

#ifdef PLUMBLINE_ON_CPU

void search(int f, uint32_t stride, uint64_t *ulps, uint64_t *absolute) {
  for (uint32_t bin = 0; bin < bins; bin++) {
    for (uint32_t i = 0; i < binPatterns; i += stride) include(f, bin * binPatterns + i, ulps[bin], absolute[bin]);
  }
}

#else

constexpr int searchThreads = 256, searchBlocks = 64;  // of each bin

__global__ void searchKernel(int f, uint32_t stride, unsigned long long *ulps, unsigned long long *absolute) {
  const uint32_t bin = blockIdx.x, thread = blockIdx.y * searchThreads + threadIdx.x;
  uint64_t u = 0, a = 0;
  for (uint32_t i = thread; i < binPatterns / stride; i += searchThreads * searchBlocks) include(f, bin * binPatterns + i * stride, u, a);
  atomicMax(&ulps[bin], static_cast<unsigned long long>(u));
  atomicMax(&absolute[bin], static_cast<unsigned long long>(a));
}

void search(int f, uint32_t stride, uint64_t *ulps, uint64_t *absolute) {
  launch(searchKernel, dim3(bins, searchBlocks), searchThreads, 0, f, stride, reinterpret_cast<unsigned long long *>(ulps), reinterpret_cast<unsigned long long *>(absolute));
}

#endif

__global__ void applyKernel(int f, const float *x, float *y, int n) {
  for (int i = int(blockIdx.x) * 256 + int(threadIdx.x); i < n; i += int(gridDim.x) * 256) y[i] = apply(f, x[i]);
}

template <class T> std::vector<T> copyOf(const Buffer &b) {
  const std::vector<unsigned char> bytes = b.download();
  std::vector<T> x(bytes.size() / sizeof(T));
  memcpy(x.data(), bytes.data(), bytes.size());
  return x;
}

// unpack splits what a search has found: the measure, the pattern and the function's value there.
void unpack(int f, const std::vector<uint64_t> &found, std::vector<float> &x, std::vector<float> &y, std::vector<float> &measure) {
  for (const uint64_t w : found) {
    measure.push_back(fromPattern(uint32_t(w >> 32)));
    x.push_back(fromPattern(uint32_t(w)));
  }
  y = evaluate(f, x);
}

}  // namespace

#define COUNT(number, name, gpu, cpu, truth) +1
int functions() { return 0 FUNCTIONS(COUNT); }

#define NAME(number, name, gpu, cpu, truth) name,
const char *functionName(int f) {
  static const char *const names[] = {FUNCTIONS(NAME)};
  return names[f];
}

std::vector<float> evaluate(int f, const std::vector<float> &x) {
  const Buffer from(x.data(), x.size() * 4), to(x.size() * 4);
  to.poison();
  launch(applyKernel, dim3(32), 256, 0, f, from.as<const float>(), to.as<float>(), int(x.size()));
  plumbline::finish();
  return copyOf<float>(to);
}

Worst worstOf(int f, uint32_t stride) {
  const std::vector<uint64_t> zeros(bins);
  const Buffer ulps(zeros.data(), bins * 8), absolute(zeros.data(), bins * 8);
  search(f, stride, ulps.as<uint64_t>(), absolute.as<uint64_t>());
  plumbline::finish();
  Worst w;
  unpack(f, copyOf<uint64_t>(ulps), w.x, w.y, w.ulps);
  unpack(f, copyOf<uint64_t>(absolute), w.absoluteX, w.absoluteY, w.absolute);
  return w;
}

}  // namespace probe

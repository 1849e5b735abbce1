// Tensor-core steps by mma.sync (a warp, 16 × 8) and by wgmma (a warpgroup, 64 × 8), each with its accumulators read after every step and once more in one chain.
//
// Fragments of all types are the same in bytes (tensor_core.h has them for 16 bits): register i of a holds bytes 4·(lane mod 4) + 16·(i/2) on of row
// lane/4 + 8·(i mod 2), register i of b bytes 4·(lane mod 4) + 16·i on of column lane/4.
#include "probe/steps.h"

#include "platform.h"
#include "recorder/device.h"
#ifndef PLUMBLINE_ON_CPU
#include <cuda_fp16.h>
#endif

namespace probe {

using plumbline::Buffer;

namespace {

// A matrix of rows of 32 bytes a step, in words.
DEVICE uint32_t wordOf(const uint32_t *x, int row, int words, int at) { return x[row * words + at]; }

#ifdef PLUMBLINE_ON_CPU

template <int KIND> void mma(float (&x)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  oncpu::mma(x, a, b0, b1, operandsOf(Kind(KIND)), KIND == KindF16Short ? oncpu::Result::Float16 : oncpu::Result::Float32);
}
uint32_t sharedAddress(const void *p) { return uint32_t(static_cast<const unsigned char *>(p) - oncpu::sharedMemory()); }
void beginGroup() { barrier(); }
void endGroup(float (&)[4]) { barrier(); }

// wgmma reads the bytes that the descriptors lead to.
template <int KIND> void wgmma(float (&x)[4], uint64_t da, uint64_t db, bool keep) {
  const Operands &o = operandsOf(Kind(KIND));
  const auto value = [&](uint64_t d, int row, int k) {
    const int byte = k * o.bytes, start = int(d & 0x3FFF) * 16, leading = int(d >> 16 & 0x3FFF) * 16, stride = int(d >> 32 & 0x3FFF) * 16;
    uint32_t u = 0;
    memcpy(&u, oncpu::sharedMemory() + start + byte / 16 * leading + row / 8 * stride + row % 8 * 16 + byte % 16, size_t(o.bytes));
    return oncpu::valueOf(o, u);
  };
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  oncpu::Step step = o.step;
  if (KIND == KindF16Short) step.result = oncpu::Result::Float16;
  for (int e = 0; e < 4; e++) {
    double a[32] = {}, b[32] = {};
    for (int k = 0; k < o.depth(); k++) {
      a[k] = value(da, warp * 16 + lane / 4 + e / 2 * 8, k);
      b[k] = value(db, lane % 4 * 2 + e % 2, k);
    }
    x[e] = oncpu::stepOf(step, keep ? x[e] : 0, a, b);
  }
}

#else

DEVICE uint32_t halves(float low, float high) {
  return uint32_t(__half_as_ushort(__float2half_rn(low))) | uint32_t(__half_as_ushort(__float2half_rn(high))) << 16;
}
DEVICE void fromHalves(float (&x)[4], uint32_t low, uint32_t high) {
  x[0] = __half2float(__ushort_as_half(uint16_t(low)));
  x[1] = __half2float(__ushort_as_half(uint16_t(low >> 16)));
  x[2] = __half2float(__ushort_as_half(uint16_t(high)));
  x[3] = __half2float(__ushort_as_half(uint16_t(high >> 16)));
}

#define MMA(depth, type)                                                                                                                     \
  asm volatile("mma.sync.aligned.m16n8k" depth ".row.col.f32." type "." type ".f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"    \
               : "+f"(x[0]), "+f"(x[1]), "+f"(x[2]), "+f"(x[3])                                                                              \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1))
template <int KIND> DEVICE void mma(float (&x)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1) {
  if constexpr (KIND == KindBF16) MMA("16", "bf16");
  if constexpr (KIND == KindF16) MMA("16", "f16");
  if constexpr (KIND == KindTF32) MMA("8", "tf32");
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 890
  if constexpr (KIND == KindE4M3) MMA("32", "e4m3");
  if constexpr (KIND == KindE5M2) MMA("32", "e5m2");
#endif
  if constexpr (KIND == KindF16Short) {
    uint32_t low = halves(x[0], x[1]), high = halves(x[2], x[3]);
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%0,%1}, {%2,%3,%4,%5}, {%6,%7}, {%0,%1};"
                 : "+r"(low), "+r"(high)
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
    fromHalves(x, low, high);
  }
}

// wgmma is there where the code is compiled for sm_90a; elsewhere the host does not launch its kernel.
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define HAS_WGMMA
#endif

DEVICE uint32_t sharedAddress(const void *p) { return uint32_t(__cvta_generic_to_shared(p)); }
DEVICE void beginGroup() {
#ifdef HAS_WGMMA
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
#endif
}
DEVICE void endGroup(float (&x)[4]) {
#ifdef HAS_WGMMA
  asm volatile("wgmma.commit_group.sync.aligned;\n wgmma.wait_group.sync.aligned 0;" : "+f"(x[0]), "+f"(x[1]), "+f"(x[2]), "+f"(x[3])::"memory");
#endif
}

#define WGMMA(text, transposed)                                                                                                              \
  asm volatile("{.reg .pred p; setp.ne.b32 p, %6, 0; wgmma.mma_async.sync.aligned." text " {%0,%1,%2,%3}, %4, %5, p, 1, 1" transposed ";}"   \
               : "+f"(x[0]), "+f"(x[1]), "+f"(x[2]), "+f"(x[3])                                                                              \
               : "l"(da), "l"(db), "r"(int(keep)))
template <int KIND> DEVICE void wgmma(float (&x)[4], uint64_t da, uint64_t db, bool keep) {
#ifdef HAS_WGMMA
  if constexpr (KIND == KindBF16) WGMMA("m64n8k16.f32.bf16.bf16", ", 0, 0");
  if constexpr (KIND == KindF16) WGMMA("m64n8k16.f32.f16.f16", ", 0, 0");
  if constexpr (KIND == KindTF32) WGMMA("m64n8k8.f32.tf32.tf32", "");
  if constexpr (KIND == KindE4M3) WGMMA("m64n8k32.f32.e4m3.e4m3", "");
  if constexpr (KIND == KindE5M2) WGMMA("m64n8k32.f32.e5m2.e5m2", "");
#endif
}

#endif

struct Call {
  const uint32_t *a, *b;
  const float *c;
  float *each, *chained;
  bool accumulator, exchanged;
};

// With CHAINED the accumulator stays in registers until the last step; otherwise it is stored after every one.
template <int KIND, bool CHAINED> __global__ void mmaKernel(Call call) {
  constexpr int words = 8 * chainSteps;
  const int lane = threadIdx.x, group = lane / 4, t = lane % 4;
  const auto outputOf = [&](int e) { return (group + e / 2 * 8) * 8 + t * 2 + e % 2; };
  float x[4];
  for (int e = 0; e < 4; e++) x[e] = call.c[outputOf(e)];
#pragma unroll
  for (int s = 0; s < chainSteps; s++) {
    uint32_t a[4];
    for (int i = 0; i < 4; i++) a[i] = wordOf(call.a, group + i % 2 * 8, words, s * 8 + t + i / 2 * 4);
    mma<KIND>(x, a, wordOf(call.b, group, words, s * 8 + t), wordOf(call.b, group, words, s * 8 + t + 4));
    for (int e = 0; e < 4 && !CHAINED; e++) call.each[s * 128 + outputOf(e)] = x[e];
  }
  for (int e = 0; e < 4 && CHAINED; e++) call.chained[outputOf(e)] = x[e];
}

constexpr int groupRows = 64, groupThreads = 128;

// fillShared puts the bytes of an operand into shared memory in the order that descriptors describe.
DEVICE void fillShared(unsigned char *to, const uint32_t *from, int rows, int words) {
  for (int i = threadIdx.x; i < rows * words; i += groupThreads) *reinterpret_cast<uint32_t *>(to + sharedByte(i / words, i % words * 4, rows)) = from[i];
}

template <int KIND, bool CHAINED> __global__ void __launch_bounds__(groupThreads, 1) wgmmaKernel(Call call) {
  SHARED_MEMORY(memory);
  constexpr int words = 8 * chainSteps;
  const int lane = threadIdx.x % 32, row = threadIdx.x / 32 * 16 + lane / 4, column = lane % 4 * 2;
  const auto outputOf = [&](int e) { return (row + e / 2 * 8) * 8 + column + e % 2; };
  unsigned char *sa = memory, *sb = sa + groupRows * 4 * words;
  fillShared(sa, call.a, groupRows, words);
  fillShared(sb, call.b, 8, words);
  const uint32_t alongK = groupRows * 16, alongRows = 128;
  float x[4];
  for (int e = 0; e < 4; e++) x[e] = call.accumulator ? call.c[outputOf(e)] : 0.0f;
  beginGroup();  // what was written to shared memory is seen by the tensor core from here on
#pragma unroll
  for (int s = 0; s < chainSteps; s++) {
    const uint32_t at = sharedAddress(sa + sharedByte(0, s * 32, groupRows));
    const uint64_t da = call.exchanged ? descriptor(at, alongRows, alongK) : descriptor(at, alongK, alongRows);
    const uint64_t db = descriptor(sharedAddress(sb + sharedByte(0, s * 32, 8)), 128, 128);
    wgmma<KIND>(x, da, db, call.accumulator || s > 0);
    if (CHAINED) continue;
    endGroup(x);
    for (int e = 0; e < 4; e++) call.each[s * groupRows * 8 + outputOf(e)] = x[e];
    if (s + 1 < chainSteps) beginGroup();
  }
  if (!CHAINED) return;
  endGroup(x);
  for (int e = 0; e < 4; e++) call.chained[outputOf(e)] = x[e];
}

template <int KIND> void start(bool wgmma, const Call &c) {
  // Both operands; and what the last step would reach with the distances exchanged, which must not lie outside.
  constexpr size_t operands = size_t(groupRows + 8) * 32 * chainSteps, reach = size_t(chainSteps - 1) * 2 * groupRows * 16 + (groupRows / 8 - 1) * groupRows * 16 + 128 + 128;
  constexpr size_t shared = operands > reach ? operands : reach;
  if (!wgmma) {
    launch(mmaKernel<KIND, false>, dim3(1), 32, 0, c);
    launch(mmaKernel<KIND, true>, dim3(1), 32, 0, c);
  } else if constexpr (KIND != KindF16Short) {
    launch(wgmmaKernel<KIND, false>, dim3(1), groupThreads, shared, c);
    launch(wgmmaKernel<KIND, true>, dim3(1), groupThreads, shared, c);
  }
}

std::vector<float> floatsOf(const Buffer &b) {
  const std::vector<unsigned char> bytes = b.download();
  std::vector<float> x(bytes.size() / 4);
  memcpy(x.data(), bytes.data(), bytes.size());
  return x;
}

}  // namespace

Products multiply(Kind kind, bool wgmma, const Tile &t, bool accumulator, bool exchanged) {
  const size_t outputs = t.c.size() * 4;
  const Buffer a(t.a.data(), t.a.size()), b(t.b.data(), t.b.size()), c(t.c.data(), outputs), each(outputs * size_t(t.steps)), chained(outputs);
  each.poison();
  chained.poison();
  const Call call{a.as<const uint32_t>(), b.as<const uint32_t>(), c.as<const float>(), each.as<float>(), chained.as<float>(), accumulator, exchanged};
  switch (kind) {
    case KindBF16: start<KindBF16>(wgmma, call); break;
    case KindF16: start<KindF16>(wgmma, call); break;
    case KindTF32: start<KindTF32>(wgmma, call); break;
    case KindE4M3: start<KindE4M3>(wgmma, call); break;
    case KindE5M2: start<KindE5M2>(wgmma, call); break;
    default: start<KindF16Short>(wgmma, call);
  }
  plumbline::finish();
  return {floatsOf(each), floatsOf(chained)};
}

}  // namespace probe

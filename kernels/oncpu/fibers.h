// A GPU's threads on one processor, for tests: each thread of a block is a fiber, warp-wide instructions and barriers are meeting points.
//
// Blocks run one after the other. Fibers run in an order that is shuffled anew at every round and launch, from PLUMBLINE_SEED, and warps fall asleep now
// and then while others run ahead: a kernel that lacks a barrier gives different results from launch to launch. Asynchronous copies happen when they are issued or when they are waited for, as a coin decides: a
// kernel that waits too late, or overwrites too early, is found the same way. Shared memory is full of NaN at first, and every access by a
// matrix load or an asynchronous copy is checked to lie inside it, aligned to 16 bytes.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "steps.h"

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

#define __global__
#define __launch_bounds__(...)
#define __restrict__ __restrict
#define SHARED_MEMORY(name) unsigned char *name = oncpu::sharedMemory()

namespace plumbline {
struct bf16;
}

namespace oncpu {

extern dim3 blockNow, gridNow, threadsNow, threadNow;

void run(dim3 grid, int threads, size_t shared, const std::function<void()> &kernel);
unsigned char *sharedMemory();
void barrier();
float shuffle(float x, int lane);
unsigned ballot(bool yes);
void loadMatrices(uint32_t (&r)[4], const plumbline::bf16 *row, bool transposed);
void mma(float (&acc)[4], const uint32_t (&a)[4], uint32_t b0, uint32_t b1, const Operands &type = bf16, Result result = Result::Float32);
void wgmma(float (&acc)[8][4], uint64_t a, uint64_t b, bool keep);
void copyAsync(void *to, const void *from, bool there);
void commitCopies();
void waitCopies(int pending);

}  // namespace oncpu

#define threadIdx oncpu::threadNow
#define blockIdx oncpu::blockNow
#define blockDim oncpu::threadsNow
#define gridDim oncpu::gridNow

template <class... Parameters, class... Arguments>
inline void launch(void (*kernel)(Parameters...), dim3 grid, int threads, size_t shared, Arguments... arguments) {
  oncpu::run(grid, threads, shared, [=] { kernel(arguments...); });
}

inline void barrier() { oncpu::barrier(); }
inline float shuffle(float x, int lane) { return oncpu::shuffle(x, lane); }
inline float shuffleXor(float x, int mask) { return oncpu::shuffle(x, int(oncpu::threadNow.x % 32) ^ mask); }
inline unsigned whichLanes(bool yes) { return oncpu::ballot(yes); }
inline int lowestBit(unsigned mask) { return __builtin_ctz(mask); }
inline int countBits(unsigned mask) { return __builtin_popcount(mask); }

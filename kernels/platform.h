// What the kernels need of the machine they run on: launches, barriers, shuffles, shared memory and checked calls.
//
// There are two machines. nvcc compiles for a GPU. A plain C++ compiler with -DPLUMBLINE_ON_CPU compiles the same sources for a processor, each
// CUDA thread a fiber (oncpu/fibers.h): far too slow to be of use, but every index, barrier and mask of a kernel can be tested without a GPU.
#pragma once
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>

#ifdef PLUMBLINE_ON_CPU

#include "oncpu/fibers.h"
#define BOTH inline
#define DEVICE inline
#define CHECK(call) call

#else

#include <cuda_runtime.h>
#define BOTH __host__ __device__ inline
#define DEVICE __device__ __forceinline__

// CHECK throws if a CUDA call fails.
#define CHECK(call)                                                                                                                          \
  do {                                                                                                                                       \
    const cudaError_t error_ = (call);                                                                                                       \
    if (error_ != cudaSuccess) {                                                                                                             \
      throw std::runtime_error(std::string(__FILE__ ":") + std::to_string(__LINE__) + ": " #call ": " + cudaGetErrorString(error_));         \
    }                                                                                                                                        \
  } while (0)

// The shared memory of a block, all of it dynamic.
#define SHARED_MEMORY(name) extern __shared__ __align__(128) unsigned char name[]

// launch runs a kernel on the default stream, with its dynamic shared memory, and checks that it could start.
template <class... Parameters, class... Arguments>
inline void launch(void (*kernel)(Parameters...), dim3 grid, int threads, size_t shared, Arguments... arguments) {
  if (shared > 48 * 1024) {
    CHECK(cudaFuncSetAttribute(reinterpret_cast<const void *>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize, int(shared)));
  }
  kernel<<<grid, threads, shared>>>(arguments...);
  CHECK(cudaGetLastError());
}

DEVICE void barrier() { __syncthreads(); }
DEVICE float shuffle(float x, int lane) { return __shfl_sync(0xffffffffu, x, lane); }
DEVICE float shuffleXor(float x, int mask) { return __shfl_xor_sync(0xffffffffu, x, mask); }
DEVICE unsigned whichLanes(bool yes) { return __ballot_sync(0xffffffffu, yes); }
DEVICE int lowestBit(unsigned mask) { return __ffs(int(mask)) - 1; }
DEVICE int countBits(unsigned mask) { return __popc(mask); }

#endif

namespace plumbline {

constexpr float minusInfinity = -INFINITY;
constexpr double log2e = 1.44269504088896340736, ln2 = 0.69314718055994530942;

template <class T> BOTH T least(T a, T b) { return a < b ? a : b; }
template <class T> BOTH T most(T a, T b) { return a > b ? a : b; }
template <class T> BOTH T ceilDivide(T a, T b) { return (a + b - 1) / b; }

// Reductions over the 32 lanes of a warp, as a butterfly: every lane ends with the same bits.
DEVICE float warpSum(float x) {
  for (int mask = 16; mask > 0; mask /= 2) x += shuffleXor(x, mask);
  return x;
}
DEVICE float warpMax(float x) {
  for (int mask = 16; mask > 0; mask /= 2) x = fmaxf(x, shuffleXor(x, mask));
  return x;
}
// Reductions over the four lanes that hold a row of an mma accumulator.
DEVICE float quadSum(float x) {
  x += shuffleXor(x, 1);
  return x + shuffleXor(x, 2);
}
DEVICE float quadMax(float x) {
  x = fmaxf(x, shuffleXor(x, 1));
  return fmaxf(x, shuffleXor(x, 2));
}

}  // namespace plumbline

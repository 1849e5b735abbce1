// What the device can do at most, measured in the same run as the kernels: a large copy, a large bf16 product by mma.sync, and mma.sync alone.
// The product is a plain tiled one without wgmma, as the kernels here are; libraries with wgmma go higher.
#include <algorithm>
#include <vector>

#include "device.h"
#include "element.h"
#include "launch.h"
#include "tensor_core.h"

#ifndef PLUMBLINE_ON_CPU

namespace plumbline {

namespace {

constexpr int side = 8192, tileM = 128, tileN = 256, tileK = 32, stages = 4, productThreads = 256;
constexpr int partA = tileM * padded(tileK), partB = tileN * padded(tileK), stage = partA + partB;

// c = a·bᵀ for row-major square matrices. Eight warps, each 64 × 64 of a 128 × 256 tile; the next columns arrive in stages of 32 meanwhile.
__global__ void __launch_bounds__(productThreads, 1) productKernel(const bf16 *a, const bf16 *b, bf16 *c) {
  SHARED_MEMORY(memory);
  bf16 *tiles = reinterpret_cast<bf16 *>(memory);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, m = warp % 2 * 64, n = warp / 2 * 64;
  a += int64_t(blockIdx.y) * tileM * side;
  b += int64_t(blockIdx.x) * tileN * side;
  const auto load = [&](int step) {
    bf16 *to = tiles + step % stages * stage;
    if (step * tileK < side) {
      loadTile<tileM, tileK, productThreads>(to, a + step * tileK, side, tileM, tileK);
      loadTile<tileN, tileK, productThreads>(to + partA, b + step * tileK, side, tileN, tileK);
    }
    commitCopies();
  };
  float acc[4][8][4] = {};
  for (int step = 0; step < stages - 1; step++) load(step);
  for (int step = 0; step < side / tileK; step++) {
    waitCopies<stages - 2>();  // this stage is here
    barrier();                 // for all warps, and all are done with the stage before, which is loaded anew
    load(step + stages - 1);
    const bf16 *rowA = tiles + step % stages * stage + (m + lane % 16) * padded(tileK) + lane / 16 * 8;
    const bf16 *rowB = tiles + step % stages * stage + partA + (n + lane % 8 + lane / 16 * 8) * padded(tileK) + lane / 8 % 2 * 8;
#pragma unroll
    for (int k = 0; k < tileK; k += 16) {
      uint32_t fa[4][4], fb[4];
#pragma unroll
      for (int i = 0; i < 4; i++) loadMatrices(fa[i], rowA + 16 * i * padded(tileK) + k);
#pragma unroll
      for (int j = 0; j < 4; j++) {
        loadMatrices(fb, rowB + 16 * j * padded(tileK) + k);
#pragma unroll
        for (int i = 0; i < 4; i++) {
          mma(acc[i][2 * j], fa[i], fb[0], fb[1]);
          mma(acc[i][2 * j + 1], fa[i], fb[2], fb[3]);
        }
      }
    }
  }
  waitCopies<0>();
#pragma unroll
  for (int i = 0; i < 4; i++) {
#pragma unroll
    for (int e = 0; e < 2; e++) {
      const int64_t row = int64_t(blockIdx.y) * tileM + m + 16 * i + 8 * e + lane / 4;
      storeRow(c + row * side + int64_t(blockIdx.x) * tileN + n, acc[i], e, 64);
    }
  }
}

constexpr int issueSteps = 4096;

// mma.sync on registers that never change: eight independent accumulators a warp.
__global__ void issueKernel(float *out, uint32_t bits) {
  float acc[8][4] = {};
  const uint32_t a[4] = {bits, bits, bits, bits};
  for (int i = 0; i < issueSteps; i++) {
#pragma unroll
    for (int n = 0; n < 8; n++) mma(acc[n], a, bits, bits);
  }
  float sum = 0;
  for (int n = 0; n < 8; n++) sum += acc[n][0] + acc[n][1] + acc[n][2] + acc[n][3];
  out[blockIdx.x * size_t(blockDim.x) + threadIdx.x] = sum;
}

Buffer randomMatrix(uint64_t seed) {
  Buffer x(size_t(side) * side * 2);
  generate({Normal, seed, 0, 0, 0, 0, ElementBF16, size_t(side) * side, x.get()});
  return x;
}

// elementError compares some elements of the product with float64.
double elementError(const Buffer &a, const Buffer &b, const Buffer &c) {
  const std::vector<unsigned char> x = a.download(), y = b.download(), z = c.download();
  double error = 0, size = 0;
  for (size_t i = 0; i < 64; i++) {
    const size_t row = splitmix64(1, i) % side, column = splitmix64(2, i) % side;
    double sum = 0;
    for (size_t k = 0; k < side; k++) sum += decode(ElementBF16, x.data(), row * side + k) * decode(ElementBF16, y.data(), column * side + k);
    const double off = decode(ElementBF16, z.data(), row * side + column) - sum;
    error += off * off;
    size += sum * sum;
  }
  return std::sqrt(error / size);
}

}  // namespace

void measureCeilings(const Device &d, Ceilings &c) {
  {
    const size_t bytes = size_t(2) << 30;
    Buffer from(bytes), to(bytes);
    generate({Uniform, 3, 0, 0, 0, 0, ElementF32, bytes / 4, from.get()});
    const Times t = measure([&] { CHECK(cudaMemcpyAsync(to.get(), from.get(), bytes, cudaMemcpyDeviceToDevice)); });
    c.copy = 2.0 * double(bytes) / t.median * 1e-3;
  }
  {
    Buffer a = randomMatrix(1), b = randomMatrix(2), out(size_t(side) * side * 2);
    out.poison();
    const size_t shared = stages * stage * sizeof(bf16);
    const Times t = measure([&] {
      launch(productKernel, dim3(side / tileN, side / tileM), productThreads, shared, a.as<const bf16>(), b.as<const bf16>(), out.as<bf16>());
    });
    c.product = 2.0 * side * side * side / t.median * 1e-6;
    c.error = elementError(a, b, out);
  }
  {
    const unsigned blocks = unsigned(d.multiprocessors) * 2;
    Buffer out(size_t(blocks) * 256 * sizeof(float));
    const Times t = measure([&] { launch(issueKernel, dim3(blocks), 256, 0, out.as<float>(), 0x3F813F7Eu); });
    c.issue = 2.0 * 16 * 8 * 16 * 8 * issueSteps * 8 * blocks / t.median * 1e-6;
  }
  finish();
}

}  // namespace plumbline

#endif

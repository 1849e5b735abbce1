// RMSNorm of float32 rows, a thread for each row, and its recording:
//
//   nvcc -o rms_norm rms_norm.cu && ./rms_norm       # on a GPU
//   c++ -std=c++17 -x c++ -o rms_norm rms_norm.cu && ./rms_norm    # without one: the rows in a loop
#include <vector>

#include "plumbline.h"

#ifndef __CUDACC__
#define __global__
#define __device__
#endif

__device__ void normRow(float *y, const float *x, const float *weight, int d, float eps) {
  float squares = 0;
  for (int i = 0; i < d; i++) squares += x[i] * x[i];
#ifdef WRONG
  const float r = 1 / sqrtf(squares / d);  // where is eps?
#else
  const float r = 1 / sqrtf(squares / d + eps);
#endif
  for (int i = 0; i < d; i++) y[i] = x[i] * r * weight[i];
}

#ifdef __CUDACC__
__global__ void rmsNorm(float *y, const float *x, const float *weight, int n, int d, float eps) {
  const int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row < n) normRow(y + row * d, x + row * d, weight, d, eps);
}

float *device(const std::vector<float> &host) {
  float *copy = nullptr;
  cudaMalloc(&copy, host.size() * sizeof(float));
  cudaMemcpy(copy, host.data(), host.size() * sizeof(float), cudaMemcpyHostToDevice);
  return copy;
}
#endif

int main() {
  const int n = 64, d = 1536;
  const float eps = 1e-3f;
  std::vector<float> hostX(n * d), hostWeight(d), hostY(n * d);
  for (int i = 0; i < n * d; i++) hostX[i] = sinf(1.0f + i) / 8;
  for (int i = 0; i < d; i++) hostWeight[i] = 1 + cosf(i) / 4;
#ifdef __CUDACC__
  float *x = device(hostX), *weight = device(hostWeight), *y = device(hostY);
#else
  float *x = hostX.data(), *weight = hostWeight.data(), *y = hostY.data();
#endif

  plumbline::Recording r("norm.rms");
  r.input("x", x, "F32", {n, d});
  r.input("weight", weight, "F32", {d});
  r.attr("eps", eps);
#ifdef __CUDACC__
  rmsNorm<<<(n + 127) / 128, 128>>>(y, x, weight, n, d, eps);
#else
  for (int row = 0; row < n; row++) normRow(y + row * d, x + row * d, weight, d, eps);
#endif
  r.output("y", y, "F32", {n, d});
  r.provenance("source", "rms_norm.cu");
  r.save("rms_norm.safetensors");
}

// fp8.cast: codes of F8_E4M3 or F8_E5M2 for blocks of any shape, each with a scale of its own.
//
// A block of threads takes a block of the matrix, twice: for its largest size, then for its codes. What a ragged block lacks counts as 0.
//
// Roundings. scale = max(amax, floor)/largest, one float32 quotient; as a power of two it is the least from there on, exactly. A code is x/scale,
// x·(1/scale) or x·(largest/amax) in float32, as the recipe says (divide if it says nothing), rounded to nearest even and brought to the largest value where it lies beyond.
#include "fp8.h"
#include "launch.h"
#include "reduce.h"

namespace plumbline {
namespace VARIANT {
namespace {

constexpr int castThreads = 128;

// eachOfBlock calls work(index) for the elements of a block that fall to this thread.
template <class Work> DEVICE void eachOfBlock(const CastCall &c, int block, Work work) {
  const int columns = ceilDivide(c.K, c.b1), row0 = block / columns * c.b0, column0 = block % columns * c.b1;
  for (int64_t i = threadIdx.x; i < int64_t(c.b0) * c.b1; i += castThreads) {
    const int64_t row = row0 + i / c.b1, column = column0 + i % c.b1;
    if (row < c.M && column < c.K) work(row * c.K + column);
  }
}

// eachForAmax calls work(index) for the elements whose largest size makes this block's scale.
template <class Work> DEVICE void eachForAmax(const CastCall &c, Work work) {
#ifdef MISTAKE_AMAX_OF_ROW
  CastCall row = c;
  row.b1 = c.K;
  eachOfBlock(row, blockIdx.x / ceilDivide(c.K, c.b1), work);
  return;
#endif
  eachOfBlock(c, blockIdx.x, work);
}

DEVICE float floored(float amax, float floor) {
#ifdef MISTAKE_FLOOR_MISSING
  return amax;
#endif
  return fmaxf(amax, floor);
}

// asPower returns the scale as a power of two.
DEVICE float asPower(float exact) {
#ifdef MISTAKE_SCALE_TRUNCATED
  return powerBelow(exact);
#endif
  return powerFrom(exact);
}

template <class T> __global__ void castKernel(CastCall c) {
  SHARED_MEMORY(memory);
  const T *x = static_cast<const T *>(c.x);
  const float largest = c.e5m2 ? 57344.0f : 448.0f;
  float amax = 0;
  eachForAmax(c, [&](int64_t i) { amax = fmaxf(amax, fabsf(toFloat(x[i]))); });
  amax = floored(blockMax<castThreads>(amax, reinterpret_cast<float *>(memory)), c.floor);
  const float exact = amax / largest, scale = c.powers ? asPower(exact) : exact;
  const float factor = c.recipe == castAmax ? largest / amax : 1 / scale;
  eachOfBlock(c, blockIdx.x, [&](int64_t i) {
    const float y = c.recipe == castDivide ? toFloat(x[i]) / scale : toFloat(x[i]) * factor;
    c.q[i] = c.e5m2 ? roundToE5M2(y) : roundToE4M3(y);
  });
  if (threadIdx.x != 0) return;
  if (c.codes) {
    static_cast<uint8_t *>(c.scale)[blockIdx.x] = codeOfPower(scale);
  } else {
    static_cast<float *>(c.scale)[blockIdx.x] = scale;
  }
}

}  // namespace

void fp8Cast(const CastCall &c) {
  launch(c.type == BF16 ? castKernel<bf16> : castKernel<float>, dim3(unsigned(ceilDivide(c.M, c.b0)) * unsigned(ceilDivide(c.K, c.b1))), castThreads,
         castThreads / 32 * sizeof(float), c);
}

}  // namespace VARIANT
}  // namespace plumbline

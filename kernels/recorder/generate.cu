// Parts of generated inputs, made on the device by the integer recipe of element.h. Permutations and edits are the host's.
#include "element.h"
#include "launch.h"
#include "platform.h"

namespace plumbline {

namespace {

BOTH void generateOne(const GenerateCall &c, size_t i) {
  const uint64_t code = encode(Element(c.code), scaled(drawn(c.dist, c.seed, c.first + i, c.lo, c.hi), c.exp2, c.shift));
  switch (sizeOf(Element(c.code))) {
    case 8: static_cast<uint64_t *>(c.out)[i] = code; break;
    case 4: static_cast<uint32_t *>(c.out)[i] = uint32_t(code); break;
    case 2: static_cast<uint16_t *>(c.out)[i] = uint16_t(code); break;
    default: static_cast<uint8_t *>(c.out)[i] = uint8_t(code);
  }
}

#ifndef PLUMBLINE_ON_CPU
__global__ void generateKernel(GenerateCall c) {
  for (size_t i = blockIdx.x * size_t(blockDim.x) + threadIdx.x; i < c.count; i += size_t(gridDim.x) * blockDim.x) generateOne(c, i);
}
#endif

}  // namespace

void generate(const GenerateCall &c) {
#ifdef PLUMBLINE_ON_CPU
  for (size_t i = 0; i < c.count; i++) generateOne(c, i);
#else
  if (c.count > 0) launch(generateKernel, dim3(unsigned(least(ceilDivide(c.count, size_t(256)), size_t(1) << 16))), 256, 0, c);
#endif
}

}  // namespace plumbline

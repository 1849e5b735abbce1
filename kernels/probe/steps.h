// The device's side of the tensor-core parts.
#pragma once
#include <vector>

#include "probe/operands.h"

namespace probe {

// Kinds of products. The last is F16 with a float16 accumulator.
enum Kind { KindBF16, KindF16, KindTF32, KindE4M3, KindE5M2, KindF16Short, kinds };
inline const Operands &operandsOf(Kind k) {
  static const Operands all[] = {oncpu::bf16, oncpu::f16, oncpu::tf32, oncpu::e4m3, oncpu::e5m2, oncpu::f16};
  return all[k];
}
inline const char *nameOf(Kind k) { return k == KindF16Short ? "f16-short" : operandsOf(k).name; }

constexpr int chainSteps = 3;

struct Products {
  std::vector<float> each;     // [steps][rows][8]: the accumulator after every step, read in between
  std::vector<float> chained;  // [rows][8]: after all steps in one go
};

// multiply runs a tile of chainSteps steps: by mma.sync on 16 rows, or by wgmma on 64. Without an accumulator (wgmma alone) the first step takes none. With `exchanged` the two
// distances of a's descriptor are. It throws if the device cannot or fails.
Products multiply(Kind kind, bool wgmma, const Tile &t, bool accumulator, bool exchanged);

}  // namespace probe

// What one tile gives: a row of products for each output and step, with the accumulator before and after; the device's models, and how to write rows down.
#pragma once
#include <algorithm>

#include "probe/steps.h"
#include "probe/table.h"

namespace probe {

struct Capability {
  int major, minor;
};

// accumulatorName is how a recording declares the device's steps.
inline const char *accumulatorName(Capability c) {
  if (c.major == 7) return "F32_VOLTA";
  if (c.major == 8) return c.minor == 9 ? "F32_ADA" : "F32_AMPERE";
  return c.major == 9 ? "F32_HOPPER" : "F32_BLACKWELL";
}

// A way to use an instruction: with all of its operands or with some, so that it makes one step of the hardware.
struct Way {
  Use use;
  bool accumulator = true, asF16 = false, table = false;  // asF16: FP8 is recorded as the F16 that it becomes; table: more than one step, not recorded as one
  const char *suffix = "";
};

// waysOf lists them for a device: first the one that all families of inputs take.
inline std::vector<Way> waysOf(Kind kind, bool wgmma, Capability c) {
  const bool fp8 = operandsOf(kind).bytes == 1;
  if (c.major < 9) return {{FirstHalf}};  // a step takes 16 bytes of either operand
  if (!wgmma && fp8 && c.major == 9) return {{LowPairs, true, true}, {All, true, false, true, "-whole"}};
  std::vector<Way> ways{{All}};
  if (kind == KindTF32) ways.push_back({FirstHalf, true, false, false, "-four"});
  if (wgmma) ways.push_back({All, false, false, false, "-no-accumulator"});
  return ways;
}

struct Row {
  std::vector<uint32_t> a, b;  // codes of the elements in use
  std::vector<double> x, y;    // values of all of the instruction's
  float c, d;
  bool first;  // of its chain
};

// rowsOf takes a tile apart: of wgmma's 64 rows every other one.
inline std::vector<Row> rowsOf(const Tile &t, const Products &p, const Way &way) {
  std::vector<Row> out;
  const int depth = t.type.depth();
  for (int s = 0; s < t.steps; s++) {
    for (int i = 0; i < t.rows * 8; i++) {
      const int r = i / 8, n = i % 8;
      if (t.rows == 64 && r % 2 == 1) continue;
      Row row{{}, {}, {}, {}, s == 0 ? (way.accumulator ? t.c[size_t(i)] : 0) : p.each[size_t((s - 1) * t.rows * 8 + i)], p.each[size_t(s * t.rows * 8 + i)], s == 0};
      for (int k = s * depth; k < (s + 1) * depth; k++) {
        row.x.push_back(t.valueA(r, k));
        row.y.push_back(t.valueB(n, k));
        if (!uses(t.use, k - s * depth, depth)) continue;
        const auto code = [&](uint32_t u, double x) { return way.asF16 ? uint32_t(plumbline::roundTo(x, 5, 10)) : u; };
        row.a.push_back(code(t.code(t.a, r, k), row.x.back()));
        row.b.push_back(code(t.code(t.b, n, k), row.y.back()));
      }
      out.push_back(std::move(row));
    }
  }
  return out;
}

// Model is a sum of an instruction's products in steps.
struct Model {
  oncpu::Step step;
  bool emulated = false;  // Hopper's mma.sync of FP8
};

inline float modelled(const Model &m, const Operands &o, const Row &row) {
  if (m.emulated) return oncpu::mmaSync(o, row.c, row.x.data(), row.y.data(), m.step.result);
  float acc = row.c;
  for (size_t k = 0; k < row.x.size(); k += size_t(m.step.products)) {
    const size_t rest = row.x.size() - k;
    oncpu::Step s = m.step;
    s.products = int(std::min(rest, size_t(s.products)));
    acc = oncpu::stepOf(s, acc, &row.x[k], &row.y[k]);
  }
  return acc;
}

// modelOf returns what is believed of a device; products is 0 where nothing is.
inline Model modelOf(Kind kind, bool wgmma, Capability c) {
  const Operands &o = operandsOf(kind);
  Model m{o.step};
  if (c.major == 8) m.step = {16 / o.bytes, o.bytes == 1 ? 13 : 24, o.step.smallest, o.step.result};
  if (c.major >= 10 && o.bytes == 1) m.step.products = 0;
  if (c.major == 9 && o.bytes == 1 && !wgmma) m = {{16, 25, -14}, true};
  if (kind == KindF16Short) m.step.result = oncpu::Result::Float16;
  return m;
}

inline bool sameResult(float x, float y) { return (x != x && y != y) || std::memcmp(&x, &y, 4) == 0; }

inline size_t differing(const Model &m, const Operands &o, const std::vector<Row> &rows) {
  return size_t(std::count_if(rows.begin(), rows.end(), [&](const Row &r) { return !sameResult(modelled(m, o, r), r.d); }));
}

// nearest looks for the sum of products that explains most, where the believed one does not explain all.
inline Model nearest(const Model &believed, const Operands &o, const std::vector<Row> &rows) {
  Model best = believed;
  size_t least = believed.step.products == 0 ? rows.size() + 1 : differing(believed, o, rows);
  for (int products : {4, 8, 16, 32}) {
    for (int fraction = 11; fraction <= 30 && products <= o.depth(); fraction++) {
      for (oncpu::Result result : {oncpu::Result::Float32, oncpu::Result::Bits13, oncpu::Result::Float16}) {
        const Model m{{products, fraction, o.step.smallest, result}};
        const size_t n = differing(m, o, rows);
        if (n < least) {
          best = m;
          least = n;
        }
      }
    }
  }
  return best;
}

// farFromFloat64 counts results further from the exact sum than any step of this type may bring them; for inputs of ordinary size.
inline size_t farFromFloat64(const Operands &o, const std::vector<Row> &rows, bool shortAccumulator) {
  return size_t(std::count_if(rows.begin(), rows.end(), [&](const Row &r) {
    double sum = double(r.c), size = std::fabs(sum);
    for (size_t k = 0; k < r.x.size(); k++) {
      sum += r.x[k] * r.y[k];
      size += std::fabs(r.x[k] * r.y[k]);
    }
    return !(std::fabs(double(r.d) - sum) <= size * (o.bytes == 1 || shortAccumulator ? 0x1p-8 : 0x1p-18));
  }));
}

inline const char *elementName(const Operands &o, bool asF16) {
  if (asF16 || o.exponent == 5) return !asF16 && o.bytes == 1 ? "F8_E5M2" : "F16";
  return o.bytes == 4 ? "F32" : o.bytes == 1 ? "F8_E4M3" : "BF16";
}

// tensorsOf returns a [N,K], b [N,K], c [N] and out.d [N]. A float16 accumulator is written as the float32 that it equals before the step, and as F16 after it.
inline std::vector<Tensor> tensorsOf(const std::vector<Row> &rows, const Operands &o, const Way &way, bool shortAccumulator) {
  const int64_t N = int64_t(rows.size()), K = rows.empty() ? 0 : int64_t(rows[0].a.size());
  const size_t bytes = way.asF16 ? 2 : size_t(o.bytes);
  Tensor a{"a", elementName(o, way.asF16), {N, K}, {}}, b = a;
  b.name = "b";
  std::vector<float> c, d;
  std::vector<uint16_t> d16;
  const auto append = [&](Tensor &t, const std::vector<uint32_t> &codes) {
    for (const uint32_t u : codes) {
      for (size_t i = 0; i < bytes; i++) t.bytes.push_back(static_cast<unsigned char>(u >> 8 * i));
    }
  };
  for (const Row &r : rows) {
    append(a, r.a);
    append(b, r.b);
    c.push_back(r.c);
    d.push_back(r.d);
    d16.push_back(uint16_t(plumbline::roundTo(double(r.d), 5, 10)));
  }
  std::vector<Tensor> out;
  if (way.accumulator) out.push_back(tensorOf("c", "F32", {N}, c));
  if (!shortAccumulator) out.push_back(tensorOf("out.d", "F32", {N}, d));
  if (bytes == 4) out.insert(out.end(), {a, b});
  if (shortAccumulator) out.push_back(tensorOf("out.d", "F16", {N}, d16));
  if (bytes < 4) out.insert(out.end(), {a, b});
  return out;
}

}  // namespace probe

// Tests of what the probe does without a GPU: its files, its inputs, the bytes of shared memory and their descriptors, and what it says of a device that is not the model's.
#include <cstdio>
#include <set>

#include "probe/functions.h"
#include "probe/rows.h"
#include "recorder/json.h"

namespace probe {
namespace {

int failures = 0, checks = 0;

void check(bool good, const std::string &what) {
  checks++;
  if (good) return;
  if (failures++ < 20) std::printf("FAIL %s\n", what.c_str());
}

void testFile() {
  const std::vector<unsigned char> file = formatTable({{"plumbline", "1"}, {"note", "a \"quoted\"\nline"}}, {tensorOf("c", "F32", {2}, std::vector<float>{1, -2}), {"a", "F8_E4M3", {1, 3}, {1, 2, 3}}});
  uint64_t length = 0;
  for (int i = 0; i < 8; i++) length |= uint64_t(file[size_t(i)]) << 8 * i;
  check(length % 8 == 0 && file.size() == 8 + length + 8 + 3, "the header's length, and the bytes behind it");
  const plumbline::Json header = plumbline::parseJson(std::string(file.begin() + 8, file.begin() + 8 + long(length)));
  check(header.find("__metadata__")->find("note")->asString() == "a \"quoted\"\nline", "metadata survive");
  const plumbline::Json &a = *header.find("a"), &c = *header.find("c");
  check(a.find("dtype")->asString() == "F8_E4M3" && a.find("shape")->items.size() == 2 && a.find("shape")->items[1].asWhole(0, 9) == 3, "type and shape");
  check(c.find("data_offsets")->items[0].asWhole(0, 99) == 0 && c.find("data_offsets")->items[1].asWhole(0, 99) == 8, "the first tensor's place");
  check(a.find("data_offsets")->items[0].asWhole(0, 99) == 8 && a.find("data_offsets")->items[1].asWhole(0, 99) == 11 && file.back() == 3, "the second's");
}

void testCodes() {
  check(oncpu::valueOf(oncpu::e4m3, 0x7E) == 448 && std::isnan(oncpu::valueOf(oncpu::e4m3, 0xFF)) && oncpu::valueOf(oncpu::e4m3, 0x01) == 0x1p-9, "E4M3 reaches 448, has a NaN and subnormals");
  check(oncpu::valueOf(oncpu::e5m2, 0x7B) == 57344 && oncpu::valueOf(oncpu::e5m2, 0xFC) == -INFINITY && std::isnan(oncpu::valueOf(oncpu::e5m2, 0x7D)), "E5M2 reaches 57344 and has infinities");
  check(oncpu::valueOf(oncpu::f16, 0x3555) == 0.333251953125 && oncpu::valueOf(oncpu::bf16, 0x8001) == -0x1p-133, "F16 and BF16");
  for (int k = 0; k < KindF16Short; k++) {
    const Operands &o = operandsOf(Kind(k));
    for (double x : {0.0, 1.0, -1.5, 3.25, 0.0625, -112.0}) check(oncpu::valueOf(o, codeOf(o, x)) == (o.fraction == 2 && x == 3.25 ? 3.0 : x), std::string("a code of ") + o.name);
  }
}

// Every family brings what it is there for, in each type.
void testFamilies() {
  for (int k = 0; k < kinds; k++) {
    const Operands &o = operandsOf(Kind(k));
    for (int f = 0; f < families; f++) {
      const std::string name = std::string(nameOf(Kind(k))) + ", " + nameOf(Family(f));
      const Tile t = makeTile(o, Family(f), All, 64, chainSteps, k == KindF16Short, 5), again = makeTile(o, Family(f), All, 64, chainSteps, k == KindF16Short, 5);
      check(t.a == again.a && t.b == again.b && std::memcmp(t.c.data(), again.c.data(), t.c.size() * 4) == 0, name + ": the same twice");
      int subnormal = 0, infinite = 0, nan = 0, negativeZero = 0, exponents = 0;
      std::set<int> fields;
      for (int i = 0; i < 64 * t.K(); i++) {
        const double x = t.valueA(i / t.K(), i % t.K());
        nan += x != x;
        infinite += std::isinf(x);
        negativeZero += x == 0 && std::signbit(x);
        subnormal += x != 0 && std::fabs(x) < std::ldexp(1, o.step.smallest);
        if (std::isfinite(x) && x != 0) fields.insert(std::ilogb(x));
      }
      exponents = fields.empty() ? 0 : *fields.rbegin() - *fields.begin();
      if (f <= Tiny) check(nan + infinite == 0, name + ": all finite");
      if (f == Wide) check(exponents >= spread(o), name + ": exponents lie far apart, " + std::to_string(exponents));
      if (f == Tiny) check(subnormal > 100, name + ": subnormals");
      if (f == Special) check(nan > 0 && negativeZero > 50 && subnormal > 10 && (infinite > 0 || o.exponent == 4), name + ": zeros, subnormals, infinities and NaN");
      bool larger = false;
      for (const float c : t.c) larger = larger || std::fabs(c) > 0x1p12f;
      if (f == LargeAccumulator) check(larger, name + ": accumulators much larger than the products");
      if (k == KindF16Short) {
        for (const float c : t.c) check(c != c || float(plumbline::fromCode(plumbline::roundTo(double(c), 5, 10), 5, 10)) == c, name + ": accumulators are float16's");
      }
    }
    const Tile low = makeTile(o, AnyBits, FirstHalf, 16, 1, false, 9);
    for (int i = o.depth() / 2; i < o.depth(); i++) check(low.code(low.a, 3, i) == 0, "the second half is 0");
  }
}

// Shared memory holds every byte of a row once; what a descriptor leads to, as the PTX ISA defines it, is that byte.
void testDescriptors() {
  for (int rows : {8, 64}) {
    std::set<int> places;
    for (int r = 0; r < rows; r++) {
      for (int byte = 0; byte < 96; byte++) places.insert(sharedByte(r, byte, rows));
    }
    check(int(places.size()) == rows * 96 && *places.begin() == 0 && *places.rbegin() == rows * 96 - 1, "each byte has a place of its own");
  }
  const uint64_t d = descriptor(0x1F40, 1024, 128);
  check((d & 0x3FFF) == 0x1F4 && (d >> 16 & 0x3FFF) == 64 && (d >> 32 & 0x3FFF) == 8 && d >> 46 == 0, "address, leading and stride in units of 16 bytes, no swizzle");
  for (int s = 0; s < 3; s++) {
    const int base = sharedByte(0, s * 32, 64);
    check(base % 16 == 0, "a step begins at a multiple of 16 bytes");
    for (int r = 0; r < 64; r++) {
      for (int byte = 0; byte < 32; byte++) check(sharedByte(r, s * 32 + byte, 64) == base + byte / 16 * 1024 + r / 8 * 128 + r % 8 * 16 + byte % 16, "row " + std::to_string(r) + ", byte " + std::to_string(byte));
    }
  }
}

std::vector<Row> rowsFrom(Kind kind, bool wgmma, Family f, const Way &way, uint64_t seed) {
  const Tile t = makeTile(operandsOf(kind), f, way.use, wgmma ? 64 : 16, chainSteps, kind == KindF16Short, seed);
  return rowsOf(t, multiply(kind, wgmma, t, way.accumulator, false), way);
}

// The stand-in goes through the same kernels, fragments and descriptors.
void testSteps() {
  const Capability hopper{9, 0};
  for (int k = 0; k < kinds; k++) {
    for (bool wgmma : {false, true}) {
      if (wgmma && k == KindF16Short) continue;
      for (const Way &way : waysOf(Kind(k), wgmma, hopper)) {
        const std::string name = std::string(wgmma ? "wgmma " : "mma ") + nameOf(Kind(k)) + way.suffix;
        const std::vector<Row> rows = rowsFrom(Kind(k), wgmma, Ordinary, way, 11);
        check(farFromFloat64(operandsOf(Kind(k)), rows, k == KindF16Short) == 0, name + ": ordinary results are about float64's");
        check(differing(modelOf(Kind(k), wgmma, hopper), operandsOf(Kind(k)), rows) == 0, name + ": the stand-in is the model");
        const size_t elements = rows[0].a.size(), bytes = way.asF16 ? 2 : size_t(operandsOf(Kind(k)).bytes);
        size_t size = 0;
        for (const Tensor &t : tensorsOf(rows, operandsOf(Kind(k)), way, k == KindF16Short)) {
          size += t.bytes.size();
          if (t.name == "a") check(t.shape == std::vector<int64_t>({int64_t(rows.size()), int64_t(elements)}) && t.bytes.size() == rows.size() * elements * bytes, name + ": a [N,K]");
        }
        check(size == rows.size() * (2 * elements * bytes + (way.accumulator ? 4 : 0) + (k == KindF16Short ? 2 : 4)), name + ": all tensors");
      }
    }
  }
  // Exchanged descriptors, and a device of one fraction bit less, are noticed; the latter by its number.
  const Tile t = makeTile(oncpu::bf16, Ordinary, All, 64, chainSteps, false, 12);
  check(farFromFloat64(oncpu::bf16, rowsOf(t, multiply(KindBF16, true, t, true, true), {All}), false) > 100, "exchanged descriptors are seen");
  std::vector<Row> rows = rowsFrom(KindBF16, false, Ordinary, {All}, 13);
  const Model ampere{{8, 24, -126}};
  for (Row &r : rows) r.d = modelled(ampere, oncpu::bf16, r);
  const Model hopperModel = modelOf(KindBF16, false, hopper), found = nearest(hopperModel, oncpu::bf16, rows);
  check(differing(hopperModel, oncpu::bf16, rows) > 20, "another device's steps differ");
  check(found.step.products == 8 && found.step.fraction == 24 && differing(found, oncpu::bf16, rows) == 0, "and are found to be what they are");
}

void testFunctions() {
  std::set<std::string> names;
  for (int f = 0; f < functions(); f++) {
    names.insert(functionName(f));
    const Worst w = worstOf(f, 1 << 16);
    const int bin = 127;  // 1 ≤ x < 2
    check(w.ulps.size() == bins && w.ulps[bin] < 4 && w.x[bin] >= 1 && w.x[bin] < 2, std::string(functionName(f)) + ": the C library is good to some last places, " + std::to_string(w.ulps[bin]));
    const std::vector<float> y = evaluate(f, {w.x[bin]});
    check(sameResult(y[0], w.y[bin]), std::string(functionName(f)) + ": the value where it is worst");
  }
  check(int(names.size()) == functions(), "every function has a name of its own");
}

}  // namespace
}  // namespace probe

int main() {
  probe::testFile();
  probe::testCodes();
  probe::testFamilies();
  probe::testDescriptors();
  probe::testSteps();
  probe::testFunctions();
  std::printf("probe: %d checks, %d failures\n", probe::checks, probe::failures);
  return probe::failures != 0;
}

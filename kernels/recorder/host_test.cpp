// Tests of what needs no device. Each expectation is worked out by hand, comes from a standard, or was made by the project's Go code.
#include "host_test.h"

#include <cstdio>
#include <cstring>

#include "binder.h"
#include "inputs.h"
#include "launch.h"
#include "ops.h"
#include "prediction.h"
#include "recording.h"
#include "sha256.h"

namespace plumbline {

namespace {

int failures = 0, checks = 0;

void check(bool good, const std::string &what) {
  checks++;
  if (good) return;
  failures++;
  std::printf("FAIL %s\n", what.c_str());
}

bool near(double x, double want, double tolerance) { return std::fabs(x - want) <= tolerance * std::fabs(want); }

template <class Work> bool refuses(Work work) {
  try {
    work();
  } catch (const std::exception &) {
    return true;
  }
  return false;
}

void testDigests() {
  const std::string abc = "abc", two = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", million(1000000, 'a');
  check(sha256("", 0) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "sha256 of nothing");
  check(sha256(abc.data(), 3) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "sha256 of abc (FIPS 180-4)");
  check(sha256(two.data(), two.size()) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1", "sha256 of two blocks (FIPS 180-4)");
  check(sha256(million.data(), million.size()) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", "sha256 of a million a");
  for (size_t piece : {1, 55, 56, 63, 64, 65, 1000}) {
    for (bool instructions : {false, true}) {
      Sha256 digest(instructions);
      for (size_t i = 0; i < million.size(); i += piece) digest.add(million.data() + i, std::min(piece, million.size() - i));
      check(digest.hex() == sha256(million.data(), million.size()), "sha256 of a million a, " + std::to_string(piece) + " at a time");
    }
  }
  bool same = true;
  for (size_t n = 0; n < 200; n++) {
    Sha256 fast, plain(false);
    fast.add(million.data(), n), plain.add(million.data(), n);
    same = same && fast.hex() == plain.hex();
  }
  check(same, "sha256 of up to 199 bytes, by instructions and by plain arithmetic");
}

void testRounding() {
  uint32_t u;
  for (uint64_t i = 0; i < 100000; i++) {
    const uint64_t z = splitmix64(1, i);
    const double x = doubleOfBits((z & 0x800FFFFFFFFFFFFFu) | (uint64_t(1023 - 160 + i % 300) << 52));
    const float f = float(x);
    std::memcpy(&u, &f, 4);
    if (roundTo(x, 8, 23) != u) check(false, "rounding to F32 is the processor's, element " + std::to_string(i));
  }
  check(roundTo(65504, 5, 10) == 0x7BFF && roundTo(65519.99, 5, 10) == 0x7BFF && roundTo(65520, 5, 10) == 0x7C00, "F16 overflows from 65520 on");
  check(roundTo(std::ldexp(1, -24), 5, 10) == 1 && roundTo(std::ldexp(1, -25), 5, 10) == 0 && roundTo(std::ldexp(1.0001, -25), 5, 10) == 1,
        "F16 rounds to its smallest subnormal from just above half of it");
  check(roundTo(std::ldexp(1023.5, -24), 5, 10) == 0x400, "F16 carries from the largest subnormal to the smallest normal");
  check(roundTo(1 + 1.0 / 256, 8, 7) == 0x3F80 && roundTo(1 + 3.0 / 256, 8, 7) == 0x3F82, "BF16 rounds ties to even");
  check(roundTo(1 + 1.0 / 256 + std::ldexp(1, -40), 8, 7) == 0x3F81, "BF16 is rounded once, not by way of F32");
  check(roundTo(-0.0, 8, 7) == 0x8000 && roundTo(-INFINITY, 8, 7) == 0xFF80 && roundTo(NAN, 8, 7) == 0x7FC0, "BF16 of -0, -inf and NaN");
  for (uint64_t code = 0; code < 65536; code++) {
    for (Element e : {ElementF16, ElementBF16, ElementE4M3, ElementE5M2, ElementE8M0}) {
      if (sizeOf(e) == 1 && code > 255) continue;
      unsigned char bytes[2] = {static_cast<unsigned char>(code), static_cast<unsigned char>(code >> 8)};
      const double x = decode(e, bytes, 0);
      if (x == x && encode(e, x) != code) check(false, "codes of " + std::string(nameOf(e)) + " survive decoding: " + std::to_string(code));
    }
  }
  checks += 3;
}

// Recipes with the sha256 that the Go package recording gives them.
void testRecipes() {
  const uint64_t first[] = {0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC, 0x1B39896A51A8749B};
  for (uint64_t i = 0; i < 5; i++) check(splitmix64(0, i) == first[i], "splitmix64 of seed 0");
  const char *recipes[] = {
      R"({"dist":"uniform","dtype":"F32","seed":7,"sha256":"d12055b84f57ee0a5e7c7903582ccfffbcae145938fee9eb86076ba258d68959","shape":[3,5]})",
      R"({"dist":"normal","dtype":"BF16","edits":[{"index":[3],"value":"nan"},{"index":[0,0,1,2],"value":1.00390625000001},{"index":[0,0,0],"value":"-inf"}],"exp2":-2,"seed":18446744073709551615,"sha256":"7430f6401d3653012a80691014c7268a78121d92ae169371a3f44f5ae4ab2e79","shape":[4,1,8,72]})",
      R"({"dist":"normal","dtype":"F16","exp2":-14,"seed":3,"sha256":"52b6c9c676eeded068fcfcee858df623c34a00ae27e04dc38cef16cf726bcd4d","shape":[100],"shift":0.30000001192092896})",
      R"({"dist":"uniform","dtype":"F16","exp2":-20,"seed":4,"sha256":"1107780c14e53a34b8e56ee3b637548d3a85fb6d2aa8313d027565c4b4f935c1","shape":[1000]})",
      R"({"dist":"normal","dtype":"BF16","exp2":-130,"seed":5,"sha256":"30229036a99a03a4c64bda774972d0d3fa4ca067eb331dcce2cefc44d624c79f","shape":[1000]})",
      R"({"dist":"uniform","dtype":"F64","seed":6,"sha256":"c6d498b70a9ec17cb1d0b415c8a6ab28d4ce0785fa014966c434405c315e20e2","shape":[10],"shift":0.30000001192092896})",
      R"({"dist":"ints","dtype":"I32","edits":[{"index":[4],"value":-7}],"hi":1000000,"lo":-5,"seed":8,"sha256":"76c7c61c264abeb05a08c1f618ec7fec24ee91f2739b22bfc651127857c76d4d","shape":[50]})",
      R"({"dist":"permutation","dtype":"I64","seed":9,"sha256":"a7f05dd04b7aa2cbbe6b358098ebec1c2e0ddd27ac39d2436faed6bb21bf47fa","shape":[1001]})",
      R"({"dist":"ints","dtype":"U8","hi":256,"lo":0,"seed":10,"sha256":"77959fbe56a8ba6e016dea617c3083316008a98af7bb9b1b85bb2898466a7c99","shape":[33]})",
      R"({"dist":"normal","dtype":"F8_E4M3","exp2":8,"seed":21,"sha256":"1b48a490f6e6bd98dd67e432a0d1e741b03fbabf54fab6d460ba10573e6fd64b","shape":[1000]})",
      R"({"dist":"uniform","dtype":"F8_E4M3","edits":[{"index":[3],"value":464},{"index":[4],"value":-464.5},{"index":[5],"value":"nan"}],"exp2":-6,"seed":22,"sha256":"670c2e8cdc1e01efb3b724a6deb4918bfa08834884a3c5c46d19dbe47e40ea49","shape":[1000]})",
      R"({"dist":"normal","dtype":"F8_E5M2","exp2":15,"seed":23,"sha256":"b60683997d4d42ff200fea17f587ba134a3b4e079d4d0ef811f2f3132292d64b","shape":[1000]})",
      R"({"dist":"normal","dtype":"F8_E5M2","exp2":-15,"seed":24,"sha256":"c50c47418850801f791447a4a5280c10fb5ccd46af5557b7318200d3004eece1","shape":[1000]})",
      R"({"dist":"uniform","dtype":"F8_E8M0","edits":[{"index":[0],"value":7.174648137343064e-43},{"index":[1],"value":1.2760588759535192e38},{"index":[2],"value":2.5521177519070385e38},{"index":[3],"value":3},{"index":[4],"value":6}],"exp2":2,"seed":25,"sha256":"c6db0d0fb67b0d500ad12ba38d84ab8cb8266f89248770b5eb2343893052ba84","shape":[1000],"shift":3})",
      R"({"dist":"ints","dtype":"BF16","hi":300,"lo":-300,"seed":11,"sha256":"577b4ff9957a166e238f955cc2612f3c58f199a82dd4832974465914e8a67aa4","shape":[16]})",
  };
  for (const char *text : recipes) {
    const size_t before = pieceBytes;
    for (size_t bytes : {size_t(1), size_t(24), size_t(1000), before}) {
      pieceBytes = bytes;
      check(!refuses([&] { makeOnHost(parseRecipe(parseJson(text))); }), "recipe gives the bytes that Go makes, in pieces of " + std::to_string(bytes) + ": " + text);
    }
    pieceBytes = before;
  }
  const std::string digest(64, '0');
  const std::string good = R"("dtype":"F32","shape":[2],"dist":"uniform","seed":1,"sha256":")" + digest + "\"";
  const auto parses = [](const std::string &members) {
    return !refuses([&] { parseRecipe(parseJson("{" + members + "}")); });
  };
  check(parses(good), "a recipe");
  check(refuses([&] { makeOnHost(parseRecipe(parseJson("{" + good + "}"))); }), "another sha256");
  check(!parses(good + ",\"lo\":1"), "lo without ints");
  check(!parses(good + ",\"exp2\":901"), "exp2 of 901");
  check(!parses(good + ",\"more\":1"), "an unknown key");
  check(!parses(good + R"(,"edits":[{"index":[2],"value":1}])"), "an edit behind the shape");
  check(!parses(good + R"(,"edits":[{"index":[1],"value":"NaN"}])"), "an edit of NaN in capitals");
}

// An edit that spans pieces is planted in each, and pieces that none touches are not told to be edited.
void testEditsInPieces() {
  Recipe r;
  r.element = ElementU8, r.shape = {4, 5}, r.dist = Ints, r.lo = 7, r.hi = 8;
  r.edits = {{{1}, 3}, {{2, 0}, 4}};
  std::string planted, edited;
  for (int64_t first = 0; first < 20; first += 4) {
    Bytes piece(size_t(std::min(int64_t(4), 20 - first)));
    makePart(r, first, piece);
    edited += applyEdits(r, first, piece) ? 'e' : '-';
    for (unsigned char x : piece) planted += char('0' + x);
  }
  check(planted == "77777333334777777777" && edited == "-ee--", "edits of rows 5 to 9 and of element 10 in pieces of four");
}

// What is larger than a kernel's indices or the host's memory is refused before it is made.
void testSizes() {
  Recording request;
  request.op = "norm.rms";
  Recipe &x = request.generated["x"];
  x.element = ElementBF16, x.shape = {1 << 16, 1 << 16};
  const Device none;
  Binder b(request, none, "", true);
  check(refuses([&] { b.shape("x", 2); }) && refuses([&] { b.output("y", ElementBF16, x.shape); }), "2^32 elements with indices of 32 bits");
  check(refuses([&] { b.numbers("x"); }), "2^32 elements on the host");
  b.mostElements = INT64_MAX;
  check(!refuses([&] { b.shape("x", 2); }) && b.onDevice("x") == nullptr && b.job.memoryBytes == size_t(1) << 33, "2^32 elements with indices of 64 bits take 8 GiB");
  check(refuses([] { countOf({1 << 30, 1 << 11}); }) && countOf({1 << 30, 1 << 10}) == int64_t(1) << 40, "2^40 elements at most");
}

void testJson() {
  for (const char *bad : {"", "{", "{\"a\":1,}", "{\"a\":1,\"a\":2}", "[01]", "[1.]", "[+1]", "[NaN]", "\"\\ud800\"", "\"\x01\"", "{} {}", "[\"\\x\"]", "{a:1}", "\"\\u0000\"", "[1e]"}) {
    check(refuses([&] { parseJson(bad); }), std::string("JSON refuses ") + bad);
  }
  check(refuses([] { parseJson(std::string(40, '[') + std::string(40, ']')); }), "JSON refuses deep nesting");
  const Json j = parseJson(" {\"a\": [1, -2.5e-1, true, null], \"\\u00e9\\ud83d\\ude00\\n\": \"\\\"\" } ");
  check(j.find("a")->items[1].asNumber() == -0.25 && j.find("é😀\n")->asString() == "\"", "JSON values");
  check(parseJson(j.dump()).dump() == j.dump(), "JSON survives being written");
  check(parseJson("18446744073709551615").asSeed() == ~uint64_t(0) && refuses([] { parseJson("18446744073709551616").asSeed(); }), "seeds up to 2^64 - 1");
  check(parseJson("4096.0").asWhole(0, 5000) == 4096 && refuses([] { parseJson("0.5").asWhole(0, 9); }), "whole numbers");
}

void testFiles() {
  Recording r;
  r.op = "norm.rms";
  r.attrsText = "{\"eps\":1e-6}";
  r.extra["other"] = "tool";
  r.tensors.push_back({"b", ElementBF16, {3}, {1, 2, 3, 4, 5, 6}});
  r.tensors.push_back({"d", ElementF64, {}, {1, 2, 3, 4, 5, 6, 7, 8}});
  const std::vector<unsigned char> file = formatRecording(r);
  const Recording back = parseRecording(file);
  check(back.op == r.op && back.attrs.find("eps")->asNumber() == 1e-6 && back.extra.at("other") == "tool", "metadata survives a file");
  check(back.tensors.size() == 2 && back.tensors[0].bytes == r.tensors[0].bytes && back.tensors[1].bytes == r.tensors[1].bytes, "tensors survive a file");
  check(formatRecording(back) == file, "a file is determined by its content");
  std::vector<unsigned char> longer = file, shorter(file.begin(), file.end() - 1);
  longer.push_back(0);
  check(refuses([&] { parseRecording(longer); }) && refuses([&] { parseRecording(shorter); }), "data of another length");
  std::string text(file.begin(), file.end());
  text.replace(text.find("[8,14]"), 6, "[7,13]");
  check(refuses([&] { parseRecording({text.begin(), text.end()}); }), "overlapping tensors");
}

bool seesByDefinition(const right::Mask &m, int s, int j) {
  const int i = m.keys - m.queries + s;
  return j < m.keys && (!m.causal || j <= i) && (m.window == 0 || j > i - m.window);
}

void testMasks() {
  using namespace right;
  bool same = true, covered = true;
  for (int queries = 1; queries <= 6; queries++) {
    for (int keys = 0; keys <= 8; keys++) {
      for (int window = 0; window <= 4; window++) {
        for (bool causal : {false, true}) {
          const Mask m{causal, window, queries, keys};
          const Range any = seenByAny(m, 0, queries - 1);
          for (int s = 0; s < queries; s++) {
            for (int j = 0; j < 10; j++) {
              const bool sees = seesByDefinition(m, s, j);
              same = same && sees == holds(seenBy(m, s), j);
              covered = covered && (!sees || holds(any, j));
            }
          }
        }
      }
    }
  }
  check(same, "a query sees j < kv_len, j <= i if causal, j > i - window");
  check(covered, "a block goes through all keys that its queries see");
  const Range r = seenBy({true, 2, 2, 5}, 0);
  check(r.lo == 2 && r.hi == 4, "two causal queries of five keys, window 2: the first sees keys 2 and 3");
  check(seenBy({true, 0, 3, 1}, 1).hi == 0 && seenBy({true, 0, 3, 1}, 2).hi == 1, "with more queries than keys the first see nothing");
  check(seenBy({false, 0, 3, 7}, 3).hi == 0, "a query behind the last sees nothing");
  check(groupOf(3, 8, 2) == 0 && groupOf(4, 8, 2) == 1 && groupOf(7, 8, 8) == 7 && groupOf(7, 8, 1) == 0, "neighbouring heads share a group");
}

void testPages() {
  using namespace right;
  const int table[] = {5, 2};
  check(pageRow(table, 4, 6) == 10 && pageRow(table, 4, 3) == 23, "key 6 on pages of 4 is row 2 of the second block");
  bool whole = true;
  for (int tiles = 0; tiles < 40; tiles++) {
    for (int splits = 1; splits < 12; splits++) {
      int next = 0;
      for (int i = 0; i < splits; i++) {
        const Range r = splitTiles(tiles, splits, i);
        whole = whole && r.lo == (r.lo < r.hi ? next : r.lo) && r.lo <= r.hi && r.hi <= tiles;
        if (r.lo < r.hi) next = r.hi;
      }
      whole = whole && next == tiles;
    }
  }
  check(whole, "splits cover every tile once");
  check(throughPage(5, 4) == 5 && decodeScale(0.25, 576) == 0.25, "a right kernel leaves length and scale alone");
  check(mlaDecodeSplits(4, 1, 128, 4096, 132) == 17 && mlaDecodeSplits(1, 1, 1, 0, 132) == 1 && mlaDecodeSplits(1, 1, 16, 100000, 132) == 64, "numbers of splits");
}

void testRotation() {
  using namespace right;
  const auto is = [](Pair p, int a, int b) { return p.first == a && p.second == b; };
  check(is(readPair(interleaved, 3, 8), 6, 7) && is(writePair(interleaved, 3, 8), 6, 7), "interleaved pairs are neighbours");
  check(is(readPair(half, 3, 8), 3, 11) && is(writePair(half, 3, 8), 3, 11), "half pairs are half the width apart");
  check(is(readPair(interleavedToHalf, 3, 8), 6, 7) && is(writePair(interleavedToHalf, 3, 8), 3, 11), "interleaved_to_half reads the one and writes the other");
  check(rotaryPosition(7) == 7, "a right kernel leaves positions alone");
  YaRN none, y;
  y.present = true;
  check(frequency(0, 64, 10000, none) == 1 && near(frequency(16, 64, 10000, none), 0.01, 1e-15), "theta_i = b^(-2i/d)");
  // DeepSeek-V3: c(32) = 64 ln(4096/64π)/(2 ln 10⁴) = 10.47, c(1) = 22.51, so that the ramp goes from 10 to 23.
  check(keptShare(y, 10, 64, 10000, 0) == 1 && keptShare(y, 23, 64, 10000, 0) == 0 && near(keptShare(y, 16, 64, 10000, 0), 7.0 / 13, 1e-12), "YaRN's ramp of DeepSeek-V3");
  check(near(frequency(23, 64, 10000, y), std::pow(10000, -46.0 / 64) / 40, 1e-12) && frequency(10, 64, 10000, y) == frequency(10, 64, 10000, none),
        "slow pairs are slowed by the factor, fast ones not at all");
  check(amplitude(y) == 1 && near(yarnScale(40, 1), 1.3688879454113936, 1e-14) && yarnScale(1, 1) == 1, "YaRN's amplitude and temperature");
  y.mscaleAllDim = 0;
  check(near(amplitude(y), 1.3688879454113936, 1e-14), "amplitude with one scale");
  // Paper's ramp: r = Lθ/2π; at θ = 2π·16.5/4096 it is 16.5, γ = 15.5/31.
  y.rotations = true;
  check(near(keptShare(y, 0, 64, 10000, 2 * M_PI * 16.5 / 4096), 0.5, 1e-12), "the ramp over rotations");
}

void testWeights() {
  using namespace right;
  const uint8_t mask[] = {0, 1, 0, 1};
  check(!counts(mask, 0, 4) && counts(mask, 1, 4) && !counts(mask, 2, 4) && counts(mask, 3, 4), "a token counts where the mask has 1");
  const Totals whole{4, 10};
  check(tokenWeight(tokenMean, 5, whole, 8) == 0.1f && tokenWeight(sequenceMean, 5, whole, 8) == 0.05f && tokenWeight(sequenceSum, 5, whole, 8) == 0.25f &&
            tokenWeight(constantLength, 5, whole, 8) == 1 / 32.0f && tokenWeight(sequenceSum, 0, whole, 8) == 0,
        "weights of four aggregations; a sequence without tokens has none");
  check(microBatches() == 1 && sequenceShare(7) == 7 && limitAsRead(10) == 10 && temperatureAsRead(0.5f) == 0.5f && dualClip(0) == 0, "a right kernel reads what it is told");
}

bool is(Term t, double loss, double slope) { return near(t.loss, loss, 1e-6) && near(t.slope, slope, 1e-6); }

void testSurrogates() {
  using namespace right;
  const auto at = [](int clip, double ratio, float advantage, float dual = 0, float limit = 0) {
    return surrogate({clip, noDivergence, false, 0.8f, 1.2f, dual, limit, 0}, float(std::log(ratio)), -2, advantage);
  };
  check(is(at(clipPPO, 1.1, 2), -2.2, -2.2) && is(at(clipPPO, 1.5, 2), -2.4, 0) && is(at(clipPPO, 0.5, 2), -1, -1), "PPO's clip holds A > 0 from above alone");
  check(is(at(clipPPO, 0.9, -2), 1.8, 1.8) && is(at(clipPPO, 0.5, -2), 1.6, 0) && is(at(clipPPO, 1.5, -2), 3, 3), "and A < 0 from below alone");
  check(is(at(clipGPPO, 1.5, 2), -2.4, -2.4) && is(at(clipGPPO, 0.5, -2), 1.6, 1.6) && is(at(clipGPPO, 0.5, 2), -1, -1), "GPPO's clip passes a gradient at its bound");
  check(is(at(clipCISPO, 1.5, 2), 4.8, -2.4) && is(at(clipCISPO, 0.5, 2), 3.2, -1.6), "CISPO weighs log pi = -2 by a clipped constant");
  check(is(at(clipNone, 5, -1), 5, 5) && is(at(clipNone, 5, -1, 3), 3, 0) && is(at(clipNone, 2, 1, 3), -2, -2), "a dual clip of 3 bounds A < 0 alone");
  check(is(at(clipNone, 5, 1, 0, float(std::log(2))), -2, 0) && is(at(clipNone, 0.1, 1, 0, float(std::log(2))), -0.5, 0), "a limit leaves no gradient");
  check(is(at(clipPPO, INFINITY, 0), 0, 0) && is(at(clipPPO, 0, 1), 0, 0) && std::isinf(at(clipNone, INFINITY, -1).loss), "ratios of 0 and infinity");
}

void testDivergences() {
  using namespace right;
  const double e = std::exp(0.5);
  check(is(divergence(k1, -1, -0.5f, 0), -0.5, 1) && is(divergence(k2, -1, -0.5f, 0), 0.125, -0.5) && is(divergence(k3, -1, -0.5f, 0), e - 1.5, 1 - e), "k1, k2 and k3 of delta = 1/2");
  check(is(divergence(k3, -1, -31, 2), std::exp(-2) + 1, 0) && is(divergence(k3, -31, -1, 2), std::exp(2) - 3, 0), "k3 at its limit, where it has no gradient");
  check(divergence(k3, -1, -INFINITY, 0).loss == INFINITY && divergence(k3, -INFINITY, -1, 0).loss == INFINITY && divergence(k3, -1, -1, 0).loss == 0, "k3 of a log-probability of minus infinity, and of equal ones");
}

void testValuesAndPreferences() {
  using namespace right;
  check(is(valueTerm(3, 0, 1, 0), 2, 2) && is(valueTerm(3, 0, 1, 0.5f), 2, 2) && is(valueTerm(3, 0, 4, 0.5f), 6.125, 0) && is(valueTerm(0.25f, 0, 4, 0.5f), 7.03125, -3.75),
        "the larger error of a value and its clipped one: the clip alone has no gradient");
  const double half = std::log(2);
  check(is(preference(0, 0.5f, 0), half, -0.25) && is(preference(0, 0.5f, 0.25f), half, -0.125), "a policy that is its reference has ln 2");
  const double up = 1 / (1 + std::exp(-1.0)), loss = -0.9 * std::log(up) - 0.1 * std::log(1 - up);
  check(is(preference(2, 0.5f, 0.1f), loss, -0.5 * (0.9 * (1 - up) - 0.1 * up)), "a smoothed label");
  check(preference(1e4f, 1, 0).loss == 0 && preference(-1e4f, 1, 0).loss == 1e4f && preference(INFINITY, 1, 0).slope == 0, "margins without end");
  check(is(squaredPreference(2, 5), 9, -6) && !dividesByLength(false) && dividesByLength(true), "a squared preference");
  check(near(groupAdvantage(2, 8, 4, populationStd, 0), std::sqrt(2.0), 1e-6) && near(groupAdvantage(2, 8, 3, sampleStd, 1), 2.0 / 3, 1e-6) && groupAdvantage(2, 8, 4, noStd, 1) == 2 &&
            groupAdvantage(0.5f, 0, 1, sampleStd, 1) == 0.25f && groupAdvantage(0, 0, 4, populationStd, 0) == 0,
        "advantages of a group, of one output and of equal rewards");
}

void testGates() {
  using namespace right;
  const float values[] = {0.5f, 2, -1, 2, 0.5f, 3, -4, 0};
  const auto at = [&](int n, Ranked last) { return bestAfter(values, n, last, 0, 1); };
  const Ranked best = at(8, first()), second = at(8, best), third = at(8, second), fourth = at(8, third);
  check(best.at == 5 && second.at == 1 && third.at == 3 && fourth.at == 0 && at(8, fourth).at == 4, "the best of all, then ties in their order");
  check(bestAfter(values, 8, first(), 2, 4).at == 2 && at(1, {0.5f, 0}).at == 1, "the best of every fourth from the third on, and of nothing");
  Gate g{8, 6, 2, 2, sigmoidScore, topTwoOfGroup, true, 0.5f, 2.5f};
  check(groupValue(g, values) == 4 && groupValue(g, values + 4) == 3.5f, "a group's score is the sum of its two best");
  g.groupScore = shareOfGroup;
  check(groupValue(g, values) == 4.5f && summedOfGroup({8, 5, 2, 2, 0, shareOfGroup, false, 0, 1}) == 3, "or of ⌈K/groups kept⌉");
  g.groupScore = topOfGroup;
  check(groupValue(g, values + 4) == 3 && groupValue({8, 1, 8, 1, 0, topTwoOfGroup, false, 0, 1}, values) == 0.5f, "or its best; a group of one has no second");
  check(scoreOf(sigmoidScore, 0) == 0.5f && scoreOf(sigmoidScore, -INFINITY) == 0 && near(scoreOf(sqrtSoftplusScore, 0), std::sqrt(std::log(2.0)), 1e-6) &&
            near(scoreOf(sqrtSoftplusScore, 100), 10, 1e-6) && near(scoreOf(sqrtSoftplusScore, -40), std::exp(-20.0), 1e-6),
        "scores of logits");
  check(gateWeight(g, 0.25f, 0.75f) == 0.5f && weighed(0.25f, 2) == 0.25f && maskedOut() == -INFINITY, "weights are scores over their sum and eps, times the scale");
  g.normalize = false;
  check(gateWeight(g, 0.25f, 0.75f) == 0.625f, "or scores times the scale");
}

void testPrediction() {
  using namespace right;
  check(halfOf(2, 3, false).hidden && halfOf(2, 3, false).column == 2 && !halfOf(3, 3, false).hidden && halfOf(3, 3, false).column == 0, "the hidden state stands first");
  check(!halfOf(2, 3, true).hidden && halfOf(5, 3, true).hidden && halfOf(5, 3, true).column == 2, "or the embedding");
  check(embeddingOf(0, false) == 0 && embeddingOf(0, true) == -1 && embeddingOf(4, true) == 4, "the first position alone may have no embedding");
  check(targetOf(0, 1, 5) == 2 && targetOf(2, 1, 5) == 4 && targetOf(3, 1, 5) == -1 && targetOf(2, 2, 5) == -1, "position i predicts token i + k + 1, if it is there");
  check(depthDivisor(false, 6, 4) == 6 && depthDivisor(true, 6, 4) == 4 && depthDivisor(true, 6, 0) == 1, "T, or what counts");
  check(depthWeight(0.5f, 2) == 0.25f && depthWeight(0.5f, 1) == 0.5f, "the weight is divided by the number of depths");
  check(sourceOf(1, 3).row == 1 && sourceOf(1, 3).residual && sourceOf(3, 3).row == 3 && !sourceOf(3, 3).residual, "a residual where a draft was refused, the bonus row where none was");
}

// An attribute that is left out is what the catalogue says, of each op its own; what it has no default for, and what the op does not have, is refused.
void testDefaults() {
  Recording norm, decode;
  norm.op = "norm.rms", decode.op = "mla.decode";
  const Device none;
  Binder b(norm, none, "", true), d(decode, none, "", true);
  check(b.number("eps") == 1e-6, "eps of norm.rms is 1e-6");
  check(d.count("value_dim") == 512 && d.flag("causal"), "mla.decode has 512 values, and is causal");
  check(!d.base2() && d.choice("lse_base", {"2", "e"}) == 1, "log-sum-exps are natural ones, wherever the word stands");
  check(refuses([&] { d.number("scale"); }), "mla.decode has no default for its scale");
  check(refuses([&] { b.flag("causal"); }), "norm.rms has no attribute causal");
  check(refuses([&] { b.element("q"); }), "norm.rms has no input q");
  norm.attrs.set("eps", Json::number(0.5));
  check(b.number("eps") == 0.5, "what the request says is taken");
}

void testMistakes() {
  check(findMistake("A01") == findMistake("causal-top-left") && findMistake("R01") && !findMistake("") && !findMistake("A99") && !findMistake("A0"), "mistakes by name and number");
  check(findMistake("causal-top-left")->numbers("mla.decode").find("A01") == 0 && findMistake("center-missing")->numbers().empty(), "the catalogue numbers mistakes");
  check(mistakes().size() == 66, "66 mistakes");
  for (const Mistake &m : mistakes()) {
    for (const std::string &op : m.ops) check(!m.what(op).empty(), "the catalogue says what a mistake does");
  }
  check(refuses([] { findMistake("page-end")->what("attention.merge"); }), "a mistake that no kernel of an op makes");
}

}  // namespace

int hostTest() {
  testDigests();
  testRounding();
  testRecipes();
  testEditsInPieces();
  testSizes();
  testJson();
  testFiles();
  testMasks();
  testPages();
  testRotation();
  testWeights();
  testSurrogates();
  testDivergences();
  testValuesAndPreferences();
  testGates();
  testPrediction();
  testDefaults();
  testMistakes();
  testChildren(check);
  std::printf("host test: %d checks, %d failed\n", checks, failures);
  return failures > 0;
}

}  // namespace plumbline

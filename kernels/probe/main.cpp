// probe records what a GPU computes, bit for bit: steps of its tensor cores by mma.sync and wgmma, and its functions of one number.
//
//	probe OUT [--budget SECONDS]     every part, each in a process of its own with a limit of time; OUT/probe.txt has what they said
//	probe OUT --part NAME            one part
//	probe --list                     their names
//
// OUT gets step-*.safetensors, recordings of op mma.step that plumbline verify judges, table-*.safetensors of the same form for what is more than one step, and
// function-*.safetensors, which kernels/probe/judge reads. A line says how many results are not those of the model in oncpu/steps.h, and which sum comes nearest then;
// that is a result, no failure. The exit status is 1 where a part failed or ran out of time.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>

#include "probe/functions.h"
#include "probe/rows.h"
#include "recorder/device.h"

namespace probe {
namespace {

plumbline::Device device;
std::string folder;

constexpr double partLimit = 25;  // seconds
#ifdef PLUMBLINE_ON_CPU
constexpr uint32_t searchStride = 1 << 14;
#else
constexpr uint32_t searchStride = 1;
#endif

Metadata metadataOf(const std::string &op, const std::string &attrs, const std::string &arithmetic, Metadata provenance) {
  char now[32] = "";
  const std::time_t t = std::time(nullptr);
  std::strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&t));
  provenance.insert(provenance.end(), {{"producer", "plumbline's probe"}, {"device", device.name}, {"driver", device.driver}, {"toolchain", device.toolchain}, {"recorded_at", now}});
  return {{"plumbline", "1"}, {"op", op}, {"attrs", attrs}, {"arithmetic", arithmetic}, {"provenance", object(provenance)}};
}

void printFirst(const Model &m, const Operands &o, const std::vector<Row> &rows) {
  for (const Row &r : rows) {
    const float want = modelled(m, o, r);
    if (sameResult(want, r.d)) continue;
    std::printf("    first: from %a to %a, the model has %a\n", double(r.c), double(r.d), double(want));
    return;
  }
}

void compare(const Model &m, const Operands &o, const std::vector<Row> &rows) {
  const size_t n = m.step.products == 0 ? rows.size() : differing(m, o, rows);
  std::printf("%5zu results, %zu not the model's", rows.size(), n);
  if (n == 0) return;
  const Model other = nearest(m, o, rows);
  std::printf(" (%zu not those of steps of %d, %d fraction bits, result %d)\n", differing(other, o, rows), other.step.products, other.step.fraction, int(other.step.result));
  if (m.step.products != 0) printFirst(m, o, rows);
}

bool sameChain(const Tile &t, const Products &p) {
  const size_t last = p.each.size() - p.chained.size();
  for (size_t i = 0; i < t.c.size(); i++) {
    if (!sameResult(p.each[last + i], p.chained[i])) return false;
  }
  return true;
}

struct Part {
  Kind kind;
  bool wgmma, exchanged;
  const char *instruction() const { return wgmma ? "wgmma" : "mma"; }
};

void runFamily(const Part &part, Family f, const Way &way) {
  const Operands &o = operandsOf(part.kind);
  const bool isShort = part.kind == KindF16Short;
  std::vector<Row> rows;
  bool same = true;
  for (int tile = 0; tile < (part.wgmma ? 1 : 2); tile++) {
    const uint64_t seed = uint64_t(((int(part.kind) * 2 + part.wgmma) * families + f) * 2 + tile) * 1000;
    const Tile t = makeTile(o, f, way.use, part.wgmma ? 64 : 16, chainSteps, isShort, seed);
    const Products p = multiply(part.kind, part.wgmma, t, way.accumulator, part.exchanged);
    same = same && sameChain(t, p);
    for (const Row &r : rowsOf(t, p, way)) {
      if (way.accumulator || r.first) rows.push_back(r);
    }
  }
  const std::string name = std::string(part.instruction()) + "-" + nameOf(part.kind) + "-" + nameOf(f) + way.suffix;
  const Capability c{device.major, device.minor};
  writeTable(folder + (way.table ? "/table-" : "/step-") + name + ".safetensors",
             metadataOf(way.table ? "probe.products" : "mma.step", "{}", std::string("{\"accumulate\":\"") + accumulatorName(c) + "\"}",
                        {{"instruction", part.instruction()}, {"operands", nameOf(part.kind)}, {"inputs", nameOf(f)}, {"note", same ? "a chain without reading gave the same" : "a chain without reading gave other bits"}}),
             tensorsOf(rows, o, way, isShort));
  std::printf("%-40s", name.c_str());
  compare(modelOf(part.kind, part.wgmma, c), o, rows);
  std::printf("%s\n", same ? ", the same in one chain" : ", OTHERS in one chain");
  std::fflush(stdout);
}

// readsRight says whether ordinary inputs give about what float64 does: fragments and descriptors are right.
bool readsRight(const Part &part, const Way &way) {
  const Operands &o = operandsOf(part.kind);
  const bool isShort = part.kind == KindF16Short;
  const Tile t = makeTile(o, Ordinary, way.use, part.wgmma ? 64 : 16, chainSteps, isShort, 77);
  const std::vector<Row> rows = rowsOf(t, multiply(part.kind, part.wgmma, t, true, part.exchanged), way);
  const size_t far = farFromFloat64(o, rows, isShort);
  if (far > 0) std::printf("%s-%s: %zu of %zu ordinary results are far from float64's%s\n", part.instruction(), nameOf(part.kind), far, rows.size(), part.exchanged ? ", descriptor exchanged" : "");
  return far == 0;
}

void runTensorPart(Part part) {
  const std::vector<Way> ways = waysOf(part.kind, part.wgmma, {device.major, device.minor});
  if (!readsRight(part, ways[0]) && part.wgmma) {
    part.exchanged = true;
    if (!readsRight(part, ways[0])) part.exchanged = false;
  }
  for (int f = 0; f < families; f++) {
    for (size_t w = 0; w < ways.size(); w++) {
      if (w == 0 || ways[w].table || f <= Wide) runFamily(part, Family(f), ways[w]);
    }
  }
}

bool canRun(Kind kind, bool wgmma) {
  const bool fp8 = operandsOf(kind).bytes == 1;
  if (wgmma) return device.major == 9 && kind != KindF16Short;
  return device.major >= 9 || (device.major == 8 && (!fp8 || device.minor >= 9));
}

void runFunction(int f) {
  std::vector<float> x;
  for (uint64_t i = 0; i < 8192; i++) x.push_back(i % 2 == 0 ? float(16 * flat(1, i)) : floatOf(uint32_t(plumbline::splitmix64(2, i))));
  const std::vector<float> y = evaluate(f, x);
  const Worst w = worstOf(f, searchStride);
  const int64_t n = int64_t(x.size());
  writeTable(folder + "/function-" + functionName(f) + ".safetensors",
             metadataOf("probe.function", object({{"function", functionName(f)}, {"stride", std::to_string(searchStride)}}), "{}", {}),
             {tensorOf("x", "F32", {n}, x), tensorOf("out.y", "F32", {n}, y), tensorOf("worst_x", "F32", {bins}, w.x), tensorOf("out.worst_y", "F32", {bins}, w.y),
              tensorOf("worst_ulps", "F32", {bins}, w.ulps), tensorOf("absolute_x", "F32", {bins}, w.absoluteX), tensorOf("out.absolute_y", "F32", {bins}, w.absoluteY),
              tensorOf("absolute", "F32", {bins}, w.absolute)});
  std::printf("%-22s written\n", functionName(f));
}

std::vector<std::string> partNames() {
  std::vector<std::string> names;
  for (int wgmma = 0; wgmma < 2; wgmma++) {
    for (int k = 0; k < (wgmma ? KindF16Short : kinds); k++) names.push_back(std::string(wgmma ? "wgmma-" : "mma-") + nameOf(Kind(k)));
  }
  for (int f = 0; f < functions(); f++) names.push_back(std::string("function-") + functionName(f));
  return names;
}

void runPart(const std::string &name) {
  device = plumbline::openDevice();
  for (int wgmma = 0; wgmma < 2; wgmma++) {
    for (int k = 0; k < kinds; k++) {
      if (name != std::string(wgmma ? "wgmma-" : "mma-") + nameOf(Kind(k))) continue;
      if (!canRun(Kind(k), wgmma)) {
        std::printf("%s: not on this device\n", name.c_str());
        return;
      }
      runTensorPart({Kind(k), wgmma != 0, false});
      return;
    }
  }
  for (int f = 0; f < functions(); f++) {
    if (name == std::string("function-") + functionName(f)) return runFunction(f);
  }
  throw std::runtime_error("no part is called so");
}

double seconds() {
  static const auto begin = std::chrono::steady_clock::now();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// ended waits for a child until that time.
bool ended(pid_t child, double until, int &status) {
  while (waitpid(child, &status, WNOHANG) != child) {
    if (seconds() > until) return false;
    usleep(5000);
  }
  return true;
}

// runInChild runs a part with its output in a file, and returns what went wrong, "" if nothing did. A child that hangs is killed, and left alone if that takes long.
std::string runInChild(const std::string &self, const std::string &name, const std::string &said, double limit) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) return "no process for it";
  if (child == 0) {
    const int to = open(said.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (to < 0 || dup2(to, 1) < 0 || dup2(to, 2) < 0) _exit(3);
    execl(self.c_str(), self.c_str(), folder.c_str(), "--part", name.c_str(), static_cast<char *>(nullptr));
    _exit(4);
  }
  int status = 0;
  const double begin = seconds();
  if (!ended(child, begin + limit, status)) {
    kill(child, SIGKILL);
    ended(child, seconds() + 3, status);
    return "took longer than " + std::to_string(int(limit)) + " s";
  }
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return WEXITSTATUS(status) == 0 ? "" : "exit status " + std::to_string(WEXITSTATUS(status));
}

int runAll(double budget) {
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length <= 0) throw std::runtime_error("cannot find itself in /proc");
  self[length] = 0;
  const std::string log = folder + "/probe.txt", said = log + ".part";
  std::FILE *all = std::fopen(log.c_str(), "w");
  if (all == nullptr) throw std::runtime_error("cannot write " + log);
  int failed = 0, passed = 0;
  const auto say = [&](const std::string &text) {
    for (std::FILE *to : {stdout, all}) {
      std::fputs(text.c_str(), to);
      std::fflush(to);
    }
  };
  for (const std::string &name : partNames()) {
    const double left = budget - seconds();
    if (left < 1) {
      passed++;
      continue;
    }
    const std::string wrong = runInChild(self, name, said, std::min(left, partLimit));
    std::FILE *f = std::fopen(said.c_str(), "r");
    char text[4096];
    for (size_t n; f != nullptr && (n = std::fread(text, 1, sizeof text, f)) > 0;) say(std::string(text, n));
    if (f != nullptr) std::fclose(f);
    if (wrong.empty()) continue;
    failed++;
    say("FAILED " + name + ": " + wrong + "\n");
  }
  std::remove(said.c_str());
  say("probe: " + std::to_string(partNames().size()) + " parts, " + std::to_string(failed) + " failed, " + std::to_string(passed) + " passed over for want of time, " + std::to_string(int(seconds())) +
      " s\n");
  std::fclose(all);
  return failed + passed > 0;
}

int run(const std::vector<std::string> &arguments) {
  std::string part;
  double budget = 110;
  for (size_t i = 0; i < arguments.size(); i++) {
    if (arguments[i] == "--list") {
      for (const std::string &name : partNames()) std::printf("%s\n", name.c_str());
      return 0;
    }
    const bool more = i + 1 < arguments.size();
    if (arguments[i] == "--part" && more) {
      part = arguments[++i];
    } else if (arguments[i] == "--budget" && more) {
      budget = std::atof(arguments[++i].c_str());
    } else if (folder.empty() && arguments[i][0] != '-') {
      folder = arguments[i];
    } else {
      folder.clear();
      break;
    }
  }
  if (folder.empty()) {
    std::fprintf(stderr, "usage: probe OUT [--budget SECONDS] [--part NAME]\n       probe --list\n");
    return 2;
  }
  mkdir(folder.c_str(), 0755);  // may be there
  if (part.empty()) return runAll(budget);
  runPart(part);
  return 0;
}

}  // namespace
}  // namespace probe

int main(int argc, char **argv) {
  try {
    return probe::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception &error) {
    std::fflush(stdout);
    std::fprintf(stderr, "probe: %s\n", error.what());
    return 1;
  }
}

// recorder takes requests, runs the kernels on them and writes recordings.
//
//	recorder [--mistake NAME] [--out DIR] [--check] [--time-only] [--no-times] [--largest GFLOP] [--no-ceilings] REQUEST…
//	recorder --host-test | --list | --sources
//
// Recordings are written to DIR under the name of their request, those of a mistake to DIR/invalid with the mistake in the name. A request on which a
// mistake cannot show is passed over, and named. With --time-only nothing is written, for requests whose outputs are too large to keep; with --no-times
// nothing is timed. Exit status: 0 if all others were recorded, 1 if any was not, 2 for a wrong command line.
//
// The work is done in a process of its own. If a request costs it the device, or its life, or more than a minute and a half, another goes on behind that request.
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <new>

#include "device.h"
#include "host_test.h"
#include "ops.h"
#include "sources.inc"  // written by the Makefile: {file, sha256} of every source

namespace plumbline {

namespace {

struct Options {
  std::string mistake, out = ".";
  bool check = false, ceilings = true, times = true, timeOnly = false;
  double largest = INFINITY;  // requests of more operations are passed over
  std::vector<std::string> requests;
};

std::string baseName(const std::string &path) { return path.substr(path.find_last_of('/') + 1); }

std::string digestOf(const std::string &file) {
  for (const auto &s : sourceDigests) {
    if (file == s[0]) return s[1];
  }
  fail("no digest of source " + file);
}

std::string now() {
  const std::time_t t = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&t));
  return text;
}

// unwritten counts the elements of an output that still hold the poison.
size_t unwritten(const Output &o, const std::vector<unsigned char> &bytes) {
  const size_t size = size_t(sizeOf(o.element));
  size_t count = 0;
  for (size_t i = 0; i < bytes.size(); i += size) {
    size_t left = 0;
    while (left < size && bytes[i + left] == 0xFF) left++;
    count += left == size;
  }
  return count;
}

using Bytes = std::vector<std::vector<unsigned char>>;

// runOnce poisons the outputs, runs the job and returns what it left.
Bytes runOnce(const Job &job) {
  for (const Output &o : job.outputs) o.data.poison();
  if (job.prepare) job.prepare();
  job.run();
  finish();
  Bytes all;
  for (const Output &o : job.outputs) all.push_back(o.data.download());
  return all;
}

// Difference says how far a wrong kernel's outputs lie from those of the right one.
struct Difference {
  size_t elements = 0, of = 0;
  double largest = 0;  // of one element, relative to the largest of its tensor; infinite where one is not finite and the other is
};

// compare leaves out what is not judged.
Difference compare(const Job &job, const Bytes &right, const Bytes &wrong) {
  Difference d;
  for (size_t o = 0; o < right.size(); o++) {
    const Element e = job.outputs[o].element;
    const size_t n = right[o].size() / size_t(sizeOf(e));
    double scale = 0, largest = 0;
    for (size_t i = 0; i < n; i++) {
      if (job.judged.size() == n && !job.judged[i]) continue;
      const double a = decode(e, right[o].data(), i), b = decode(e, wrong[o].data(), i);
      const bool same = a == b || std::memcmp(&right[o][i * size_t(sizeOf(e))], &wrong[o][i * size_t(sizeOf(e))], size_t(sizeOf(e))) == 0;  // 0 is −0
      d.elements += !same;
      if (std::isfinite(a)) scale = std::fmax(scale, std::fabs(a));
      if (!same) largest = std::fmax(largest, std::isfinite(a) && std::isfinite(b) ? std::fabs(a - b) : INFINITY);
    }
    d.of += n;
    if (largest > 0) d.largest = std::fmax(d.largest, scale > 0 ? largest / scale : INFINITY);
  }
  return d;
}

// shows returns whether a mistake can be seen at all: an element is off by a 64th of the largest, or a twentieth of all differ, by more than last bits. Another
// constant than the maximum changes last bits everywhere: that shows nothing.
bool shows(const std::string &mistake, const Difference &d) {
  if (mistake == "fixed-maximum") return d.largest > 1.0 / 16;
  return d.largest > 1.0 / 64 || (double(d.elements) >= double(d.of) / 20 && d.largest > 1.0 / (1 << 20));
}

// switchOf returns the switch of variant.h that makes a mistake.
std::string switchOf(std::string name) {
  for (char &c : name) c = c == '-' ? '_' : char(std::toupper(c));
  return "MISTAKE_" + name;
}

// Recorder holds what stays the same from request to request.
class Recorder {
 public:
  explicit Recorder(Options o) : options(std::move(o)) {
    if (options.check) {
      dry = true;
      device.multiprocessors = 132;
    } else {
      device = openDevice();
      if (options.ceilings && options.times && options.mistake.empty()) measureAll();
    }
    if (const Mistake *m = findMistake(options.mistake)) mistake = m;
    if (!options.mistake.empty() && !mistake) fail("mistake " + options.mistake + ": unknown; --list shows all");
  }

  bool onGPU() const { return device.gpu; }

  void record(const std::string &path) {
    const Recording request = readRecording(path);
    const std::string wrong = mistake ? mistake->name : "";
    if (mistake && std::find(mistake->ops.begin(), mistake->ops.end(), request.op) == mistake->ops.end()) {
      return passOver(path, "no kernel of " + request.op + " makes it");
    }
    const Job job = bindJob(request, device, wrong);
    if (job.flops > options.largest * 1e9) return passOver(path, "larger than asked for");
    if (options.check) {
      std::printf("%-44s %-18s %9.2f GFLOP %9.2f MB  %s\n", baseName(path).c_str(), request.op.c_str(), job.flops * 1e-9, job.bytes * 1e-6, job.arithmetic.dump().c_str());
      return;
    }
    const Bytes outputs = runOnce(job);
    Difference difference;
    if (mistake) {
      difference = compare(job, runOnce(bindJob(request, device, "")), outputs);
      if (!shows(wrong, difference)) return passOver(path, "the outputs do not show it");
    } else {
      for (size_t o = 0; o < outputs.size(); o++) {
        if (size_t n = unwritten(job.outputs[o], outputs[o])) fail("output " + job.outputs[o].name + ": " + std::to_string(n) + " elements were not written");
      }
    }
    const Times times = mistake || !options.times ? Times{} : measure(job.run);
    if (runOnce(job) != outputs) fail("the outputs of two runs differ: a race");
    if (options.timeOnly) return report(path, job, times, difference);
    Recording out = request;
    for (size_t o = 0; o < outputs.size(); o++) out.tensors.push_back({"out." + job.outputs[o].name, job.outputs[o].element, job.outputs[o].shape, outputs[o]});
    out.arithmetic = job.arithmetic;
    out.provenance = provenance(request, job, path, times, difference);
    const std::vector<unsigned char> bytes = formatRecording(out);
    parseRecording(bytes);  // what cannot be read back is not written
    writeFile(outputPath(path), bytes);
    report(path, job, times, difference);
  }

 private:
  Options options;
  Device device;
  Ceilings ceilings;
  const Mistake *mistake = nullptr;

  // measureAll measures the ceilings; without them requests are recorded all the same.
  void measureAll() {
    try {
      ceilings = measureCeilings(device);
    } catch (const std::exception &e) {
      std::fprintf(stderr, "recorder: ceilings: %s\n", e.what());
      if (deviceLost()) throw;
    }
    if (ceilings.copy == 0) return;
    std::printf("ceilings: copy %.0f GB/s, bf16 product %.0f TFLOP/s (relative error %.1e), mma.sync alone %.0f TFLOP/s\n", ceilings.copy, ceilings.product,
                ceilings.error, ceilings.issue);
    if (ceilings.error < 0.01) return;
    std::fprintf(stderr, "recorder: ceilings: the matrix product is wrong: it does not count\n");
    ceilings.product = 0;
  }

  void passOver(const std::string &path, const std::string &why) const {
    std::printf("%-44s %-20s passed over: %s\n", baseName(path).c_str(), mistake ? mistake->name : "", why.c_str());
  }

  std::string outputPath(const std::string &path) const {
    const std::string folder = mistake ? options.out + "/invalid" : options.out;
    mkdir(options.out.c_str(), 0777);
    mkdir(folder.c_str(), 0777);
    std::string name = baseName(path);
    if (!mistake) return folder + "/" + name;
    const std::string end = ".safetensors";
    if (name.size() > end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0) name.resize(name.size() - end.size());
    return folder + "/" + name + "." + mistake->name + end;
  }

  static std::string percent(double x, double of) {
    char text[32];
    std::snprintf(text, sizeof text, "%.0f %%", 100 * x / of);
    return text;
  }

  Json provenance(const Recording &request, const Job &job, const std::string &path, const Times &times, const Difference &difference) const {
    Json p = Json::object(), sources = Json::object();
    for (const std::string &s : job.sources) sources.set("kernels/" + s, Json::string(digestOf(s)));
    p.set("producer", Json::string(device.gpu ? "plumbline kernels" : "plumbline kernels, compiled for a processor: a test of their indices, not a recording of a GPU"));
    p.set("source", Json::string("kernels/" + job.sources[0]));
    p.set("source_sha256", Json::string(digestOf(job.sources[0])));
    p.set("sources", sources);
    p.set("device", Json::string(device.name));
    p.set("driver", Json::string(device.driver));
    p.set("toolchain", Json::string(device.toolchain + (mistake ? " -D" + switchOf(mistake->name) : "")));
    p.set("command", Json::string("recorder " + std::string(mistake ? "--mistake " + std::string(mistake->name) + " " : "") + baseName(path)));
    p.set("recorded_at", Json::string(now()));
    p.set("note", Json::string(note(job, times)));
    if (mistake) {
      p.set("mistake", Json::string(mistake->name));
      p.set("mistake_id", Json::string(mistake->id));
      p.set("mistake_what", Json::string(mistake->what));
      Json d = Json::object();
      d.set("elements", Json::whole(int64_t(difference.elements)));
      d.set("of", Json::whole(int64_t(difference.of)));
      d.set("largest", Json::number(difference.largest));
      p.set("differs_from_right", d);
    }
    if (times.runs > 0) p.set("measured", measured(job, times));
    if (!request.provenance.members.empty()) p.set("request", request.provenance);
    return p;
  }

  std::string note(const Job &job, const Times &times) const {
    std::string text = mistake ? "a wrong kernel, on purpose: " + std::string(mistake->what) : "";
    const auto add = [&](const std::string &s) { text += (text.empty() ? "" : "; ") + s; };
    if (!job.how.empty()) add(job.how);
    if (job.tensorCores && device.major != 9) add("recorded on compute capability " + std::to_string(device.major) + ", whose tensor cores are not Hopper's: F32_HOPPER is the nearest name of their sums");
    if (times.runs > 0) {
      char line[160];
      std::snprintf(line, sizeof line, "median of %d runs %.1f us, second-level cache cold: %.0f GB/s, %.2f TFLOP/s", times.runs, times.median, job.bytes / times.median * 1e-3,
                    job.flops / times.median * 1e-6);
      add(line);
    }
    if (ceilings.copy > 0 && ceilings.product > 0) add("measured ceilings: a copy " + std::to_string(int(ceilings.copy)) + " GB/s, a bf16 product by mma.sync " + std::to_string(int(ceilings.product)) + " TFLOP/s");
    return text;
  }

  Json measured(const Job &job, const Times &times) const {
    Json m = Json::object();
    m.set("median_us", Json::number(times.median));
    m.set("least_us", Json::number(times.least));
    m.set("most_us", Json::number(times.most));
    m.set("runs", Json::whole(times.runs));
    m.set("bytes", Json::number(job.bytes));
    m.set("flops", Json::number(job.flops));
    m.set("gb_per_s", Json::number(job.bytes / times.median * 1e-3));
    m.set("tflop_per_s", Json::number(job.flops / times.median * 1e-6));
    if (ceilings.copy > 0) {
      m.set("ceiling_copy_gb_per_s", Json::number(ceilings.copy));
      m.set("ceiling_product_tflop_per_s", Json::number(ceilings.product));
      m.set("ceiling_mma_tflop_per_s", Json::number(ceilings.issue));
    }
    return m;
  }

  void report(const std::string &path, const Job &job, const Times &times, const Difference &difference) const {
    std::printf("%-44s ", baseName(path).c_str());
    if (mistake) {
      std::printf("%-20s %zu of %zu elements differ, by up to %.2g\n", mistake->name, difference.elements, difference.of, difference.largest);
    } else if (times.runs > 0) {
      const double gb = job.bytes / times.median * 1e-3, tf = job.flops / times.median * 1e-6;
      std::printf("%9.1f us %7.0f GB/s (%s) %8.2f TFLOP/s (%s)\n", times.median, gb, ceilings.copy > 0 ? percent(gb, ceilings.copy).c_str() : "-", tf,
                  ceilings.product > 0 ? percent(tf, ceilings.product).c_str() : "-");
    } else {
      std::printf(options.timeOnly ? "run, not timed\n" : "recorded\n");
    }
  }
};

int usage() {
  std::fprintf(stderr, "usage: recorder [--mistake NAME] [--out DIR] [--check] [--time-only] [--no-times] [--largest GFLOP] [--no-ceilings] REQUEST...\n       recorder --host-test | --list | --sources\n");
  return 2;
}

// sources prints what sha256sum -c reads: what the program was compiled from.
int sources() {
  for (const auto &s : sourceDigests) std::printf("%s  %s\n", s[1], s[0]);
  return 0;
}

int list() {
  for (const Mistake &m : mistakes()) {
    std::string ops;
    for (const std::string &op : m.ops) ops += " " + op;
    std::printf("%s\t%s\t%s\t%s\n", m.name, m.id[0] ? m.id : "-", ops.c_str() + 1, m.what);
  }
  return 0;
}

// Progress is what the two processes share.
struct Progress {
  size_t next = 0, failed = 0;  // next: the request that is worked on, or is to be
  bool started = false;         // the device answered
};

constexpr int goOn = 3;            // the exit status of a process that lost its device
constexpr unsigned patience = 90;  // seconds for one request

// work does the requests from progress.next on and returns the exit status of its process.
int work(const Options &options, Progress &progress) {
  if (!options.check) alarm(patience);
  Recorder recorder(options);
  progress.started = true;
  while (progress.next < options.requests.size()) {
    const std::string &path = options.requests[progress.next];
    alarm(recorder.onGPU() ? patience : 0);
    try {
      recorder.record(path);
    } catch (const std::exception &e) {
      std::fprintf(stderr, "recorder: %s: %s\n", baseName(path).c_str(), e.what());
      progress.failed++;
    }
    std::fflush(stdout);
    progress.next++;
    if (recorder.onGPU() && deviceLost()) return goOn;
  }
  return 0;
}

// supervise has the requests done and returns how many failed.
size_t supervise(const Options &options) {
  void *shared = mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) fail("no memory to share");
  Progress &progress = *new (shared) Progress;
  while (progress.next < options.requests.size()) {
    const pid_t child = fork();
    if (child < 0) fail("no second process");
    if (child == 0) {
      int status = 1;
      try {
        status = work(options, progress);
      } catch (const std::exception &e) {
        std::fprintf(stderr, "recorder: %s\n", e.what());
      }
      std::fflush(stdout);
      _exit(status);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) break;
    if (WIFEXITED(status) && WEXITSTATUS(status) == goOn) continue;
    if (WIFSIGNALED(status)) {
      const std::string at = progress.started ? baseName(options.requests[progress.next]) : "before the first request";
      std::fprintf(stderr, "recorder: %s: %s\n", at.c_str(), strsignal(WTERMSIG(status)));
    }
    if (!progress.started) return options.requests.size();
    progress.failed++;
    progress.next++;
  }
  return progress.failed;
}

}  // namespace

int run(int argc, char **argv) {
  Options o;
  for (int i = 1; i < argc; i++) {
    const std::string arg = argv[i];
    if (arg == "--host-test") return hostTest();
    if (arg == "--list") return list();
    if (arg == "--sources") return sources();
    if (arg == "--check") {
      o.check = true;
    } else if (arg == "--time-only") {
      o.timeOnly = true;
    } else if (arg == "--no-times") {
      o.times = false;
    } else if (arg == "--no-ceilings") {
      o.ceilings = false;
    } else if (arg == "--largest" && i + 1 < argc) {
      o.largest = std::strtod(argv[++i], nullptr);
    } else if ((arg == "--mistake" || arg == "--out") && i + 1 < argc) {
      (arg == "--out" ? o.out : o.mistake) = argv[++i];
    } else if (arg.empty() || arg[0] == '-') {
      return usage();
    } else {
      o.requests.push_back(arg);
    }
  }
  if (o.requests.empty()) return usage();
  return supervise(o) > 0;
}

}  // namespace plumbline

int main(int argc, char **argv) {
  try {
    return plumbline::run(argc, argv);
  } catch (const std::exception &e) {
    std::fprintf(stderr, "recorder: %s\n", e.what());
    return 1;
  }
}

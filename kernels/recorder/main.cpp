// recorder takes requests, runs the kernels on them and writes recordings.
//
//	recorder [--mistake NAME] [--out DIR] [--check] [--time-only] [--no-times] [--largest GFLOP] [--no-ceilings]
//	         [--patience SECONDS] [--seconds SECONDS] [--piece BYTES] REQUEST…
//	recorder --host-test | --list | --sources
//
// Recordings are written to DIR under the name of their request, those of a mistake to DIR/invalid with the mistake in the
// name. A request on which a mistake cannot show is passed over, and named, and so is one whose file is not there. With
// --time-only nothing is written, for requests whose outputs are too large to keep; with --no-times nothing is timed.
// Exit status: 0 if all others were recorded, 1 if any was not, 2 for a wrong command line.
//
// Simple ops come first. The work is done in a process of its own: if a request costs it the device, or its life, or takes
// longer than --patience (15 seconds for each step on a GPU), another goes on behind that request. A kernel's file that hung
// twice, or cost eight processes, is not run again. What is not begun within --seconds is not run. The ceilings are
// measured last, in a process of their own, and added to what is recorded. Generated inputs are made --piece bytes at a time (64 MiB).
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>

#include "device.h"
#include "host_test.h"
#include "inputs.h"
#include "ops.h"
#include "supervise.h"
#include "sources.inc"  // written by the Makefile: {file, sha256} of every source

namespace plumbline {

namespace {

struct Options {
  std::string mistake, out = ".";
  bool check = false, ceilings = true, times = true, timeOnly = false;
  double largest = INFINITY;  // requests of more operations are passed over
  double patience = -1;       // seconds for each step of a request; 0: no end; below: 15 on a GPU, no end elsewhere
  double seconds = INFINITY;  // after which no request is begun
  std::string inject;         // for tests: KIND:NAME,… fails on purpose
  std::vector<std::string> requests;
};

// injected returns whether a test wants a failure of that kind at a request, at "ceilings" or at "device".
bool injected(const Options &o, const std::string &kind, const std::string &name) {
  return ("," + o.inject + ",").find("," + kind + ":" + name + ",") != std::string::npos;
}

// failOnPurpose hangs or crashes where a test wants it.
void failOnPurpose(const Options &o, const std::string &name) {
  while (injected(o, "hang", name)) pause();
  if (injected(o, "crash", name)) std::abort();
}

// Result is what became of one request. Results and Progress lie in memory that the processes share.
struct Result {
  bool written, timed;
  Times times;
  double bytes, flops;
};

struct Progress {
  Patience patience;
  size_t next = 0, failed = 0;  // next: the request that is worked on, or is to be
  bool started = false;         // the device answered
  char source[64] = {};         // the kernel's file of the request that is worked on, once it is known
  Ceilings ceilings;
  Result *results = nullptr;
};

// Trouble counts what the kernels' files cost so far. Each child inherits it from the parent.
struct Trouble {
  std::map<std::string, int> hangs, losses;
  bool shuns(const std::string &source) const {
    const auto count = [&](const std::map<std::string, int> &of) { return of.count(source) ? of.at(source) : 0; };
    return count(hangs) >= 2 || count(losses) >= 8;
  }
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

using Outputs = std::vector<Bytes>;

// runOnce poisons the outputs, runs the job and returns what it left.
Outputs runOnce(const Job &job) {
  for (const Output &o : job.outputs) o.data.poison();
  if (job.prepare) job.prepare();
  job.run();
  finish();
  Outputs all;
  for (const Output &o : job.outputs) all.push_back(o.data.download());
  return all;
}

// Difference says how far a wrong kernel's outputs lie from those of the right one.
struct Difference {
  size_t elements = 0, of = 0;
  double largest = 0;  // of one element, relative to the largest of its tensor; infinite where one is not finite and the other is
};

// compare leaves out what is not judged.
Difference compare(const Job &job, const Outputs &right, const Outputs &wrong) {
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
// constant than the maximum changes last bits everywhere, and a short accumulator those that it has: that shows nothing.
bool shows(const std::string &mistake, const Difference &d) {
  if (mistake == "fixed-maximum") return d.largest > 1.0 / 16;
  if (mistake == "promotion-missing") return d.largest > 1.0 / 64;
  return d.largest > 1.0 / 64 || (double(d.elements) >= double(d.of) / 20 && d.largest > 1.0 / (1 << 20));
}

// switchOf returns the switch of variant.h that makes a mistake.
std::string switchOf(std::string name) {
  for (char &c : name) c = c == '-' ? '_' : char(std::toupper(c));
  return "MISTAKE_" + name;
}

// outputPath returns where the recording of a request goes.
std::string outputPath(const Options &o, const std::string &path) {
  const Mistake *m = findMistake(o.mistake);
  std::string name = baseName(path);
  if (!m) return o.out + "/" + name;
  const std::string end = ".safetensors";
  if (name.size() > end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0) name.resize(name.size() - end.size());
  return o.out + "/invalid/" + name + "." + m->name + end;
}

std::string text(const char *format, double a, double b) {
  char line[160];
  std::snprintf(line, sizeof line, format, a, b);
  return line;
}

// inputBytes returns the bytes of a request's generated inputs.
double inputBytes(const Recording &r) {
  double bytes = 0;
  for (const auto &g : r.generated) bytes += double(countOf(g.second.shape)) * sizeOf(g.second.element);
  return bytes;
}

constexpr double patienceOnGPU = 15, patienceToOpen = 60;  // seconds

// Recorder holds what stays the same from request to request of one child.
class Recorder {
 public:
  Recorder(const Options &o, Progress &p, const Trouble &t) : options(o), progress(p), trouble(t) {
    if (options.check) {
      dry = true;
      device.multiprocessors = 132, device.major = 9;  // those of an H100
    } else {
      progress.patience.allow(patienceToOpen);
      failOnPurpose(options, "device");
      device = openDevice();
    }
    patience = options.patience >= 0 ? options.patience : device.gpu ? patienceOnGPU : 0;
    if (const Mistake *m = findMistake(options.mistake)) mistake = m;
    if (!options.mistake.empty() && !mistake) fail("mistake " + options.mistake + ": unknown; --list shows all");
    step();
  }

  // step begins a step: the parent's patience is renewed.
  void step(double more = 0) { progress.patience.allow(patience > 0 ? patience + more : 0); }

  // lost returns whether the device answers no more.
  bool lost() const { return lostOnPurpose || (device.gpu && deviceLost()); }

  void record(size_t number) {
    const std::string &path = options.requests[number];
    const Recording request = readRecording(path);
    const std::string wrong = mistake ? mistake->name : "";
    if (mistake && std::find(mistake->ops.begin(), mistake->ops.end(), request.op) == mistake->ops.end()) {
      return passOver(path, "no kernel of " + request.op + " makes it");
    }
    {
      const Job sketch = sketchJob(request, device, wrong);
      if (sketch.flops > options.largest * 1e9) return passOver(path, "larger than asked for");
      std::snprintf(progress.source, sizeof progress.source, "%s", sketch.sources[0].c_str());
      if (!options.check) afford(sketch);
    }
    if (trouble.shuns(progress.source)) fail("not run: " + std::string(progress.source) + " hung or crashed too often");
    step(inputBytes(request) / 50e6);  // made, fetched and digested on the host
    const Job job = bindJob(request, device, wrong);
    if (options.check) {
      std::printf("%-44s %-18s %9.2f GFLOP %9.2f MB  %s\n", baseName(path).c_str(), request.op.c_str(), job.flops * 1e-9,
                  job.bytes * 1e-6, job.arithmetic.dump().c_str());
      return;
    }
    step();
    injectInto(path);
    const Outputs outputs = runOnce(job);
    Difference difference;
    if (mistake) {
      step();
      difference = compare(job, runOnce(bindJob(request, device, "")), outputs);
      if (!shows(wrong, difference)) return passOver(path, "the outputs do not show it");
    } else {
      for (size_t o = 0; o < outputs.size(); o++) {
        if (size_t n = unwritten(job.outputs[o], outputs[o])) {
          fail("output " + job.outputs[o].name + ": " + std::to_string(n) + " elements were not written");
        }
      }
    }
    step();
    const Times times = mistake || !options.times ? Times{} : measure(job.run);
    step();
    if (runOnce(job) != outputs) fail("the outputs of two runs differ: a race");
    if (!options.timeOnly) write(request, job, path, outputs, times, difference);
    progress.results[number] = {!options.timeOnly, times.runs > 0, times, job.bytes, job.flops};
    report(path, times, difference);
  }

 private:
  // afford throws if the device has not the memory for a job and its measurement; beside a wrong kernel there is the right one.
  void afford(const Job &sketch) const {
    const size_t needed = sketch.memoryBytes * (mistake ? 2 : 1) + (options.times && device.gpu ? measureMemory : 0), free = injected(options, "full", "device") ? 0 : freeMemory();
    if (needed > free) fail(text("needs %.1f GB of the device's memory, of which %.1f GB are free", double(needed) * 1e-9, double(free) * 1e-9));
  }

  const Options &options;
  Progress &progress;
  const Trouble &trouble;
  Device device;
  double patience = 0;
  bool lostOnPurpose = false;
  const Mistake *mistake = nullptr;

  void injectInto(const std::string &path) {
    failOnPurpose(options, baseName(path));
    if (!injected(options, "lose", baseName(path))) return;
    lostOnPurpose = true;
    fail("the device is lost, on purpose");
  }

  void write(const Recording &request, const Job &job, const std::string &path, const Outputs &outputs, const Times &times,
             const Difference &difference) const {
    Recording out = request;
    for (size_t o = 0; o < outputs.size(); o++) {
      out.tensors.push_back({"out." + job.outputs[o].name, job.outputs[o].element, job.outputs[o].shape, outputs[o]});
    }
    out.arithmetic = job.arithmetic;
    out.provenance = provenance(request, job, path, times, difference);
    const std::vector<unsigned char> bytes = formatRecording(out);
    parseRecording(bytes);  // what cannot be read back is not written
    mkdir(options.out.c_str(), 0777);
    if (mistake) mkdir((options.out + "/invalid").c_str(), 0777);
    writeFile(outputPath(options, path), bytes);
  }

  void passOver(const std::string &path, const std::string &why) const {
    std::printf("%-44s %-20s passed over: %s\n", baseName(path).c_str(), mistake ? mistake->name : "", why.c_str());
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
    p.set("note", Json::string(note(request.op, job, times)));
    if (mistake) {
      p.set("mistake", Json::string(mistake->name));
      p.set("mistake_id", Json::string(mistake->numbers(request.op)));
      p.set("mistake_what", Json::string(mistake->what(request.op)));
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

  std::string note(const std::string &op, const Job &job, const Times &times) const {
    std::string text = mistake ? "a wrong kernel, on purpose: " + mistake->what(op) : "";
    const auto add = [&](const std::string &s) { text += (text.empty() ? "" : "; ") + s; };
    if (!job.how.empty()) add(job.how);
    if (job.tensorCores && device.major != 9) add("recorded on compute capability " + std::to_string(device.major) + ", whose tensor cores are not Hopper's: F32_HOPPER is the nearest name of their sums");
    if (times.runs > 0) {
      char line[160];
      std::snprintf(line, sizeof line, "median of %d runs %.1f us, second-level cache cold: %.0f GB/s, %.2f TFLOP/s", times.runs, times.median, job.bytes / times.median * 1e-3,
                    job.flops / times.median * 1e-6);
      add(line);
    }
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
    return m;
  }

  void report(const std::string &path, const Times &times, const Difference &difference) const {
    std::printf("%-44s ", baseName(path).c_str());
    if (mistake) {
      std::printf("%-20s %zu of %zu elements differ, by up to %.2g\n", mistake->name, difference.elements, difference.of,
                  difference.largest);
    } else if (times.runs > 0) {
      std::printf("%s, %.1f us\n", options.timeOnly ? "run" : "recorded", times.median);
    } else {
      std::printf(options.timeOnly ? "run, not timed\n" : "recorded\n");
    }
  }
};

int usage() {
  std::fprintf(stderr, "usage: recorder [--mistake NAME] [--out DIR] [--check] [--time-only] [--no-times] [--largest GFLOP] [--no-ceilings] [--patience SECONDS] [--seconds SECONDS] [--piece BYTES] REQUEST...\n       recorder --host-test | --list | --sources\n");
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
    const std::string numbers = m.numbers();
    std::printf("%s\t%s\t%s\t%s\n", m.name, numbers.empty() ? "-" : numbers.c_str(), ops.c_str() + 1, m.what(m.ops[0]).c_str());
  }
  return 0;
}

constexpr int goOn = 3;  // the exit status of a process that lost its device

double secondsSince(const timespec &begin) {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return double(t.tv_sec - begin.tv_sec) + 1e-9 * double(t.tv_nsec - begin.tv_nsec);
}

// work does the requests from progress.next on and returns the exit status of its process.
int work(const Options &options, Progress &progress, const Trouble &trouble, const timespec &begin) {
  Recorder recorder(options, progress, trouble);
  progress.started = true;
  while (progress.next < options.requests.size()) {
    const std::string &path = options.requests[progress.next];
    progress.source[0] = 0;
    recorder.step();
    try {
      if (secondsSince(begin) > options.seconds) fail("not run: time is up");
      recorder.record(progress.next);
    } catch (const std::exception &e) {
      std::fprintf(stderr, "recorder: %s: %s\n", baseName(path).c_str(), e.what());
      progress.failed++;
    }
    std::fflush(stdout);
    progress.next++;
    recorder.step();
    if (recorder.lost()) return goOn;
  }
  return 0;
}

// opRank returns the place of an op in the order in which ops are run: simple kernels first, so that one that ends everything
// ends little.
size_t opRank(const std::string &op) {
  static const std::vector<std::string> order = {
      "rope.table", "rope.apply",     "norm.rms", "policy.kl",      "grpo.advantage",  "dpo.loss",          "ppo.gae",    "ppo.value_loss",
      "ppo.loss",   "policy.logprob", "grpo.loss", "moe.dispatch", "moe.bias_update", "moe.balance_loss", "moe.gate", "fp8.cast", "attention.merge", "attention.forward", "attention.backward", "mla.decode",
      "moe.experts", "moe.layer", "fp8.gemm", "fp8.grouped_gemm",
  };
  return size_t(std::find(order.begin(), order.end(), op) - order.begin());
}

// inOrder drops requests whose files are not there, and names them, and sorts the rest, simple ops first.
std::vector<std::string> inOrder(const std::vector<std::string> &paths) {
  std::vector<std::pair<size_t, std::string>> ranked;
  for (const std::string &path : paths) {
    if (access(path.c_str(), R_OK) != 0) {
      std::printf("%-44s passed over: %s\n", path.c_str(), std::strerror(errno));
      continue;
    }
    size_t rank = ~size_t(0);
    try {
      rank = opRank(readRecording(path).op);
    } catch (const std::exception &) {  // said when its turn comes
    }
    ranked.emplace_back(rank, path);
  }
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto &a, const auto &b) { return a.first < b.first; });
  std::vector<std::string> sorted;
  for (const auto &r : ranked) sorted.push_back(r.second);
  return sorted;
}

// supervise has the requests done, by as many children as it takes.
void supervise(const Options &options, Progress &progress, const timespec &begin) {
  Trouble trouble;
  int tries = 0;  // to open the device anew
  while (progress.next < options.requests.size()) {
    progress.started = false;
    progress.patience.allow(patienceToOpen);
    const End end = inChild(progress.patience, [&] { return work(options, progress, trouble, begin); });
    if (end.kind == End::Exited && end.status == 0) return;
    if (end.kind == End::Exited && end.status == goOn) {
      trouble.losses[progress.source]++;
      continue;
    }
    const std::string at = progress.started ? baseName(options.requests[progress.next]) : "opening the device";
    std::fprintf(stderr, "recorder: %s: %s\n", at.c_str(), end.kind == End::Exited ? "its process ended" : end.what.c_str());
    if (!progress.started) {  // nothing can be run; one that follows a lost one may have come too early
      if (progress.next > 0 && end.kind != End::Hung && tries++ < 3) {
        sleep(1);
        continue;
      }
      progress.failed += options.requests.size() - progress.next;
      std::fprintf(stderr, "recorder: %zu requests were not run\n", options.requests.size() - progress.next);
      return;
    }
    (end.kind == End::Hung ? trouble.hangs : trouble.losses)[progress.source]++;
    progress.failed++;
    progress.next++;
  }
}

// --- ceilings

// measureLast measures what the device can do, in a child, and keeps what of it counts.
void measureLast(const Options &options, Progress &progress) {
  Ceilings &c = progress.ceilings;
  progress.patience.allow(patienceToOpen);
  const End end = inChild(progress.patience, [&] {
    const Device device = openDevice();
    const double patience = options.patience >= 0 ? options.patience : device.gpu ? 2 * patienceOnGPU : 0;
    progress.patience.allow(patience);
    failOnPurpose(options, "ceilings");
    measureCeilings(device, c);
    return 0;
  });
  if (end.kind != End::Exited) std::fprintf(stderr, "recorder: ceilings: %s\n", end.what.c_str());
  if (c.product > 0 && !(c.error > 0 && c.error < 0.01)) {  // 0: the child ended before it was known
    std::fprintf(stderr, "recorder: ceilings: the matrix product is wrong (relative error %.1e): it does not count\n", c.error);
    c.product = 0;
  }
  if (c.copy > 0) {
    std::printf("ceilings: copy %.0f GB/s, bf16 product %.0f TFLOP/s (relative error %.1e), mma.sync alone %.0f TFLOP/s\n", c.copy,
                c.product, c.error, c.issue);
  }
}

// addCeilings writes the ceilings into a recording that is there already.
void addCeilings(const std::string &path, const Ceilings &c) {
  Recording r = readRecording(path);
  for (auto &member : r.provenance.members) {
    if (member.first == "measured") {
      member.second.set("ceiling_copy_gb_per_s", Json::number(c.copy));
      member.second.set("ceiling_product_tflop_per_s", Json::number(c.product));
      member.second.set("ceiling_mma_tflop_per_s", Json::number(c.issue));
    }
    if (member.first == "note" && c.product > 0) {
      const std::string ceilings = text("measured ceilings: a copy %.0f GB/s, a bf16 product by mma.sync %.0f TFLOP/s", c.copy, c.product);
      member.second = Json::string(member.second.asString() + (member.second.asString().empty() ? "" : "; ") + ceilings);
    }
  }
  const std::vector<unsigned char> bytes = formatRecording(r);
  parseRecording(bytes);
  writeFile(path, bytes);
}

// share prints one request with its time and its share of the ceilings.
void share(const std::string &path, const Result &r, const Ceilings &c) {
  const double gb = r.bytes / r.times.median * 1e-3, tf = r.flops / r.times.median * 1e-6;
  const auto percent = [](double x, double of) { return of > 0 ? text("%.0f %%", 100 * x / of, 0) : std::string("-"); };
  std::printf("%-44s %9.1f us %7.0f GB/s (%s) %8.2f TFLOP/s (%s)\n", baseName(path).c_str(), r.times.median, gb,
              percent(gb, c.copy).c_str(), tf, percent(tf, c.product).c_str());
}

void finishWithCeilings(const Options &options, Progress &progress) {
  measureLast(options, progress);
  for (size_t i = 0; i < options.requests.size(); i++) {
    const Result &r = progress.results[i];
    if (!r.timed) continue;
    share(options.requests[i], r, progress.ceilings);
    try {
      if (r.written && progress.ceilings.copy > 0) addCeilings(outputPath(options, options.requests[i]), progress.ceilings);
    } catch (const std::exception &e) {
      std::fprintf(stderr, "recorder: %s: ceilings not added: %s\n", baseName(options.requests[i]).c_str(), e.what());
    }
  }
  std::fflush(stdout);
}

// all does everything that a command line asks for and returns the exit status.
int all(Options &options) {
  timespec begin{};
  clock_gettime(CLOCK_MONOTONIC, &begin);
  options.requests = inOrder(options.requests);
  if (options.requests.empty()) {
    std::fprintf(stderr, "recorder: none of the requests is there\n");
    return 1;
  }
  Progress &progress = shared<Progress>();
  progress.results = static_cast<Result *>(sharedMemory(options.requests.size() * sizeof(Result)));
  supervise(options, progress, begin);
  const bool enough = progress.next == options.requests.size() && secondsSince(begin) <= options.seconds;
  if (options.ceilings && options.times && options.mistake.empty() && !options.check && enough) {
    finishWithCeilings(options, progress);
  }
  return progress.failed > 0;
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
    } else if (arg == "--patience" && i + 1 < argc) {
      o.patience = std::strtod(argv[++i], nullptr);
    } else if (arg == "--seconds" && i + 1 < argc) {
      o.seconds = std::strtod(argv[++i], nullptr);
    } else if (arg == "--piece" && i + 1 < argc) {
      pieceBytes = size_t(std::strtoull(argv[++i], nullptr, 10));
    } else if ((arg == "--mistake" || arg == "--out" || arg == "--inject") && i + 1 < argc) {
      (arg == "--out" ? o.out : arg == "--mistake" ? o.mistake : o.inject) = argv[++i];
    } else if (arg.empty() || arg[0] == '-') {
      return usage();
    } else {
      o.requests.push_back(arg);
    }
  }
  if (o.requests.empty()) return usage();
  return all(o);
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

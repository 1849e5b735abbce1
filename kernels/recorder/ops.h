// The ops that the kernels implement: each checks a request against the catalogue and binds it to device memory.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "device.h"
#include "recording.h"

namespace plumbline {

// Mistake is a way to be wrong that a variant of a kernel makes.
struct Mistake {
  const char *name;
  std::vector<std::string> ops;

  // what returns what the catalogue says that such a kernel of the op does, and numbers under which numbers it has that: "R01, R03", or "".
  std::string what(const std::string &op) const, numbers(const std::string &op) const;
  // numbers returns all that the catalogue has under the name, whatever the op.
  std::string numbers() const;
};
const std::vector<Mistake> &mistakes();
// findMistake returns the first mistake of that name or number, or null.
const Mistake *findMistake(const std::string &name);

struct Output {
  std::string name;
  Element element;
  Shape shape;
  Buffer data;
};

// Job is a request bound to device memory, ready to run.
struct Job {
  std::vector<Output> outputs;
  std::function<void()> prepare, run;   // prepare is not measured
  std::vector<std::string> sources;     // the kernel's file first
  Json arithmetic = Json::object();     // what the kernel says of itself
  std::vector<uint8_t> judged;          // of outputs with as many elements; empty: all of them
  double bytes = 0, flops = 0;          // least traffic, and operations of the formula
  size_t memoryBytes = 0;               // of the device, that inputs, outputs and scratch take; of a sketch too
  bool tensorCores = false;
  std::string how;                      // a remark for the note
  std::vector<Buffer> memory;           // what has to live as long as the job
};

// bindJob binds a request to the right kernels (mistake "") or to a variant, and throws if a kernel does not do exactly what is asked.
Job bindJob(const Recording &r, const Device &d, const std::string &mistake);

// sketchJob returns what is known of a job before its large inputs are made: its sources, its operations and its arithmetic. It cannot be run.
Job sketchJob(const Recording &r, const Device &d, const std::string &mistake);

}  // namespace plumbline

#include "ops.h"

#include <algorithm>
#include <set>
#include <sstream>

#include "binder.h"
#include "catalogue.h"

namespace plumbline {

const std::vector<Mistake> &mistakes() {
  static const std::vector<Mistake> all = {
      {"layout-swapped", {"rope.apply"}},
      {"position-off-by-one", {"rope.apply", "rope.table"}},
      {"temperature-missing", {"mla.decode"}},
      {"scale-of-latent", {"mla.decode"}},
      {"causal-top-left", {"attention.forward", "attention.backward", "mla.decode"}},
      {"drop-last-key", {"attention.forward", "mla.decode"}},
      {"page-end", {"mla.decode"}},
      {"fixed-maximum", {"attention.forward", "mla.decode"}},
      {"heads-tiled", {"attention.forward", "attention.backward"}},
      {"merge-base", {"attention.merge", "mla.decode"}},
      {"aggregation-swapped", {"ppo.loss", "grpo.loss", "ppo.value_loss"}},
      {"micro-batch-mean", {"ppo.loss", "grpo.loss", "ppo.value_loss"}},
      {"group-over-batch", {"grpo.advantage"}},
      {"std-ddof", {"grpo.advantage"}},
      {"eps-inside-root", {"grpo.advantage"}},
      {"k3-upside-down", {"policy.kl", "ppo.loss", "grpo.loss"}},
      {"kl-sign", {"policy.kl", "ppo.loss", "grpo.loss"}},
      {"log-ratio-unlimited", {"policy.kl", "ppo.loss", "grpo.loss"}},
      {"sampling-temperature-missing", {"policy.logprob", "ppo.loss", "grpo.loss", "policy.cross_entropy"}},
      {"mask-shifted", {"policy.kl", "ppo.gae", "ppo.loss", "grpo.loss", "ppo.value_loss"}},
      {"gae-through-masked", {"ppo.gae"}},
      {"whiten-over-padding", {"ppo.gae"}},
      {"value-gradient-cut", {"ppo.value_loss"}},
      {"dual-clip-for-positive", {"ppo.loss", "grpo.loss"}},
      {"dual-clip-by-default", {"ppo.loss", "grpo.loss"}},
      {"min-max-exchanged", {"ppo.loss", "grpo.loss"}},
      {"sequence-gradient-undivided", {"ppo.loss", "grpo.loss"}},
      {"lengths-mistaken", {"dpo.loss"}},
      {"smoothing-unpaired", {"dpo.loss"}},
      {"gate-bias-in-weights", {"moe.gate", "moe.layer"}},
      {"group-score-max", {"moe.gate", "moe.layer"}},
      {"groups-masked-with-zero", {"moe.gate", "moe.layer"}},
      {"weights-unnormalized", {"moe.gate", "moe.layer"}},
      {"routed-scale-missing", {"moe.gate", "moe.layer"}},
      {"routed-scale-twice", {"moe.gate", "moe.layer"}},
      {"gate-up-swapped", {"moe.experts", "moe.layer"}},
      {"shared-expert-missing", {"moe.experts", "moe.layer"}},
      {"weight-of-first-slot", {"moe.experts", "moe.layer"}},
      {"pairs-by-slot", {"moe.dispatch"}},
      {"counts-shifted", {"moe.dispatch"}},
      {"counts-cumulative", {"moe.dispatch"}},
      {"padding-counted", {"moe.balance_loss"}},
      {"sequences-summed", {"moe.balance_loss"}},
      {"device-shares-summed", {"moe.balance_loss"}},
      {"bias-sign-reversed", {"moe.bias_update"}},
      {"center-missing", {"moe.bias_update"}},
      {"balanced-moved", {"moe.bias_update"}},
      {"scale-truncated", {"fp8.cast"}},
      {"floor-missing", {"fp8.cast"}},
      {"amax-of-row", {"fp8.cast"}},
      {"scales-transposed", {"fp8.gemm", "fp8.grouped_gemm"}},
      {"scale-of-first-block", {"fp8.gemm", "fp8.grouped_gemm"}},
      {"promotion-missing", {"fp8.gemm", "fp8.grouped_gemm"}},
      {"tile-unwritten", {"fp8.gemm", "fp8.grouped_gemm"}},
      {"halves-exchanged", {"mtp.combine"}},
      {"hidden-norm-missing", {"mtp.combine"}},
      {"embedding-unshifted", {"mtp.combine"}},
      {"first-not-masked", {"mtp.combine"}},
      {"labels-shifted-twice", {"mtp.loss"}},
      {"roll-wraps", {"mtp.loss"}},
      {"divisor-exchanged", {"mtp.loss"}},
      {"weight-undivided", {"mtp.loss"}},
      {"bonus-row-always", {"mtp.accept"}},
      {"accepted-if-sampled", {"mtp.accept"}},
      {"sampled-from-target", {"mtp.accept"}},
      {"ignored-counted", {"policy.cross_entropy"}},
  };
  return all;
}

namespace {

const CatalogueMistake &inCatalogue(const std::string &name, const std::string &op) {
  for (const CatalogueMistake &m : catalogueMistakes) {
    if (op == m.op && name == m.name) return m;
  }
  fail("mistake " + name + ": the catalogue has none of " + op);
}

}  // namespace

std::string Mistake::what(const std::string &op) const { return inCatalogue(name, op).sentence; }

std::string Mistake::numbers(const std::string &op) const { return inCatalogue(name, op).numbers; }

std::string Mistake::numbers() const {
  std::set<std::string> all;
  for (const CatalogueMistake &m : catalogueMistakes) {
    std::istringstream words(name == std::string(m.name) ? m.numbers : "");
    for (std::string number; words >> number;) all.insert(number.substr(0, number.find(',')));
  }
  std::string text;
  for (const std::string &number : all) text += (text.empty() ? "" : ", ") + number;
  return text;
}

const Mistake *findMistake(const std::string &name) {
  if (name.empty()) return nullptr;
  for (const Mistake &m : mistakes()) {
    if (name == m.name || (", " + m.numbers() + ",").find(", " + name + ",") != std::string::npos) return &m;
  }
  return nullptr;
}

namespace {

Job bound(const Recording &r, const Device &d, const std::string &mistake, bool sketch) {
  if (!mistake.empty()) {
    const Mistake *m = findMistake(mistake);
    if (!m || std::find(m->ops.begin(), m->ops.end(), r.op) == m->ops.end()) fail("mistake " + mistake + ": no kernel of " + r.op + " makes it");
  }
  std::vector<Bound> ops = attentionOps();
  ops.insert(ops.end(), objectiveOps().begin(), objectiveOps().end());
  ops.insert(ops.end(), expertOps().begin(), expertOps().end());
  ops.insert(ops.end(), predictionOps().begin(), predictionOps().end());
  for (const Bound &op : ops) {
    if (r.op != op.op) continue;
    Binder b(r, d, mistake, sketch);
    for (const Tensor &t : r.tensors) {
      if (t.name.compare(0, 4, "out.") == 0) fail("tensor " + quoteJson(t.name) + ": this is a recording, not a request");
    }
    op.bind(b);
    b.done();
    return std::move(b.job);
  }
  fail("op " + quoteJson(r.op) + ": no kernel here");
}

// Dry holds `dry` set for as long as it lives.
struct Dry {
  const bool before = dry;
  Dry() { dry = true; }
  ~Dry() { dry = before; }
};

}  // namespace

Job bindJob(const Recording &r, const Device &d, const std::string &mistake) { return bound(r, d, mistake, false); }

Job sketchJob(const Recording &r, const Device &d, const std::string &mistake) {
  const Dry held;
  return bound(r, d, mistake, true);
}

}  // namespace plumbline

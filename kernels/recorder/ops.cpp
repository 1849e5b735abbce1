#include "ops.h"

#include <algorithm>

#include "binder.h"
#include "catalogue.h"

namespace plumbline {

const std::vector<Mistake> &mistakes() {
  static const std::vector<Mistake> all = {
      {"layout-swapped", "R01", {"rope.apply"}},
      {"position-off-by-one", "R19", {"rope.apply", "rope.table"}},
      {"temperature-missing", "R08", {"mla.decode"}},
      {"scale-of-latent", "M01", {"mla.decode"}},
      {"causal-top-left", "A01", {"attention.forward", "attention.backward", "mla.decode"}},
      {"drop-last-key", "", {"attention.forward", "mla.decode"}},
      {"page-end", "A17", {"mla.decode"}},
      {"fixed-maximum", "A05", {"attention.forward", "mla.decode"}},
      {"heads-tiled", "A13", {"attention.forward", "attention.backward"}},
      {"merge-base", "A08", {"attention.merge", "mla.decode"}},
      {"aggregation-swapped", "L01", {"ppo.loss", "grpo.loss", "ppo.value_loss"}},
      {"micro-batch-mean", "L02", {"ppo.loss", "grpo.loss", "ppo.value_loss"}},
      {"group-over-batch", "L04", {"grpo.advantage"}},
      {"std-ddof", "L05", {"grpo.advantage"}},
      {"eps-inside-root", "L06", {"grpo.advantage"}},
      {"k3-upside-down", "L08", {"policy.kl", "ppo.loss", "grpo.loss"}},
      {"kl-sign", "L11", {"policy.kl", "ppo.loss", "grpo.loss"}},
      {"log-ratio-unlimited", "L13", {"policy.kl", "ppo.loss", "grpo.loss"}},
      {"sampling-temperature-missing", "L15", {"policy.logprob", "ppo.loss", "grpo.loss", "policy.cross_entropy"}},
      {"mask-shifted", "L17", {"policy.kl", "ppo.gae", "ppo.loss", "grpo.loss", "ppo.value_loss"}},
      {"gae-through-masked", "L22", {"ppo.gae"}},
      {"whiten-over-padding", "L23", {"ppo.gae"}},
      {"value-gradient-cut", "L24", {"ppo.value_loss"}},
      {"dual-clip-for-positive", "L25", {"ppo.loss", "grpo.loss"}},
      {"dual-clip-by-default", "L26", {"ppo.loss", "grpo.loss"}},
      {"min-max-exchanged", "L27", {"ppo.loss", "grpo.loss"}},
      {"sequence-gradient-undivided", "L28", {"ppo.loss", "grpo.loss"}},
      {"lengths-mistaken", "L31", {"dpo.loss"}},
      {"smoothing-unpaired", "L34", {"dpo.loss"}},
      {"gate-bias-in-weights", "G01", {"moe.gate", "moe.layer"}},
      {"group-score-max", "G02", {"moe.gate", "moe.layer"}},
      {"groups-masked-with-zero", "G04", {"moe.gate", "moe.layer"}},
      {"weights-unnormalized", "G07", {"moe.gate", "moe.layer"}},
      {"routed-scale-missing", "G10", {"moe.gate", "moe.layer"}},
      {"routed-scale-twice", "G11", {"moe.gate", "moe.layer"}},
      {"gate-up-swapped", "X09", {"moe.experts", "moe.layer"}},
      {"shared-expert-missing", "X08", {"moe.experts", "moe.layer"}},
      {"weight-of-first-slot", "X03", {"moe.experts", "moe.layer"}},
      {"pairs-by-slot", "", {"moe.dispatch"}},
      {"counts-shifted", "X05", {"moe.dispatch"}},
      {"counts-cumulative", "", {"moe.dispatch"}},
      {"padding-counted", "G24", {"moe.balance_loss"}},
      {"sequences-summed", "", {"moe.balance_loss"}},
      {"device-shares-summed", "", {"moe.balance_loss"}},
      {"bias-sign-reversed", "G22", {"moe.bias_update"}},
      {"center-missing", "", {"moe.bias_update"}},
      {"balanced-moved", "", {"moe.bias_update"}},
      {"scale-truncated", "F02", {"fp8.cast"}},
      {"floor-missing", "F11", {"fp8.cast"}},
      {"amax-of-row", "", {"fp8.cast"}},
      {"scales-transposed", "F08", {"fp8.gemm", "fp8.grouped_gemm"}},
      {"scale-of-first-block", "F06", {"fp8.gemm", "fp8.grouped_gemm"}},
      {"promotion-missing", "F18", {"fp8.gemm", "fp8.grouped_gemm"}},
      {"tile-unwritten", "X13", {"fp8.gemm", "fp8.grouped_gemm"}},
      {"halves-exchanged", "T01", {"mtp.combine"}},
      {"hidden-norm-missing", "T04", {"mtp.combine"}},
      {"embedding-unshifted", "T05", {"mtp.combine"}},
      {"first-not-masked", "T12", {"mtp.combine"}},
      {"labels-shifted-twice", "T06", {"mtp.loss"}},
      {"roll-wraps", "T08", {"mtp.loss"}},
      {"divisor-exchanged", "T10", {"mtp.loss"}},
      {"weight-undivided", "T11", {"mtp.loss"}},
      {"bonus-row-always", "T15", {"mtp.accept"}},
      {"accepted-if-sampled", "T16", {"mtp.accept"}},
      {"sampled-from-target", "T20", {"mtp.accept"}},
      {"ignored-counted", "T10", {"policy.cross_entropy"}},
  };
  return all;
}

std::string Mistake::what(const std::string &op) const {
  for (const CatalogueMistake &m : catalogueMistakes) {
    if (op == m.op && name == std::string(m.name)) return m.sentence;
  }
  fail("mistake " + std::string(name) + ": the catalogue has none of " + op);
}

const Mistake *findMistake(const std::string &name) {
  for (const Mistake &m : mistakes()) {
    if (name == m.name || (!name.empty() && name == m.id)) return &m;
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

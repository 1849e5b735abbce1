#include "ops.h"

#include <algorithm>

#include "binder.h"

namespace plumbline {

const std::vector<Mistake> &mistakes() {
  static const std::vector<Mistake> all = {
      {"layout-swapped", "R01", "rotary pairs are taken as (i, i+d/2) for (2i, 2i+1), or the reverse", {"rope.apply"}},
      {"position-off-by-one", "R19", "positions are one too large", {"rope.apply", "rope.table"}},
      {"temperature-missing", "R08", "the softmax scale lacks YaRN's temperature, DeepSeek-V3's (0.1 ln 40 + 1)^2", {"mla.decode"}},
      {"scale-of-latent", "M01", "the softmax scale is 1/sqrt(latent width + rope width)", {"mla.decode"}},
      {"causal-top-left", "A01", "the causal mask is aligned to the first key", {"attention.forward", "attention.backward", "mla.decode"}},
      {"drop-last-key", "", "the last key of the sequence is not seen", {"attention.forward", "mla.decode"}},
      {"page-end", "A17", "keys up to the end of the page are seen", {"mla.decode"}},
      {"fixed-maximum", "A05", "10 is subtracted in the exponent instead of the row maximum", {"attention.forward", "mla.decode"}},
      {"heads-tiled", "A13", "query head h reads key head h mod G", {"attention.forward", "attention.backward"}},
      {"merge-base", "A08", "log-sum-exps to base 2 are merged as natural ones, or the reverse", {"attention.merge", "mla.decode"}},
      {"aggregation-swapped", "L01", "tokens are averaged by sequence for over the batch, or the reverse; sums become means", {"ppo.loss", "grpo.loss", "ppo.value_loss"}},
      {"micro-batch-mean", "L02", "means are taken over either half of the batch, and then of both", {"ppo.loss", "grpo.loss", "ppo.value_loss"}},
      {"group-over-batch", "L04", "rewards are compared with those of the whole batch", {"grpo.advantage"}},
      {"std-ddof", "L05", "a sample's standard deviation is taken for a population's, or the reverse", {"grpo.advantage"}},
      {"eps-inside-root", "L06", "eps is added to the variance", {"grpo.advantage"}},
      {"k3-upside-down", "L08", "k3 has the ratio the other way round", {"policy.kl", "ppo.loss", "grpo.loss"}},
      {"kl-sign", "L11", "the divergence has the other sign", {"policy.kl", "ppo.loss", "grpo.loss"}},
      {"log-ratio-unlimited", "L13", "the limit of log-ratios is not heeded", {"policy.kl", "ppo.loss", "grpo.loss"}},
      {"sampling-temperature-missing", "L15", "logits are not divided by the temperature", {"policy.logprob", "ppo.loss", "grpo.loss"}},
      {"mask-shifted", "L17", "the mask is read one token ahead", {"policy.kl", "ppo.gae", "ppo.loss", "grpo.loss", "ppo.value_loss"}},
      {"gae-through-masked", "L22", "advantages run through masked tokens up to the last that counts", {"ppo.gae"}},
      {"whiten-over-padding", "L23", "the statistics of whitening include what the mask leaves out, as zeros", {"ppo.gae"}},
      {"value-gradient-cut", "L24", "the gradient of a value outside its clip is 0 whichever error is the larger", {"ppo.value_loss"}},
      {"dual-clip-for-positive", "L25", "the dual clip bounds positive advantages too", {"ppo.loss", "grpo.loss"}},
      {"dual-clip-by-default", "L26", "a dual clip of 3 where none is asked for", {"ppo.loss", "grpo.loss"}},
      {"min-max-exchanged", "L27", "the smaller of the plain and the clipped loss", {"ppo.loss", "grpo.loss"}},
      {"sequence-gradient-undivided", "L28", "each token gets the whole gradient of its sequence's ratio", {"ppo.loss", "grpo.loss"}},
      {"lengths-mistaken", "L31", "preferences are averaged over tokens where sums are asked for, or the reverse", {"dpo.loss"}},
      {"smoothing-unpaired", "L34", "the smoothed share of a label goes to the same order", {"dpo.loss"}},
  };
  return all;
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

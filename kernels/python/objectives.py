"""Loss functions of other people's trainers, each called as its trainer calls it, the gradients by autograd. What a request declares and the code does not do is
refused: from the request alone where it can be seen there, else once the numbers show that it would matter. No result is scaled, shifted or repaired here."""

import contextlib
import hashlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import math
import sys
import types
from unittest import mock

from producers import Producer, Refused, installed, interpreted

# What these trainers import beside their losses, for clusters and engines. Where it is not installed, and for OpenRLHF's own workers, an empty module takes its place
# during the import.
BESIDE = {"verl": ("ray",), "openrlhf": ("deepspeed", "ray", "openrlhf.trainer.ray")}

# A package whose modules are imported without its __init__, which would import a whole actor, and what is imported before as it is.
BARE = {"openrlhf": ("openrlhf.models", "openrlhf.utils")}


class Absent(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds empty modules for packages that are not installed and for submodules by name."""

    def __init__(self, packages):
        self.packages = [p for p in packages if "." in p or p not in sys.modules and importlib.util.find_spec(p) is None]
        self.made = set()

    def find_spec(self, name, path=None, target=None):
        if any(name == p or name.startswith(p + ".") for p in self.packages):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__getattr__ = attribute
        self.made.add(spec.name)
        return module

    def exec_module(self, module):
        pass


def attribute(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return mock.MagicMock(name=name)


STOOD_IN = {}  # by module: what was, when it was imported


@contextlib.contextmanager
def standing_in(packages):
    """Empty modules are gone afterwards, so that nothing takes them for the packages."""
    absent = Absent(packages)
    sys.meta_path.insert(0, absent)
    try:
        yield absent
    finally:
        sys.meta_path.remove(absent)
        for name in absent.made:
            sys.modules.pop(name, None)


def load(name):
    """Imports a module that has losses."""
    if name not in STOOD_IN:
        package = name.partition(".")[0]
        if package in BARE:
            without, before = BARE[package]
            importlib.import_module(before)
            bare(without)
        with standing_in(BESIDE.get(package, ())) as absent:
            importlib.import_module(name)
        STOOD_IN[name] = [p for p in absent.packages if p in absent.made]
    return sys.modules[name]


def bare(name):
    """Makes a package without running its __init__."""
    if name not in sys.modules:
        parent, _, last = name.rpartition(".")
        module = types.ModuleType(name)
        module.__path__ = [f"{folder}/{last}" for folder in importlib.import_module(parent).__path__]
        sys.modules[name] = module


def leaf(x):
    return x.detach().clone().requires_grad_()


def backward(loss, **leaves):
    """Returns the loss and its gradients, named dx for x."""
    loss.backward()
    return {"loss": loss.detach(), **{"d" + name: x.grad for name, x in leaves.items()}}


def padded(inputs, *names):
    """Returns inputs with zeros where the mask has 0: trainers multiply what is there by 0, and their padding is finite."""
    import torch

    counts = inputs["mask"] != 0
    kept = dict(inputs)
    for name in names:
        x = inputs.get(name)
        if x is not None and x.dim() > 1:
            shape = counts.reshape(counts.shape + (1,) * (x.dim() - 2))
            kept[name] = torch.where(shape, x, torch.zeros((), dtype=x.dtype, device=x.device))
    return kept


def forbid(where, reason):
    if bool(where.any()):
        raise Refused(reason)


class Objective(Producer):
    """A loss, or what leads to it. Eager PyTorch rounds every element-wise result to the type of its operands and sums in float32."""

    module = ""  # that has the loss
    ops = ()
    choices = {}  # of attributes, as the code has them
    poisoned = False  # memory for outputs is PyTorch's own
    rounds = True  # element-wise results to the type of the inputs

    def __init__(self, name, title):
        self.name, self.title = name, title

    def version(self):
        return installed(self.package, "torch")

    def digest(self):
        with open(sys.modules[self.module].__file__, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    def refuses(self, request):
        for name, values in self.choices.items():
            value = request.attr(name)
            if value not in values:
                return f"no {name} {value}"
        return None

    def main(self, request):
        """Returns the input whose type the code keeps."""
        return next(name for name in ("logits", "logprob", "chosen", "values", "rewards") if request.has(name))

    def arithmetic(self, request, device):
        stated, word = {"accumulate": "F32"}, request.dtype(self.main(request))
        if self.rounds and word in ("BF16", "F16"):
            stated["intermediate"] = word
        return stated

    def note(self, request):
        stood_in = STOOD_IN.get(self.module)
        imported = f"imported with empty modules for {', '.join(stood_in)}" if stood_in else ""
        return "; ".join(filter(None, [self.remark(request), imported]))

    def remark(self, request):
        return "padding set to 0" if request.has("mask") else ""


def judged(inputs, x):
    """Returns the elements of x that the mask has."""
    return x[inputs["mask"] != 0]


def same_limit(request, x, low, high):
    """Refuses where the code's limits and the request's would give another log-ratio."""
    wanted = request.attr("log_ratio_limit")
    declared = x.clamp(-wanted, wanted) if wanted else x
    forbid(declared != x.clamp(low, high), f"it keeps log π/π_old from {low:g} to {high:g}, and log_ratio_limit is {wanted:g}")


def mean_log_ratio(inputs):
    """Returns log π/π_old as a mean over each sequence that has tokens."""
    mask = (inputs["mask"] != 0).float()
    tokens = mask.sum(-1)
    x = ((inputs["logprob"].float() - inputs["old_logprob"].float()) * mask).sum(-1) / tokens.clamp(min=1)
    return x[tokens > 0]


def no_empty_sequence(inputs):
    forbid((inputs["mask"] != 0).sum(-1) == 0, "a sequence without tokens counts in its mean")


# --- verl

VERL_MODES = {"token_mean": "token-mean", "sequence_mean": "seq-mean-token-mean", "sequence_sum": "seq-mean-token-sum", "constant": "seq-mean-token-sum-norm"}


class Verl(Objective):
    package, module = "verl", "verl.trainer.ppo.core_algos"

    def mode(self, request):
        """Returns agg_loss's mode and its divisor."""
        aggregate = request.attr("aggregate")
        return VERL_MODES[aggregate], int(request.attrs["aggregate_length"]) if aggregate == "constant" else None


class VerlPolicy(Verl):
    """A policy loss that verl registers, with its divergence added as verl.workers.utils.losses.ppo_loss adds it.

    vanilla always has a dual clip, of 3 unless another is configured, and keeps log-ratios within ±20, as does cispo; gspo has a gradient for each token, equal to that
    of sequences where a sequence has one advantage, and keeps log-ratios below 10. k3 is at most 10.
    """

    ops = ("ppo.loss", "grpo.loss")
    KINDS = {"vanilla": ("token", "ppo"), "gspo": ("sequence", "ppo"), "cispo": ("token", "cispo")}

    def __init__(self, kind):
        super().__init__("verl-" + kind, f"verl {kind} policy loss")
        self.kind = kind
        ratio, clip = self.KINDS[kind]
        self.choices = {"ratio": (ratio,), "clip": (clip,), "temperature": (1,)}
        if kind != "vanilla":
            self.choices["dual_clip"] = (0,)
        self.source = f"{self.module}.compute_policy_loss_{kind}"

    def refuses(self, request):
        if request.has("logits"):
            return "log-probabilities alone"
        if self.kind == "gspo" and len(request.shape("advantage")) == 2:
            return "a sequence's loss with advantages of tokens"
        return super().refuses(request)

    def remark(self, request):
        return super().remark(request) + ("" if request.attr("kl") == "none" else "; divergence by kl_penalty and agg_loss")

    def config(self, request):
        from verl.workers.config import ActorConfig

        low, high = request.attr("clip_low"), request.attr("clip_high")
        mode, divisor = self.mode(request)
        config = ActorConfig(
            strategy="fsdp", rollout_n=1, use_dynamic_bsz=True, clip_ratio=low, clip_ratio_low=low, clip_ratio_high=high, loss_agg_mode=mode,
            clip_ratio_c=request.attr("dual_clip") or 3.0,
        )
        config.global_batch_info["loss_scale_factor"] = divisor
        return config

    def check(self, request, inputs):
        x = judged(inputs, inputs["logprob"] - inputs["old_logprob"])
        if self.kind == "gspo":
            same_limit(request, mean_log_ratio(inputs), -math.inf, 10.0)
        else:
            same_limit(request, x, -20.0, 20.0)
        if self.kind == "vanilla" and not request.attr("dual_clip"):
            forbid((x.exp() > 2.9) & (judged(inputs, inputs["advantage"]) < 0), "it always has a dual clip, of 3 here")
        if request.attr("kl") == "k3":
            verl_k3_fits(0, inputs)

    def run(self, request, inputs):
        core = load(self.module)
        inputs = padded(inputs, "logprob", "old_logprob", "ref_logprob", "advantage")
        mask, advantage = inputs["mask"] != 0, inputs["advantage"]
        if advantage.dim() == 1:
            advantage = advantage[:, None].expand(mask.shape)
        self.check(request, {**inputs, "advantage": advantage})
        logprob, config = leaf(inputs["logprob"]), self.config(request)
        loss, _ = core.get_policy_loss_fn(self.kind)(inputs["old_logprob"], logprob, advantage, mask, config.loss_agg_mode, config)
        if request.attr("kl") != "none":
            kl = core.kl_penalty(logprob, inputs["ref_logprob"], request.attr("kl"))
            loss = loss + core.agg_loss(kl, mask, config.loss_agg_mode, **config.global_batch_info) * request.attr("kl_coef")
        return backward(loss, logprob=logprob)


def verl_k3_fits(limit, inputs):
    delta = judged(inputs, inputs["ref_logprob"].float() - inputs["logprob"].float())
    kept = delta.clamp(-limit, limit) if limit else delta
    forbid(kept != delta.clamp(-20, 20), f"it keeps δ within ±20, and the limit is {limit:g}")
    forbid(kept.exp() - kept - 1 > 9.9, "its k3 is at most 10")


class VerlKL(Verl):
    """kl_penalty. Its k3 clamps δ to ±20 and then itself to ±10."""

    ops = ("policy.kl",)
    source = "verl.trainer.ppo.core_algos.kl_penalty"

    def run(self, request, inputs):
        inputs, estimator = padded(inputs, "logprob", "ref_logprob"), request.attr("estimator")
        if estimator == "k3":
            verl_k3_fits(request.attr("limit"), inputs)
        return {"kl": load(self.module).kl_penalty(inputs["logprob"], inputs["ref_logprob"], estimator)}


class VerlGAE(Verl):
    """compute_gae_advantage_return, which whitens: where that is not asked for, only its returns are kept."""

    ops = ("ppo.gae",)
    source = "verl.trainer.ppo.core_algos.compute_gae_advantage_return"

    def remark(self, request):
        return super().remark(request) + ("" if request.attr("whiten") else "; its advantages are whitened and left out")

    def run(self, request, inputs):
        core, inputs = load(self.module), padded(inputs, "rewards", "values")
        mask = (inputs["mask"] != 0).long()
        if int(mask.sum()) < 2:
            raise Refused("its variance needs two tokens")
        advantage, returns = core.compute_gae_advantage_return(inputs["rewards"], inputs["values"], mask, request.attr("gamma"), request.attr("lambda"))
        return {"advantage": advantage, "return": returns} if request.attr("whiten") else {"return": returns}


class VerlValue(Verl):
    ops = ("ppo.value_loss",)
    source = "verl.trainer.ppo.core_algos.compute_value_loss"

    def refuses(self, request):
        return None if request.attr("clip") else "it always clips"

    def run(self, request, inputs):
        inputs, (mode, divisor) = padded(inputs, "values", "old_values", "returns"), self.mode(request)
        values = leaf(inputs["values"])
        loss, _ = load(self.module).compute_value_loss(
            values, inputs["returns"], inputs["old_values"], inputs["mask"] != 0, request.attrs["clip"], mode, loss_scale_factor=divisor
        )
        return backward(loss, values=values)


def no_equal_rewards(request, inputs):
    """Refuses groups of equal rewards where nothing is added to their deviation."""
    import torch

    if request.attr("eps") == 0 and request.attr("std") != "none":
        for g in inputs["group"].unique():
            r = inputs["rewards"][inputs["group"] == g]
            if len(r) > 1 and torch.std(r.float()) == 0:
                raise Refused("equal rewards with ε = 0: it divides 0 by 0")


class VerlGroups(Verl):
    """compute_grpo_outcome_advantage, or the one that is vectorized: both with the deviation of a sample."""

    ops = ("grpo.advantage",)
    choices = {"std": ("sample", "none")}

    def __init__(self, name, function):
        super().__init__(name, "verl " + function)
        self.function, self.source = function, f"{self.module}.{function}"
        self.rounds = "vectorized" not in function  # which computes in float32

    def run(self, request, inputs):
        import numpy

        no_equal_rewards(request, inputs)
        rewards = inputs["rewards"][:, None].clone()
        index = numpy.array([f"group {g}" for g in inputs["group"].tolist()], dtype=object)  # as its trainer names groups
        divided = request.attr("std") != "none"
        advantage, _ = getattr(load(self.module), self.function)(
            rewards, rewards.new_ones(rewards.shape), index, epsilon=request.attr("eps"), norm_adv_by_std_in_grpo=divided
        )
        return {"advantage": advantage[:, 0].contiguous()}


def finite_entropy(logits, entropy):
    """An entropy formed of products p · log p or p · x has none where a logit is −∞."""
    return {} if bool(logits.isinf().any()) else {"entropy": entropy()}


class VerlLogProb(Verl):
    """logprobs_from_logits and entropy_from_logits. Its actor divides the logits by the temperature before it calls them."""

    module, ops = "verl.utils.torch_functional", ("policy.logprob",)
    source = "verl.utils.torch_functional.logprobs_from_logits, entropy_from_logits"

    def run(self, request, inputs):
        functional, logits, temperature = load(self.module), inputs["logits"], request.attr("temperature")
        if temperature != 1:
            logits = logits / temperature
        logprob = functional.logprobs_from_logits(logits.clone(), inputs["tokens"].long())
        return {"logprob": logprob, **finite_entropy(logits, lambda: functional.entropy_from_logits(logits))}


# --- OpenRLHF


class OpenRLHF(Objective):
    package, module = "openrlhf", "openrlhf.models.loss"


class OpenRLHFPolicy(OpenRLHF):
    """PolicyLoss. ppo keeps log-ratios within ±20; gspo, with ratios of sequences, does not. The divergence is added as ActorPPOTrainer adds it, a mean over tokens."""

    ops = ("ppo.loss", "grpo.loss")
    source = "openrlhf.models.loss.PolicyLoss"
    choices = {"clip": ("ppo",), "aggregate": ("token_mean", "sequence_mean"), "temperature": (1,)}

    def refuses(self, request):
        if request.has("logits"):
            return "log-probabilities alone"
        if request.attr("ratio") == "sequence" and request.attr("aggregate") != "sequence_mean":
            return "ratios of sequences with a mean over tokens"
        if request.attr("kl") != "none" and request.attr("aggregate") != "token_mean":
            return "its divergence is a mean over tokens"
        return super().refuses(request)

    def remark(self, request):
        return super().remark(request) + ("" if request.attr("kl") == "none" else "; divergence by compute_approx_kl and aggregate_loss")

    def check(self, request, inputs):
        if request.attr("ratio") == "sequence":
            same_limit(request, mean_log_ratio(inputs), -math.inf, math.inf)
        else:
            same_limit(request, judged(inputs, inputs["logprob"] - inputs["old_logprob"]), -20.0, 20.0)
        if request.attr("kl") != "none":
            openrlhf_kl_fits(request.attr("kl"), 0, inputs)

    def run(self, request, inputs):
        module = load(self.module)
        inputs = padded(inputs, "logprob", "old_logprob", "ref_logprob", "advantage")
        self.check(request, inputs)
        mask, advantage, logprob = inputs["mask"] != 0, inputs["advantage"], leaf(inputs["logprob"])
        policy_loss = module.PolicyLoss(
            request.attr("clip_low"), request.attr("clip_high"), request.attr("dual_clip") or None,
            request.attr("aggregate") == "token_mean", "gspo" if request.attr("ratio") == "sequence" else "ppo",
        )
        loss = policy_loss(logprob, inputs["old_logprob"], advantage if advantage.dim() == 2 else advantage[:, None].expand(mask.shape), mask)[0]
        if request.attr("kl") != "none":
            kl = load("openrlhf.models.utils").compute_approx_kl(logprob, inputs["ref_logprob"], kl_estimator=request.attr("kl"))
            loss = loss + module.aggregate_loss(kl, mask) * request.attr("kl_coef")
        return backward(loss, logprob=logprob)


def openrlhf_kl_fits(estimator, limit, inputs):
    delta = judged(inputs, inputs["ref_logprob"].float() - inputs["logprob"].float())
    value = {"k1": -delta, "k2": delta**2 / 2, "k3": delta.exp() - delta - 1}[estimator]
    forbid(value.abs() > 9.9, "its estimates are at most 10")
    if limit:
        forbid(delta.abs() > limit, f"it has no limit of {limit:g}")


class OpenRLHFKL(OpenRLHF):
    """compute_approx_kl. It computes in float32 and clamps estimates to ±10."""

    module, ops, rounds = "openrlhf.models.utils", ("policy.kl",), False
    source = "openrlhf.models.utils.compute_approx_kl"

    def run(self, request, inputs):
        inputs, estimator = padded(inputs, "logprob", "ref_logprob"), request.attr("estimator")
        openrlhf_kl_fits(estimator, request.attr("limit"), inputs)
        return {"kl": load(self.module).compute_approx_kl(inputs["logprob"], inputs["ref_logprob"], kl_estimator=estimator)}


class OpenRLHFLogProb(OpenRLHF):
    """log_probs_from_logits, which divides the logits in place, and compute_entropy on them, which is compiled."""

    module, ops = "openrlhf.models.utils", ("policy.logprob",)
    source = "openrlhf.models.utils.log_probs_from_logits, compute_entropy"

    def run(self, request, inputs):
        utils, logits = load(self.module), inputs["logits"].clone()
        logprob = utils.log_probs_from_logits(logits, inputs["tokens"].long(), request.attr("temperature"))
        return {"logprob": logprob, **finite_entropy(logits, lambda: utils.compute_entropy(logits))}


class OpenRLHFValue(OpenRLHF):
    ops = ("ppo.value_loss",)
    source = "openrlhf.models.loss.ValueLoss"
    choices = {"aggregate": ("token_mean", "sequence_mean")}

    def run(self, request, inputs):
        inputs = padded(inputs, "values", "old_values", "returns")
        values = leaf(inputs["values"])
        value_loss = load(self.module).ValueLoss(request.attr("clip") or None, request.attr("aggregate") == "token_mean")
        return backward(value_loss(values, inputs["old_values"], inputs["returns"], inputs["mask"] != 0), values=values)


class OpenRLHFDPO(OpenRLHF):
    ops = ("dpo.loss",)
    source = "openrlhf.models.loss.DPOLoss"
    choices = {"length_normalize": (False,)}

    def run(self, request, inputs):
        dpo = load(self.module).DPOLoss(request.attr("beta"), request.attr("label_smoothing"), request.attr("kind") == "ipo")
        chosen, rejected = leaf(inputs["chosen"]), leaf(inputs["rejected"])
        loss, chosen_reward, rejected_reward = dpo(chosen, rejected, inputs["ref_chosen"], inputs["ref_rejected"])
        return {**backward(loss, chosen=chosen, rejected=rejected), "chosen_reward": chosen_reward, "rejected_reward": rejected_reward}


class OpenRLHFExperience(OpenRLHF):
    module = "openrlhf.trainer.ppo_utils.experience_maker"

    def maker(self):
        return load(self.module).RemoteExperienceMaker


class OpenRLHFGAE(OpenRLHFExperience):
    """get_advantages_and_returns, a method that uses nothing of its object. It takes masked tokens for ones without reward and value, so that they may only follow the
    others, and the advantages are whitened elsewhere."""

    ops = ("ppo.gae",)
    source = "openrlhf.trainer.ppo_utils.experience_maker.RemoteExperienceMaker.get_advantages_and_returns"
    choices = {"whiten": (False,)}

    def remark(self, request):
        return super().remark(request) + "; method called without an object"

    def run(self, request, inputs):
        mask = inputs["mask"] != 0
        forbid(mask[:, 1:] & ~mask[:, :-1].cummin(dim=1).values, "a token that counts after one that does not")
        inputs = padded(inputs, "rewards", "values")
        advantage, returns = self.maker().get_advantages_and_returns(
            None, inputs["values"], inputs["rewards"], mask, request.attr("gamma"), request.attr("lambda")
        )
        return {"advantage": advantage, "return": returns}


class OpenRLHFGroups(OpenRLHFExperience):
    """compute_advantages_and_returns with estimator group_norm, whose ε is 1e-9, or dr_grpo, on responses of one token without a divergence. An object that
    holds the configuration and the one further method stands in for its own. Rewards are taken to float32 first."""

    ops, rounds = ("grpo.advantage",), False
    source = "openrlhf.trainer.ppo_utils.experience_maker.RemoteExperienceMaker.compute_advantages_and_returns"
    choices = {"std": ("sample", "none")}

    def refuses(self, request):
        if request.attr("std") == "sample" and request.attr("eps") != 1e-9:
            return "its ε is 1e-9"
        return super().refuses(request)

    def remark(self, request):
        return "method called on an object that holds the configuration alone, responses of one token"

    def run(self, request, inputs):
        import torch

        sizes = inputs["group"].unique(return_counts=True)[1]
        size = int(sizes[0])
        forbid(sizes != size, "groups of one size alone")
        if size == 1:
            raise Refused("its groups have two outputs or more")
        rewards, estimator = inputs["rewards"], "group_norm" if request.attr("std") == "sample" else "dr_grpo"
        n = len(rewards)
        place = torch.empty(n, dtype=torch.long)
        place[torch.argsort(inputs["group"].cpu(), stable=True)] = torch.arange(n)
        ones = torch.ones(n, 1, dtype=torch.bool, device=rewards.device)
        experience = types.SimpleNamespace(rewards=rewards, index=place.tolist(), info={}, kl=torch.zeros(n, 1, device=rewards.device), action_mask=ones)
        maker = self.maker()
        advantage = types.SimpleNamespace(estimator=estimator, gamma=1.0, lambd=1.0, no_std_norm=False)
        args = types.SimpleNamespace(
            algo=types.SimpleNamespace(advantage=advantage), rollout=types.SimpleNamespace(n_samples_per_prompt=size),
            reward=types.SimpleNamespace(clip_range=None),
        )
        stand_in = types.SimpleNamespace(strategy=types.SimpleNamespace(args=args), kl_ctl=types.SimpleNamespace(value=0.0), advantage_estimator=estimator)
        stand_in.get_cumulative_returns = types.MethodType(maker.get_cumulative_returns, stand_in)
        maker.compute_advantages_and_returns(stand_in, [experience])
        return {"advantage": experience.advantages[:, 0].contiguous()}


# --- TRL


class SoleProcess:
    """Stands in for the accelerator of one process."""

    num_processes = 1
    sync_gradients = True

    def __init__(self, device):
        self.device = device

    def gather(self, x):
        return x

    gather_for_metrics = gather

    def reduce(self, x, reduction="sum"):
        return x


class TRL(Objective):
    package = "trl"


# Each loss type of TRL's GRPO is a way to aggregate, but for cispo, which is a clip too and divides by all tokens.
TRL_TYPES = {"token_mean": "bnpo", "sequence_mean": "grpo", "sequence_sum": "luspo", "constant": "dr_grpo"}


class TRLPolicy(TRL):
    """GRPOTrainer._compute_loss in evaluation mode, where no accumulation of gradients divides. Its object is stood in for by one that holds the configuration and whose
    _get_per_token_logps_and_entropies hands over the log-probabilities, by selective_log_softmax where logits are given. delta is the dual clip. cispo has
    an upper bound alone, which is given whole. Sequences without tokens count in the means over sequences."""

    module, ops = "trl.trainer.grpo_trainer", ("ppo.loss", "grpo.loss")
    source = "trl.trainer.grpo_trainer.GRPOTrainer._compute_loss"
    choices = {"clip": ("ppo", "cispo"), "kl": ("none", "k3")}

    def refuses(self, request):
        return grpo_refuses(self, request) or super().refuses(request)

    def remark(self, request):
        return super().remark(request) + "; method called on an object that holds the configuration alone, evaluation mode"

    def stand_in(self, request, logprob):
        metrics = {"eval": mock.MagicMock()}
        cispo, low, high = request.attr("clip") == "cispo", request.attr("clip_low"), request.attr("clip_high")
        return types.SimpleNamespace(
            _get_per_token_logps_and_entropies=lambda *args, **more: (logprob, logprob.detach(), None), model=types.SimpleNamespace(training=False),
            accelerator=SoleProcess(logprob.device), args=types.SimpleNamespace(delta=request.attr("dual_clip") or None, use_bias_correction_kl=False),
            importance_sampling_level=request.attr("ratio"), loss_type="cispo" if cispo else TRL_TYPES[request.attr("aggregate")],
            epsilon_low=low, epsilon_high=1 + high if cispo else high, beta=request.attr("kl_coef") if request.attr("kl") != "none" else 0.0,
            max_completion_length=request.attr("aggregate_length"), top_entropy_quantile=1.0, off_policy_mask_threshold=None, aux_loss_enabled=False,
            use_vllm=False, _entropy_bonus_enabled=False, _metrics=metrics,
        )

    def run(self, request, inputs):
        import torch

        inputs = padded(inputs, "logprob", "old_logprob", "ref_logprob", "advantage", "logits")
        grpo_fits(self, request, inputs)
        trainer, name = load(self.module).GRPOTrainer, self.main(request)
        mask, x = (inputs["mask"] != 0).long(), leaf(inputs[name])
        logprob = x
        if name == "logits":
            logprob = load("trl.trainer.utils").selective_log_softmax(x, inputs["tokens"].long(), temperature=request.attr("temperature"))
        batch = {
            "prompt_ids": mask[:, :0], "prompt_mask": mask[:, :0], "completion_ids": mask, "completion_mask": mask, "advantages": inputs["advantage"],
            "old_per_token_logps": inputs["old_logprob"], "ref_per_token_logps": inputs.get("ref_logprob"), "num_items_in_batch": mask.sum(),
        }
        loss = trainer._compute_loss(self.stand_in(request, logprob), None, batch)
        if name == "logprob":
            return backward(loss, logprob=x)
        dlogprob = torch.autograd.grad(loss, logprob, retain_graph=True)[0]
        return {**backward(loss, logits=x), "dlogprob": dlogprob}


def grpo_refuses(producer, request):
    """What TRL's and Liger's GRPO have in common."""
    if request.attr("clip") == "cispo":
        if request.attr("clip_low") < 1:
            return "no lower bound with cispo"
        if request.attr("aggregate") != "token_mean" or request.attr("ratio") == "sequence":
            return "cispo with ratios of tokens and a mean over them alone"
    dual = request.attr("dual_clip")
    return "a dual clip below the upper bound holds where A > 0 too" if dual and dual < 1 + request.attr("clip_high") else None


def grpo_fits(producer, request, inputs):
    if request.attr("aggregate") != "token_mean":
        no_empty_sequence(inputs)
    if request.attr("log_ratio_limit"):
        if "logits" in inputs:
            raise Refused("no limit on log-ratios")
        sequence = request.attr("ratio") == "sequence"
        x = mean_log_ratio(inputs) if sequence else judged(inputs, inputs["logprob"] - inputs["old_logprob"])
        same_limit(request, x, -math.inf, math.inf)


class TRLDPO(TRL):
    """DPOTrainer._compute_loss in evaluation mode. Its object is stood in for by one that holds the configuration, its model by one whose log-probabilities are the
    responses' sums at the first token and 0 at the others. Its ipo divides by lengths; sigmoid has no smoothing of labels; rewards are kept as means alone."""

    module, ops = "trl.trainer.dpo_trainer", ("dpo.loss",)
    source = "trl.trainer.dpo_trainer.DPOTrainer._compute_loss"
    choices = {"label_smoothing": (0,)}

    def refuses(self, request):
        if request.attr("kind") == "ipo" and not request.attr("length_normalize"):
            return "its ipo divides by lengths"
        return super().refuses(request)

    def remark(self, request):
        return "method called on objects that hold the configuration and log-probabilities alone, evaluation mode"

    def stand_in(self, request, device):
        names = {("sigmoid", False): "sigmoid", ("sigmoid", True): "sigmoid_norm", ("ipo", True): "ipo"}
        kind = names[request.attr("kind"), request.attr("length_normalize")]
        return types.SimpleNamespace(
            model=types.SimpleNamespace(training=False), accelerator=SoleProcess(device), aux_loss_enabled=False, ld_alpha=None, precompute_ref_logps=True,
            f_divergence_type="reverse_kl", loss_types=[kind], loss_weights=[1.0], beta=request.attr("beta"), use_weighting=False,
            _metrics={"eval": mock.MagicMock()}, _total_train_tokens=0,
        )

    def run(self, request, inputs):
        import torch

        chosen, rejected = leaf(inputs["chosen"]), leaf(inputs["rejected"])
        n, device = len(chosen), chosen.device
        lengths = torch.ones(2 * n, dtype=torch.long, device=device)
        if request.attr("length_normalize"):
            lengths = torch.cat([inputs["lengths_chosen"], inputs["lengths_rejected"]]).long()
        counts = torch.arange(int(lengths.max()) + 1, device=device)[None]
        mask = ((counts > 0) & (counts <= lengths[:, None])).long()  # the first position is the prompt's
        sums = torch.cat([chosen, rejected])[:, None]
        log_probs = torch.cat([sums, sums.new_zeros(2 * n, mask.shape[1] - 2)], dim=1)
        kept = torch.zeros_like(log_probs)
        outputs = types.SimpleNamespace(log_probs=log_probs, entropy=kept, mean_logits=kept, is_top1=kept.bool())
        batch = {
            "input_ids": mask, "attention_mask": mask, "completion_mask": mask, "ref_chosen_logps": inputs["ref_chosen"], "ref_rejected_logps": inputs["ref_rejected"],
        }
        loss = load(self.module).DPOTrainer._compute_loss(self.stand_in(request, device), lambda **_: outputs, batch, False)
        return backward(loss, chosen=chosen, rejected=rejected)


class TRLLogProb(TRL):
    """selective_log_softmax_and_entropy: PyTorch on a CPU, a Triton kernel of TRL's on a GPU."""

    module, ops = "trl.trainer.utils", ("policy.logprob",)
    source = "trl.trainer.utils.selective_log_softmax_and_entropy"

    def arithmetic(self, request, device):
        return {"accumulate": "F32"} if device == "cuda" else super().arithmetic(request, device)

    def run(self, request, inputs):
        logits, tokens = inputs["logits"], inputs["tokens"].long()
        logprob, entropy = load(self.module).selective_log_softmax_and_entropy(logits, tokens, temperature=request.attr("temperature"))
        return {"logprob": logprob, **finite_entropy(logits, lambda: entropy)}


# --- Liger-Kernel

LIGER_TYPES = {"token_mean": "bnpo", "sequence_mean": "grpo", "constant": "dr_grpo"}


class Liger(Objective):
    package = "liger_kernel"


class LigerPolicy(Liger):
    """Liger-Kernel's GRPO, of logits by its fused linear loss with the identity for weights, so that the logits are the hidden states, not compiled; of log-probabilities
    by the function that this loss calls for each of its chunks. All is in float32 once logits are formed."""

    module, ops, rounds = "liger_kernel.chunked_loss.grpo_loss", ("ppo.loss", "grpo.loss"), False
    choices = {"clip": ("ppo", "cispo"), "kl": ("none", "k3"), "aggregate": tuple(LIGER_TYPES)}
    source = "liger_kernel.chunked_loss.grpo_loss.LigerFusedLinearGRPOLoss"

    def refuses(self, request):
        if len(request.shape("advantage")) == 2:
            return "advantages of sequences alone"
        if not request.has("logits") and request.dtype("logprob") != "F32":
            return "its log-probabilities are float32"
        if request.has("logits") and request.shape("logits")[2] > 4096:
            return "the identity for weights would be too large"
        return grpo_refuses(self, request) or super().refuses(request)

    def remark(self, request):
        return super().remark(request) + ("; weights are the identity, not compiled" if request.has("logits") else "; ppo_loss_fn alone")

    def options(self, request):
        cispo, high = request.attr("clip") == "cispo", request.attr("clip_high")
        return dict(
            beta=request.attr("kl_coef") if request.attr("kl") != "none" else 0.0, epsilon_low=request.attr("clip_low"),
            epsilon_high=1 + high if cispo else high, loss_type="cispo" if cispo else LIGER_TYPES[request.attr("aggregate")],
            max_completion_length=request.attr("aggregate_length"), importance_sampling_level=request.attr("ratio"),
            delta=request.attr("dual_clip") or None,
        )

    def run(self, request, inputs):
        import torch

        inputs = padded(inputs, "logprob", "old_logprob", "ref_logprob", "logits")
        grpo_fits(self, request, inputs)
        mask, x, module = (inputs["mask"] != 0).float(), leaf(inputs[self.main(request)]), load(self.module)
        given = dict(ref_per_token_logps=inputs.get("ref_logprob"), old_per_token_logps=inputs["old_logprob"])
        if not request.has("logits"):
            loss, _ = module.LigerFusedLinearGRPOFunction.ppo_loss_fn(x, mask, inputs["advantage"], mask, **given, **self.options(request))
            return backward(loss, logprob=x)
        forbid(x.isinf(), "logits of −∞ times a weight of 0")
        fused = module.LigerFusedLinearGRPOLoss(
            compiled=False, use_ref_model=given["ref_per_token_logps"] is not None, temperature=request.attr("temperature"), **self.options(request)
        )
        identity = torch.eye(x.shape[2], dtype=x.dtype, device=x.device)
        loss, _ = fused(x, identity, inputs["tokens"].long(), mask, inputs["advantage"], **given)
        return backward(loss, logits=x)


class LigerTriton(Liger):
    """One of Liger-Kernel's Triton kernels, on a GPU or in Triton's interpreter, which truncates bf16 where it has to round."""

    rounds = False

    def missing(self):
        self.needs_gpu = not interpreted()
        return super().missing()

    def version(self):
        return installed("liger_kernel", "torch") + f", {installed('triton')}{', interpreted' if interpreted() else ''}"


class LigerTritonPolicy(LigerTriton):
    """GRPO straight from logits; it wants one more row of them behind each sequence."""

    module, ops, choices = "liger_kernel.transformers.grpo_loss", ("ppo.loss", "grpo.loss"), LigerPolicy.choices
    source = "liger_kernel.transformers.grpo_loss.triton_grpo_loss"

    def refuses(self, request):
        if not request.has("logits"):
            return "logits alone"
        if interpreted() and request.dtype("logits") == "BF16":
            return "the interpreter truncates bf16"
        if len(request.shape("advantage")) == 2:
            return "advantages of sequences alone"
        return grpo_refuses(self, request) or super().refuses(request)

    def run(self, request, inputs):
        import torch

        inputs = padded(inputs, "old_logprob", "ref_logprob", "logits")
        grpo_fits(self, request, inputs)
        options = LigerPolicy.options(self, request)
        logits, mask = leaf(inputs["logits"]), (inputs["mask"] != 0).float()
        longer = torch.cat([logits, logits.new_zeros(len(logits), 1, logits.shape[2])], dim=1)
        loss, _ = load(self.module).triton_grpo_loss(
            longer, inputs["old_logprob"], inputs.get("ref_logprob"), inputs["tokens"].long(), inputs["advantage"], mask, request.attr("temperature"), options["beta"],
            options["epsilon_low"], options["epsilon_high"], inplace=False, loss_type=options["loss_type"], max_completion_length=options["max_completion_length"],
            importance_sampling_level=options["importance_sampling_level"], reduce=True, delta=options["delta"],
        )
        return backward(loss, logits=logits)


class LigerTritonLogProb(LigerTriton):
    """fused_selective_log_softmax, which wants one more row of logits."""

    module, ops = "liger_kernel.ops.grpo_loss", ("policy.logprob",)
    source = "liger_kernel.ops.grpo_loss.fused_selective_log_softmax"

    def run(self, request, inputs):
        import torch

        logits = torch.cat([inputs["logits"], inputs["logits"][:1]])[None].contiguous()
        logprob = load(self.module).fused_selective_log_softmax(logits, inputs["tokens"].long()[None].contiguous(), request.attr("temperature"))
        return {"logprob": logprob[0].contiguous()}


class LigerDPO(Liger):
    """The function that Liger-Kernel's fused linear DPO calls for each of its chunks; the loss itself takes hidden states of whole sequences, which dpo.loss has not."""

    module, ops = "liger_kernel.chunked_loss.dpo_loss", ("dpo.loss",)
    source = "liger_kernel.chunked_loss.dpo_loss.LigerFusedLinearDPOFunction.preference_loss_fn"
    choices = {"kind": ("sigmoid",), "label_smoothing": (0,), "length_normalize": (False,)}

    def run(self, request, inputs):
        chosen, rejected = leaf(inputs["chosen"]), leaf(inputs["rejected"])
        pairs = chosen.detach().repeat(2)  # only its length is used
        loss, chosen_reward, rejected_reward = load(self.module).LigerFusedLinearDPOFunction.preference_loss_fn(
            chosen, rejected, pairs, inputs["ref_chosen"], inputs["ref_rejected"], request.attr("beta")
        )
        return {**backward(loss, chosen=chosen, rejected=rejected), "chosen_reward": chosen_reward.detach(), "rejected_reward": rejected_reward.detach()}


# --- PyTorch


class TorchLogProb(Objective):
    """torch.log_softmax and gather, and the entropy of torch.distributions.Categorical."""

    module, ops = "torch.distributions.categorical", ("policy.logprob",)
    source = "torch.log_softmax, torch.distributions.Categorical.entropy"

    def version(self):
        return installed("torch")

    def run(self, request, inputs):
        import torch

        logits, temperature = inputs["logits"], request.attr("temperature")
        if temperature != 1:
            logits = logits / temperature
        logprob = torch.log_softmax(logits, dim=-1).gather(-1, inputs["tokens"].long()[:, None])[:, 0]
        entropy = load(self.module).Categorical(logits=logits, validate_args=False).entropy()
        return {"logprob": logprob.contiguous(), "entropy": entropy}


OBJECTIVES = [
    VerlPolicy("vanilla"),
    VerlPolicy("gspo"),
    VerlPolicy("cispo"),
    VerlKL("verl", "verl kl_penalty"),
    VerlGAE("verl", "verl GAE"),
    VerlValue("verl", "verl value loss"),
    VerlGroups("verl", "compute_grpo_outcome_advantage"),
    VerlGroups("verl-vectorized", "compute_grpo_vectorized_outcome_advantage"),
    VerlLogProb("verl", "verl log-probabilities"),
    OpenRLHFPolicy("openrlhf", "OpenRLHF PolicyLoss"),
    OpenRLHFKL("openrlhf", "OpenRLHF compute_approx_kl"),
    OpenRLHFGAE("openrlhf", "OpenRLHF GAE"),
    OpenRLHFValue("openrlhf", "OpenRLHF ValueLoss"),
    OpenRLHFGroups("openrlhf", "OpenRLHF group advantages"),
    OpenRLHFDPO("openrlhf", "OpenRLHF DPOLoss"),
    OpenRLHFLogProb("openrlhf", "OpenRLHF log-probabilities"),
    TRLPolicy("trl", "TRL GRPOTrainer loss"),
    TRLDPO("trl", "TRL DPOTrainer loss"),
    TRLLogProb("trl", "TRL log-probabilities"),
    LigerPolicy("liger", "Liger-Kernel GRPO"),
    LigerTritonPolicy("liger-triton", "Liger-Kernel GRPO in Triton"),
    LigerDPO("liger", "Liger-Kernel DPO"),
    LigerTritonLogProb("liger-triton", "Liger-Kernel fused_selective_log_softmax"),
    TorchLogProb("torch", "PyTorch log_softmax and Categorical"),
]

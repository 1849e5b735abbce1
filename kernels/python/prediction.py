"""Multi-token prediction and fused losses of a vocabulary in other people's code, each called as its own model or trainer calls it, on a CPU. What a request asks for and the
code does not do is refused. What a method needs of its object stands in a plain one; a world of one process is made where code asks for its ranks."""

import importlib
import importlib.util
import types
from unittest import mock

from experts import Routed, first
from objectives import backward, leaf, load
from producers import Triton, installed, interpreted

ORDER = {"order": ("embedding_first",), "mask_first": (False,)}


def sole_rank(megatron=False):
    """Makes the world of one process that this code asks for its ranks."""
    import torch

    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    if megatron:
        state = importlib.import_module("megatron.core.parallel_state")
        if not state.is_initialized():
            state.initialize_model_parallel()


def norm_by(kind, weight, eps, *arguments, **options):
    """Returns a norm made by kind, with a request's weight."""
    import torch

    norm = kind(*arguments, eps=eps, **options)
    norm.weight = torch.nn.Parameter(weight, requires_grad=False)
    return norm


# --- what enters a module


class Combination(Routed):
    """Norms and the projection. Every operation of eager PyTorch rounds to the type of the layer; a norm of PyTorch's own computes in float32 and rounds once."""

    ops = ("mtp.combine",)
    package = "torch"

    def refuses(self, request):
        if request.dtype("norm_hidden") != request.dtype("hidden"):
            return "norms in the type of the layer"
        return super().refuses(request)

    def stated(self, request):
        return {"intermediate": request.dtype("hidden")}


class TorchCombination(Combination):
    """torch.nn.functional.rms_norm, torch.cat and torch.nn.functional.linear."""

    name, title, module = "torch", "PyTorch rms_norm, cat and linear", "torch.nn.functional"
    source = "torch.nn.functional.rms_norm, torch.cat, torch.nn.functional.linear"

    def version(self):
        return installed("torch")

    def run(self, request, inputs):
        import torch

        embedding = inputs["embedding"].clone()
        if request.attr("mask_first"):
            embedding[0] = 0
        rows = [torch.nn.functional.rms_norm(x, x.shape[1:], inputs[w], request.attr("eps")) for x, w in ((inputs["hidden"], "norm_hidden"), (embedding, "norm_embedding"))]
        if request.attr("order") == "embedding_first":
            rows.reverse()
        return {"y": torch.nn.functional.linear(torch.cat(rows, dim=-1), inputs["projection"])}


class TitanCombination(Combination):
    """MTPTransformerBlock.forward with its norms and projection, whose attention and feed-forward layers give 0 and whose last norm gives what it is given."""

    name, title, package, module = "titan", "torchtitan MTPTransformerBlock", "torchtitan", "torchtitan.models.deepseek_v3.mtp"
    source, choices = "torchtitan.models.deepseek_v3.mtp.MTPTransformerBlock.forward", ORDER

    def version(self):
        return installed("torchtitan", "torch")

    def remark(self, request):
        return "method called on an object with its norms and projection; attention, feed-forward and the last norm add nothing"

    def run(self, request, inputs):
        import torch

        block, modules, d = load(self.module).MTPTransformerBlock, load("torchtitan.models.common.nn_modules"), inputs["hidden"].shape[1]
        norms = {}
        for name, weight in (("enorm", "norm_embedding"), ("hnorm", "norm_hidden")):
            norms[name] = modules.RMSNorm.Config(normalized_shape=d, eps=request.attr("eps")).build()
            norms[name].weight = torch.nn.Parameter(inputs[weight], requires_grad=False)
        projection = load("torchtitan.models.common.linear").Linear.Config(in_features=2 * d, out_features=d).build()
        projection.weight = torch.nn.Parameter(inputs["projection"], requires_grad=False)
        same, nothing = (lambda x: x), (lambda *_: 0)
        owner = types.SimpleNamespace(
            **norms, eh_proj=projection, attention=nothing, attention_norm=same, moe_enabled=False, feed_forward=nothing, ffn_norm=same, mtp_norm=same
        )
        valid = torch.ones(1, len(inputs["hidden"]), dtype=torch.bool)
        with torch.no_grad():
            return {"y": block.forward(owner, inputs["embedding"][None], inputs["hidden"][None], valid, None)[0]}


class Megatron(Routed):
    """Megatron-LM of its repository: megatron-core 0.16.1 has no process_mtp_loss yet."""

    package, module = "megatron.core", "megatron.core.transformer.multi_token_prediction"

    def missing(self):
        return "megatron.core is not installed" if importlib.util.find_spec("megatron") is None else super().missing()

    def version(self):
        return f"megatron.core {importlib.import_module('megatron.core').__version__}, {installed('torch')}"


class MegatronCombination(Megatron, Combination):
    """MultiTokenPredictionLayer._concat_embeddings with PyTorch's norms, as its local layers have them, and a projection that is not parallel."""

    ops, name, title = ("mtp.combine",), "megatron", "Megatron-LM _concat_embeddings"
    source, choices = "megatron.core.transformer.multi_token_prediction.MultiTokenPredictionLayer._concat_embeddings", ORDER

    def remark(self, request):
        return "method called on an object with its norms and projection, one process"

    def run(self, request, inputs):
        import torch

        sole_rank(megatron=True)
        norm = lambda name: norm_by(torch.nn.RMSNorm, inputs[name], request.attr("eps"), inputs["hidden"].shape[1])  # noqa: E731
        project = lambda x: (torch.nn.functional.linear(x, inputs["projection"]), None)  # noqa: E731
        group = importlib.import_module("megatron.core.parallel_state").get_tensor_model_parallel_group()
        owner = types.SimpleNamespace(enorm=norm("norm_embedding"), hnorm=norm("norm_hidden"), eh_proj=project, tp_group=group, sequence_parallel=False)
        with torch.no_grad():
            y = load(self.module).MultiTokenPredictionLayer._concat_embeddings(owner, inputs["hidden"][:, None], inputs["embedding"][:, None])
        return {"y": y[:, 0].contiguous()}


# --- losses of all depths


def labels_of(request, inputs):
    """Returns the tokens that the main model predicts at each position, where there is one for each and none beyond."""
    return inputs["tokens"][1:].long()[None]


def one_token_more(request):
    return None if request.shape("tokens")[0] == request.shape("logits")[1] + 1 else "one token more than positions"


class TorchPrediction(Routed):
    """torch.nn.functional.cross_entropy of each depth, of logits as they are given."""

    name, title, package, module, ops = "torch", "PyTorch cross_entropy of each depth", "torch", "torch.nn.functional", ("mtp.loss",)
    source = "torch.nn.functional.cross_entropy"

    def version(self):
        return installed("torch")

    def stated(self, request):
        return {"intermediate": request.dtype("logits")}

    def run(self, request, inputs):
        import torch

        logits, losses = inputs["logits"], []
        for depth, rows in enumerate(logits, 1):
            tokens = inputs["tokens"][depth + 1:][:len(rows)].long()
            if not len(tokens):
                losses.append(rows.new_zeros(()))
                continue
            mean = request.attr("divisor") == "valid"
            loss = torch.nn.functional.cross_entropy(rows[:len(tokens)], tokens, reduction="mean" if mean else "sum")
            losses.append(loss if mean else loss / len(rows))
        per_depth = torch.stack(losses)
        return {"loss": request.attr("weight") * per_depth.mean(), "per_depth": per_depth}


class TitanPrediction(Routed):
    """MTPLoss, which adds the loss of the main model: that is given no rows. It divides by a number of tokens that it is given, here T, and computes in float32."""

    name, title, package, module, ops = "titan", "torchtitan MTPLoss", "torchtitan", "torchtitan.models.deepseek_v3.mtp", ("mtp.loss",)
    source, choices = "torchtitan.models.deepseek_v3.mtp.MTPLoss", {"divisor": ("T",)}

    def version(self):
        return installed("torchtitan", "torch")

    def refuses(self, request):
        if request.shape("logits")[0] > request.shape("logits")[1]:
            return "no more depths than positions"
        return first(super().refuses(request), one_token_more(request))

    def remark(self, request):
        return "the main model has no rows"

    def stated(self, request):
        return {"intermediate": "F32"}

    def run(self, request, inputs):
        import torch

        module, logits = load(self.module), inputs["logits"]
        loss = module.MTPLoss(module.MTPLoss.Config(mtp_scale=request.attr("weight")))
        positions = torch.arange(logits.shape[1])[None]
        total, _ = loss([logits[:1, :0], *logits[:, None]], labels_of(request, inputs), torch.tensor(logits.shape[1]), positions=positions)
        return {"loss": total}


class MegatronPrediction(Megatron):
    """process_mtp_loss with vocab_parallel_cross_entropy in a world of one process. The losses of the depths are those that it logs; it has no sum of them, as it adds their
    gradients to those of the main model."""

    name, title, ops = "megatron", "Megatron-LM process_mtp_loss", ("mtp.loss",)
    source, choices = "megatron.core.transformer.multi_token_prediction.process_mtp_loss", {"divisor": ("valid",)}

    def refuses(self, request):
        if request.shape("logits")[0] >= request.shape("logits")[1]:
            return "less depths than positions"
        return first(super().refuses(request), one_token_more(request))

    def remark(self, request):
        return "hidden states are the logits, one process; losses of depths as logged"

    def stated(self, request):
        return {"intermediate": "F32"}  # vocab_parallel_cross_entropy goes to float32 first

    def run(self, request, inputs):
        import torch

        module = load(self.module)
        if not hasattr(module, "process_mtp_loss"):
            raise RuntimeError("no process_mtp_loss in this release")
        sole_rank(megatron=True)
        parallel, language = load("megatron.core.tensor_parallel"), load("megatron.core.models.common.language_module.language_module").LanguageModule
        D, T, vocab = inputs["logits"].shape
        config = types.SimpleNamespace(
            mtp_num_layers=D, mtp_detach_heads=False, mtp_loss_scaling_factor=request.attr("weight"), calculate_per_token_loss=False, cross_entropy_loss_fusion=False
        )
        owner = types.SimpleNamespace(config=config, tp_group=load("megatron.core.parallel_state").get_tensor_model_parallel_group())
        tracker = {name: torch.zeros(D) for name in ("loss_values", "correct_values", "total_values")}
        states = torch.cat([inputs["logits"].new_zeros(T, 1, vocab), *inputs["logits"][:, :, None]])
        with mock.patch.object(module.MTPLossLoggingHelper, "tracker", tracker):
            module.process_mtp_loss(
                states, labels_of(request, inputs), None, lambda x, **_: (x, None), parallel, True, True,
                lambda labels, logits: language.compute_language_model_loss(owner, labels, logits), config,
            )
        return {"per_depth": tracker["loss_values"]}


# --- speculative sampling


class Probabilities:
    """Logits whose softmax is known."""

    def __init__(self, rows):
        self.rows, self.shape = rows, rows.shape

    def softmax(self, dim):
        return self.rows


class TransformersAcceptance(Routed):
    """_speculative_sampling, sequence by sequence. Its uniforms are those given; multinomial is replaced by inversion at the last one, of the row that it is called with."""

    name, title, package, ops = "hf", "Hugging Face _speculative_sampling", "transformers", ("mtp.accept",)
    module = "transformers.generation.utils"
    source = "transformers.generation.utils._speculative_sampling"

    def version(self):
        return installed("transformers", "torch")

    def refuses(self, request):
        if "BF16" in (request.dtype("draft_probs"), request.dtype("target_probs")):
            return "probabilities in float32"
        return super().refuses(request)

    def remark(self, request):
        return "probabilities in the place of a softmax; torch.rand_like and torch.multinomial replaced by the uniforms given and by inversion"

    def run(self, request, inputs):
        import torch

        accepted, following = [], []
        for tokens, q, p, u in zip(inputs["draft_tokens"], inputs["draft_probs"], inputs["target_probs"], inputs["uniforms"]):
            k = len(tokens)

            def inverted(weights, num_samples):
                running = weights.cumsum(-1)
                return (running > u[-1] * running[:, -1:]).int().argmax(-1, keepdim=True)

            with mock.patch.object(torch, "rand_like", lambda x: u[:k].reshape(x.shape)), mock.patch.object(torch, "multinomial", inverted):
                valid, matches = load(self.module)._speculative_sampling(tokens[None].long(), Probabilities(q[None]), k, Probabilities(p[None]))
            accepted.append(matches)
            following.append(valid[0, -1])
        return {"accepted": torch.stack(accepted), "next_token": torch.stack(following)}


# --- cross-entropies from hidden states


class CrossEntropy(Routed):
    """The loss of a vocabulary from hidden states, gradients by autograd."""

    ops, package, module = ("policy.cross_entropy",), "torch", "torch.nn.functional"

    def version(self):
        return installed("torch")

    def loss(self, request, hidden, weight, targets):
        raise NotImplementedError

    def run(self, request, inputs):
        hidden, weight = leaf(inputs["hidden"]), leaf(inputs["weight"])
        return backward(self.loss(request, hidden, weight, inputs["targets"].long()), hidden=hidden, weight=weight)


class TorchCrossEntropy(CrossEntropy):
    """torch.nn.functional.linear, divided by the temperature, and torch.nn.functional.cross_entropy."""

    name, title, source = "torch", "PyTorch linear and cross_entropy", "torch.nn.functional.linear, torch.nn.functional.cross_entropy"

    def stated(self, request):
        return {"intermediate": request.dtype("hidden")}

    def loss(self, request, hidden, weight, targets):
        import torch

        logits = torch.nn.functional.linear(hidden, weight)
        if request.attr("temperature") != 1:
            logits = logits / request.attr("temperature")
        return torch.nn.functional.cross_entropy(logits, targets, ignore_index=int(request.attr("ignore_index")), reduction=request.attr("reduction"))


class TorchLinearCrossEntropy(TorchCrossEntropy):
    """torch.nn.functional.linear_cross_entropy by chunks."""

    name, title, source = "torch-chunked", "PyTorch linear_cross_entropy by chunks", "torch.nn.functional.linear_cross_entropy"
    choices = {"temperature": (1,)}

    def missing(self):
        import torch

        return None if hasattr(torch.nn, "LinearCrossEntropyOptions") else "PyTorch has no linear_cross_entropy"

    def loss(self, request, hidden, weight, targets):
        import torch

        return torch.nn.functional.linear_cross_entropy(
            hidden, weight, targets, ignore_index=int(request.attr("ignore_index")), reduction=request.attr("reduction"), options=torch.nn.LinearCrossEntropyOptions()
        )


class LigerCrossEntropy(CrossEntropy):
    """Liger-Kernel's fused linear cross-entropy, on a GPU or in Triton's interpreter, which truncates bf16 where it has to round."""

    name, title, package, module = "liger", "Liger-Kernel fused linear cross-entropy", "liger_kernel", "liger_kernel.transformers.fused_linear_cross_entropy"
    source, choices = "liger_kernel.transformers.fused_linear_cross_entropy.LigerFusedLinearCrossEntropyLoss", {"temperature": (1,)}

    def missing(self):
        return super().missing() or (None if interpreted() else "Triton's kernels run on a CPU with TRITON_INTERPRET=1 alone")

    def refuses(self, request):
        return "the interpreter truncates bf16" if request.dtype("hidden") == "BF16" else super().refuses(request)

    def version(self):
        return installed("liger_kernel", "torch") + f", {installed('triton')}, interpreted"

    def loss(self, request, hidden, weight, targets):
        return load(self.module).LigerFusedLinearCrossEntropyLoss(ignore_index=int(request.attr("ignore_index")), reduction=request.attr("reduction"))(weight, hidden, targets)


class TritonCrossEntropy(Triton):
    """This project's Triton kernel of the same."""

    name, title, ops = "triton", "Plumbline Triton cross-entropy", ("policy.cross_entropy",)

    def refuses(self, request):
        return "the interpreter truncates bf16" if interpreted() and request.dtype("hidden") == "BF16" else None

    def arithmetic(self, request, device):
        return {"accumulate": "F32", "intermediate": request.dtype("hidden")}

    def run(self, request, inputs):
        import torch
        import triton_kernels

        hidden, weight, targets, ignored = inputs["hidden"], inputs["weight"], inputs["targets"].long(), int(request.attr("ignore_index"))
        divisor = (targets != ignored).sum().item() if request.attr("reduction") == "mean" else 1
        losses, dhidden, dweight = triton_kernels.cross_entropy(hidden, weight, targets, ignored, float(request.attr("temperature")), divisor)
        return {"loss": losses.sum() / divisor, "dhidden": dhidden, "dweight": dweight}


PREDICTION = [
    TorchCombination(), TitanCombination(), MegatronCombination(), TorchPrediction(), TitanPrediction(), MegatronPrediction(), TransformersAcceptance(),
    TorchCrossEntropy(), TorchLinearCrossEntropy(), LigerCrossEntropy(), TritonCrossEntropy(),
]

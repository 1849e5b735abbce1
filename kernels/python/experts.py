"""Gates, experts and FP8 casts of other people's code, each called as its own model or trainer calls it, on a CPU. What a request asks for and the code does not do is
refused. Weights are set, never changed; what only has another layout (rows of sequences, gate and up in one matrix, a map for a list) is laid out anew and said so."""

import contextlib
import importlib
import importlib.util
import sys
import types

from objectives import Objective, forbid, load
from producers import Producer, installed


class Routed(Objective):
    """Code for experts. Its arithmetic is stated key by key."""

    device = "cpu"  # wherever the others run

    def __init__(self):
        """Name and title are the class's."""

    def remark(self, request):
        return ""

    def stated(self, request):
        return {}

    def arithmetic(self, request, device):
        return {} if request.op == "moe.dispatch" else {"accumulate": "F32", **self.stated(request)}


def bare_package(name):
    """Makes a package whose __init__ wants a GPU, without running it."""
    if name not in sys.modules:
        spec = importlib.util.find_spec(name)
        module = types.ModuleType(name)
        module.__path__, module.__spec__ = list(spec.submodule_search_locations), spec
        sys.modules[name] = module


def given(owner, **tensors):
    """Sets parameters and buffers."""
    import torch

    for name, x in tensors.items():
        if name in owner._parameters:
            x = torch.nn.Parameter(x, requires_grad=False)
        setattr(owner, name, x)
    return owner


def gate_and_up(inputs):
    """Returns both matrices of each expert in one, gate first, as most code has them."""
    import torch

    return torch.cat([inputs["w_gate"], inputs["w_up"]], dim=1)


def epsilon(request, *theirs):
    """Refuses another ε in the sum of weights than the code has."""
    return f"its ε is {theirs[0]:g}" if request.attr("normalize") and request.attr("norm_eps") not in theirs else None


def first(*reasons):
    return next((reason for reason in reasons if reason), None)


def from_map(weights, chosen):
    """Returns indices and weights of a dense row of weights and a map of what is chosen, in the order of the experts."""
    indices = chosen.nonzero()[:, 1].reshape(len(chosen), -1)
    return {"indices": indices, "weights": weights.gather(1, indices).contiguous()}


# --- Hugging Face transformers


def config_of(kind, E, F, d, K, **more):
    """Returns a model's own configuration with the sizes of a request."""
    import transformers

    sizes = {"hidden_size": d, "num_experts_per_tok": K, "hidden_act": "silu"}
    names = {"DeepseekV3": ("n_routed_experts", "moe_intermediate_size"), "Mixtral": ("num_local_experts", "intermediate_size"),
             "GptOss": ("num_local_experts", "intermediate_size"), "Qwen3Moe": ("num_experts", "moe_intermediate_size")}
    experts, width = names.get(kind, names["DeepseekV3"])
    config = getattr(transformers, kind + "Config")(**{**sizes, experts: E, width: F, **more})
    config._experts_implementation = "eager"
    return config


class Transformers(Routed):
    """Modules of transformers."""

    package = "transformers"
    kind = "DeepseekV3"

    def __init__(self, kind, name):
        self.kind, self.name = kind, name
        folder = {"DeepseekV2": "deepseek_v2", "DeepseekV3": "deepseek_v3", "DeepseekV4": "deepseek_v4", "GptOss": "gpt_oss", "Mixtral": "mixtral", "Qwen3Moe": "qwen3_moe"}[kind]
        self.module = f"transformers.models.{folder}.modeling_{folder}"

    def version(self):
        return installed("transformers", "torch")


# What the gate of each model has, as attributes.
GATES = {
    "DeepseekV2": {"score": ("softmax",), "group_score": ("max",), "normalize": (False,)},
    "DeepseekV3": {"score": ("sigmoid",), "group_score": ("top2",)},
    "DeepseekV4": {"score": ("sqrt_softplus",), "groups": (1,), "normalize": (True,)},
    "GptOss": {"score": ("softmax",), "groups": (1,), "normalize": (True,), "norm_eps": (0,), "scale": (1,)},
    "Mixtral": {"score": ("softmax",), "groups": (1,), "normalize": (True,), "norm_eps": (0,), "scale": (1,)},
    "Qwen3Moe": {"score": ("softmax",), "groups": (1,), "norm_eps": (0,), "scale": (1,)},
}
OWN_TYPE = ("GptOss", "Mixtral", "Qwen3Moe")  # gates that multiply in the type of the layer; the others do in float32


class TransformersGate(Transformers):
    """The router of a model. DeepSeek's multiply in float32 whatever they are given; V4's does so only where it is given float32."""

    ops = ("moe.gate",)

    def __init__(self, kind, name, router):
        super().__init__(kind, name)
        self.router, self.choices = router, GATES[kind]
        self.title, self.source = f"Hugging Face {router}", f"{self.module}.{router}"

    def refuses(self, request):
        if not request.has("x"):
            return "tokens, not logits"
        return first(super().refuses(request), self.unfit(request))

    def unfit(self, request):
        """Why the gate of a layer or of moe.gate cannot run."""
        if request.has("bias") and self.kind not in ("DeepseekV3", "DeepseekV4"):
            return "no bias for the choice"
        if self.kind in OWN_TYPE and request.dtype("weight") != request.dtype("x"):
            return "centroids in the type of the layer"
        if self.kind == "DeepseekV4" and "BF16" in (request.dtype("x"), request.dtype("weight")):
            return "its scores are rounded to bf16, which nothing declares"
        return epsilon(request, 1e-20) if self.kind in ("DeepseekV3", "DeepseekV4") else None

    def remark(self, request):
        return "the bias of its logits is 0" if self.kind == "GptOss" else ""

    def stated(self, request):
        return {"gate": request.dtype("x") if self.kind in OWN_TYPE else "F32"}

    def config(self, request, F=64, **more):
        grouped = {"n_group": request.attr("groups"), "topk_group": request.attr("top_groups")} if self.kind in ("DeepseekV2", "DeepseekV3") else {}
        scaled = {"routed_scaling_factor": float(request.attr("scale"))} if self.kind.startswith("Deepseek") else {}
        method = {"topk_method": "group_limited_greedy" if request.attr("groups") > 1 else "greedy"} if self.kind == "DeepseekV2" else {}
        normed = {} if self.kind in ("Mixtral", "GptOss") else {"norm_topk_prob": request.attr("normalize")}
        E, d = request.shape("weight")
        return config_of(self.kind, E, F, d, request.attr("top_k"), **grouped, **scaled, **method, **normed, **more)

    def gate(self, request, inputs, module):
        given(module, weight=inputs["weight"])
        if "bias" in inputs:
            given(module, e_score_correction_bias=inputs["bias"])
        if self.kind == "GptOss":
            given(module, bias=inputs["weight"].new_zeros(len(inputs["weight"])))

    def run(self, request, inputs):
        import torch

        module = getattr(load(self.module), self.router)(self.config(request)).to(inputs["x"].device)
        self.gate(request, inputs, module)
        with torch.no_grad():
            _, weights, indices = module(inputs["x"])
        return {"indices": indices, "weights": weights}


class TransformersExperts(Transformers):
    """The experts of a model by one of transformers' implementations. eager adds each expert's weighted output to a sum in the type of the layer; grouped_mm and batched_mm
    keep weighted outputs in the type that they have by promotion and sum them in float32."""

    ops, choices = ("moe.experts",), {"weight_at": ("output",)}

    def __init__(self, kind, implementation, name):
        super().__init__(kind, name)
        self.implementation = implementation
        self.title, self.source = f"Hugging Face {kind}Experts, {implementation}", f"{self.module}.{kind}Experts"

    def refuses(self, request):
        if request.has("shared_gate"):
            return "no shared experts"
        if bool(request.attr("swiglu_limit")) != (self.kind == "DeepseekV4"):
            return "a limit is V4's alone, and it always has one"
        if self.implementation != "eager" and request.dtype("weights") != "F32":
            return "weighted outputs are rounded and their sum is not, which nothing declares"
        return super().refuses(request)

    def remark(self, request):
        return "gate and up in one matrix"

    def stated(self, request):
        word = request.dtype("x")
        return {"intermediate": word, "combine": word if self.implementation == "eager" else "F32"}

    def run(self, request, inputs):
        import torch

        limit = {"swiglu_limit": float(request.attr("swiglu_limit"))} if self.kind == "DeepseekV4" else {}
        config = config_of(self.kind, *inputs["w_gate"].shape, inputs["indices"].shape[1], **limit)
        config._experts_implementation = self.implementation
        module = given(getattr(load(self.module), self.kind + "Experts")(config), gate_up_proj=gate_and_up(inputs), down_proj=inputs["w_down"])
        with torch.no_grad():
            return {"y": module(inputs["x"], inputs["indices"], inputs["weights"])}


class TransformersLayer(TransformersGate):
    """A whole mixture of experts with eager experts."""

    ops = ("moe.layer",)

    def __init__(self, kind, name, block):
        super().__init__(kind, name, block)
        self.block, self.choices = block, {**self.choices, "weight_at": ("output",)}

    def refuses(self, request):
        if bool(request.attr("swiglu_limit")) != (self.kind == "DeepseekV4"):
            return "a limit is V4's alone, and it always has one"
        if request.has("shared_gate") == (self.kind in OWN_TYPE):
            return "it has shared experts" if self.kind.startswith("Deepseek") else "no shared experts"
        return first(Objective.refuses(self, request), self.unfit(request))

    def remark(self, request):
        return "gate and up in one matrix, eager experts"

    def stated(self, request):
        word = request.dtype("x")
        return {**super().stated(request), "intermediate": word, "combine": word}

    def run(self, request, inputs):
        import torch

        F = inputs["w_gate"].shape[1]
        more, place = {}, ()
        if "shared_gate" in inputs and self.kind != "DeepseekV4":
            more = {"n_shared_experts": len(inputs["shared_gate"]) // F}
        if self.kind == "DeepseekV4":
            more, place = {"swiglu_limit": float(request.attr("swiglu_limit")), "num_hidden_layers": 4, "mlp_layer_types": ["moe"] * 4}, (0,)
        module = getattr(load(self.module), self.block)(self.config(request, F, **more), *place).to(inputs["x"].device).eval()
        self.gate(request, inputs, module.gate)
        given(module.experts, gate_up_proj=gate_and_up(inputs), down_proj=inputs["w_down"])
        if "shared_gate" in inputs:
            for name in ("gate", "up", "down"):
                given(getattr(module.shared_experts, name + "_proj"), weight=inputs["shared_" + name])
        with torch.no_grad():
            return {"y": module(inputs["x"][None])[0]}


# --- SGLang


class SGLang(Routed):
    package = "sglang"

    def version(self):
        return installed("sglang", "torch")


class SGLangGate(SGLang):
    """The gates of topk.py in PyTorch, from logits."""

    ops, module = ("moe.gate",), "sglang.srt.layers.moe.topk"

    def __init__(self, function, name, choices):
        self.function, self.name, self.choices = function, name, choices
        self.title, self.source = f"SGLang {function}", f"{self.module}.{function}"

    def refuses(self, request):
        if not request.has("logits") or request.dtype("logits") != "F32":
            return "logits in float32"
        if request.has("bias") != self.function.startswith("biased"):
            return "another function for a bias"
        return first(super().refuses(request), epsilon(request, 1e-20, 0))

    def stated(self, request):
        return {"gate": "F32"}

    def remark(self, request):
        return "" if request.attr("norm_eps") or not request.attr("normalize") else "its ε of 1e-20 is nothing beside the sum"

    def run(self, request, inputs):
        logits, K, normalize, scale = inputs["logits"], request.attr("top_k"), request.attr("normalize"), request.attr("scale")
        options, groups = {}, {"num_expert_group": request.attr("groups"), "topk_group": request.attr("top_groups")}
        if self.function != "fused_topk_torch_native":
            options = {"routed_scaling_factor": scale, "apply_routed_scaling_factor_on_output": True}
        if self.function == "biased_topk_impl":
            options["scoring_func"] = {"sqrt_softplus": "sqrtsoftplus"}.get(request.attr("score"), request.attr("score"))
        elif "grouped" in self.function:
            options.update(groups)
        function = getattr(load(self.module), self.function)
        function = getattr(function, "_torchdynamo_orig_callable", function)  # as written, not compiled
        bias = (inputs["bias"],) if "bias" in inputs else ()
        weights, indices = function(logits, logits, *bias, topk=K, renormalize=normalize, **options)[:2]
        return {"indices": indices, "weights": weights}


class SGLangExperts(SGLang):
    """Experts in PyTorch: moe_forward_native, a loop whose outputs are weighted and summed in the type of the weights, and fused_moe_forward_native, sums by einsum."""

    ops, module = ("moe.experts",), "sglang.srt.layers.moe.fused_moe_native"
    choices = {"weight_at": ("output",), "swiglu_limit": (0,)}

    def __init__(self, function, name):
        self.function, self.name = function, name
        self.title, self.source = f"SGLang {function}", f"{self.module}.{function}"

    def refuses(self, request):
        if request.has("shared_gate"):
            return "no shared experts"
        if self.function == "fused_moe_forward_native" and request.dtype("weights") != request.dtype("x"):
            return "it rounds the weights to the type of the layer"
        if self.function == "moe_forward_native" and request.dtype("weights") != "F32":
            return "weighted outputs are rounded and their sum is not, which nothing declares"
        return super().refuses(request)

    def remark(self, request):
        return "gate and up in one matrix"

    def stated(self, request):
        return {"intermediate": request.dtype("x"), "combine": "F32"}

    def run(self, request, inputs):
        x, module = inputs["x"], load(self.module)
        runner = types.SimpleNamespace(activation="silu", apply_router_weight_on_input=False, gemm1_alpha=None, gemm1_clamp_limit=None)
        layer = types.SimpleNamespace(num_experts=len(inputs["w_gate"]), w13_weight=gate_and_up(inputs), w2_weight=inputs["w_down"], moe_runner_config=runner)
        chosen = load("sglang.srt.layers.moe.topk").StandardTopKOutput(inputs["weights"], inputs["indices"], None)
        if self.function == "moe_forward_native":
            return {"y": module.moe_forward_native(layer, x, chosen, runner)}
        out = module.fused_moe_forward_native(layer, types.SimpleNamespace(hidden_states=x, topk_output=chosen))
        return {"y": out.hidden_states}


# --- vLLM


class VLLM(Routed):
    package = "vllm"

    def version(self):
        return installed("vllm", "torch")


class VLLMGate(VLLM):
    """The routing of its CPU router, from logits: _grouped_topk, and _softmax_topk, which takes a softmax of the logits chosen, or e^(logit − log-sum-exp) of all."""

    ops, module = ("moe.gate",), "vllm.model_executor.layers.fused_moe.router.cpu_router"

    def __init__(self, function, name, choices):
        self.function, self.name, self.choices = function, name, choices
        self.title, self.source = f"vLLM CPU router {function}", f"{self.module}.{function}"

    def refuses(self, request):
        if not request.has("logits") or request.dtype("logits") != "F32":
            return "logits in float32"
        if request.attr("groups") > 1 and request.attr("group_score") != ("top2" if request.has("bias") else "max"):
            return "another score of groups"
        biased = request.has("bias") and self.function == "_softmax_topk"
        return first(super().refuses(request), epsilon(request, 0, 1e-20), "no bias for the choice" if biased else None)

    def remark(self, request):
        return "its sum of weights has no ε, which 1e-20 is not beside it" if request.attr("norm_eps") else ""

    def stated(self, request):
        return {"gate": "F32"}

    def run(self, request, inputs):
        a, function = request.attr, getattr(load(self.module), self.function)
        if self.function == "_softmax_topk":
            weights, indices = function(inputs["logits"], a("top_k"), a("normalize"))
        else:
            weights, indices = function(inputs["logits"], a("top_k"), a("normalize"), a("groups"), a("top_groups"), a("score"), a("scale"), inputs.get("bias"))
        return {"indices": indices, "weights": weights}


# --- torchtitan


class Titan(Routed):
    package = "torchtitan"
    module = "torchtitan.models.common.moe"

    def version(self):
        return installed("torchtitan", "torch")


def titan_router(request, inputs):
    """Returns the configuration of TokenChoiceTopKRouter."""
    moe, linear = load("torchtitan.models.common.moe"), load("torchtitan.models.common.linear")
    E, d = inputs["weight"].shape
    grouped = request.attr("groups") > 1
    return moe.TokenChoiceTopKRouter.Config(
        num_experts=E, gate=linear.Linear.Config(in_features=d, out_features=E), top_k=request.attr("top_k"), score_func=request.attr("score"),
        route_norm=request.attr("normalize"), route_scale=request.attr("scale"), num_expert_groups=request.attr("groups") if grouped else None,
        num_limited_groups=request.attr("top_groups") if grouped else None,
    )


TITAN_GATE = {"score": ("sigmoid", "softmax"), "group_score": ("top2",)}


class TitanGate(Titan):
    """TokenChoiceTopKRouter. On a CPU autocast has no float32, so that it is run in float32 alone."""

    name, title, ops, choices = "titan", "torchtitan TokenChoiceTopKRouter", ("moe.gate",), TITAN_GATE
    source = "torchtitan.models.common.moe.TokenChoiceTopKRouter"

    def refuses(self, request):
        if not request.has("x") or "BF16" in (request.dtype("x"), request.dtype("weight")):
            return "tokens and centroids in float32"
        return first(super().refuses(request), epsilon(request, 1e-20, 0))

    def stated(self, request):
        return {"gate": "F32"}

    def run(self, request, inputs):
        import torch

        router = titan_router(request, inputs).build()
        given(router.gate, weight=inputs["weight"])
        with torch.no_grad():
            weights, indices, _ = router(inputs["x"][None], inputs.get("bias"))
        return {"indices": indices[0], "weights": weights[0]}


class TitanDispatch(Titan):
    """LocalTokenDispatcher._local_reorder. The number of each pair is given as its score, which comes out in the order of the experts."""

    name, title, ops = "titan", "torchtitan LocalTokenDispatcher", ("moe.dispatch",)
    module = "torchtitan.models.common.token_dispatcher"
    source = "torchtitan.models.common.token_dispatcher.LocalTokenDispatcher._local_reorder"

    def remark(self, request):
        return "numbers of pairs given as scores; it is given the counts"

    def run(self, request, inputs):
        import torch

        indices = inputs["indices"].long()
        forbid(indices < 0, "no dropped tokens")
        N, K = indices.shape
        dispatcher = load(self.module).LocalTokenDispatcher
        dispatcher = dispatcher(dispatcher.Config(num_experts=int(request.attr("experts")), top_k=K))
        pairs = torch.arange(N * K).reshape(N, K)
        _, tokens, order = dispatcher._local_reorder(torch.zeros(N, 1), pairs, indices)
        assert bool((tokens == order // K).all())
        return {"order": order}


def titan_experts(inputs, K):
    """Returns the configuration of RoutedExperts."""
    moe, dispatch = load("torchtitan.models.common.moe"), load("torchtitan.models.common.token_dispatcher")
    E, F, d = inputs["w_gate"].shape
    return moe.RoutedExperts.Config(
        inner_experts=moe.GroupedExperts.Config(dim=d, hidden_dim=F, num_experts=E), token_dispatcher=dispatch.LocalTokenDispatcher.Config(num_experts=E, top_k=K)
    )


class TitanExperts(Titan):
    """RoutedExperts: grouped products in bf16, whatever they are given; each weighted output is rounded and added in the type of the tokens."""

    name, title, ops = "titan", "torchtitan RoutedExperts", ("moe.experts",)
    source = "torchtitan.models.common.moe.RoutedExperts"
    choices = {"weight_at": ("output",), "swiglu_limit": (0,)}

    def refuses(self, request):
        if request.dtype("x") != "BF16" or request.has("shared_gate"):
            return "bf16 alone, no shared experts"
        return super().refuses(request)

    def stated(self, request):
        return {"intermediate": "BF16", "combine": "BF16"}

    def run(self, request, inputs):
        import torch

        x, indices, E = inputs["x"], inputs["indices"].long(), len(inputs["w_gate"])
        module = titan_experts(inputs, indices.shape[1]).build()
        given(module.inner_experts, w1_EFD=inputs["w_gate"], w2_EDF=inputs["w_down"], w3_EFD=inputs["w_up"])
        counts = torch.bincount(indices.flatten(), minlength=E)
        with torch.no_grad():
            return {"y": module(x[None], inputs["weights"][None], indices[None], counts)[0]}


class TitanLayer(Titan):
    """MoE without shared experts, its tokens and weights in float32, as a trainer keeps them without mixed precision: the gate is float32, the experts' products are bf16."""

    name, title, ops, choices = "titan", "torchtitan MoE", ("moe.layer",), {**TITAN_GATE, "weight_at": ("output",), "swiglu_limit": (0,)}
    source = "torchtitan.models.common.moe.MoE"

    def refuses(self, request):
        if request.dtype("x") != "BF16" or request.has("shared_gate"):
            return "experts in bf16 alone; shared ones are float32 where the tokens are"
        return first(super().refuses(request), epsilon(request, 1e-20, 0))

    def remark(self, request):
        return "tokens and weights given in float32"

    def stated(self, request):
        return {"gate": "F32", "intermediate": "BF16", "combine": "F32"}

    def run(self, request, inputs):
        import torch

        inputs = {name: x.float() for name, x in inputs.items()}
        E, experts, router = len(inputs["w_gate"]), titan_experts(inputs, request.attr("top_k")), titan_router(request, inputs)
        module = load(self.module).MoE.Config(num_experts=E, routed_experts=experts, router=router).build()
        given(module.router.gate, weight=inputs["weight"])
        given(module, expert_bias_E=inputs.get("bias", torch.zeros(E)), tokens_per_expert_E=torch.zeros(E))
        given(module.routed_experts.inner_experts, w1_EFD=inputs["w_gate"], w2_EDF=inputs["w_down"], w3_EFD=inputs["w_up"])
        with torch.no_grad():
            return {"y": module.eval()(inputs["x"][None])[0]}


class TitanBias(Titan):
    """The hook that register_moe_load_balancing_hook puts before each step of an optimizer, which takes the mean of the steps off. Its model is stood in for by one layer that
    holds the counts and the bias alone."""

    name, title, ops = "titan", "torchtitan load balancing hook", ("moe.bias_update",)
    module = "torchtitan.components.optimizer.optimizer"
    source = "torchtitan.components.optimizer.optimizer.register_moe_load_balancing_hook"
    choices = {"rule": ("sign",), "center": (True,)}

    def remark(self, request):
        return "hook called on a model that holds counts and bias alone"

    def run(self, request, inputs):
        import torch

        layer = torch.nn.Module()
        layer.moe_enabled, layer.moe = True, torch.nn.Module()
        layer.moe.load_balance_coeff = request.attr("rate")
        layer.moe.register_buffer("expert_bias_E", inputs["bias"].clone())
        layer.moe.register_buffer("tokens_per_expert_E", inputs["load"].float())
        model, hooks = torch.nn.Module(), []
        model.layers = torch.nn.ModuleDict({"0": layer})
        optimizers = types.SimpleNamespace(register_step_pre_hook=hooks.append)
        alone = types.SimpleNamespace(get_optional_mesh=lambda _: None, ep_enabled=False, tp=1)
        load(self.module).register_moe_load_balancing_hook(optimizers, [model], alone)
        hooks[0]()
        return {"bias": layer.moe.expert_bias_E}


# --- Megatron-LM


class Megatron(Routed):
    package, module = "megatron.core", "megatron.core.transformer.moe.moe_utils"

    def missing(self):
        if importlib.util.find_spec("megatron") is None:
            return "megatron.core is not installed"
        return super().missing()

    def version(self):
        return installed("megatron-core", "torch")


class MegatronGate(Megatron):
    """topk_routing_with_score_function, not fused, from logits: dense weights and a map, of which the chosen ones are recorded in the order of the experts."""

    name, title, ops = "megatron", "Megatron-LM topk_routing_with_score_function", ("moe.gate",)
    source = "megatron.core.transformer.moe.moe_utils.topk_routing_with_score_function"
    choices = {"score": ("sigmoid", "softmax")}

    def refuses(self, request):
        if not request.has("logits"):
            return "logits, not tokens"
        sigmoid, groups = request.attr("score") == "sigmoid", request.attr("groups")
        if groups > 1 and self.share(request) != request.attr("group_score"):
            return "groups are scored by their share of the experts"
        if sigmoid:
            reason = epsilon(request, 1e-20) or (None if request.attr("normalize") else "sigmoid scores are divided by their sum")
            return first(super().refuses(request), reason, "scores in float32" if request.dtype("logits") != "F32" else None)
        unfit = request.has("bias") or groups > 1 or request.attr("normalize") and request.attr("norm_eps")
        return first(super().refuses(request), "a softmax without bias, groups and ε" if unfit else None)

    def share(self, request):
        """Returns the word for its score of groups, which is top2 where the share is two."""
        return "top2" if request.attr("group_score") == "top2" and request.attr("top_k") == 2 * request.attr("top_groups") else "share"

    def remark(self, request):
        return "pairs in the order of the experts"

    def stated(self, request):
        return {"gate": "F32"}

    def run(self, request, inputs):
        grouped = request.attr("groups") > 1
        weights, chosen = load(self.module).topk_routing_with_score_function(
            inputs["logits"], request.attr("top_k"), use_pre_softmax=not request.attr("normalize"), num_groups=request.attr("groups") if grouped else None,
            group_topk=request.attr("top_groups") if grouped else None, scaling_factor=request.attr("scale"), score_function=request.attr("score"), expert_bias=inputs.get("bias"),
        )
        return from_map(weights, chosen)


class MegatronDispatch(Megatron):
    """permute, not fused, of a map of the experts of each token. The number of each pair is given as its probability, which comes out in the order of the experts."""

    name, title, ops = "megatron", "Megatron-LM permute", ("moe.dispatch",)
    source = "megatron.core.transformer.moe.moe_utils.permute"

    def remark(self, request):
        return "numbers of pairs given as probabilities"

    def run(self, request, inputs):
        import torch

        indices, E = inputs["indices"].long(), int(request.attr("experts"))
        forbid(indices < 0, "no dropped tokens")
        N, K = indices.shape
        chosen, pairs = torch.zeros(N, E, dtype=torch.bool).scatter(1, indices, True), torch.zeros(N, E, dtype=torch.long)
        pairs.scatter_(1, indices, torch.arange(N * K).reshape(N, K))
        _, order, tokens = load(self.module).permute(torch.zeros(N, 1), chosen, probs=pairs)
        assert bool((tokens == order // K).all())
        return {"order": order}


class MegatronLoss(Megatron):
    """switch_load_balancing_loss_func, not fused; for sequences TopKRouter._apply_seq_aux_loss, on an object that holds the configuration alone."""

    name, title, ops = "megatron", "Megatron-LM switch_load_balancing_loss_func", ("moe.balance_loss",)
    source = "megatron.core.transformer.moe.moe_utils.switch_load_balancing_loss_func"
    choices = {"kind": ("expert", "sequence"), "normalize_scores": (False,)}

    def remark(self, request):
        return "TopKRouter._apply_seq_aux_loss on an object that holds the configuration alone, rows laid out by position" if request.attr("kind") == "sequence" else ""

    def run(self, request, inputs):
        import torch

        scores, indices = inputs["scores"], inputs["indices"].long()
        (N, E), K, alpha = scores.shape, indices.shape[1], request.attr("alpha")
        chosen = torch.zeros(N, E, dtype=torch.bool).scatter(1, indices, True)
        if request.attr("kind") == "expert":
            return {"loss": load(self.module).switch_load_balancing_loss_func(scores, chosen.sum(dim=0), N, K, E, alpha)}
        length = int(request.attr("sequence_length"))
        by_position = [x.reshape(N // length, length, E).transpose(0, 1).reshape(N, E) for x in (scores, chosen)]
        apply = load("megatron.core.transformer.moe.router").TopKRouter._apply_seq_aux_loss
        with one_process() as group:
            router = types.SimpleNamespace(
                get_aux_loss_coeff=lambda _: alpha, tp_cp_group=group, topk=K, config=types.SimpleNamespace(num_moe_experts=E, moe_router_fusion=False),
                attach_and_log_load_balancing_loss=lambda probs, coeff, loss, *_, **__: loss,
            )
            return {"loss": apply(router, None, *by_position, length, N // length)}


class MegatronBias(Megatron):
    """get_updated_expert_bias in a group of one process."""

    name, title, ops = "megatron", "Megatron-LM get_updated_expert_bias", ("moe.bias_update",)
    source = "megatron.core.transformer.moe.moe_utils.get_updated_expert_bias"
    choices = {"rule": ("sign",), "center": (False,)}

    def remark(self, request):
        return "one process"

    def run(self, request, inputs):
        from unittest import mock

        module = load(self.module)
        with one_process() as group, mock.patch.object(module.parallel_state, "get_tensor_and_data_parallel_group", lambda **_: group):
            return {"bias": module.get_updated_expert_bias(inputs["load"].clone(), inputs["bias"], request.attr("rate"))}


@contextlib.contextmanager
def one_process():
    """Yields torch.distributed's group of this process alone."""
    import torch.distributed as distributed

    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        yield distributed.group.WORLD
    finally:
        distributed.destroy_process_group()


# --- NeMo AutoModel


class NeMo(Routed):
    package, module = "nemo_automodel", "nemo_automodel.components.moe.layers"

    def version(self):
        return installed("nemo-automodel", "torch")


def nemo_config(E, d, F, K, **more):
    import torch

    fields = {
        "n_routed_experts": E, "n_shared_experts": 0, "n_activated_experts": K, "n_expert_groups": 1, "n_limited_groups": 1, "train_gate": True, "gate_bias_update_factor": 0.0,
        "aux_loss_coeff": 0.0, "score_func": "softmax", "route_scale": 1.0, "dim": d, "inter_dim": F, "moe_inter_dim": F, "norm_topk_prob": False, "dtype": torch.float32,
    }
    return load("nemo_automodel.components.moe.config").MoEConfig(**{**fields, **more})


class NeMoGate(NeMo):
    """Gate with one of its score functions; _route_scores of it where logits are given."""

    ops = ("moe.gate",)

    def __init__(self, function, name, **choices):
        self.function, self.name = function, name
        self.choices = choices
        self.title, self.source = f"NeMo AutoModel Gate, {function}", "nemo_automodel.components.moe.layers.Gate"

    def refuses(self, request):
        if request.attr("groups") > 1 and request.attr("group_score") != ("top2" if request.has("bias") else "max"):
            return "another score of groups"
        unlike = request.has("x") and request.dtype("x") != request.dtype("weight")
        return first(super().refuses(request), epsilon(request, 1e-20, 0), "centroids in the type of the tokens" if unlike else None)

    def stated(self, request):
        return {"gate": request.dtype("x") if request.has("x") else "F32"}

    def remark(self, request):
        return "_route_scores of logits" if request.has("logits") else ""

    def gate(self, request, inputs):
        E, d = inputs["weight"].shape if "weight" in inputs else (inputs["logits"].shape[1], 1)
        config = nemo_config(
            E, d, 1, request.attr("top_k"), n_expert_groups=request.attr("groups"), n_limited_groups=request.attr("top_groups"), score_func=self.function,
            route_scale=request.attr("scale"), norm_topk_prob=request.attr("normalize"), softmax_before_topk=True, router_weights_fp32=True, force_e_score_correction_bias=request.has("bias"),
        )
        gate = load(self.module).Gate(config)
        if "bias" in inputs:
            given(gate, e_score_correction_bias=inputs["bias"])
        return gate if "logits" in inputs else given(gate, weight=inputs["weight"])

    def run(self, request, inputs):
        import torch

        gate = self.gate(request, inputs)
        with torch.no_grad():
            if "logits" in inputs:
                weights, indices, _ = gate._route_scores(inputs["logits"])
            else:
                weights, indices, _ = gate(inputs["x"], torch.ones(len(inputs["x"]), dtype=torch.bool), None)
        return {"indices": indices, "weights": weights}


class NeMoExperts(NeMo):
    """GroupedExperts by a loop or by grouped products, which weight what the last product multiplies, or its output; sums in float32. Compiled functions run as written."""

    ops, module = ("moe.experts",), "nemo_automodel.components.moe.experts"

    def __init__(self, backend, name):
        self.backend, self.name = backend, name
        self.title, self.source = f"NeMo AutoModel GroupedExperts, {backend}", "nemo_automodel.components.moe.experts.GroupedExperts"

    def refuses(self, request):
        if request.attr("swiglu_limit") and request.dtype("x") != "F32":
            return "behind a limit it keeps float32, which it has in part alone"
        return "no shared experts" if request.has("shared_gate") else None

    def stated(self, request):
        return {"intermediate": request.dtype("x"), "combine": "F32"}

    def remark(self, request):
        return "gate and up in one matrix, transposed; not compiled"

    def run(self, request, inputs):
        import torch

        (E, F, d), K = inputs["w_gate"].shape, inputs["indices"].shape[1]
        output = request.attr("weight_at") == "output"
        config = nemo_config(E, d, F, K, swiglu_limit=request.attr("swiglu_limit"), apply_router_weight_after_down=output, dtype=inputs["x"].dtype)
        backend = types.SimpleNamespace(experts=self.backend, compile_router_weight=False)
        module = load(self.module).GroupedExperts(config, backend)
        given(module, gate_and_up_projs=gate_and_up(inputs).transpose(1, 2).contiguous(), down_projs=inputs["w_down"].transpose(1, 2).contiguous())
        every = torch.ones(len(inputs["x"]), dtype=torch.bool)
        with torch.no_grad(), torch.compiler.set_stance("force_eager"):
            return {"y": module(inputs["x"], every, inputs["weights"], inputs["indices"])}


class NeMoDispatch(NeMo):
    """_permute_tokens_for_grouped_mm, which leaves out what is not one of its experts."""

    name, title, ops, module = "nemo", "NeMo AutoModel _permute_tokens_for_grouped_mm", ("moe.dispatch",), "nemo_automodel.components.moe.experts"
    source = "nemo_automodel.components.moe.experts._permute_tokens_for_grouped_mm"

    def run(self, request, inputs):
        import torch

        indices = inputs["indices"].long()
        every, weights = torch.ones(len(indices), dtype=torch.bool), torch.zeros(indices.shape)
        _, order, _, counts, _ = load(self.module)._permute_tokens_for_grouped_mm(indices, weights, every, int(request.attr("experts")), 0, return_slot_ids=True)
        return {"order": order, "counts": counts}


class NeMoLoss(NeMo):
    """Gate._compute_aux_loss, whose factor its caller applies."""

    name, title, ops = "nemo", "NeMo AutoModel Gate auxiliary loss", ("moe.balance_loss",)
    source = "nemo_automodel.components.moe.layers.Gate._compute_aux_loss"
    choices = {"kind": ("expert",), "alpha": (1,), "normalize_scores": (False,)}

    def run(self, request, inputs):
        import torch

        indices, (N, E) = inputs["indices"].long(), inputs["scores"].shape
        gate, every = load(self.module).Gate(nemo_config(E, 1, 1, indices.shape[1])), torch.ones(N, dtype=torch.bool)
        return {"loss": gate._compute_aux_loss(inputs["scores"], gate._compute_expert_load(indices, every), every, None)}


class NeMoBias(NeMo):
    """Gate.update_bias."""

    name, title, ops = "nemo", "NeMo AutoModel Gate.update_bias", ("moe.bias_update",)
    source = "nemo_automodel.components.moe.layers.Gate.update_bias"
    choices = {"rule": ("sign",), "center": (False,)}

    def run(self, request, inputs):
        gate = load(self.module).Gate(nemo_config(len(inputs["bias"]), 1, 1, 1, gate_bias_update_factor=request.attr("rate"))).train()
        given(gate, e_score_correction_bias=inputs["bias"].clone())
        gate._cumulative_expert_load = inputs["load"]
        gate.update_bias()
        return {"bias": gate.e_score_correction_bias}


# --- MLX


class MLX(Routed):
    """mlx-lm's DeepSeek-V3 on MLX, another framework than PyTorch."""

    package, module = "mlx_lm", "mlx_lm.models.deepseek_v3"

    def version(self):
        return installed("mlx-lm", "mlx")

    def refuses(self, request):
        return first(super().refuses(request), epsilon(request, 1e-20, 0), None if request.has("bias") else "it always has a bias")

    def remark(self, request):
        return "its sum of weights has no ε, which 1e-20 is not beside it" if request.attr("norm_eps") else ""


def to_mlx(x):
    import mlx.core as mx
    import torch

    if x.dtype == torch.bfloat16:
        return mx.array(x.contiguous().view(torch.int16).numpy()).view(mx.bfloat16)
    return mx.array(x.contiguous().numpy())


def from_mlx(x):
    import mlx.core as mx
    import numpy
    import torch

    if x.dtype == mx.bfloat16:
        return torch.from_numpy(numpy.array(x.view(mx.int16))).view(torch.bfloat16)
    if x.dtype == mx.uint32:
        x = x.astype(mx.int32)
    return torch.from_numpy(numpy.array(x))


class MLXGate(MLX):
    """group_expert_select of logits."""

    name, title, ops = "mlx", "mlx-lm group_expert_select", ("moe.gate",)
    source = "mlx_lm.models.deepseek_v3.group_expert_select"
    choices = {"score": ("sigmoid",), "group_score": ("top2",)}

    def refuses(self, request):
        return "logits, not tokens" if request.has("x") else super().refuses(request)

    def stated(self, request):
        return {"gate": "F32"}

    def run(self, request, inputs):
        a = request.attr
        indices, weights = load(self.module).group_expert_select(
            to_mlx(inputs["logits"]), to_mlx(inputs["bias"]), a("top_k"), a("groups"), a("top_groups"), a("scale"), a("normalize")
        )
        return {"indices": from_mlx(indices), "weights": from_mlx(weights)}


class MLXLayer(MLX):
    """DeepseekV3MoE in float32."""

    name, title, ops = "mlx", "mlx-lm DeepseekV3MoE", ("moe.layer",)
    source = "mlx_lm.models.deepseek_v3.DeepseekV3MoE"
    choices = {"score": ("sigmoid",), "group_score": ("top2",), "weight_at": ("output",), "swiglu_limit": (0,)}

    def refuses(self, request):
        return first(super().refuses(request), None if request.dtype("x") == request.dtype("weight") == "F32" else "its products by expert are float32 on a CPU")

    def stated(self, request):
        return {"gate": "F32", "intermediate": "F32", "combine": "F32"}

    def run(self, request, inputs):
        import mlx.core as mx

        (E, F, d), model, a = inputs["w_gate"].shape, load(self.module), request.attr
        shared = len(inputs["shared_gate"]) // F if "shared_gate" in inputs else None
        args = model.ModelArgs(
            hidden_size=d, moe_intermediate_size=F, n_routed_experts=E, n_shared_experts=shared, routed_scaling_factor=a("scale"), norm_topk_prob=a("normalize"),
            n_group=a("groups"), topk_group=a("top_groups"), num_experts_per_tok=a("top_k"),
        )
        module, arrays = model.DeepseekV3MoE(args), {name: to_mlx(x) for name, x in inputs.items()}
        module.gate.weight, module.gate.e_score_correction_bias = arrays["weight"], arrays["bias"]
        for name in ("gate", "up", "down"):
            getattr(module.switch_mlp, name + "_proj").weight = arrays["w_" + name]
            if shared:
                getattr(module.shared_experts, name + "_proj").weight = arrays["shared_" + name]
        y = module(arrays["x"])
        mx.eval(y)
        return {"y": from_mlx(y)}


# --- FP8


class Cast(Routed):
    """A cast by blocks. Codes are x · (1/s) unless it says otherwise."""

    ops = ("fp8.cast",)
    choices = {"format": ("F8_E4M3",), "scale": ("F32", "UE8M0")}
    blocks = ((1, 128), (128, 128))
    least = 1e-4  # what it takes the largest size of a block for, at least
    whole = False  # blocks alone
    types = ("F32", "BF16")

    def refuses(self, request):
        block, shape = tuple(request.attr("block")), request.shape("x")
        if block not in self.blocks:
            return "another block"
        if self.whole and any(n % b for n, b in zip(shape, block)):
            return "whole blocks alone"
        if request.dtype("x") not in self.types:
            return f"{' and '.join(self.types)} alone"
        return super().refuses(request)

    def arithmetic(self, request, device):
        return {}

    def checked(self, request, x):
        """Refuses a block that the code's floor or the request's would count for more than it is, unless they are one."""
        import torch

        (rows, columns), (M, K) = request.attr("block"), x.shape
        padded = torch.nn.functional.pad(x.float().abs(), (0, -K % columns, 0, -M % rows))
        largest = padded.reshape(padded.shape[0] // rows, rows, -1, columns).amax(dim=(1, 3))
        if self.least != request.attr("amax_floor"):
            forbid(largest < max(self.least, request.attr("amax_floor")), f"its least size is {self.least:g}")
        return x


class DeepGEMMCast(Cast):
    """per_token_cast_to_fp8 and per_block_cast_to_fp8 of DeepGEMM's utils/math.py, imported without the package's __init__, which wants a GPU."""

    name, title, package, module = "deepgemm", "DeepGEMM utils.math casts", "deep_gemm", "deep_gemm.utils.math"
    source = "deep_gemm.utils.math"

    def version(self):
        return installed("sgl-deep-gemm", "torch")

    def remark(self, request):
        return "of the package sgl-deep-gemm, without its __init__"

    def run(self, request, inputs):
        for package in ("deep_gemm", "deep_gemm.utils"):
            bare_package(package)
        math = load(self.module)
        cast = math.per_token_cast_to_fp8 if request.attr("block")[0] == 1 else math.per_block_cast_to_fp8
        codes, scale = cast(self.checked(request, inputs["x"]), request.attr("scale") == "UE8M0")
        return {"q": codes, "scale": scale.contiguous()}


class SGLangCast(SGLang, Cast):
    """per_block_cast_to_fp8 of fp8_utils.py, which has powers of two alone."""

    name, title, module = "sglang", "SGLang per_block_cast_to_fp8", "sglang.srt.layers.quantization.fp8_utils"
    source = "sglang.srt.layers.quantization.fp8_utils.per_block_cast_to_fp8"
    choices, blocks = {**Cast.choices, "scale": ("UE8M0",)}, ((128, 128),)
    refuses, arithmetic = Cast.refuses, Cast.arithmetic

    def run(self, request, inputs):
        codes, scale = load(self.module).per_block_cast_to_fp8(self.checked(request, inputs["x"]))
        return {"q": codes, "scale": scale}


class VLLMCast(VLLM, Cast):
    """QuantFP8 in PyTorch, on an object that holds its options alone: x divided by the scale, which is at least 1/(512·448); powers of two from a logarithm."""

    name, title, module = "vllm", "vLLM QuantFP8", "vllm.model_executor.layers.quantization.input_quant_fp8"
    source = "vllm.model_executor.layers.quantization.input_quant_fp8.QuantFP8._quantize_group_native"
    blocks, least = ((1, 128),), 1 / 512
    refuses, arithmetic = Cast.refuses, Cast.arithmetic

    def run(self, request, inputs):
        options = types.SimpleNamespace(group_size=128, use_ue8m0=request.attr("scale") == "UE8M0", column_major_scales=False)
        codes, scale = load(self.module).QuantFP8._quantize_group_native(options, self.checked(request, inputs["x"]))
        return {"q": codes, "scale": scale.contiguous()}


class VLLMBlockCast(VLLMCast):
    """scaled_quantize, by which weights are quantised anew: codes are x · (448/amax), the scale the reciprocal of that."""

    title, module = "vLLM scaled_quantize", "vllm.model_executor.layers.quantization.utils.quant_utils"
    source = "vllm.model_executor.layers.quantization.utils.quant_utils.scaled_quantize"
    choices, blocks, least, whole = {**Cast.choices, "scale": ("F32",)}, ((128, 128),), 1e-12, True

    def run(self, request, inputs):
        import torch

        utils, x = load(self.module), self.checked(request, inputs["x"])
        codes, scale = utils.scaled_quantize(x, utils.GroupShape(128, 128), torch.float8_e4m3fn, torch.float32)
        return {"q": codes, "scale": scale}


class AOCast(Cast):
    """torchao's references of its blockwise training kernels: 448/amax in float64, rounded to float32; codes are x times that, and the scale is its reciprocal."""

    name, title, package, module = "torchao", "torchao blockwise references", "torchao", "torchao.prototype.blockwise_fp8_training.kernels"
    source = "torchao.prototype.blockwise_fp8_training.kernels.torch_blockwise_scale_act_quant_lhs and torch_blockwise_scale_weight_quant"
    choices, least, whole = {**Cast.choices, "scale": ("F32",)}, 1e-12, True

    def version(self):
        return installed("torchao", "torch")

    def run(self, request, inputs):
        kernels = load(self.module)
        cast = kernels.torch_blockwise_scale_act_quant_lhs if request.attr("block")[0] == 1 else kernels.torch_blockwise_scale_weight_quant
        codes, scale = cast(self.checked(request, inputs["x"]))
        return {"q": codes, "scale": scale.contiguous()}


class TransformersCast(Cast):
    """Fp8Quantize of finegrained_fp8.py, as a model is quantised when it is saved: codes are x · (448/amax), the scale the reciprocal of that; powers of two from a logarithm."""

    name, title, package, module = "hf", "Hugging Face Fp8Quantize", "transformers", "transformers.integrations.finegrained_fp8"
    source, least, whole = "transformers.integrations.finegrained_fp8.Fp8Quantize", 2.0**-100, True

    def version(self):
        return installed("transformers", "torch")

    def run(self, request, inputs):
        config = types.SimpleNamespace(weight_block_size=tuple(request.attr("block")), scale_fmt="ue8m0" if request.attr("scale") == "UE8M0" else "float")
        quantize = load(self.module).Fp8Quantize(types.SimpleNamespace(quantization_config=config))
        made = quantize.convert({"x.weight": self.checked(request, inputs["x"])})
        return {"q": made["x.weight"], "scale": made["x.weight_scale_inv"]}


class CompressedCast(Cast):
    """compressed-tensors' dynamic scales of groups of 128 and its quantize: x divided by the scale, which has the type of x."""

    name, title, package, module = "compressed-tensors", "compressed-tensors quantize", "compressed_tensors", "compressed_tensors.quantization.lifecycle.forward"
    source = "compressed_tensors.quantization.lifecycle.forward.quantize"
    choices, blocks, least, whole, types = {**Cast.choices, "scale": ("F32",)}, ((1, 128),), 2.0**-100, True, ("F32",)

    def version(self):
        return installed("compressed-tensors", "torch")

    def run(self, request, inputs):
        import torch

        x, package = self.checked(request, inputs["x"]), load("compressed_tensors.quantization")
        options = package.QuantizationArgs(num_bits=8, type="float", strategy="group", group_size=128, symmetric=True, dynamic=True)
        scale, zero = load("compressed_tensors.quantization.utils.helpers").compute_dynamic_scales_and_zp(x, options, torch.nn.Module())
        codes = load(self.module).quantize(x, scale, zero, options, dtype=torch.float8_e4m3fn)
        return {"q": codes, "scale": scale.reshape(len(x), -1)}


class ScaledProduct(Producer):
    """torch._scaled_mm with a scale for each row of a and each column of bᵀ: one block of K, the scales of b repeated."""

    name, title, ops, source = "scaled-mm", "PyTorch _scaled_mm by rows", ("fp8.gemm",), "torch._scaled_mm"
    poisoned, device = False, "cpu"

    def version(self):
        return installed("torch")

    def refuses(self, request):
        return "one block of K alone" if request.shape("a")[1] > 128 else None

    def arithmetic(self, request, device):
        return {"accumulate": "F32"}

    def note(self, request):
        return "scales of b repeated for its rows"

    def run(self, request, inputs):
        import torch

        a, b = inputs["a"], inputs["b"]
        columns = inputs["b_scale"].repeat_interleave(128, dim=0)[: len(b)].reshape(1, -1).contiguous()
        return {"c": torch._scaled_mm(a, b.t(), inputs["a_scale"], columns, out_dtype=torch.bfloat16)}


class DequantizedProduct(Routed):
    """Operands multiplied by their scales in float32, by SGLang's block_quant_dequant or transformers' _dequantize_fp8_weight, and PyTorch's product of the result."""

    ops = ("fp8.gemm", "fp8.grouped_gemm")

    def __init__(self, name, package, module, function):
        self.name, self.package, self.module, self.function = name, package, module, function
        self.title, self.source = f"{function} and PyTorch's product", f"{module}.{function}, torch.matmul, torch._grouped_mm"

    def version(self):
        return installed(self.package, "torch")

    def remark(self, request):
        return "operands dequantised to float32"

    def dequantized(self, x, scale, block):
        import torch

        if self.package == "sglang":
            return load(self.module).block_quant_dequant(x, scale, list(block), torch.float32)
        return load(self.module)._dequantize_fp8_weight(x, scale, list(block), torch.float32)

    def run(self, request, inputs):
        import torch

        a = self.dequantized(inputs["a"], inputs["a_scale"], (1, 128))
        b = self.dequantized(inputs["b"], inputs["b_scale"], (128, 128)).transpose(-1, -2)
        if request.op == "fp8.gemm":
            return {"c": torch.matmul(a, b)}
        return {"c": torch._grouped_mm(a, b, offs=inputs["counts"].cumsum(0).int())}


EXPERTS = [
    TransformersGate("DeepseekV2", "hf", "DeepseekV2TopkRouter"),
    TransformersGate("DeepseekV3", "hf", "DeepseekV3TopkRouter"),
    TransformersGate("DeepseekV4", "hf", "DeepseekV4TopKRouter"),
    TransformersGate("Mixtral", "hf-mixtral", "MixtralTopKRouter"),
    TransformersGate("Qwen3Moe", "hf-qwen3", "Qwen3MoeTopKRouter"),
    TransformersGate("GptOss", "hf-gpt-oss", "GptOssTopKRouter"),
    SGLangGate("biased_grouped_topk_impl", "sglang", {"score": ("sigmoid",), "group_score": ("top2",)}),
    SGLangGate("grouped_topk_gpu", "sglang", {"score": ("softmax",), "group_score": ("max",)}),
    SGLangGate("biased_topk_impl", "sglang-ungrouped", {"score": ("sigmoid", "sqrt_softplus"), "groups": (1,)}),
    SGLangGate("fused_topk_torch_native", "sglang-native", {"score": ("softmax",), "groups": (1,), "scale": (1,)}),
    VLLMGate("_grouped_topk", "vllm", {"score": ("sigmoid", "softmax")}),
    VLLMGate("_softmax_topk", "vllm-softmax", {"score": ("softmax",), "groups": (1,), "scale": (1,)}),
    TitanGate(),
    MegatronGate(),
    NeMoGate("softmax", "nemo", score=("softmax",), groups=(1,)),
    NeMoGate("sigmoid_with_bias", "nemo", score=("sigmoid",)),
    NeMoGate("sigmoid", "nemo-sigmoid", score=("sigmoid",)),
    NeMoGate("sqrtsoftplus", "nemo", score=("sqrt_softplus",), groups=(1,)),
    MLXGate(),
    TitanBias(),
    MegatronBias(),
    NeMoBias(),
    MegatronLoss(),
    NeMoLoss(),
    TitanDispatch(),
    MegatronDispatch(),
    NeMoDispatch(),
    TransformersExperts("DeepseekV3", "eager", "hf-eager"),
    TransformersExperts("DeepseekV3", "grouped_mm", "hf-grouped"),
    TransformersExperts("DeepseekV3", "batched_mm", "hf-batched"),
    TransformersExperts("DeepseekV4", "eager", "hf-v4"),
    SGLangExperts("moe_forward_native", "sglang"),
    SGLangExperts("fused_moe_forward_native", "sglang-einsum"),
    TitanExperts(),
    NeMoExperts("torch", "nemo"),
    NeMoExperts("torch_mm", "nemo-grouped"),
    TransformersLayer("DeepseekV2", "hf", "DeepseekV2Moe"),
    TransformersLayer("DeepseekV3", "hf", "DeepseekV3MoE"),
    TransformersLayer("DeepseekV4", "hf", "DeepseekV4SparseMoeBlock"),
    TransformersLayer("Mixtral", "hf-mixtral", "MixtralSparseMoeBlock"),
    TransformersLayer("Qwen3Moe", "hf-qwen3", "Qwen3MoeSparseMoeBlock"),
    TitanLayer(),
    MLXLayer(),
    DeepGEMMCast(),
    SGLangCast(),
    VLLMCast(),
    VLLMBlockCast(),
    AOCast(),
    TransformersCast(),
    CompressedCast(),
    ScaledProduct(),
    DequantizedProduct("sglang", "sglang", "sglang.srt.layers.quantization.fp8_utils", "block_quant_dequant"),
    DequantizedProduct("hf", "transformers", "transformers.integrations.finegrained_fp8", "_dequantize_fp8_weight"),
]

"""Other people's kernels, and this project's Triton ones, each as it is called and with the arithmetic that its documentation or source states."""

import contextlib
import hashlib
import importlib.util
import math
import os
import pathlib

FOLDER = pathlib.Path(__file__).parent


class Refused(Exception):
    """What a producer cannot do, found while it ran."""


def no_kernel(error):
    """Returns what a RuntimeError of PyTorch says: that it has no kernel for this, or, where the device or its memory failed, the error itself."""
    text = str(error)
    return error if "CUDA" in text or "cuda" in text or "memory" in text else Refused(text.splitlines()[0])


class Producer:
    """One kernel. refuses says, from the request alone, why it cannot run it; missing says what it lacks on this machine."""

    name = ""  # part of the recording's file name
    title = ""  # the producer as provenance has it
    source = ""
    package = "torch"
    needs_gpu = False
    ops = ()

    def missing(self):
        if importlib.util.find_spec(self.package) is None:
            return f"{self.package} is not installed"
        if self.needs_gpu:
            import torch

            if not torch.cuda.is_available():
                return "needs a GPU"
        return None

    def refuses(self, request):
        return None

    def arithmetic(self, request, device):
        return {}

    def note(self, request):
        return ""

    def version(self):
        return f"{self.package} {importlib.import_module(self.package).__version__}"

    def run(self, request, inputs):
        raise NotImplementedError


def sums(request, device, of="q"):
    """How products are summed: in float32, by Hopper's tensor cores where the inputs have 16 bits."""
    if device == "cuda" and request.dtype(of) in ("F16", "BF16"):
        import torch

        return "F32_HOPPER" if torch.cuda.get_device_capability()[0] == 9 else "F32"
    return "F32"


def keys_in_use(request):
    batch = request.shape("q")[0]
    return request.list("kv_lens") if request.has("kv_lens") else [request.shape("k")[1]] * batch


def scale_of(request):
    return request.attrs.get("scale", request.shape("q")[-1] ** -0.5)


class SDPA(Producer):
    """torch.nn.functional.scaled_dot_product_attention with one backend.

    It has no lengths: sequences whose lengths differ are run by themselves, cut to their length. is_causal aligns the mask to the first key, so that it is used
    where S = T alone; otherwise the mask is given, aligned to the last key. Key heads are repeated for grouped heads.
    """

    ops = ("attention.forward", "attention.backward", "mla.decode")
    source = "torch.nn.functional.scaled_dot_product_attention"

    def __init__(self, backend, name):
        self.backend, self.name = backend, "sdpa-" + name
        self.title = f"PyTorch scaled_dot_product_attention, {name} backend"
        self.needs_gpu = backend in ("EFFICIENT_ATTENTION", "CUDNN_ATTENTION")

    def refuses(self, request):
        if request.has("sink"):
            return "no sinks"
        if request.attr("softcap"):
            return "no cap of the scores"
        causal, S = request.attr("causal"), request.shape("q")[1]
        for length in keys_in_use(request):
            if length == 0 or causal and S > length:
                return "rows that see no key: its documentation does not say what they give"
        return None

    def arithmetic(self, request, device):
        """The math backend computes in float32 for inputs of 16 bits, unless allow_fp16_bf16_reduction_math_sdp is set; the others
        round the softmax weights, not yet divided, to the type of the values."""
        narrow = self.backend != "MATH"
        word = request.dtype("q") if narrow else "F32"
        stated = {"accumulate": sums(request, device) if narrow else "F32", "scores": "F32", "probabilities": word}
        if request.op == "attention.backward":
            stated["intermediate"] = word
        return stated

    def note(self, request):
        lengths = "sequences run one by one, cut to their lengths; " if request.has("kv_lens") else ""
        return lengths + "called with [B, H, S, D] views"

    def mask(self, request, S, length, device):
        """Returns attn_mask and is_causal."""
        import torch

        causal, window = request.attr("causal"), request.attr("window")
        if not causal and not window or causal and not window and S == 1:
            return None, False
        if causal and not window and S == length:
            return None, True
        at = torch.arange(length - S, length, device=device)[:, None]
        j = torch.arange(length, device=device)[None, :]
        seen = torch.ones(S, length, dtype=torch.bool, device=device)
        if causal:
            seen &= j <= at
        if window:
            seen &= j > at - window
        return seen, False

    def attend(self, request, q, k, v):
        """Attention of one sequence, all [1, ·, heads, ·]."""
        import torch
        from torch.nn.attention import SDPBackend, sdpa_kernel

        mask, is_causal = self.mask(request, q.shape[1], k.shape[1], q.device)
        group = q.shape[2] // k.shape[2]
        k, v = k.repeat_interleave(group, dim=2), v.repeat_interleave(group, dim=2)
        with sdpa_kernel([getattr(SDPBackend, self.backend)]):
            try:
                o = torch.nn.functional.scaled_dot_product_attention(
                    q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask, is_causal=is_causal, scale=scale_of(request)
                )
            except RuntimeError as error:
                raise no_kernel(error) from None
        return o.transpose(1, 2)

    def run(self, request, inputs):
        import torch

        if request.op == "mla.decode":
            return {"o": torch.cat([self.attend(request, q, c, c[..., : self.values(request)]) for q, c in paged(request, inputs)])}
        q, k, v = inputs["q"], inputs["k"], inputs["v"]
        parts = [[x[b : b + 1, :n] if x is not q else x[b : b + 1] for x in (q, k, v)] for b, n in enumerate(keys_in_use(request))]
        if not request.has("kv_lens"):
            parts = [[q, k, v]]
        if request.op == "attention.forward":
            return {"o": torch.cat([self.attend(request, *part) for part in parts])}
        gradients = [torch.zeros_like(x) for x in (q, k, v)]
        for b, part in enumerate(parts):
            leaves = [x.detach().clone().requires_grad_() for x in part]
            of = inputs["do"][b : b + 1] if len(parts) > 1 else inputs["do"]
            with self.backwards():
                found = torch.autograd.grad(self.attend(request, *leaves), leaves, of)
            for whole, g in zip(gradients, found):
                (whole[b : b + 1] if len(parts) > 1 else whole)[:, : g.shape[1]] = g
        return dict(zip(("dq", "dk", "dv"), gradients))

    @contextlib.contextmanager
    def backwards(self):
        try:
            yield
        except RuntimeError as error:
            raise no_kernel(error) from None

    def values(self, request):
        return request.attr("value_dim")


def paged(request, inputs):
    """Yields the query and the gathered cache rows of each sequence, [1, S, H, D] and [1, length, 1, D]."""
    page = request.shape("kv_cache")[1]
    for b, length in enumerate(request.list("kv_lens")):
        blocks = inputs["block_table"][b, : -(-length // page)].long()
        rows = inputs["kv_cache"][blocks].reshape(1, -1, 1, inputs["kv_cache"].shape[-1])
        yield inputs["q"][b : b + 1], rows[:, :length]


class TorchNorm(Producer):
    """torch.nn.functional.rms_norm, which norms and weights in float32 and rounds once."""

    name, title, source, ops = "torch", "PyTorch rms_norm", "torch.nn.functional.rms_norm", ("norm.rms",)

    def refuses(self, request):
        return "one type for rows and weight" if request.dtype("x") != request.dtype("weight") else None

    def arithmetic(self, request, device):
        return {"accumulate": "F32", "intermediate": "F32"}

    def run(self, request, inputs):
        import torch

        x, weight = inputs["x"], inputs["weight"]
        return {"y": torch.nn.functional.rms_norm(x, weight.shape, weight, request.attr("eps"))}


class HuggingFace(Producer):
    """Modules and functions of transformers' DeepSeek-V3."""

    package = "transformers"

    def version(self):
        import torch
        import transformers

        return f"transformers {transformers.__version__}, PyTorch {torch.__version__}"

    def model(self):
        from transformers.models.deepseek_v3 import modeling_deepseek_v3

        return modeling_deepseek_v3


class HuggingFaceNorm(HuggingFace):
    """DeepseekV3RMSNorm, which rounds the normed row before it weights it."""

    name, title, ops = "hf", "Hugging Face DeepseekV3RMSNorm", ("norm.rms",)
    source = "transformers.models.deepseek_v3.modeling_deepseek_v3.DeepseekV3RMSNorm"

    def refuses(self, request):
        return "one type for rows and weight" if request.dtype("x") != request.dtype("weight") else None

    def arithmetic(self, request, device):
        return {"accumulate": "F32", "intermediate": request.dtype("x")}

    def run(self, request, inputs):
        import torch

        x, weight = inputs["x"], inputs["weight"]
        module = self.model().DeepseekV3RMSNorm(x.shape[-1], eps=request.attr("eps")).to(x.device)
        module.weight = torch.nn.Parameter(weight)
        with torch.no_grad():
            return {"y": module(x)}


class HuggingFaceRotation(HuggingFace):
    """apply_rotary_pos_emb and its interleaved twin. Cosines, sines and products are in the type of the vectors, as the model keeps them."""

    name, title, ops = "hf", "Hugging Face apply_rotary_pos_emb", ("rope.apply",)
    source = "transformers.models.deepseek_v3.modeling_deepseek_v3.apply_rotary_pos_emb"

    def refuses(self, request):
        if request.attr("inverse"):
            return "no inverse"
        if request.attr("layout") == "interleaved":
            return "it writes halves"
        return self.cannot_stretch(request)

    def cannot_stretch(self, request):
        yarn = request.attr("yarn") or {}
        if no_index_ramp(request):
            return no_index_ramp(request)
        if 0 in (yarn.get("mscale", 1), yarn.get("mscale_all_dim", 1)):
            return "an mscale of 0 is taken for none given, with another amplitude"
        return None

    def arithmetic(self, request, device):
        return {"accumulate": "F32", "angle": "F32", "intermediate": request.dtype("x")}

    def run(self, request, inputs):
        x = inputs["x"]
        cos, sin = self.tables(request, x, inputs["positions"], x.shape[-1])
        rotate = self.model().apply_rotary_pos_emb if request.attrs["layout"] == "half" else self.model().apply_rotary_pos_emb_interleave
        y, _ = rotate(x[None].transpose(1, 2), x[None, :, :1].transpose(1, 2), cos, sin)
        return {"y": y.transpose(1, 2)[0].contiguous()}

    def tables(self, request, x, positions, width):
        return self.model().DeepseekV3RotaryEmbedding(self.config(request, width)).to(x.device)(x, positions[None].long())

    def config(self, request, width, **more):
        from transformers import DeepseekV3Config

        parameters = {"rope_type": "default", "rope_theta": float(request.attr("base"))}
        if request.attr("yarn"):
            yarn = stretched(request.attrs["yarn"])
            parameters = {**parameters, "rope_type": "yarn", "original_max_position_embeddings": yarn["original_context"]}
            parameters.update({key: float(yarn[key]) for key in ("factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim")})
        longest = int(parameters.get("original_max_position_embeddings", 4096) * parameters.get("factor", 1))
        return DeepseekV3Config(qk_rope_head_dim=width, head_dim=width, max_position_embeddings=longest, rope_parameters=parameters, **more)


class HuggingFaceLayer(HuggingFaceRotation):
    """DeepseekV3Attention. Its norms have ε = 1e-6 of their own. Eager attention rounds scores and weights to the type of the layer."""

    ops = ("mla.layer",)
    source = "transformers.models.deepseek_v3.modeling_deepseek_v3.DeepseekV3Attention"

    def __init__(self, implementation):
        self.implementation, self.name = implementation, "hf-" + implementation
        self.title = f"Hugging Face DeepseekV3Attention, {implementation} attention"

    def refuses(self, request):
        if request.attr("eps") != 1e-6:
            return "its norms have ε = 1e-6"
        if "scale" in request.attrs or not request.attr("causal"):
            return "its scale and its mask are its own"
        return self.cannot_stretch(request)

    def arithmetic(self, request, device):
        word = request.dtype("x")
        scores = word if self.implementation == "eager" else "F32"
        return {"accumulate": sums(request, device, "x"), "angle": "F32", "form": "naive", "intermediate": word, "probabilities": word, "scores": scores}

    def note(self, request):
        return "rope_key is not compared: the module caches it by halves; latent taken behind kv_a_layernorm"

    def run(self, request, inputs):
        import torch

        x, a = inputs["x"], request.attrs
        module = self.module(request).to(x.device, x.dtype).eval()
        for name, part in self.weights(module):
            if request.has(name):
                part.weight = torch.nn.Parameter(inputs[name])
        kept = []
        module.kv_a_layernorm.register_forward_hook(lambda _, __, latent: kept.append(latent))
        S = x.shape[1]
        positions = torch.arange(a.get("start", 0), a.get("start", 0) + S, device=x.device)
        cos, sin = self.tables(request, x, positions, a["rope_dim"])
        mask = torch.zeros(1, 1, S, S, dtype=x.dtype, device=x.device)
        mask.masked_fill_(torch.ones(S, S, dtype=torch.bool, device=x.device).triu(1), torch.finfo(x.dtype).min)
        with torch.no_grad():
            y = module(x, (cos, sin), mask)[0]
        return {"y": y, "latent": kept[0].reshape(*x.shape[:2], -1)}

    def module(self, request):
        a, compressed = request.attrs, request.has("w_dq")
        config = self.config(
            request, a["rope_dim"], hidden_size=request.shape("x")[2], num_attention_heads=a["heads"], num_key_value_heads=a["heads"],
            q_lora_rank=request.shape("w_dq")[0] if compressed else None, kv_lora_rank=request.shape("norm_kv")[0],
            qk_nope_head_dim=a["nope_dim"], v_head_dim=a["value_dim"], attention_bias=False, rope_interleave=a.get("layout", "interleaved") != "half",
        )
        config._attn_implementation = self.implementation
        return self.model().DeepseekV3Attention(config, 0)

    def weights(self, module):
        parts = {"w_dq": module.q_a_proj, "norm_q": module.q_a_layernorm, "w_uq": module.q_b_proj, "w_q": module.q_proj}
        parts.update({"w_dkv": module.kv_a_proj_with_mqa, "norm_kv": module.kv_a_layernorm, "w_ukv": module.kv_b_proj, "w_o": module.o_proj})
        return parts.items()


def interpreted():
    return os.environ.get("TRITON_INTERPRET") == "1"


class Triton(Producer):
    """This project's Triton kernels. With TRITON_INTERPRET=1 they run on a CPU, except in bf16: Triton's interpreter truncates where it has to round, and
    multiplies codes."""

    package = "triton"
    source = "kernels/python/triton_kernels.py"

    def missing(self):
        self.needs_gpu = not interpreted()
        return super().missing()

    def refuses(self, request):
        if interpreted() and request.dtype("q" if request.has("q") else "x") == "BF16":
            return "the interpreter truncates bf16"
        return None

    def version(self):
        import torch
        import triton

        return f"Triton {triton.__version__}{', interpreted' if interpreted() else ''}, PyTorch {torch.__version__}"

    def digest(self):
        return hashlib.sha256((FOLDER / "triton_kernels.py").read_bytes()).hexdigest()


def poisoned(like, shape, dtype=None):
    """Returns memory for an output, every byte 0xFF: NaN in every floating type."""
    import torch

    x = torch.empty(shape, dtype=dtype or like.dtype, device=like.device)
    x.view(torch.uint8).fill_(0xFF)
    return x


def stretched(yarn):
    """Returns YaRN's keys with their defaults; without either mscale they are YaRN's own, nothing on the scores."""
    scaled = "mscale" in yarn or "mscale_all_dim" in yarn
    return {"factor": 40, "original_context": 4096, "beta_fast": 32, "beta_slow": 1, "mscale": 1, "mscale_all_dim": int(scaled), **yarn}


def frequencies(request, width):
    """Returns θ' and YaRN's amplitude in float64: θ_i = b^(−2i/d), and where YaRN is on a blend of θ_i/factor and θ_i (YaRN, sections 3.2 and 3.3)."""
    base, yarn = float(request.attr("base")), request.attr("yarn")
    theta = [base ** (-2 * i / width) for i in range(width // 2)]
    if not yarn:
        return theta, 1.0
    y = stretched(yarn)

    def index(rotations):  # of the dimension that turns so often in the original context
        return width * math.log(y["original_context"] / (rotations * 2 * math.pi)) / (2 * math.log(base))

    def mscale(m):
        return 0.1 * m * math.log(y["factor"]) + 1

    low, high = max(math.floor(index(y["beta_fast"])), 0), min(math.ceil(index(y["beta_slow"])), width - 1)
    blend = [min(max((i - low) / max(high - low, 1e-3), 0), 1) for i in range(width // 2)]
    return [t * (1 - r) + t / y["factor"] * r for t, r in zip(theta, blend)], mscale(y["mscale"]) / mscale(y["mscale_all_dim"])


def cosines_and_sines(request, inputs):
    """Returns tables [N, D/2] in float32 for kernels that are given them."""
    import torch

    x = inputs["x"]
    theta, amplitude = frequencies(request, x.shape[-1])
    angle = inputs["positions"].float()[:, None] * torch.tensor(theta, dtype=torch.float64).float().to(x.device)
    return angle.cos() * amplitude, angle.sin() * amplitude


def no_index_ramp(request):
    yarn = request.attr("yarn") or {}
    if yarn.get("ramp", "index") != "index":
        return "no ramp over rotations"
    if not yarn.get("truncate", True) or yarn.get("attention_factor") is not None:
        return "no truncate or attention_factor"
    return None


class TritonRotation(Triton):
    name, title, ops = "triton", "Plumbline Triton rope", ("rope.apply",)

    def refuses(self, request):
        return no_index_ramp(request) or super().refuses(request)

    def arithmetic(self, request, device):
        return {"accumulate": "F32", "angle": "F32", "intermediate": "F32"}

    def run(self, request, inputs):
        import torch
        import triton_kernels

        x = inputs["x"]
        theta, amplitude = frequencies(request, x.shape[-1])
        theta, y = torch.tensor(theta, dtype=torch.float64).float().to(x.device), poisoned(x, x.shape)
        triton_kernels.rotate(x, y, inputs["positions"], theta, amplitude, request.attr("layout"), bool(request.attr("inverse")))
        return {"y": y}


class TritonAttention(Triton):
    name, title, ops = "triton", "Plumbline Triton attention", ("attention.forward",)

    def arithmetic(self, request, device):
        stated = {"accumulate": sums(request, device), "scores": "F32", "probabilities": request.dtype("v"), "exp": "approx"}
        if request.attr("softcap"):
            stated["tanh"] = "approx"  # made of tl.exp
        return stated

    def refuses(self, request):
        return "widths above 256" if max(request.shape("q")[3], request.shape("v")[3]) > 256 else super().refuses(request)

    def run(self, request, inputs):
        import torch
        import triton_kernels

        q, v, a = inputs["q"], inputs["v"], request.attrs
        B, S, H, _ = q.shape
        o, lse = poisoned(q, (B, S, H, v.shape[3])), poisoned(q, (B, H, S), torch.float32)
        triton_kernels.attend(q, inputs["k"], v, inputs.get("kv_lens"), inputs.get("sink"), o, lse, scale_of(request), a.get("causal", False), int(a.get("window", 0)), float(a.get("softcap", 0)))
        return {"o": o, "lse": lse / math.log(2) if a.get("lse_base") == "2" else lse}


class LigerNorm(Producer):
    """Liger-Kernel's RMSNorm, with its casting mode for Llama (the normed row is rounded before the weight) or for Gemma (all in float32)."""

    package, ops, needs_gpu = "liger_kernel", ("norm.rms",), True
    source = "liger_kernel.ops.rms_norm.LigerRMSNormFunction"

    def __init__(self, mode):
        self.mode, self.name, self.title = mode, "liger-" + mode, f"Liger-Kernel RMSNorm, casting mode {mode}"

    def version(self):
        return installed("liger_kernel", "triton", "torch")

    def arithmetic(self, request, device):
        return {"accumulate": "F32", "intermediate": request.dtype("x") if self.mode == "llama" else "F32"}

    def run(self, request, inputs):
        from liger_kernel.ops.rms_norm import LigerRMSNormFunction

        return {"y": LigerRMSNormFunction.apply(inputs["x"], inputs["weight"], request.attr("eps"), 0.0, self.mode, False)}


class LigerRotation(Producer):
    """Liger-Kernel's RoPE, by halves; its tables are given to it in float32, so that it computes in float32."""

    name, title, package, ops, needs_gpu = "liger", "Liger-Kernel RoPE", "liger_kernel", ("rope.apply",), True
    source = "liger_kernel.ops.rope.LigerRopeFunction"

    def version(self):
        return installed("liger_kernel", "triton", "torch")

    def refuses(self, request):
        if request.attr("layout") != "half":
            return "halves alone"
        return "no inverse" if request.attr("inverse") else no_index_ramp(request)

    arithmetic = TritonRotation.arithmetic

    def run(self, request, inputs):
        import torch
        from liger_kernel.ops.rope import LigerRopeFunction

        x = inputs["x"]
        cos, sin = (torch.cat([t, t], dim=-1)[None] for t in cosines_and_sines(request, inputs))
        q = x[None].transpose(1, 2).clone()  # it rotates in place
        y, _ = LigerRopeFunction.apply(q, q[:, :1].clone(), cos, sin)
        return {"y": y.transpose(1, 2)[0].contiguous()}


class FlashInfer(Producer):
    package, needs_gpu = "flashinfer", True

    def version(self):
        return installed("flashinfer", "torch")

    def unfit(self, request):
        """Why its rotations cannot run a request."""
        if request.attr("layout") == "interleaved_to_half" or request.attr("inverse"):
            return "pairs or halves, forward alone"
        if request.shape("x")[2] not in (64, 128, 256, 512):
            return "widths of 64, 128, 256 and 512 alone"
        return "16 bits alone" if request.dtype("x") == "F32" else None


class FlashInferRotation(FlashInfer):
    """flashinfer's RoPE from positions; it forms angles and rotates in float32, its frequencies by __powf and its cosines by __sincosf."""

    name, title, ops = "flashinfer", "flashinfer apply_rope_pos_ids", ("rope.apply",)
    source = "flashinfer.rope.apply_rope_pos_ids"

    def refuses(self, request):
        return "no YaRN" if request.attr("yarn") else self.unfit(request)

    arithmetic = TritonRotation.arithmetic

    def note(self, request):
        return "frequencies by __powf, cosines and sines by __sincosf"

    def run(self, request, inputs):
        import flashinfer

        x, a = inputs["x"], request.attrs
        interleave = a.get("layout", "interleaved") == "interleaved"
        y, _ = flashinfer.rope.apply_rope_pos_ids(x, x[:, :1].contiguous(), inputs["positions"].int(), interleave=interleave, rope_theta=float(a.get("base", 10000)))
        return {"y": y}


class FlashInferTableRotation(FlashInfer):
    """flashinfer's RoPE from a float32 table of cosines and sines, one row for each token here; it rotates in float32."""

    name, title, ops = "flashinfer-table", "flashinfer apply_rope_with_cos_sin_cache", ("rope.apply",)
    source = "flashinfer.rope.apply_rope_with_cos_sin_cache"

    def refuses(self, request):
        return no_index_ramp(request) or self.unfit(request)

    arithmetic = TritonRotation.arithmetic

    def run(self, request, inputs):
        import flashinfer
        import torch

        x = inputs["x"]
        tokens, heads, width = x.shape
        table = torch.cat(cosines_and_sines(request, inputs), dim=-1).contiguous()
        rows = torch.arange(tokens, device=x.device, dtype=torch.int32)
        half = request.attr("layout") == "half"
        y, _ = flashinfer.rope.apply_rope_with_cos_sin_cache(rows, x.reshape(tokens, heads * width), x[:, 0].contiguous(), width, table, is_neox=half)
        return {"y": y.reshape(x.shape)}


class FlashInferDecode(FlashInfer):
    """flashinfer's MLA over a paged cache. Its log-sum-exp is to base 2, and is left out where a natural one is asked for."""

    name, title, ops = "flashinfer", "flashinfer BatchMLAPagedAttentionWrapper", ("mla.decode",)
    source = "flashinfer.mla.BatchMLAPagedAttentionWrapper"

    def refuses(self, request):
        if request.dtype("q") == "F32":
            return "16 bits alone"
        if (request.shape("q")[3], request.attr("value_dim")) != (576, 512):
            return "widths 576 and 512 alone"
        return None

    def arithmetic(self, request, device):
        return {"accumulate": sums(request, device), "scores": "F32", "probabilities": request.dtype("q")}

    def run(self, request, inputs):
        import flashinfer
        import torch

        q, cache, a = inputs["q"], inputs["kv_cache"][:, :, 0], request.attrs
        B, S, H, _ = q.shape
        page, device = cache.shape[1], q.device
        lens = inputs["kv_lens"].int()
        pages = [-(-n // page) for n in lens.tolist()]
        indices = torch.cat([inputs["block_table"][b, :n] for b, n in enumerate(pages)]).int()
        starts = torch.tensor([0, *pages], dtype=torch.int32, device=device).cumsum(0).int()
        queries = torch.arange(0, B + 1, dtype=torch.int32, device=device) * S
        wrapper = flashinfer.mla.BatchMLAPagedAttentionWrapper(torch.empty(128 << 20, dtype=torch.uint8, device=device))
        wrapper.plan(queries, starts, indices, lens, H, 512, 64, page, a.get("causal", True), a["scale"], q.dtype, cache.dtype)
        q = q.reshape(B * S, H, 576)
        out, lse = poisoned(q, (B * S, H, 512)), poisoned(q, (B * S, H), torch.float32)
        parts = (x.contiguous() for x in (q[..., :512], q[..., 512:], cache[..., :512], cache[..., 512:]))
        wrapper.run(*parts, out=out, lse=lse, return_lse=True)
        outputs = {"o": out.reshape(B, S, H, 512)}
        if a.get("lse_base") == "2":
            outputs["lse"] = lse.reshape(B, S, H).transpose(1, 2).contiguous()
        return outputs


def installed(*packages):
    import importlib.metadata

    return ", ".join(f"{p} {importlib.metadata.version({'liger_kernel': 'liger-kernel', 'flashinfer': 'flashinfer-python'}.get(p, p))}" for p in packages)


PRODUCERS = [
    SDPA("MATH", "math"),
    SDPA("FLASH_ATTENTION", "flash"),
    SDPA("EFFICIENT_ATTENTION", "efficient"),
    SDPA("CUDNN_ATTENTION", "cudnn"),
    TorchNorm(),
    HuggingFaceNorm(),
    HuggingFaceRotation(),
    HuggingFaceLayer("eager"),
    HuggingFaceLayer("sdpa"),
    TritonRotation(),
    TritonAttention(),
    LigerNorm("llama"),
    LigerNorm("gemma"),
    LigerRotation(),
    FlashInferRotation(),
    FlashInferTableRotation(),
    FlashInferDecode(),
]

"""Records what PyTorch computes, on the CPU, into golden/testdata:

    python golden/pytorch/record.py golden/testdata

Needs torch and safetensors. Other versions of PyTorch may sum in another order: the files then differ in their last bits, and are as right.
"""

import json
import sys

import torch
from safetensors.torch import save_file


def save(name, op, tensors, attrs, arithmetic, note):
    """Writes one recording into the folder named on the command line."""
    provenance = {
        "producer": "PyTorch, eager",
        "source": "golden/pytorch/record.py",
        "device": "CPU (x86-64)",
        "toolchain": "PyTorch " + torch.__version__,
        "note": note,
    }
    metadata = {
        "plumbline": "1",
        "op": op,
        "attrs": json.dumps(attrs),
        "arithmetic": json.dumps(arithmetic),
        "provenance": json.dumps(provenance),
    }
    save_file({k: t.contiguous() for k, t in tensors.items()}, f"{sys.argv[1]}/{name}.safetensors", metadata=metadata)


def attention(q, k, v, scale, causal):
    """Attention as it is written by hand: q [B, S, H, D], k and v [B, T, G, ·]."""
    S, T, group = q.shape[1], k.shape[1], q.shape[2] // k.shape[2]
    k, v = k.repeat_interleave(group, dim=2), v.repeat_interleave(group, dim=2)
    scores = torch.einsum("bshd,bthd->bhst", q, k) * scale
    if causal:
        scores = scores.masked_fill(~torch.ones(S, T).tril(T - S).bool(), float("-inf"))
    o = torch.einsum("bhst,bthd->bshd", scores.softmax(dim=-1), v)
    return o, scores.float().logsumexp(dim=-1)


def bells(dtype, *shape):
    return torch.randn(*shape).to(dtype)


def forward(name, dtype, word):
    q, k, v = bells(dtype, 2, 7, 4, 64), bells(dtype, 2, 45, 2, 64), bells(dtype, 2, 45, 2, 32)
    o, lse = attention(q, k, v, 64**-0.5, causal=True)
    tensors = {"q": q, "k": k, "v": v, "out.o": o, "out.lse": lse}
    save(name, "attention.forward", tensors, {"causal": True}, {"scores": word, "probabilities": word}, "grouped heads, causal, S ≠ T")


def backward(name, dtype, word):
    q, k, v, do = bells(dtype, 1, 9, 4, 32), bells(dtype, 1, 24, 2, 32), bells(dtype, 1, 24, 2, 32), bells(dtype, 1, 9, 4, 32)
    leaves = [x.clone().requires_grad_() for x in (q, k, v)]
    o, _ = attention(*leaves, 32**-0.5, causal=True)
    dq, dk, dv = torch.autograd.grad(o, leaves, do)
    tensors = {"q": q, "k": k, "v": v, "do": do, "out.dq": dq, "out.dk": dk, "out.dv": dv}
    arithmetic = {"scores": word, "probabilities": word, "intermediate": word}
    save(name, "attention.backward", tensors, {"causal": True}, arithmetic, "the gradients are autograd's, which differentiates the product of every head")


def norm(name, dtype, word):
    x, weight = bells(dtype, 24, 192), (1 + 0.3 * torch.randn(192)).to(dtype)
    wide = x.float()
    y = weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-5)).to(dtype)
    save(name, "norm.rms", {"x": x, "weight": weight, "out.y": y}, {"eps": 1e-5}, {"intermediate": word}, "normed in float32, rounded, then weighted")


def rotate(name, dtype):
    x, positions = bells(dtype, 40, 4, 64), torch.randint(0, 8192, (40,))
    theta = 1.0 / (10000.0 ** (torch.arange(0, 64, 2, dtype=torch.float32) / 64))
    angle = positions[:, None].float() * theta
    cos, sin = angle.cos()[:, None, :], angle.sin()[:, None, :]
    a, b = x.float().chunk(2, dim=-1)
    y = torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1).to(dtype)
    save(name, "rope.apply", {"x": x, "positions": positions, "out.y": y}, {"layout": "half"}, {"angle": "F32"}, "halves")


torch.manual_seed(0)
forward("attention-forward-eager-bf16", torch.bfloat16, "BF16")
backward("attention-backward-autograd-bf16", torch.bfloat16, "BF16")
backward("attention-backward-autograd-f32", torch.float32, "F32")
norm("norm-rms-eager-bf16", torch.bfloat16, "BF16")
rotate("rope-half-eager-bf16", torch.bfloat16)

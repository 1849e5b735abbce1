"""Eager attention in PyTorch, judged: right, and with its causal mask aligned to the first key."""

import torch

import plumbline


def attention(q, k, v, aligned_to_last_key=True):
    """Attends with a causal mask over [batch, position, head, width], as eager code does in BF16."""
    queries, keys = q.shape[1], k.shape[1]
    scores = torch.einsum("bshd,bthd->bhst", q, k) * q.shape[-1] ** -0.5
    offset = keys - queries if aligned_to_last_key else 0
    seen = torch.ones(queries, keys).tril(offset).bool()
    weights = scores.masked_fill(~seen, float("-inf")).softmax(dim=-1)
    return torch.einsum("bhst,bthd->bshd", weights, v)


torch.manual_seed(0)
q = torch.randn(2, 7, 4, 64).to(torch.bfloat16)
k, v = (torch.randn(2, 45, 4, 64).to(torch.bfloat16) for _ in range(2))
inputs = {"q": q, "k": k, "v": v}
declared = {"scores": "BF16", "probabilities": "BF16"}

right = plumbline.check("attention.forward", inputs, attention(q, k, v), {"causal": True}, declared)
print(right.line)

try:
    wrong = attention(q, k, v, aligned_to_last_key=False)
    plumbline.check("attention.forward", inputs, wrong, {"causal": True}, declared)
except plumbline.Unexplained as e:
    print(e.verdict.sentence)

"""PyTorch's part of speed.py: makes the two large recordings, and measures its own float64.

    python bench/pytorch.py make decode|product FILE
    python bench/pytorch.py measure

The second reads one JSON object a line, such as {"what": "dgemm", "n": 512, "cores": 2,
"repeats": 3}, and answers each with the fastest run: {"seconds": 0.0041}.
"""

import json
import sys
import time

import torch
from safetensors import safe_open
from safetensors.torch import save_file

SCALE = 0.1352337788608801  # DeepSeek-V3's softmax scale


def save(path: str, op: str, tensors: dict, attrs: dict, arithmetic: dict) -> None:
    save_file(
        tensors,
        path,
        metadata={
            "plumbline": "1",
            "op": op,
            "attrs": json.dumps(attrs),
            "arithmetic": json.dumps(arithmetic),
        },
    )


def make_decode(path: str) -> None:
    """mla.decode: 4 sequences of 4096 keys in pages of 64, 128 heads, 512 + 64, all in BF16."""
    batch, keys, heads, page = 4, 4096, 128, 64
    q = (torch.randn(batch, 1, heads, 576) * 0.5).bfloat16()
    cache = torch.randn(batch * keys // page, page, 1, 576).bfloat16()
    table = torch.randperm(len(cache)).reshape(batch, keys // page).int()
    out = torch.empty(batch, 1, heads, 512, dtype=torch.bfloat16)
    for b in range(batch):
        rows = cache[table[b].long()].reshape(keys, 576).float()
        scores = (q[b, 0].float() @ rows.T) * SCALE
        weights = torch.exp(scores - scores.max(-1, keepdim=True).values)
        values = weights.bfloat16().float() @ rows[:, :512]
        out[b, 0] = (values / weights.sum(-1, keepdim=True)).bfloat16()
    lens = torch.full((batch,), keys, dtype=torch.int32)
    save(
        path,
        "mla.decode",
        {
            "q": q,
            "kv_cache": cache,
            "block_table": table,
            "kv_lens": lens,
            "out.o": out,
        },
        {"scale": SCALE},
        {"probabilities": "BF16"},
    )


def make_product(path: str, m: int = 4096, n: int = 7168, k: int = 7168) -> None:
    """fp8.gemm: codes in blocks of 128, each block's sum scaled and added in float32."""
    a, b = ((torch.randn(rows, k) * 100).to(torch.float8_e4m3fn) for rows in (m, n))
    a_scale = torch.rand(m, k // 128) * 0.015 + 0.005
    b_scale = torch.rand(n // 128, k // 128) * 0.0015 + 0.0005
    out = torch.zeros(m, n)
    for i in range(k // 128):
        columns = slice(i * 128, (i + 1) * 128)
        block = a[:, columns].float() @ b[:, columns].float().T
        block *= a_scale[:, i : i + 1] * b_scale[:, i].repeat_interleave(128)
        out += block
    save(
        path,
        "fp8.gemm",
        {
            "a": a,
            "b": b,
            "a_scale": a_scale,
            "b_scale": b_scale,
            "out.c": out.bfloat16(),
        },
        {},
        {"accumulate": "F32"},
    )


def read_decode(path: str):
    with safe_open(path, "pt") as f:
        return tuple(f.get_tensor(name) for name in ("q", "kv_cache", "block_table"))


def truth_by_sequence(path: str) -> torch.Tensor:
    """What decode_truth of truth_test.go does, sequence by sequence."""
    q, cache, table = read_decode(path)
    out = torch.empty(len(q), q.shape[2], 512, dtype=torch.float64)
    for b in range(len(q)):
        rows = cache[table[b].long()].reshape(-1, 576).double()
        out[b] = ((q[b, 0].double() @ rows.T) * SCALE).softmax(-1) @ rows[:, :512]
    return out


def truth_batched(path: str) -> torch.Tensor:
    """The same for all sequences at once."""
    q, cache, table = read_decode(path)
    rows = cache[table.long()].reshape(len(q), -1, 576).double()
    scores = torch.matmul(q[:, 0].double(), rows.transpose(1, 2)) * SCALE
    return scores.softmax(-1) @ rows[:, :, :512]


def fastest(repeats: int, *functions) -> float:
    """The least seconds of all runs of all functions."""
    seconds = []
    for f in functions:
        for _ in range(repeats):
            start = time.perf_counter()
            f()
            seconds.append(time.perf_counter() - start)
    return min(seconds)


def measure(ask: dict) -> float:
    torch.set_num_threads(ask["cores"])
    if ask["what"] == "dgemm":
        x, y, z = (torch.full((ask["n"],) * 2, v, dtype=torch.float64) for v in (0.7, 0.3, 0))
        return fastest(ask["repeats"], lambda: torch.mm(x, y, out=z))
    path = ask["file"]
    return fastest(ask["repeats"], lambda: truth_by_sequence(path), lambda: truth_batched(path))


def main() -> None:
    torch.manual_seed(0)
    if sys.argv[1:2] == ["make"]:
        {"decode": make_decode, "product": make_product}[sys.argv[2]](sys.argv[3])
        return
    print(json.dumps({"version": torch.__version__}), flush=True)
    for line in sys.stdin:
        print(json.dumps({"seconds": measure(json.loads(line))}), flush=True)


if __name__ == "__main__":
    main()

"""Triton kernels of this project: rotation, and attention with an online softmax.

Both compute in float32 whatever the inputs are. attention rounds the softmax weights, not yet divided, to the type of the values; its products
run on tensor cores where the inputs have 16 bits, and in float32 ("ieee", not tf32) where they have 32.
"""

import torch
import triton
import triton.language as tl


@triton.jit
def _rotate(x, y, positions, theta, amplitude, H: tl.constexpr, PAIRS: tl.constexpr, BLOCK: tl.constexpr, READ_HALF: tl.constexpr, WRITE_HALF: tl.constexpr, INVERSE: tl.constexpr):
    """One program rotates one token's head: y_a = x_a cos − x_b sin, y_b = x_b cos + x_a sin. The angle is one float32 product."""
    row = tl.program_id(0)
    pair = tl.arange(0, BLOCK)
    inside = pair < PAIRS
    angle = tl.load(positions + row // H).to(tl.float32) * tl.load(theta + pair, mask=inside, other=0.0)
    cos, sin = tl.cos(angle) * amplitude, tl.sin(angle) * amplitude
    if INVERSE:
        sin = -sin
    if READ_HALF:
        first, second = pair, pair + PAIRS
    else:
        first, second = 2 * pair, 2 * pair + 1
    begin = row.to(tl.int64) * (2 * PAIRS)
    a = tl.load(x + begin + first, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(x + begin + second, mask=inside, other=0.0).to(tl.float32)
    if WRITE_HALF:
        first, second = pair, pair + PAIRS
    else:
        first, second = 2 * pair, 2 * pair + 1
    tl.store(y + begin + first, (a * cos - b * sin).to(y.dtype.element_ty), mask=inside)
    tl.store(y + begin + second, (b * cos + a * sin).to(y.dtype.element_ty), mask=inside)


def rotate(x, y, positions, theta, amplitude, layout, inverse):
    """Rotates x [N, H, D] into y; theta is float32 [D/2]."""
    tokens, heads, width = x.shape
    halves = {"interleaved": (False, False), "half": (True, True), "interleaved_to_half": (False, True)}[layout]
    _rotate[(tokens * heads,)](x, y, positions, theta, amplitude, heads, width // 2, triton.next_power_of_2(width // 2), *halves, inverse)


@triton.jit
def _attend(q, k, v, lens, sinks, o, lse, scale, cap, S, T, H, GROUP, D, V, window,
            CAUSAL: tl.constexpr, CAPPED: tl.constexpr, SINK: tl.constexpr, LENS: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr, WIDTH: tl.constexpr, VALUES: tl.constexpr):
    """One program computes ROWS queries of one head, KEYS keys at a time."""
    head, batch = tl.program_id(1), tl.program_id(2)
    groups = H // GROUP
    group = head // GROUP
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    d, c = tl.arange(0, WIDTH), tl.arange(0, VALUES)
    used = T
    if LENS:
        used = tl.load(lens + batch).to(tl.int32)
    at = row + used - S  # the position of each query
    query = tl.load(q + ((batch * S + row[:, None]) * H + head) * D + d[None, :], mask=(row[:, None] < S) & (d[None, :] < D), other=0.0)
    largest = tl.full([ROWS], -float("inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    mixed = tl.zeros([ROWS, VALUES], tl.float32)
    for begin in range(0, used, KEYS):
        j = begin + tl.arange(0, KEYS)
        line = (batch * T + j) * groups + group
        key = tl.load(k + line[:, None] * D + d[None, :], mask=(j[:, None] < used) & (d[None, :] < D), other=0.0)
        score = tl.dot(query, tl.trans(key), input_precision="ieee") * scale
        if CAPPED:
            half = tl.exp(-2.0 * tl.abs(score) / cap)
            score = tl.where(score < 0, -cap, cap) * (1.0 - half) / (1.0 + half)  # cap · tanh(score / cap)
        seen = (j < used)[None, :] & (row < S)[:, None]
        if CAUSAL:
            seen = seen & (j[None, :] <= at[:, None])
        if window > 0:
            seen = seen & (j[None, :] > at[:, None] - window)
        score = tl.where(seen, score, -float("inf"))
        larger = tl.maximum(largest, tl.max(score, 1))
        safe = tl.where(larger == -float("inf"), 0.0, larger)
        weight = tl.exp(score - safe[:, None])
        shrink = tl.exp(largest - safe)
        total = total * shrink + tl.sum(weight, 1)
        value = tl.load(v + line[:, None] * V + c[None, :], mask=(j[:, None] < used) & (c[None, :] < V), other=0.0)
        mixed = mixed * shrink[:, None] + tl.dot(weight.to(value.dtype), value, input_precision="ieee")
        largest = larger
    empty = total == 0
    log = tl.where(empty, -float("inf"), largest + tl.log(tl.where(empty, 1.0, total)))
    if SINK:
        sink = tl.load(sinks + head).to(tl.float32)
        top = tl.maximum(largest, sink)
        top = tl.where(top == -float("inf"), 0.0, top)
        mixed = mixed * tl.exp(largest - top)[:, None]
        total = total * tl.exp(largest - top) + tl.exp(sink - top)
    result = tl.where(empty[:, None], 0.0, mixed / tl.where(empty, 1.0, total)[:, None])
    tl.store(o + ((batch * S + row[:, None]) * H + head) * V + c[None, :], result.to(o.dtype.element_ty), mask=(row[:, None] < S) & (c[None, :] < V))
    tl.store(lse + (batch * H + head) * S + row, log, mask=row < S)


def attend(q, k, v, lens, sinks, o, lse, scale, causal, window, cap):
    """Attention of q [B, S, H, D] over k and v [B, T, G, ·] into o, and the natural log-sum-exp into lse [B, H, S]."""
    B, S, H, D = q.shape
    T, G, V = k.shape[1], k.shape[2], v.shape[3]
    rows, keys = (16, 32) if q.element_size() == 4 or max(D, V) > 128 else (32, 64)
    grid = (triton.cdiv(S, rows), H, B)
    width, values = max(16, triton.next_power_of_2(D)), max(16, triton.next_power_of_2(V))
    nothing = torch.empty(1, dtype=torch.float32, device=q.device)
    _attend[grid](q, k, v, nothing if lens is None else lens, nothing if sinks is None else sinks, o, lse, scale, cap or 1.0, S, T, H, H // G, D, V, window,
                  causal, cap > 0, sinks is not None, lens is not None, rows, keys, width, values)

"""Triton kernels of this project: rotation, attention with an online softmax, and cross-entropy from hidden states.

All compute in float32 whatever the inputs are. attention rounds the softmax weights, not yet divided, to the type of the values; its products
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


@triton.jit
def _logits(hidden, weight, row, column, N, d, V, temperature, WIDTH: tl.constexpr):
    """Returns a tile of logits over the temperature, −∞ behind the vocabulary."""
    i = tl.arange(0, WIDTH)
    x = tl.zeros([row.shape[0], column.shape[0]], tl.float32)
    for begin in range(0, d, WIDTH):
        inside = (begin + i < d)[None, :]
        h = tl.load(hidden + row[:, None] * d + (begin + i)[None, :], mask=(row < N)[:, None] & inside, other=0.0)
        w = tl.load(weight + column[:, None] * d + (begin + i)[None, :], mask=(column < V)[:, None] & inside, other=0.0)
        x += tl.dot(h, tl.trans(w), input_precision="ieee")
    return tl.where((column < V)[None, :], x / temperature, -float("inf"))


@triton.jit
def _entropy_forward(hidden, weight, targets, losses, maxima, totals, N, d, V, ignored, temperature, ROWS: tl.constexpr, COLUMNS: tl.constexpr, WIDTH: tl.constexpr):
    """One program goes through the vocabulary for ROWS rows, with a running maximum and sum."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    target = tl.load(targets + row, mask=row < N, other=ignored)
    largest = tl.full([ROWS], -float("inf"), tl.float32)
    total, own = tl.zeros([ROWS], tl.float32), tl.zeros([ROWS], tl.float32)
    for begin in range(0, V, COLUMNS):
        column = begin + tl.arange(0, COLUMNS)
        x = _logits(hidden, weight, row, column, N, d, V, temperature, WIDTH)
        larger = tl.maximum(largest, tl.max(x, 1))
        total = total * tl.exp(largest - larger) + tl.sum(tl.exp(x - larger[:, None]), 1)
        own += tl.sum(tl.where(column[None, :] == target[:, None], x, 0.0), 1)
        largest = larger
    tl.store(maxima + row, largest, mask=row < N)
    tl.store(totals + row, total, mask=row < N)
    tl.store(losses + row, tl.where(target == ignored, 0.0, tl.log(total) - (own - largest)), mask=row < N)


@triton.jit
def _slopes(hidden, weight, targets, maxima, totals, row, column, N, d, V, ignored, temperature, scale, WIDTH: tl.constexpr):
    """Returns the gradients of a tile of logits. A log-sum-exp would have lost bits of large logits, so the maximum and the sum come apart."""
    target = tl.load(targets + row, mask=row < N, other=ignored)
    x = _logits(hidden, weight, row, column, N, d, V, temperature, WIDTH)
    p = tl.exp(x - tl.load(maxima + row, mask=row < N, other=0.0)[:, None]) / tl.load(totals + row, mask=row < N, other=1.0)[:, None]
    slope = (p - tl.where(column[None, :] == target[:, None], 1.0, 0.0)) * scale
    return tl.where((target != ignored)[:, None] & (row < N)[:, None], slope, 0.0)


@triton.jit
def _entropy_hidden(hidden, weight, targets, maxima, totals, out, N, d, V, ignored, temperature, scale, ROWS: tl.constexpr, COLUMNS: tl.constexpr, WIDTH: tl.constexpr):
    """One program computes WIDTH columns of the gradient of ROWS hidden states."""
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    i = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    sum = tl.zeros([ROWS, WIDTH], tl.float32)
    for begin in range(0, V, COLUMNS):
        column = begin + tl.arange(0, COLUMNS)
        slope = _slopes(hidden, weight, targets, maxima, totals, row, column, N, d, V, ignored, temperature, scale, WIDTH)
        w = tl.load(weight + column[:, None] * d + i[None, :], mask=(column < V)[:, None] & (i < d)[None, :], other=0.0)
        sum += tl.dot(slope.to(w.dtype), w, input_precision="ieee")
    tl.store(out + row[:, None] * d + i[None, :], sum.to(out.dtype.element_ty), mask=(row < N)[:, None] & (i < d)[None, :])


@triton.jit
def _entropy_weight(hidden, weight, targets, maxima, totals, out, N, d, V, ignored, temperature, scale, ROWS: tl.constexpr, COLUMNS: tl.constexpr, WIDTH: tl.constexpr):
    """One program computes WIDTH columns of the gradient of COLUMNS rows of the weights."""
    column = tl.program_id(0) * COLUMNS + tl.arange(0, COLUMNS)
    i = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    sum = tl.zeros([COLUMNS, WIDTH], tl.float32)
    for begin in range(0, N, ROWS):
        row = begin + tl.arange(0, ROWS)
        slope = _slopes(hidden, weight, targets, maxima, totals, row, column, N, d, V, ignored, temperature, scale, WIDTH)
        h = tl.load(hidden + row[:, None] * d + i[None, :], mask=(row < N)[:, None] & (i < d)[None, :], other=0.0)
        sum += tl.dot(tl.trans(slope).to(h.dtype), h, input_precision="ieee")
    tl.store(out + column[:, None] * d + i[None, :], sum.to(out.dtype.element_ty), mask=(column < V)[:, None] & (i < d)[None, :])


def cross_entropy(hidden, weight, targets, ignored, temperature, divisor):
    """Returns the losses of all rows, and the gradients of their sum over a divisor for hidden [N, d] and weight [V, d]. No logits are stored."""
    (N, d), V = hidden.shape, weight.shape[0]
    rows, columns, width = 32, 64, 32
    filled = lambda shape, dtype: torch.full(shape, float("nan"), dtype=dtype, device=hidden.device)  # noqa: E731
    losses, maxima, totals = (filled((N,), torch.float32) for _ in range(3))
    dhidden, dweight = filled((N, d), hidden.dtype), filled((V, d), weight.dtype)
    tiles = (rows, columns, width)
    _entropy_forward[(triton.cdiv(N, rows),)](hidden, weight, targets, losses, maxima, totals, N, d, V, ignored, temperature, *tiles)
    scale = 1 / (temperature * max(divisor, 1))
    _entropy_hidden[(triton.cdiv(N, rows), triton.cdiv(d, width))](hidden, weight, targets, maxima, totals, dhidden, N, d, V, ignored, temperature, scale, *tiles)
    _entropy_weight[(triton.cdiv(V, columns), triton.cdiv(d, width))](hidden, weight, targets, maxima, totals, dweight, N, d, V, ignored, temperature, scale, *tiles)
    return losses, dhidden, dweight

# mypy: disable-error-code="import-not-found,untyped-decorator,no-untyped-def"
# ruff: noqa: PLR0913, PLR0917, SIM108
"""Triton kernels for LoRA behind dropout: the masked input is never written to memory.

For adapter number j of one input x of shape (tokens, width), with the mask m_j of `showdown.engine.dropout`:

* `down`: u_j = scale (x m_j) A_j^T
* `down_gradient`: dA_j = scale du_j^T (x m_j)
* `input_gradient`: dx += scale sum_j m_j (du_j A_j)
* `add_up`: y_j += scale u_j B_j^T, which knows no mask

Each reads x (or dx, or y) once for all adapters of the input. Imported only where Triton is installed.
"""

import torch
import triton
import triton.language as tl

from showdown.engine.kernels.random_word import random_word

_PER_CALL = ("tokens", "threshold", "scale")
"""Arguments that differ from call to call: compiling a kernel again for some of their values would take seconds."""
_FEW_TOKENS, _MANY_TOKENS = 2048, 8192
"""Tokens up to which `down` splits the width into 16 parts and into 8, and else into 4: fastest on an H200 for 4,096
columns."""
_NARROW = 32
"""Up to this rank two warps hold the sums of three adapters in registers."""


@triton.jit
def _kept(word, mask: tl.constexpr, threshold):
    if mask % 2 == 0:
        bits = word >> 16
    else:
        bits = word & 0xFFFF
    return bits >= threshold.to(tl.uint32)


@triton.jit(do_not_specialize=_PER_CALL)
def _down_kernel(
    x_ptr, a_ptr, u_ptr, tokens, width, columns_a_part, threshold, seeds_ptr, scale,
    ADAPTERS: tl.constexpr, RANK: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_W: tl.constexpr,
):  # fmt: skip
    first_seed, second_seed = tl.load(seeds_ptr), tl.load(seeds_ptr + 1)
    rows = tl.program_id(0) * BLOCK_T + tl.arange(0, BLOCK_T)
    ranks = tl.arange(0, RANK)
    row_in = rows < tokens
    first = tl.zeros((BLOCK_T, RANK), dtype=tl.float32)
    second = tl.zeros((BLOCK_T, RANK), dtype=tl.float32)
    third = tl.zeros((BLOCK_T, RANK), dtype=tl.float32)
    part = tl.program_id(1)
    begin = part * columns_a_part
    for start in range(begin, tl.minimum(begin + columns_a_part, width), BLOCK_W):
        columns = start + tl.arange(0, BLOCK_W)
        inside = row_in[:, None] & (columns < width)[None, :]
        index = rows.to(tl.int64)[:, None] * width + columns[None, :]
        x = tl.load(x_ptr + index, mask=inside, other=0.0)
        word = random_word(index, first_seed, second_seed, 0)
        a_index = ranks[:, None] * width + columns[None, :]
        a_in = (columns < width)[None, :] & (ranks >= 0)[:, None]
        kept = tl.where(_kept(word, 0, threshold), x, 0.0).to(x.dtype)
        a = tl.load(a_ptr + a_index, mask=a_in, other=0.0)
        first += tl.dot(kept, tl.trans(a))
        if ADAPTERS > 1:
            kept = tl.where(_kept(word, 1, threshold), x, 0.0).to(x.dtype)
            a = tl.load(a_ptr + RANK * width + a_index, mask=a_in, other=0.0)
            second += tl.dot(kept, tl.trans(a))
        if ADAPTERS > 2:
            word = random_word(index, first_seed, second_seed, 1)
            kept = tl.where(_kept(word, 2, threshold), x, 0.0).to(x.dtype)
            a = tl.load(a_ptr + 2 * RANK * width + a_index, mask=a_in, other=0.0)
            third += tl.dot(kept, tl.trans(a))
    u_index = rows.to(tl.int64)[:, None] * RANK + ranks[None, :]
    u_in = row_in[:, None] & (ranks >= 0)[None, :]
    step = tokens.to(tl.int64) * RANK
    u_ptr += part.to(tl.int64) * ADAPTERS * step
    tl.store(u_ptr + u_index, (first * scale).to(u_ptr.dtype.element_ty), mask=u_in)
    if ADAPTERS > 1:
        tl.store(u_ptr + step + u_index, (second * scale).to(u_ptr.dtype.element_ty), mask=u_in)
    if ADAPTERS > 2:
        tl.store(u_ptr + 2 * step + u_index, (third * scale).to(u_ptr.dtype.element_ty), mask=u_in)


@triton.jit
def _sum_parts_kernel(parts_ptr, u_ptr, count, PARTS: tl.constexpr, BLOCK: tl.constexpr):
    index = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = index < count
    total = tl.zeros((BLOCK,), dtype=tl.float32)
    for part in tl.static_range(PARTS):
        total += tl.load(parts_ptr + part * count.to(tl.int64) + index, mask=inside, other=0.0)
    tl.store(u_ptr + index, total.to(u_ptr.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=_PER_CALL)
def _down_gradient_kernel(
    x_ptr, du_ptr, out_ptr, tokens, width, tokens_a_part, threshold, seeds_ptr, scale,
    ADAPTERS: tl.constexpr, RANK: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_W: tl.constexpr,
):  # fmt: skip
    first_seed, second_seed = tl.load(seeds_ptr), tl.load(seeds_ptr + 1)
    columns = tl.program_id(0) * BLOCK_W + tl.arange(0, BLOCK_W)
    part = tl.program_id(1)
    ranks = tl.arange(0, RANK)
    column_in = columns < width
    first = tl.zeros((RANK, BLOCK_W), dtype=tl.float32)
    second = tl.zeros((RANK, BLOCK_W), dtype=tl.float32)
    third = tl.zeros((RANK, BLOCK_W), dtype=tl.float32)
    begin = part * tokens_a_part
    end = tl.minimum(begin + tokens_a_part, tokens)
    step = tokens.to(tl.int64) * RANK
    for start in range(begin, end, BLOCK_T):
        rows = start + tl.arange(0, BLOCK_T)
        row_in = rows < end
        index = rows.to(tl.int64)[:, None] * width + columns[None, :]
        x = tl.load(x_ptr + index, mask=row_in[:, None] & column_in[None, :], other=0.0)
        word = random_word(index, first_seed, second_seed, 0)
        du_index = rows.to(tl.int64)[:, None] * RANK + ranks[None, :]
        du_in = row_in[:, None] & (ranks >= 0)[None, :]
        kept = tl.where(_kept(word, 0, threshold), x, 0.0).to(x.dtype)
        du = tl.load(du_ptr + du_index, mask=du_in, other=0.0)
        first += tl.dot(tl.trans(du), kept)
        if ADAPTERS > 1:
            kept = tl.where(_kept(word, 1, threshold), x, 0.0).to(x.dtype)
            du = tl.load(du_ptr + step + du_index, mask=du_in, other=0.0)
            second += tl.dot(tl.trans(du), kept)
        if ADAPTERS > 2:
            word = random_word(index, first_seed, second_seed, 1)
            kept = tl.where(_kept(word, 2, threshold), x, 0.0).to(x.dtype)
            du = tl.load(du_ptr + 2 * step + du_index, mask=du_in, other=0.0)
            third += tl.dot(tl.trans(du), kept)
    out_index = ranks.to(tl.int64)[:, None] * width + columns[None, :]
    out_in = column_in[None, :] & (ranks >= 0)[:, None]
    base = out_ptr + part.to(tl.int64) * ADAPTERS * RANK * width
    tl.store(base + out_index, first * scale, mask=out_in)
    if ADAPTERS > 1:
        tl.store(base + RANK * width + out_index, second * scale, mask=out_in)
    if ADAPTERS > 2:
        tl.store(base + 2 * RANK * width + out_index, third * scale, mask=out_in)


@triton.jit(do_not_specialize=_PER_CALL)
def _input_gradient_kernel(
    dx_ptr, du_ptr, a_ptr, tokens, width, threshold, seeds_ptr, scale,
    ADAPTERS: tl.constexpr, RANK: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_W: tl.constexpr,
):  # fmt: skip
    first_seed, second_seed = tl.load(seeds_ptr), tl.load(seeds_ptr + 1)
    rows = tl.program_id(0) * BLOCK_T + tl.arange(0, BLOCK_T)
    columns = tl.program_id(1) * BLOCK_W + tl.arange(0, BLOCK_W)
    ranks = tl.arange(0, RANK)
    row_in = rows < tokens
    column_in = columns < width
    inside = row_in[:, None] & column_in[None, :]
    index = rows.to(tl.int64)[:, None] * width + columns[None, :]
    word = random_word(index, first_seed, second_seed, 0)
    du_index = rows.to(tl.int64)[:, None] * RANK + ranks[None, :]
    du_in = row_in[:, None] & (ranks >= 0)[None, :]
    a_index = ranks[:, None] * width + columns[None, :]
    a_in = column_in[None, :] & (ranks >= 0)[:, None]
    step = tokens.to(tl.int64) * RANK
    du = tl.load(du_ptr + du_index, mask=du_in, other=0.0)
    a = tl.load(a_ptr + a_index, mask=a_in, other=0.0)
    total = tl.where(_kept(word, 0, threshold), tl.dot(du, a), 0.0)
    if ADAPTERS > 1:
        du = tl.load(du_ptr + step + du_index, mask=du_in, other=0.0)
        a = tl.load(a_ptr + RANK * width + a_index, mask=a_in, other=0.0)
        total += tl.where(_kept(word, 1, threshold), tl.dot(du, a), 0.0)
    if ADAPTERS > 2:
        word = random_word(index, first_seed, second_seed, 1)
        du = tl.load(du_ptr + 2 * step + du_index, mask=du_in, other=0.0)
        a = tl.load(a_ptr + 2 * RANK * width + a_index, mask=a_in, other=0.0)
        total += tl.where(_kept(word, 2, threshold), tl.dot(du, a), 0.0)
    dx = tl.load(dx_ptr + index, mask=inside, other=0.0).to(tl.float32)
    tl.store(dx_ptr + index, (dx + total * scale).to(dx_ptr.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=("tokens", "scale"))
def _add_up_kernel(
    y_ptr, u_ptr, b_ptr, tokens, width, u_step, scale,
    RANK: tl.constexpr, BLOCK_T: tl.constexpr, BLOCK_W: tl.constexpr,
):  # fmt: skip
    rows = tl.program_id(0) * BLOCK_T + tl.arange(0, BLOCK_T)
    columns = tl.program_id(1) * BLOCK_W + tl.arange(0, BLOCK_W)
    ranks = tl.arange(0, RANK)
    row_in, column_in = rows < tokens, columns < width
    u = tl.load(u_ptr + rows.to(tl.int64)[:, None] * u_step + ranks[None, :], mask=row_in[:, None], other=0.0)
    b = tl.load(b_ptr + columns[:, None] * RANK + ranks[None, :], mask=column_in[:, None], other=0.0)
    index = rows.to(tl.int64)[:, None] * width + columns[None, :]
    inside = row_in[:, None] & column_in[None, :]
    y = tl.load(y_ptr + index, mask=inside, other=0.0).to(tl.float32)
    y += tl.dot(u, tl.trans(b)) * scale
    tl.store(y_ptr + index, y.to(y_ptr.dtype.element_ty), mask=inside)


def down(x: torch.Tensor, a: torch.Tensor, *, threshold: int, seeds: torch.Tensor, scale: float) -> torch.Tensor:
    """Return u of shape (adapters, tokens, rank) for x (tokens, width) and a (adapters, rank, width), rank padded.

    Args:
        x: the input, shape (tokens, width).
        a: A of all adapters, shape (adapters, rank, width).
        threshold: elements are dropped whose 16 random bits are below it.
        seeds: of the hash, shape (2,), int64, on the device of `x`.
        scale: what kept elements are multiplied by.

    """
    tokens, width = x.shape
    adapters, rank, _ = a.shape
    u = torch.empty((adapters, tokens, rank), dtype=x.dtype, device=x.device)
    block_t, block_w = 32, 64
    # Enough programs for every multiprocessor; the parts are summed in a fixed order, so a rerun gives the same bits.
    parts = 16 if tokens <= _FEW_TOKENS else 8 if tokens <= _MANY_TOKENS else 4
    columns_a_part = triton.cdiv(triton.cdiv(width, parts), block_w) * block_w
    summands = torch.empty((parts, *u.shape), dtype=torch.float32, device=x.device)
    _down_kernel[(triton.cdiv(tokens, block_t), parts)](
        x, a, summands, tokens, width, columns_a_part, threshold, seeds, scale,
        ADAPTERS=adapters, RANK=rank, BLOCK_T=block_t, BLOCK_W=block_w, num_warps=2 if rank <= _NARROW else 4,
    )  # fmt: skip
    count, block = u.numel(), 1024
    _sum_parts_kernel[(triton.cdiv(count, block),)](summands, u, count, PARTS=parts, BLOCK=block, num_warps=4)
    return u


def down_gradient(
    x: torch.Tensor, du: torch.Tensor, *, threshold: int, seeds: torch.Tensor, scale: float
) -> torch.Tensor:
    """Return dA of shape (adapters, rank, width), float32, for du of shape (adapters, tokens, rank).

    Threshold, seeds and scale are those of `down`.
    """
    tokens, width = x.shape
    adapters, _, rank = du.shape
    block_t, block_w = 64, 64
    # Enough programs for every multiprocessor; the parts are summed in a fixed order, so a rerun gives the same bits.
    parts = max(1, min(8, tokens // 256))
    tokens_a_part = triton.cdiv(triton.cdiv(tokens, parts), block_t) * block_t
    out = torch.empty((parts, adapters, rank, width), dtype=torch.float32, device=x.device)
    _down_gradient_kernel[(triton.cdiv(width, block_w), parts)](
        x, du, out, tokens, width, tokens_a_part, threshold, seeds, scale,
        ADAPTERS=adapters, RANK=rank, BLOCK_T=block_t, BLOCK_W=block_w, num_warps=4,
    )  # fmt: skip
    return out.sum(dim=0)


def input_gradient_(
    dx: torch.Tensor, du: torch.Tensor, a: torch.Tensor, *, threshold: int, seeds: torch.Tensor, scale: float
) -> None:
    """Add the adapters' part to dx of shape (tokens, width), in place.

    Threshold, seeds and scale are those of `down`.
    """
    tokens, width = dx.shape
    adapters, _, rank = du.shape
    block_t, block_w = 32, 128
    _input_gradient_kernel[(triton.cdiv(tokens, block_t), triton.cdiv(width, block_w))](
        dx, du, a, tokens, width, threshold, seeds, scale,
        ADAPTERS=adapters, RANK=rank, BLOCK_T=block_t, BLOCK_W=block_w, num_warps=4,
    )  # fmt: skip


def add_up_(y: torch.Tensor, u: torch.Tensor, b: torch.Tensor, scale: float) -> None:
    """Add scale u B^T to y of shape (tokens, width), in place: u (tokens, rank), b (width, rank), rank padded.

    The rows of u may lie apart.
    """
    tokens, width = y.shape
    assert u.stride(1) == 1, "a row of u is in one piece"
    rank = u.shape[1]
    block_t, block_w = 32, 128
    _add_up_kernel[(triton.cdiv(tokens, block_t), triton.cdiv(width, block_w))](
        y, u, b, tokens, width, u.stride(0), scale, RANK=rank, BLOCK_T=block_t, BLOCK_W=block_w, num_warps=4
    )

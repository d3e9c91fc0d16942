# mypy: disable-error-code="import-not-found,untyped-decorator,no-untyped-def"
# ruff: noqa: PLR0913, PLR0917
"""Triton kernels that round rows to e4m3, transpose weights of one byte, and compute gated units between two products.

Imported only on a GPU.
"""

from collections.abc import Sequence

import torch
import triton
import triton.language as tl

from showdown.fp8.format import E4M3, LARGEST, MULTIPLE, SMALLEST_TOP

_BLOCK = 4096
_TILE = 128
_MOST_PARTS = 3
_MOST_COLUMN_PARTS = 8
_LARGEST, _SMALLEST_TOP = tl.constexpr(LARGEST), tl.constexpr(SMALLEST_TOP)


@triton.jit
def _top_of(x_ptr, factor_ptr, width, FACTORS: tl.constexpr, BLOCK: tl.constexpr):
    column = tl.arange(0, BLOCK)
    most = tl.zeros((BLOCK,), dtype=tl.float32)
    for start in range(0, width, BLOCK):
        inside = start + column < width
        x = tl.load(x_ptr + start + column, mask=inside, other=0.0).to(tl.float32)
        if FACTORS:
            x *= tl.load(factor_ptr + start + column, mask=inside, other=0.0)
        most = tl.maximum(most, tl.abs(x))
    return tl.max(most, axis=0)


@triton.jit
def _round(x_ptr, factor_ptr, codes_ptr, width, inverse, FACTORS: tl.constexpr, BLOCK: tl.constexpr):
    column = tl.arange(0, BLOCK)
    for start in range(0, width, BLOCK):
        inside = start + column < width
        x = tl.load(x_ptr + start + column, mask=inside, other=0.0).to(tl.float32)
        if FACTORS:
            x *= tl.load(factor_ptr + start + column, mask=inside, other=0.0)
        tl.store(codes_ptr + start + column, (x * inverse).to(codes_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _quantise_kernel(
    a_ptr, b_ptr, c_ptr, fa_ptr, fb_ptr, fc_ptr, codes_ptr, scale_ptr, a_step, b_step, c_step,
    a_width, b_width, c_width, PARTS: tl.constexpr, FACTORS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    top = tl.maximum(_top_of(a_ptr + row * a_step, fa_ptr, a_width, FACTORS, BLOCK), _SMALLEST_TOP)
    width = a_width
    if PARTS > 1:
        top = tl.maximum(top, _top_of(b_ptr + row * b_step, fb_ptr, b_width, FACTORS, BLOCK))
        width += b_width
    if PARTS > 2:
        top = tl.maximum(top, _top_of(c_ptr + row * c_step, fc_ptr, c_width, FACTORS, BLOCK))
        width += c_width
    tl.store(scale_ptr + row, top * (1 / _LARGEST))
    inverse = tl.div_rn(tl.full((), _LARGEST, tl.float32), top)
    codes_ptr += row * width
    _round(a_ptr + row * a_step, fa_ptr, codes_ptr, a_width, inverse, FACTORS, BLOCK)
    if PARTS > 1:
        _round(b_ptr + row * b_step, fb_ptr, codes_ptr + a_width, b_width, inverse, FACTORS, BLOCK)
    if PARTS > 2:
        _round(c_ptr + row * c_step, fc_ptr, codes_ptr + a_width + b_width, c_width, inverse, FACTORS, BLOCK)


@triton.jit
def _transpose_kernel(weight_ptr, out_ptr, outputs, inputs, out_step, TILE: tl.constexpr):
    row = tl.program_id(0).to(tl.int64) * TILE + tl.arange(0, TILE)
    column = tl.program_id(1).to(tl.int64) * TILE + tl.arange(0, TILE)
    inside = (row < outputs)[:, None] & (column < inputs)[None, :]
    tile = tl.load(weight_ptr + row[:, None] * inputs + column[None, :], mask=inside, other=0)
    tl.store(out_ptr + column[:, None] * out_step + row[None, :], tl.trans(tile), mask=tl.trans(inside))


@triton.jit
def _column_tops_kernel(
    rows_ptr, factor_ptr, tops_ptr, rows, width, step, rows_a_part, TILE: tl.constexpr
):  # fmt: skip
    column = tl.program_id(0) * TILE + tl.arange(0, TILE)
    top = tl.zeros((TILE,), dtype=tl.float32)
    begin = tl.program_id(1) * rows_a_part
    end = tl.minimum(begin + rows_a_part, rows)
    for start in range(begin, end, 32):
        row = start + tl.arange(0, 32)
        inside = (row < end)[:, None] & (column < width)[None, :]
        x = tl.load(rows_ptr + row.to(tl.int64)[:, None] * step + column[None, :], mask=inside, other=0.0)
        factor = tl.load(factor_ptr + row, mask=row < end, other=0.0)
        top = tl.maximum(top, tl.max(tl.abs(x.to(tl.float32) * factor[:, None]), axis=0))
    tl.store(tops_ptr + tl.program_id(1) * width + column, top, mask=column < width)


@triton.jit
def _column_codes_kernel(
    rows_ptr, factor_ptr, tops_ptr, codes_ptr, scale_ptr, rows, width, step, codes_step,
    PARTS: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    column = tl.program_id(0) * TILE + tl.arange(0, TILE)
    row = tl.program_id(1) * TILE + tl.arange(0, TILE)
    top = tl.full((TILE,), _SMALLEST_TOP, tl.float32)
    for part in tl.static_range(PARTS):
        top = tl.maximum(top, tl.load(tops_ptr + part * width + column, mask=column < width, other=0.0))
    if tl.program_id(1) == 0:
        tl.store(scale_ptr + column, top * (1 / _LARGEST), mask=column < width)
    inverse = tl.div_rn(tl.full((TILE,), _LARGEST, tl.float32), top)
    inside = (row < rows)[:, None] & (column < width)[None, :]
    x = tl.load(rows_ptr + row.to(tl.int64)[:, None] * step + column[None, :], mask=inside, other=0.0).to(tl.float32)
    factor = tl.load(factor_ptr + row, mask=row < rows, other=0.0)
    codes = (x * factor[:, None] * inverse[None, :]).to(codes_ptr.dtype.element_ty)
    place = column.to(tl.int64)[:, None] * codes_step + row[None, :]
    tl.store(codes_ptr + place, tl.trans(codes), mask=tl.trans(inside))


@triton.jit
def _gated_kernel(
    gate_ptr, up_ptr, product_ptr, codes_ptr, scale_ptr, width,
    SILU: tl.constexpr, PLAIN: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, COLUMNS)
    inside, index = column < width, row * width + column
    gate = tl.load(gate_ptr + index, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + index, mask=inside, other=0.0).to(tl.float32)
    acted, _ = _activation(gate, SILU)
    kept = (acted * up).to(gate_ptr.dtype.element_ty)
    if PLAIN:
        tl.store(product_ptr + index, kept, mask=inside)
    value = kept.to(tl.float32)
    top = tl.maximum(tl.max(tl.abs(value), axis=0), _SMALLEST_TOP)
    tl.store(scale_ptr + row, top * (1 / _LARGEST))
    codes = (value * tl.div_rn(tl.full((), _LARGEST, tl.float32), top)).to(codes_ptr.dtype.element_ty)
    tl.store(codes_ptr + index, codes, mask=inside)


@triton.jit
def _activation(gate, SILU: tl.constexpr):
    """Return the activation of float32 numbers and its derivative."""
    if SILU:
        sigmoid = 1.0 / (1.0 + tl.exp(-gate))
        acted = gate * sigmoid
        slope = sigmoid * (1.0 + gate * (1.0 - sigmoid))
    else:  # gelu by tanh; tanh(z) = 2 sigmoid(2 z) - 1
        inner = 0.7978845608028654 * (gate + 0.044715 * gate * gate * gate)
        tanh = 2.0 / (1.0 + tl.exp(-2.0 * inner)) - 1.0
        acted = 0.5 * gate * (1.0 + tanh)
        slope = 0.5 * (1.0 + tanh) + 0.5 * gate * (1.0 - tanh * tanh) * 0.7978845608028654 * (
            1.0 + 3 * 0.044715 * gate * gate
        )
    return acted, slope


@triton.jit
def _gated_gradients_kernel(
    gate_ptr, up_ptr, dproduct_ptr, gate_factor_ptr, up_factor_ptr, codes_ptr, scale_ptr, width,
    SILU: tl.constexpr, PLAIN: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, COLUMNS)
    inside, index = column < width, row * width + column
    gate = tl.load(gate_ptr + index, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + index, mask=inside, other=0.0).to(tl.float32)
    dproduct = tl.load(dproduct_ptr + index, mask=inside, other=0.0).to(tl.float32)
    acted, slope = _activation(gate, SILU)
    dup = dproduct * acted
    dgate = dproduct * up * slope
    if PLAIN:
        tl.store(gate_ptr + index, dgate.to(gate_ptr.dtype.element_ty), mask=inside)
        tl.store(up_ptr + index, dup.to(up_ptr.dtype.element_ty), mask=inside)
    dgate *= tl.load(gate_factor_ptr + column, mask=inside, other=0.0)
    dup *= tl.load(up_factor_ptr + column, mask=inside, other=0.0)
    top = tl.maximum(tl.max(tl.maximum(tl.abs(dgate), tl.abs(dup)), axis=0), _SMALLEST_TOP)
    tl.store(scale_ptr + row, top * (1 / _LARGEST))
    inverse = tl.div_rn(tl.full((), _LARGEST, tl.float32), top)
    codes_ptr += row * 2 * width + column
    tl.store(codes_ptr, (dgate * inverse).to(codes_ptr.dtype.element_ty), mask=inside)
    tl.store(codes_ptr + width, (dup * inverse).to(codes_ptr.dtype.element_ty), mask=inside)


def _rows_like(x: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    codes = torch.empty((x.shape[0], width), dtype=E4M3, device=x.device)
    return codes, torch.empty((x.shape[0], 1), dtype=torch.float32, device=x.device)


def quantise(
    parts: Sequence[torch.Tensor], factors: Sequence[torch.Tensor] | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return codes and scales; see `numbers.quantise`."""
    widths = [part.shape[1] for part in parts]
    codes, scale = _rows_like(parts[0], sum(widths))
    spare = [parts[0]] * (_MOST_PARTS - len(parts))
    sources = [*parts, *spare]
    scaled = [*factors, *[factors[0]] * len(spare)] if factors is not None else sources
    _quantise_kernel[(codes.shape[0],)](
        *sources, *scaled, codes, scale, *(part.stride(0) for part in sources), *widths, *[0] * len(spare),
        PARTS=len(parts), FACTORS=factors is not None, BLOCK=_BLOCK, num_warps=8,
    )  # fmt: skip
    return codes, scale


def transposed(weights: Sequence[torch.Tensor], *, multiple: int = 1) -> torch.Tensor:
    """Return weights side by side, transposed, with rows of a multiple of so many; see `numbers.transposed`."""
    inputs, outputs = weights[0].shape[1], sum(weight.shape[0] for weight in weights)
    out = _filled_up(inputs, outputs, weights[0].device, multiple).view(torch.uint8)
    total = out.shape[1]
    begin = 0
    for weight in weights:
        outputs = weight.shape[0]
        _transpose_kernel[(triton.cdiv(outputs, _TILE), triton.cdiv(inputs, _TILE))](
            weight.view(torch.uint8), out[:, begin:], outputs, inputs, total, TILE=_TILE, num_warps=8
        )
        begin += outputs
    return out.view(E4M3)


def _filled_up(rows: int, width: int, device: torch.device, multiple: int) -> torch.Tensor:
    """Return room for codes, with zeros behind them where the width is no such multiple."""
    make = torch.zeros if width % multiple else torch.empty
    return make((rows, width + -width % multiple), dtype=torch.uint8, device=device).view(E4M3)


def columns(rows: torch.Tensor, factor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return codes and scales; see `numbers.columns`."""
    count, width = rows.shape
    parts = max(1, min(_MOST_COLUMN_PARTS, triton.cdiv(count, 4 * _TILE)))
    rows_a_part = triton.cdiv(count, parts)
    tops = torch.empty((parts, width), dtype=torch.float32, device=rows.device)
    across = triton.cdiv(width, _TILE)
    _column_tops_kernel[(across, parts)](
        rows, factor, tops, count, width, rows.stride(0), rows_a_part, TILE=_TILE, num_warps=8
    )
    codes = _filled_up(width, count, rows.device, MULTIPLE)
    scale = torch.empty((width, 1), dtype=torch.float32, device=rows.device)
    _column_codes_kernel[(across, triton.cdiv(count, _TILE))](
        rows, factor, tops, codes, scale, count, width, rows.stride(0), codes.shape[1],
        PARTS=parts, TILE=_TILE, num_warps=8,
    )  # fmt: skip
    return codes, scale


def _columns_and_warps(width: int) -> tuple[int, int]:
    columns = triton.next_power_of_2(width)
    return columns, min(32, max(4, columns // 1024))


def gated(
    gate: torch.Tensor, up: torch.Tensor, *, silu: bool, plain: bool
) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor]:
    """Return activation(gate) * up as it is, where `plain`, and in e4m3: codes and scales.

    Args:
        gate: shape (rows, width), contiguous; so for the next.
        up: the other factor.
        silu: whether the activation is SiLU; otherwise it is GELU by tanh.
        plain: whether the product is wanted as it is.

    """
    codes, scale = _rows_like(gate, gate.shape[1])
    product = torch.empty_like(gate) if plain else None
    columns, warps = _columns_and_warps(gate.shape[1])
    _gated_kernel[(gate.shape[0],)](
        gate, up, gate if product is None else product, codes, scale, gate.shape[1],
        SILU=silu, PLAIN=plain, COLUMNS=columns, num_warps=warps,
    )  # fmt: skip
    return product, codes, scale


def gated_gradients(
    gate: torch.Tensor, up: torch.Tensor, dproduct: torch.Tensor, factors: Sequence[torch.Tensor],
    *, silu: bool, plain: bool,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """Return the gradients of gate and up, side by side and times their factors, in e4m3: codes and scales.

    Args:
        gate: shape (rows, width), contiguous; so for the next two.
        up: the other factor.
        dproduct: the gradient of activation(gate) * up.
        factors: for gate and for up, what their columns are multiplied by, shape (width,), float32.
        silu: as in `gated`.
        plain: whether the gradients themselves are wanted: they overwrite gate and up.

    """
    width = gate.shape[1]
    codes, scale = _rows_like(gate, 2 * width)
    columns, warps = _columns_and_warps(width)
    _gated_gradients_kernel[(gate.shape[0],)](
        gate, up, dproduct, *factors, codes, scale, width, SILU=silu, PLAIN=plain, COLUMNS=columns,
        num_warps=min(32, 2 * warps),
    )  # fmt: skip
    return codes, scale

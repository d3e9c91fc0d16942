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
_TILE, _NARROW = 128, 64
_MOST_PARTS = 3
_COLUMN_PARTS = 8
"""Always as many: a kernel is compiled for each number, which takes as long as several steps."""
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
def _scale_and_inverse(top):
    scale = top * (1 / _LARGEST)
    return scale, _inverse(scale)


@triton.jit
def _inverse(scale):
    return tl.div_rn(tl.full(scale.shape, 1.0, tl.float32), scale)


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
    scale, inverse = _scale_and_inverse(top)
    tl.store(scale_ptr + row, scale)
    codes_ptr += row * width
    _round(a_ptr + row * a_step, fa_ptr, codes_ptr, a_width, inverse, FACTORS, BLOCK)
    if PARTS > 1:
        _round(b_ptr + row * b_step, fb_ptr, codes_ptr + a_width, b_width, inverse, FACTORS, BLOCK)
    if PARTS > 2:
        _round(c_ptr + row * c_step, fc_ptr, codes_ptr + a_width + b_width, c_width, inverse, FACTORS, BLOCK)


@triton.jit
def _part_of(tile, a_ptr, b_ptr, c_ptr, a_rows, b_rows, c_rows, b_begin, c_begin, TILE: tl.constexpr):
    """Return where the weight of a tile begins in memory, its rows, those before it, and the tile's own first row."""
    a_tiles, b_tiles = tl.cdiv(a_rows, TILE), tl.cdiv(b_rows, TILE)
    in_b, in_c = tile >= a_tiles, tile >= a_tiles + b_tiles
    source = a_ptr
    if in_b:
        source = b_ptr
    if in_c:
        source = c_ptr
    rows = tl.where(in_c, c_rows, tl.where(in_b, b_rows, a_rows))
    before = tl.where(in_c, c_begin, tl.where(in_b, b_begin, 0))
    first = tl.where(in_c, a_tiles + b_tiles, tl.where(in_b, a_tiles, 0))
    return source, rows, before, (tile - first) * TILE


@triton.jit(do_not_specialize=("a_rows",))
def _transpose_kernel(
    a_ptr, b_ptr, c_ptr, out_ptr, a_rows, b_rows, c_rows, b_begin, c_begin, width, out_step, TILE: tl.constexpr
):  # fmt: skip
    source, rows, before, first = _part_of(
        tl.program_id(0), a_ptr, b_ptr, c_ptr, a_rows, b_rows, c_rows, b_begin, c_begin, TILE
    )
    row = first + tl.arange(0, TILE)
    column = tl.program_id(1) * TILE + tl.arange(0, TILE)
    inside = (row < rows)[:, None] & (column < width)[None, :]
    tile = tl.load(source + row.to(tl.int64)[:, None] * width + column[None, :], mask=inside, other=0)
    filled = tl.cdiv(rows, 16) * 16  # with zeros
    wanted = (column < width)[:, None] & (row < filled)[None, :]
    place = column.to(tl.int64)[:, None] * out_step + (before + row)[None, :]
    tl.store(out_ptr + place, tl.trans(tile), mask=wanted)


@triton.jit
def _stack_kernel(
    a_ptr, b_ptr, c_ptr, codes_ptr, scale_ptr, a_rows, b_rows, width, BLOCK: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    source = a_ptr + row * width
    if row >= a_rows:
        source = b_ptr + (row - a_rows) * width
    if row >= a_rows + b_rows:
        source = c_ptr + (row - a_rows - b_rows) * width
    top = tl.maximum(_top_of(source, source, width, False, BLOCK), _SMALLEST_TOP)
    scale, inverse = _scale_and_inverse(top)
    tl.store(scale_ptr + row, scale)
    _round(source, source, codes_ptr + row * width, width, inverse, False, BLOCK)


@triton.jit
def _turn_stack_kernel(
    a_ptr, b_ptr, c_ptr, scale_ptr, out_ptr, a_rows, b_rows, c_rows, b_begin, c_begin, width, out_step,
    TILE: tl.constexpr,
):  # fmt: skip
    source, rows, before, first = _part_of(
        tl.program_id(0), a_ptr, b_ptr, c_ptr, a_rows, b_rows, c_rows, b_begin, c_begin, TILE
    )
    row = first + tl.arange(0, TILE)
    column = tl.program_id(1) * TILE + tl.arange(0, TILE)
    inside = (row < rows)[:, None] & (column < width)[None, :]
    values = tl.load(source + row.to(tl.int64)[:, None] * width + column[None, :], mask=inside, other=0.0)
    inverse = _inverse(tl.load(scale_ptr + before + row, mask=row < rows, other=1.0))
    codes = (values.to(tl.float32) * inverse[:, None]).to(out_ptr.dtype.element_ty)
    place = column.to(tl.int64)[:, None] * out_step + (before + row)[None, :]
    tl.store(out_ptr + place, tl.trans(codes), mask=tl.trans(inside))


@triton.jit(do_not_specialize=("rows", "rows_a_part"))
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


@triton.jit(do_not_specialize=("rows",))
def _column_codes_kernel(
    rows_ptr, factor_ptr, tops_ptr, codes_ptr, scale_ptr, rows, width, step, codes_step,
    PARTS: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    column = tl.program_id(0) * TILE + tl.arange(0, TILE)
    row = tl.program_id(1) * TILE + tl.arange(0, TILE)
    top = tl.full((TILE,), _SMALLEST_TOP, tl.float32)
    for part in tl.static_range(PARTS):
        top = tl.maximum(top, tl.load(tops_ptr + part * width + column, mask=column < width, other=0.0))
    scale, inverse = _scale_and_inverse(top)
    if tl.program_id(1) == 0:
        tl.store(scale_ptr + column, scale, mask=column < width)
    inside = (row < rows)[:, None] & (column < width)[None, :]
    x = tl.load(rows_ptr + row.to(tl.int64)[:, None] * step + column[None, :], mask=inside, other=0.0).to(tl.float32)
    factor = tl.load(factor_ptr + row, mask=row < rows, other=0.0)
    codes = (x * factor[:, None] * inverse[None, :]).to(codes_ptr.dtype.element_ty)
    place = column.to(tl.int64)[:, None] * codes_step + row[None, :]
    tl.store(codes_ptr + place, tl.trans(codes), mask=(column < width)[:, None] & (row < codes_step)[None, :])


@triton.jit
def _gated_kernel(
    gate_ptr, up_ptr, product_ptr, codes_ptr, scale_ptr, width, step,
    SILU: tl.constexpr, PLAIN: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, COLUMNS)
    inside, index = column < width, row * width + column
    gate = tl.load(gate_ptr + row * step + column, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + row * step + column, mask=inside, other=0.0).to(tl.float32)
    acted, _ = _activation(gate, SILU)
    kept = (acted * up).to(gate_ptr.dtype.element_ty)
    if PLAIN:
        tl.store(product_ptr + index, kept, mask=inside)
    value = kept.to(tl.float32)
    top = tl.maximum(tl.max(tl.abs(value), axis=0), _SMALLEST_TOP)
    scale, inverse = _scale_and_inverse(top)
    tl.store(scale_ptr + row, scale)
    tl.store(codes_ptr + index, (value * inverse).to(codes_ptr.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=("rows",))
def _turn_gated_kernel(
    gate_ptr, up_ptr, scale_ptr, out_ptr, rows, width, step, out_step,
    SILU: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    inside = (row < rows)[:, None] & (column < width)[None, :]
    index = row.to(tl.int64)[:, None] * step + column[None, :]
    gate = tl.load(gate_ptr + index, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + index, mask=inside, other=0.0).to(tl.float32)
    acted, _ = _activation(gate, SILU)
    value = (acted * up).to(gate_ptr.dtype.element_ty).to(tl.float32)
    inverse = _inverse(tl.load(scale_ptr + row, mask=row < rows, other=1.0))
    codes = (value * inverse[:, None]).to(out_ptr.dtype.element_ty)
    place = column.to(tl.int64)[:, None] * out_step + row[None, :]
    tl.store(out_ptr + place, tl.trans(codes), mask=(column < width)[:, None] & (row < out_step)[None, :])


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
    gate_ptr, up_ptr, dproduct_ptr, gate_factor_ptr, up_factor_ptr, codes_ptr, scale_ptr, width, step,
    SILU: tl.constexpr, PLAIN: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    column = tl.arange(0, COLUMNS)
    inside, index = column < width, row * step + column
    gate = tl.load(gate_ptr + index, mask=inside, other=0.0).to(tl.float32)
    up = tl.load(up_ptr + index, mask=inside, other=0.0).to(tl.float32)
    dproduct = tl.load(dproduct_ptr + row * width + column, mask=inside, other=0.0).to(tl.float32)
    acted, slope = _activation(gate, SILU)
    dup = dproduct * acted
    dgate = dproduct * up * slope
    if PLAIN:
        tl.store(gate_ptr + index, dgate.to(gate_ptr.dtype.element_ty), mask=inside)
        tl.store(up_ptr + index, dup.to(up_ptr.dtype.element_ty), mask=inside)
    dgate *= tl.load(gate_factor_ptr + column, mask=inside, other=0.0)
    dup *= tl.load(up_factor_ptr + column, mask=inside, other=0.0)
    top = tl.maximum(tl.max(tl.maximum(tl.abs(dgate), tl.abs(dup)), axis=0), _SMALLEST_TOP)
    scale, inverse = _scale_and_inverse(top)
    tl.store(scale_ptr + row, scale)
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


def stacked(weights: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return codes and scales, one below the other; see `numbers.stacked`."""
    sources, rows = _three(weights)
    width = weights[0].shape[1]
    codes = torch.empty((sum(rows), width), dtype=E4M3, device=weights[0].device)
    scale = torch.empty((sum(rows), 1), dtype=torch.float32, device=weights[0].device)
    _stack_kernel[(codes.shape[0],)](*sources, codes, scale, *rows[:2], width, BLOCK=_BLOCK, num_warps=8)
    return codes, scale


def turned_stack(weights: Sequence[torch.Tensor], scale: torch.Tensor) -> torch.Tensor:
    """Return codes; see `numbers.turned_stack`."""
    sources, rows = _three(weights)
    width = weights[0].shape[1]
    out = torch.empty((width, sum(rows)), dtype=E4M3, device=weights[0].device)
    _turn_stack_kernel[(_tiles(rows), triton.cdiv(width, _TILE))](
        *sources, scale, out, *rows, *_begins(rows), width, out.shape[1], TILE=_TILE, num_warps=8
    )
    return out


def _three(weights: Sequence[torch.Tensor]) -> tuple[list[torch.Tensor], list[int]]:
    """Return three weights and their numbers of rows; those that are missing have no rows."""
    missing = _MOST_PARTS - len(weights)
    return [*weights, *[weights[0]] * missing], [*(weight.shape[0] for weight in weights), *[0] * missing]


def transposed(weights: Sequence[torch.Tensor], *, multiple: int = 1) -> torch.Tensor:
    """Return weights side by side, transposed, with rows of a multiple of so many; see `numbers.transposed`."""
    sources, rows = _three([weight.view(torch.uint8) for weight in weights])
    width, outputs = weights[0].shape[1], sum(rows)
    out = torch.empty((width, outputs + -outputs % multiple), dtype=torch.uint8, device=weights[0].device)
    _transpose_kernel[(_tiles(rows), triton.cdiv(width, _TILE))](
        *sources, out, *rows, *_begins(rows), width, out.shape[1], TILE=_TILE, num_warps=8
    )
    return out.view(E4M3)


def _tiles(rows: Sequence[int]) -> int:
    return sum(triton.cdiv(count, _TILE) for count in rows)


def _begins(rows: Sequence[int]) -> tuple[int, int]:
    """Return how many rows are before the second and the third part; multiples of 16, since those of weights are."""
    return (rows[0], rows[0] + rows[1]) if rows[1] else (0, 0)


def _room_for_columns(rows: int, width: int, device: torch.device) -> torch.Tensor:
    """Return room for a matrix of so many rows and columns, transposed, its rows a multiple of 16."""
    return torch.empty((width, rows + -rows % MULTIPLE), dtype=E4M3, device=device)


def columns(rows: torch.Tensor, factor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return codes and scales; see `numbers.columns`."""
    count, width = rows.shape
    tops = torch.empty((_COLUMN_PARTS, width), dtype=torch.float32, device=rows.device)
    across = triton.cdiv(width, _TILE)
    _column_tops_kernel[(across, _COLUMN_PARTS)](
        rows, factor, tops, count, width, rows.stride(0), triton.cdiv(count, _COLUMN_PARTS), TILE=_TILE, num_warps=8
    )
    codes = _room_for_columns(count, width, rows.device)
    scale = torch.empty((width, 1), dtype=torch.float32, device=rows.device)
    _column_codes_kernel[(across, triton.cdiv(count, _TILE))](
        rows, factor, tops, codes, scale, count, width, rows.stride(0), codes.shape[1],
        PARTS=_COLUMN_PARTS, TILE=_TILE, num_warps=8,
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
        gate: shape (rows, width), with the numbers of each row beside each other.
        up: the other factor, as far from row to row as `gate`.
        silu: whether the activation is SiLU; otherwise it is GELU by tanh.
        plain: whether the product is wanted as it is.

    """
    codes, scale = _rows_like(gate, gate.shape[1])
    product = torch.empty(gate.shape, dtype=gate.dtype, device=gate.device) if plain else None
    columns, warps = _columns_and_warps(gate.shape[1])
    _gated_kernel[(gate.shape[0],)](
        gate, up, gate if product is None else product, codes, scale, gate.shape[1], gate.stride(0),
        SILU=silu, PLAIN=plain, COLUMNS=columns, num_warps=warps,
    )  # fmt: skip
    return product, codes, scale


def turned_gated(gate: torch.Tensor, up: torch.Tensor, scale: torch.Tensor, *, silu: bool) -> torch.Tensor:
    """Return the codes of `gated` transposed, each row filled up with zeros to a multiple of 16.

    Args:
        gate: as in `gated`; so for `up` and `silu`.
        up: the other factor.
        scale: of the rows of the product, as `gated` returned it.
        silu: which activation.

    """
    rows, width = gate.shape
    out = _room_for_columns(rows, width, gate.device)
    _turn_gated_kernel[(triton.cdiv(rows, _TILE), triton.cdiv(width, _NARROW))](
        gate, up, scale, out, rows, width, gate.stride(0), out.shape[1],
        SILU=silu, ROWS=_TILE, COLUMNS=_NARROW, num_warps=8,
    )  # fmt: skip
    return out


def gated_gradients(
    gate: torch.Tensor, up: torch.Tensor, dproduct: torch.Tensor, factors: Sequence[torch.Tensor],
    *, silu: bool, plain: bool,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """Return the gradients of gate and up, side by side and times their factors, in e4m3: codes and scales.

    Args:
        gate: shape (rows, width), with the numbers of each row beside each other.
        up: the other factor, as far from row to row as `gate`.
        dproduct: the gradient of activation(gate) * up, contiguous.
        factors: for gate and for up, what their columns are multiplied by, shape (width,), float32.
        silu: as in `gated`.
        plain: whether the gradients themselves are wanted: they overwrite gate and up.

    """
    width = gate.shape[1]
    codes, scale = _rows_like(gate, 2 * width)
    columns, warps = _columns_and_warps(width)
    _gated_gradients_kernel[(gate.shape[0],)](
        gate, up, dproduct, *factors, codes, scale, width, gate.stride(0), SILU=silu, PLAIN=plain, COLUMNS=columns,
        num_warps=min(32, 2 * warps),
    )  # fmt: skip
    return codes, scale

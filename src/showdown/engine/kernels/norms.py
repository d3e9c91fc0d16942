# mypy: disable-error-code="import-not-found,untyped-decorator,no-untyped-def"
# ruff: noqa: PLR0913, PLR0917, SIM108
"""Triton kernels of RMS norms on a residual stream: the sum and its norm in one pass, forward and backward.

Forward: total = residual + delta; normed = total * rstd * weight. Backward: the gradient of `normed`, through the norm,
plus the gradient of `total`, in one pass. The weight's gradient is computed only where the weight is trainable.
Imported only where Triton is installed.
"""

import torch
import triton
import triton.language as tl

_VALUES_A_PROGRAM = 4096
_MOST_PARTS = 264
"""Two for each multiprocessor of an H100 or H200."""
_PER_CALL = ("rows", "epsilon", "rows_a_program")
"""Arguments that differ from call to call: compiling a kernel again for some of their values would take seconds."""


@triton.jit(do_not_specialize=_PER_CALL)
def _forward_kernel(
    residual_ptr, delta_ptr, weight_ptr, total_ptr, normed_ptr, rstd_ptr, rows, width, epsilon,
    ADD: tl.constexpr, OFFSET: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    inside = (row < rows)[:, None] & (column < width)[None, :]
    index = row[:, None] * width + column[None, :]
    total = tl.load(residual_ptr + index, mask=inside, other=0.0)
    if ADD:
        delta = tl.load(delta_ptr + index, mask=inside, other=0.0)
        total = (total.to(tl.float32) + delta.to(tl.float32)).to(total.dtype)
        tl.store(total_ptr + index, total, mask=inside)
    wide = total.to(tl.float32)
    rstd = 1.0 / tl.sqrt(tl.sum(wide * wide, axis=1) / width + epsilon)
    tl.store(rstd_ptr + row, rstd, mask=row < rows)
    weight = tl.load(weight_ptr + column, mask=column < width, other=0.0).to(tl.float32)[None, :]
    scaled = wide * rstd[:, None]
    if OFFSET:  # Gemma: the weight's distance from 1, and one rounding at the end
        normed = scaled * (1.0 + weight)
    else:  # Llama: rounded before the weight
        normed = scaled.to(total.dtype).to(tl.float32) * weight
    tl.store(normed_ptr + index, normed.to(total.dtype), mask=inside)


@triton.jit(do_not_specialize=_PER_CALL)
def _backward_kernel(
    dnormed_ptr, dtotal_ptr, total_ptr, weight_ptr, rstd_ptr, dx_ptr, dweight_ptr, rows, width, rows_a_program,
    OFFSET: tl.constexpr, LEARNS: tl.constexpr, ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    column = tl.arange(0, COLUMNS)
    column_in = column < width
    weight = tl.load(weight_ptr + column, mask=column_in, other=0.0).to(tl.float32)[None, :]
    if OFFSET:
        weight += 1.0
    dweight = tl.zeros((1, COLUMNS), dtype=tl.float32)
    begin = tl.program_id(0).to(tl.int64) * rows_a_program
    end = tl.minimum(begin + rows_a_program, rows.to(tl.int64))
    for start in range(begin, end, ROWS):
        row = start + tl.arange(0, ROWS)
        inside = (row < end)[:, None] & column_in[None, :]
        index = row[:, None] * width + column[None, :]
        total = tl.load(total_ptr + index, mask=inside, other=0.0)
        wide = total.to(tl.float32)
        rstd = tl.load(rstd_ptr + row, mask=row < end, other=0.0)[:, None]
        dnormed = tl.load(dnormed_ptr + index, mask=inside, other=0.0).to(tl.float32)
        inner = dnormed * weight
        mean = tl.sum(inner * wide, axis=1)[:, None] * (rstd * rstd / width)
        dx = rstd * (inner - mean * wide)
        dx += tl.load(dtotal_ptr + index, mask=inside, other=0.0).to(tl.float32)
        tl.store(dx_ptr + index, dx.to(total.dtype), mask=inside)
        if LEARNS:
            scaled = wide * rstd
            if not OFFSET:
                scaled = scaled.to(total.dtype).to(tl.float32)
            dweight += tl.sum(dnormed * scaled, axis=0)[None, :]
    if LEARNS:
        place = tl.program_id(0) * width + column[None, :]
        tl.store(dweight_ptr + place, dweight, mask=column_in[None, :])


def _tile(width: int) -> tuple[int, int]:
    columns = triton.next_power_of_2(width)
    return max(1, _VALUES_A_PROGRAM // columns), columns


def forward(
    residual: torch.Tensor, delta: torch.Tensor | None, weight: torch.Tensor, epsilon: float, *, offset: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return residual + delta, its norm, both of shape (rows, width), and 1 / root mean square of each row, float32.

    Args:
        residual: shape (rows, width), contiguous.
        delta: as `residual`; None where nothing is added, and the sum is `residual` itself.
        weight: shape (width,).
        epsilon: added to the mean square.
        offset: whether the weight is an offset from 1, as in Gemma.

    """
    rows, width = residual.shape
    tile_rows, columns = _tile(width)
    total = residual if delta is None else torch.empty_like(residual)
    normed = torch.empty_like(residual)
    rstd = torch.empty((rows,), dtype=torch.float32, device=residual.device)
    _forward_kernel[(triton.cdiv(rows, tile_rows),)](
        residual, residual if delta is None else delta, weight, total, normed, rstd, rows, width, epsilon,
        ADD=delta is not None, OFFSET=offset, ROWS=tile_rows, COLUMNS=columns, num_warps=8,
    )  # fmt: skip
    return total, normed, rstd


def backward(
    dnormed: torch.Tensor, dtotal: torch.Tensor, total: torch.Tensor, weight: torch.Tensor, rstd: torch.Tensor,
    *, offset: bool, learns: bool,
) -> tuple[torch.Tensor, torch.Tensor | None]:  # fmt: skip
    """Return the gradient of the summands, shape (rows, width), and of the weight where it is trainable.

    Args:
        dnormed: gradient of the norm, shape (rows, width), contiguous.
        dtotal: gradient of the sum from elsewhere, as `dnormed`.
        total: the sum.
        weight: shape (width,).
        rstd: of each row, from `forward`.
        offset: as in `forward`.
        learns: whether the weight is trainable.

    """
    rows, width = total.shape
    tile_rows, columns = _tile(width)
    programs = triton.cdiv(rows, tile_rows)
    if learns:  # few enough parts of the weight's gradient; they are summed in a fixed order
        programs = min(programs, _MOST_PARTS)
    rows_a_program = triton.cdiv(triton.cdiv(rows, programs), tile_rows) * tile_rows
    dx = torch.empty_like(total)
    parts = torch.empty((programs, width), dtype=torch.float32, device=total.device) if learns else rstd
    _backward_kernel[(programs,)](
        dnormed, dtotal, total, weight, rstd, dx, parts, rows, width, rows_a_program,
        OFFSET=offset, LEARNS=learns, ROWS=tile_rows, COLUMNS=columns, num_warps=8,
    )  # fmt: skip
    return dx, parts.sum(dim=0).to(weight.dtype) if learns else None

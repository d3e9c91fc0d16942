"""Memory as a choice: what a step needs, and the micro-batch and recomputation that follow from it.

The count is of what packed decoders on a GPU keep between forward and backward (`decoder.py`), in 16 bits. On an
H200 it lies within 5 % of the measured peaks in `benchmarks/results/gpu_showdown.json`, from 4.8 to 57 GB.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

GB = 1e9
_BYTES = 2
"""Of one bfloat16 number."""
LEAN_TOKENS = 2048
"""Tokens of a micro-batch below which an H200 waits for its host more than it computes."""
SHARE_OF_FREE = 0.92
"""Of the GPU's memory that a plan may fill; the rest is for the allocator's rounding."""

Memory = Literal["speed", "lean"] | float
"""`speed`, `lean`, or a budget in GB."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Widths of a decoder, in numbers a token."""

    layers: int
    hidden: int
    inner: int
    queries: int
    """Query heads times head width."""
    keys: int
    """Key heads times head width."""


def shape_of(config: Any) -> Shape:
    """Return the widths that a transformers configuration of a decoder names."""
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    return Shape(
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        inner=config.intermediate_size,
        queries=heads * width,
        keys=(getattr(config, "num_key_value_heads", None) or heads) * width,
    )


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What one method holds whatever the micro-batch."""

    weight_bytes: float
    """All weights, as they lie on the device."""
    gradient_bytes: float
    """Of all that learns; 0 where the step is taken inside the backward pass."""
    moment_bytes: float
    """Moments and master weights on the device."""
    trains_backbone: bool
    """Whether the weights of the backbone learn: then their inputs are kept too."""
    four_bit: bool = False
    """Whether a dense copy of the largest weight comes and goes."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Settings that were chosen, for the record and for a resumed run."""

    micro_rows: int
    recompute: bool
    expected_peak_gb: float


def kept_bytes(shape: Shape, *, trains_backbone: bool) -> int:
    """Return what one layer keeps of one token between forward and backward, without recomputation."""
    residuals = (4 if trains_backbone else 3) * shape.hidden
    attention = 2 * shape.queries + 2 * shape.keys
    return _BYTES * (residuals + attention + 2 * shape.inner)


def peak_bytes(shape: Shape, demand: Demand, *, tokens: int, recompute: bool) -> float:
    """Return the expected peak of allocated memory of a step whose largest micro-batch has so many tokens."""
    kept = kept_bytes(shape, trains_backbone=demand.trains_backbone)
    passing = _BYTES * 4 * shape.inner
    if recompute:
        activations = tokens * (_BYTES * shape.hidden * shape.layers + kept + passing)
    else:  # the last layer keeps next to nothing: only the pooled tokens go through it
        activations = tokens * (kept * (shape.layers - 1) + passing)
    dense = _BYTES * shape.hidden * shape.inner if demand.four_bit else 0
    # Gradients appear while activations go, so both are never there in full.
    return demand.weight_bytes + demand.moment_bytes + dense + max(activations, demand.gradient_bytes)


def largest_tokens(lengths: Sequence[int], rows: int) -> int:
    """Return the most tokens that so many rows can have together."""
    return sum(sorted(lengths, reverse=True)[:rows])


def plan(
    shape: Shape, demand: Demand, *, memory: Memory, lengths: Sequence[int], effective_rows: int, free_gb: float
) -> Plan:
    """Choose micro-batch and recomputation for one method.

    Args:
        shape: the decoder's widths.
        demand: what the method holds in any case.
        memory: `speed` keeps all and takes the largest micro-batch that fits the GPU; `lean` recomputes and takes the
            smallest that is not bound by launches; a number of GB takes the fastest settings within it.
        lengths: tokens of each training row.
        effective_rows: rows of an optimiser step.
        free_gb: memory of the GPU that can be had.

    Returns:
        The settings. Where nothing fits, those that need least: running out of memory then backs off and says so.

    """

    def option(rows: int, recompute: bool) -> Plan:
        peak = peak_bytes(shape, demand, tokens=largest_tokens(lengths, rows), recompute=recompute)
        return Plan(micro_rows=rows, recompute=recompute, expected_peak_gb=peak / GB)

    if memory == "lean":
        return option(min(effective_rows, max(1, LEAN_TOKENS // max(lengths))), True)
    limit = min(free_gb * SHARE_OF_FREE, free_gb if memory == "speed" else float(memory))
    choices = [option(rows, False) for rows in _halves(effective_rows)]
    choices = (
        choices if memory == "speed" else _by_speed(choices, [option(rows, True) for rows in _halves(effective_rows)])
    )
    fitting = [choice for choice in choices if choice.expected_peak_gb <= limit]
    return fitting[0] if fitting else option(1, memory != "speed")


def _halves(rows: int) -> list[int]:
    """Return rows, its half and so on down to 1."""
    found = [rows]
    while found[-1] > 1:
        found.append((found[-1] + 1) // 2)
    return found


def _by_speed(kept: list[Plan], recomputed: list[Plan]) -> list[Plan]:
    """Order plans by speed: recomputing costs a third, which is less than what micro-batches under four rows cost."""
    return [
        *(one for one in kept if one.micro_rows >= 4),
        *(one for one in recomputed if one.micro_rows >= 4),
        *(one for one in kept if one.micro_rows < 4),
        *(one for one in recomputed if one.micro_rows < 4),
    ]


def matched(plans: Sequence[Plan]) -> Plan:
    """Return settings at which all methods of a comparison fit: the smallest micro-batch, recomputing if one must."""
    return Plan(
        micro_rows=min(one.micro_rows for one in plans),
        recompute=any(one.recompute for one in plans),
        expected_peak_gb=max(one.expected_peak_gb for one in plans),
    )

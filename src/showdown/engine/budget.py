"""Memory as a choice: what a step needs, and the micro-batch and recomputation that follow from it.

The count is of what packed decoders on a GPU keep between forward and backward (`decoder.py`), in 16 bits. On an
H200 it lies within 5 % of the measured peaks in `benchmarks/results/gpu_showdown.json`, from 4.8 to 57 GB.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from showdown.core.spec import Memory

GB = 1e9
_BYTES = 2
"""Of one bfloat16 number."""
LEAN_TOKENS = 2048
"""Tokens of a micro-batch below which an H200 waits for its host more than it computes."""
SHARE_OF_FREE = 0.92
"""Of the GPU's memory that a plan may fill; the rest is for the allocator's rounding."""


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
    """Return the widths that a transformers configuration names."""
    config = config.get_text_config()
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    inner = getattr(config, "intermediate_size", None) or getattr(config, "hidden_dim", None)
    return Shape(
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        inner=inner or 4 * config.hidden_size,
        queries=heads * width,
        keys=(getattr(config, "num_key_value_heads", None) or heads) * width,
    )


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What one method holds whatever the micro-batch."""

    weight_bytes: float
    """All weights, as they lie on the device."""
    gradient_bytes: float
    """Of all that learns; they are never there together where the step is taken inside the backward pass."""
    moment_bytes: float
    """Moments and master weights on the device."""
    trains_backbone: bool
    """Whether the weights of the backbone learn: then their inputs are kept too."""
    four_bit: bool = False
    """Whether a dense copy of the largest weight comes and goes."""
    padded: bool = False
    """Whether rows are padded, so that each counts as the longest one, and attention is the library's."""
    may_step_in_backward: bool = False
    """Whether a step may be taken inside the backward pass, should its rows go through in one micro-batch."""
    moments_on_host: bool = False
    """Whether the step must be taken there."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Settings that were chosen, for the record and for a resumed run."""

    micro_rows: int
    recompute: bool
    expected_peak_gb: float
    in_backward: bool = False
    """Whether the step is taken inside the backward pass."""


_PADDED_KEEPS = 2.0
"""Times what a packed decoder keeps of a token: a cautious guess for paths that are not counted in detail."""


def kept_bytes(shape: Shape, *, trains_backbone: bool) -> int:
    """Return what one layer keeps of one token between forward and backward, without recomputation."""
    residuals = (4 if trains_backbone else 3) * shape.hidden
    attention = 2 * shape.queries + 2 * shape.keys
    return _BYTES * (residuals + attention + 2 * shape.inner)


def peak_bytes(shape: Shape, demand: Demand, *, tokens: int, recompute: bool, in_backward: bool = False) -> float:
    """Return the expected peak of allocated memory of a step whose largest micro-batch has so many tokens."""
    kept = kept_bytes(shape, trains_backbone=demand.trains_backbone) * (_PADDED_KEEPS if demand.padded else 1.0)
    passing = _BYTES * 4 * shape.inner
    if recompute:
        activations = tokens * (_BYTES * shape.hidden * shape.layers + kept + passing)
    else:  # the last layer keeps next to nothing: only the pooled tokens go through it
        activations = tokens * (kept * (shape.layers - 1) + passing)
    dense = _BYTES * shape.hidden * shape.inner if demand.four_bit else 0
    gradients = 0.0 if in_backward else demand.gradient_bytes
    # Gradients appear while activations go, so both are never there in full.
    return demand.weight_bytes + demand.moment_bytes + dense + max(activations, gradients)


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

    def option(rows: int, recompute: bool, in_backward: bool = demand.moments_on_host) -> Plan:
        tokens = rows * max(lengths) if demand.padded else largest_tokens(lengths, rows)
        peak = peak_bytes(shape, demand, tokens=tokens, recompute=recompute, in_backward=in_backward)
        return Plan(micro_rows=rows, recompute=recompute, expected_peak_gb=peak / GB, in_backward=in_backward)

    sizes = [effective_rows] if demand.moments_on_host else _halves(effective_rows)
    whole = [option(effective_rows, True, True)] if demand.may_step_in_backward else []
    if memory == "lean":
        lean_rows = min(effective_rows, max(1, LEAN_TOKENS // max(lengths)))
        return min([*whole, option(max(lean_rows, sizes[-1]), True)], key=lambda one: one.expected_peak_gb)
    limit = min(free_gb * SHARE_OF_FREE, free_gb if memory == "speed" else float(memory))
    choices = [option(rows, False) for rows in sizes]
    if memory != "speed":
        choices = _by_speed(choices, [*whole, *(option(rows, True) for rows in sizes)])
    fitting = [choice for choice in choices if choice.expected_peak_gb <= limit]
    return fitting[0] if fitting else min(choices, key=lambda one: (one.expected_peak_gb, one.micro_rows))


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
    """Return settings at which all methods of a comparison fit: the smallest micro-batch, recomputing if one must.

    A step inside the backward pass needs all its rows in one micro-batch, so where one method takes it, all take those.
    """
    whole = [one.micro_rows for one in plans if one.in_backward]
    return Plan(
        micro_rows=max(whole) if whole else min(one.micro_rows for one in plans),
        recompute=any(one.recompute for one in plans),
        expected_peak_gb=max(one.expected_peak_gb for one in plans),
        in_backward=bool(whole),
    )

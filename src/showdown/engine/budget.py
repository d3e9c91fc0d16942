"""Memory as a choice: what a step needs, and the micro-batch and recomputation that follow from it.

The count is of what packed decoders on a GPU keep between forward and backward (`decoder.py`), in 16 bits. On an
H200 it lies within 5 % of the measured peaks in `benchmarks/results/gpu/engine_vs_recipe.json`, from 4.8 to 57 GB.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from showdown.core.spec import Memory

GB = 1e9
_BYTES = 2
"""Of one bfloat16 number."""
LEAN_TOKENS = 3584
"""Tokens of a micro-batch below which an H200 loses time: to its host, and to making 4-bit weights dense once more for
each (`docs/performance.md`)."""
LEAN_SHARE = 0.08
"""Of what is held in any case: activations below it are not worth a smaller micro-batch."""
SHARE_OF_FREE = 0.92
"""Of the GPU's memory that a plan may fill; the rest is for the allocator's rounding."""
_SHARE_OF_BUDGET = 0.98
"""Of a budget that a plan may fill: counts of steps without recomputation are right to 1.5 %, and no budget may be
exceeded."""
_KEPT_SCALES = 0.12
"""Of 4-bit weights: what their scales take in float32, kept where nothing is recomputed (4 bytes for 64 weights)."""


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
    """Return the widths that a transformers configuration names; what it has no name for is guessed."""
    config = config.get_text_config()

    def named(*names: str, default: int) -> int:
        return next((int(value) for value in (getattr(config, name, None) for name in names) if value), default)

    hidden = named("hidden_size", "d_model", default=1)
    heads = named("num_attention_heads", "num_self_attention_heads", default=1)
    width = named("head_dim", default=hidden // heads)
    return Shape(
        layers=named("num_hidden_layers", "num_self_attends_per_block", default=1),
        hidden=hidden,
        inner=named("intermediate_size", "hidden_dim", default=4 * hidden),
        queries=heads * width,
        keys=named("num_key_value_heads", default=heads) * width,
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
    """The most rows of a micro-batch."""
    micro_tokens: int | None
    """The most tokens of a micro-batch; None where rows are padded, and rows alone count."""
    recompute: bool
    expected_peak_gb: float
    in_backward: bool = False
    """Whether the step is taken inside the backward pass."""


_INPUTS_ON_GPU = 3
"""Of the recomputed layers' inputs: one that is used, one that comes, and the gradient that goes on; the others are on
the host (`decoder/offload.py`)."""
_LAUNCH_BOUND = 2048 * 218_103_808
"""Tokens of a pack times weights of a layer up to which an H200 waits for its host
(`benchmarks/gpu/step_growth.py`)."""
_FEW_GRADIENT_BYTES = 0.5e9
"""Gradients that there is always room for: adapters of a 7B have 0.01 to 0.2 GB of them."""
_MOST_GRADIENT_BYTES = 4e9
"""Gradients that may stay in small steps. Those of a 1B are 2 GB; to write and read them five times takes 2.4 ms of the
30 to 50 that graphs save."""
_PADDED_KEEPS = 2.0
"""Times what a packed decoder keeps of a token: a cautious guess for paths that are not counted in detail."""


def launch_bound_tokens(shape: Shape) -> int:
    """Return the tokens of a pack up to which a GPU waits for its host: those are computed from CUDA graphs."""
    layer = shape.hidden * (2 * shape.queries + 2 * shape.keys + 3 * shape.inner)
    return int(_LAUNCH_BOUND / layer)


def gradients_may_stay(
    shape: Shape, gradient_bytes: float, *, lengths: Sequence[int], rows: int, micro_tokens: int | None
) -> bool:
    """Whether gradients may stay where they are from step to step, which CUDA graphs ask for, if there is room.

    They may where usual packs are launch-bound: beside larger ones the host has time enough for the few that are small.
    Those of adapters may then, and those of a whole network of up to two billion weights where every pack is far below
    what is launch-bound, so that adding to gradients takes less time than graphs save.

    Args:
        shape: the network's widths.
        gradient_bytes: of all that learns.
        lengths: tokens of each training row.
        rows: the most rows of a micro-batch.
        micro_tokens: the most tokens of one; None where rows alone count.

    """
    bound, most = launch_bound_tokens(shape), micro_tokens or math.inf
    usual = min(rows * sum(lengths) / len(lengths), most)
    short = min(largest_tokens(lengths, rows), most) <= bound / 2
    return usual <= bound and gradient_bytes <= (_MOST_GRADIENT_BYTES if short else _FEW_GRADIENT_BYTES)


def _always_stay(demand: Demand) -> bool:
    """Whether gradients take so little that they are counted as if they stayed in any case."""
    return demand.gradient_bytes <= _FEW_GRADIENT_BYTES and not demand.padded


def kept_bytes(shape: Shape, *, trains_backbone: bool) -> int:
    """Return what one layer keeps of one token between forward and backward, without recomputation."""
    residuals = (4 if trains_backbone else 3) * shape.hidden
    attention = 2 * shape.queries + 2 * shape.keys
    return _BYTES * (residuals + attention + 2 * shape.inner)


def token_bytes(shape: Shape, demand: Demand, *, recompute: bool) -> float:
    """Return what a micro-batch needs for each of its tokens, at the peak of its step."""
    kept = kept_bytes(shape, trains_backbone=demand.trains_backbone) * (_PADDED_KEEPS if demand.padded else 1.0)
    passing = _BYTES * 4 * shape.inner
    if recompute:
        inputs = shape.layers if demand.padded else _INPUTS_ON_GPU
        return _BYTES * shape.hidden * inputs + kept + passing
    return kept * (shape.layers - 1) + passing  # the last layer keeps next to nothing: only pooled tokens go through


def held_bytes(shape: Shape, demand: Demand, *, recompute: bool) -> float:
    """Return what is held whatever the micro-batch, but for gradients."""
    dense = _BYTES * shape.hidden * shape.inner if demand.four_bit else 0
    scales = _KEPT_SCALES * demand.weight_bytes if demand.four_bit and not recompute else 0
    return demand.weight_bytes + demand.moment_bytes + dense + scales


def peak_bytes(
    shape: Shape,
    demand: Demand,
    *,
    tokens: int,
    recompute: bool,
    in_backward: bool = False,
    gradients_stay: bool = False,
) -> float:
    """Return the expected peak of allocated memory of a step whose largest micro-batch has so many tokens."""
    activations = tokens * token_bytes(shape, demand, recompute=recompute)
    gradients = 0.0 if in_backward else demand.gradient_bytes
    # Gradients that do not stay appear while activations go, so that both are never there in full.
    together = gradients_stay or _always_stay(demand)
    both = activations + gradients if together else max(activations, gradients)
    return held_bytes(shape, demand, recompute=recompute) + both


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What is expected of a method under settings that were chosen."""

    peak_gb: float
    """Of allocated memory while training."""
    gradients_stay: bool
    """Whether gradients stay where they are from step to step."""


def expected(shape: Shape, demand: Demand, chosen: Plan, *, lengths: Sequence[int], limit_gb: float) -> Expected:
    """Return what is expected of a method under settings that need not be its own best.

    Args:
        shape: the network's widths.
        demand: what the method holds in any case.
        chosen: the settings.
        lengths: tokens of each training row.
        limit_gb: what a plan may fill; gradients that stay must be within it.

    """
    rows = chosen.micro_rows
    most = rows * max(lengths) if demand.padded else largest_tokens(lengths, rows)
    tokens = int(min(most, chosen.micro_tokens or math.inf))
    inside = chosen.in_backward or demand.moments_on_host

    def peak_gb(*, gradients_stay: bool) -> float:
        peak = peak_bytes(shape, demand, tokens=tokens, recompute=chosen.recompute, in_backward=inside,
                          gradients_stay=gradients_stay)  # fmt: skip
        return peak / GB

    small = gradients_may_stay(
        shape, demand.gradient_bytes, lengths=lengths, rows=rows, micro_tokens=chosen.micro_tokens
    )
    may = small and not inside and not demand.padded
    stay = may and (_always_stay(demand) or peak_gb(gradients_stay=True) <= limit_gb)
    return Expected(peak_gb=peak_gb(gradients_stay=stay), gradients_stay=stay)


def largest_tokens(lengths: Sequence[int], rows: int) -> int:
    """Return the most tokens that so many rows can have together."""
    return sum(sorted(lengths, reverse=True)[:rows])


def limit_gb(memory: Memory, free_gb: float) -> float:
    """Return what a plan may fill of the memory that can be had."""
    return min(free_gb * SHARE_OF_FREE, free_gb if isinstance(memory, str) else memory * _SHARE_OF_BUDGET)


def plan(
    shape: Shape, demand: Demand, *, memory: Memory, lengths: Sequence[int], effective_rows: int, free_gb: float
) -> Plan:
    """Choose micro-batch and recomputation for one method.

    Args:
        shape: the network's widths.
        demand: what the method holds in any case.
        memory: `speed` keeps all and takes the largest micro-batch that fits the GPU; `lean` recomputes and takes the
            smallest that is not bound by launches; a number of GB takes the fastest settings within it.
        lengths: tokens of each training row.
        effective_rows: rows of an optimiser step.
        free_gb: memory of the GPU that can be had.

    Returns:
        The settings. Where nothing fits, those that need least: running out of memory then backs off and says so.

    """
    planner = _Planner(shape, demand, lengths, effective_rows, limit_gb(memory, free_gb) * GB)
    if memory == "lean":
        return planner.lean()
    return planner.kept() if memory == "speed" else planner.fastest()


class _Planner:
    """The choices for one method within a limit of bytes."""

    def __init__(
        self, shape: Shape, demand: Demand, lengths: Sequence[int], effective_rows: int, limit_bytes: float
    ) -> None:
        self.shape, self.demand, self.limit_bytes = shape, demand, limit_bytes
        self.rows, self.longest = effective_rows, max(lengths)
        self.whole = effective_rows * self.longest if demand.padded else largest_tokens(lengths, effective_rows)
        """Tokens of the largest step."""

    def option(self, tokens: float, *, recompute: bool, in_backward: bool = False) -> Plan:
        """Return the plan with micro-batches of at most so many tokens, at least one row and at most the whole step."""
        inside = in_backward or self.demand.moments_on_host
        tokens = self.whole if inside else max(self.longest, min(self.whole, int(tokens)))
        rows = self.rows
        if self.demand.padded:
            rows = max(1, int(tokens) // self.longest)
            tokens = rows * self.longest
        peak = peak_bytes(self.shape, self.demand, tokens=int(tokens), recompute=recompute, in_backward=inside)
        return Plan(
            micro_rows=rows,
            micro_tokens=None if self.demand.padded else int(tokens),
            recompute=recompute,
            expected_peak_gb=peak / GB,
            in_backward=inside,
        )

    def fitting(self, *, recompute: bool) -> Plan:
        """Return the largest micro-batch within the limit."""
        room = self.limit_bytes - held_bytes(self.shape, self.demand, recompute=recompute)
        room -= self.demand.gradient_bytes if _always_stay(self.demand) else 0
        return self.option(room / token_bytes(self.shape, self.demand, recompute=recompute), recompute=recompute)

    def inside(self) -> list[Plan]:
        """Return the plan that steps inside the backward pass, where that may be."""
        return [self.option(self.whole, recompute=True, in_backward=True)] if self.demand.may_step_in_backward else []

    def kept(self) -> Plan:
        """Keep everything for the backward pass."""
        return self.fitting(recompute=False)

    def lean(self) -> Plan:
        """Take the least memory that does not make the GPU wait."""
        room = LEAN_SHARE * held_bytes(self.shape, self.demand, recompute=True)
        tokens = max(LEAN_TOKENS, room / token_bytes(self.shape, self.demand, recompute=True))
        return min([*self.inside(), self.option(tokens, recompute=True)], key=lambda one: one.expected_peak_gb)

    def fastest(self) -> Plan:
        """Take the fastest plan within the limit.

        Recomputing costs a third, which is less than what micro-batches cost that do not fill the GPU.
        """
        kept, again = self.kept(), self.fitting(recompute=True)
        enough = min(self.whole, LEAN_TOKENS)
        filling = [one for one in (kept, *self.inside(), again) if self.tokens(one) >= enough]
        fitting = [one for one in [*filling, kept, again] if one.expected_peak_gb * GB <= self.limit_bytes]
        return fitting[0] if fitting else min([*self.inside(), again], key=lambda one: one.expected_peak_gb)

    def tokens(self, one: Plan) -> int:
        """Return the most tokens of a plan's micro-batch."""
        return one.micro_tokens or one.micro_rows * self.longest


def matched(plans: Sequence[Plan]) -> Plan:
    """Return settings at which all methods of a comparison fit: the smallest micro-batch, recomputing if one must.

    A step inside the backward pass needs all its rows in one micro-batch, so where one method takes it, all take those.
    """
    whole = [one for one in plans if one.in_backward]
    least = min(whole or plans, key=lambda one: (one.micro_tokens or 0, one.micro_rows))
    return Plan(
        micro_rows=least.micro_rows,
        micro_tokens=least.micro_tokens,
        recompute=any(one.recompute for one in plans),
        expected_peak_gb=max(one.expected_peak_gb for one in plans),
        in_backward=bool(whole),
    )

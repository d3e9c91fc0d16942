"""The memory budget: what a step needs, and the micro-batch size and activation checkpointing that fit.

What is counted is what packed decoders on a GPU keep between forward and backward pass (`decoder/`), in 16 bits. On an
H200 the counts are within 5 % of the measured peaks, from 4.8 to 57 GB
(`benchmarks/results/gpu/engine_vs_recipe.json`).
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from showdown.core.spec import Memory
from showdown.engine.language.chunks import OutputLayer

if TYPE_CHECKING:
    from transformers import PretrainedConfig

GB = 1e9
_BYTES = 2
"""Bytes of one bfloat16 number."""
LEAN_TOKENS = 3584
"""With fewer tokens in a micro-batch an H200 loses time: it waits for its host, and 4-bit weights are dequantised once
more for each micro-batch (`docs/performance.md`)."""
LEAN_FP8_TOKENS = 8192
"""The same of products in fp8: the GPU is through sooner, so that its host needs more tokens to keep up."""
LEAN_SHARE = 0.08
"""Share of the memory that is held in any case. Where activations take less, a smaller micro-batch saves too little."""
SHARE_OF_FREE = 0.92
"""Share of the GPU's free memory that a plan may fill; the rest is for the allocator's rounding."""
_SHARE_OF_BUDGET = 0.98
"""Share of a budget that a plan may fill. Without activation checkpointing the counts are right to 1.5 %, and no budget
may be exceeded."""
_KEPT_SCALES = 0.12
"""Bytes of scales in float32 for each byte of 4-bit weights (4 bytes for 64 weights). They are kept where there is no
activation checkpointing."""

_HEAD_NORMS = ("qwen3", "gemma3_text")
"""Families whose attention norms queries and keys by head."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Widths of a decoder, in numbers for each token."""

    layers: int
    hidden: int
    inner: int
    queries: int
    """Query heads times head width."""
    keys: int
    """Key heads times head width."""
    head_norms: bool = False
    """Whether queries and keys are normed by head, so that they are kept before the norm too."""


def shape_of(config: "PretrainedConfig") -> Shape:
    """Return the widths that a transformers configuration names; usual values stand for what it does not name."""
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
        head_norms=config.model_type in _HEAD_NORMS,
    )


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What one method holds, whatever the micro-batch size."""

    weight_bytes: float
    """Of all weights as they are kept on the device."""
    gradient_bytes: float
    """Of all trainable parameters. They never exist together where the step is taken inside the backward pass."""
    optimizer_bytes: float
    """Of the optimizer state on the device: moments and master weights."""
    trains_backbone: bool
    """Whether the weights of the backbone are trainable: their inputs are then kept too."""
    adapts_feed_forward: bool = False
    """Whether adapters read what goes into the feed-forward layers: it is then kept."""
    four_bit: bool = False
    """Whether weights are kept in 4 bits: a dense copy of the largest one then comes and goes."""
    fp8: bool = False
    """Whether weights are kept in fp8: a transposed copy of the largest two, which share an input, comes and goes."""
    rounds_weights: bool = False
    """Whether weights that learn are rounded to fp8 in each pass: those of two that share an input come and go."""
    padded: bool = False
    """Whether rows are padded, so that each counts as the longest one, and the library computes attention."""
    may_step_in_backward: bool = False
    """Whether the step may be taken inside the backward pass, if all its rows fit into one micro-batch."""
    moments_on_host: bool = False
    """Whether the optimizer state is offloaded, so that the step must be taken there."""
    output: OutputLayer | None = None
    """Of a language model; None for a classifier, whose head takes next to nothing."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The settings that were chosen, for the record and for a resumed run."""

    micro_rows: int
    """The most rows of a micro-batch."""
    micro_tokens: int | None
    """The most tokens of a micro-batch; None where rows are padded, and rows alone count."""
    recompute: bool
    """Whether activations are checkpointed."""
    expected_peak_gb: float
    """With the longest rows in one step, which is more than is expected of the steps that are drawn."""
    in_backward: bool = False
    """Whether the step is taken inside the backward pass."""


_INPUTS_ON_GPU = 3
"""Inputs of checkpointed layers on the GPU: one in use, one on its way, and the gradient; the others are offloaded to
the host (`decoder/offload.py`)."""
_LAUNCH_BOUND = 2048 * 218_103_808
"""Tokens of a pack times weights of a layer up to which an H200 waits for its host
(`benchmarks/gpu/step_growth.py`)."""
_FEW_GRADIENT_BYTES = 0.5e9
"""There is always room for gradients of this size: those of adapters of a 7B take 0.01 to 0.2 GB."""
_MOST_GRADIENT_BYTES = 4e9
"""Largest gradients that may stay allocated with small steps. Those of a 1B take 2 GB: writing and reading them five
times takes 2.4 ms, of the 30 to 50 ms that CUDA graphs save."""
_PADDED_KEEPS = 2.0
"""Times what a packed decoder keeps for a token: a cautious guess for paths that are not counted in detail."""


def launch_bound_tokens(shape: Shape) -> int:
    """Return the tokens of a pack up to which a GPU waits for its host: such packs are computed from CUDA graphs."""
    layer = shape.hidden * (2 * shape.queries + 2 * shape.keys + 3 * shape.inner)
    return int(_LAUNCH_BOUND / layer)


def gradients_may_stay(
    shape: Shape, gradient_bytes: float, *, lengths: Sequence[int], rows: int, micro_tokens: int | None
) -> bool:
    """Return whether gradients may stay allocated from step to step, as CUDA graphs need it, if there is room.

    They may where usual packs are launch-bound; where most packs are large, graphs for a few small ones save nothing.
    Gradients of adapters may stay then. Those of a whole network of up to two billion weights may where every pack is
    far below what is launch-bound, so that adding to gradients takes less time than graphs save.

    Args:
        shape: the network's widths.
        gradient_bytes: of all trainable parameters.
        lengths: tokens of each training row.
        rows: the most rows of a micro-batch.
        micro_tokens: the most tokens of one; None where rows alone count.

    """
    bound, most = launch_bound_tokens(shape), micro_tokens or math.inf
    usual = min(rows * sum(lengths) / len(lengths), most)
    short = min(largest_tokens(lengths, rows), most) <= bound / 2
    return usual <= bound and gradient_bytes <= (_MOST_GRADIENT_BYTES if short else _FEW_GRADIENT_BYTES)


def _always_stay(demand: Demand) -> bool:
    """Return whether gradients take so little that they are counted as if they stayed in any case."""
    return demand.gradient_bytes <= _FEW_GRADIENT_BYTES and not demand.padded


def kept_bytes(shape: Shape, *, keeps_inputs: bool) -> int:
    """Return what one layer keeps for a token between forward and backward pass, without activation checkpointing.

    Args:
        shape: the network's widths.
        keeps_inputs: whether the normed input of the feed-forward layers is kept, since they learn or have adapters.

    """
    residuals = (4 if keeps_inputs else 3) * shape.hidden
    attention = 2 * shape.queries + 2 * shape.keys
    attention += shape.queries + shape.keys if shape.head_norms else 0
    return _BYTES * (residuals + attention + 2 * shape.inner)


def token_bytes(shape: Shape, demand: Demand, *, recompute: bool) -> float:
    """Return the bytes that a micro-batch needs for each of its tokens at the peak of its backward pass."""
    return _waiting_bytes(shape, demand, recompute=recompute) + _passing_bytes(shape, demand, recompute=recompute)


def _waiting_bytes(shape: Shape, demand: Demand, *, recompute: bool) -> float:
    """Return what is kept for a token when the backward pass begins."""
    if recompute:
        return _BYTES * shape.hidden * (shape.layers if demand.padded else _INPUTS_ON_GPU)
    # The last layer of a classifier keeps almost nothing: it computes pooled tokens only.
    layers = shape.layers - 1 + (demand.output.read_share if demand.output else 0)
    return _kept_bytes(shape, demand) * layers


def _passing_bytes(shape: Shape, demand: Demand, *, recompute: bool) -> float:
    """Return what comes and goes for a token while the backward pass is in a layer."""
    return _BYTES * 4 * shape.inner + (_kept_bytes(shape, demand) if recompute else 0)


def _kept_bytes(shape: Shape, demand: Demand) -> float:
    keeps_inputs = demand.trains_backbone or demand.adapts_feed_forward
    return kept_bytes(shape, keeps_inputs=keeps_inputs) * (_PADDED_KEEPS if demand.padded else 1.0)


def _activation_bytes(shape: Shape, demand: Demand, tokens: int, *, recompute: bool) -> float:
    """Return the most that a micro-batch of so many tokens holds beside weights and gradients.

    That is while the loss of a language model is computed, or after it, while the backward pass is in a layer.
    """
    waiting = tokens * _waiting_bytes(shape, demand, recompute=recompute)
    passing = tokens * _passing_bytes(shape, demand, recompute=recompute)
    if demand.output is None:
        return waiting + passing
    kept = demand.output.kept_bytes(tokens, shape.hidden)
    return waiting + max(demand.output.loss_bytes(tokens, shape.hidden), kept + passing)


def held_bytes(shape: Shape, demand: Demand, *, recompute: bool) -> float:
    """Return the bytes that are held whatever the micro-batch size, without gradients."""
    # Of one weight in 16 bits, or of two that share an input in eight.
    dense = _BYTES * shape.hidden * shape.inner if demand.four_bit or demand.fp8 or demand.rounds_weights else 0
    scales = _KEPT_SCALES * demand.weight_bytes if demand.four_bit and not recompute else 0
    return demand.weight_bytes + demand.optimizer_bytes + dense + scales


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
    activations = _activation_bytes(shape, demand, tokens, recompute=recompute)
    gradients = 0.0 if in_backward else demand.gradient_bytes
    # Gradients that do not stay are made while activations are freed, so that both never exist in full.
    together = gradients_stay or _always_stay(demand)
    both = activations + gradients if together else max(activations, gradients)
    return held_bytes(shape, demand, recompute=recompute) + both


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a method is expected to need under the settings that were chosen."""

    peak_gb: float
    """Peak of allocated memory while training."""
    gradients_stay: bool
    """Whether gradients stay allocated from step to step."""


def expected(
    shape: Shape, demand: Demand, chosen: Plan, *, lengths: Sequence[int], drawn_tokens: int, limit_gb: float
) -> Expected:
    """Return what a method is expected to need under settings that need not be best for it.

    A plan must fit whatever rows meet in a step, and counts the longest ones together. The peak that is expected is
    that of steps that are drawn: where lengths differ much, the largest has half as many tokens as the longest rows.

    Args:
        shape: the network's widths.
        demand: what the method holds in any case.
        chosen: the settings that were chosen.
        lengths: tokens of each training row.
        drawn_tokens: tokens of the largest micro-batch of so many rows in the steps that are drawn
            (`training/batches.py`).
        limit_gb: memory that a plan may fill; gradients that stay must fit into it.

    """
    rows, most = chosen.micro_rows, chosen.micro_tokens or math.inf
    bound = rows * max(lengths) if demand.padded else largest_tokens(lengths, rows)
    drawn = bound if demand.padded else min(bound, drawn_tokens)
    inside = chosen.in_backward or demand.moments_on_host

    def peak_gb(tokens: int, *, gradients_stay: bool) -> float:
        peak = peak_bytes(shape, demand, tokens=int(min(tokens, most)), recompute=chosen.recompute, in_backward=inside,
                          gradients_stay=gradients_stay)  # fmt: skip
        return peak / GB

    small = gradients_may_stay(
        shape, demand.gradient_bytes, lengths=lengths, rows=rows, micro_tokens=chosen.micro_tokens
    )
    may = small and not inside and not demand.padded
    stay = may and (_always_stay(demand) or peak_gb(bound, gradients_stay=True) <= limit_gb)
    return Expected(peak_gb=peak_gb(drawn, gradients_stay=stay), gradients_stay=stay)


def largest_tokens(lengths: Sequence[int], rows: int) -> int:
    """Return the most tokens that so many rows can have together."""
    return sum(sorted(lengths, reverse=True)[:rows])


def limit_gb(memory: Memory, free_gb: float) -> float:
    """Return how much of the free memory a plan may fill."""
    return min(free_gb * SHARE_OF_FREE, free_gb if isinstance(memory, str) else memory * _SHARE_OF_BUDGET)


def plan(
    shape: Shape, demand: Demand, *, memory: Memory, lengths: Sequence[int], effective_rows: int, free_gb: float
) -> Plan:
    """Choose micro-batch size and activation checkpointing for one method.

    Args:
        shape: the network's widths.
        demand: what the method holds in any case.
        memory: `speed` keeps all activations and takes the largest micro-batch that fits the GPU; `lean` checkpoints
            activations and takes the smallest that is not launch-bound; a number of GB takes the fastest settings
            within it.
        lengths: tokens of each training row.
        effective_rows: rows of an optimizer step.
        free_gb: free memory of the GPU.

    Returns:
        The settings; where nothing fits, those that need least. Training halves the micro-batch where memory runs out.

    """
    planner = _Planner(shape, demand, lengths, effective_rows, limit_gb(memory, free_gb) * GB)
    if memory == "lean":
        return planner.lean()
    return planner.kept() if memory == "speed" else planner.fastest()


class _Planner:
    """The plans that are possible for one method within a limit of bytes."""

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
        several = tokens < self.whole  # the first one's gradients lie there while the others are computed
        peak = peak_bytes(
            self.shape,
            self.demand,
            tokens=int(tokens),
            recompute=recompute,
            in_backward=inside,
            gradients_stay=several and not inside,
        )
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
        beside = self.demand.gradient_bytes
        tokens = self.tokens_within(room - (beside if _always_stay(self.demand) else 0), recompute=recompute)
        if tokens < self.whole and not _always_stay(self.demand):
            tokens = self.tokens_within(room - beside, recompute=recompute)
        return self.option(tokens, recompute=recompute)

    def tokens_within(self, room: float, *, recompute: bool) -> float:
        """Return the most tokens of a micro-batch whose activations take so many bytes."""
        if self.demand.output is None:
            return room / token_bytes(self.shape, self.demand, recompute=recompute)
        return (
            bisect_right(
                range(self.whole + 1),
                room,
                key=lambda tokens: _activation_bytes(self.shape, self.demand, tokens, recompute=recompute),
            )
            - 1
        )

    def inside(self) -> list[Plan]:
        """Return the plan that steps inside the backward pass, where that is possible."""
        return [self.option(self.whole, recompute=True, in_backward=True)] if self.demand.may_step_in_backward else []

    def kept(self) -> Plan:
        """Keep all activations for the backward pass."""
        return self.fitting(recompute=False)

    def lean(self) -> Plan:
        """Take the least memory that does not make the GPU wait."""
        room = LEAN_SHARE * held_bytes(self.shape, self.demand, recompute=True)
        least = LEAN_FP8_TOKENS if self.demand.fp8 else LEAN_TOKENS
        tokens = max(least, room / token_bytes(self.shape, self.demand, recompute=True))
        return min([*self.inside(), self.option(tokens, recompute=True)], key=lambda one: one.expected_peak_gb)

    def fastest(self) -> Plan:
        """Take the fastest plan within the limit.

        Activation checkpointing adds a third to the time. Micro-batches that do not fill the GPU add more.
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
    """Return settings that fit all methods: the smallest micro-batch, with activation checkpointing if one needs it.

    A step inside the backward pass needs all its rows in one micro-batch. If one method takes it, all take such steps.
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

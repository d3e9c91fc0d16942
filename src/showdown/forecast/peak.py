"""Peak memory of an arm while it trains."""

from dataclasses import dataclass
from math import inf

from showdown.core.forecast import Range
from showdown.engine.budget import GB, held_bytes, kept_bytes, peak_bytes
from showdown.engine.graphs.cache import filled_size
from showdown.forecast.fitted import (
    CALLED_PASSING_TENSORS,
    CPU_ADAPTERS,
    CPU_ALLOCATOR,
    CPU_BFLOAT16_GB,
    CPU_FLOAT32_GB,
    GRAPH_GB,
    MEMORY_SPREAD,
    PASSING_TENSORS,
    WORKSPACE_GB,
)
from showdown.forecast.needs import CONTEXT_GB
from showdown.forecast.step import StepSeconds
from showdown.forecast.work import Pack
from showdown.training.batches import largest_drawn_tokens

_PROCESS_SPREAD_GB = 0.1
"""By which the resident set of equal processes differs: libraries, and what an allocator gives back."""
_SIZES = 10
"""Sizes of the micro-batches of the trainings that `CPU_FLOAT32_GB` was measured on, at the least."""


@dataclass(frozen=True, kw_only=True)
class Peak:
    """Peak of allocated memory, or of a process's resident set on a CPU."""

    allocated_gb: Range
    fits: bool


def peak_of(step: StepSeconds) -> Peak:
    """Return the peak of an arm under its memory settings, and whether it fits the device."""
    profile, on_gpu = step.rates.profile, step.on_gpu
    expected = _packed_gb(step) if step.work.analytic else _traced_gb(step)
    low, high = MEMORY_SPREAD[memory_path(step)]
    beside = 0.0 if on_gpu else step.rates.process_gb  # known apart from the rest
    spare = 0.0 if on_gpu else _PROCESS_SPREAD_GB
    within = Range(
        low=max(0.0, beside + low * (expected - beside) - spare),
        expected=expected,
        high=beside + high * (expected - beside) + spare + _dense_gb(step),
    )
    return Peak(allocated_gb=within, fits=within.high <= profile.memory_gb - (CONTEXT_GB if on_gpu else 0))


def memory_path(step: StepSeconds) -> str:
    """Return by which of the spreads of memory an arm's peak is known."""
    return f"{step.path}, layers of PEFT" if step.work.analytic and step.work.calls_layers else step.path


def _dense_gb(step: StepSeconds) -> float:
    """Return the weights as a CPU loads them before they become four bits: they need not be given back."""
    dense = sum(kind.inputs * kind.outputs * count for kind, count in step.work.linears.items())
    return 0.0 if step.on_gpu or not step.arm.needs.demand.four_bit else step.work.width * dense / GB


def _drawn_tokens(step: StepSeconds) -> int:
    """Return the tokens of the largest micro-batch that is drawn."""
    settings, lengths, protocol = step.settings, step.arm.needs.lengths, step.arm.job.protocol
    rows = settings.micro_batch_rows
    drawn = largest_drawn_tokens(lengths, protocol.effective_batch_rows, rows, epochs=protocol.epochs)
    return int(min(drawn, settings.micro_batch_tokens or inf))


def _has_several(step: StepSeconds) -> bool:
    """Return whether any step has several micro-batches: gradients of the first lie there while others come."""
    return any(len(packs) > 1 for packs in step.packs_of_steps(step.arm.train))


def _share_of_sizes(step: StepSeconds) -> float:
    """Return how much of `CPU_FLOAT32_GB` is held: all from `_SIZES` on, nothing where micro-batches are alike."""
    sizes: set[int] = set()
    for packs in step.packs_of_steps(step.arm.train):
        sizes |= {len(pack.rows) * pack.longest if step.work.demand.padded else pack.tokens for pack in packs}
        if len(sizes) > _SIZES:
            return 1.0
    return (len(sizes) - 1) / _SIZES


def _packed_gb(step: StepSeconds) -> float:
    """Return the peak of a decoder that the engine computes on a GPU, by the engine's own count."""
    arm, settings, demand = step.arm, step.settings, step.arm.needs.demand
    tokens, replayed = _drawn_tokens(step), 0.0
    pack = Pack(rows=[(tokens, round(tokens * (demand.output.read_share if demand.output else 0)))])
    if step.from_graphs(pack):
        tokens, replayed = filled_size(tokens, settings.micro_batch_tokens), GRAPH_GB
    if step.work.calls_layers:
        return _called_gb(step, tokens)
    counted = peak_bytes(
        arm.needs.shape,
        demand,
        tokens=tokens,
        recompute=settings.recompute,
        in_backward=settings.step_in_backward or demand.moments_on_host,
        gradients_stay=settings.gradients_stay or _has_several(step),
    )
    if (
        replayed and demand.output and not settings.recompute
    ):  # the last layer is computed in full then, so that sizes recur
        keeps = demand.trains_backbone or demand.adapts_feed_forward
        counted += (1 - demand.output.read_share) * tokens * kept_bytes(arm.needs.shape, keeps_inputs=keeps)
    return counted / GB + WORKSPACE_GB + replayed


def _called_gb(step: StepSeconds, tokens: int) -> float:
    """Return the peak of a decoder whose layers of PEFT the engine calls: of these nobody counts what they keep.

    The engine's pass is traced as it is on a CPU, where norms keep their input in float32 instead of 16 bits.
    """
    arm, settings, demand = step.arm, step.settings, step.arm.needs.demand
    shape, width = arm.needs.shape, step.work.width
    trace = arm.passes.at(1, tokens, trains=True)
    normed = 2 * shape.hidden + ((shape.queries + shape.keys) if shape.head_norms else 0)
    kept = trace.saved_bytes - (4 - width) * normed * tokens * shape.layers
    if settings.recompute:
        kept = kept / shape.layers + 3 * width * shape.hidden * tokens
    passing = CALLED_PASSING_TENSORS * trace.largest_activation_bytes
    if demand.output:
        states = demand.output.kept_bytes(tokens, shape.hidden)
        passing = max(demand.output.loss_bytes(tokens, shape.hidden), states + passing)
    held = held_bytes(shape, demand, recompute=settings.recompute) + demand.gradient_bytes
    return (held + kept + passing) / GB + WORKSPACE_GB


def _traced_gb(step: StepSeconds) -> float:
    """Return the peak of a network whose passes are traced: what they keep, and gradients as they are made."""
    arm, settings, demand = step.arm, step.settings, step.arm.needs.demand
    rows = settings.micro_batch_rows
    length = max(arm.needs.lengths) if demand.padded else max(1, round(_drawn_tokens(step) / rows))
    inside = settings.step_in_backward or demand.moments_on_host
    gradients = 0.0 if inside else demand.gradient_bytes
    both = _activation_bytes(step, rows, length)
    if not demand.trains_backbone:
        both += gradients  # few, and held from step to step
    else:  # the longest rows of a step come first, when it has no gradients yet
        later = _later_rows(step)
        both = max(both, gradients, _activation_bytes(step, *later) + gradients if later else 0.0)
    if step.on_gpu:
        return (held_bytes(arm.needs.shape, demand, recompute=settings.recompute) + both) / GB + WORKSPACE_GB
    held = (demand.weight_bytes + demand.optimizer_bytes) / GB
    primitives = CPU_BFLOAT16_GB if step.work.dtype == "bfloat16" else CPU_FLOAT32_GB * _share_of_sizes(step)
    return held + CPU_ALLOCATOR * both / GB + primitives + step.rates.process_gb


def _activation_bytes(step: StepSeconds, rows: int, length: int) -> float:
    """Return the most that a micro-batch of rows of one length holds beside weights and gradients."""
    arm, settings, output = step.arm, step.settings, step.arm.needs.demand.output
    hidden, layers, width = arm.needs.shape.hidden, arm.needs.shape.layers, step.work.width
    trace = arm.passes.at(rows, length, trains=True)
    kept = trace.saved_bytes
    if settings.recompute:
        kept = rows * length * hidden * width * layers + kept / layers
    if arm.decoder and not arm.needs.demand.trains_backbone and not step.work.calls_layers:
        kept *= CPU_ADAPTERS
    passing = PASSING_TENSORS * trace.largest_activation_bytes
    if output:  # the loss comes and goes before the backward pass is in a layer
        states = output.kept_bytes(rows * length, hidden) * width / 2
        passing = max(output.loss_bytes(rows * length, hidden), states + passing)
    return kept + passing


def _later_rows(step: StepSeconds) -> tuple[int, int] | None:
    """Return rows and length of the largest micro-batch that is not the first of its step; None where none is."""
    found = []
    for packs in step.packs_of_steps(step.arm.train):
        for pack in packs[1:]:
            number = len(pack.rows)
            found.append((number, pack.longest if step.work.demand.padded else max(1, round(pack.tokens / number))))
    return max(found, key=lambda one: one[0] * one[1], default=None)

"""Peak memory of an arm while it trains."""

from dataclasses import dataclass, replace
from math import inf

from showdown.core.forecast import Range
from showdown.engine.budget import GB, held_bytes, peak_bytes
from showdown.engine.graphs.cache import filled_size
from showdown.forecast.fitted import (
    CPU_ADAPTERS,
    CPU_ALLOCATOR,
    GRAPH_GB,
    MEMORY_SPREAD,
    PASSING_TENSORS,
    WORKSPACE_GB,
)
from showdown.forecast.needs import CONTEXT_GB
from showdown.forecast.step import StepSeconds
from showdown.forecast.work import Pack
from showdown.training.batches import effective_batches, largest_drawn_tokens


@dataclass(frozen=True, kw_only=True)
class Peak:
    """Peak of allocated memory, or of a process's resident set on a CPU."""

    allocated_gb: Range
    fits: bool


def peak_of(step: StepSeconds) -> Peak:
    """Return the peak of an arm under its memory settings, and whether it fits the device."""
    profile, on_gpu = step.rates.profile, step.on_gpu
    expected = _packed_gb(step) if step.work.analytic else _traced_gb(step)
    low, high = MEMORY_SPREAD[step.path]
    beside = 0.0 if on_gpu else step.rates.plain("process_gb")  # known apart from the rest
    within = Range(low=beside + low * (expected - beside), expected=expected, high=beside + high * (expected - beside))
    return Peak(allocated_gb=within, fits=within.high <= profile.memory_gb - (CONTEXT_GB if on_gpu else 0))


def _drawn_tokens(step: StepSeconds) -> int:
    """Return the tokens of the largest micro-batch that is drawn."""
    settings, lengths, protocol = step.settings, step.arm.needs.lengths, step.arm.job.protocol
    rows = settings.micro_batch_rows
    drawn = largest_drawn_tokens(lengths, protocol.effective_batch_rows, rows, epochs=protocol.epochs)
    return int(min(drawn, settings.micro_batch_tokens or inf))


def _has_several(step: StepSeconds) -> bool:
    """Return whether any step has several micro-batches: gradients of the first lie there while others come."""
    rows, protocol = step.arm.train, step.arm.job.protocol
    batches = effective_batches(len(rows), protocol.effective_batch_rows, seed=0, epoch=0)
    return any(len(step.packs([rows[row] for row in batch])) > 1 for batch in batches)


def _packed_gb(step: StepSeconds) -> float:
    """Return the peak of a decoder that the engine computes on a GPU, by the engine's own count."""
    arm, settings, demand = step.arm, step.settings, step.arm.needs.demand
    tokens, replayed = _drawn_tokens(step), 0.0
    pack = Pack(rows=[(tokens, round(tokens * (demand.output.read_share if demand.output else 0)))])
    if step.from_graphs(pack):
        tokens, replayed = filled_size(tokens, settings.micro_batch_tokens), GRAPH_GB
        if demand.output:  # every token is read then, so that sizes recur
            demand = replace(demand, output=replace(demand.output, read_share=1.0))
    counted = peak_bytes(
        arm.needs.shape,
        demand,
        tokens=tokens,
        recompute=settings.recompute,
        in_backward=settings.step_in_backward or demand.moments_on_host,
        gradients_stay=settings.gradients_stay or _has_several(step),
    )
    return (counted + step.work.opaque_bytes(tokens)) / GB + WORKSPACE_GB + replayed


def _traced_gb(step: StepSeconds) -> float:
    """Return the peak of a network whose passes are traced: what they keep, and gradients as they are made."""
    arm, settings, demand = step.arm, step.settings, step.arm.needs.demand
    rows = settings.micro_batch_rows
    length = (
        min(max(arm.needs.lengths), step.work.positions) if demand.padded else max(1, round(_drawn_tokens(step) / rows))
    )
    trace = step.work.trace(rows, length, trains=True)
    kept = trace.saved_bytes
    if settings.recompute:
        inputs = rows * length * arm.needs.shape.hidden * step.work.width
        kept = inputs * arm.needs.shape.layers + kept / arm.needs.shape.layers
    kept += PASSING_TENSORS * trace.largest_activation_bytes
    inside = settings.step_in_backward or demand.moments_on_host
    gradients = 0.0 if inside else demand.gradient_bytes
    together = _has_several(step) or not demand.trains_backbone
    if demand.output:
        kept += demand.output.kept_bytes(rows * length, arm.needs.shape.hidden) * step.work.width / 2
        gradients = max(gradients, demand.output.loss_bytes(rows * length, arm.needs.shape.hidden))
    both = kept + gradients if together else max(kept, gradients)
    if step.on_gpu:
        return (held_bytes(arm.needs.shape, demand, recompute=settings.recompute) + both) / GB + WORKSPACE_GB
    held = demand.weight_bytes + demand.optimizer_bytes
    if arm.decoder and not demand.trains_backbone:
        both *= CPU_ADAPTERS
    return (held + CPU_ALLOCATOR * both) / GB + step.rates.plain("process_gb")

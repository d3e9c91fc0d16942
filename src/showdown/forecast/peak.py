"""Peak memory of an arm while it trains."""

from dataclasses import dataclass
from math import inf

from showdown.core.forecast import DeviceProfile, Range
from showdown.core.memory import MemorySettings
from showdown.engine.budget import GB, peak_bytes
from showdown.forecast.fitted import MEMORY_SPREAD, PROCESS_GB, WORKSPACE_GB
from showdown.forecast.needs import CONTEXT_GB, TunedArm
from showdown.training.batches import largest_drawn_tokens


@dataclass(frozen=True, kw_only=True)
class Peak:
    """Peak of allocated memory, or of a process's resident set on a CPU."""

    allocated_gb: Range
    fits: bool


def peak_of(arm: TunedArm, settings: MemorySettings, profile: DeviceProfile) -> Peak:
    """Return the peak of an arm under its memory settings, and whether it fits a device."""
    on_gpu = profile.kind == "gpu"
    demand, lengths = arm.needs.demand, arm.needs.lengths
    rows = settings.micro_batch_rows
    protocol = arm.job.protocol
    drawn = largest_drawn_tokens(lengths, protocol.effective_batch_rows, rows, epochs=protocol.epochs)
    most = rows * max(lengths) if demand.padded else drawn
    tokens = int(min(most, settings.micro_batch_tokens or inf))
    inside = settings.step_in_backward or demand.moments_on_host
    counted = peak_bytes(
        arm.needs.shape,
        demand,
        tokens=tokens,
        recompute=settings.recompute,
        in_backward=inside,
        gradients_stay=settings.gradients_stay,
    )
    expected = counted / GB + (WORKSPACE_GB if on_gpu else PROCESS_GB)
    low, high = MEMORY_SPREAD[f"{'gpu' if on_gpu else 'cpu'} {'packed' if arm.decoder else 'modules'}"]
    allocated = Range(low=low * expected, expected=expected, high=high * expected)
    return Peak(allocated_gb=allocated, fits=allocated.high <= profile.memory_gb - (CONTEXT_GB if on_gpu else 0))

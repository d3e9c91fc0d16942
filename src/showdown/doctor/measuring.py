"""`showdown doctor --measure`: rates are kept only where nothing else used the device meanwhile.

A profile that was measured beside other work makes every later forecast on this machine too slow, and does not show it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from showdown.core.forecast import DeviceProfile
from showdown.core.record import BUSY_OTHERS_SHARE
from showdown.forecast.measure import keep, measure_again, measure_device
from showdown.measure.load import LoadMeter
from showdown.measure.system import gpu_meter, has_gpu

MOST_APART = 0.2
"""Of two measurements of one rate, over the first."""
_BUSY_GPU_PERCENT = 10.0


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was measured, and whether it was kept."""

    kept: bool
    lines: tuple[str, ...]


def measure_machine(say: Callable[[str], None], *, force: bool = False) -> Measured:
    """Measure the rates of this machine's device, and keep them for its forecasts unless something disturbed them.

    Args:
        say: told what is being measured.
        force: whether they are kept anyway.

    """
    before, meter = _gpu_use(), LoadMeter()
    profile = measure_device(lambda title: say(f"measuring {title} ..."))
    say("measuring some of it again ...")
    again = measure_again(profile)
    doubts = [*_busy(meter.read(), before), *_apart(profile.rates, again)]
    lines = _what(profile)
    if doubts and not force:
        fix = "nothing was kept: measure again when the machine is idle, or keep it with --force"
        return Measured(kept=False, lines=(*lines, *doubts, fix))
    if doubts:
        profile = profile.model_copy(update={"measured_with": {**profile.measured_with, "doubts": "; ".join(doubts)}})
    return Measured(kept=True, lines=(*lines, *doubts, f"kept for forecasts on this machine: {keep(profile)}"))


def _what(profile: DeviceProfile) -> list[str]:
    products = {name: rate for name, rate in profile.rates.items() if "_product_" in name}
    best = max(products, key=lambda name: products[name])
    return [
        f"device: {profile.name}, {profile.memory_gb} GB",
        f"matrix products: {products[best]:.3g} TFLOP/s ({best.removesuffix('_tflops')})",
        f"memory: {profile.rates['elementwise_gbps']:.0f} GB/s",
    ]


def _gpu_use() -> float:
    """Return how much of the GPU is used before anything is measured, in percent; 0 where that cannot be read."""
    meter = gpu_meter() if has_gpu() else None
    return (meter.read().utilisation_percent if meter else None) or 0.0


def _busy(others: float | None, gpu_percent: float) -> list[str]:
    found = []
    if others is not None and others >= BUSY_OTHERS_SHARE:
        found.append(
            f"busy: other processes used {100 * others:.0f} % of the processors meanwhile, so that rates are too low"
        )
    if gpu_percent >= _BUSY_GPU_PERCENT:
        found.append(f"busy: the GPU was {gpu_percent:.0f} % in use before, so that rates are too low")
    return found


def _apart(first: Mapping[str, float], again: Mapping[str, float]) -> list[str]:
    """Return a line where a rate came out otherwise the second time."""
    gaps = {name: abs(rate / first[name] - 1) for name, rate in again.items() if first.get(name)}
    worst = max(gaps, key=lambda name: gaps[name], default=None)
    if worst is None or gaps[worst] <= MOST_APART:
        return []
    return [f"unsteady: {worst} was {first[worst]:.3g} and then {again[worst]:.3g}, {100 * gaps[worst]:.0f} % apart"]

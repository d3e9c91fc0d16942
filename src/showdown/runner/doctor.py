"""A check of this machine: a line each for the device, the built-in models and every method."""

from collections.abc import Callable

from showdown.core.errors import UserError
from showdown.core.spec import SharedProtocol
from showdown.measure.environment import environment
from showdown.methods.table import METHODS, build
from showdown.models.built_in import BUILT_IN, built_in_state
from showdown.stages.artifact import placement_for


def check_machine() -> list[str]:
    """Check which methods can run here, and how to fix those that cannot: a line each."""
    placement = placement_for(SharedProtocol())
    found = environment(placement.device)
    width = max(map(len, METHODS))
    lines = [
        f"device: {found.gpu or found.cpu}, {placement.dtype}, {found.cpu_threads} threads, {found.memory_gb} GB",
        "versions: " + ", ".join(f"{name} {version}" for name, version in found.versions.items()),
        *map(_model_line, BUILT_IN),
    ]
    if placement.device == "cpu":
        lines.append("GPU: none that CUDA sees; everything runs on the CPU, which suits small encoders")
    for name in METHODS:
        try:
            unsupported_reason = build(name, {}).unsupported_reason()
        except UserError as error:
            unsupported_reason = str(error)
        lines.append(f"{name:<{width}}  {f'not usable: {unsupported_reason}' if unsupported_reason else 'usable'}")
    return lines


def measure_machine(say: Callable[[str], None]) -> list[str]:
    """Measure the rates of this machine's device and keep them for its forecasts: a line for each that matters most.

    Args:
        say: told what is being measured.

    """
    from showdown.forecast.measure import keep, measure_device

    profile = measure_device(lambda title: say(f"measuring {title} ..."))
    products = {name: rate for name, rate in profile.rates.items() if "_product_" in name}
    best = max(products, key=lambda name: products[name])
    return [
        f"device: {profile.name}, {profile.memory_gb} GB",
        f"matrix products: {products[best]:.3g} TFLOP/s ({best.removesuffix('_tflops')})",
        f"memory: {profile.rates['elementwise_gbps']:.0f} GB/s",
        f"kept for forecasts on this machine: {keep(profile)}",
    ]


def _model_line(name: str) -> str:
    try:
        return f"model {name}: {built_in_state(name)}"
    except UserError as error:
        return f"not usable: {error}"

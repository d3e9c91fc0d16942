"""A check of this machine: a line each for the device, the built-in models and every method."""

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


def _model_line(name: str) -> str:
    try:
        return f"model {name}: {built_in_state(name)}"
    except UserError as error:
        return f"not usable: {error}"

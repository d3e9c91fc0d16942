"""Checks of the memory that a comparison needs at the least, before anything is read."""

from showdown.core.errors import UserError
from showdown.core.method import Method, TunedMethod
from showdown.core.record import GB
from showdown.core.spec import Comparison, ModelSpec, SharedProtocol
from showdown.measure.limits import MemoryRoom
from showdown.measure.system import has_gpu
from showdown.methods.table import build, method_and_settings
from showdown.models.folder import stored_parameters
from showdown.models.source import locate

OWN_GB = 0.1
"""Of the comparison's process (`benchmarks/cpu/process_memory.py`)."""
LIBRARIES_GB = 0.5
"""Of the server and of a worker before its model, most of which they share (the same)."""
_BYTES_ALL_LEARN = 16
"""Of a parameter: weight, gradient and AdamW's two moments in float32."""
_BYTES_KEPT = 4
_BYTES_FOUR_BITS = 0.5


def refuse_budget_on_cpu(protocol: SharedProtocol) -> None:
    """Refuse a memory budget in GB on a machine without a GPU.

    Raises:
        UserError: in one line.

    """
    if not isinstance(protocol.memory, str) and not has_gpu():
        raise UserError(
            f"protocol.memory: a budget of {protocol.memory:g} GB is one of a GPU, and this machine has none; "
            "use `speed` or `lean`"
        )


def short_of_memory(comparison: Comparison, model: ModelSpec, room: MemoryRoom) -> str | None:
    """Return a warning where less memory is free than the comparison needs at the least; None where there is enough.

    Args:
        comparison: what is to run.
        model: its model, pinned.
        room: what there is.

    """
    methods = {row: build(*method_and_settings(row, written)) for row, written in comparison.methods.items()}
    needs = {row: _model_gb(method, model) for row, method in methods.items()}
    row = max(needs, key=lambda name: needs[name])
    needed = OWN_GB + LIBRARIES_GB + needs[row]
    free = room.free_bytes / GB
    if free >= needed:
        return None
    where = "under the limit of its control group" if room.of_group else "on this machine"
    for_model = f", {needs[row]:.2g} GB for the model of `{row}`" if needs[row] else ""
    return (
        f"memory: {free:.2g} GB are free {where}, and at the least {needed:.2g} GB are needed ({OWN_GB:g} GB for the "
        f"comparison, {LIBRARIES_GB:g} GB for libraries{for_model}); a run that is killed for memory will say so"
    )


def _model_gb(method: Method, model: ModelSpec) -> float:
    """Return what a method holds of the model in the machine's memory while it trains; on a GPU that is elsewhere."""
    if not isinstance(method, TunedMethod) or has_gpu():
        return 0.0
    kept = _BYTES_FOUR_BITS if method.options.four_bit else _BYTES_KEPT
    each = kept if method.leaves_network else _BYTES_ALL_LEARN
    return stored_parameters(locate(model)) * each / GB

"""How much of a machine's own memory a stage may take: what an executor asks for that places stages on machines."""

from collections.abc import Sequence

from showdown.core.errors import UserError
from showdown.core.forecast import ArmForecast, Forecast
from showdown.core.record import GB
from showdown.core.spec import ModelSpec, RunSpec
from showdown.models.folder import stored_parameters
from showdown.models.source import locate
from showdown.runner.memory_check import LIBRARIES_GB

CUDA_GB = 2.0
"""Of a process that uses a GPU: the driver's and torch's own. A round figure above what is usual, not measured here."""
_BYTES_AS_SAVED = 2
"""Of a weight, while its file is read on the way to a GPU."""
_BYTES_ON_A_CPU = 4
_BYTES_OF_MOMENTS = 8
"""AdamW's two, in float32."""


def host_memory(specs: Sequence[RunSpec], forecast: Forecast | None, *, on_gpu: bool) -> dict[str, float]:
    """Return the GB of host memory that a stage of each arm may take, by its name.

    On a CPU that is the high end of the forecast's peak, where a network is trained. Otherwise the libraries, and the
    network while it is loaded.

    Args:
        specs: the runs.
        forecast: of the comparison, where there is one.
        on_gpu: whether networks go to GPUs.

    """
    arms = {arm.name: arm for arm in forecast.arms} if forecast and forecast.device.kind == "cpu" else {}
    parameters: dict[str, int] = {}
    found = {}
    for name, spec in {spec.name: spec for spec in specs}.items():
        key = spec.model.id
        if spec.needs != "text" and key not in parameters:
            parameters[key] = _parameters(spec.model)
        found[name] = _of_arm(spec, None if on_gpu else arms.get(name), parameters.get(key, 0), on_gpu=on_gpu)
    return found


def _of_arm(spec: RunSpec, forecast: ArmForecast | None, parameters: int, *, on_gpu: bool) -> float:
    if spec.needs == "text":
        return LIBRARIES_GB
    if forecast is not None and forecast.peak_gb is not None:
        return forecast.peak_gb.high
    if not on_gpu:
        return LIBRARIES_GB + _BYTES_ON_A_CPU * parameters / GB
    kept = _BYTES_AS_SAVED + (_BYTES_OF_MOMENTS if spec.protocol.moments_on_host else 0)
    return LIBRARIES_GB + CUDA_GB + kept * parameters / GB


def _parameters(model: ModelSpec) -> int:
    """Count the weights of a model; 0 where they cannot be read, which a stage then says."""
    try:
        return stored_parameters(locate(model))
    except (OSError, UserError):
        return 0

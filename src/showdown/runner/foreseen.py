"""A comparison's forecast before its first run, and the refusal of what cannot fit."""

import psutil

from showdown.core.errors import UserError
from showdown.core.forecast import ArmForecast, Forecast
from showdown.core.record import GB
from showdown.core.strict import Strict


class Foreseen(Strict):
    """A forecast, or why there is none."""

    forecast: Forecast | None = None
    why: str | None = None


def refuse_misfits(forecast: Forecast) -> None:
    """Refuse a comparison with an arm that has runs to do and certainly cannot fit.

    Args:
        forecast: of this machine.

    Raises:
        UserError: in one line, with what would fit.

    """
    room = forecast.device.memory_gb
    if forecast.device.kind == "cpu":
        room += psutil.swap_memory().total / GB
    for arm in forecast.arms:
        if arm.runs and arm.peak_gb is not None and arm.peak_gb.low > room:
            raise UserError(
                f"`methods.{arm.name}` cannot fit: it needs {arm.peak_gb.low:.3g} GB at the least, and "
                f"{forecast.device.name} has {room:.3g}; {_way_out(arm, forecast)}"
            )


def _way_out(arm: ArmForecast, forecast: Forecast) -> str:
    if arm.fixes:
        return f"{arm.fixes[0]} fits ({', '.join(arm.fixes[1:])})" if arm.fixes[1:] else f"{arm.fixes[0]} fits"
    others = ",".join(other.name for other in forecast.arms if other.name != arm.name)
    return f"leave it out (--methods {others}), or choose a smaller model" if others else "choose a smaller model"

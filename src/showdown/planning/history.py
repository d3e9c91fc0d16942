"""How far past forecasts were off, by device, method and quantity."""

from collections.abc import Sequence
from statistics import median

from showdown.core.forecast_error import Quantity
from showdown.core.strict import Strict
from showdown.runner.history import PastGap


class PastErrors(Strict):
    """Past forecasts of one quantity of one method on one device."""

    device: str
    method: str
    quantity: Quantity
    forecasts: int
    median_error: float
    """Of the sizes of the errors, each over what was measured: 0.1 is 10 %."""
    within: float
    """Share that the range held."""


def past_errors(found: Sequence[PastGap]) -> list[PastErrors]:
    """Return past errors, devices and methods in their order of first use."""
    groups: dict[tuple[str, str, Quantity], list[PastGap]] = {}
    for gap in found:
        groups.setdefault((gap.device, gap.method, gap.quantity), []).append(gap)
    devices = list(dict.fromkeys((device, method) for device, method, _ in groups))
    return [
        PastErrors(
            device=device,
            method=method,
            quantity=quantity,
            forecasts=len(some),
            median_error=median(abs(gap.error) for gap in some),
            within=sum(gap.within for gap in some) / len(some),
        )
        for (device, method, quantity), some in sorted(groups.items(), key=lambda one: devices.index(one[0][:2]))
    ]

"""A forecast in cells and sentences, the same for a terminal and a notebook."""

from showdown.core.forecast import ArmForecast, Forecast, Range
from showdown.core.forecast_words import (
    amount,
    basis_words,
    duration,
    fits_words,
    is_other,
    is_scoring,
    is_training,
    is_tuning,
    of_phases,
    scaled,
    total,
    two_digits,
)
from showdown.core.prices import three_digits

HEADINGS = [
    "Method",
    "Fits",
    "Memory GB",
    "Tuning s",
    "Train s",
    "Scoring s",
    "Other s",
    "One run",
    "Runs",
    "Cost",
    "Cheapest GPU",
]


def cells(arm: ArmForecast, forecast: Forecast) -> list[str]:
    """Return the cells of an arm, one for each of `HEADINGS`."""
    cost = None
    if forecast.price_per_hour is not None:
        cost = scaled(total(arm), arm.devices * arm.runs * forecast.price_per_hour / 3600)
    return [
        arm.name,
        fits_words(arm, forecast.device.memory_gb) + (f", {arm.devices} together" if arm.devices > 1 else ""),
        "-" if arm.peak_gb is None else f"{three_digits(arm.peak_gb.low)} to {three_digits(arm.peak_gb.high)}",
        _seconds(of_phases(arm, is_tuning)),
        _seconds(of_phases(arm, is_training)),
        _seconds(of_phases(arm, is_scoring)),
        _seconds(of_phases(arm, is_other)),
        duration(total(arm)),
        str(arm.runs),
        "-" if cost is None else money(cost.expected),
        "-" if arm.peak_gb is None else arm.cheapest_gpu or "none",
    ]


def misfits(forecast: Forecast) -> list[str]:
    """Return what is to be known of each arm, and what would make those fit that do not."""
    lines = [f"{arm.name}: {note}" for arm in forecast.arms for note in arm.notes]
    for arm in forecast.arms:
        if arm.fits is False:
            ways = "; ".join(arm.fixes) if arm.fixes else "nothing that was tried, on this device"
            may = "cannot" if fits_words(arm, forecast.device.memory_gb) == "no" else "may not"
            lines.append(f"{arm.name} {may} fit. What would: {ways}")
    return lines


def whole(forecast: Forecast, title: str) -> list[str]:
    """Return what all runs of a forecast take, and what that rests on; `title` says which they are."""
    device = forecast.device.name if forecast.devices == 1 else f"{forecast.devices} x {forecast.device.name}"
    found = [f"{title}: {duration(forecast.seconds)} on {device}"]
    more = []
    if forecast.devices > 1:
        more.append(f"{duration(scaled(forecast.device_hours, 3600))} of one device's time")
    if forecast.cost is not None:
        more.append(f"{amount(forecast.cost, forecast.currency)} at {forecast.price_per_hour:g} an hour")
    if forecast.energy_kwh is not None:
        low, high = (three_digits(float(f"{end:.2g}")) for end in (forecast.energy_kwh.low, forecast.energy_kwh.high))
        more.append(f"{low} to {high} kWh at full power")
    found[0] = "; ".join([found[0], *more])
    price = [] if forecast.price_source is None else [f"Price: {forecast.price_source}"]
    return [
        *found,
        f"Basis: {basis_words(forecast)}; ranges should hold nine of ten measurements",
        *price,
        *forecast.notes,
    ]


def money(value: float) -> str:
    """Return an amount of money with two digits that count."""
    return three_digits(float(f"{value:.2g}"))


def _seconds(found: Range | None) -> str:
    return "-" if found is None else two_digits(found.expected)

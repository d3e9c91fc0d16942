"""A forecast in words: ranges with their units, and the lines that stand before a comparison's first run."""

from collections.abc import Callable, Sequence

from showdown.core.forecast import ArmForecast, Forecast, Range
from showdown.core.prices import money, three_digits
from showdown.core.record import SCORING_PHASES, TRAINING_PHASE, TUNING_PHASE

_UNITS = ((86400.0, "days", 2.0), (3600.0, "h", 1.5), (60.0, "min", 1.5))
"""Seconds of a unit, its name, and from how many of them on it is used."""


def total(arm: ArmForecast) -> Range:
    """Return the seconds of one run of an arm, all phases together."""
    return added([*arm.seconds.values()])


def of_phases(arm: ArmForecast, holds: Callable[[str], bool]) -> Range | None:
    """Return the seconds of the phases whose name holds; None where it has none of them."""
    found = [seconds for name, seconds in arm.seconds.items() if holds(name)]
    return added(found) if found else None


def is_tuning(phase: str) -> bool:
    """Return whether a phase is of the search for a learning rate."""
    return phase.startswith(TUNING_PHASE)


def is_training(phase: str) -> bool:
    """Return whether a phase is training itself."""
    return phase == TRAINING_PHASE


def is_scoring(phase: str) -> bool:
    """Return whether a phase belongs to the measurement of the saved model."""
    return phase in SCORING_PHASES


def is_other(phase: str) -> bool:
    """Return whether a phase is none of the others: start, loading, validation, checkpoints, saving."""
    return not (is_tuning(phase) or is_training(phase) or is_scoring(phase))


def added(found: Sequence[Range]) -> Range:
    """Return the sum of ranges that are low together and high together."""
    return Range(
        low=sum(one.low for one in found),
        expected=sum(one.expected for one in found),
        high=sum(one.high for one in found),
    )


def scaled(found: Range, factor: float) -> Range:
    """Return a range times a number."""
    return Range(low=found.low * factor, expected=found.expected * factor, high=found.high * factor)


def two_digits(value: float) -> str:
    """Return a number with two significant digits, and whole from 10 on."""
    return f"{value:.0f}" if value >= 9.95 else three_digits(float(f"{value:.2g}"))


def duration(found: Range) -> str:
    """Return seconds in the unit of what is expected: `4 min (2 to 12)`."""
    size, name = next(((size, name) for size, name, least in _UNITS if found.expected >= least * size), (1.0, "s"))
    low, expected, high = (two_digits(value / size) for value in (found.low, found.expected, found.high))
    return f"{expected} {name}" if low == high else f"{expected} {name} ({low} to {high})"


def gigabytes(found: Range) -> str:
    """Return memory: `16.2 GB (15.1 to 17.3)`."""
    low, expected, high = (three_digits(value) for value in (found.low, found.expected, found.high))
    return f"{expected} GB ({low} to {high})"


def amount(found: Range, currency: str | None) -> str:
    """Return money, two digits of each end."""
    low, expected, high = (money(float(f"{value:.2g}")) for value in (found.low, found.expected, found.high))
    return f"{expected}{f' {currency}' if currency else ''} ({low} to {high})"


def fits_words(arm: ArmForecast, memory_gb: float) -> str:
    """Return `yes`, `no`, or `perhaps` where only a part of the range of its peak fits; `-` where none is trained."""
    if arm.fits is None or arm.peak_gb is None:
        return "-"
    if arm.fits:
        return "yes"
    return "perhaps" if arm.peak_gb.low <= memory_gb else "no"


def headline(forecast: Forecast) -> str:
    """Return how long the whole comparison takes, where, and for how much."""
    device = forecast.device.name if forecast.devices == 1 else f"{forecast.devices} x {forecast.device.name}"
    parts = [f"about {duration(forecast.seconds)} on {device}"]
    peaks = [arm.peak_gb.expected for arm in forecast.arms if arm.peak_gb]
    parts += [f"{three_digits(max(peaks))} GB at most"] if peaks else []
    parts += [amount(forecast.cost, forecast.currency)] if forecast.cost else []
    return f"forecast, {basis_words(forecast)}: {'; '.join(parts)}"


def basis_words(forecast: Forecast) -> str:
    """Return what the forecast rests on, the weakest first where arms differ."""
    found = {arm.basis for arm in forecast.arms}
    known = ("derived", "measured on this kind of device", "measured here")
    return " and ".join(basis for basis in known if basis in found) or "derived"


def short_lines(forecast: Forecast) -> list[str]:
    """Return the forecast in a line for the whole and one for each arm; an arm without runs has no seconds."""
    width = max(len(arm.name) for arm in forecast.arms)
    memory = {arm.name: gigabytes(arm.peak_gb) if arm.peak_gb else "" for arm in forecast.arms}
    room = max(map(len, memory.values()))
    lines = [headline(forecast)]
    for arm in forecast.arms:
        runs = f"{arm.runs} x " if arm.runs > 1 else ""
        doubt = fits_words(arm, forecast.device.memory_gb)
        fits = "" if doubt in ("yes", "-") else f", fits: {doubt}"
        fits += f", on {arm.devices} together" if arm.devices > 1 else ""
        takes = f"{runs}{duration(total(arm))}{fits}" if arm.runs else "nothing to run"
        lines.append(f"  {arm.name:<{width}}  {memory[arm.name]:<{room}}  {takes}")
    return lines

"""What was forecast beside what was measured, arm by arm: a table, and a line for a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from showdown.core.files import read_file
from showdown.core.forecast import Forecast, Range
from showdown.core.forecast_error import Gap, Quantity, gaps
from showdown.core.forecast_words import basis_words, two_digits
from showdown.core.prices import three_digits
from showdown.core.record import Results

FILE = "forecast.json"
_MOST_BYTES = 5_000_000
_TITLES: dict[Quantity, str] = {
    "memory": "Memory GB",
    "tuning": "Tuning s",
    "training": "Training s",
    "scoring": "Scoring s",
    "other": "Other s",
    "whole": "Whole s",
}
_NOTE = (
    "Each cell: what was measured, and in brackets the range in which nine of ten should lie. Seconds are of one run, "
    "the mean over a row's runs; memory is the largest peak while training. Other: start, loading, validation, "
    "checkpoints and saving. What took under a second is left out."
)


@dataclass(frozen=True, kw_only=True)
class ForecastTable:
    """Headings and cells, what they come to in a sentence, and how to read them."""

    headings: list[str]
    rows: list[list[str]]
    sentence: str
    note: str


def forecast_table(results: Results, folder: Path) -> ForecastTable | None:
    """Return the table; None where the folder holds no forecast, or nothing of it was measured.

    Args:
        results: the comparison.
        folder: its folder, which may come from elsewhere; a damaged forecast counts as none.

    """
    try:
        forecast = Forecast.model_validate_json(read_file(folder / FILE, most_bytes=_MOST_BYTES))
    except (OSError, ValueError):
        return None
    found = gaps(forecast, results.runs)
    if not found:
        return None
    shown = [quantity for quantity in _TITLES if any(gap.quantity == quantity for gap in found)]
    by_row: dict[str, dict[Quantity, Gap]] = {}
    for gap in found:
        by_row.setdefault(gap.row, {})[gap.quantity] = gap
    return ForecastTable(
        headings=["Method", *(_TITLES[quantity] for quantity in shown)],
        rows=[[row, *(_cell(cells.get(quantity)) for quantity in shown)] for row, cells in by_row.items()],
        sentence=_sentence(found, forecast),
        note=_NOTE,
    )


def _cell(gap: Gap | None) -> str:
    if gap is None:
        return "-"
    return f"{_number(gap, gap.measured)} ({_ends(gap, gap.forecast)})"


def _ends(gap: Gap, found: Range) -> str:
    return f"{_number(gap, found.low)} to {_number(gap, found.high)}"


def _number(gap: Gap, value: float) -> str:
    return three_digits(value) if gap.quantity == "memory" else two_digits(value)


def _sentence(found: Sequence[Gap], forecast: Forecast) -> str:
    """Return how far the forecast was off, memory and seconds of whole runs apart."""
    parts = []
    for quantity, title in (("memory", "peak memory"), ("whole", "seconds of a run")):
        some = [gap for gap in found if gap.quantity == quantity]
        if some:
            off = 100 * median(abs(gap.error) for gap in some)
            inside = sum(gap.within for gap in some)
            parts.append(f"{title} within its range for {inside} of {len(some)} rows, off by {off:.0f} % at the median")
    busy = (
        " Other processes were busy beside these runs: their seconds may be too high."
        if any(gap.busy for gap in found)
        else ""
    )
    return f"Forecast beforehand ({basis_words(forecast)}): {'; '.join(parts)}.{busy}"

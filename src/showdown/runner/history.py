"""Errors of past forecasts, in a file of the user's cache: what was forecast, and what was then measured."""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from showdown.core.errors import UserError
from showdown.core.files import append_line, read_file
from showdown.core.forecast import Forecast
from showdown.core.forecast_error import Gap, gaps
from showdown.core.record import RunRecord
from showdown.models.converted import cache_folder

_FILE = "forecasts.jsonl"
_MOST_BYTES = 20_000_000
"""Of the file; nothing is added to a larger one."""


class PastGap(Gap):
    """A gap with the day on which it was measured."""

    day: str


def history_file() -> Path:
    """Return where the errors of past forecasts are kept."""
    return cache_folder() / "showdown" / _FILE


def remember(forecast: Forecast, records: Sequence[RunRecord]) -> None:
    """Keep how far a forecast was off, but for seconds beside which the machine was busy.

    A cache that cannot be written to keeps nothing, and no run fails for it.

    Args:
        forecast: as it was made before these runs.
        records: of the runs that were made since.

    """
    path, day = history_file(), datetime.now(UTC).date().isoformat()
    with contextlib.suppress(OSError, UserError, ValueError):
        found = [gap for gap in gaps(forecast, records) if not gap.busy]
        if not found or (path.exists() and path.stat().st_size > _MOST_BYTES):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        for gap in found:
            append_line(path, PastGap(**dict(gap), day=day).model_dump_json())


def past_gaps() -> list[PastGap]:
    """Return what was kept; lines that cannot be read are passed over."""
    try:
        content = read_file(history_file(), most_bytes=2 * _MOST_BYTES)
    except OSError:
        return []
    found = []
    for line in content.splitlines():
        with contextlib.suppress(ValidationError):
            found.append(PastGap.model_validate_json(line))
    return found

"""How a comparison would run on this machine."""

from collections.abc import Callable
from dataclasses import dataclass

from showdown.core.forecast import Forecast
from showdown.core.spec import Comparison
from showdown.data.prepare import Prepared
from showdown.runner.prepared import Ready

LIMITS = (32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
"""Numbers of tokens that are chosen among."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """A comparison as it would run here."""

    ready: Ready
    prepared: Prepared
    forecast: Forecast

    @property
    def rows(self) -> int:
        """Return how many rows are used."""
        return len(self.prepared.rows.row_ids)


LookAt = Callable[[Comparison], Look]

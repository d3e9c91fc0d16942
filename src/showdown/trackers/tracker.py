"""The interface of a tracker, and the entries that it writes."""

from abc import ABC, abstractmethod
from pathlib import Path

from pydantic import Field

from showdown.core.strict import Strict

Plain = str | int | float | bool | None


class Series(Strict):
    """Numbers along one axis, such as `training` by step or `system` by second."""

    name: str
    axis: str
    """The key that gives a row's position; every row has it."""
    rows: list[dict[str, float]]
    """Rows in the order of the axis. Unknown values are left out."""


class Table(Strict):
    """The comparison's table."""

    columns: list[str]
    rows: list[list[Plain]]


class Entry(Strict):
    """One run as a tracker gets it: names and numbers only."""

    key: str
    """Identifier within the comparison: a letter, then letters, digits, `.`, `_` and `-`."""
    name: str
    status: str
    began_unix_seconds: float
    config: dict[str, Plain]
    series: list[Series] = Field(default_factory=list)
    scores: dict[str, float] = Field(default_factory=dict)
    table: Table | None = None
    """Set only in the entry that summarises the comparison."""


class Tracker(ABC):
    """Writes entries into a folder without a network, and uploads them on request."""

    def __init__(self, folder: Path, project: str) -> None:
        self.folder = folder
        self.project = project

    @abstractmethod
    def write(self, entry: Entry) -> None:
        """Write an entry; an earlier entry of the same key is replaced."""

    @abstractmethod
    def upload(self) -> str:
        """Send all entries to the place that the tool's own settings name, and return a line that says what was sent.

        Raises:
            UserError: when the settings name no place, with the fix.

        """

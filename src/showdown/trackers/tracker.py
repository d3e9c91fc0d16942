"""The contract of a tracker, and what it is given."""

from abc import ABC, abstractmethod
from pathlib import Path

from pydantic import Field

from showdown.core.strict import Strict

Plain = str | int | float | bool | None


class Series(Strict):
    """Numbers over one axis: `training` over steps, `system` over seconds."""

    name: str
    axis: str
    """Key of every row that says where it stands."""
    rows: list[dict[str, float]]
    """In the order of the axis. A row holds what is known there."""


class Table(Strict):
    """The comparison's table."""

    columns: list[str]
    rows: list[list[Plain]]


class Entry(Strict):
    """One run of a tracker: names and numbers alone."""

    key: str
    """Its identity within the comparison: a letter, then letters, digits, `.`, `_` and `-`."""
    name: str
    status: str
    began_unix_seconds: float
    config: dict[str, Plain]
    series: list[Series] = Field(default_factory=list)
    scores: dict[str, float] = Field(default_factory=dict)
    table: Table | None = None
    """Of the entry that sums the comparison up."""


class Tracker(ABC):
    """Writes entries into a folder without a network, and sends them on when it is asked to."""

    def __init__(self, folder: Path, project: str) -> None:
        self.folder = folder
        self.project = project

    @abstractmethod
    def write(self, entry: Entry) -> None:
        """Write an entry whole; what was written under its key before is replaced."""

    @abstractmethod
    def upload(self) -> str:
        """Send all that was written to where the tool's own settings say, and say in a line what was sent.

        Raises:
            UserError: when nobody has said where to, with the mend.

        """

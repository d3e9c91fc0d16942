"""What a display is, and the one that shows nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from showdown.core.events import Event
from showdown.core.metric import CLASSIFICATION
from showdown.core.record import RunRecord


@dataclass(frozen=True, kw_only=True)
class PlannedRun:
    """A run as a display names it."""

    run_id: str
    number: int
    """Of all runs of the comparison, from 1."""
    total: int
    name: str
    """Its arm, with its fold or repeat and its part of the training rows where there are several."""
    seed: int
    row: str = ""
    """Its arm alone."""
    task: str = CLASSIFICATION
    """What is learned from the examples."""


class Display(Protocol):
    """Shows how a comparison goes. Several runs may be going at the same time."""

    def data(self, notices: Sequence[str]) -> None:
        """Show what is to be known of the data, a line each."""

    def plan(self, runs: Sequence[PlannedRun], records: Sequence[RunRecord | None]) -> None:
        """Take in all runs, and the records of those that are finished already."""

    def start(self, run: PlannedRun) -> None:
        """Show that a run starts, or goes on after others had their turn."""

    def event(self, event: Event) -> None:
        """Show what happened in the run that the event names; called by other threads than the other methods."""

    def say(self, message: str) -> None:
        """Show a line."""

    def finish(self, run_id: str, record: RunRecord | None) -> None:
        """Show that a run is over, or that it waits for its next turn: it then has no record yet."""


class Silent:
    """Shows nothing."""

    def data(self, notices: Sequence[str]) -> None:
        """Do nothing."""

    def plan(self, runs: Sequence[PlannedRun], records: Sequence[RunRecord | None]) -> None:
        """Do nothing."""

    def start(self, run: PlannedRun) -> None:
        """Do nothing."""

    def event(self, event: Event) -> None:
        """Do nothing."""

    def say(self, message: str) -> None:
        """Do nothing."""

    def finish(self, run_id: str, record: RunRecord | None) -> None:
        """Do nothing."""

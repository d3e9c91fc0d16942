"""Showing how a comparison goes: a live table of all runs at a terminal, plain lines elsewhere."""

import contextlib
import time
from collections.abc import Sequence
from typing import Any, Protocol

from rich.console import Console
from rich.markup import escape

from showdown.core.record import RunRecord

_PLAIN_EVERY_SECONDS = 5.0


class Display(Protocol):
    """Whoever shows how a comparison goes."""

    def data(self, notices: Sequence[str]) -> None:
        """What is to be known of the data."""

    def plan(self, runs: Sequence[tuple[str, int]], records: Sequence[RunRecord | None]) -> None:
        """All runs (row and seed), and the records of those that are finished already."""

    def start(self, number: int, name: str, seed: int) -> None:
        """A run starts."""

    def event(self, event: dict[str, Any]) -> None:
        """Something happened in the run; samples of the system come from another thread."""

    def say(self, message: str) -> None:
        """A line for the user."""

    def finish(self, record: RunRecord | None) -> None:
        """The run is over."""


class Silent:
    """Shows nothing."""

    def data(self, notices: Sequence[str]) -> None:
        """Nothing."""

    def plan(self, runs: Sequence[tuple[str, int]], records: Sequence[RunRecord | None]) -> None:
        """Nothing."""

    def start(self, number: int, name: str, seed: int) -> None:
        """Nothing."""

    def event(self, event: dict[str, Any]) -> None:
        """Nothing."""

    def say(self, message: str) -> None:
        """Nothing."""

    def finish(self, record: RunRecord | None) -> None:
        """Nothing."""


class PlainLines:
    """Plain lines; also the common part of the live table."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._total = 0
        self._run = ""
        self._phase = ""
        self._last_step_line = 0.0

    def data(self, notices: Sequence[str]) -> None:
        """Print the notices."""
        for notice in notices:
            self.say(notice)

    def plan(self, runs: Sequence[tuple[str, int]], records: Sequence[RunRecord | None]) -> None:
        """Print how much there is to do."""
        self._total = len(runs)
        finished = sum(record is not None for record in records)
        if finished == len(runs):
            self.say("the one run is finished" if finished == 1 else f"all {len(runs)} runs are finished")
        elif finished:
            are = "is" if finished == 1 else "are"
            self.say(f"{finished} of {len(runs)} runs {are} finished; continuing")
        else:
            self.say(f"{len(runs)} run{'' if len(runs) == 1 else 's'} to do")

    def start(self, number: int, name: str, seed: int) -> None:
        """Print the run's number and name."""
        self._run = f"[{number}/{self._total}] {name}, seed {seed}"
        self._last_step_line = time.monotonic()
        self._phase = ""
        self.say(f"{self._run}: starting")

    def event(self, event: dict[str, Any]) -> None:
        """Print phases and messages, and a step every few seconds."""
        if event["kind"] == "say":
            self.say(f"{self._run}: {event['message']}")
        elif event["kind"] == "phase":
            if event["phase"] != self._phase:  # two of one name may follow each other
                self.say(f"{self._run}: {event['phase']}")
            self._phase = event["phase"]
        elif event["kind"] != "step":
            return
        else:
            self._phase = ""
            self._step(event)

    def _step(self, event: dict[str, Any]) -> None:
        if time.monotonic() - self._last_step_line >= _PLAIN_EVERY_SECONDS or event["step"] == event["steps"]:
            self._last_step_line = time.monotonic()
            self.say(f"{self._run}: {step_line(event)}")

    def say(self, message: str) -> None:
        """Print a line, broken between words at a terminal; one that is gone does not end the run."""
        with contextlib.suppress(OSError):
            self.console.print(escape(message), soft_wrap=not self.console.is_terminal, highlight=False)

    def finish(self, record: RunRecord | None) -> None:
        """Print the outcome."""
        if record:
            self.say(f"{self._run}: {outcome_line(record)}")

    def close(self) -> None:
        """Nothing is left on the screen."""


def step_line(event: dict[str, Any]) -> str:
    """Return stage, step, loss and time left of a training step."""
    left = event["seconds"] / event["step"] * (event["steps"] - event["step"])
    return (
        f"training step {event['step']}/{event['steps']}, epoch {event['epoch']}, loss {event['loss']:.3f}, "
        f"at most {int(left) // 60}:{int(left) % 60:02d} left"
    )


def outcome_line(record: RunRecord) -> str:
    """Return how a run ended, in a line."""
    if record.status != "completed":
        return f"{record.status}: {record.error}"
    return (
        f"accuracy {100 * (record.accuracy or 0):.1f} %, macro F1 {record.f1_macro:.3f}, "
        f"training {record.train_seconds:.0f} s, in all {record.total_seconds:.0f} s"
    )


def display_for(console: Console) -> PlainLines:
    """Return the live table at a terminal, plain lines elsewhere."""
    if not console.is_terminal:
        return PlainLines(console)
    from showdown.display.live import LiveTable

    return LiveTable(console)

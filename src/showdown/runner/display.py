"""Showing how a comparison goes: a live bar at a terminal, plain lines elsewhere."""

import time
from collections.abc import Sequence
from typing import Any, Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from showdown.core.record import RunRecord

_PLAIN_EVERY_SECONDS = 5.0


class Display(Protocol):
    """Whoever shows how a comparison goes."""

    def data(self, notices: Sequence[str]) -> None:
        """What is to be known of the data."""

    def plan(self, runs: Sequence[tuple[str, int]], finished: int) -> None:
        """All runs (row and seed), and how many of them are finished already."""

    def start(self, number: int, name: str, seed: int) -> None:
        """A run starts."""

    def event(self, event: dict[str, Any]) -> None:
        """Something happened in the run."""

    def say(self, message: str) -> None:
        """A line for the user."""

    def finish(self, record: RunRecord | None) -> None:
        """The run is over."""


class Silent:
    """Shows nothing."""

    def data(self, notices: Sequence[str]) -> None:
        """Nothing."""

    def plan(self, runs: Sequence[tuple[str, int]], finished: int) -> None:
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
    """Plain lines; also the common part of the live display."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._total = 0
        self._run = ""
        self._last_step_line = 0.0

    def data(self, notices: Sequence[str]) -> None:
        """Print the notices."""
        for notice in notices:
            self.say(notice)

    def plan(self, runs: Sequence[tuple[str, int]], finished: int) -> None:
        """Print how much there is to do."""
        self._total = len(runs)
        if finished == len(runs):
            self.say(f"all {len(runs)} runs are finished")
        elif finished:
            self.say(f"{finished} of {len(runs)} runs are finished; continuing")
        else:
            self.say(f"{len(runs)} runs to do")

    def start(self, number: int, name: str, seed: int) -> None:
        """Print the run's number and name."""
        self._run = f"[{number}/{self._total}] {name}, seed {seed}"
        self._last_step_line = time.monotonic()
        self.say(f"{self._run}: starting")

    def event(self, event: dict[str, Any]) -> None:
        """Print phases and messages, and a step every few seconds."""
        if event["kind"] == "say":
            self.say(f"{self._run}: {event['message']}")
        elif event["kind"] == "phase":
            self.say(f"{self._run}: {event['phase']}")
        elif event["kind"] != "step":
            return
        elif time.monotonic() - self._last_step_line >= _PLAIN_EVERY_SECONDS or event["step"] == event["steps"]:
            self._last_step_line = time.monotonic()
            self.say(f"{self._run}: {step_line(event)}")

    def say(self, message: str) -> None:
        """Print a line."""
        self.console.print(escape(message), soft_wrap=True, highlight=False)

    def finish(self, record: RunRecord | None) -> None:
        """Print the outcome."""
        if record:
            self.say(f"{self._run}: {outcome_line(record)}")


class LiveBar(PlainLines):
    """A bar of the run that is going, under the lines of those that are done."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[detail]}"),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None

    def start(self, number: int, name: str, seed: int) -> None:
        """Put up the bar."""
        self._run = f"[{number}/{self._total}] {name}, seed {seed}"
        self._task = self._progress.add_task(escape(self._run), total=None, detail="starting")
        self._progress.start()

    def event(self, event: dict[str, Any]) -> None:
        """Move the bar."""
        if self._task is None:
            return
        if event["kind"] == "say":
            self.say(f"{self._run}: {event['message']}")
        elif event["kind"] == "phase":
            self._progress.update(self._task, detail=event["phase"])
        elif event["kind"] == "step":
            self._progress.update(
                self._task, completed=event["step"], total=event["steps"], detail=escape(step_line(event))
            )

    def finish(self, record: RunRecord | None) -> None:
        """Take the bar down and print the outcome."""
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._progress.stop()
            self._task = None
        super().finish(record)


def step_line(event: dict[str, Any]) -> str:
    """Return stage, step, loss and time left of a training step."""
    left = event["seconds"] / event["step"] * (event["steps"] - event["step"])
    return (
        f"training step {event['step']}/{event['steps']}, epoch {event['epoch']}, loss {event['loss']:.3f}, "
        f"{int(left) // 60}:{int(left) % 60:02d} left"
    )


def outcome_line(record: RunRecord) -> str:
    """Return how a run ended, in a line."""
    if record.status != "completed":
        return f"{record.status}: {record.error}"
    return (
        f"accuracy {100 * (record.accuracy or 0):.1f} %, macro F1 {record.f1_macro:.3f}, "
        f"training {record.train_seconds:.0f} s, in all {record.total_seconds:.0f} s"
    )


def display_for(console: Console) -> Display:
    """Return the live bar at a terminal, plain lines elsewhere."""
    return LiveBar(console) if console.is_terminal else PlainLines(console)

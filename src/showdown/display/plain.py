"""Plain lines that show how a comparison goes."""

import contextlib
import time
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from showdown.core.events import Event, Message, PhaseStarted, Step
from showdown.core.headline import headline_of
from showdown.core.record import RunRecord
from showdown.display.display import PlannedRun

_STEP_LINE_SECONDS = 5.0


class _RunLines:
    """What is shown of one run, so that no line comes twice or too often."""

    def __init__(self, run: PlannedRun) -> None:
        self.title = f"[{run.number}/{run.total}] {run.name}, seed {run.seed}"
        self._phase = ""
        self._last_step_line = time.monotonic()

    def line(self, event: Event) -> str | None:
        """Return the line of an event; None for one that needs none. A step has one every few seconds."""
        if isinstance(event, Message):
            return f"{self.title}: {event.text}"
        if isinstance(event, PhaseStarted):
            repeated, self._phase = event.phase == self._phase, event.phase
            return None if repeated else f"{self.title}: {event.phase}"
        if isinstance(event, Step):
            self._phase = ""
            if time.monotonic() - self._last_step_line >= _STEP_LINE_SECONDS or event.step == event.steps:
                self._last_step_line = time.monotonic()
                return f"{self.title}: {step_line(event)}"
        return None


class PlainLines:
    """Plain lines, each with the name of its run; also the common part of the live table."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._lines: dict[str, _RunLines] = {}

    def data(self, notices: Sequence[str]) -> None:
        """Print the notices."""
        for notice in notices:
            self.say(notice)

    def plan(self, runs: Sequence[PlannedRun], records: Sequence[RunRecord | None]) -> None:
        """Print how much there is to do."""
        finished = sum(record is not None for record in records)
        if finished == len(runs):
            self.say("the one run is finished" if finished == 1 else f"all {len(runs)} runs are finished")
        elif finished:
            are = "is" if finished == 1 else "are"
            left = dict.fromkeys(run.row for run, record in zip(runs, records, strict=True) if record is None)
            rows = f"; left: {', '.join(filter(None, left))}" if any(left) else "; continuing"
            self.say(f"{finished} of {len(runs)} runs {are} finished{rows}")
        else:
            self.say(f"{len(runs)} run{'' if len(runs) == 1 else 's'} to do")

    def start(self, run: PlannedRun) -> None:
        """Print that a run starts."""
        lines = self._lines[run.run_id] = _RunLines(run)
        self.say(f"{lines.title}: starting")

    def event(self, event: Event) -> None:
        """Print phases and messages, and a step every few seconds."""
        line = self._lines[event.run_id].line(event)
        if line is not None:
            self.say(line)

    def say(self, message: str) -> None:
        """Print a line, broken between words at a terminal. A terminal that is gone does not end the run."""
        with contextlib.suppress(OSError):
            self.console.print(escape(message), soft_wrap=not self.console.is_terminal, highlight=False)

    def finish(self, run_id: str, record: RunRecord | None) -> None:
        """Print the outcome."""
        if record:
            self.say(f"{self._lines[run_id].title}: {outcome_line(record)}")

    def close(self) -> None:
        """Do nothing: plain lines stay on the screen."""


def step_line(step: Step) -> str:
    """Return step, epoch, loss and time left of a training step."""
    left = step.train_seconds / step.step * (step.steps - step.step)
    return (
        f"training step {step.step}/{step.steps}, epoch {step.epoch}, loss {step.loss:.3f}, "
        f"at most {int(left) // 60}:{int(left) % 60:02d} left"
    )


def outcome_line(record: RunRecord) -> str:
    """Return how a run ended, in a line."""
    if record.status != "completed":
        return f"{record.status}: {record.error}"
    scores = [f"{metric.title} {metric.shown(value)}" for metric, value in headline_of(record).items()]
    return ", ".join([*scores, f"training {record.train_seconds:.0f} s", f"in all {record.total_seconds:.0f} s"])

"""The live table of a comparison's runs at a terminal."""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from showdown.core.events import Event, Message, SystemSample
from showdown.core.headline import headline_metrics, score_on_record, short_heading
from showdown.core.metric import CLASSIFICATION, Metric
from showdown.core.progress import ProgressPoint, progress_after
from showdown.core.record import RunRecord
from showdown.display.display import PlannedRun
from showdown.display.plain import PlainLines, outcome_line

_REFRESH_PER_SECOND = 2
"""Drawing costs processor time that the run could use."""
_OTHER_LINES = 7
"""Of the screen: heading, rules, the lines that say what is left out, and the line beneath."""
_FEWEST_ROWS = 3
_SHORTEST_NAME = 6
_ANY_WIDTH = 10_000
_STATE_WIDTH = len("training, epoch 10")
_STAGES = {"tune": "tuning", "train": "training", "score": "scoring"}


@dataclass(kw_only=True)
class Row:
    """One run of the table."""

    name: str
    seed: int
    record: RunRecord | None = None
    progress: ProgressPoint | None = None
    memory_gb: float | None = None
    """On the GPU where there is one, otherwise of the process."""
    running: bool = False


class LiveTable(PlainLines):
    """All runs: waiting, running with stage, step, loss, rate, memory and time left, or done with their scores.

    It disappears when the comparison ends, and the comparison's results take its place.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._rows: dict[str, Row] = {}
        self._task = CLASSIFICATION
        self._began = time.monotonic()
        self._live: Live | None = None

    def plan(self, runs: Sequence[PlannedRun], records: Sequence[RunRecord | None]) -> None:
        """Take the runs in."""
        super().plan(runs, records)
        self._rows = {
            run.run_id: Row(name=run.name, seed=run.seed, record=record)
            for run, record in zip(runs, records, strict=True)
        }
        self._task = runs[0].task if runs else self._task

    def start(self, run: PlannedRun) -> None:
        """Put the table up, and mark the run."""
        self._rows[run.run_id].running = True
        self.show()

    def show(self) -> None:
        """Put the table up; once it is up it draws itself."""
        if self._live is None:
            self._live = Live(
                get_renderable=self.drawn,
                console=self.console,
                refresh_per_second=_REFRESH_PER_SECOND,
                transient=True,
            )
            self._live.start()

    def event(self, event: Event) -> None:
        """Take in what happened."""
        row = self._rows[event.run_id]
        if isinstance(event, Message):
            self.say(f"{row.name}, seed {row.seed}: {event.text}")
        elif isinstance(event, SystemSample):
            gpu, ram = event.sample.gpu_memory_gb, event.sample.ram_gb
            row.memory_gb = gpu if gpu is not None else ram if ram is not None else row.memory_gb
        else:
            row.progress = progress_after(row.progress, event)

    def finish(self, run_id: str, record: RunRecord | None) -> None:
        """Show the outcome, in full of a run that did not complete; take the table down after the last run."""
        row = self._rows[run_id]
        row.record, row.running = record, False
        if record and record.status != "completed":
            self.say(f"{row.name}, seed {row.seed}: {outcome_line(record)}")
        if all(row.record is not None for row in self._rows.values()):
            self.close()

    def close(self) -> None:
        """Take the table down."""
        live, self._live = self._live, None
        if live is not None:
            with contextlib.suppress(OSError):  # the terminal is gone
                live.stop()

    @property
    def standing(self) -> str:
        """How many runs are done, and for how long they have been going."""
        done = sum(row.record is not None for row in self._rows.values())
        return f"{done} of {len(self._rows)} runs done, {clock(time.monotonic() - self._began)} elapsed"

    @property
    def plain_cells(self) -> tuple[list[str], list[list[str]]]:
        """Headings, and the cells of every run as it stands."""
        rows, scores = [*self._rows.values()], self._scores_of_task()
        headings = [heading for heading, *_ in _columns(scores)]
        return headings, [[cell.plain for cell in _cells(row, scores, len(row.name))] for row in rows]

    def drawn(self) -> Group:
        """Return the table as it stands, no higher than the screen."""
        rows = [*self._rows.values()]
        first, last = self._window(rows)
        table = self._fitting(rows[first:last])
        above = [Text(f"{first} more above", style="dim")] if first else []
        below = [Text(f"{len(rows) - last} more below", style="dim")] if last < len(rows) else []
        return Group(*above, table, *below, Text(self.standing))

    def _fitting(self, rows: Sequence[Row]) -> Table:
        """Return the table of runs, at most as wide as the screen: with rules, else without, else with names cut."""
        seeds = len({row.seed for row in self._rows.values()}) > 1
        longest = max((len(row.name) for row in rows), default=0)
        scores = self._scores_of_task()
        for table in (_table(rows, scores, longest), found := _compact(rows, scores, longest, seeds=seeds)):
            if self._too_wide(table) <= 0:
                return table
        return _compact(rows, scores, max(_SHORTEST_NAME, longest - self._too_wide(found)), seeds=seeds)

    def _scores_of_task(self) -> Sequence[Metric]:
        return headline_metrics(self._task, [row.record for row in self._rows.values() if row.record])

    def _too_wide(self, table: Table) -> int:
        """Return by how many columns of the screen a table is too wide."""
        natural = Measurement.get(self.console, self.console.options.update(max_width=_ANY_WIDTH), table)
        return natural.maximum - self.console.width

    def _window(self, rows: Sequence[Row]) -> tuple[int, int]:
        """Return which rows fit on the screen: those around the runs that are going, from the first of them on."""
        room = max(_FEWEST_ROWS, self.console.height - _OTHER_LINES)
        running = [index for index, row in enumerate(rows) if row.running] or [0]
        shown = [index for index in running if index - running[0] < room]
        center = (shown[0] + shown[-1] + 1) // 2
        first = max(0, min(center - room // 2, shown[0], len(rows) - room))
        return first, min(len(rows), first + room)


_COLUMNS = (
    ("Run", "Run", False),
    ("Seed", "Seed", True),
    ("State", "State", False),
    ("Step", "Step", True),
    ("Loss", "Loss", True),
    ("Steps/s", "Steps/s", True),
    ("Memory GB", "GB", True),
    ("Left", "Left", True),
)
"""Headings, the same where room is short, and whether a column is of numbers; scores follow."""
_SEED = 1
_GOING = len(_COLUMNS) - 2
"""Cells between the seed and the scores."""


def _columns(scores: Sequence[Metric]) -> list[tuple[str, str, bool]]:
    return [*_COLUMNS, *((metric.heading, short_heading(metric), True) for metric in scores)]


def _table(rows: Sequence[Row], scores: Sequence[Metric], most: int) -> Table:
    table = Table(expand=False, pad_edge=False)
    for heading, _, right in _columns(scores):
        _column(table, heading, right=right)
    for row in rows:
        table.add_row(*_cells(row, scores, most))
    return table


def _compact(rows: Sequence[Row], scores: Sequence[Metric], most: int, *, seeds: bool) -> Table:
    columns = _columns(scores)
    kept = [place for place in range(len(columns)) if seeds or place != _SEED]
    table = Table(box=None, expand=False, pad_edge=False, padding=(0, 1, 0, 0))
    for place in kept:
        _, heading, right = columns[place]
        _column(table, heading, right=right)
    for row in rows:
        cells = _cells(row, scores, most)
        table.add_row(*(cells[place] for place in kept))
    return table


def _column(table: Table, heading: str, *, right: bool) -> None:
    least = _STATE_WIDTH if heading == "State" else None  # so that the table does not jump with each phase
    table.add_column(heading, justify="right" if right else "left", no_wrap=True, min_width=least)


def _cells(row: Row, scores: Sequence[Metric], most: int) -> list[Text]:
    name = row.name if len(row.name) <= most else f"{row.name[: most - 1]}\u2026"
    style = "" if row.running or row.record else "dim"
    if row.record is not None:
        found = [*_outcome(row.record), *_scores(row.record, scores)]
    elif row.running:
        found = [*_going(row.progress, row.memory_gb), *[""] * len(scores)]
    else:
        state = "trained" if row.progress and row.progress.stage == "train" else "waiting"
        found = [state, *[""] * (_GOING - 1 + len(scores))]
    return [Text(cell, style=style) for cell in (name, str(row.seed), *found)]


def _scores(record: RunRecord, scores: Sequence[Metric]) -> list[str]:
    values = [(metric, score_on_record(record, metric)) for metric in scores]
    return ["" if value is None else metric.cell(value) for metric, value in values]


def _outcome(record: RunRecord) -> list[str]:
    memory = record.peak_memory_device_gb
    shown = f"{memory.run:.2f}" if memory else ""
    return ["done" if record.status == "completed" else record.status, "", "", "", shown, ""]


def _going(progress: ProgressPoint | None, memory_gb: float | None) -> list[str]:
    memory = "" if memory_gb is None else f"{memory_gb:.2f}"
    if progress is None:
        return ["starting", "", "", "", memory, ""]
    if progress.step is None:
        return [progress.phase or _STAGES[progress.stage], "", "", "", memory, ""]
    rate, left = progress.steps_per_second, progress.left_seconds
    return [
        f"{_STAGES[progress.stage]}, epoch {progress.epoch}",
        f"{progress.step}/{progress.steps}",
        f"{progress.loss:.3f}",
        "" if rate is None else f"{rate:.1f}" if rate >= 1 else f"{rate:.2f}",
        memory,
        "" if left is None else clock(left),
    ]


def clock(seconds: float) -> str:
    """Return a time as minutes and seconds, with hours where there are any."""
    whole = int(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"

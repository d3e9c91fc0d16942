"""The state of a comparison, read from its folder: numbers and names, no text of the data.

Another process writes the files meanwhile. An unchanged file is not read again, and of a growing file only the new part
is read.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from showdown.core.curve import read_curve
from showdown.core.errors import UserError
from showdown.core.files import read_file
from showdown.core.headline import headline_metrics, score_on_record
from showdown.core.metric import Metric
from showdown.core.progress import PROGRESS_FILE, ProgressPoint
from showdown.core.record import Results, RunRecord
from showdown.core.samples import Sample
from showdown.runner.stage_trace import TRACE_FILE
from showdown.runner.store import Store, parse_results

MOST_POINTS = 200
"""Of a curve on the page."""
_MOST_READ_BYTES = 4_000_000
"""Of a growing file at one time; a line is far shorter."""
_MOST_LINES = 200_000
"""Of a growing file that are kept; a training writes one a second."""
_SYSTEM_FILE = "system.jsonl"


class GrowingFile:
    """The whole lines of a file of JSON objects that another process appends to."""

    def __init__(self, path: Path, parse: Callable[[Any], Any]) -> None:
        self._path = path
        self._parse = parse
        self._offset = 0
        self._found: list[Any] = []

    def read(self) -> list[Any]:
        """Return all lines so far, without those that cannot be parsed."""
        while content := self._next():
            for line in content.splitlines():
                try:
                    self._found.append(self._parse(json.loads(line)))
                except (ValueError, RecursionError):
                    continue
            del self._found[:-_MOST_LINES]
        return self._found

    def _next(self) -> bytes:
        """Return whole lines that are new, at most as many as are read at one time; a longer line is skipped."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return b""
        try:
            content = os.pread(descriptor, _MOST_READ_BYTES, self._offset)
        except OSError:
            return b""
        finally:
            os.close(descriptor)
        whole = content.rfind(b"\n") + 1
        if not whole and len(content) == _MOST_READ_BYTES:
            whole = len(content)
        self._offset += whole
        return content[:whole]


class Watched:
    """One comparison's folder, as the page shows it."""

    def __init__(self, output: Path) -> None:
        self._store = Store(output)
        self._results: tuple[int, Results] | None = None
        self._problem: str | None = None
        self._curves: dict[str, tuple[int, dict[str, Any]]] = {}
        self._growing: dict[Path, GrowingFile] = {}

    def state(self) -> dict[str, Any]:
        """Return the state of the comparison and of its runs, ready for JSON."""
        in_use, results = self._store.in_use(), self._read_results()
        if results is None:
            nothing: dict[str, Any] = {"headings": [], "runs": []}
            return {"name": None, "in_use": in_use, "complete": False, **nothing, "problem": self._problem}
        running = self._running(results) if in_use else frozenset()
        folds, metrics = results.data.get("partitions", 1), headline_metrics(results.task, results.runs)
        return {
            "name": results.name,
            "in_use": in_use,
            "complete": not in_use and all(run.status != "waiting" for run in results.runs),
            "headings": [metric.heading for metric in metrics],
            "runs": [self._run(run, folds, running, metrics) for run in results.runs],
        }

    def _read_results(self) -> Results | None:
        path = self._store.results_file
        try:
            changed = path.stat().st_mtime_ns
            if self._results is None or self._results[0] != changed:
                self._results = (changed, parse_results(path, read_file(path)))
        except OSError:
            self._problem = None  # nothing is written yet
            return None
        except UserError as error:
            self._problem = str(error)
            return None
        return self._results[1]

    def _running(self, results: Results) -> frozenset[str]:
        """Return the runs that are going: those that are not over and have the trace of a stage."""
        return frozenset(
            run.run_id
            for run in results.runs
            if run.status == "waiting" and (self._store.run_folder(run.run_id) / TRACE_FILE).is_file()
        )

    def _run(self, run: RunRecord, folds: int, running: frozenset[str], metrics: Sequence[Metric]) -> dict[str, Any]:
        part = f"{run.partition + 1} of {folds}" if folds > 1 else ""
        share = "" if run.spec.train_fraction == 1.0 else f"{100 * run.spec.train_fraction:g} % of the rows"
        base = {"name": run.name, "seed": run.seed, "part": ", ".join(filter(None, (part, share)))}
        if run.run_id in running:
            return {**base, **self._progress(run.run_id)}
        if run.status == "waiting":
            return {**base, "state": "waiting"}
        memory = run.peak_memory_device_gb
        return {
            **base,
            "state": "done" if run.status == "completed" else run.status,
            "accuracy": run.accuracy,
            "f1_macro": run.f1_macro,
            "scores": [_cell(metric, score_on_record(run, metric)) for metric in metrics],
            "train_seconds": run.train_seconds,
            "memory_gb": memory.run if memory else None,
            **self._finished_curve(run),
        }

    def _progress(self, run_id: str) -> dict[str, Any]:
        folder = self._store.run_folder(run_id)
        points: list[ProgressPoint] = self._lines(folder / PROGRESS_FILE, ProgressPoint.model_validate)
        samples: list[Sample] = self._lines(folder / _SYSTEM_FILE, Sample.model_validate)
        found: dict[str, Any] = {"state": "running"}
        if points:
            found |= _training(points)
        if samples:
            # Between two stages there is no process to read: the last reading stays.
            last = next((one for one in reversed(samples) if one.ram_gb is not None), samples[-1])
            memory = last.gpu_memory_gb if last.gpu_memory_gb is not None else last.ram_gb
            found |= last.model_dump(exclude={"phase", "seconds", "gpu_energy_joules"}) | {"memory_gb": memory}
        return found

    def _lines(self, path: Path, parse: Callable[[Any], Any]) -> list[Any]:
        return self._growing.setdefault(path, GrowingFile(path, parse)).read()

    def _finished_curve(self, run: RunRecord) -> dict[str, Any]:
        if run.curve_file is None:
            return {}
        path = self._store.root / run.curve_file
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return {}
        if self._curves.get(run.run_id, (None, {}))[0] != changed:
            self._curves[run.run_id] = (changed, _curve(path))
        return self._curves[run.run_id][1]


def _cell(metric: Metric, value: float | None) -> str:
    return "" if value is None else metric.cell(value)


def _curve(path: Path) -> dict[str, Any]:
    """Return loss by step, and macro F1 by step where it was measured; nothing where the file is no curve."""
    written = read_curve(path)
    if written is None:
        return {}
    points = list(zip(written["training"]["step"], written["training"]["loss"], strict=True))
    scores = [
        (epoch["step"], epoch["f1_macro"]) for epoch in written["validation"] if epoch.get("f1_macro") is not None
    ]
    return {"loss_curve": _thinned(points), "f1_curve": _thinned(scores)}


def _training(progress: Sequence[ProgressPoint]) -> dict[str, Any]:
    """Return how far a training is and its loss so far; nothing where the numbers are too large to be true."""
    now = progress[-1]
    try:
        rates = {"steps_per_second": now.steps_per_second, "left_seconds": now.left_seconds}
        return {**now.model_dump(), **rates, "loss_curve": _thinned(_last_training(progress))}
    except OverflowError:  # of a number of steps that no training has
        return {}


def _last_training(progress: Sequence[ProgressPoint]) -> list[tuple[float, float]]:
    """Return steps and losses of the training that is going: each trial of a search begins with step 1 again."""
    points: list[tuple[float, float]] = []
    for point in progress:
        if point.step is None or point.loss is None:
            continue
        while points and points[-1][0] >= point.step:
            points.pop()
        points.append((point.step, point.loss))
    return points


def _thinned(points: Sequence[tuple[float, float]]) -> list[list[float]]:
    """Return at most so many points, the first and the last among them."""
    if len(points) > MOST_POINTS:
        points = [points[round(turn * (len(points) - 1) / (MOST_POINTS - 1))] for turn in range(MOST_POINTS)]
    return [list(point) for point in points]

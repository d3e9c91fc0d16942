"""The comparisons below a folder, a line each."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import Literal

from pydantic import ValidationError

from showdown.core.bounds import DataFacts, RequestedComparison
from showdown.core.errors import UserError
from showdown.core.files import read_file
from showdown.core.headline import headline_metrics, score_on_record
from showdown.core.metric import CLASSIFICATION
from showdown.core.record import GB, Results
from showdown.core.strict import Strict
from showdown.runner.parcel import ARTIFACT
from showdown.runner.store import Store, read_results

DEEPEST = 4
"""Levels below the folder that are looked through."""
_SKIPPED = frozenset({"node_modules", "site-packages", "__pycache__"})

State = Literal["finished", "running", "interrupted", "unreadable"]


class Listed(Strict):
    """A comparison's folder in short."""

    folder: str
    name: str
    state: State
    why: str | None = None
    """Of one that cannot be read."""
    task: str = CLASSIFICATION
    model: str = ""
    rows: int | None = None
    """Used of the data; None before they are known. So for the next."""
    runs: int | None = None
    ended: int = 0
    """Runs that completed, or ended and are not tried again by themselves."""
    failed: int = 0
    """Of these, runs that did not complete."""
    best: str | None = None
    """The arm with the best mean; None before a run has completed. So for the next two. A verdict says more."""
    score: str | None = None
    metric: str | None = None
    size_gb: float
    models_gb: float
    """Of saved models, a part of the whole size."""
    changed: str
    """When its results were written last: ISO 8601, UTC."""


def comparisons_in(root: Path) -> list[Listed]:
    """Return the comparisons in a folder and up to four levels below it, the newest first.

    Raises:
        UserError: when there is no such folder.

    """
    if not root.is_dir():
        raise UserError(f"no folder {root}; name one that holds comparisons")
    found = [one for folder in _folders(root) if (one := _listed(folder)) is not None]
    return sorted(found, key=lambda one: one.changed, reverse=True)


def _folders(root: Path) -> Iterator[Path]:
    """Yield folders that may hold a comparison; nothing is looked for within one, or behind a link."""
    for place, inner, files in os.walk(root):
        folder = Path(place)
        if "comparison.json" in files or "results.json" in files:
            inner.clear()
            yield folder
        elif len(folder.relative_to(root).parts) >= DEEPEST:
            inner.clear()
        inner[:] = sorted(name for name in inner if not name.startswith(".") and name not in _SKIPPED)


def _listed(folder: Path) -> Listed | None:
    """Return a comparison in short; None for a folder of something else."""
    store = Store(folder)
    asked = _asked(store)
    size, models = sizes_gb(folder)
    written = max(path.stat().st_mtime for path in (store.results_file, store.comparison_file) if path.is_file())
    busy = store.in_use()
    found = Listed(
        folder=str(folder),
        name=asked.name if asked and asked.name else folder.name,
        state="running" if busy else "interrupted",
        size_gb=size,
        models_gb=models,
        changed=datetime.fromtimestamp(written, UTC).isoformat(timespec="seconds"),
    )
    if not store.results_file.is_file():
        return found if asked else None
    try:
        results = read_results(folder)
    except UserError as error:
        # Other programs write files of this name, too.
        return found.model_copy(update={"state": "unreadable", "why": str(error)}) if asked else None
    waiting = sum(run.status == "waiting" for run in results.runs)
    model = results.comparison.get("model")
    data = DataFacts.model_validate(results.data)
    more = {
        "name": results.name,
        "state": "running" if busy else "interrupted" if waiting else "finished",
        "task": results.task,
        "model": str(model.get("id", "")) if isinstance(model, dict) else "",
        "rows": data.audit.rows_used if data.audit else None,
        "runs": len(results.runs),
        "ended": len(results.runs) - waiting,
        "failed": sum(run.status not in ("completed", "waiting") for run in results.runs),
    }
    return found.model_copy(update={**more, **_best(results)})


def _asked(store: Store) -> RequestedComparison | None:
    try:
        return RequestedComparison.model_validate_json(read_file(store.comparison_file))
    except (OSError, ValidationError):
        return None


def _best(results: Results) -> dict[str, str]:
    """Return the arm with the best mean of the task's first score over its completed runs; empty where there is none.

    The floor of a comparison, such as the most frequent label, wins only where nothing else has a score.
    """
    runs = [run for run in results.full_size.runs if run.status == "completed"]
    metric = next(iter(headline_metrics(results.task, runs)), None)
    if metric is None or not runs:
        return {}
    scores: dict[str, list[float]] = {}
    for run in sorted(runs, key=lambda run: run.traits.role == "floor"):
        score = score_on_record(run, metric)
        if score is not None:
            scores.setdefault(run.name, []).append(score)
    means = {name: fmean(found) for name, found in scores.items()}
    best = metric.best(means, means.get)
    return {} if best is None else {"best": best, "score": metric.shown(means[best]), "metric": metric.title}


def sizes_gb(folder: Path) -> tuple[float, float]:
    """Return the size of a comparison's folder, and of the saved models in it, in GB of 1e9 bytes."""
    models = sum(map(size_bytes, Store(folder).runs_folder.glob(f"*/{ARTIFACT}")))
    return size_bytes(folder) / GB, models / GB


def size_bytes(folder: Path) -> int:
    """Return the bytes of all files in a folder. Links are not followed."""
    total = 0
    for place, _, files in os.walk(folder):
        for name in files:
            try:
                total += (Path(place) / name).lstat().st_size
            except OSError:
                continue  # removed meanwhile: a comparison may be running
    return total

"""The comparison table as plain cells, the same for every format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from showdown.core.record import Results, RunRecord


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its heading and what it shows of a completed run."""

    heading: str
    value: Callable[[RunRecord], float | None]
    show: Callable[[float], str]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Headings and cells; a row that did not complete says so in its second cell."""

    above: list[str]
    """What must be read before the table."""
    headings: list[str]
    rows: list[list[str]]
    below: list[str]


def _training_peak(record: RunRecord) -> float | None:
    peak = record.peak_memory_allocated_gb
    return peak.training if peak else None


COLUMNS: tuple[Column, ...] = (
    Column(heading="Accuracy %", value=lambda run: 100 * (run.accuracy or 0.0), show=lambda value: f"{value:.1f}"),
    Column(heading="Macro F1", value=lambda run: run.f1_macro, show=lambda value: f"{value:.3f}"),
    Column(heading="Train s", value=lambda run: run.train_seconds, show=lambda value: f"{value:.1f}"),
    Column(heading="Total s", value=lambda run: run.total_seconds, show=lambda value: f"{value:.1f}"),
    Column(heading="Memory GB", value=_training_peak, show=lambda value: f"{value:.2f}"),
    Column(
        heading="Trained params", value=lambda run: run.trainable_parameters, show=lambda value: counted(int(value))
    ),
    Column(heading="Saved MB", value=lambda run: run.model_size_mb, show=lambda value: f"{value:.1f}"),
    Column(heading="Latency ms", value=lambda run: run.latency_p50_ms, show=lambda value: f"{value:.1f}"),
)


def counted(number: int) -> str:
    """Return a count with three significant digits and K, M or B."""
    for size, unit in ((1_000_000_000, "B"), (1_000_000, "M"), (1_000, "K")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)


def comparison_table(results: Results) -> Table:
    """Lay out a comparison's runs, one row for each name, runs of several seeds as their mean and range."""
    names = list(dict.fromkeys(run.name for run in results.runs))
    return Table(
        above=_above(results),
        headings=["Method", *(column.heading for column in COLUMNS)],
        rows=[_row(name, [run for run in results.runs if run.name == name]) for name in names],
        below=_below(results),
    )


def _row(name: str, runs: Sequence[RunRecord]) -> list[str]:
    done = [run for run in runs if run.status == "completed"]
    title = runs[0].title if runs[0].name == runs[0].method else f"{runs[0].title} ({name})"
    if not done:
        return [title, runs[0].status, *([""] * (len(COLUMNS) - 1))]
    lost = len(runs) - len(done)
    return [
        title + (f" ({lost} of {len(runs)} runs lost)" if lost else ""),
        *(_cell(column, done) for column in COLUMNS),
    ]


def _cell(column: Column, runs: Sequence[RunRecord]) -> str:
    values = [value for run in runs if (value := column.value(run)) is not None]
    if not values:
        return "-"
    shown = column.show(fmean(values))
    low, high = column.show(min(values)), column.show(max(values))
    return shown if low == high else f"{shown} ({low} to {high})"


def _above(results: Results) -> list[str]:
    lines = []
    if any(run.allow_leakage for run in results.runs):
        lines.append(
            "LEAKAGE ALLOWED: copies of training rows are among the test rows (allow_leakage: true). "
            "These scores do not say how a method does on new texts."
        )
    tested = next((sum(map(sum, run.confusion_matrix)) for run in results.runs if run.confusion_matrix), 0)
    seeds, splits = len({run.seed for run in results.runs}), len({run.partition for run in results.runs})
    if tested and splits == 1:
        lines.append(
            f"{'One split' if splits == 1 else f'{splits} splits'}, {_some(seeds, 'seed')}, {tested} test rows: "
            f"one row is {100 / tested:.1f} points, so small differences here are noise."
        )
    return lines


def _some(count: int, noun: str) -> str:
    return f"one {noun}" if count == 1 else f"{count} {noun}s"


def _below(results: Results) -> list[str]:
    done = [run for run in results.runs if run.status == "completed"]
    lines = []
    kinds = {run.memory_kind for run in done}
    if "process resident set" in kinds:
        lines.append(
            "Memory: peak resident set of the process while training, on a CPU, libraries included (GB of 1e9 bytes)."
        )
    if "gpu" in kinds:
        lines.append("Memory: peak allocated on the GPU while training (GB of 1e9 bytes).")
    lines.append(
        "Train: forward, backward, step and batching. Total: every phase, with loading, validation, saving, "
        "reloading and scoring. Latency: one text, median."
    )
    lines += list(dict.fromkeys(f"{run.name}: {run.status}: {run.error}" for run in results.runs if run.error))
    lines += list(dict.fromkeys(f"{run.name}: {note}" for run in results.runs for note in run.notes))
    return lines + differences(results)


def differences(results: Results) -> list[str]:
    """Say what differs between the rows: each method's own settings, and whatever the engine chose unlike."""
    lines = []
    for name, run in {run.name: run for run in results.runs}.items():
        if run.spec.settings:
            lines.append(f"Settings of {name}: {_settings(run.spec.settings)}.")
    chosen: dict[str, dict[str, list[str]]] = {}
    for run in results.runs:
        for key, value in run.chosen.items():
            if key != "epoch":
                names = chosen.setdefault(key, {}).setdefault(str(value), [])
                if run.name not in names:
                    names.append(run.name)
    for key, values in chosen.items():
        if len(values) > 1:
            lines.append(
                f"Differs, {key}: " + "; ".join(f"{value} ({', '.join(who)})" for value, who in values.items())
            )
    return lines


def _settings(settings: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in settings.items())

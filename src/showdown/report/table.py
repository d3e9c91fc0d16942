"""The comparison table as plain cells, the same for every format."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from showdown.core.record import Results, RunRecord
from showdown.verdict.confounds import Confound
from showdown.verdict.model import Verdict
from showdown.verdict.words import FLOOR


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its heading and what it shows of a completed run."""

    heading: str
    value: Callable[[RunRecord], float | None]
    show: Callable[[float], str]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Headings and cells; a row that did not complete says so in its second cell, and its others are empty."""

    above: list[str]
    """What must be read before the table."""
    headings: list[str]
    rows: list[list[str]]
    best: frozenset[tuple[int, int]]
    """Row and column of the cells to mark: the highest score, the least of what costs; the majority label, which does
    nothing, is not asked."""
    verdict: list[str]
    """What the numbers say, in sentences, the most important first."""
    below: list[str]
    """How to read the columns, what failed, what differs between rows beyond the method."""


def _training_peak(record: RunRecord) -> float | None:
    peak = record.peak_memory_allocated_gb
    return peak.training if peak else None


COLUMNS: tuple[Column, ...] = (
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


def comparison_table(results: Results, verdict: Verdict) -> Table:
    """Lay out a comparison, one row for each name.

    Scores are those of the verdict: over all tested rows, mean over seeds. Times and sizes are means of a run.
    """
    results = results.full_size
    runs = {
        name: [run for run in results.runs if run.name == name] for name in dict.fromkeys(r.name for r in results.runs)
    }
    rows = [_row(name, found, verdict) for name, found in runs.items()]
    return Table(
        above=_above(results, verdict),
        headings=["Method", "Accuracy %", "95 % interval", "Macro F1", *(column.heading for column in COLUMNS)],
        rows=rows,
        best=_best(rows, list(runs.values()), verdict),
        verdict=[*verdict.sentences, *verdict.assumptions],
        below=[*_below(results), *differences(verdict.confounds)],
    )


def _row(name: str, runs: Sequence[RunRecord], verdict: Verdict) -> list[str]:
    done = [run for run in runs if run.status == "completed"]
    title = runs[0].title if runs[0].name == runs[0].method else f"{runs[0].title} ({name})"
    judged = next(row for row in verdict.rows if row.name == name)
    if judged.accuracy is None or judged.f1_macro is None:
        return [title, runs[0].status, *([""] * (len(COLUMNS) + 2))]
    lost = len(runs) - len(done)
    return [
        title + (f" ({lost} of {len(runs)} runs lost)" if lost else ""),
        f"{100 * judged.accuracy.value:.1f}",
        f"{100 * judged.accuracy.low:.0f} to {100 * judged.accuracy.high:.0f}",
        f"{judged.f1_macro.value:.3f}",
        *(_cell(column, done) for column in COLUMNS),
    ]


def _best(
    rows: Sequence[Sequence[str]], runs: Sequence[Sequence[RunRecord]], verdict: Verdict
) -> frozenset[tuple[int, int]]:
    """Find the best of each column; cells that show the same share the mark, and a column all alike has none."""
    judged = {row.name: row for row in verdict.rows}
    scores = [judged[found[0].name] for found in runs]
    measures: dict[int, list[float | None]] = {
        1: [-row.accuracy.value if row.accuracy else None for row in scores],
        3: [-row.f1_macro.value if row.f1_macro else None for row in scores],
    }
    measures |= {4 + place: [_mean(column, found) for found in runs] for place, column in enumerate(COLUMNS)}
    marked = set()
    for place, values in measures.items():
        asked = {
            row: value
            for row, value in enumerate(values)
            if value is not None and scores[row].accuracy and scores[row].method != FLOOR
        }
        shown = {rows[row][place] for row in asked}
        if len(shown) > 1:
            best = rows[min(asked, key=lambda row: asked[row])][place]
            marked |= {(row, place) for row in asked if rows[row][place] == best}
    return frozenset(marked)


def _cell(column: Column, runs: Sequence[RunRecord]) -> str:
    value = _mean(column, runs)
    return "-" if value is None else column.show(value)


def _mean(column: Column, runs: Sequence[RunRecord]) -> float | None:
    values = [value for run in runs if run.status == "completed" and (value := column.value(run)) is not None]
    return fmean(values) if values else None


def _above(results: Results, verdict: Verdict) -> list[str]:
    lines = []
    if any(run.allow_leakage for run in results.runs):
        lines.append(
            "LEAKAGE ALLOWED: copies of training rows are among the test rows (allow_leakage: true). "
            "These scores do not say how a method does on new texts."
        )
    judged = [row for row in verdict.rows if row.accuracy]
    if judged:
        best = max(judged, key=lambda row: row.test_rows)
        lines.append(
            f"{_some(best.partitions, 'split')}, {_some(best.seeds, 'seed')}, {best.test_rows} test rows: "
            f"one row is {100 / best.test_rows:.1f} points, so small differences here are noise."
        )
    return lines


def _some(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"


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
    lines += _of_all_runs(done)
    lines += list(dict.fromkeys(f"{run.name}: {run.status}: {run.error}" for run in results.runs if run.error))
    lines += list(dict.fromkeys(f"{run.name}: {note}" for run in results.runs for note in run.notes))
    for name, run in {run.name: run for run in results.runs}.items():
        shown = {key: value for key, value in run.spec.settings.items() if value is not None}
        if run.tuning_seconds is not None:
            shown.pop("learning_rate", None)
        if shown:
            lines.append(f"Settings of {name}: {', '.join(f'{key} {value}' for key, value in shown.items())}.")
    return lines + _tuning(done)


def _tuning(done: Sequence[RunRecord]) -> list[str]:
    """Say what was tuned, what was chosen and what it took, a line for each row that was."""
    lines = []
    for name in dict.fromkeys(run.name for run in done if run.tuning_seconds is not None):
        runs = [run for run in done if run.name == name and run.tuning_seconds is not None]
        rates = sorted({f"{run.chosen['learning_rate']:.2g}" for run in runs}, key=float)
        tuning = runs[0].spec.protocol.tuning
        assert tuning is not None
        found = rates[0] if len(rates) == 1 else f"{rates[0]} to {rates[-1]}"
        lines.append(
            f"Tuned for {name}, on validation rows alone: learning_rate {found}; {tuning.trials} trials for each of "
            f"{_some(len(runs), 'run')} took {sum(run.tuning_seconds or 0.0 for run in runs):.0f} s in all, "
            "part of Total and not of Train."
        )
    return lines


def _of_all_runs(done: Sequence[RunRecord]) -> list[str]:
    """Say that times are those of one run, and what all runs of a row took, where a row has several."""
    runs_of: dict[str, list[RunRecord]] = {}
    for run in done:
        runs_of.setdefault(run.name, []).append(run)
    if all(len(runs) == 1 for runs in runs_of.values()):
        return []
    spent = [
        f"{name} {sum(run.total_seconds or 0.0 for run in runs):.0f} s ({_some(len(runs), 'run')})"
        for name, runs in runs_of.items()
    ]
    return ["Times, memory, size and latency are per run, the mean over a row's runs.", f"In all: {', '.join(spent)}."]


def differences(found: Sequence[Confound]) -> list[str]:
    """Say what differs between rows beyond the method and its settings, which are listed apart, a line each."""
    return [
        f"Differs, {item.key} ({item.kind}): {_by_value(item.values)}." for item in found if item.kind != "own setting"
    ]


def _by_value(values: Mapping[str, Sequence[str]]) -> str:
    names_of: dict[str, list[str]] = {}
    for name, found in values.items():
        names_of.setdefault(", ".join(found), []).append(name)
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in names_of.items())

"""The notes beneath the table: how to read it, what failed, the settings, what differs beyond the method."""

from collections.abc import Callable, Mapping, Sequence

from showdown.core.metric import GENERATION
from showdown.core.prices import EXAMPLE_CURRENCY, money, three_digits
from showdown.core.record import Results, RunRecord
from showdown.core.spec import TuningSpec
from showdown.core.task_keys import is_for_labels
from showdown.report.columns import TaskColumns
from showdown.verdict.confounds import Confound
from showdown.verdict.cost import Price
from showdown.verdict.model import Verdict

CUT_SHORT = "‡"
CUT_SHORT_NOTE = (
    f"{CUT_SHORT}: had not converged. It was still improving when it stopped, so that this table does not say that it "
    "is worse than another."
)
MOST_SETTINGS = 12
"""Up to so many rows have a line each for their settings."""


def reading(results: Results, columns: TaskColumns) -> list[str]:
    """Explain the columns."""
    done = [run for run in results.runs if run.status == "completed"]
    lines = []
    kinds = {run.memory_kind for run in done}
    if "process resident set" in kinds:
        lines.append(
            "Memory: peak resident set of the process while training, on a CPU, libraries included (GB of 1e9 bytes)."
        )
    if "gpu" in kinds:
        lines.append("Memory: peak allocated on the GPU while training (GB of 1e9 bytes).")
    if kinds - {None}:
        lines.append(
            "For memory, the verdict, the limits and the figures use the device's peak over the whole run, scoring "
            "included."
        )
    return [*lines, *columns.reading, *_of_all_runs(done)]


def agreement(verdict: Verdict) -> list[str]:
    """State on how many test rows the seeds of an arm answer alike."""
    known = [f"{row.name} {100 * row.seed_agreement:.1f} %" for row in verdict.rows if row.seed_agreement is not None]
    return [f"Share of the test rows on which all seeds of a row answer alike: {', '.join(known)}."] if known else []


def without_interval(verdict: Verdict) -> list[str]:
    """Name each macro F1 and score of the verdict without an interval, and why it has none."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in verdict.rows:
        for title, score in ((verdict.ranking_metric.capital, row.score), ("Macro F1", row.f1_macro)):
            if score and score.why and row.name not in (names := found.setdefault((title, score.why), [])):
                names.append(row.name)
    return [f"{title} of {', '.join(names)} has no interval: {why}." for (title, why), names in found.items()]


def costs(results: Results, verdict: Verdict) -> list[str]:
    """State what one model of each arm costs: training, tuning and predictions apart, the price, and energy if read."""
    priced = {row.name: row.cost for row in verdict.rows if row.cost}
    read = {row.name: row.energy for row in verdict.rows if row.energy}
    lines = []
    if priced:
        each = (f"{name} {_with_tuning(cost.training, cost.tuning, money)}" for name, cost in priced.items())
        unread = [name for name, cost in priced.items() if cost.price.per_kwh and name not in read]
        missing = f" Energy of {', '.join(unread)} could not be read: it is not in its cost." if unread else ""
        lines.append(
            f"Cost of one model, from the start of its process to the saved model: {'; '.join(each)}. "
            f"{_prices([cost.price for cost in priced.values()])}{missing}"
        )
        single = [
            f"{name} {money(cost.per_thousand_predictions)}"
            for name, cost in priced.items()
            if cost.per_thousand_predictions is not None
        ]
        lines += [f"Cost of 1,000 predictions at the best batch: {'; '.join(single)}."] if single else []
    if read:
        each = (f"{name} {_with_tuning(used.training, used.tuning, _kwh)}" for name, used in read.items())
        free = "" if any(cost.price.per_kwh for cost in priced.values()) else " Not priced."
        lines.append(f"Energy of one model by the GPU's own counter, whoever used it: {'; '.join(each)}.{free}")
    return lines + _without_price(results, verdict)


def _with_tuning(training: float, tuning: float, text: Callable[[float], str]) -> str:
    return text(training) + (f" and {text(tuning)} for tuning" if tuning else "")


def _kwh(value: float) -> str:
    return f"{three_digits(value)} kWh"


def _prices(found: Sequence[Price]) -> str:
    example = f", an example in {EXAMPLE_CURRENCY}"
    content = {
        f"{three_digits(price.per_hour)} an hour ({price.source}){example if price.example else ''}" for price in found
    }
    return f"At {'; '.join(sorted(content))}."


def _without_price(results: Results, verdict: Verdict) -> list[str]:
    unpriced = {row.name for row in verdict.rows if row.score and row.cost is None}
    gpus = {run.environment.gpu for run in results.runs if run.name in unpriced and run.environment}
    return [f"No price is known for {gpu}: give yours, --price-per-hour." for gpu in sorted(filter(None, gpus))]


def events(results: Results) -> list[str]:
    """List errors and notes of runs."""
    errors = [f"{run.name}: {run.status}: {run.error}" for run in results.runs if run.error]
    notes = [f"{run.name}: {note}" for run in results.runs for note in run.notes]
    return list(dict.fromkeys([*errors, *notes]))


def settings(results: Results) -> list[str]:
    """List each arm's own settings, equal ones of many arms in one line, and what was tuned."""
    words_of: dict[str, str] = {}
    for name, run in {run.name: run for run in results.runs}.items():
        shown = {
            key: value
            for key, value in run.spec.settings.items()
            if value not in (None, []) and not (results.task == GENERATION and is_for_labels(value))
        }
        if run.tuning_seconds is not None:
            shown.pop("learning_rate", None)
        if shown:
            words = ", ".join(f"{key} {_worded(value)}" for key, value in shown.items())
            words_of[name] = words.rstrip(".")
    names_of: dict[str, list[str]] = {}
    for name, words in words_of.items():
        names_of.setdefault(words if len(words_of) > MOST_SETTINGS else name, []).append(name)
    lines = [f"Settings of {', '.join(names)}: {words_of[names[0]]}." for names in names_of.values()]
    return lines + tuning([run for run in results.runs if run.status == "completed"])


def _worded(value: object) -> str:
    return " and ".join(map(str, value)) if isinstance(value, list) else str(value)


def tuning(done: Sequence[RunRecord]) -> list[str]:
    """State what was tuned, what was chosen and how long it took, a line for each tuned arm."""
    lines = []
    for name in dict.fromkeys(run.name for run in done if run.tuning_seconds is not None):
        runs = [run for run in done if run.name == name and run.tuning_seconds is not None]
        rates = sorted({f"{run.chosen['learning_rate']:.2g}" for run in runs}, key=float)
        requested = runs[0].spec.protocol.tuning
        assert isinstance(requested, TuningSpec)
        found = rates[0] if len(rates) == 1 else f"{rates[0]} to {rates[-1]}"
        lines.append(
            f"Tuned for {name}, on validation rows alone: learning_rate {found}; {requested.trials} trials for each of "
            f"{some(len(runs), 'run')} took {sum(run.tuning_seconds or 0.0 for run in runs):.0f} s in all, "
            "part of Total and not of Train."
        )
    return lines


def _of_all_runs(done: Sequence[RunRecord]) -> list[str]:
    """State that times are those of one run, and the total of all runs, where an arm has several."""
    runs_of: dict[str, list[RunRecord]] = {}
    for run in done:
        runs_of.setdefault(run.name, []).append(run)
    if all(len(runs) == 1 for runs in runs_of.values()):
        return []
    spent = [
        f"{name} {sum(run.total_seconds or 0.0 for run in runs):.0f} s ({some(len(runs), 'run')})"
        for name, runs in runs_of.items()
    ]
    return ["Times, memory, size and latency are per run, the mean over a row's runs.", f"In all: {', '.join(spent)}."]


def differences(found: Sequence[Confound]) -> list[str]:
    """List what differs between arms beyond the method and its settings, a line each."""
    return [
        f"Arms differ in {item.key} ({item.kind}): {_by_value(item.values)}."
        for item in found
        if item.kind != "own setting"
    ]


def _by_value(values: Mapping[str, Sequence[str]]) -> str:
    names_of: dict[str, list[str]] = {}
    for name, found in values.items():
        names_of.setdefault(", ".join(found), []).append(name)
    return "; ".join(f"{value} ({', '.join(names)})" for value, names in names_of.items())


def some(count: int, noun: str) -> str:
    """Return a count with its noun, in the plural where it needs one."""
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"

"""The content of a report of several comparisons, as plain cells and sentences for every format."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from showdown.core.errors import UserError
from showdown.core.metric import ACCURACY, GENERATION, METRICS
from showdown.core.metric_choice import automatic_for_writing
from showdown.core.record import Results
from showdown.report.table import Table, comparison_table
from showdown.verdict.across import AcrossVerdict, Judged, judge_across
from showdown.verdict.model import Score, Verdict
from showdown.verdict.summary import judge

_CHECKSUM = re.compile(r"(sha256:)?([0-9a-f]{40,})(-dirty)?")


@dataclass(frozen=True, kw_only=True)
class Beside:
    """One table over all comparisons, and what differs between them."""

    title: str
    comparisons: Mapping[str, Judged]
    """By what each is called; all rows scored by one metric."""
    above: list[str]
    """What must be read before the table, of each comparison."""
    headings: list[str]
    rows: list[list[str]]
    """Grouped by method; the second cell names the comparison, and the third says so where a row did not complete."""
    verdict: list[str]
    differing_headings: list[str]
    differing: list[list[str]]
    """What differs, a line each: its key, its kind, and its value in every comparison."""
    leaving_order: list[str]
    """Headings that a narrow terminal does without, the first ones first."""
    below: list[str]


def called(folders: Sequence[Path], results: Sequence[Results]) -> list[str]:
    """Return the labels of comparisons: their names, or their folders where names are the same."""
    candidates = ([item.name for item in results], [path.resolve().name for path in folders], list(map(str, folders)))
    return next((names for names in candidates if len(set(names)) == len(names)), candidates[-1])


def lay_folders_beside(folders: Sequence[Path], judged: Callable[[Path], Judged]) -> Beside:
    """Lay the comparisons of some folders beside each other.

    Args:
        folders: the comparisons', two or more.
        judged: reads and judges one of them.

    Raises:
        UserError: for a folder that is given twice, or one without results.

    """
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise UserError("the same folder is given twice; give different comparisons")
    comparisons = [judged(folder) for folder in folders]
    names = called(folders, [item.results for item in comparisons])
    return lay_beside(dict(zip(names, comparisons, strict=True)))


def lay_beside(comparisons: Mapping[str, Judged]) -> Beside:
    """Lay comparisons beside each other.

    Args:
        comparisons: by what each is called, two or more.

    Raises:
        UserError: for comparisons of different tasks.

    """
    _refuse_different_tasks(comparisons)
    one_metric = len({item.verdict.metric for item in comparisons.values()}) == 1
    shown = comparisons if one_metric else _by_one_metric(comparisons)
    scores = _common([item.verdict for item in shown.values()])
    tables = {label: comparison_table(item.results, item.verdict, scores) for label, item in shown.items()}
    found = judge_across(comparisons)
    some = next(iter(tables.values()))
    return Beside(
        title=" beside ".join(comparisons),
        comparisons=shown,
        above=[f"{label}: {line}" for label, table in tables.items() for line in table.above],
        headings=[some.headings[0], "Comparison", *some.headings[1:]],
        rows=_rows(comparisons, tables),
        leaving_order=some.leaving_order,
        verdict=found.sentences,
        differing_headings=["What differs", "Kind", *comparisons],
        differing=_differing(found, list(comparisons)),
        below=_below(tables),
    )


def _refuse_different_tasks(comparisons: Mapping[str, Judged]) -> None:
    tasks = {label: item.results.task for label, item in comparisons.items()}
    if len(set(tasks.values())) > 1:
        each = ", ".join(f"{label}: {task}" for label, task in tasks.items())
        raise UserError(f"comparisons of different tasks have no scores in common ({each}); give those of one task")


def _common(verdicts: Sequence[Verdict]) -> list[str]:
    """Return the keys of the scores that arms of all comparisons have."""
    known = [{key for row in verdict.rows for key in row.scores} for verdict in verdicts]
    return [key for key in METRICS if all(key in keys for keys in known)]


def _by_one_metric(comparisons: Mapping[str, Judged]) -> dict[str, Judged]:
    """Return comparisons of different metrics scored by one, so that they can stand in one table.

    It is accuracy, or of written answers the one that says most of those that all have.
    """
    if next(iter(comparisons.values())).results.task == GENERATION:
        scored = _common([item.verdict for item in comparisons.values()])
        metric = automatic_for_writing(scored, None)
    else:
        metric = ACCURACY
    found = {}
    for label, item in comparisons.items():
        scores = {row.name: row.accuracy and Score(**row.accuracy.model_dump()) for row in item.verdict.rows}
        if metric.is_of_writing:
            judged = judge(item.results, item.folder, metric=metric.key)
            scores = {row.name: row.score for row in judged.rows}
        rows = [row.model_copy(update={"score": scores[row.name]}) for row in item.verdict.rows]
        verdict = item.verdict.model_copy(update={"metric": metric.key, "rows": rows})
        found[label] = replace(item, verdict=verdict)
    return found


def _rows(comparisons: Mapping[str, Judged], tables: Mapping[str, Table]) -> list[list[str]]:
    """Group the arms of one name, in the order in which names first appear."""
    groups: dict[str, list[list[str]]] = {}
    for label, table in tables.items():
        names = dict.fromkeys(run.name for run in comparisons[label].results.full_size.runs)
        for name, row in zip(names, table.rows, strict=True):
            groups.setdefault(name, []).append([row[0], label, *row[1:]])
    return [row for group in groups.values() for row in group]


def _differing(found: AcrossVerdict, labels: Sequence[str]) -> list[list[str]]:
    return [
        [item.key, item.kind, *(", ".join(map(_short, item.values.get(label, ["-"]))) for label in labels)]
        for item in found.differing
    ]


def _short(value: str) -> str:
    """Shorten a checksum."""
    found = _CHECKSUM.fullmatch(value)
    return f"{found[1] or ''}{found[2][:12]}…{found[3] or ''}" if found else value


def _below(tables: Mapping[str, Table]) -> list[str]:
    reading = dict.fromkeys(
        line
        for table in tables.values()
        for line in (*table.footnotes, *table.reading)
        if line not in table.costs and not line.startswith("In all")
    )
    own = {label: [*table.costs, *table.events] for label, table in tables.items()}
    return [*reading, *(f"{label}: {line}" for label, lines in own.items() for line in lines)]

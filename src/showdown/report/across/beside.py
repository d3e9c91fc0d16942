"""The content of a report of several comparisons, as plain cells and sentences for every format."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from showdown.core.errors import UserError
from showdown.core.metric import ACCURACY
from showdown.core.record import Results
from showdown.report.table import Table, comparison_table
from showdown.verdict.across import AcrossVerdict, Judged, judge_across
from showdown.verdict.model import Score, Verdict

_CHECKSUM = re.compile(r"(sha256:)?([0-9a-f]{40,})(-dirty)?")


@dataclass(frozen=True, kw_only=True)
class Beside:
    """One table over all comparisons, and what differs between them."""

    title: str
    comparisons: Mapping[str, Judged]
    """By what each is called."""
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

    """
    one_metric = len({item.verdict.metric for item in comparisons.values()}) == 1
    tables = {
        label: comparison_table(item.results, item.verdict if one_metric else _by_accuracy(item.verdict))
        for label, item in comparisons.items()
    }
    found = judge_across(comparisons)
    some = next(iter(tables.values()))
    return Beside(
        title=" beside ".join(comparisons),
        comparisons=comparisons,
        above=[f"{label}: {line}" for label, table in tables.items() for line in table.above],
        headings=[some.headings[0], "Comparison", *some.headings[1:]],
        rows=_rows(comparisons, tables),
        leaving_order=some.leaving_order,
        verdict=found.sentences,
        differing_headings=["What differs", "Kind", *comparisons],
        differing=_differing(found, list(comparisons)),
        below=_below(tables),
    )


def _by_accuracy(verdict: Verdict) -> Verdict:
    """Return a verdict whose table has the columns of accuracy, so that it stands beside those of other metrics."""
    scores = [row.accuracy and Score(**row.accuracy.model_dump()) for row in verdict.rows]
    rows = [row.model_copy(update={"score": score}) for row, score in zip(verdict.rows, scores, strict=True)]
    return verdict.model_copy(update={"metric": ACCURACY.key, "rows": rows})


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

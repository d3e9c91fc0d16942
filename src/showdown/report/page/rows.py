"""The rows of the page's table: each cell with the number that it is sorted by, and its marks."""

import re
from dataclasses import dataclass

from showdown.core.record import Results
from showdown.report.figures.design import LIGHT, styles
from showdown.report.table import Table
from showdown.verdict.model import Verdict

_NUMBER = re.compile(r"([+-]?[\d.]+)(?: ([KMB])\b)?")
_TIMES = {"K": 1e3, "M": 1e6, "B": 1e9}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A cell of the table."""

    shown: str
    sort: float | None
    best: bool
    near: bool


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table: an arm."""

    name: str
    """Of the row, where its title says something else."""
    colour: str
    failed: str
    """The status and why, or empty."""
    cells: tuple[Cell, ...]


def rows_of(results: Results, verdict: Verdict, table: Table) -> list[Row]:
    """Return the rows in the order of the table."""
    roles = {colour: role for role, colour in LIGHT.items()}
    looks = styles(results.full_size)
    found = []
    for place, (row, cells) in enumerate(zip(verdict.rows, table.rows, strict=True)):
        failed = "" if row.score else f"{cells[1]}: {(row.missing_reason or '').partition(': ')[2]}"
        shown = tuple(
            Cell(
                shown=cell,
                sort=sort_key(cell),
                best=(place, column) in table.best,
                near=column == 1 and place in table.near,
            )
            for column, cell in enumerate(cells)
        )
        alias = row.name if row.name not in cells[0].split() and f"({row.name})" not in cells[0] else ""
        found.append(Row(name=alias, colour=f"--{roles[looks[row.name].colour]}", failed=failed, cells=shown))
    return found


def sort_key(cell: str) -> float | None:
    """Return the number that a cell shows, by which it is sorted; None for a cell without one."""
    found = _NUMBER.match(cell)
    return None if found is None else float(found[1]) * _TIMES.get(found[2] or "", 1.0)

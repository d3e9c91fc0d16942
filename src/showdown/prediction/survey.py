"""The first pass over a file that is to be answered: faults, the columns that can be written again, and notices."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from showdown.core.errors import UserError
from showdown.data.parts import Parts
from showdown.data.read import checked_column, left_out_lines
from showdown.data.tables import LeftOut, Table, count, row_list, shown


@dataclass(frozen=True, kw_only=True)
class FileSurvey:
    """What the first pass over a file found."""

    kept: tuple[str, ...]
    """Its own columns that are written again."""
    not_kept: tuple[str, ...]
    """A line for each that is not."""
    notices: tuple[str, ...]
    left_out: tuple[LeftOut, ...]
    rows: int


def surveyed(parts: Parts, check: Callable[[Table], object], leave_out: str | None = None) -> FileSurvey:
    """Go through a file once, before anything of it is answered.

    Args:
        parts: the file.
        check: raises where a part cannot be answered.
        leave_out: a column whose cells are no texts and that is written otherwise; it counts as kept.

    Raises:
        UserError: as `check` does.

    """
    faults: dict[str, str] = {}
    names: dict[str, None] = {}
    left: dict[str, list[int]] = {}
    notices: list[str] = []
    rows = 0
    for table in parts():
        check(table)
        rows += len(table.numbers)
        notices += table.notices
        names |= dict.fromkeys(name for name in table.names if name.strip())
        for one in table.left_out:
            left.setdefault(one.reason, []).extend(one.rows)
        for name in names:
            if name != leave_out and name not in faults:
                try:
                    checked_column(table, table.names.index(name))
                except UserError as fault:
                    faults[name] = f"column {shown(name)} is not kept: {fault}"
    return FileSurvey(
        kept=tuple(name for name in names if name not in faults),
        not_kept=tuple(faults.values()),
        notices=tuple(notices),
        left_out=tuple(LeftOut(reason=reason, rows=tuple(found)) for reason, found in left.items()),
        rows=rows,
    )


def own_cells(table: Table, names: Sequence[str]) -> list[list[str]]:
    """Return the cells of the file's own columns, a list a column."""
    return [[cell or "" for cell in checked_column(table, table.names.index(name))] for name in names]


def unanswered(survey: FileSurvey, empty: Sequence[int], what: str) -> tuple[str, ...]:
    """Return the notices on a file, with a line on the rows that have no text or prompt."""
    verb = "has" if len(empty) == 1 else "have"
    lines = [f"{count(len(empty), 'row')} {verb} no {what} ({row_list(empty)}), not answered"] if empty else []
    return (*survey.notices, *left_out_lines(survey.left_out), *lines)

"""What a file of rows is before anyone knows which columns matter, and how its parts are named in a message."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from showdown.core.errors import UserError, suggestion, then

_SHOWN_CHARACTERS = 60
_SHOWN_ROWS = 10
_SHOWN_NAMES = 20


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A cell that is neither text nor a number."""

    what: str
    """Such as `a list`."""


Cell = str | None | Wrong
"""The exact text of a cell; None where the file says that nothing is there (JSON's null, Parquet's null)."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Rows that are not used, and why."""

    reason: str
    rows: tuple[int, ...]
    """1-based data rows."""
    asked: bool = False
    """Whether the comparison asks for other rows (`data.labels`, `data.limit`): nothing is then wrong with these."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows with named columns."""

    place: str
    """What messages call it: the path as its user gave it, or the data set's id."""
    names: tuple[str, ...]
    numbers: tuple[int, ...]
    """1-based data row of each row."""
    column: Callable[[int], Sequence[Cell]]
    """Cells of the column with this index, one a row."""
    header: bool = True
    """Whether the names are the source's own."""
    left_out: tuple[LeftOut, ...] = ()
    notices: tuple[str, ...] = ()


def shown(text: str) -> str:
    """Return a name or a cell for a one-line message: in backticks, without control characters, cut when long."""
    flat = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text[:200])
    return f"`{flat}`" if len(flat) <= _SHOWN_CHARACTERS else f"`{flat[:_SHOWN_CHARACTERS]}...`"


def row_list(rows: Sequence[int]) -> str:
    """Return `row 3`, `rows 3, 5, 9`, or the first ten and how many more."""
    first = ", ".join(str(row) for row in rows[:_SHOWN_ROWS])
    more = f" and {len(rows) - _SHOWN_ROWS} more" if len(rows) > _SHOWN_ROWS else ""
    return f"row{'s' if len(rows) > 1 else ''} {first}{more}"


def count(number: int, noun: str) -> str:
    """Return `1 row`, `2 rows`, `1,200 copies`."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"


def column_list(names: Sequence[str]) -> str:
    """Return the names of columns for a message."""
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(shown(name) for name in names[:_SHOWN_NAMES]) + more


def refuse_twin_columns(place: str, names: Sequence[str]) -> None:
    """Raise UserError where two columns have one name."""
    counts = Counter(names)
    for name, found in counts.items():
        if name.strip() and found > 1:
            positions = ", ".join(str(index) for index, other in enumerate(names, start=1) if other == name)
            times = {2: "twice", 3: "three times"}.get(found, f"{found} times")
            raise UserError(f"{place}: column {shown(name)} appears {times} ({positions}); rename or drop one")


def find_column(place: str, names: Sequence[str], wanted: str) -> int:
    """Return the index of a named column.

    Raises:
        UserError: when there is none, with the nearest name and all names.

    """
    if wanted in names:
        return names.index(wanted)
    raise UserError(f"{place}: no column {shown(wanted)}{then(_near(wanted, names), 'columns: ' + column_list(names))}")


def _near(wanted: str, names: Iterable[str]) -> str:
    return suggestion(wanted, [name for name in names if name.isprintable() and len(name) <= _SHOWN_CHARACTERS])

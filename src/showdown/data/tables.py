"""Tables as they are read from a file, and helpers that name rows, cells and columns in messages."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from showdown.core.errors import UserError, suggestion, then

_SHOWN_CHARACTERS = 60
_SHOWN_ROWS = 10
_SHOWN_NAMES = 20


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """A cell that is neither text nor a number."""

    what: str
    """What it is, such as `a list`."""
    value: object = field(default=None, compare=False, repr=False)
    """A nested value: lists and dictionaries of texts, `Number`, booleans and None."""


class Number(str):
    """The exact text of a number within a nested value."""

    __slots__ = ()


Cell = str | None | Wrong
"""The exact text of a cell; None for a missing value (null in JSON or Parquet)."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Rows that are not used, and the reason."""

    reason: str
    rows: tuple[int, ...]
    """1-based data rows."""
    requested: bool = False
    """Whether the user left them out (`data.labels`, `data.limit`), so that they are not a fault of the data."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows with named columns."""

    place: str
    """Its name in messages: the path as the user gave it, or the data set's id."""
    names: tuple[str, ...]
    """Names of the columns."""
    numbers: tuple[int, ...]
    """1-based data row of each row."""
    column: Callable[[int], Sequence[Cell]]
    """Returns the cells of the column with this index, one for each row."""
    header: bool = True
    """Whether the names come from the source; otherwise they are `column 1` and so on."""
    left_out: tuple[LeftOut, ...] = ()
    notices: tuple[str, ...] = ()


def shown(text: str) -> str:
    """Return a name or a cell for a one-line message: in backticks, control characters escaped, shortened when long."""
    flat = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text[:200])
    return f"`{flat}`" if len(flat) <= _SHOWN_CHARACTERS else f"`{flat[:_SHOWN_CHARACTERS]}...`"


def row_list(rows: Sequence[int]) -> str:
    """Return `row 3`, `rows 3, 5, 9`, or the first ten rows and the number of the others."""
    first = ", ".join(str(row) for row in rows[:_SHOWN_ROWS])
    more = f" and {len(rows) - _SHOWN_ROWS} more" if len(rows) > _SHOWN_ROWS else ""
    return f"row{'s' if len(rows) > 1 else ''} {first}{more}"


def count(number: int, noun: str) -> str:
    """Return a number with its noun, such as `1 row`, `2 rows` or `1,200 copies`."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun if number == 1 else plural}"


def column_list(names: Sequence[str]) -> str:
    """Return the names of the columns for a message."""
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(shown(name) for name in names[:_SHOWN_NAMES]) + more


def refuse_twin_columns(place: str, names: Sequence[str]) -> None:
    """Refuse a table in which two columns have the same name.

    Raises:
        UserError: for such a table.

    """
    counts = Counter(names)
    for name, found in counts.items():
        if name.strip() and found > 1:
            positions = ", ".join(str(index) for index, other in enumerate(names, start=1) if other == name)
            times = {2: "twice", 3: "three times"}.get(found, f"{found} times")
            raise UserError(f"{place}: column {shown(name)} appears {times} ({positions}); rename or drop one")


def find_column(place: str, names: Sequence[str], wanted: str) -> int:
    """Return the index of a named column.

    Raises:
        UserError: when there is none. The message suggests the nearest name and lists all names.

    """
    if wanted in names:
        return names.index(wanted)
    raise UserError(f"{place}: no column {shown(wanted)}{then(_near(wanted, names), 'columns: ' + column_list(names))}")


def _near(wanted: str, names: Iterable[str]) -> str:
    return suggestion(wanted, [name for name in names if name.isprintable() and len(name) <= _SHOWN_CHARACTERS])

"""Read JSON files: one object a line, or one array of objects. Numbers keep their exact text."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from showdown.core.errors import UserError
from showdown.data.delimited import decode, read_bytes
from showdown.data.tables import Cell, LeftOut, Number, Table, Wrong, shown


class _DuplicateKey(ValueError):
    """A key that occurs twice in one object."""


def read_json_lines(path: Path, place: str, *, encoding: str) -> Table:
    """Read a JSON Lines file: each line is a row, and blank lines are left out and reported.

    The columns are all keys, in order of appearance. A key that a line lacks is a missing value, and so is a bare NaN,
    which pandas writes for one.

    Raises:
        UserError: for an empty file, invalid JSON, a line that is not an object, or a duplicate key in a line.

    """
    text = decode(read_bytes(path, place), place, encoding)
    numbers: list[int] = []
    objects: list[dict[str, Any]] = []
    blank: list[int] = []
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        if line.strip():
            numbers.append(number)
            objects.append(read_object(line, place, number))
        else:
            blank.append(number)
    return objects_table(place, numbers, objects, blank)


def read_json(path: Path, place: str, *, encoding: str) -> Table:
    """Read a `.json` file: an array of objects, one for each row. JSON Lines, which often have that ending, work too.

    Raises:
        UserError: as in `read_json_lines`, and for a single object.

    """
    text = decode(read_bytes(path, place), place, encoding)
    if not text.lstrip().startswith("["):
        if isinstance(_parse_or_none(text), dict):
            raise UserError(
                f"{place}: one object, not rows; write an array of objects, `[{{...}}, {{...}}]`, or one object a line"
            )
        return read_json_lines(path, place, encoding=encoding)
    values = _parse(text, place, "write an array of objects")
    for number, value in enumerate(values, start=1):
        if not isinstance(value, dict):
            raise UserError(f"{place}: row {number} is {_kind(value)}, not an object; write an array of objects")
    return objects_table(place, range(1, len(values) + 1), values, ())


def objects_table(
    place: str,
    numbers: Sequence[int],
    objects: Sequence[dict[str, Any]],
    blank: Sequence[int],
    names: tuple[str, ...] | None = None,
) -> Table:
    """Return objects as a table.

    Args:
        place: its name in messages.
        numbers: data row of each object.
        objects: one a row.
        blank: numbers of blank lines.
        names: of the columns; by default all keys, in order of appearance.

    Raises:
        UserError: where there is no object.

    """
    if not objects:
        raise UserError(f"{place} has 0 data rows; write one JSON object a row")
    names = names or tuple(dict.fromkeys(name for row in objects for name in row))

    def column(index: int) -> Sequence[Cell]:
        return [_cell(row.get(names[index])) for row in objects]

    left_out = (LeftOut(reason="blank line", rows=tuple(blank)),) if blank else ()
    return Table(place=place, names=names, numbers=tuple(numbers), column=column, left_out=left_out)


def read_object(line: str, place: str, number: int) -> dict[str, Any]:
    """Return the object in a line.

    Raises:
        UserError: as `read_json_lines`.

    """
    value = _parse(line, f"{place}: row {number}", "write one object a line")
    if not isinstance(value, dict):
        raise UserError(f"{place}: row {number} is {_kind(value)}, not an object; write one object a line")
    return value


def _parse(text: str, where: str, fix: str) -> Any:
    """Return the parsed JSON.

    Args:
        text: the JSON.
        where: the beginning of an error message.
        fix: its end.

    Raises:
        UserError: for invalid or too deeply nested JSON, or a duplicate key.

    """
    try:
        return json.loads(
            text, parse_int=_exact, parse_float=_exact, parse_constant=_constant, object_pairs_hook=_object
        )
    except _DuplicateKey as error:
        raise UserError(f"{where}: column {shown(str(error))} appears twice; rename or drop one") from error
    except json.JSONDecodeError as error:
        line = f"line {error.lineno}, " if "\n" in text.strip() else ""
        at = f"{line}character {error.colno if line else error.pos + 1}"
        raise UserError(f"{where} is not JSON ({error.msg} at {at}); {fix}") from error
    except RecursionError as error:
        raise UserError(f"{where} is nested too deeply; {fix.replace('object', 'flat object')}") from error


def _parse_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _exact(text: str) -> Number:
    return Number(text)


def _constant(text: str) -> str | None:
    return None if text == "NaN" else text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _DuplicateKey(name)
        found[name] = value
    return found


def _cell(value: object) -> Cell:
    if value is None:
        return None
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return Wrong(what=_kind(value), value=value)


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a bare value", Number: "a bare value", bool: "a bare value"}
    return kinds.get(type(value), "null")

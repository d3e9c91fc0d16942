"""Strict reading of CSV and TSV files: cells are kept exactly, and every error names its row."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from showdown.core.errors import UserError
from showdown.core.spec import Quoting
from showdown.data.columns import LABEL_NAME, TEXT_NAME, folded
from showdown.data.tables import Cell, LeftOut, Table, count, refuse_twin_columns, shown

MAGIC = (
    (b"PAR1", "a Parquet file; name it .parquet"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet; export it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel file; export it as CSV"),
    (b"%PDF", "a PDF; export its rows as CSV"),
    (b"\x1f\x8b", "compressed by gzip; unpack it first"),
)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_SEPARATORS = ";\t|,"
_FIELD_LIMIT = 2**31 - 1
"""Most characters in a cell; the default of `csv` is 131,072."""
_SHOWN_COLUMNS = 10
_ENCLOSED = re.compile(r'"(?:[^"]|"")*"')
_MOST_ENCLOSED = 0.5
"""Largest share of cells with quote marks that are enclosed in them, up to which quote marks are taken for plain
characters after a quoting error. Above it, the error is reported."""


class Record(NamedTuple):
    """A record of a file, and its position."""

    number: int
    """1-based data row; 0 is the header."""
    line: int
    """1-based line on which it begins."""
    lines: int
    """Number of lines."""
    cells: list[str]


def read_bytes(path: Path, place: str) -> bytes:
    """Return a file's bytes.

    Raises:
        UserError: when it cannot be read.

    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{place}: cannot be read ({error.strerror or error}); check its permissions") from error


def decode(content: bytes, place: str, encoding: str) -> str:
    """Return the text of a file, without a byte order mark.

    Raises:
        UserError: for an unknown encoding, or a byte that is invalid in it.

    """
    for magic, what in MAGIC:
        if content.startswith(magic):
            raise UserError(f"{place}: this is {what}")
    name = encoding.strip().lower().replace("_", "-")
    name = "utf-8-sig" if name in ("utf-8", "utf8") else name
    try:
        text = content.decode(name)
        text.encode("utf-8")
    except UnicodeDecodeError as error:
        other = "utf-16" if content.startswith(_UTF_16) else "latin-1"
        fix = f"try `encoding: {other}`" if other.replace("-", "") not in name.replace("-", "") else "name its encoding"
        expected = "UTF-8" if name == "utf-8-sig" else encoding
        raise UserError(f"{place}: not {expected} at byte {error.start}; {fix}") from error
    except UnicodeEncodeError as error:
        raise UserError(
            f"{place}: half a surrogate pair at character {error.start}; name the right encoding"
        ) from error
    except (LookupError, UnicodeError, ValueError) as error:
        raise UserError(f"{place}: encoding {shown(encoding)} unknown; try `encoding: utf-8` or `latin-1`") from error
    return text.removeprefix("\ufeff")


def read_delimited(
    path: Path,
    place: str,
    *,
    encoding: str,
    separator: str,
    quoting: Quoting = "auto",
    header: bool | Literal["auto"] = "auto",
) -> Table:
    """Read a CSV or TSV file. Blank lines are left out and reported.

    With `auto`, the use of quote marks and the presence of a header are guessed from the whole file. A notice says so.

    Args:
        path: the file.
        place: its name in messages.
        encoding: the encoding of its text.
        separator: the character between cells.
        quoting: `standard` when quote marks enclose cells (RFC 4180), `none` when they are plain characters.
        header: whether the first record holds the names of the columns.

    Raises:
        UserError: for an empty file, a wrong encoding or separator, an unclosed quote, a ragged row, a NUL, two columns
            of the same name, or quote marks that can be read in two ways. The message names the row.

    """
    check_separator(separator)
    text = decode(read_bytes(path, place), place, encoding)
    _refuse_nul(text, place, separator)
    records, notices = _read(text, place, separator, quoting)
    if header == "auto":
        recurring = _recurring_without_header(records)
        has_header = recurring is None
        if recurring is not None:
            notices.append(
                f"{place}: the first line is read as a row, because {recurring} occurs in its column too; set"
                " `data.header: true` if the first line holds the column names"
            )
    else:
        has_header = header
    names, numbers, rows, blank = _columns_and_rows(records, has_header=has_header)
    refuse_twin_columns(place, names)
    if not rows:
        raise UserError(f"{place} has 0 data rows; add rows below its header")

    def column(index: int) -> list[Cell]:
        return [row[index] for row in rows]

    left_out = (LeftOut(reason="blank line", rows=tuple(blank)),) if blank else ()
    unnamed = [index for index, name in enumerate(names, start=1) if not name.strip()]
    notices += [f"{place}: {unnamed_columns(unnamed)}"] if unnamed else []
    return Table(
        place=place,
        names=names,
        numbers=tuple(numbers),
        column=column,
        header=has_header,
        left_out=left_out,
        notices=tuple(notices),
    )


def _read(text: str, place: str, separator: str, quoting: Quoting) -> tuple[list[Record], list[str]]:
    """Return the records, with the header first, and notices about the reading of quote marks.

    When both readings of quote marks are valid, they enclose cells.

    Raises:
        UserError: when both readings are valid, but give different numbers of rows: the user must choose.

    """
    if quoting != "auto":
        return _checked(text, place, separator, csv.QUOTE_NONE if quoting == "none" else csv.QUOTE_MINIMAL), []
    try:
        enclosing = _checked(text, place, separator, csv.QUOTE_MINIMAL)
    except UserError as error:
        plain = _or_none(text, place, separator) if '"' in text else None
        if plain is None:
            raise
        if _enclosed_share(plain) > _MOST_ENCLOSED:
            raise UserError(f"{error}; if quote marks are plain characters, set `data.quoting: none`") from error
        return plain, [
            f"{place}: quote marks are read as plain characters, because not all of them enclose cells"
            " (`data.quoting: none`)"
        ]
    plain = _or_none(text, place, separator) if any(record.lines > 1 for record in enclosing) else None
    if plain is not None and len(plain) != len(enclosing):
        raise UserError(
            f"{place}: {count(len(enclosing) - 1, 'row')} if quote marks enclose cells, {len(plain) - 1:,} if they are"
            " plain characters; set `data.quoting: standard` or `data.quoting: none`"
        )
    return enclosing, []


def _or_none(text: str, place: str, separator: str) -> list[Record] | None:
    """Return the records with quote marks as plain characters; None when their cells do not fit the header."""
    try:
        return _checked(text, place, separator, csv.QUOTE_NONE)
    except UserError:
        return None


def _checked(text: str, place: str, separator: str, quoting: int) -> list[Record]:
    """Return all records, with the header first.

    Raises:
        UserError: for a quoting error, or a record with more or fewer cells than the header.

    """
    records = [record for record in records_of(text, place, separator, quoting) if record.number >= 0]
    if not records:
        raise UserError(f"{place} has 0 data rows; it is empty")
    check_separates(records[0].cells, place, separator)
    wanted = len(records[0].cells)
    ragged = [record for record in records[1:] if record.cells and len(record.cells) != wanted]
    if ragged:
        more = f" ({count(len(ragged) - 1, 'more such row')})" if len(ragged) > 1 else ""
        raise UserError(
            f"{place}: row {ragged[0].number} (line {ragged[0].line}) has {count(len(ragged[0].cells), 'cell')}, the"
            f" header has {wanted}{more}; put quotes around a cell that contains {shown(separator)}"
        )
    return records


def _enclosed_share(records: Sequence[Record]) -> float:
    """Return the share of the cells with a quote mark that are enclosed in quote marks, with inner ones doubled."""
    marked = [cell for record in records for cell in record.cells if '"' in cell]
    enclosed = [cell for cell in marked if _ENCLOSED.fullmatch(cell)]
    return len(enclosed) / max(1, len(marked))


def _recurring_without_header(records: Sequence[Record]) -> str | None:
    """Return a cell of the first record that shows that it is not a header; None when it is one.

    Such a cell also occurs in its column of a different row. A record with a usual column name is always a header.
    """
    first = records[0].cells
    if has_usual_name(first):
        return None
    others = [record.cells for record in records[1:] if record.cells and record.cells != first]
    for index, cell in enumerate(first):
        if cell.strip() and any(row[index] == cell for row in others):
            return shown(cell)
    return None


def has_usual_name(cells: Sequence[str]) -> bool:
    """Return whether a record has a usual column name, and so is a header."""
    return any(pattern.fullmatch(folded(cell)) for cell in cells for pattern in (TEXT_NAME, LABEL_NAME))


def unnamed_columns(places: Sequence[int]) -> str:
    """Return a sentence about the columns without a name: the first ones, and the number of the others."""
    first = ", ".join(map(str, places[:_SHOWN_COLUMNS]))
    more = f" and {len(places) - _SHOWN_COLUMNS:,} more" if len(places) > _SHOWN_COLUMNS else ""
    if len(places) == 1:
        return f"column {first} has no name and is not read"
    return f"columns {first}{more} have no name and are not read"


def check_separator(separator: str) -> None:
    """Refuse what is no single character, or one that cells need themselves.

    Raises:
        UserError: for it.

    """
    if len(separator) != 1 or separator in '"\r\n\0 ':
        raise UserError(f"data.separator: {shown(separator)} cannot separate columns; set one character such as `;`")


def check_separates(header: Sequence[str], place: str, separator: str) -> None:
    """Refuse a header of one cell in which another character seems to separate columns.

    Raises:
        UserError: naming that character.

    """
    if len(header) != 1:
        return
    likely = next((mark for mark in _SEPARATORS if mark != separator and mark in header[0]), None)
    if likely is not None:
        name = r"\t" if likely == "\t" else likely
        raise UserError(
            f"{place}: only one column, {shown(header[0])}; the separator looks like `{name}`: set `data.separator`"
        )


def _columns_and_rows(
    records: Sequence[Record], *, has_header: bool
) -> tuple[tuple[str, ...], list[int], list[list[str]], list[int]]:
    """Return the column names, the numbers and cells of the rows, and the numbers of the blank rows."""
    names = tuple(records[0].cells)
    if has_header:
        records = records[1:]
    else:  # the first record, which has the header's number 0, becomes row 1
        names = tuple(f"column {index}" for index in range(1, len(names) + 1))
        records = [record._replace(number=record.number + 1) for record in records]
    filled = [record for record in records if record.cells]
    blank = [record.number for record in records if not record.cells]
    return names, [record.number for record in filled], [record.cells for record in filled], blank


def records_of(
    text: str | Iterable[str], place: str, separator: str, quoting: int = csv.QUOTE_MINIMAL
) -> Iterator[Record]:
    """Yield all records of a text, or of its lines; blank lines before the header have the number -1."""
    csv.field_size_limit(_FIELD_LIMIT)
    lines = io.StringIO(text, newline="") if isinstance(text, str) else text
    reader = csv.reader(lines, delimiter=separator, strict=True, quoting=quoting)  # type: ignore[arg-type]
    number, begun = -1, False
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            where = f"row {number + 1} (line {line})" if begun else f"the header (line {line})"
            raise UserError(f"{place}: {_quoting_error(str(error), where, separator)}") from error
        begun = begun or bool(cells)
        number += begun
        yield Record(number, line, reader.line_num - line + 1, cells)


def _quoting_error(error: str, where: str, separator: str) -> str:
    if "unexpected end of data" in error:
        return f"a quote opened in {where} is never closed; close it, or write a quote inside a cell twice"
    if "expected after" in error:
        return (
            f"text follows the closing quote of a cell in {where}; write a quote inside a cell twice, put"
            f" {shown(separator)} after the cell, or close an earlier quote"
        )
    return f"{where} cannot be read ({error})"


def _refuse_nul(text: str, place: str, separator: str) -> None:
    position = text.find("\0")
    if position < 0:
        return
    before = text[:position]
    line = before.count("\n") + before.count("\r") - before.count("\r\n") + 1
    where = f"line {line}"
    with suppress(UserError, StopIteration):
        where = next(
            f"row {record.number} (line {record.line})" if record.number else "the header"
            for record in records_of(text, place, separator)
            if any("\0" in cell for cell in record.cells)
        )
    raise UserError(f"{place}: a NUL character in {where}; remove it, or check that the file is text in UTF-8")

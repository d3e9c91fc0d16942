"""CSV and TSV, read strictly: every cell exact, every fault named with its row."""

import csv
import io
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from showdown.core.errors import UserError
from showdown.data.tables import Cell, LeftOut, Table, count, refuse_twin_columns, shown

_MAGIC = (
    (b"PAR1", "a Parquet file; name it .parquet"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet; export it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel file; export it as CSV"),
    (b"%PDF", "a PDF; export its rows as CSV"),
    (b"\x1f\x8b", "compressed by gzip; unpack it first"),
)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_SEPARATORS = ";\t|,"
_FIELD_LIMIT = 2**31 - 1
"""Characters in one cell; csv's own limit is 131,072."""


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
        UserError: for an unknown encoding, or at the first byte that is not of it.

    """
    for magic, what in _MAGIC:
        if content.startswith(magic):
            raise UserError(f"{place}: this is {what}")
    name = encoding.strip().lower().replace("_", "-")
    name = "utf-8-sig" if name in ("utf-8", "utf8") else name
    try:
        text = content.decode(name)
        text.encode("utf-8")
    except UnicodeDecodeError as error:
        other = "utf-16" if content.startswith(_UTF_16) else "latin-1"
        mend = (
            f"try `encoding: {other}`" if other.replace("-", "") not in name.replace("-", "") else "name its encoding"
        )
        said = "UTF-8" if name == "utf-8-sig" else encoding
        raise UserError(f"{place}: not {said} at byte {error.start}; {mend}") from error
    except UnicodeEncodeError as error:
        raise UserError(
            f"{place}: half a surrogate pair at character {error.start}; name the right encoding"
        ) from error
    except (LookupError, UnicodeError, ValueError) as error:
        raise UserError(f"{place}: encoding {shown(encoding)} unknown; try `encoding: utf-8` or `latin-1`") from error
    return text.removeprefix("\ufeff")


def read_delimited(path: Path, place: str, *, encoding: str, separator: str) -> Table:
    """Read a CSV or TSV file. The first record is the header; a blank line is left out and reported.

    Raises:
        UserError: for an empty file, a wrong encoding or separator, an unclosed quote, a ragged row, a NUL, or two
            columns of one name; all with the row.

    """
    _check_separator(separator)
    text = decode(read_bytes(path, place), place, encoding)
    _refuse_nul(text, place, separator)
    records = _records(text, place, separator)
    first = next((record for _, _, record in records if record), None)
    if first is None:
        raise UserError(f"{place} has 0 data rows; it is empty")
    header = tuple(first)
    _check_header(header, place, separator)
    numbers, rows, blank = _data_rows(records, header, place, separator)
    if not rows:
        raise UserError(f"{place} has 0 data rows; add rows below its header")

    def column(index: int) -> list[Cell]:
        return [row[index] for row in rows]

    left_out = (LeftOut(reason="blank line", rows=tuple(blank)),) if blank else ()
    unnamed = [index for index, name in enumerate(header, start=1) if not name.strip()]
    notices = tuple(f"{place}: column {index} has no name and is not read" for index in unnamed)
    return Table(place=place, names=header, numbers=tuple(numbers), column=column, left_out=left_out, notices=notices)


def _check_separator(separator: str) -> None:
    if len(separator) != 1 or separator in '"\r\n\0 ':
        raise UserError(f"data.separator: {shown(separator)} cannot separate columns; use one character such as `;`")


def _check_header(header: tuple[str, ...], place: str, separator: str) -> None:
    if len(header) == 1:
        likely = next((mark for mark in _SEPARATORS if mark != separator and mark in header[0]), None)
        if likely is not None:
            name = r"\t" if likely == "\t" else likely
            raise UserError(
                f"{place}: one column {shown(header[0])}; the separator looks like `{name}`: set `data.separator`"
            )
    refuse_twin_columns(place, header)


def _data_rows(
    records: Iterator[tuple[int, int, list[str]]], header: tuple[str, ...], place: str, separator: str
) -> tuple[list[int], list[list[str]], list[int]]:
    """Return the numbers and cells of the rows, and the numbers of blank ones."""
    numbers: list[int] = []
    rows: list[list[str]] = []
    blank: list[int] = []
    ragged: list[tuple[int, int, int]] = []
    for number, (_, line, record) in enumerate(records, start=1):
        if not record:
            blank.append(number)
        elif len(record) != len(header):
            ragged.append((number, line, len(record)))
        else:
            numbers.append(number)
            rows.append(record)
    if ragged:
        number, line, cells = ragged[0]
        more = f" ({count(len(ragged) - 1, 'more such row')})" if len(ragged) > 1 else ""
        raise UserError(
            f"{place}: row {number} (line {line}) has {count(cells, 'cell')}, the header has {len(header)}{more};"
            f" put quotes around a cell that holds {shown(separator)}"
        )
    return numbers, rows, blank


def _records(text: str, place: str, separator: str) -> Iterator[tuple[int, int, list[str]]]:
    """Yield each record with its number (the header is 0) and the line on which it begins."""
    csv.field_size_limit(_FIELD_LIMIT)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    number, begun = -1, False
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            where = f"row {number + 1} (line {line})" if begun else f"the header (line {line})"
            raise UserError(f"{place}: {_fault(str(error), where, separator)}") from error
        begun = begun or bool(record)
        number += begun
        yield number, line, record


def _fault(error: str, where: str, separator: str) -> str:
    if "unexpected end of data" in error:
        return f"quote opened at {where} never closed; close it, or write a quote inside a cell twice"
    if "expected after" in error:
        return (
            f"text follows the closing quote of a cell in {where}; write a quote inside a cell twice, put"
            f" {shown(separator)} after the cell, or close the quote that was opened before"
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
            f"row {number} (line {begin})" if number else "the header"
            for number, begin, record in _records(text, place, separator)
            if any("\0" in cell for cell in record)
        )
    raise UserError(f"{place}: a NUL character in {where}; remove it, or check that the file is text in UTF-8")

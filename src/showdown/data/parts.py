"""A file in parts, so that one of any length is read in bounded memory: the same rows as when it is read whole.

A first pass over the file looks for what a whole reading would find: errors, and what can be read in two ways. Where it
finds anything of the kind, the file is read whole, which names the fault or settles it.
"""

import csv
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from showdown.core.errors import UserError
from showdown.core.spec import DataSpec
from showdown.data.delimited import (
    MAGIC,
    Record,
    check_separates,
    check_separator,
    has_usual_name,
    records_of,
    unnamed_columns,
)
from showdown.data.jsonlines import objects_table, read_object
from showdown.data.parquet import parquet_parts
from showdown.data.read import local_file, read_table
from showdown.data.tables import LeftOut, Table, refuse_twin_columns

PART_ROWS = 1_000
_UTF_8 = "utf-8-sig"
_ENCODINGS = {
    "utf-8": _UTF_8,
    "utf8": _UTF_8,
    _UTF_8: _UTF_8,
    "ascii": "ascii",
    "latin-1": "latin-1",
    "latin1": "latin-1",
}
"""Encodings whose texts can all be written as UTF-8; files in others are read whole."""
Parts = Callable[[], Iterator[Table]]
"""Reads the file from its beginning, each time that it is called. The first part has the notices on the whole file."""


class _ReadWhole(Exception):
    """A first pass found what only a whole reading can settle."""


def table_parts(spec: DataSpec, rows: int = PART_ROWS) -> Parts:
    """Return a file in parts of so many rows; all parts have the same columns.

    Args:
        spec: the source, and how it is read.
        rows: of a part; the last one has fewer.

    Raises:
        UserError: as `read_table`; parts of Parquet may raise it when they are read.

    """
    path = local_file(spec.source)
    encoding = _ENCODINGS.get(spec.encoding.strip().lower().replace("_", "-"))
    ending = path.suffix.lower() if path else ""
    try:
        if path is not None and ending == ".parquet":
            return parquet_parts(path, spec.source, rows)
        if path is not None and encoding is not None and ending in (".csv", ".tsv"):
            return _Delimited.of(path, spec, encoding).parts(rows)
        if path is not None and encoding is not None and ending in (".jsonl", ".ndjson"):
            return _JsonLines.of(path, spec, encoding).parts(rows)
    except (_ReadWhole, UnicodeDecodeError, OSError):
        pass
    table = read_table(spec)
    return lambda: iter([table])


@dataclass(frozen=True, kw_only=True)
class _Delimited:
    """A CSV or TSV file whose first pass found nothing unusual."""

    path: Path
    place: str
    encoding: str
    separator: str
    quoting: int
    header: bool
    names: tuple[str, ...]

    @classmethod
    def of(cls, path: Path, spec: DataSpec, encoding: str) -> "_Delimited":
        """Go through the file once.

        Raises:
            _ReadWhole: where it must be read whole.

        """
        separator = spec.separator if spec.separator is not None else "\t" if path.suffix.lower() == ".tsv" else ","
        quoting = csv.QUOTE_NONE if spec.quoting == "none" else csv.QUOTE_MINIMAL
        try:
            check_separator(separator)
            with _opened(path, encoding) as file:
                seen = _survey(file, spec.source, separator, quoting, guess_header=spec.header == "auto")
            if spec.quoting == "auto" and seen.over_lines:
                with _opened(path, encoding) as file:
                    _refuse_plain_reading(file, spec.source, separator)
            refuse_twin_columns(spec.source, seen.header)
        except UserError as error:
            raise _ReadWhole from error
        names = tuple(seen.header) if spec.header else tuple(f"column {n}" for n in range(1, len(seen.header) + 1))
        return cls(
            path=path,
            place=spec.source,
            encoding=encoding,
            separator=separator,
            quoting=quoting,
            header=bool(spec.header),
            names=names,
        )

    def parts(self, rows: int) -> Parts:
        """Return the file in parts."""

        def read() -> Iterator[Table]:
            with _opened(self.path, self.encoding) as file:
                records = (one for one in records_of(file, self.place, self.separator, self.quoting) if one.number >= 0)
                if self.header:
                    next(records)
                else:  # the first record, which has the header's number 0, is row 1
                    records = (one._replace(number=one.number + 1) for one in records)
                for place, some in enumerate(_batched(records, rows)):
                    yield self._table(some, first=place == 0)

        return read

    def _table(self, records: Sequence[Record], *, first: bool) -> Table:
        filled = [one for one in records if one.cells]
        blank = tuple(one.number for one in records if not one.cells)
        unnamed = [index for index, name in enumerate(self.names, start=1) if not name.strip()]
        return Table(
            place=self.place,
            names=self.names,
            numbers=tuple(one.number for one in filled),
            column=lambda index: [one.cells[index] for one in filled],
            header=self.header,
            left_out=(LeftOut(reason="blank line", rows=blank),) if blank else (),
            notices=(f"{self.place}: {unnamed_columns(unnamed)}",) if unnamed and first else (),
        )


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What the first pass over a CSV found."""

    header: Sequence[str]
    over_lines: bool
    """A cell goes over several lines."""


def _survey(file: Iterable[str], place: str, separator: str, quoting: int, *, guess_header: bool) -> _Seen:
    """Go through the records.

    Raises:
        _ReadWhole: for a record with another number of cells, a NUL, no rows, or a first record that may be no header.
        UserError: for records that cannot be read.

    """
    records = (one for one in records_of(file, place, separator, quoting) if one.number >= 0)
    header = next(records, None)
    if header is None or "\0" in "".join(header.cells):
        raise _ReadWhole
    check_separates(header.cells, place, separator)
    doubted = guess_header and not has_usual_name(header.cells)
    over_lines, rows = header.lines > 1, 0
    for record in records:
        if not record.cells:
            continue
        rows += 1
        over_lines |= record.lines > 1
        if len(record.cells) != len(header.cells) or any("\0" in cell for cell in record.cells):
            raise _ReadWhole
        pairs = zip(header.cells, record.cells, strict=True)
        if doubted and record.cells != header.cells and any(cell.strip() and cell == other for cell, other in pairs):
            raise _ReadWhole
    if not rows:
        raise _ReadWhole
    return _Seen(header=header.cells, over_lines=over_lines)


def _refuse_plain_reading(file: Iterable[str], place: str, separator: str) -> None:
    """Refuse a file that can be read with quote marks as plain characters too.

    Raises:
        _ReadWhole: where it can.

    """
    try:
        _survey(file, place, separator, csv.QUOTE_NONE, guess_header=False)
    except (_ReadWhole, UserError):
        return
    raise _ReadWhole


@dataclass(frozen=True, kw_only=True)
class _JsonLines:
    """A file of JSON Lines, with all keys that it has."""

    path: Path
    place: str
    encoding: str
    names: tuple[str, ...]

    @classmethod
    def of(cls, path: Path, spec: DataSpec, encoding: str) -> "_JsonLines":
        """Go through the file once.

        Raises:
            UserError: for a line that is no object.

        """
        names: dict[str, None] = {}
        with _opened(path, encoding, newline=None) as file:
            if any(file.read(8).encode().startswith(magic) for magic, _ in MAGIC):
                raise _ReadWhole
            file.seek(0)
            for number, line in enumerate(file, start=1):
                if line.strip():
                    names |= dict.fromkeys(read_object(line, spec.source, number))
        if not names:
            raise _ReadWhole
        return cls(path=path, place=spec.source, encoding=encoding, names=tuple(names))

    def parts(self, rows: int) -> Parts:
        """Return the file in parts."""

        def read() -> Iterator[Table]:
            with _opened(self.path, self.encoding, newline=None) as file:
                for some in _batched(enumerate(file, start=1), rows):
                    yield self._table(some)

        return read

    def _table(self, lines: Sequence[tuple[int, str]]) -> Table:
        filled = [(number, line) for number, line in lines if line.strip()]
        blank = tuple(number for number, line in lines if not line.strip())
        objects = [read_object(line, self.place, number) for number, line in filled]
        if not objects:
            left_out = (LeftOut(reason="blank line", rows=blank),)
            return Table(place=self.place, names=self.names, numbers=(), column=lambda _: [], left_out=left_out)
        return objects_table(self.place, [number for number, _ in filled], objects, blank, self.names)


def _opened(path: Path, encoding: str, newline: str | None = "") -> IO[str]:
    return path.open(encoding=encoding, newline=newline)


def _batched(items: Iterable[Any], rows: int) -> Iterator[list[Any]]:
    every = iter(items)
    while some := list(itertools.islice(every, rows)):
        yield some

"""Where answers to a file go, row by row: JSON Lines or Parquet by its ending, else CSV; or standard output."""

import io
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from showdown.core.csv_writer import csv_writer
from showdown.core.files import prepare_to_write, write_pieces, write_stream

STANDARD = Path("-")
"""Stands for standard input or output."""
OutputCell = str | float | None
_ROWS_AT_ONCE = 1_000


@dataclass(frozen=True, kw_only=True)
class OutputColumn:
    """A column of the answers."""

    name: str
    is_number: bool = False


Rows = Iterable[Sequence[OutputCell]]
Pieces = Callable[[Sequence[OutputColumn], Rows], Iterator[str]]


def check_output(output: Path) -> None:
    """Refuse a file that cannot be written, before anything is answered.

    Raises:
        UserError: for it.

    """
    if output != STANDARD:
        prepare_to_write(output)


def write_rows(output: Path, columns: Sequence[OutputColumn], rows: Rows, *, standard: str = ".csv") -> None:
    """Write rows as they come; a file appears whole, or not at all.

    Args:
        output: the file, or `STANDARD`.
        columns: of the rows.
        rows: cells, one a column; None is a missing value, which CSV has no sign for but an empty cell.
        standard: ending whose format standard output gets.

    Raises:
        UserError: when the file cannot be written.

    """
    if output == STANDARD:
        for piece in _PIECES[standard](columns, rows):
            sys.stdout.write(piece)
            sys.stdout.flush()
    elif output.suffix.lower() == ".parquet":
        write_stream(output, lambda file: _write_parquet(file, columns, rows))
    else:
        write_pieces(output, _PIECES.get(output.suffix.lower(), _csv_pieces)(columns, rows))


def _csv_pieces(columns: Sequence[OutputColumn], rows: Rows) -> Iterator[str]:
    written = io.StringIO()
    writer = csv_writer(written)
    writer.writerow([column.name for column in columns])
    for row in rows:
        writer.writerow([_text(cell) for cell in row])
        yield written.getvalue()
        written.seek(0)
        written.truncate()
    if written.getvalue():
        yield written.getvalue()


def _text(cell: OutputCell) -> str:
    return "" if cell is None else f"{cell:.6g}" if isinstance(cell, float) else cell


def _json_pieces(columns: Sequence[OutputColumn], rows: Rows) -> Iterator[str]:
    names = [column.name for column in columns]
    for row in rows:
        found = {name: _rounded(cell) for name, cell in zip(names, row, strict=True)}
        yield json.dumps(found, ensure_ascii=False, allow_nan=False) + "\n"


def _rounded(cell: OutputCell) -> OutputCell:
    return float(f"{cell:.6g}") if isinstance(cell, float) else cell


def _write_parquet(file: IO[bytes], columns: Sequence[OutputColumn], rows: Rows) -> None:
    import pyarrow
    from pyarrow import parquet

    kinds = [pyarrow.float64() if column.is_number else pyarrow.string() for column in columns]
    schema = pyarrow.schema([(column.name, kind) for column, kind in zip(columns, kinds, strict=True)])
    every = iter(rows)
    with parquet.ParquetWriter(file, schema) as writer:
        while some := list(itertools.islice(every, _ROWS_AT_ONCE)):
            cells = [
                pyarrow.array([_rounded(cell) for cell in column], kind)
                for column, kind in zip(zip(*some, strict=True), kinds, strict=True)
            ]
            writer.write_table(pyarrow.Table.from_arrays(cells, schema=schema))


_PIECES: dict[str, Pieces] = {".csv": _csv_pieces, ".jsonl": _json_pieces, ".ndjson": _json_pieces}

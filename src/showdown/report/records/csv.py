"""All records as CSV, for a spreadsheet."""

import io
from pathlib import Path

from showdown.core.csv_writer import csv_writer
from showdown.core.files import write_text
from showdown.core.record import Results
from showdown.report.records.flat import Cell, flat_columns
from showdown.verdict.model import Verdict

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_csv(results: Results, verdict: Verdict, folder: Path) -> Path:
    """Write `records.csv` into the comparison's folder and return its path."""
    del verdict
    path = folder / "records.csv"
    write_text(path, records_csv(results))
    return path


def records_csv(results: Results) -> str:
    """Return the records as CSV: numbers in full, `true` and `false`, nothing where nothing is known.

    Text that a spreadsheet would run as a formula (it begins with `=`, `+`, `-`, `@`, a tab or a carriage return) has
    a `'` before it.
    """
    columns = flat_columns(results)
    file = io.StringIO()
    writer = csv_writer(file)
    writer.writerow(columns)
    writer.writerows([_written(cell) for cell in row] for row in zip(*columns.values(), strict=True))
    return file.getvalue()


def _written(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return f"'{cell}" if cell.startswith(_FORMULA) else cell
    return str(cell).lower() if isinstance(cell, bool) else repr(cell)

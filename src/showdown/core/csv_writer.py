"""CSV files that all readers split into the same rows."""

import csv
from typing import IO, Any

_CRLF = "\r\n"


class _Lines:
    """Writes lines that end in `\\n`, as all files of the project do."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, line: str) -> None:
        self._file.write(line.removesuffix(_CRLF) + "\n")


def csv_writer(file: IO[str]) -> Any:
    r"""Return a `csv.writer` that ends lines with `\n` and also quotes cells that hold a `\r`.

    Readers take a bare `\r` for the end of a row. Before Python 3.13, `csv` quotes such a cell only when `\r` is part
    of the line terminator.
    """
    return csv.writer(_Lines(file), lineterminator=_CRLF)

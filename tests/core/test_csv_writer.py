"""Cells come back as they were, whatever stands in them, and rows are as many as were written."""

import csv
import io
import random

from showdown.core.csv_writer import csv_writer

PIECES = (
    "\r",
    "\n",
    "\r\n",
    '"',
    '""',
    ",",
    ";",
    "\t",
    " ",
    "'",
    "a",
    "\u2028",
    "\x0b",
    "\x1c",
    "\x85",
    "=1+1",
    "\\",
    "",
)


def test_any_cell_comes_back() -> None:
    draw = random.Random(3)
    rows = [["".join(draw.choices(PIECES, k=draw.randint(0, 4))) for _ in range(3)] + ["end"] for _ in range(2000)]
    file = io.StringIO(newline="")
    csv_writer(file).writerows(rows)
    assert list(csv.reader(io.StringIO(file.getvalue(), newline=""), strict=True)) == rows


def test_lines_end_as_everywhere() -> None:
    file = io.StringIO(newline="")
    writer = csv_writer(file)
    writer.writerow(["a", "b"])
    writer.writerow(["one\r\n", "two"])
    assert file.getvalue() == 'a,b\n"one\r\n",two\n'

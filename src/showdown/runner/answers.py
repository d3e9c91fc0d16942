"""Answering a file of texts with a saved model."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from showdown.core.errors import UserError
from showdown.core.files import write_text
from showdown.core.record import Results
from showdown.core.spec import DataSpec
from showdown.data.columns import TEXT_NAME
from showdown.data.read import read_table
from showdown.data.tables import Table, column_list, find_column

if TYPE_CHECKING:
    from showdown.api import Prediction


def answer_file(
    results: Results,
    file: Path,
    column: str | None,
    answer: "Callable[[Sequence[str]], Sequence[Prediction]]",
    output: Path,
) -> int:
    """Answer every row of a file and write its text with label and score as CSV; return the number of rows.

    Args:
        results: the comparison that the model comes from; its text column is looked for first.
        file: CSV, TSV, JSONL or Parquet; it needs no label column.
        column: the text column, or None to find it.
        answer: gives a prediction a text.
        output: the CSV to write. Cells are exact, as in the data.

    Raises:
        UserError: for a file that cannot be read or whose text column is not clear.

    """
    table = read_table(DataSpec(source=str(file)))
    index = _text_column(table, column, str(results.comparison["data"].get("text") or ""))
    texts = [cell if isinstance(cell, str) else "" for cell in table.column(index)]
    predictions = answer(texts)
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    kind = predictions[0].score_kind if predictions else "score"
    writer.writerow([table.names[index], "predicted", kind])
    for text, prediction in zip(texts, predictions, strict=True):
        writer.writerow([text, prediction.label, f"{prediction.score:.6g}"])
    write_text(output, written.getvalue())
    return len(texts)


def _text_column(table: Table, column: str | None, usual: str) -> int:
    if column is not None:
        return find_column(table.place, table.names, column)
    if usual in table.names:
        return table.names.index(usual)
    if len(table.names) == 1:
        return 0
    guesses = [index for index, name in enumerate(table.names) if TEXT_NAME.fullmatch(name.strip().casefold())]
    if len(guesses) == 1:
        return guesses[0]
    raise UserError(
        f"{table.place}: cannot tell which column is the text; name it with --column; "
        f"columns: {column_list(table.names)}"
    )

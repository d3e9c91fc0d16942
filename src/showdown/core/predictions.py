"""The predictions files of a comparison, held against their records: one that was cut or changed since is not read."""

import csv
import hashlib
import io
from collections import Counter
from pathlib import Path

from showdown.core.errors import UserError
from showdown.core.files import read_file
from showdown.core.record import RunRecord

COLUMNS = ("row", "cluster", "label", "predicted")
"""The first columns; a score a label follows."""
_MEND = "run the comparison again, which scores the saved model anew"


def digest(content: bytes) -> str:
    """Return what a record keeps of a predictions file: its SHA-256."""
    return hashlib.sha256(content).hexdigest()


def checked_predictions(folder: Path, run: RunRecord, *, score_of: str | None = None) -> list[list[str]]:
    """Return what each line of a completed run's predictions file says in its first columns, without the heading.

    A record of before the SHA-256 was kept is held against the confusion matrix: as many rows of each label with each
    answer.

    Args:
        folder: the comparison's.
        run: its record.
        score_of: a label of the run, whose score is then the last cell of every line.

    Raises:
        UserError: for a file that is missing, or is not what the run wrote.

    """
    path = folder / str(run.predictions_file)
    content = _content(path, run)
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
        heading = next(reader, [])
        if tuple(heading[: len(COLUMNS)]) != COLUMNS:
            raise UserError(f"{path}: the first columns are not {', '.join(COLUMNS)}; {_MEND}")
        score = [] if score_of is None else [len(COLUMNS) + run.labels.index(score_of)]
        lines = [[*line[: len(COLUMNS)], *(line[place] for place in score)] for line in reader]
        fault = _fault(run, lines)
    except (ValueError, IndexError, csv.Error) as error:
        raise UserError(f"{path}: damaged predictions ({error}); {_MEND}") from error
    if fault:
        raise UserError(f"{path}: damaged predictions ({fault}); {_MEND}")
    return lines


def _content(path: Path, run: RunRecord) -> bytes:
    try:
        content = read_file(path)
    except OSError as error:
        raise UserError(f"{path}: predictions cannot be read ({error.strerror}); {_MEND}") from error
    if run.predictions_sha256 is not None and digest(content) != run.predictions_sha256:
        raise UserError(f"{path}: damaged predictions (cut short or changed since the run wrote them); {_MEND}")
    return content


def torn_predictions(folder: Path, run: RunRecord) -> str | None:
    """Say what is wrong with the predictions file of a finished run, which is then scored again; None for nothing."""
    if run.status != "completed":
        return None
    try:
        if run.predictions_sha256 is None:
            checked_predictions(folder, run)
        else:
            _content(folder / str(run.predictions_file), run)
    except UserError as error:
        return str(error).removesuffix(f"; {_MEND}") + "; the run is scored again"
    return None


def _fault(run: RunRecord, lines: list[list[str]]) -> str | None:
    """Say what of a file is not as its record says."""
    rows = run.predictions_rows if run.predictions_rows is not None else sum(map(sum, run.confusion_matrix)) or None
    if rows is not None and len(lines) != rows:
        return f"{len(lines)} rows, the record has {rows}"
    counted = sum(map(sum, run.confusion_matrix))
    if not counted:
        return None
    given = Counter((line[2], line[3]) for line in lines)
    # Where both have as many rows, the answers that are given are all that can differ: no zero is looked at.
    places = {label: place for place, label in enumerate(run.labels)}
    alike = counted == len(lines) and all(
        true in places and said in places and found == run.confusion_matrix[places[true]][places[said]]
        for (true, said), found in given.items()
    )
    return None if alike else "its answers are not those that the record counted"

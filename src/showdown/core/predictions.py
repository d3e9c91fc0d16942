"""Reading the predictions files of a comparison. A file that was cut or changed since the run wrote it is refused.

Every task has `checked_content` and `torn_predictions`; `checked_predictions` is of labels, and `core/written.py` reads
written answers.
"""

import csv
import hashlib
import io
from collections import Counter
from pathlib import Path

from showdown.core.errors import UserError
from showdown.core.files import read_file
from showdown.core.metric import CLASSIFICATION
from showdown.core.record import RunRecord

COLUMNS = ("row", "cluster", "label", "predicted")
"""The first columns; one score for each label follows. `cluster` is the duplicate group."""
FIX = "run the comparison again, which scores the saved model anew"
"""What helps against a damaged file."""


def digest(content: bytes) -> str:
    """Return the SHA-256 of a predictions file, which the record keeps."""
    return hashlib.sha256(content).hexdigest()


def checked_predictions(folder: Path, run: RunRecord, *, score_of: str | None = None) -> list[list[str]]:
    """Return the first columns of each line of a completed run's predictions file, without the heading.

    Older records have no SHA-256. Their files are compared with the confusion matrix: the counts of each label with
    each answer must agree.

    Args:
        folder: the comparison's folder.
        run: the run's record.
        score_of: a label of the run; its score is appended to each line.

    Raises:
        UserError: for a file that is missing, or is not what the run wrote.

    """
    path = folder / str(run.predictions_file)
    content = checked_content(folder, run)
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
        heading = next(reader, [])
        if tuple(heading[: len(COLUMNS)]) != COLUMNS:
            raise UserError(f"{path}: the first columns are not {', '.join(COLUMNS)}; {FIX}")
        score = [] if score_of is None else [len(COLUMNS) + run.labels.index(score_of)]
        lines = [[*line[: len(COLUMNS)], *(line[place] for place in score)] for line in reader]
        fault = _fault(run, lines)
    except (ValueError, IndexError, csv.Error) as error:
        raise UserError(f"{path}: damaged predictions ({error}); {FIX}") from error
    if fault:
        raise UserError(f"{path}: damaged predictions ({fault}); {FIX}")
    return lines


def checked_content(folder: Path, run: RunRecord) -> bytes:
    """Return the bytes of a completed run's predictions file.

    Args:
        folder: the comparison's folder.
        run: the run's record.

    Raises:
        UserError: for a file that is missing, or does not have the SHA-256 of the record.

    """
    path = folder / str(run.predictions_file)
    try:
        content = read_file(path)
    except OSError as error:
        raise UserError(f"{path}: predictions cannot be read ({error.strerror}); {FIX}") from error
    if run.predictions_sha256 is not None and digest(content) != run.predictions_sha256:
        raise UserError(f"{path}: damaged predictions (cut short or changed since the run wrote them); {FIX}")
    return content


def torn_predictions(folder: Path, run: RunRecord) -> str | None:
    """Return what is wrong with the predictions file of a finished run, which is then scored again, or None."""
    if run.status != "completed":
        return None
    try:
        checked_content(folder, run)
        if run.predictions_sha256 is None and run.spec.task == CLASSIFICATION:
            checked_predictions(folder, run)
    except UserError as error:
        return str(error).removesuffix(f"; {FIX}") + "; the run is scored again"
    return None


def _fault(run: RunRecord, lines: list[list[str]]) -> str | None:
    """Return how a file differs from its record, or None."""
    rows = run.predictions_rows if run.predictions_rows is not None else sum(map(sum, run.confusion_matrix)) or None
    if rows is not None and len(lines) != rows:
        return f"{len(lines)} rows, the record has {rows}"
    counted = sum(map(sum, run.confusion_matrix))
    if not counted:
        return None
    given = Counter((line[2], line[3]) for line in lines)
    # With equal numbers of rows, only the answers that occur can differ, so that zeros of the matrix are skipped.
    places = {label: place for place, label in enumerate(run.labels)}
    equal = counted == len(lines) and all(
        true in places and answer in places and found == run.confusion_matrix[places[true]][places[answer]]
        for (true, answer), found in given.items()
    )
    return None if equal else "its answers are not those that the record counted"

"""The form of the predictions file of a task that writes text, and how it is read.

One line a test row; `tasks/generation/answers.py` says what stands in the columns and writes them.
"""

import csv
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from showdown.core.errors import UserError
from showdown.core.metric import METRICS
from showdown.core.predictions import FIX, checked_content
from showdown.core.record import RunRecord

COLUMNS = ("row", "cluster", "answer", "tokens", "finished", "loss", "loss_tokens")
"""The first columns; one for each score follows. `cluster` is the duplicate group."""
SCORE = "score: "
"""How the name of a column of scores begins; the key of the metric follows."""
_ROUNDING = 1e-6
"""Rounding allowed between a score of the record and the mean of its column, as a part of the larger of it and 1."""


@dataclass(frozen=True, kw_only=True)
class WrittenRows:
    """What a run wrote for the test prompts, by rising row of the source. All sequences have one length."""

    row_ids: Sequence[int]
    clusters: Sequence[int]
    """Duplicate groups."""
    answers: Sequence[str]
    tokens: Sequence[int]
    """Tokens written."""
    finished: Sequence[bool]
    """Whether the answer ended by itself, before the limit."""
    losses: Sequence[float] | None
    """Summed loss of the wanted answer, in nats; None for a method without probabilities. So for the next."""
    loss_tokens: Sequence[int] | None
    """Tokens that the loss is summed over."""
    scores: Mapping[str, Sequence[float]]
    """By the key of the metric."""

    @property
    def token_loss(self) -> float | None:
        """Return the loss a token over all rows."""
        if self.losses is None or self.loss_tokens is None:
            return None
        return sum(self.losses) / sum(self.loss_tokens)


def read_written(folder: Path, run: RunRecord) -> WrittenRows:
    """Read the predictions file of a completed run of a task that writes text.

    Args:
        folder: the comparison's folder.
        run: the run's record.

    Raises:
        UserError: for a file that is missing, or is not what the run wrote and scored.

    """
    path = folder / str(run.predictions_file)
    content = checked_content(folder, run)
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
        heading = next(reader, [])
        keys = [name.removeprefix(SCORE) for name in heading[len(COLUMNS) :]]
        if tuple(heading) != (*COLUMNS, *(f"{SCORE}{key}" for key in keys)):
            raise UserError(f"{path}: the columns are not {', '.join(COLUMNS)} and scores; {FIX}")
        lines = sorted(reader, key=lambda line: int(line[0]))
        found = _rows(lines, keys)
        fault = _fault(run, found)
    except (ValueError, IndexError, ArithmeticError, csv.Error) as error:
        raise UserError(f"{path}: damaged predictions ({error}); {FIX}") from error
    if fault:
        raise UserError(f"{path}: damaged predictions ({fault}); {FIX}")
    return found


def _rows(lines: Sequence[Sequence[str]], keys: Sequence[str]) -> WrittenRows:
    """Return the cells as what they are.

    Raises:
        ValueError: for a line of another length, a cell that is no number, and losses that not all rows have.

    """
    if any(len(line) != len(COLUMNS) + len(keys) for line in lines):
        raise ValueError("a line has too many cells or too few")
    known = {line[5] != "" and line[6] != "" for line in lines}
    if len(known) > 1:
        raise ValueError("some rows have a loss and others have none")
    with_losses = known == {True}
    return WrittenRows(
        row_ids=[int(line[0]) for line in lines],
        clusters=[int(line[1]) for line in lines],
        answers=[line[2] for line in lines],
        tokens=[int(line[3]) for line in lines],
        finished=[bool(int(line[4])) for line in lines],
        losses=[_finite(line[5]) for line in lines] if with_losses else None,
        loss_tokens=[int(line[6]) for line in lines] if with_losses else None,
        scores={key: [_finite(line[len(COLUMNS) + place]) for line in lines] for place, key in enumerate(keys)},
    )


def _finite(cell: str) -> float:
    value = float(cell)
    if not math.isfinite(value):
        raise ValueError(f"`{cell}` is no finite number")
    return value


def _fault(run: RunRecord, found: WrittenRows) -> str | None:
    """Return how a file differs from its record, or None."""
    rows = len(found.row_ids)
    if not rows:
        return "no rows"
    if run.predictions_rows is not None and rows != run.predictions_rows:
        return f"{rows} rows, the record has {run.predictions_rows}"
    twice = [row for row, count in Counter(found.row_ids).items() if count > 1]
    if twice:
        return f"row {twice[0]} is there {Counter(found.row_ids)[twice[0]]} times"
    loss = found.token_loss
    given = {key: sum(values) / rows for key, values in found.scores.items()}
    given |= {} if loss is None else {"token_loss": loss, "perplexity": math.exp(loss)}
    for key, value in run.scores.items():
        if key not in given and key not in METRICS:
            continue  # of a later version
        if key not in given:
            return f"no `{key}`, which the record has"
        if abs(value - given[key]) > _ROUNDING * max(1.0, abs(value)):
            return f"its `{key}` is {given[key]:g}, that of the record {value:g}"
    return None

"""The ways to ask a saved model, with texts, with a file or with standard input, whatever its task."""

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO

from showdown.core.errors import UserError
from showdown.core.files import write_stream
from showdown.core.terminal import escape_controls
from showdown.data.clean import clean
from showdown.data.read import ENDINGS, unwritable
from showdown.prediction.file import ASK_A_PERSON, FileResult, TextFile, predict_file
from showdown.prediction.model import Model, Prediction
from showdown.prediction.output import STANDARD
from showdown.prediction.prompts_file import answer_file
from showdown.prediction.writer import WriterModel

_LINES_AT_ONCE = 64
"""Lines of standard input that are answered together."""
LINES = "lines"
"""The form of standard input that is one text a line."""


def answers_in_lines(
    model: Model | WriterModel,
    texts: Sequence[str],
    coverage: float | None = None,
    *,
    threshold: float | None = None,
    top: int = 1,
) -> tuple[list[str], list[str]]:
    """Return the answer to each text for a terminal, and a notice on each answer that was cut.

    An answer is a label with its score, or what was written, without control characters other than tabs.

    Raises:
        UserError: see `Model.predict` and `WriterModel.predict`.

    """
    if isinstance(model, WriterModel):
        model.refuse_options(coverage=coverage, threshold=threshold, top=top)
        answers = model.predict(texts)
        cut = [
            f"answer {number} was cut at the limit of the comparison, {one.tokens} tokens"
            for number, one in enumerate(answers, start=1)
            if not one.finished
        ]
        return [_printable(one.text) for one in answers], cut
    return [_line(one) for one in model.predict(texts, coverage=coverage, threshold=threshold, top=top)], []


def _line(one: Prediction) -> str:
    first = f"{escape_controls(one.label) if one.sure else ASK_A_PERSON}\t{one.score:.4f} ({one.score_kind})"
    if not one.sure:
        return first
    return "\t".join([first, *(f"{escape_controls(label)} {score:.4f}" for label, score in one.ranked[1:])])


def _printable(text: str) -> str:
    return re.sub(r"[^\n\t]+", lambda found: escape_controls(found[0]), text)


def answer_stream(
    model: Model | WriterModel,
    lines: IO[str],
    *,
    coverage: float | None = None,
    threshold: float | None = None,
    top: int = 1,
) -> Iterator[str]:
    """Yield an answer to each line of a stream in a line of its own, some at a time; an empty line gets an empty one.

    Raises:
        UserError: as `answers_in_lines`; and for a line that is no text.

    """
    while some := [line.rstrip("\r\n") for line in islice(lines, _LINES_AT_ONCE)]:
        for line in some:
            fault = unwritable(line)
            if fault:
                raise UserError(f"standard input: a line contains {fault}; remove it")
        filled = [bool(clean(line, model.data.clean).strip()) for line in some]
        texts = [line for line, whether in zip(some, filled, strict=True) if whether]
        answers = iter(answers_in_lines(model, texts, coverage, threshold=threshold, top=top)[0])
        yield from (next(answers).replace("\n", "\\n") if whether else "" for whether in filled)


def answer_into(output: Path, model: Model | WriterModel, file: TextFile) -> FileResult:
    """Answer every row of a file and write it, as CSV, JSON Lines or Parquet.

    Raises:
        UserError: see `predict_file` and `answer_file`.

    """
    if isinstance(model, WriterModel):
        return answer_file(file, model, output)
    predict = partial(model.predict, coverage=file.coverage, threshold=file.threshold, top=file.top)
    return predict_file(file, model.data, predict, output)


@contextmanager
def as_file(file: TextFile, form: str, stream: IO[bytes]) -> Iterator[TextFile]:
    """Give a file as it is, and standard input as a temporary file, since rows are read twice.

    Args:
        file: the file, or `STANDARD`.
        form: of standard input: an ending without its dot, such as `csv`.
        stream: standard input.

    Raises:
        UserError: for a form that there is not.

    """
    if file.file != STANDARD:
        yield file
        return
    if f".{form}" not in ENDINGS:
        raise UserError(f"--input-format {form}: give {LINES}, {', '.join(one[1:] for one in ENDINGS)}")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / f"standard-input.{form}"
        write_stream(path, lambda copy: shutil.copyfileobj(stream, copy))
        yield replace(file, file=path)

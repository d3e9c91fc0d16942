"""The two ways to ask a saved model, with texts or with a file, whatever its task."""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from showdown.core.terminal import escape_controls
from showdown.prediction.file import ASK_A_PERSON, FileResult, TextFile, predict_file
from showdown.prediction.model import Model
from showdown.prediction.prompts_file import answer_file
from showdown.prediction.writer import WriterModel


def answers_in_lines(
    model: Model | WriterModel, texts: Sequence[str], coverage: float | None
) -> tuple[list[str], list[str]]:
    """Return the answer to each text for a terminal, and a notice on each answer that was cut.

    An answer is a label with its score, or what was written, without control characters other than tabs.

    Raises:
        UserError: see `Model.predict` and `WriterModel.predict`.

    """
    if isinstance(model, WriterModel):
        answers = model.predict(texts, coverage=coverage)
        cut = [
            f"answer {number} was cut at the limit of the comparison, {one.tokens} tokens"
            for number, one in enumerate(answers, start=1)
            if not one.finished
        ]
        return [_printable(one.text) for one in answers], cut
    return [
        f"{escape_controls(one.label) if one.sure else ASK_A_PERSON}\t{one.score:.4f} ({one.score_kind})"
        for one in model.predict(texts, coverage=coverage)
    ], []


def _printable(text: str) -> str:
    return re.sub(r"[^\n\t]+", lambda found: escape_controls(found[0]), text)


def answer_into(output: Path, model: Model | WriterModel, file: TextFile) -> FileResult:
    """Answer every row of a file and write it as CSV.

    Raises:
        UserError: see `predict_file` and `answer_file`.

    """
    if isinstance(model, WriterModel):
        return answer_file(file, model, output)
    return predict_file(file, model.data, partial(model.predict, coverage=file.coverage), output)

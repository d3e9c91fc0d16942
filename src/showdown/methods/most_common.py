"""The floor that writes the most frequent training answer, whatever is asked."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from showdown.core.errors import UserError
from showdown.core.examples import Examples
from showdown.core.files import write_json
from showdown.core.method import Fitted, FittedMethod, Job
from showdown.core.predictor import Writer, Written
from showdown.core.traits import Traits

_FILE = "answer.json"


class ConstantWriter(Writer):
    """Writes the same answer to every prompt."""

    def __init__(self, text: str) -> None:
        self.text = text

    def write(self, prompts: Sequence[str], *, batch_rows: int) -> list[Written]:
        """Repeat the answer."""
        return [Written(text=self.text, tokens=0, finished=True) for _ in prompts]


class MostCommon(FittedMethod):
    """Always the most frequent training answer; of several the one that comes first."""

    title: ClassVar[str] = "Most common answer"
    summary: ClassVar[str] = "always writes the most frequent training answer; a floor for written answers"
    tasks: ClassVar[frozenset[str]] = frozenset({"generation"})
    traits: ClassVar[Traits] = Traits(role="floor", deterministic=True, reads="nothing", color="gray")

    def fit(self, train: Examples, job: Job, *, validation: Examples) -> Fitted:
        """Count the training answers.

        Raises:
            UserError: when there are none.

        """
        if not train.answers:
            raise UserError("there are no training rows to take an answer from; give some, or leave this method out")
        ((text, count),) = Counter(train.answers).most_common(1)  # of equal counts the first one that came
        return Fitted(
            predictor=ConstantWriter(text),
            trainable_parameters=0,
            total_parameters=0,
            notes=(f"its answer is that of {count} of {len(train)} training rows",),
        )

    def save(self, writer: ConstantWriter, folder: Path) -> None:
        """Write the answer as JSON."""
        write_json(folder / _FILE, writer.text)

    def load(self, folder: Path, job: Job) -> ConstantWriter:
        """Read the answer.

        Raises:
            ValueError: when the file holds no text.

        """
        text = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        if not isinstance(text, str):
            raise ValueError(f"{_FILE} holds no text")
        return ConstantWriter(text)

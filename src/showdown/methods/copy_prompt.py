"""The floor that gives back what the user wrote: what a score grants for words that question and answer share."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from showdown.core.chat import shown_prompt
from showdown.core.examples import Examples
from showdown.core.files import write_json
from showdown.core.method import Fitted, FittedMethod, Job
from showdown.core.predictor import Writer, Written
from showdown.core.traits import Traits

_FILE = "copy.json"


class CopyWriter(Writer):
    """Writes what the user wrote."""

    def write(self, prompts: Sequence[str], *, batch_rows: int) -> list[Written]:
        """Return each prompt without its system message."""
        return [Written(text=shown_prompt(prompt), tokens=0, finished=True) for prompt in prompts]


class CopyPrompt(FittedMethod):
    """What the user wrote, as the answer."""

    title: ClassVar[str] = "Copy of the prompt"
    summary: ClassVar[str] = "writes what the user wrote, word for word; a floor for written answers"
    tasks: ClassVar[frozenset[str]] = frozenset({"generation"})
    traits: ClassVar[Traits] = Traits(role="floor", deterministic=True, reads="words")
    learns: ClassVar[bool] = False

    def fit(self, train: Examples, job: Job, *, validation: Examples) -> Fitted:
        """Learn nothing."""
        return Fitted(predictor=CopyWriter(), trainable_parameters=0, total_parameters=0)

    def save(self, writer: CopyWriter, folder: Path) -> None:
        """Write that nothing was learned: a saved model is a folder with a file."""
        write_json(folder / _FILE, {})

    def load(self, folder: Path, job: Job) -> CopyWriter:
        """Return the writer.

        Raises:
            ValueError: when the file holds anything.

        """
        if json.loads((folder / _FILE).read_text(encoding="utf-8")) != {}:
            raise ValueError(f"{_FILE} holds something, and nothing was learned")
        return CopyWriter()

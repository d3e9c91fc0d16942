"""What a method is tried on, for each task: rows, a job, and how answers are compared."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from showdown.core.examples import Examples
from showdown.core.files import write_text
from showdown.core.method import Job
from showdown.core.metric import CLASSIFICATION, GENERATION
from showdown.core.predictor import Classifier, Predictor, Writer
from showdown.core.spec import DataSpec
from showdown.testing.require import require
from showdown.testing.tiny import LABELS, chat_rows, job_for, separable_rows, write_csv

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What a model answered."""

    numbers: "Numbers"
    """Scores of shape (texts, labels), or of a writer the loss and the number of tokens of each wanted answer; of one
    without probabilities nothing: shape (texts, 0)."""
    written: tuple[str, ...] = ()
    """By a writer, for each prompt."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """What a method is tried on in one task."""

    task: str
    labels: tuple[str, ...]
    rows: Callable[..., Examples]
    """Makes so many rows from a place on: `rows(12, start=60)`."""
    limit: int
    """Tokens of an example."""
    epochs: int
    """Of a training."""
    learned: float
    """What part of the loss must be left after them, at the most. A language model's output layer is not trained by
    most methods, and that of a tiny one is random."""

    @property
    def chat(self) -> bool:
        """Whether models must know chats."""
        return self.task == GENERATION

    @property
    def asked(self) -> Examples:
        """Rows that no method is trained on."""
        return self.rows(16, start=100)

    def job(self, model: Path, **protocol: Any) -> Job:
        """Return a job in float32 on the CPU; all epochs are trained, unless the protocol says otherwise."""
        return job_for(model, self.task, **protocol)

    def encoded(self, model: Path) -> "list[torch.Tensor]":
        """Return the token ids of each row that is asked."""
        import torch

        from showdown.models.tokens import load_tokenizer

        job = self.job(model)
        ids = job.task.encode(load_tokenizer(model), self.asked, self.limit, job.protocol).ids
        return [torch.tensor(row) for row in ids]

    def answered(self, predictor: Predictor, *, batch_rows: int = 4) -> Answered:
        """Have a model answer what is asked."""
        return answered(predictor, self.asked.texts, self.asked.answers, batch_rows=batch_rows)

    def source(self, folder: Path, count: int) -> DataSpec:
        """Write rows into a file, and return how they are read."""
        if not self.chat:
            return DataSpec(source=str(write_csv(folder / "rows.csv", self.rows(count))))
        rows = self.rows(count)
        lines = [
            {"messages": [*json.loads(text), {"role": "assistant", "content": answer}]}
            for text, answer in zip(rows.texts, rows.answers, strict=True)
        ]
        write_text(folder / "chats.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
        return DataSpec(source=str(folder / "chats.jsonl"))


def answered(predictor: Predictor, texts: Sequence[str], wanted: Sequence[str], *, batch_rows: int) -> Answered:
    """Have a model answer texts, so that its answers can be compared.

    Args:
        predictor: of any task.
        texts: what is asked.
        wanted: the wanted answers, for a writer.
        batch_rows: texts that are answered at a time.

    Raises:
        NonConformance: for a predictor of no task.

    """
    import numpy as np

    if isinstance(predictor, Classifier):
        return Answered(numbers=np.asarray(predictor.scores(texts, batch_rows=batch_rows)))
    require(
        isinstance(predictor, Writer),
        f"it answers with a {type(predictor).__name__}, which is neither a classifier nor a writer",
    )
    assert isinstance(predictor, Writer)
    written = tuple(one.text for one in predictor.write(texts, batch_rows=batch_rows))
    losses = predictor.token_losses(texts, wanted)
    return Answered(numbers=np.zeros((len(texts), 0)) if losses is None else losses, written=written)


MATERIALS = {
    CLASSIFICATION: Material(task=CLASSIFICATION, labels=LABELS, rows=separable_rows, limit=64, epochs=4, learned=0.5),
    GENERATION: Material(task=GENERATION, labels=(), rows=chat_rows, limit=128, epochs=8, learned=0.9),
}
"""By task."""

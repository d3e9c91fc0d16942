"""A fitted model that answers texts."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from showdown.core.record import ScoreKind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Scores2D = npt.NDArray[np.float64]


class Predictor(ABC):
    """A fitted model that answers texts, whatever its task. It answers after a save and a reload exactly as before."""

    warm_up_rounds: int = 0
    """Rounds of calls after which it is as fast as it will be, beyond the very first call."""
    pads: bool = True
    """Whether texts answered together may be padded to the longest, so that those of similar length cost less."""
    limit: int | None = None
    """Tokens after which a text is cut; None where nothing is cut, or the method does not say."""

    @abstractmethod
    def answer(self, texts: Sequence[str], *, batch_rows: int) -> object:
        """Answer each text, ``batch_rows`` texts at a time, and return the answers in the form of its task."""

    def notes(self) -> list[str]:
        """Return what a reader must know of the answers that it gave so far, such as what did not fit: lines."""
        return []


class Classifier(Predictor):
    """A predictor that scores each label."""

    score_kind: ScoreKind

    @abstractmethod
    def scores(self, texts: Sequence[str], *, batch_rows: int) -> "Scores2D":
        """Score each text for each label: shape (texts, labels), the highest wins."""

    def answer(self, texts: Sequence[str], *, batch_rows: int) -> "Scores2D":
        """Return the scores."""
        return self.scores(texts, batch_rows=batch_rows)


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a model wrote for one prompt, and what that took."""

    text: str
    tokens: int
    """Tokens written, the one that ends the answer included; 0 where nothing was generated."""
    finished: bool
    """Whether it ended by itself. Otherwise the answer was cut at the limit."""
    first_token_seconds: float | None = None
    """From the call to the first token of its batch; None where nothing was generated."""


class Writer(Predictor):
    """A predictor that writes an answer to each prompt."""

    @abstractmethod
    def write(self, prompts: Sequence[str], *, batch_rows: int) -> list[Written]:
        """Write an answer to each prompt, in their order.

        Args:
            prompts: each as `showdown.core.chat` keeps it.
            batch_rows: prompts that are answered at a time.

        """

    def answer(self, texts: Sequence[str], *, batch_rows: int) -> list[Written]:
        """Return the answers."""
        return self.write(texts, batch_rows=batch_rows)

    def refusal(self, prompt: str) -> str | None:
        """Return why a prompt cannot be answered, as the end of a sentence that begins with it; None where it can."""
        return None

    def token_losses(self, prompts: Sequence[str], answers: Sequence[str]) -> "Scores2D | None":
        """Return what the wanted answers cost: shape (prompts, 2), the summed loss in nats and the number of tokens.

        None for a model that has no probabilities.
        """
        return None

"""A fitted model that answers texts."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
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

    @abstractmethod
    def answer(self, texts: Sequence[str], *, batch_rows: int) -> object:
        """Answer each text, ``batch_rows`` texts at a time, and return the answers in the form of its task."""


class Classifier(Predictor):
    """A predictor that scores each label."""

    score_kind: ScoreKind

    @abstractmethod
    def scores(self, texts: Sequence[str], *, batch_rows: int) -> "Scores2D":
        """Score each text for each label: shape (texts, labels), the highest wins."""

    def answer(self, texts: Sequence[str], *, batch_rows: int) -> "Scores2D":
        """Return the scores."""
        return self.scores(texts, batch_rows=batch_rows)

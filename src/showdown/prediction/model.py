"""A saved model that gives labels, opened, and its predictions for new texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from showdown.core.bounds import RequestedData
from showdown.core.errors import UserError
from showdown.core.predictor import Classifier
from showdown.core.record import Confidence, ScoreKind
from showdown.data.clean import clean
from showdown.prediction.failure import reason_of
from showdown.prediction.threshold import confidences, threshold_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_BATCH_ROWS = 16


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The prediction for one text."""

    label: str
    score: float
    """The winning label's score; `score_kind` says what it is."""
    score_kind: ScoreKind
    confidence: float
    """How sure the model is: the score where that is a probability, else its lead over the second best."""
    sure: bool = True
    """False where the confidence is below the threshold of the requested coverage: ask a person."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A saved model that is ready to predict labels."""

    name: str
    """Of its arm."""
    labels: tuple[str, ...]
    """In the order of the scores."""
    data: RequestedData
    """How the texts of its comparison were read and cleaned."""
    classifier: Classifier
    confidence: Confidence | None
    """What scoring measured of its confidence, with the thresholds of coverages."""
    fix: str
    """What to do when its folder is damaged."""

    def predict(self, texts: Sequence[str], *, coverage: float | None = None) -> list[Prediction]:
        """Predict the label of each text.

        Args:
            texts: what to classify; cleaned here as the training texts were.
            coverage: the share of texts like the training texts to be `sure` of; all by default. The threshold is the
                one that lets this share of the validation rows through.

        Raises:
            UserError: when a text is empty, the model is damaged, or no threshold is kept for the coverage.

        """
        threshold = threshold_of(self.name, self.confidence, coverage)
        cleaned = [clean(text, self.data.clean) for text in texts]
        for number, text in enumerate(cleaned, start=1):
            if not text.strip():
                raise UserError(
                    f"text {number} of {len(texts)} is empty (cleaned with `{self.data.clean}`); give a text with words"
                )
        if not texts:
            return []
        scores, kind = self._scores(cleaned), self.classifier.score_kind
        return [
            Prediction(
                label=self.labels[int(line.argmax())],
                score=float(line.max()),
                score_kind=kind,
                confidence=confidence,
                sure=confidence >= threshold,
            )
            for line, confidence in zip(scores, confidences(scores, kind), strict=True)
        ]

    def scores(self, texts: Sequence[str]) -> "npt.NDArray[np.float64]":
        """Return the score of each label for each text: shape (texts, labels).

        Args:
            texts: at least one, each with words; cleaned here as the training texts were.

        Raises:
            UserError: when the model is damaged.

        """
        return self._scores([clean(text, self.data.clean) for text in texts])

    def _scores(self, texts: Sequence[str]) -> "npt.NDArray[np.float64]":
        """Return the score of each label for each text: shape (texts, labels).

        Raises:
            UserError: when the model cannot score, or scores other labels than its description names.

        """
        try:
            scores = self.classifier.scores(texts, batch_rows=_BATCH_ROWS)
        except UserError:
            raise
        except Exception as error:
            raise UserError(
                f"the saved model of `{self.name}` cannot answer ({reason_of(error)}); {self.fix}"
            ) from error
        if scores.shape != (len(texts), len(self.labels)):
            raise UserError(
                f"the saved model of `{self.name}` answers with {scores.shape[-1]} labels, its description has "
                f"{len(self.labels)}; {self.fix}"
            )
        return scores

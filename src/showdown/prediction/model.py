"""A saved model that gives labels, opened, and its predictions for new texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from showdown.core.bounds import RequestedData
from showdown.core.errors import UserError
from showdown.core.predictor import Classifier
from showdown.core.record import Confidence, ScoreKind
from showdown.data.clean import clean
from showdown.prediction.failure import reason_of
from showdown.prediction.threshold import confidences, least_confidence

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
    """False where the confidence is below the threshold that was asked for, or below that of the requested coverage:
    ask a person."""
    ranked: tuple[tuple[str, float], ...] = ()
    """The best labels with their scores, the best first: as many as were asked for."""


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
    hint: ClassVar[None] = None
    """As in `WriterModel`: there is nothing to know of a system message."""

    def with_system(self, system: str) -> Self:
        """Refuse a system message, as texts have none.

        Raises:
            UserError: always.

        """
        raise UserError(f"--system: `{self.name}` gives labels to texts, which have no system message; leave it out")

    def predict(
        self, texts: Sequence[str], *, coverage: float | None = None, threshold: float | None = None, top: int = 1
    ) -> list[Prediction]:
        """Predict the label of each text.

        Args:
            texts: what to classify; cleaned here as the training texts were.
            coverage: the share of texts like the training texts to be `sure` of; all by default. The threshold is the
                one that lets this share of the validation rows through.
            threshold: the least confidence of a `sure` prediction, in place of a coverage.
            top: so many labels of each text in `ranked`.

        Raises:
            UserError: when a text is empty, the model is damaged, no threshold is kept for the coverage, or there are
                fewer labels than are asked for.

        """
        least = least_confidence(self.name, self.confidence, coverage=coverage, threshold=threshold)
        if not 1 <= top <= len(self.labels):
            raise UserError(f"--top {top}: `{self.name}` has {len(self.labels)} labels; give 1 to {len(self.labels)}")
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
                sure=confidence >= least,
                ranked=tuple((self.labels[place], float(line[place])) for place in _best(line, top)),
            )
            for line, confidence in zip(scores, confidences(scores, kind), strict=True)
        ]

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


def _best(scores: "npt.NDArray[np.float64]", top: int) -> list[int]:
    """Return the places of the highest scores, the highest first; of equals the first."""
    found: list[int] = (-scores).argsort(kind="stable")[:top].tolist()
    return found

"""The base of methods that are a pipeline of scikit-learn over the words of a text."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from showdown.core.errors import UserError
from showdown.core.examples import Examples
from showdown.core.files import write_bytes
from showdown.core.method import Fitted, FittedMethod, Job
from showdown.core.predictor import Classifier
from showdown.core.record import ScoreKind

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

FILE = "pipeline.skops"


class PipelineClassifier(Classifier):
    """A scikit-learn pipeline: its probabilities where it has some, else its decision scores."""

    def __init__(self, pipeline: "Pipeline", label_count: int) -> None:
        self.pipeline, self.label_count = pipeline, label_count
        self._probabilities = hasattr(pipeline, "predict_proba")
        self.score_kind: ScoreKind = "probability" if self._probabilities else "decision score"

    def scores(self, texts: Sequence[str], *, batch_rows: int) -> npt.NDArray[np.float64]:
        """Probabilities, or signed distances to each label's plane: shape (rows, labels).

        A label that was never trained on has probability 0, or stays lowest.
        """
        blocks = [self._scored(list(texts[start : start + batch_rows])) for start in range(0, len(texts), batch_rows)]
        known = np.concatenate(blocks)
        lowest = 0.0 if self._probabilities else known.min() - 1.0
        found = np.full((len(texts), self.label_count), lowest)
        found[:, self.pipeline.classes_] = known
        return found

    def _scored(self, texts: list[str]) -> npt.NDArray[np.float64]:
        """Return the scores of the labels that were trained on."""
        scored: npt.NDArray[np.float64]
        if self._probabilities:
            scored = self.pipeline.predict_proba(texts)
            return scored
        scored = self.pipeline.decision_function(texts)
        # Of two labels scikit-learn gives the second one's distance alone.
        return np.stack([-scored, scored], axis=1) if scored.ndim == 1 else scored


class PipelineMethod(FittedMethod):
    """Fits a pipeline. A method makes it (`fitted`) and counts what it learned."""

    @abstractmethod
    def fitted(self, train: Examples, job: Job, validation: Examples) -> tuple["Pipeline", tuple[str, ...]]:
        """Return the fitted pipeline, with notes for the record."""

    @abstractmethod
    def learned(self, machine: Any) -> int:
        """Return how many numbers the last step of the pipeline learned."""

    def fit(self, train: Examples, job: Job, *, validation: Examples) -> Fitted:
        """Fit the pipeline on the training rows.

        Raises:
            UserError: when there are no training rows.

        """
        if not len(train):
            raise UserError("there are no training rows; give some, or take a method that learns from none")
        pipeline, notes = self.fitted(train, job, validation)
        learned = self.learned(pipeline[-1])
        return Fitted(
            predictor=PipelineClassifier(pipeline, len(job.labels)),
            trainable_parameters=learned,
            total_parameters=learned,
            notes=notes,
        )

    def save(self, classifier: PipelineClassifier, folder: Path) -> None:
        """Write the pipeline with skops, which holds no executable code."""
        import skops.io

        write_bytes(folder / FILE, skops.io.dumps(classifier.pipeline))

    def load(self, folder: Path, job: Job) -> PipelineClassifier:
        """Read the pipeline; types that skops does not trust are refused."""
        import skops.io

        return PipelineClassifier(skops.io.load(folder / FILE, trusted=[]), len(job.labels))

"""TF-IDF of words and word pairs with a linear support-vector machine, trained in a second on a CPU."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from showdown.core.examples import Examples
from showdown.core.files import write_bytes
from showdown.core.method import Fitted, FittedMethod, Job, MethodSettings
from showdown.core.predictor import Classifier
from showdown.core.record import ScoreKind
from showdown.core.traits import Traits

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

_FILE = "pipeline.skops"


class TfIdfClassifier(Classifier):
    """A scikit-learn pipeline whose decision scores are not probabilities."""

    score_kind: ScoreKind = "decision score"

    def __init__(self, pipeline: "Pipeline", label_count: int) -> None:
        self.pipeline = pipeline
        self.label_count = label_count

    def scores(self, texts: Sequence[str], *, batch_rows: int) -> npt.NDArray[np.float64]:
        """Signed distances to each label's plane: shape (rows, labels); a label never trained on stays lowest."""
        blocks = [
            self.pipeline.decision_function(list(texts[start : start + batch_rows]))
            for start in range(0, len(texts), batch_rows)
        ]
        decisions = np.concatenate(blocks)
        if decisions.ndim == 1:  # two labels: scikit-learn gives the second one's distance alone
            decisions = np.stack([-decisions, decisions], axis=1)
        found = np.full((len(texts), self.label_count), decisions.min() - 1.0)
        found[:, self.pipeline.classes_] = decisions
        return found


class TfIdfSettings(MethodSettings):
    """Settings of TF-IDF with a support-vector machine."""

    longest_ngram: int = Field(default=2, ge=1, le=5)
    """Words in the longest word group counted."""
    regularisation: float = Field(default=1.0, gt=0.0)
    """The support-vector machine's C."""


class TfIdf(FittedMethod):
    """TF-IDF with a linear support-vector machine."""

    title: ClassVar[str] = "TF-IDF + SVM"
    summary: ClassVar[str] = "TF-IDF with a linear support-vector machine; seconds on a CPU (decision scores)"
    traits: ClassVar[Traits] = Traits(
        role="cheap", deterministic=True, reads="words", color="brown", citation="joachims1998"
    )
    Settings: ClassVar[type[MethodSettings]] = TfIdfSettings

    def fit(self, train: Examples, job: Job, *, validation: Examples) -> Fitted:
        """Fit vocabulary and planes on the training rows."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import LinearSVC

        pipeline = make_pipeline(
            TfidfVectorizer(sublinear_tf=True, ngram_range=(1, self.settings.longest_ngram), dtype=np.float64),
            LinearSVC(C=self.settings.regularisation, random_state=job.seed),
        )
        pipeline.fit(list(train.texts), np.asarray(train.targets))
        machine = pipeline[-1]
        learned = int(machine.coef_.size + machine.intercept_.size)
        return Fitted(
            predictor=TfIdfClassifier(pipeline, len(job.labels)),
            trainable_parameters=learned,
            total_parameters=learned,
        )

    def save(self, classifier: TfIdfClassifier, folder: Path) -> None:
        """Write the pipeline with skops, which holds no executable code."""
        import skops.io

        write_bytes(folder / _FILE, skops.io.dumps(classifier.pipeline))

    def load(self, folder: Path, job: Job) -> TfIdfClassifier:
        """Read the pipeline; types that skops does not trust are refused."""
        import skops.io

        return TfIdfClassifier(skops.io.load(folder / _FILE, trusted=[]), len(job.labels))

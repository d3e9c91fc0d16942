"""TF-IDF of words and word pairs with a linear support-vector machine, trained in a second on a CPU."""

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field

from showdown.core.examples import Examples
from showdown.core.method import Job, MethodSettings
from showdown.core.traits import Traits
from showdown.methods.pipeline import PipelineMethod

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


class TfIdfSettings(MethodSettings):
    """Settings of TF-IDF with a support-vector machine."""

    longest_ngram: int = Field(default=2, ge=1, le=5)
    """Words in the longest word group counted."""
    regularisation: float = Field(default=1.0, gt=0.0)
    """The support-vector machine's C."""


class TfIdf(PipelineMethod):
    """TF-IDF with a linear support-vector machine."""

    title: ClassVar[str] = "TF-IDF + SVM"
    summary: ClassVar[str] = "TF-IDF with a linear support-vector machine; seconds on a CPU (decision scores)"
    traits: ClassVar[Traits] = Traits(
        role="cheap", deterministic=True, reads="words", color="brown", citation="joachims1998"
    )
    Settings: ClassVar[type[MethodSettings]] = TfIdfSettings

    def fitted(self, train: Examples, job: Job, validation: Examples) -> tuple["Pipeline", tuple[str, ...]]:
        """Fit vocabulary and planes on the training rows."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import LinearSVC

        pipeline = make_pipeline(
            TfidfVectorizer(sublinear_tf=True, ngram_range=(1, self.settings.longest_ngram), dtype=np.float64),
            LinearSVC(C=self.settings.regularisation, random_state=job.seed),
        )
        return pipeline.fit(list(train.texts), np.asarray(train.targets)), ()

    def learned(self, machine: Any) -> int:
        """Count the planes."""
        return int(machine.coef_.size + machine.intercept_.size)

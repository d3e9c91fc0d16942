"""Gradient boosting of trees on embeddings: scikit-learn's histogram form, after LightGBM (Ke et al., 2017)."""

from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from showdown.core.method import Job, MethodSettings
from showdown.core.traits import Reference, Traits
from showdown.methods.embedded import EmbeddedMethod, EmbeddingSettings, Head, HeldOut, Numbers
from showdown.methods.trees import TreesHead, trees_of

_LEAVES = 4
"""A tree of few rows can have so many leaves at least."""


class BoostingSettings(EmbeddingSettings):
    """Settings of the boosted trees."""

    learning_rate: float = Field(default=0.1, gt=0.0, le=1.0)
    """What the raw score of a tree is multiplied by; scikit-learn's default. So for the next two."""
    rounds: int = Field(default=100, ge=1)
    """Trees of each label. A number chosen on the validation rows does no better."""
    leaf_rows: int = Field(default=20, ge=1)
    """The fewest training rows in a leaf, and never more than a quarter of all. With 5 it is right on 6 to 14 points
    fewer of the test rows of the built-in resumes (`benchmarks/statistics/cheap_methods.py`)."""


class Boosting(EmbeddedMethod):
    """Boosted trees on the frozen network's embeddings."""

    title: ClassVar[str] = "Boosting"
    summary: ClassVar[str] = (
        "gradient boosting on the frozen network's embeddings; for many rows that no linear model divides"
    )
    Settings: ClassVar[type[MethodSettings]] = BoostingSettings
    traits: ClassVar[Traits] = Traits(
        role="cheap",
        deterministic=True,
        reads="tokens",
        citation=Reference(
            key="ke2017",
            text="Guolin Ke, Qi Meng, Thomas Finley, Taifeng Wang, Wei Chen, Weidong Ma, Qiwei Ye, and Tie-Yan Liu. "
            "LightGBM: A highly efficient gradient boosting decision tree. In Advances in Neural Information "
            "Processing Systems 30, 2017.",
        ),
    )
    head_class: ClassVar[type[Head]] = TreesHead
    chooses: ClassVar[bool] = False

    def fit_head(
        self, train: Numbers, targets: npt.NDArray[np.int64], job: Job, held_out: HeldOut
    ) -> tuple[Head, tuple[str, ...]]:
        """Fit the trees."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        del held_out
        model = HistGradientBoostingClassifier(
            learning_rate=self.settings.learning_rate,
            max_iter=self.settings.rounds,
            min_samples_leaf=min(self.settings.leaf_rows, max(1, len(train) // _LEAVES)),
            early_stopping=False,
            random_state=job.seed,
        ).fit(train, targets)
        return trees_of(model, len(job.labels)), ()

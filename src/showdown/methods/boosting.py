"""Gradient boosting of trees on embeddings: scikit-learn's histogram form, after LightGBM (Ke et al., 2017)."""

from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from showdown.core.method import Job, MethodSettings
from showdown.core.traits import Reference, Traits
from showdown.methods.embedded import EmbeddedMethod, EmbeddingSettings, Head, HeldOut, Numbers
from showdown.methods.trees import TreesHead, trees_of

_CANDIDATES = (100, 75, 50, 35, 25, 15, 10, 5)


class BoostingSettings(EmbeddingSettings):
    """Settings of the boosted trees."""

    learning_rate: float = Field(default=0.1, gt=0.0, le=1.0)
    """What the raw score of a tree is multiplied by; scikit-learn's default."""
    rounds: int | None = Field(default=None, ge=1)
    """Trees of each label; by default the number, of 100 and seven lower ones, that does best on the validation rows.
    """
    leaf_rows: int = Field(default=5, ge=1)
    """The fewest training rows in a leaf. scikit-learn's default of 20 leaves trees of a few dozen rows a label without
    a split."""


class Boosting(EmbeddedMethod):
    """Boosted trees on the frozen network's embeddings."""

    title: ClassVar[str] = "Boosting"
    summary: ClassVar[str] = "gradient boosting of trees on embeddings of the same network, frozen"
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

    def fit_head(
        self, train: Numbers, targets: npt.NDArray[np.int64], job: Job, held_out: HeldOut
    ) -> tuple[Head, tuple[str, ...]]:
        """Fit the trees, and choose how many of them answer."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        given = self.settings.rounds
        model = HistGradientBoostingClassifier(
            learning_rate=self.settings.learning_rate,
            max_iter=given or max(_CANDIDATES),
            min_samples_leaf=self.settings.leaf_rows,
            early_stopping=False,
            random_state=job.seed,
        ).fit(train, targets)
        rounds, head = held_out.best(
            _CANDIDATES if given is None else (given,),
            lambda rounds: trees_of(model, len(job.labels), rounds=rounds),
        )
        return head, () if given else (f"{rounds} rounds of boosting, chosen on the validation rows",)

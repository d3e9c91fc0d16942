"""Logistic regression on embeddings of the frozen pretrained network: a linear probe, without a backward pass."""

from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from showdown.core.method import Job, MethodSettings
from showdown.core.traits import Traits
from showdown.methods.embedded import EmbeddedMethod, EmbeddingSettings, Head, HeldOut, Numbers
from showdown.methods.linear_head import LinearHead, logistic


class FrozenSettings(EmbeddingSettings):
    """Settings of the logistic regression."""

    regularisation: float = Field(default=10.0, gt=0.0)
    """Inverse strength C; embeddings have length one, so scikit-learn's default of 1 underfits."""


class Frozen(EmbeddedMethod):
    """Logistic regression on the frozen network's embeddings."""

    title: ClassVar[str] = "Frozen + logistic"
    summary: ClassVar[str] = "logistic regression on embeddings of the same network, frozen; one forward pass a row"
    Settings: ClassVar[type[MethodSettings]] = FrozenSettings
    traits: ClassVar[Traits] = Traits(
        role="cheap", deterministic=True, reads="tokens", linear_probe=True, color="green"
    )
    head_class: ClassVar[type[Head]] = LinearHead
    chooses: ClassVar[bool] = False

    def fit_head(
        self, train: Numbers, targets: npt.NDArray[np.int64], job: Job, held_out: HeldOut
    ) -> tuple[Head, tuple[str, ...]]:
        """Fit the regression."""
        del held_out
        head = logistic(train, targets, len(job.labels), regularisation=self.settings.regularisation, seed=job.seed)
        return head, ()

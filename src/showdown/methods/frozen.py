"""Logistic regression on embeddings of the frozen pretrained network: a linear probe, without a backward pass."""

from typing import ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from showdown.core.method import Job, MethodSettings
from showdown.core.metric import GENERATION
from showdown.core.traits import Traits
from showdown.methods.embedded import EmbeddedMethod, EmbeddingSettings, Head, HeldOut, Numbers
from showdown.methods.linear_head import LinearHead, logistic

_OF_A_DECODER = 10.0
"""What C is multiplied by for a decoder."""


class FrozenSettings(EmbeddingSettings):
    """Settings of the logistic regression."""

    regularisation: float = Field(default=10.0, gt=0.0)
    """Inverse strength C; embeddings have length one, so scikit-learn's default of 1 underfits. Those of a decoder lie
    closer together, and ten times as much is taken (`benchmarks/statistics/cheap_methods.py`)."""


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
        strength = self.settings.regularisation * (_OF_A_DECODER if _is_decoder(job) else 1.0)
        return logistic(train, targets, len(job.labels), regularisation=strength, seed=job.seed), ()


def _is_decoder(job: Job) -> bool:
    """Return whether the network reads from left to right."""
    from showdown.models.folder import read_config
    from showdown.models.source import locate
    from showdown.tasks.table import task_named

    kind = read_config(locate(job.model), job.model.id).get("model_type")
    return kind in task_named(GENERATION).architectures()

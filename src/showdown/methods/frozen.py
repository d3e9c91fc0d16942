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

_ENCODER, _DECODER = 10.0, 100.0


class FrozenSettings(EmbeddingSettings):
    """Settings of the logistic regression."""

    regularisation: float | None = Field(default=None, gt=0.0)
    """Inverse strength C; by default 10 for an encoder and 100 for a decoder. Embeddings have length one, so that
    scikit-learn's 1 underfits, and those of a decoder lie closer together (`benchmarks/statistics/embeddings.py`)."""


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
        strength = self.settings.regularisation or (_DECODER if _is_decoder(job) else _ENCODER)
        return logistic(train, targets, len(job.labels), regularisation=strength, seed=job.seed), ()


def _is_decoder(job: Job) -> bool:
    """Return whether the network reads from left to right."""
    from showdown.models.folder import read_config
    from showdown.models.source import locate
    from showdown.tasks.table import task_named

    kind = read_config(locate(job.model), job.model.id).get("model_type")
    return kind in task_named(GENERATION).architectures()

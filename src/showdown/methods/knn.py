"""Nearest neighbours (Cover and Hart, 1967) among embeddings of the training rows: nothing is trained.

The nearest training rows vote, each with the weight exp(cosine / 0.07), as Wu et al. (arXiv 1805.01978) do, whose
temperature it is.
"""

from collections.abc import Mapping
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from showdown.core.method import Job, MethodSettings
from showdown.core.traits import Reference, Traits
from showdown.methods.embedded import EmbeddedMethod, EmbeddingSettings, Head, HeldOut, Numbers

TEMPERATURE = 0.07
_CANDIDATES = (10, 5, 20, 3, 50, 1)
"""Numbers of neighbours that are tried."""
_AT_ONCE = 256
"""Texts whose similarities to all training rows are held at a time."""


class NeighbourHead(Head):
    """The training rows' embeddings and labels."""

    file: ClassVar[str] = "neighbours.safetensors"
    scoring: ClassVar[str] = f"""    nearest = (vectors.float() @ head["vectors"].T).topk(int(head["neighbours"]))
    votes = torch.zeros(len(vectors), len(labels)).scatter_add(
        1, head["targets"][nearest.indices], (nearest.values / {TEMPERATURE}).softmax(-1))
    scores = votes"""

    def __init__(
        self, vectors: npt.NDArray[np.float32], targets: npt.NDArray[np.int64], neighbours: int, label_count: int
    ) -> None:
        self.vectors, self.targets = vectors, targets
        self.neighbours, self.label_count = min(neighbours, len(vectors)), label_count

    def probabilities(self, vectors: Numbers) -> Numbers:
        """Return the share of the votes that each label gets: shape (rows, labels)."""
        found = np.zeros((len(vectors), self.label_count))
        for start in range(0, len(vectors), _AT_ONCE):
            cosines = vectors[start : start + _AT_ONCE] @ self.vectors.astype(np.float64).T
            nearest = np.argsort(-cosines, axis=1, kind="stable")[:, : self.neighbours]
            near = np.take_along_axis(cosines, nearest, axis=1)
            votes = np.exp((near - near.max(axis=1, keepdims=True)) / TEMPERATURE)
            rows = np.arange(start, start + len(cosines))[:, None]
            np.add.at(found, (rows, self.targets[nearest]), votes / votes.sum(axis=1, keepdims=True))
        return found

    def tensors(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return the rows, and how many vote."""
        return {
            "vectors": self.vectors,
            "targets": self.targets,
            "neighbours": np.asarray(self.neighbours),
            "labels": np.asarray(self.label_count),
        }

    @classmethod
    def of(cls, tensors: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """Make it of the rows."""
        return cls(
            np.asarray(tensors["vectors"], dtype=np.float32),
            np.asarray(tensors["targets"], dtype=np.int64),
            int(tensors["neighbours"]),
            int(tensors["labels"]),
        )


class NeighbourSettings(EmbeddingSettings):
    """Settings of the nearest neighbours."""

    neighbours: int | None = Field(default=None, ge=1)
    """Training rows that vote; by default the one of 1, 3, 5, 10, 20 and 50 that does best on the validation rows."""


class NearestNeighbours(EmbeddedMethod):
    """The nearest training rows vote."""

    title: ClassVar[str] = "kNN"
    summary: ClassVar[str] = (
        "the nearest training rows vote, by the frozen network's embeddings; for labels that change often"
    )
    Settings: ClassVar[type[MethodSettings]] = NeighbourSettings
    traits: ClassVar[Traits] = Traits(
        role="cheap",
        deterministic=True,
        reads="tokens",
        citation=Reference(
            key="cover1967",
            text="Thomas M. Cover and Peter E. Hart. Nearest neighbor pattern classification. IEEE Transactions on "
            "Information Theory, 13(1):21-27, 1967.",
        ),
    )
    head_class: ClassVar[type[Head]] = NeighbourHead

    def fit_head(
        self, train: Numbers, targets: npt.NDArray[np.int64], job: Job, held_out: HeldOut
    ) -> tuple[Head, tuple[str, ...]]:
        """Keep the rows and choose how many vote."""
        rows = train.astype(np.float32)
        given = self.settings.neighbours
        most, head = held_out.best(
            _CANDIDATES if given is None else (given,),
            lambda neighbours: NeighbourHead(rows, targets, neighbours, len(job.labels)),
        )
        return head, () if given else (f"{most} neighbours vote, chosen on the validation rows",)

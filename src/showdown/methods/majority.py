"""The baseline that always answers with the most frequent training label."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from showdown.core.examples import Examples
from showdown.core.files import write_json
from showdown.core.method import Fitted, FittedMethod, Job
from showdown.core.predictor import Classifier
from showdown.core.record import ScoreKind
from showdown.core.traits import Traits


class MajorityClassifier(Classifier):
    """Answers every text with the training labels' shares."""

    score_kind: ScoreKind = "probability"

    def __init__(self, shares: Sequence[float]) -> None:
        self.shares = np.asarray(shares, dtype=np.float64)

    def scores(self, texts: Sequence[str], *, batch_rows: int) -> npt.NDArray[np.float64]:
        """Repeat the training labels' shares for every text: shape (rows, labels)."""
        return np.tile(self.shares, (len(texts), 1))


class Majority(FittedMethod):
    """Always the most frequent training label."""

    title: ClassVar[str] = "Majority label"
    summary: ClassVar[str] = "always answers with the most frequent training label; the floor of every table"
    traits: ClassVar[Traits] = Traits(role="floor", deterministic=True, reads="nothing", color="gray")

    def fit(self, train: Examples, job: Job, *, validation: Examples) -> Fitted:
        """Count the training labels."""
        counts = np.bincount(train.targets, minlength=len(job.labels))
        return Fitted(
            predictor=MajorityClassifier(counts / counts.sum()),
            trainable_parameters=0,
            total_parameters=0,
        )

    def save(self, classifier: MajorityClassifier, folder: Path) -> None:
        """Write the shares as JSON."""
        write_json(folder / "shares.json", classifier.shares.tolist())

    def load(self, folder: Path, job: Job) -> MajorityClassifier:
        """Read the shares."""
        return MajorityClassifier(json.loads((folder / "shares.json").read_text(encoding="utf-8")))

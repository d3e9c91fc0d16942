"""The answers of a classifier to the test examples: the predictions file, and the scores of the run's record."""

import io
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from showdown.core.csv_writer import csv_writer
from showdown.core.examples import Examples
from showdown.core.predictions import COLUMNS
from showdown.core.predictor import Classifier
from showdown.core.task import Answers, MeasuredScores
from showdown.tasks.classification.confidence import measure_confidence
from showdown.tasks.classification.metrics import score

_SCORE_DIGITS = 9
"""Significant digits of a score in the predictions file: enough to tell any two float32 numbers apart."""


class ClassifierAnswers(Answers):
    """The scores that a classifier gave to the test and the validation examples."""

    def __init__(
        self, classifier: Classifier, *, test: Examples, validation: Examples, labels: Sequence[str], batch_rows: int
    ) -> None:
        self.kind = classifier.score_kind
        self.labels, self.test, self.validation = tuple(labels), test, validation
        self.test_scores = classifier.scores(test.texts, batch_rows=batch_rows)
        self.validation_scores = classifier.scores(validation.texts, batch_rows=batch_rows)

    def predictions_csv(self) -> str:
        """Return a line for each test example: row, duplicate group, true label, predicted label, a score a label."""
        file = io.StringIO()
        writer = csv_writer(file)
        writer.writerow([*COLUMNS, *(f"{self.kind}: {name}" for name in self.labels)])
        predicted = _best_labels(self.test_scores)
        for index, row in enumerate(self.test_scores):
            writer.writerow(
                [
                    self.test.row_ids[index],
                    self.test.duplicate_groups[index],
                    self.labels[self.test.targets[index]],
                    self.labels[predicted[index]],
                    *(f"{value:.{_SCORE_DIGITS}g}" for value in row),
                ]
            )
        return file.getvalue()

    def measure(self) -> MeasuredScores:
        """Score the answers, and measure how far their confidence can be trusted."""
        test, validation = self.test, self.validation
        return MeasuredScores(
            scores=score(test.targets, _best_labels(self.test_scores), self.labels),
            validation_f1_macro=score(validation.targets, _best_labels(self.validation_scores), self.labels).f1_macro,
            score_kind=self.kind,
            confidence=measure_confidence(self.kind, self.validation_scores, self.test_scores, test.targets),
        )


def _best_labels(scores: npt.NDArray[np.float64]) -> list[int]:
    """Return the index of the highest score of each row; the first among equals."""
    found: list[int] = scores.argmax(axis=1).tolist()
    return found

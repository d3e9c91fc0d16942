"""The scoring stage of a run: the saved artefact, loaded in a fresh process, answers the test rows once."""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt

from showdown.core.csv_writer import csv_writer
from showdown.core.events import EventWriter
from showdown.core.files import write_json, write_text
from showdown.core.method import Classifier, LabelledTexts
from showdown.core.predictions import digest
from showdown.core.spec import RunSpec
from showdown.data.prepare import load_side
from showdown.evaluation.confidence import measure_confidence
from showdown.evaluation.metrics import score
from showdown.evaluation.speed import undisturbed_speeds
from showdown.measure.load import LoadMeter
from showdown.measure.memory import memory_of
from showdown.stages.artifact import open_classifier
from showdown.stages.context import open_context
from showdown.stages.results import ScoreStage

_BATCH_ROWS = 16
_SCORE_DIGITS = 9
"""Significant digits of a score in the predictions file: enough to tell any two float32 numbers apart."""


def score_run(spec: RunSpec, folder: Path, processed: Path, events: EventWriter) -> None:
    """Score the artefact on validation and test rows; `score.json` is committed last."""
    load = LoadMeter()
    context = open_context(spec, folder, processed, events)
    test, validation = load_side(processed, "test"), load_side(processed, "validation")
    labels = context.job.labels
    with context.phase("reloading"):
        classifier = open_classifier(spec, labels, folder / "artifact")
    with context.phase("prediction"):
        scores = classifier.scores(test.texts, batch_rows=_BATCH_ROWS)
        held_out = classifier.scores(validation.texts, batch_rows=_BATCH_ROWS)
    predicted = scores.argmax(axis=1).tolist()
    load.read()  # what went on until now counts only where the next phase is too short to tell
    with context.phase("speed"):
        synchronize = memory_of(context.job.placement.device).synchronize
        speeds, others_share = undisturbed_speeds(classifier, test.texts, synchronize, load.read)
    write_text(folder / "predictions.csv", predictions := _predictions_csv(classifier, test, labels, scores))
    stage = ScoreStage(
        phases=context.clock.phases(),
        scores=score(test.targets, predicted, labels),
        validation_f1_macro=score(validation.targets, held_out.argmax(axis=1).tolist(), labels).f1_macro,
        score_kind=classifier.score_kind,
        confidence=measure_confidence(classifier.score_kind, held_out, scores, test.targets),
        predictions_sha256=digest(predictions.encode()),
        predictions_rows=len(test),
        prediction_speeds=speeds,
        speed_others_share=others_share,
    )
    write_json(folder / "score.json", stage.model_dump())


def _predictions_csv(
    classifier: Classifier, test: LabelledTexts, labels: tuple[str, ...], scores: npt.NDArray[np.float64]
) -> str:
    """Return one line a test row: its number, cluster, true and predicted label, and a score a label. No text."""
    file = io.StringIO()
    writer = csv_writer(file)
    writer.writerow(["row", "cluster", "label", "predicted", *(f"{classifier.score_kind}: {name}" for name in labels)])
    for index, row in enumerate(scores):
        writer.writerow(
            [
                test.row_ids[index],
                test.clusters[index],
                labels[test.targets[index]],
                labels[int(row.argmax())],
                *(f"{value:.{_SCORE_DIGITS}g}" for value in row),
            ]
        )
    return file.getvalue()
